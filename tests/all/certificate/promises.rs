//! The promises about gradient descent, at the edge of what each theorem allows and beyond.

use super::{Odd, direction, kind, odd_problem, problem, with_residual};
use crate::support::oracle::largest_column;
use expnet::certificate::{Attempt, Certifier, Effort, Theorem, certify};
use expnet::{Dataset, ExpNetwork, kernel};
use nalgebra::{DMatrix, DVector};

/// A start and e_0 along a direction, as large as a theorem allows with less than 0.5% to spare.
struct Edge {
    points: DMatrix<f64>,
    net: ExpNetwork<f64>,
    residual: DVector<f64>,
    attempt: Attempt,
}

/// What to certify, and with which step size.
#[derive(Clone, Copy)]
struct Case {
    theorem: Theorem,
    /// Times 1 / lambda_max(G_0).
    size: f64,
}

impl Case {
    fn attempt(&self, net: &ExpNetwork<f64>, data: &Dataset<f64>, largest: f64) -> Option<Attempt> {
        let effort = if self.theorem == Theorem::GFull {
            Effort::Full
        } else {
            Effort::Basic
        };
        let certifier = Certifier::new(effort);
        let found = certifier.certify_at(net, data, self.size / largest).unwrap();
        found
            .attempts()
            .iter()
            .find(|attempt| attempt.theorem() == self.theorem)
            .cloned()
    }

    /// `None` where the kernel is too near to singular.
    fn edge(&self, (points, net): (DMatrix<f64>, ExpNetwork<f64>), seed: u64) -> Option<Edge> {
        let direction = direction(&points, &net, seed);
        let gram = kernel::empirical_kernel(&net, &points).unwrap() * net.width() as f64;
        let largest = kernel::Spectrum::new(&gram).unwrap().lambda_max();
        let holds = |size: f64| {
            let data = with_residual(&points, &net, &(&direction * size));
            self.attempt(&net, &data, largest).filter(Attempt::holds)
        };
        let (mut low, mut high) = (1e-6, f64::INFINITY);
        let mut attempt = holds(low)?;
        while high > 1.004 * low {
            // Theorem G says how much larger e_0 may be, within 0.2%; for the others it is searched.
            let spare = 1.0 / attempt.tightest().factor();
            let is_g = matches!(self.theorem, Theorem::GBasic | Theorem::GFull);
            let next = if is_g && spare > 1.1 {
                low * spare * 0.9995
            } else if high.is_finite() {
                (low * high).sqrt()
            } else {
                low * if is_g { 1.004 } else { 64.0 }
            };
            match holds(next) {
                Some(found) => (low, attempt) = (next, found),
                None => high = next,
            }
        }
        let residual = &direction * low;
        Some(Edge {
            points,
            net,
            residual,
            attempt,
        })
    }
}

/// Which promise is broken in a run of `steps` steps from e_0 times `factor`, if any; the bound on ||e|| grows with it. The kernel is
/// looked at every `every` steps.
fn broken(edge: &Edge, factor: f64, (steps, every): (usize, usize)) -> Option<(usize, &'static str)> {
    let Edge {
        points,
        net,
        residual,
        attempt,
    } = edge;
    let data = with_residual(points, net, &(residual * factor));
    let mut running = net.clone();
    // Rounding of e: some 1e-13 of what is added up.
    let positive = ExpNetwork::from_parts(net.weights().clone(), net.output_weights().abs()).unwrap();
    let rounding = 1e-13 * (positive.forward(points).unwrap().norm() + data.labels().norm());
    let spectrum =
        |net: &ExpNetwork<f64>| kernel::Spectrum::new(&kernel::empirical_kernel(net, points).unwrap()).unwrap();
    let lambda_min = spectrum(net).lambda_min();
    for t in 0..=steps {
        let moved = running.weights() - net.weights();
        if moved.norm() > attempt.distance() * (1.0 + 1e-9) + 1e-13 {
            return Some((t, "the distance"));
        }
        let residual = running.residual(&data).ok()?.norm();
        if residual > factor * attempt.residual_bound(t) * (1.0 + 1e-12) + rounding {
            return Some((t, "the residual"));
        }
        if largest_column(&moved) > attempt.radius() * (1.0 + 1e-9) + 1e-13 {
            return Some((t, "the radius"));
        }
        let spectrum = if t % every == 0 { Some(spectrum(&running)) } else { None };
        if spectrum.is_some_and(|spectrum| {
            spectrum.lambda_min() < attempt.kernel_share() * lambda_min - 2.0 * spectrum.resolution()
        }) {
            return Some((t, "the kernel"));
        }
        running.step(&data, attempt.step_size()).ok()?;
    }
    None
}

/// At least `count` of the problems, each at the edge of the theorem: every promise is kept at every step. With e_0 `factor`
/// times larger at least the share `share` breaks one, so that this test can see it.
fn kept_at_the_edge(
    count: usize,
    (factor, share): (f64, f64),
    problems: impl Iterator<Item = (Case, u64, (DMatrix<f64>, ExpNetwork<f64>))>,
) {
    // A, A' and A'' break soon or, being far from sharp, not at all.
    let steps = if share > 0.5 { 3000 } else { 300 };
    let (mut edges, mut visible, mut beyond) = (0, 0, 0);
    for (case, seed, problem) in problems {
        let Some(edge) = case.edge(problem, seed / 4) else {
            continue;
        };
        edges += 1;
        assert_eq!(broken(&edge, 1.0, (150, 1)), None, "{seed}: {:?}", edge.attempt);
        // Where the slowest direction takes longer than the run, less is seen.
        if edge.attempt.rate() * steps as f64 > 1.0 {
            visible += 1;
            beyond += usize::from(broken(&edge, factor, (steps, 50)).is_some());
        }
    }
    println!("{edges} problems at the edge; with e_0 {factor} times larger {beyond} of {visible} break a promise");
    assert!(edges >= count, "{edges}");
    assert!(beyond as f64 >= share * f64::from(visible), "{beyond} of {visible}");
}

/// Usual and odd problems in turn, with these step sizes in turn.
fn problems(
    theorem: Theorem,
    seeds: u64,
    sizes: &'static [f64],
) -> impl Iterator<Item = (Case, u64, (DMatrix<f64>, ExpNetwork<f64>))> {
    (0..seeds).map(move |seed| {
        let size = sizes[usize::try_from(seed).unwrap() % sizes.len()];
        let problem = if seed % 2 == 0 {
            problem(kind(seed / 2), seed)
        } else {
            odd_problem(Odd::all()[usize::try_from(seed / 2 % 6).unwrap()], seed)
        };
        (Case { theorem, size }, seed, problem)
    })
}

/// All that A, A' and A'' allow.
const SMALL: &[f64] = &[0.3, 0.55];

/// Up to nearly 2 / lambda_max.
const ALL: &[f64] = &[1.0, 0.3, 1.5, 1.9, 1.97];

#[test]
fn a() {
    kept_at_the_edge(200, (6.0, 0.0), problems(Theorem::A, 260, SMALL));
}

#[test]
fn a_prime() {
    kept_at_the_edge(200, (6.0, 0.0), problems(Theorem::APrime, 260, SMALL));
}

#[test]
fn a_double_prime() {
    kept_at_the_edge(200, (6.0, 0.6), problems(Theorem::ADoublePrime, 260, SMALL));
}

#[test]
fn a_free_ball() {
    kept_at_the_edge(200, (6.0, 0.4), problems(Theorem::Ball, 260, &[1.0, 0.3, 1.4]));
}

#[test]
fn g_basic() {
    kept_at_the_edge(200, (6.0, 0.95), problems(Theorem::GBasic, 260, ALL));
}

#[test]
fn g_full() {
    kept_at_the_edge(200, (6.0, 0.95), problems(Theorem::GFull, 260, ALL));
}

/// The best theorem is at least as good as A'', the sharpest of the older ones.
#[test]
fn the_best_theorem_promises_the_fastest() {
    for seed in 0..40 {
        let (points, net) = problem(kind(seed), seed);
        let direction = direction(&points, &net, seed);
        for size in [1e-3, 1e-2, 0.1] {
            let data = with_residual(&points, &net, &(&direction * size));
            let found = certify(&net, &data).unwrap();
            let steps = |attempt: &Attempt| attempt.steps_to(1e-3 * found.residual_norm());
            let fastest = found.attempts().iter().map(steps).min().unwrap();
            assert_eq!(found.steps_to(1e-3 * found.residual_norm()), fastest, "{found}");
            assert_eq!(found.holds(), found.attempts().iter().any(Attempt::holds));
        }
    }
}

/// Section 2i's counterexample: with the form of w that is false where both radicands are negative, one neuron at one point
/// would be certified with ||e_0|| = 0.385, and moves 1.72 times as far as promised.
#[test]
fn the_false_form_of_w_is_not_used() {
    let point = DMatrix::from_element(1, 1, 1.0);
    let net = ExpNetwork::from_parts(DMatrix::zeros(1, 1), DVector::from_element(1, 1.0)).unwrap();
    let data = Dataset::new(point.clone(), DVector::from_element(1, 1.0 - 0.385)).unwrap();
    // theta = 1.31 for gamma = 0.3: eta = 1.31 / (1.3)^2, as G_0 = 1.
    let step_size = 1.31 / 1.69;
    let found = Certifier::new(Effort::Basic)
        .certify_at(&net, &data, step_size)
        .unwrap();
    let ball = found
        .attempts()
        .iter()
        .find(|attempt| attempt.theorem() == Theorem::Ball)
        .unwrap();
    assert!(!ball.holds(), "{ball:?}");
    // The radius that it would promise: y = A g / (1 - A g), with w = 2.69.
    let beta = 2.69 * 0.85 / (1.0 + 0.3 * 1.31 / 1.3 / 2.0);
    let reach = 0.385 / beta * (-(0.7_f64.ln()) / 0.3);
    let radius = (reach / (1.0 - reach)).ln_1p();
    let mut running = net.clone();
    let mut moved = 0.0_f64;
    for _ in 0..50 {
        running.step(&data, step_size).unwrap();
        moved = moved.max((running.weights() - net.weights()).norm());
    }
    assert!(moved > 1.5 * radius, "{moved} {radius}");
}

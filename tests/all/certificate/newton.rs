//! Theorems N and F: Gauss-Newton at the edge of what they allow and beyond.

use super::{Odd, direction, kind, odd_problem, problem, table_problem, with_residual};
use crate::support::says;
use expnet::certificate::{Certifier, Effort, NewtonCertificate, Theorem, certify_frozen, certify_gauss_newton};
use expnet::{Dataset, ExpNetwork, Initializer};
use nalgebra::{DMatrix, DVector};

/// The Jacobian, n x d m, entry by entry.
fn jacobian(points: &DMatrix<f64>, net: &ExpNetwork<f64>) -> DMatrix<f64> {
    let ((d, n), m) = (points.shape(), net.width());
    DMatrix::from_fn(n, d * m, |i, c| {
        let activation = net.weights().column(c / d).dot(&points.column(i)).exp();
        net.output_weights()[c / d] * activation * points[(c % d, i)]
    })
}

/// Residuals and distances from the start of undamped Gauss-Newton written out; `frozen` keeps the Jacobian of the start.
fn run(net: &ExpNetwork<f64>, data: &Dataset<f64>, frozen: bool, steps: usize) -> Vec<(f64, f64)> {
    let (points, start) = (data.points(), jacobian(data.points(), net));
    let mut running = net.clone();
    let mut found = Vec::new();
    for _ in 0..=steps {
        let Ok(residual) = running.residual(data) else { break };
        let moved = (running.weights() - net.weights()).norm();
        found.push((residual.norm(), moved));
        let j = if frozen {
            start.clone()
        } else {
            jacobian(points, &running)
        };
        let Some(dual) = (&j * j.transpose()).cholesky().map(|factor| factor.solve(&residual)) else {
            break;
        };
        let step = DMatrix::from_column_slice(points.nrows(), net.width(), j.tr_mul(&dual).as_slice());
        running = ExpNetwork::from_parts(running.weights() - step, net.output_weights().clone()).unwrap();
    }
    found
}

fn certified(theorem: Theorem, effort: Effort, net: &ExpNetwork<f64>, data: &Dataset<f64>) -> NewtonCertificate {
    let certifier = Certifier::new(effort);
    let found = match theorem {
        Theorem::F => certifier.certify_frozen(net, data),
        _ => certifier.certify_gauss_newton(net, data),
    };
    found.unwrap()
}

/// The largest e_0 along a direction that is certified, to 0.4%.
fn edge(
    theorem: Theorem,
    effort: Effort,
    points: &DMatrix<f64>,
    net: &ExpNetwork<f64>,
    seed: u64,
) -> Option<DVector<f64>> {
    let direction = direction(points, net, seed);
    let holds = |size: f64| certified(theorem, effort, net, &with_residual(points, net, &(&direction * size))).holds();
    let mut low = 1e-6;
    if !holds(low) {
        return None;
    }
    let mut high = 64.0 * low;
    while holds(high) {
        (low, high) = (high, 64.0 * high);
    }
    while high > 1.004 * low {
        let middle = (low * high).sqrt();
        *(if holds(middle) { &mut low } else { &mut high }) = middle;
    }
    Some(direction * low)
}

fn kept_at_the_edge(theorem: Theorem, effort: Effort, seeds: u64, count: usize) {
    let (mut edges, mut beyond) = (0, 0);
    for seed in 0..seeds {
        let (points, net) = if seed % 2 == 0 {
            problem(kind(seed / 2), seed)
        } else {
            odd_problem(Odd::all()[usize::try_from(seed / 2 % 6).unwrap()], seed)
        };
        let Some(residual) = edge(theorem, effort, &points, &net, seed / 4) else {
            continue;
        };
        let data = with_residual(&points, &net, &residual);
        let proved = certified(theorem, effort, &net, &data);
        assert!(proved.holds() && proved.theorem() == theorem);
        edges += 1;
        // The Cholesky solve of a Gram matrix with condition 1e8 loses half the digits.
        let positive = ExpNetwork::from_parts(net.weights().clone(), net.output_weights().abs()).unwrap();
        let rounding = 1e-12 * (positive.forward(&points).unwrap().norm() + data.labels().norm());
        let broken = |data: &Dataset<f64>, factor: f64| {
            run(&net, data, theorem == Theorem::F, 12)
                .into_iter()
                .enumerate()
                .find(|&(t, (residual, moved))| {
                    residual > factor * proved.residual_bound(t) * (1.0 + 1e-6) + rounding
                        || moved > proved.radius() * (1.0 + 1e-6) + 1e-9
                })
        };
        assert_eq!(broken(&data, 1.0), None, "{seed}: {proved}");
        let larger = with_residual(&points, &net, &(&residual * 6.0));
        beyond += usize::from(broken(&larger, 6.0).is_some());
    }
    println!("{edges} problems at the edge of theorem {theorem}; with e_0 six times larger {beyond} break a promise");
    assert!(
        edges >= count && beyond as f64 >= 0.9 * edges as f64,
        "{edges} {beyond}"
    );
}

#[test]
fn n_from_traces() {
    kept_at_the_edge(Theorem::N, Effort::Basic, 240, 200);
}

#[test]
fn n_from_norms() {
    kept_at_the_edge(Theorem::N, Effort::Full, 240, 200);
}

#[test]
fn f_from_traces() {
    kept_at_the_edge(Theorem::F, Effort::Basic, 240, 200);
}

#[test]
fn f_from_norms() {
    kept_at_the_edge(Theorem::F, Effort::Full, 240, 200);
}

/// (8, 4, sigma 1): 18 of 20 seeds are certified at width 64 by N and at 40 by F.
#[test]
fn narrow_starts_are_certified() {
    let data = table_problem(8, 4);
    let count = |width: usize, certify: fn(&ExpNetwork<f64>, &Dataset<f64>) -> NewtonCertificate| {
        let holds = |seed: u64| {
            let start = Initializer::new(4, width).antisymmetric(true).seed(seed);
            certify(&start.build::<f64>().unwrap(), &data).holds()
        };
        (0..20).filter(|&seed| holds(seed)).count()
    };
    let full = count(64, |net, data| certify_gauss_newton(net, data).unwrap());
    let frozen = count(40, |net, data| certify_frozen(net, data).unwrap());
    assert!(full >= 18 && frozen >= 18, "{full} {frozen}");
}

#[test]
fn what_is_proved_reads_well() {
    let data = table_problem(8, 4);
    let wide = Initializer::new(4, 256)
        .antisymmetric(true)
        .seed(3)
        .build::<f64>()
        .unwrap();
    for (proved, method) in [
        (
            certify_gauss_newton(&wide, &data).unwrap(),
            "full Gauss-Newton is proved by theorem N",
        ),
        (
            certify_frozen(&wide, &data).unwrap(),
            "frozen Gauss-Newton is proved by theorem F",
        ),
    ] {
        says(
            &proved,
            &[method, "n = 8, d = 4, m = 256", "an exact interpolant lies within"],
        );
        assert!(proved.decisive().holds() && proved.radius() > 0.0 && proved.width() == 256);
        let steps = proved.steps_to(1e-9);
        let t = usize::try_from(steps).unwrap();
        assert!(proved.residual_bound(t) <= 1e-9 && proved.residual_bound(t - 1) > 1e-9);
        assert_eq!(
            (proved.steps_to(1e3), proved.steps_to(0.0), proved.steps_to(f64::NAN)),
            (0, u64::MAX, u64::MAX)
        );
        assert!(proved.residual_bound(0) <= proved.residual_norm() * (1.0 + 1e-9));
    }
    let narrow = Initializer::new(4, 4)
        .antisymmetric(true)
        .seed(3)
        .build::<f64>()
        .unwrap();
    for open in [
        certify_gauss_newton(&narrow, &data).unwrap(),
        certify_frozen(&narrow, &data).unwrap(),
    ] {
        says(&open, &["is not proved", "m = 4", "fails by a factor of"]);
        assert!(!open.holds() && !open.decisive().holds());
        assert_eq!(
            (open.radius(), open.residual_bound(3), open.steps_to(1.0)),
            (0.0, f64::INFINITY, u64::MAX)
        );
    }
}

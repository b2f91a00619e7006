//! The reference problems R1, R3, R4 and R5, whose values were computed by NumPy in f64, some of them by mpmath too.
//!
//! x_ik = sin(1 + i d + k + 0.37 i k), rows normalised; w_rk = sigma sqrt(2) sin(1 + j^2), j = q d + k. In R1, R3 and R4
//! neurons are in pairs that cancel (q = floor(r/2), y = +-1); in R5 they are not (q = r, a_r = (-1)^r (1 + r/m),
//! y_i = F_0(x_i) + 0.02 (-1)^i).

use super::deterministic::Ball;
use super::drift::{Arithmetic, Place, Samples};
use super::frozen::Frozen;
use super::neurons::OfNetwork;
use super::newton::Newton;
use super::operators::Operators;
use super::start::Start;
use super::whitened::Whitened;
use crate::linalg::UNIT;
use nalgebra::{DMatrix, DVector};

/// A problem written out.
pub(super) struct Reference {
    pub points: DMatrix<f64>,
    pub labels: DVector<f64>,
    pub weights: DMatrix<f64>,
    pub output_weights: DVector<f64>,
}

impl Reference {
    fn new((n, d): (usize, usize), sigma: f64, m: usize, paired: bool) -> Self {
        let mut points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
        points.column_iter_mut().for_each(|mut x| {
            x.normalize_mut();
        });
        let alternating = |r: usize| if r.is_multiple_of(2) { 1.0 } else { -1.0 };
        let weights = DMatrix::from_fn(d, m, |k, r| {
            let j = (if paired { r / 2 } else { r }) * d + k;
            sigma * 2.0_f64.sqrt() * ((1 + j * j) as f64).sin()
        });
        let size = |r: usize| if paired { 1.0 } else { 1.0 + r as f64 / m as f64 };
        let output_weights = DVector::from_fn(m, |r, _| alternating(r) * size(r));
        let labels = DVector::from_fn(n, |i, _| {
            if paired {
                return alternating(i);
            }
            let z = weights.tr_mul(&points.column(i));
            let output: f64 = z.iter().zip(&output_weights).map(|(z, a)| a * z.exp()).sum();
            output + 0.02 * alternating(i)
        });
        Self {
            points,
            labels,
            weights,
            output_weights,
        }
    }

    pub fn r1() -> Self {
        Self::new((4, 3), 0.5, 64, true)
    }

    pub fn r3() -> Self {
        Self::new((8, 8), 1.0, 24, true)
    }

    pub fn r4() -> Self {
        Self::new((8, 4), 1.0, 32, true)
    }

    pub fn r5() -> Self {
        Self::new((6, 5), 0.7, 40, false)
    }

    pub fn neurons(&self) -> OfNetwork<'_, f64> {
        OfNetwork::new(&self.points, &self.weights, &self.output_weights)
    }
}

/// Asserts that `found` has the digits of the table, which has seven or eight.
pub(super) fn agrees(name: &str, found: f64, table: f64) {
    assert!(
        (found / table - 1.0).abs() <= 5e-8,
        "{name}: {found} in place of {table}"
    );
}

/// The table of one problem: [`lam_1`, `lam_n`, s0, L1 by traces, L1 by norms, L2], theorem N by traces (without b2)
/// and by norms (with b2) [t, `p_t`, Lq, D^], and theorem F in both norms [s*, q].
struct Table {
    whitened: [f64; 6],
    newton: [Option<[f64; 4]>; 2],
    frozen: [[f64; 2]; 2],
}

fn check(problem: &Reference, b2: f64, table: &Table) {
    let neurons = problem.neurons();
    let start = Start::new(&neurons, &problem.points, &problem.labels).unwrap();
    let whitened = Whitened::new(&start).unwrap().unwrap();
    let operators = Operators::new(&whitened).unwrap();
    let spectrum = &whitened.whitening;
    let found = [
        spectrum.smallest(),
        spectrum.largest(),
        whitened.signal.norm,
        whitened.growth.l1,
        operators.l1,
        whitened.growth.l2,
    ];
    let names = ["lam_1", "lam_n", "s0", "L1 trace", "L1 norm", "L2"];
    for ((name, found), table) in names.into_iter().zip(found).zip(table.whitened) {
        agrees(name, found, table);
    }
    if b2 == 0.0 {
        assert_eq!(operators.curvature, 0.0);
    } else {
        agrees("b2", operators.curvature, b2);
    }
    let by_trace = Newton::of(&whitened, whitened.growth.l1, None);
    let by_norm = Newton::of(&whitened, operators.l1, Some(operators.curvature));
    for (found, table) in [by_trace, by_norm].into_iter().zip(table.newton) {
        let Some([t, step, curvature, distance]) = table else {
            assert!(found.is_err());
            continue;
        };
        let found = found.unwrap();
        assert_eq!((found.residuals.len() - 1) as f64, t);
        agrees("p_t", found.step, step);
        agrees("Lq", found.curvature, curvature);
        agrees("D^", found.distance, distance);
    }
    for (found, [distance, factor]) in Frozen::both(&whitened, Some(&operators)).into_iter().zip(table.frozen) {
        let found = found.unwrap();
        agrees("s*", found.distance, distance);
        agrees("q", found.factor, factor);
    }
}

#[test]
fn r1() {
    let table = Table {
        whitened: [12.726177, 295.16219, 0.11908255, 0.53079124, 0.41228938, 0.92800876],
        newton: [
            Some([0.0, 0.11908255, 0.9234427, 0.15877674]),
            Some([0.0, 0.11908255, 0.75789869, 0.15877674]),
        ],
        frozen: [[0.11919368, 0.0028023681], [0.11919188, 0.0027571386]],
    };
    check(&Reference::r1(), 0.0, &table);
}

#[test]
fn r3() {
    let table = Table {
        whitened: [37.629564, 261.26116, 0.23813916, 0.80541432, 0.69857319, 0.8476754],
        newton: [
            Some([1.0, 0.033166802, 1.5567424, 0.28236157]),
            Some([1.0, 0.0038427521, 1.1678763, 0.24326283]),
        ],
        frozen: [[0.24205816, 0.049085327], [0.24154904, 0.042814808]],
    };
    check(&Reference::r3(), 0.0, &table);
}

#[test]
fn r4() {
    let table = Table {
        whitened: [1.7751689, 359.84765, 0.34222981, 0.93224265, 0.72360869, 5.0141993],
        newton: [None, None],
        frozen: [[0.36698577, 0.20479609], [0.39334106, 0.39525884]],
    };
    check(&Reference::r4(), 0.0, &table);
}

#[test]
fn r5() {
    let table = Table {
        whitened: [2.9146446, 805.11677, 0.024202468, 1.1627443, 0.88160386, 5.3778818],
        newton: [
            Some([0.0, 0.024202468, 1.5250632, 0.032269957]),
            Some([0.0, 0.024202468, 1.2075881, 0.032269957]),
        ],
        frozen: [[0.024345854, 0.012151242], [0.024346701, 0.012254833]],
    };
    check(&Reference::r5(), 0.45328472, &table);
}

/// A''(gamma, theta) on R1: chi, w, beta, the largest ||e_0||, and at ||e_0|| = 0.1 the largest radius and the rate.
#[test]
fn a_double_prime_with_a_free_ball() {
    let problem = Reference::r1();
    let neurons = problem.neurons();
    for (gamma, theta, chi, beta, largest, radius, rate) in [
        (
            0.3,
            1.0,
            Some(0.19546737),
            0.82578781,
            0.51186557,
            0.016591388,
            0.98127833,
        ),
        (0.3, 1.5, None, 0.69396983, 0.43015803, 0.019814704, 0.97191749),
        (
            0.5,
            1.8,
            Some(0.18811336),
            0.36400307,
            0.29993818,
            0.04530945,
            0.98407601,
        ),
    ] {
        let with = |size: f64| {
            let labels = problem.labels.normalize() * size;
            let start = Start::new(&neurons, &problem.points, &labels).unwrap();
            let ball = Ball::new(&start, gamma, theta);
            (ball, ball.try_exactly(&start))
        };
        let (ball, attempt) = with(0.1);
        if let Some(chi) = chi {
            agrees("chi", ball.chi, chi);
        }
        agrees("beta", ball.beta, beta);
        agrees("radius", attempt.radius(), radius);
        agrees("rate", ball.factor(), rate);
        assert!(with(largest * (1.0 - 1e-7)).1.holds() && !with(largest * (1.0 + 1e-7)).1.holds());
    }
    // One sample, one neuron: the form of w that is false there.
    let (one, labels) = (DMatrix::from_element(1, 1, 1.0), DVector::from_element(1, 0.0));
    let output_weights = DVector::from_element(1, 1.0);
    let weights = DMatrix::zeros(1, 1);
    let neurons = OfNetwork::new(&one, &weights, &output_weights);
    let start = Start::new(&neurons, &one, &labels).unwrap();
    agrees("beta", Ball::new(&start, 0.3, 1.31).beta, 0.2547444);
    let largest = |size: f64| {
        let labels = DVector::from_element(1, 1.0 - size);
        let start = Start::new(&neurons, &one, &labels).unwrap();
        Ball::new(&start, 0.3, 1.31).try_exactly(&start).holds()
    };
    assert!(largest(0.049446005 * (1.0 - 1e-7)) && !largest(0.049446005 * (1.0 + 1e-7)));
}

/// Theorem H(b) on R1: the rounding of the first step, and the growth of what came before.
#[test]
fn drift() {
    let problem = Reference::r1();
    let samples = Samples::new(problem.points.clone(), problem.labels.clone());
    let arithmetic = Arithmetic { unit: UNIT, extra: 0 };
    let step_size = 1.0 / 295.16219;
    let place = Place::new(&samples, (&problem.weights, &problem.output_weights), arithmetic);
    let close = |found: f64, table: f64| assert!((found / table - 1.0).abs() < 5e-6, "{found} {table}");
    close(place.activation_error(), 1.27986e-15);
    close(place.rounding(step_size), 8.30896e-14);
    agrees("max S_r", place.curvature(0.0).unwrap(), 4.0708842);
    agrees("gr_0", place.growth(step_size, 0.0).unwrap(), 1.0137920);
    agrees("max Sb_r", place.curvature(0.001_f64.exp_m1()).unwrap(), 4.5744709);
    agrees("gr", place.growth(step_size, 0.001).unwrap(), 1.0154982);
}

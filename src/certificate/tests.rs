//! The theorems against tables computed independently by NumPy in f64.

use super::a_priori::{Sufficient, TheoremB, TheoremsCAndD, largest_root};
use super::attempt::{Theorem, steps};
use super::certifier::{Certifier, Effort};
use super::deterministic::C;
use super::moments::Moments;
use super::neurons::Pairs;
use super::search::Sizes;
use super::start::Start;
use crate::dataset::Dataset;
use crate::init::Initializer;
use nalgebra::{DMatrix, DVector};
use num_traits::ToPrimitive;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Unit rows of x_ik = sin(1 + i d + k + 0.37 i k), labels +1, -1, +1, …
fn table_problem(n: usize, d: usize) -> (DMatrix<f64>, DVector<f64>) {
    let mut points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
    for mut column in points.column_iter_mut() {
        column.normalize_mut();
    }
    (points, DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 }))
}

const ROWS: [(usize, usize, f64); 4] = [(8, 4, 1.0), (32, 8, 1.0), (8, 4, 0.3), (32, 8, 0.3)];

fn moments((n, d, sigma): (usize, usize, f64)) -> Moments {
    let (points, labels) = table_problem(n, d);
    Moments::new(&points, &labels, sigma).unwrap()
}

/// Asserts that both numbers agree when printed with `digits` digits.
fn printed(found: f64, table: f64, digits: usize) {
    assert_eq!(format!("{found:.*e}", digits - 1), format!("{table:.*e}", digits - 1));
}

#[test]
fn table_of_theorem_b() {
    // lam, Lam, m1, m2, R, m eta, T at d1 = d2 = 0.05, eps = 0.1.
    let table = [
        [0.250122, 15.9393, 3.05986e8, 1.73418e6, 0.0163408, 0.0576739, 927.0],
        [0.110287, 24.8637, 7.09269e9, 7.27616e7, 0.00546138, 0.0384790, 3804.0],
        [0.00387321, 3.57234, 3.21986e8, 5.15691e6, 0.00508718, 0.273914, 12602.0],
        [
            0.000738254,
            7.09587,
            5.23028e10,
            4.55619e8,
            0.00111284,
            0.139987,
            156193.0,
        ],
    ];
    for (row, expected) in ROWS.into_iter().zip(table) {
        let moments = moments(row);
        let b = TheoremB::new(&moments);
        let smallest = b.smallest(0.1);
        let step = 1.0 / b.largest_eigenvalue();
        let steps = steps(moments.label_norm, 0.1, smallest.rate) as f64;
        let found = [
            moments.lambda_min,
            moments.lambda_max,
            b.m1(0.05),
            b.m2(0.05),
            b.radius(),
            step,
            steps,
        ];
        for (found, expected) in found.into_iter().zip(expected) {
            printed(found, expected, 6);
        }
        // The best split beats the even one, and its width satisfies both conditions.
        assert!(smallest.width <= expected[2].max(expected[3]) && smallest.width % 2.0 == 0.0);
        let split = |d1: f64| b.m1(d1).max(b.m2(0.1 - d1));
        let scanned = (1..1000)
            .map(|k| split(0.0001 * f64::from(k)))
            .fold(f64::INFINITY, f64::min);
        assert!(
            smallest.width <= scanned + 2.0 && smallest.width >= 0.99 * scanned,
            "{} {scanned}",
            smallest.width
        );
        assert!((smallest.max_step_size * smallest.width * b.largest_eigenvalue() - 1.0).abs() < 1e-12);
    }
}

/// Between two roots the condition fails.
#[test]
fn the_larger_of_two_roots_is_taken() {
    let (a, b, q) = (-6.699, 5.598, (1.0 / (2.0 * 0.4805_f64)).ln());
    let allows = |m: f64| m >= (a + b * (2.0 * (q + m.ln())).sqrt()).exp();
    let root = largest_root(a, b, q);
    printed(root, 1.0e21, 2);
    assert!(allows(root * 1.001) && !allows(root * 0.999));
    assert!(allows(2.3) && !allows(2.5) && !allows(1e10));
    assert_eq!(largest_root(-10.0, 0.1, 1.0), 0.0);
    assert_eq!(largest_root(f64::NEG_INFINITY, 1.0, 1.0), 0.0);
}

/// The smallest even width at these parameters, from conditions (1) to (4) of theorem C or (1), (2) and (5) of D as
/// stated.
fn straightforward(m: &Moments, theorem: Theorem, s: f64, u: f64, split: [f64; 4]) -> f64 {
    let [da, db, dc, dd] = split;
    let n = m.samples;
    let (lam, big, tau, k1) = (m.lambda_min, m.lambda_max, m.trace, m.points_norm.powi(2));
    let l = (1.0 - s) * lam;
    let r = (1.0 + C * (l / ((1.0 + u) * tau)).sqrt()).ln() / m.kappa;
    let needed = |p: f64| {
        let b = m.std_dev * m.kappa * (2.0 * (p * n / (2.0 * db)).ln().max(0.0)).sqrt();
        let relative = m.relative.map_or(f64::INFINITY, |v| 2.0 * (v + s / 3.0) / s.powi(2));
        let central = 2.0 * (m.central + big * s * lam / 3.0) / (s * lam).powi(2);
        let one = (n / da).ln() * relative.min(central).min(2.0 * m.second / (s * lam).powi(2));
        let two = (n / dc).ln() * (2.0 * m.second / (u * big).powi(2) + 2.0 * (2.0 * b).exp() * k1 / (3.0 * u * big));
        let rest = if theorem == Theorem::C {
            let three = (1.0 / dd).ln()
                * (2.0 * m.trace_second / (u * tau).powi(2)
                    + 2.0 * (2.0 * b).exp() * m.products_trace / (3.0 * u * tau));
            three.max(m.points_norm * (b + m.kappa * r).exp() * m.label_norm / (0.5 * l * r) / 2.0)
        } else {
            let five = 5.2693 * (1.0 + C / n.sqrt()) * m.kappa * m.label_norm * b.exp();
            five * (n * m.absolute_norm).sqrt() / l / 2.0
        };
        one.max(two).max(rest)
    };
    let mut p = 1.0;
    for _ in 0..10_000 {
        let next = needed(p).ceil().max(1.0);
        if next <= p {
            return 2.0 * p;
        }
        p = next;
    }
    f64::INFINITY
}

#[test]
fn table_of_theorem_c() {
    // v / lam^2 (3 digits), v_rel (3 digits), the width at delta = .1, .01, .0001 on the grid below.
    let table = [
        [1.83e5, 153.0, 2.15e6, 3.41e6, 1.07e7],
        [1.46e6, 374.0, 7.72e7, 1.12e8, 2.37e8],
        [1.03e6, 4.89, 4.96e6, 5.53e6, 6.77e6],
        [1.04e8, 16.2, 4.36e8, 4.80e8, 5.76e8],
    ];
    for (row, expected) in ROWS.into_iter().zip(table) {
        let moments = moments(row);
        printed(moments.second / moments.lambda_min.powi(2), expected[0], 3);
        printed(moments.relative.unwrap(), expected[1], 3);
        for (delta, expected) in [0.1, 0.01, 0.0001].into_iter().zip(&expected[2..]) {
            let split = [0.7, 0.1, 0.1, 0.1].map(|share| share * delta);
            let grid = [0.25, 0.35, 0.5, 0.6, 0.7, 0.8]
                .into_iter()
                .flat_map(|s| [0.1, 0.25, 0.5, 1.0, 2.0].map(|u| (s, u)));
            let on_grid = grid
                .map(|(s, u)| straightforward(&moments, Theorem::C, s, u, split))
                .fold(f64::INFINITY, f64::min);
            printed(on_grid, *expected, 3);
            search_is_valid_and_no_wider(&moments, Theorem::C, delta, on_grid);
        }
    }
}

/// The table's grid of S, u and splits was not recorded, so its widths serve as upper bounds; another grid, finer in
/// the split, bounds the search from both sides.
#[test]
fn table_of_theorem_d() {
    let table = [[1.28e5, 4.13e5], [3.11e6, 1.00e7], [1.39e5, 1.98e5], [5.53e6, 7.59e6]];
    for (row, expected) in ROWS.into_iter().zip(table) {
        let moments = moments(row);
        for (delta, expected) in [0.1, 0.0001].into_iter().zip(expected) {
            let mut on_grid = f64::INFINITY;
            for s in [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] {
                for u in [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0] {
                    for (da, db) in [(0.3, 0.3), (0.1, 0.8), (0.2, 0.7), (0.05, 0.9), (0.02, 0.96)] {
                        let split = [da, db, 1.0 - da - db, 0.0].map(|share| share * delta);
                        on_grid = on_grid.min(straightforward(&moments, Theorem::D, s, u, split));
                    }
                }
            }
            let found = search_is_valid_and_no_wider(&moments, Theorem::D, delta, on_grid.min(expected));
            assert!(
                found.width >= 0.9 * on_grid && found.width >= 0.7 * expected,
                "{} {on_grid}",
                found.width
            );
        }
    }
}

/// Asserts that the smallest width satisfies every condition as stated, at the split it implies, and is at most
/// `others`.
fn search_is_valid_and_no_wider(moments: &Moments, theorem: Theorem, delta: f64, others: f64) -> Sufficient {
    let (found, free) = TheoremsCAndD { moments, delta }.smallest(theorem);
    assert!(found.width <= others, "{} {others}", found.width);
    assert!(found.width % 2.0 == 0.0);
    // Each condition takes the smallest probability that it can at this p: delta must cover them all.
    let m = moments;
    let p = found.width / 2.0;
    let db = free.tail * delta;
    let pairs = |split: [f64; 4]| straightforward(m, theorem, free.loss, free.growth, split) / 2.0;
    // The smallest probability for condition k, while the others get so much that they do not matter.
    let smallest = |k: usize| {
        let (mut low, mut high) = (1e-300_f64.ln(), 0.0_f64);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            let mut split = [1.0, db, 1.0, 1.0];
            split[k] = middle.exp();
            if pairs(split) <= p { high = middle } else { low = middle }
        }
        high.exp()
    };
    let used = db + smallest(0) + smallest(2) + if theorem == Theorem::C { smallest(3) } else { 0.0 };
    assert!(used <= delta * (1.0 + 1e-9), "{used:e} of {delta:e}");
    found
}

#[test]
fn zero_labels_need_no_width() {
    let (points, labels) = table_problem(4, 4);
    let moments = Moments::new(&points, &(labels * 0.0), 0.5).unwrap();
    let b = TheoremB::new(&moments);
    assert_eq!(b.m2(0.05), 0.0);
    assert!(b.smallest(0.1).width.is_finite());
    assert!(
        TheoremsCAndD {
            moments: &moments,
            delta: 0.1
        }
        .smallest(Theorem::D)
        .0
        .width
        .is_finite()
    );
}

/// The smallest widths certified by A, A' and A''. The table's networks were drawn by NumPy, so they are different
/// ones, and its widths were searched in steps of 1.5: the widths are compared up to a factor of 2.5, and by their
/// order.
#[test]
fn smallest_certified_widths_are_close_to_the_table() {
    const NONE: f64 = f64::INFINITY;
    let table = [
        ((8, 4, 1.0), 700_000, [276_506.0, 24_272.0, 3_194.0]),
        ((8, 8, 1.0), 5_000, [1_418.0, 418.0, 122.0]),
        ((16, 8, 1.0), 20_000, [7_190.0, 1_418.0, 418.0]),
        ((8, 4, 0.3), 60_000, [NONE, NONE, 24_272.0]),
        ((32, 8, 1.0), 80_000, [NONE, NONE, 36_410.0]),
    ];
    for ((n, d, sigma), widest, expected) in table {
        let (points, labels) = table_problem(n, d);
        let start = Initializer::new(d, widest).std_dev(sigma).antisymmetric(true).seed(1);
        let (weights, _) = start.draw::<f64>().unwrap();
        let mut pairs = Pairs::new(n);
        pairs.extend(
            &points,
            &weights.select_columns(&(0..widest / 2).map(|p| 2 * p).collect::<Vec<_>>()),
        );
        let mut found = [NONE; 3];
        let mut width = 2 * n;
        while width <= widest {
            let neurons = pairs.first(width / 2);
            let start = Start::new(&neurons, &points, &labels).unwrap();
            let certificate = Certifier::new(Effort::Basic)
                .certify_start(&start, Sizes::Usual)
                .unwrap();
            for (found, attempt) in found.iter_mut().zip(certificate.attempts()) {
                if attempt.holds() {
                    *found = found.min(width as f64);
                }
            }
            if found
                .iter()
                .zip(&expected)
                .all(|(f, e)| f.is_finite() || e.is_infinite())
            {
                break;
            }
            width = 2 * (width * 3).div_ceil(4);
        }
        for (found, expected) in found.into_iter().zip(expected) {
            assert_eq!(
                found.is_finite(),
                expected.is_finite(),
                "{n} {d} {sigma}: {found} {expected}"
            );
            assert!(
                expected.is_infinite() || (found / expected).ln().abs() <= 2.5_f64.ln(),
                "{found} {expected}"
            );
        }
        assert!(found[2] <= found[1] && found[1] <= found[0]);
    }
}

/// On random problems at the width of each of B, C and D, training at the largest step size keeps ||e_t|| below its
/// bound.
#[test]
fn promises_hold_at_sufficient_widths() {
    let (mut rng, mut trained) = (StdRng::seed_from_u64(11), [0; 3]);
    for seed in 0..60 {
        let (n, d) = (rng.random_range(1..=4), rng.random_range(2..=6));
        let sigma = rng.random_range(0.05..0.4);
        let delta = rng.random_range(0.05..0.5);
        let points = DMatrix::from_fn(d, n, |_, _| rng.random_range(-1.0..1.0));
        let labels = DVector::from_fn(n, |_, _| rng.random_range(-1.0..1.0));
        let data = Dataset::new(points, labels).unwrap();
        let moments = Moments::new(data.points(), data.labels(), sigma).unwrap();
        let matrix_bernstein = TheoremsCAndD {
            moments: &moments,
            delta,
        };
        let all = [
            TheoremB::new(&moments).smallest(delta),
            matrix_bernstein.smallest(Theorem::C).0,
            matrix_bernstein.smallest(Theorem::D).0,
        ];
        for (trained, one) in trained.iter_mut().zip(all) {
            let count = steps(moments.label_norm, 0.05 * moments.label_norm, one.rate);
            if one.width * n as f64 * count as f64 > 1.5e7 {
                continue;
            }
            *trained += 1;
            let start = Initializer::new(d, one.width.to_usize().unwrap())
                .std_dev(sigma)
                .antisymmetric(true)
                .seed(seed);
            let mut net = start.build::<f64>().unwrap();
            let mut bound = moments.label_norm;
            for _ in 0..count {
                let loss = net.step(&data, one.max_step_size).unwrap();
                assert!((2.0 * loss).sqrt() <= bound * (1.0 + 1e-9), "{one:?}: {loss} {bound}");
                bound *= 1.0 - one.rate;
            }
            assert!(net.residual(&data).unwrap().norm() <= 0.05 * moments.label_norm * (1.0 + 1e-9));
        }
    }
    assert!(trained.iter().all(|&trained| trained >= 10), "{trained:?}");
}

//! The theorems against their formulas written out.

use super::{C, DirectionKind, at_the_edge, kind, problem, with_residual};
use expnet::certificate::{Certifier, Effort, certify};
use expnet::{Dataset, ExpNetwork, kernel};
use nalgebra::DMatrix;

/// What theorems A, A' and A'' compare, from the Jacobian written out and no more: (left, right) in order.
fn written_out(points: &DMatrix<f64>, net: &ExpNetwork<f64>, data: &Dataset<f64>) -> [Vec<(f64, f64)>; 3] {
    let ((d, n), m) = (points.shape(), net.width());
    let activation =
        |i: usize, r: usize| net.output_weights()[r].abs() * net.weights().column(r).dot(&points.column(i)).exp();
    let jacobian = DMatrix::from_fn(n, d * m, |i, c| activation(i, c / d) * points[(c % d, i)]);
    let gram = &jacobian * jacobian.transpose();
    let eigenvalues = gram.symmetric_eigenvalues();
    let (ml, m_largest) = (eigenvalues.min(), eigenvalues.max());
    let e0 = net.residual(data).unwrap().norm();
    let kappa = points.column_iter().map(|x| x.norm()).fold(0.0, f64::max);
    let x_norm = points.singular_values().max();
    let block = |r: usize| jacobian.columns(d * r, d);
    let largest = |r: usize| (0..n).map(|i| activation(i, r)).fold(0.0, f64::max);
    let rho = |r: usize| (x_norm * largest(r)).min(block(r).norm());

    let q = C * (ml / gram.trace()).sqrt();
    let all = (0..m).map(largest).fold(0.0, f64::max);
    let a = vec![(kappa * x_norm * all * e0 * (1.0 + q) / (0.5 * ml), (1.0 + q).ln())];

    // u = kappa rho S e^u by bisection below 1, where u e^-u rises.
    let drift = |r: usize| kappa * rho(r) * e0 / (0.5 * ml);
    let mut a_prime = vec![((0..m).map(drift).fold(0.0, f64::max), (-1.0_f64).exp())];
    if a_prime[0].0 <= a_prime[0].1 {
        let root = |x: f64| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..200 {
                let middle = f64::midpoint(low, high);
                if middle * (-middle).exp() < x {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            high
        };
        let (mut first, mut second) = (0.0, 0.0);
        for r in 0..m {
            let u = root(drift(r));
            let moved = (u.exp() - 1.0) * block(r).norm();
            first += moved.powi(2);
            second += (moved * u.exp()).powi(2);
        }
        a_prime.extend([((first / ml).sqrt(), C), ((second / ml).sqrt(), C * (1.0 + C))]);
    }

    let chi = (ml / (m_largest.sqrt() + C * ml.sqrt()).powi(2)).sqrt();
    let beta = (1.0 - C / 2.0) / (1.0 + C * chi / 2.0);
    let tau = 2.0_f64.ln() / (2.0 * C);
    let pi = e0 / (beta * ml.sqrt());
    let inverse = gram.clone().try_inverse().unwrap();
    let (mut first, mut second) = (DMatrix::zeros(n, n), DMatrix::zeros(n, n));
    let mut reach = 0.0_f64;
    for r in 0..m {
        let b = rho(r) / ml.sqrt();
        let ell = (block(r).transpose() * &inverse * block(r)).trace().sqrt().min(b);
        let (a, b) = (kappa * pi * ell, kappa * pi * b);
        let g = if b - a > 1e-9 {
            (((b - a) * tau).exp() - 1.0) / (b - a)
        } else {
            tau
        };
        reach = reach.max(a * g);
        let y = a * g / (1.0 - a * g);
        let rate = (1.0 + y) * (a + b * y) / (1.0 - C);
        let squares = DMatrix::from_fn(n, n, |i, j| activation(i, r) * activation(j, r));
        first += &squares * y.powi(2);
        second += squares * rate.powi(2);
    }
    let mut a_double_prime = vec![(reach, 1.0)];
    if reach < 1.0 {
        let sizes = points.tr_mul(points).abs();
        let norm = |sum: &DMatrix<f64>| (sizes.component_mul(sum).symmetric_eigenvalues().max() / ml).sqrt();
        a_double_prime.extend([(norm(&first), C), (norm(&second), 2.0 * C)]);
    }
    [a, a_prime, a_double_prime]
}

#[test]
fn theorems_are_their_formulas() {
    let (mut compared, mut held) = ([0; 3], [0; 3]);
    for seed in 0..120 {
        let (points, net) = problem(kind(seed), seed);
        let Some((edge, _)) = at_the_edge(2, &points, &net, seed) else {
            continue;
        };
        let part = match seed % 3 {
            0 => 0.05,
            1 => 0.5,
            _ => 1.5,
        };
        let data = with_residual(&points, &net, &(edge * part));
        let found = Certifier::new(Effort::Basic).certify(&net, &data).unwrap();
        let h = kernel::Spectrum::new(&kernel::empirical_kernel(&net, &points).unwrap()).unwrap();
        if h.condition() > 1e4 {
            continue; // The inverse written out is then no oracle.
        }
        // What F loses where it cancels is counted against the sum of its terms, and shows where e_0 is small.
        let positive = ExpNetwork::from_parts(net.weights().clone(), net.output_weights().abs()).unwrap();
        let (e0, sizes) = (
            net.residual(&data).unwrap().norm(),
            positive.forward(&points).unwrap().norm(),
        );
        assert!(found.residual_norm() >= e0 && found.residual_norm() <= e0 * (1.0 + 1e-12) + 3e-13 * sizes);
        let tolerance = 1e-7 + 20.0 * (found.residual_norm() / e0 - 1.0);
        let close = |found: f64, exact: f64| (found / exact - 1.0).abs() <= tolerance;
        for (k, (attempt, expected)) in found
            .attempts()
            .iter()
            .zip(written_out(&points, &net, &data))
            .enumerate()
        {
            assert_eq!(attempt.inequalities().len(), expected.len(), "{seed}: {found}");
            for (inequality, (left, right)) in attempt.inequalities().iter().zip(&expected) {
                assert!(
                    close(inequality.left(), *left) && close(inequality.right(), *right),
                    "{inequality:?} {left} {right}"
                );
                // The safe side.
                assert!(inequality.left() >= left * (1.0 - 1e-12), "{inequality} {left}");
            }
            let holds = expected.iter().all(|(left, right)| left <= right) && expected.len() != 2;
            assert_eq!(attempt.holds(), holds);
            compared[k] += 1;
            held[k] += usize::from(holds);
        }
        assert_eq!(found.spare(), 1.0 / found.best().tightest().factor());
        let l = h.lambda_min();
        let largest = (h.lambda_max().sqrt() + C * l.sqrt()).powi(2);
        assert!(close(found.lambda_min(), l) && found.lambda_min() <= l + h.resolution());
        for attempt in &found.attempts()[..3] {
            let proved = if attempt.holds() { 1.0 } else { 0.0 };
            let max_step_size = proved / (net.width() as f64 * largest);
            assert!((attempt.rate() - proved * 0.5 * l / largest).abs() <= 1e-7 * attempt.rate());
            assert!((attempt.max_step_size() - max_step_size).abs() <= 1e-7 * max_step_size);
            assert_eq!(attempt.step_size(), attempt.max_step_size());
            assert_eq!(attempt.kernel_share(), 0.5 * proved);
        }
    }
    assert!(
        compared.iter().all(|&count| count >= 50) && held.iter().all(|&count| count >= 20),
        "{compared:?} {held:?}"
    );
}

/// Output weights times s, labels times s: the same run at a step size over s^2, and the same certificate.
#[test]
fn scaled_output_weights_are_carried_through() {
    let (points, net) = problem(DirectionKind::RandomSigns, 5);
    let (edge, proved) = at_the_edge(2, &points, &net, 5).unwrap();
    for s in [0.25, 3.0, 100.0] {
        let scaled = ExpNetwork::from_parts(net.weights().clone(), net.output_weights() * s).unwrap();
        let scaled_data = with_residual(&points, &scaled, &(&edge * s));
        let found = Certifier::new(Effort::Basic).certify(&scaled, &scaled_data).unwrap();
        assert_eq!((found.holds(), found.theorem()), (proved.holds(), proved.theorem()));
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-8;
        assert!(close(found.max_step_size() * s * s, proved.max_step_size()));
        assert!(
            close(found.rate(), proved.rate()) && close(found.radius(), proved.radius()),
            "{found} {proved}"
        );
    }
    // A neuron that is switched off is as good as absent, but for the width in H = G / m.
    let (d, m) = net.weights().shape();
    let weights = net.weights().clone().insert_column(m, 3.0);
    let silent = ExpNetwork::from_parts(weights, net.output_weights().clone().insert_row(m, 0.0)).unwrap();
    let found = Certifier::new(Effort::Basic)
        .certify(&silent, &with_residual(&points, &silent, &edge))
        .unwrap();
    assert!(
        (found.spare() / proved.spare() - 1.0).abs() < 1e-8 && d > 0,
        "{found} {proved}"
    );
}

/// A network that fits already, and any factor by which e_0 may grow.
#[test]
fn what_fits_is_certified_with_all_to_spare() {
    let (points, net) = problem(DirectionKind::RandomSigns, 5);
    let labels = net.forward(&points).unwrap();
    let found = certify(&net, &Dataset::new(points, labels).unwrap()).unwrap();
    assert!(found.holds() && found.spare() > 1e9 && found.radius() < 1e-9, "{found}");
}

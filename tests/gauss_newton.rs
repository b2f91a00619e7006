//! Gauss-Newton in the dual: the same step as the primal one, a handful of steps where gradient descent takes hundreds, and
//! never a step upwards.

mod common;

use expnet::method::{GaussNewton, Method};
use expnet::observer::{History, Progress};
use expnet::schedule::{Backtracking, KernelStable};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Termination, Trainer};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::ops::ControlFlow;

/// J, n x d m: row i, block r is a_r exp(<w_r, x_i>) x_i.
fn jacobian(net: &ExpNetwork<f64>, points: &DMatrix<f64>) -> DMatrix<f64> {
    let (d, m) = net.weights().shape();
    let e = points.tr_mul(net.weights()).map(f64::exp);
    DMatrix::from_fn(points.ncols(), d * m, |i, c| {
        let (r, k) = (c / d, c % d);
        net.output_weights()[r] * e[(i, r)] * points[(k, i)]
    })
}

/// The minimiser d of 1/2 ||e + J d||^2 + ridge/2 ||W + d - W_0||^2 + mu/2 ||d||^2, from the equations in d m unknowns.
fn primal_step(net: &ExpNetwork<f64>, start: &ExpNetwork<f64>, data: &Dataset<f64>, mu: f64, ridge: f64) -> DMatrix<f64> {
    let (d, m) = net.weights().shape();
    let j = jacobian(net, data.points());
    let e = net.residual(data).unwrap();
    let moved = DVector::from_column_slice((net.weights() - start.weights()).as_slice());
    let hessian = j.tr_mul(&j) + DMatrix::identity(d * m, d * m) * (mu + ridge);
    let step = hessian.cholesky().unwrap().solve(&-(j.tr_mul(&e) + ridge * moved));
    net.weights() + DMatrix::from_column_slice(d, m, step.as_slice())
}

/// The mean eigenvalue of G.
fn mean_eigenvalue(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> f64 {
    jacobian(net, data.points()).norm_squared() / data.samples() as f64
}

fn fit<T: Float>(net: &mut ExpNetwork<T>, data: &Dataset<T>, method: GaussNewton, steps: usize) -> FitReport<T> {
    Trainer::default().method(method).max_steps(steps).fit(net, data).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn dual_is_primal(n in 1usize..12, d in 1usize..6, m in 1usize..12, seed in 0u64..1000, share in 0.01f64..2.0) {
        let (data, start) = (common::data(n, d, seed), common::net::<f64>(d, m, seed));
        let mu = share * mean_eigenvalue(&start, &data);
        let mut net = start.clone();
        fit(&mut net, &data, GaussNewton::default().damping(mu), 1);
        let expected = primal_step(&start, &start, &data, mu, 0.0);
        let size = (&expected - start.weights()).norm();
        prop_assert!((net.weights() - expected).norm() <= 1e-10 * size + 1e-13 * start.weights().norm());
    }

    #[test]
    fn dual_is_primal_with_a_pull(n in 1usize..10, d in 1usize..5, m in 1usize..10, seed in 0u64..1000, share in 0.2f64..2.0) {
        let (data, start) = (common::data(n, d, seed), common::net::<f64>(d, m, seed));
        let mean = mean_eigenvalue(&start, &data);
        let (mu, ridge) = (share * mean, 0.5 * share * mean);
        let mut net = start.clone();
        fit(&mut net, &data, GaussNewton::default().damping(mu).ridge(ridge), 3);
        let mut expected = start.clone();
        for _ in 0..3 {
            let weights = primal_step(&expected, &start, &data, mu, ridge);
            expected = ExpNetwork::from_parts(weights, start.output_weights().clone()).unwrap();
        }
        let size = (expected.weights() - start.weights()).norm();
        prop_assert!((net.weights() - expected.weights()).norm() <= 1e-9 * size + 1e-13 * start.weights().norm());
    }
}

/// n points on the unit sphere, labels +-1.
fn sphere<T: Float>(n: usize, d: usize, seed: u64) -> Dataset<T> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut points = DMatrix::from_fn(d, n, |_, _| f64::standard_normal(&mut rng));
    points.column_iter_mut().for_each(|mut x| {
        x.normalize_mut();
    });
    let labels = DVector::from_fn(n, |_, _| T::lit(if rng.random() { 1.0 } else { -1.0 }));
    Dataset::new(points.map(T::lit), labels).unwrap()
}

fn antisymmetric<T: Float>(d: usize, m: usize) -> ExpNetwork<T> {
    Initializer::new(d, m).antisymmetric(true).seed(1).build().unwrap()
}

/// Losses after each step.
fn losses<T: Float>(net: &mut ExpNetwork<T>, data: &Dataset<T>, method: GaussNewton, steps: usize) -> (Vec<f64>, FitReport<T>) {
    let mut losses = Vec::new();
    let report = Trainer::default()
        .method(method)
        .max_steps(steps)
        .observe(|progress: &Progress<'_, T>| {
            losses.push(progress.loss().as_f64());
            ControlFlow::Continue(())
        })
        .fit(net, data)
        .unwrap();
    let mut all = vec![report.initial_loss().as_f64()];
    all.extend(losses);
    (all, report)
}

#[test]
fn probe() {
    let data = sphere::<f64>(128, 16, 5);
    for method in [GaussNewton::default(), GaussNewton::frozen(), GaussNewton::matrix_free()] {
        let (l, report) = losses(&mut antisymmetric(16, 16384), &data, method, 6);
        println!("{:?} {report}", l.iter().map(|l| (2.0 * l).sqrt()).collect::<Vec<_>>());
    }
    let data = sphere::<f32>(128, 16, 5);
    for method in [GaussNewton::default(), GaussNewton::frozen(), GaussNewton::matrix_free()] {
        let (l, report) = losses(&mut antisymmetric(16, 16384), &data, method, 6);
        println!("{:?} {report}", l.iter().map(|l| (2.0 * l).sqrt()).collect::<Vec<_>>());
    }
    let mut twice = sphere::<f64>(60, 8, 6);
    let mut points = twice.points().clone();
    for i in 0..20 { let c = points.column(i).into_owned(); points.set_column(i + 20, &c); }
    twice = Dataset::new(points, twice.labels().clone()).unwrap();
    for (name, data, net) in [
        ("ill", sphere::<f64>(300, 4, 7), Initializer::new(4, 2000).seed(2).build().unwrap()),
        ("ill anti", sphere::<f64>(300, 4, 7), antisymmetric(4, 2000)),
        ("twice", twice, antisymmetric(8, 1000)),
        ("n > dm", sphere(200, 3, 8), antisymmetric(3, 40)),
    ] {
        for method in [GaussNewton::default(), GaussNewton::default().initial_damping(1e-3), GaussNewton::frozen(), GaussNewton::matrix_free()] {
            let mut net: ExpNetwork<f64> = net.clone();
            let t = std::time::Instant::now();
            let (l, report) = losses(&mut net, &data, method, 40);
            println!("{name} {:?}\n   {:.1?} {} steps, {} passes, {} undone", l.iter().step_by(4).map(|l| (l / 1e-3).round() * 1e-3).collect::<Vec<_>>(), t.elapsed(), report.steps(), report.passes(), report.undone_steps());
        }
        let mut net: ExpNetwork<f64> = net.clone();
        let report = Trainer::default().max_steps(1000).fit(&mut net, &data).unwrap();
        println!("{name} gd {report}");
    }
}

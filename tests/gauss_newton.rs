//! Gauss-Newton in the dual: the same step as the primal one, a handful of steps where gradient descent takes hundreds, and
//! never a step upwards.

mod common;

use expnet::method::{Direction, Evaluation, GaussNewton, GradientDescent, Kind, Method, Outcome, Verdict};
use expnet::observer::Progress;
use expnet::schedule::{Backtracking, BarzilaiBorwein, KernelStable, Polyak, Schedule};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Record, Termination, Trainer};
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
fn primal_step(
    net: &ExpNetwork<f64>,
    start: &ExpNetwork<f64>,
    data: &Dataset<f64>,
    mu: f64,
    ridge: f64,
) -> DMatrix<f64> {
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
    Trainer::default()
        .method(method)
        .max_steps(steps)
        .fit(net, data)
        .unwrap()
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

/// Trains for at most `steps` steps and down to `tolerance`; the objective L + ridge / 2 ||W - W_0||^2 falls at each.
fn descend<T: Float>(
    net: &mut ExpNetwork<T>,
    data: &Dataset<T>,
    (method, ridge): (GaussNewton, f64),
    steps: usize,
    tolerance: f64,
) -> FitReport<T> {
    let mut last = net.loss(data).unwrap().as_f64();
    let start = net.weights().map(Float::as_f64);
    Trainer::default()
        .method(method.ridge(ridge))
        .max_steps(steps)
        .tolerance(tolerance)
        .observe(|progress: &Progress<'_, T>| {
            let moved = progress.weights().unwrap().map(Float::as_f64) - &start;
            let objective = progress.loss().as_f64() + 0.5 * ridge * moved.norm_squared();
            assert!(
                objective < last * (1.0 + 1e-12),
                "{last:e} -> {objective:e} in step {}",
                progress.steps()
            );
            last = objective;
            ControlFlow::Continue(())
        })
        .fit(net, data)
        .unwrap()
}

#[test]
fn a_wide_network_takes_a_handful_of_steps() {
    let data = sphere::<f64>(128, 16, 5);
    // The first evaluation; then a pass a step, and one each time G is formed.
    for (method, passes) in [(GaussNewton::frozen(), 4), (GaussNewton::default(), 5)] {
        let report = descend(&mut antisymmetric(16, 16384), &data, (method, 0.0), 10, 1e-8);
        assert_eq!(report.termination(), Termination::Converged);
        assert!(report.residual_norm() <= 1e-8);
        assert_eq!((report.steps(), report.passes(), report.undone_steps()), (2, passes, 0));
    }
}

#[test]
fn single_precision_goes_as_far_as_it_can() {
    let data = sphere::<f32>(128, 16, 5);
    for method in [
        GaussNewton::frozen(),
        GaussNewton::default(),
        GaussNewton::matrix_free(),
    ] {
        let report = descend(&mut antisymmetric(16, 16384), &data, (method, 0.0), 10, 1.5e-3);
        assert!(report.steps() <= 3, "{report}");
        assert_eq!(report.termination(), Termination::Converged);
    }
}

/// What gradient descent is left with after 10 times the passes.
fn left_by_descent(start: &ExpNetwork<f64>, data: &Dataset<f64>, passes: usize) -> f64 {
    let mut net = start.clone();
    let trainer = Trainer::new(KernelStable::default()).max_steps(10 * passes);
    trainer.fit(&mut net, data).unwrap().residual_norm()
}

#[test]
fn ill_conditioned_problems_fall_further_than_by_gradient_descent() {
    let twice = {
        let data = sphere::<f64>(60, 8, 6);
        let mut points = data.points().clone();
        for i in 0..20 {
            let copy = points.column(i).into_owned();
            points.set_column(i + 20, &copy);
        }
        Dataset::new(points, data.labels().clone()).unwrap()
    };
    let signs = Initializer::new(4, 2000).seed(2).build().unwrap();
    for (name, data, start) in [
        ("n = 300, d = 4, m = 2000", sphere(300, 4, 7), antisymmetric(4, 2000)),
        ("the same with random signs", sphere(300, 4, 7), signs),
        ("duplicates", twice, antisymmetric(8, 400)),
        ("n > d m", sphere(200, 3, 8), antisymmetric(3, 40)),
    ] {
        for method in [GaussNewton::default(), GaussNewton::frozen()] {
            let mut net = start.clone();
            let report = descend(&mut net, &data, (method, 0.0), 20, 0.0);
            let descent = left_by_descent(&start, &data, report.passes());
            println!(
                "{name}: {:e} after {} passes, gradient descent {descent:e} after 10 times as many",
                report.residual_norm(),
                report.passes()
            );
            assert!(report.residual_norm() < descent, "{name}: {descent}\n{report}");
        }
    }
}

#[test]
fn duplicates_with_other_labels_leave_the_least_loss_there_is() {
    let points = DMatrix::from_fn(3, 6, |k, i| (0.9 * (1 + k + 3 * (i % 5)) as f64).sin());
    let labels = DVector::from_column_slice(&[1.0, 0.2, -0.3, 0.4, -0.5, 3.0]);
    let data = Dataset::new(points, labels).unwrap();
    for method in [
        GaussNewton::default(),
        GaussNewton::frozen(),
        GaussNewton::matrix_free(),
    ] {
        let report = descend(&mut antisymmetric(3, 300), &data, (method, 0.0), 60, 0.0);
        // Points 0 and 5 are equal: their labels leave (3 - 1)^2 / 4.
        assert!((report.loss() - 1.0).abs() < 1e-9, "{report}");
        assert_eq!(report.termination(), Termination::Stalled, "{report}");
    }
}

#[test]
fn no_damping_is_the_least_norm_step_where_that_exists() {
    let (data, start) = (common::data(6, 3, 4), common::net::<f64>(3, 20, 4));
    let mut net = start.clone();
    fit(&mut net, &data, GaussNewton::default().damping(0.0), 1);
    let j = jacobian(&start, data.points());
    let gram = &j * j.transpose();
    let dual = gram.cholesky().unwrap().solve(&start.residual(&data).unwrap());
    let step = j.tr_mul(&dual);
    let found = DVector::from_column_slice((start.weights() - net.weights()).as_slice());
    assert!((found - &step).norm() < 1e-10 * step.norm());
}

#[test]
fn a_step_taken_back_does_not_form_g_again() {
    let data = sphere::<f64>(300, 4, 7);
    let report = descend(
        &mut antisymmetric(4, 2000),
        &data,
        (GaussNewton::default(), 0.0),
        5,
        0.0,
    );
    assert!(report.undone_steps() > 0, "the problem is there for this");
    // The first evaluation; for each step G and the step itself; and a pass for each step taken back.
    assert_eq!(report.passes(), 1 + 2 * report.steps() + report.undone_steps());
    assert_eq!((report.steps(), report.passes()), (5, 18));
}

#[test]
fn a_frozen_kernel_is_renewed_when_it_no_longer_serves() {
    let (data, start) = (sphere::<f64>(40, 8, 3), antisymmetric::<f64>(8, 24));
    let mut net = start.clone();
    let frozen = descend(&mut net, &data, (GaussNewton::frozen(), 0.0), 30, 1e-9);
    let full = descend(&mut start.clone(), &data, (GaussNewton::default(), 0.0), 30, 1e-9);
    let grams = |report: &FitReport<f64>| report.passes() - 1 - report.steps() - report.undone_steps();
    println!("{frozen}\n{full}");
    assert_eq!(grams(&full), full.steps());
    assert!(grams(&frozen) > 1 && grams(&frozen) < frozen.steps(), "{frozen}");
    assert_eq!(frozen.termination(), Termination::Converged);
}

#[test]
fn without_matrices_the_step_is_the_same() {
    let (data, start) = (common::data::<f64>(20, 5, 2), common::net::<f64>(5, 40, 2));
    let mu = 1e-2 * mean_eigenvalue(&start, &data);
    for ridge in [0.0, mu] {
        let (mut dense, mut free) = (start.clone(), start.clone());
        fit(&mut dense, &data, GaussNewton::default().damping(mu).ridge(ridge), 3);
        let method = GaussNewton::matrix_free().damping(mu).accuracy(1e-12);
        let report = fit(&mut free, &data, method.ridge(ridge), 3);
        let moved = (dense.weights() - start.weights()).norm();
        assert!((dense.weights() - free.weights()).norm() < 1e-9 * moved);
        assert!(report.passes() <= 1 + 3 * (20 + 2), "{report}");
    }
    // A space too small is made to do by damping.
    let report = descend(
        &mut start.clone(),
        &data,
        (GaussNewton::matrix_free().most_products(3), 0.0),
        20,
        0.0,
    );
    assert!(report.loss() < 0.2 * report.initial_loss(), "{report}");
}

/// grad L + ridge (W - W_0), relative to its parts.
fn stationarity(net: &ExpNetwork<f64>, start: &ExpNetwork<f64>, data: &Dataset<f64>, ridge: f64) -> f64 {
    let (gradient, pull) = (net.gradient(data).unwrap(), ridge * (net.weights() - start.weights()));
    (&gradient + &pull).norm() / pull.norm()
}

#[test]
fn ridge_ends_where_the_pull_balances_the_gradient() {
    let data = common::data::<f64>(30, 4, 9);
    let start = Initializer::new(4, 300)
        .std_dev(0.5)
        .antisymmetric(true)
        .seed(1)
        .build()
        .unwrap();
    let ridge = 0.05 * mean_eigenvalue(&start, &data);
    for method in [
        GaussNewton::default(),
        GaussNewton::frozen(),
        GaussNewton::matrix_free().accuracy(1e-6),
    ] {
        let mut net = start.clone();
        let report = descend(&mut net, &data, (method, ridge), 200, 0.0);
        // A gradient g promises the objective a fall of g^T H^-1 g / 2, H the curvature: at the end that is rounding.
        let curvature = 30.0 * mean_eigenvalue(&net, &data) + ridge;
        let moved = (net.weights() - start.weights()).norm();
        let objective = report.loss() + 0.5 * ridge * moved.powi(2);
        let rounding = (2.0 * curvature * 16.0 * f64::EPSILON * objective).sqrt() / (ridge * moved);
        let rest = stationarity(&net, &start, &data, ridge);
        assert!(rounding < 1e-5 && rest < rounding, "{rest:e} {rounding:e}\n{report}");
        assert_eq!(report.termination(), Termination::Stalled, "{report}");
    }
}

#[test]
fn ridge_is_kernel_ridge_where_the_network_is_linear() {
    let small = common::data::<f64>(30, 4, 9);
    let data = Dataset::new(small.points().clone(), small.labels() * 1e-5).unwrap();
    let start = Initializer::new(4, 2000).antisymmetric(true).seed(1).build().unwrap();
    let j = jacobian(&start, data.points());
    let gram = &j * j.transpose();
    let ridge = 0.01 * mean_eigenvalue(&start, &data);
    // The prediction at points between the samples: k (G + ridge I)^-1 y.
    let between = data.points() * 0.7;
    let cross = jacobian(&start, &between) * j.transpose();
    let shifted = gram + DMatrix::identity(30, 30) * ridge;
    let expected = cross * shifted.cholesky().unwrap().solve(data.labels());
    for method in [GaussNewton::default(), GaussNewton::frozen()] {
        let mut net = start.clone();
        descend(&mut net, &data, (method, ridge), 20, 0.0);
        let found = net.forward(&between).unwrap();
        assert!((found - &expected).norm() < 1e-5 * expected.norm());
    }
}

#[test]
fn goes_with_other_step_sizes() {
    let data = sphere::<f64>(40, 8, 3);
    for method in [
        GaussNewton::default(),
        GaussNewton::frozen(),
        GaussNewton::matrix_free(),
    ] {
        let mut net = antisymmetric(8, 400);
        let trainer = Trainer::new(Backtracking::default().initial(1.0).max(1.0)).method(method.clone());
        let report = trainer.max_steps(40).tolerance(1e-8).fit(&mut net, &data).unwrap();
        assert_eq!(report.termination(), Termination::Converged, "{report}");
        // Half steps leave half of the residual each.
        let mut net = antisymmetric(8, 20_000);
        let trainer = Trainer::new(0.5).method(method);
        let report = trainer.max_steps(3).fit(&mut net, &data).unwrap();
        let left = report.residual_norm() / data.labels().norm();
        assert!((left - 0.125).abs() < 0.01, "{left}");
    }
}

#[test]
fn a_step_of_size_0_stays_and_costs_no_second_g() {
    let data = sphere::<f64>(10, 3, 3);
    let mut net = antisymmetric(3, 50);
    let start = net.clone();
    let trainer = Trainer::new(0.0).method(GaussNewton::default()).max_steps(4);
    let report = trainer.fit(&mut net, &data).unwrap();
    assert_eq!(net.weights(), start.weights());
    assert_eq!((report.steps(), report.passes()), (4, 1 + 1 + 4));
}

#[test]
fn an_overflowing_g_is_an_error_that_names_the_pair() {
    let data = Dataset::from_rows(&[[1.0], [360.0]], &[0.5, 0.0]).unwrap();
    let mut net = ExpNetwork::from_parts(
        DMatrix::from_element(1, 2, 1.0),
        DVector::from_column_slice(&[1.0, -1.0]),
    );
    let result = Trainer::default()
        .method(GaussNewton::default())
        .fit(net.as_mut().unwrap(), &data);
    let message = result.unwrap_err().to_string();
    assert!(
        message.contains("tangent Gram matrix") && message.contains("samples 1 and 1"),
        "{message}"
    );
}

/// A method that takes up a record at the start of a run, as resuming does.
struct Resumed {
    method: GaussNewton,
    record: Record,
}

impl Method<f64> for Resumed {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        self.method.direction(evaluation, direction)
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        Method::<f64>::judge(&mut self.method, outcome)
    }

    fn prepare(&mut self, samples: usize) -> Result<Kind, Error> {
        let kind = Method::<f64>::prepare(&mut self.method, samples)?;
        Method::<f64>::restore(&mut self.method, &self.record)?;
        Ok(kind)
    }
}

#[test]
fn a_run_continues_from_its_record_to_the_bit() {
    // Few enough neurons that the damping has work to do and the frozen kernel grows old.
    let (data, start) = (sphere::<f64>(20, 8, 3), antisymmetric::<f64>(8, 30));
    for fresh in [
        GaussNewton::default(),
        GaussNewton::frozen(),
        GaussNewton::matrix_free(),
    ] {
        for before in 1..6 {
            let (mut whole, mut parts) = (start.clone(), start.clone());
            fit(&mut whole, &data, fresh.clone(), before + 3);
            let mut method = fresh.clone();
            let lent = &mut method as &mut dyn Method<f64>;
            Trainer::default()
                .method(lent)
                .max_steps(before)
                .fit(&mut parts, &data)
                .unwrap();
            let record = Method::<f64>::save(&method).unwrap();
            let method = Resumed {
                method: fresh.clone(),
                record,
            };
            Trainer::default()
                .method(method)
                .max_steps(3)
                .fit(&mut parts, &data)
                .unwrap();
            assert!(whole.weights() == parts.weights(), "{fresh:?} after {before}");
        }
    }
}

#[test]
fn a_record_of_another_method_is_an_error() {
    let record = Method::<f64>::save(&GaussNewton::frozen().ridge(0.5)).unwrap();
    let says = |mut method: GaussNewton, words: &[&str]| {
        let message = Method::<f64>::restore(&mut method, &record).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word} in {message}");
        }
    };
    says(
        GaussNewton::frozen(),
        &["`ridge` of `GaussNewton` is 0.5 in the record, and 0.0 here"],
    );
    says(GaussNewton::default().ridge(0.5), &["`plan`", "Frozen", "Anew"]);
    says(
        GaussNewton::frozen().ridge(0.5).damping(1.0),
        &["`fixed_damping`", "not set"],
    );
    let other = Method::<f64>::save(&GradientDescent::default()).unwrap();
    let error = Method::<f64>::restore(&mut GaussNewton::default(), &other).unwrap_err();
    assert!(error.to_string().contains("GradientDescent"), "{error}");
}

fn refused(method: GaussNewton, words: &[&str]) {
    let data = sphere::<f64>(4, 2, 3);
    let mut net = antisymmetric(2, 8);
    let message = Trainer::default()
        .method(method)
        .fit(&mut net, &data)
        .unwrap_err()
        .to_string();
    for word in words {
        assert!(message.contains(word), "{word} in {message}");
    }
}

#[test]
fn bad_settings_are_errors_before_the_first_step() {
    let method = GaussNewton::default;
    for (value, name) in [(-1.0, "is -1;"), (f64::NAN, "is NaN;"), (f64::INFINITY, "is inf;")] {
        refused(method().ridge(value), &["`GaussNewton::ridge`", name, "at least 0"]);
        refused(method().damping(value), &["`GaussNewton::damping`", name, "at least 0"]);
        refused(
            method().initial_damping(value),
            &["`GaussNewton::initial_damping`", name, "positive"],
        );
        refused(
            method().accuracy(value),
            &["`GaussNewton::accuracy`", name, "above 0 and below 1"],
        );
    }
    refused(
        method().initial_damping(0.0),
        &["`GaussNewton::initial_damping`", "is 0;"],
    );
    refused(
        method().most_products(0),
        &["`GaussNewton::most_products`", "is 0;", "at least 1"],
    );
}

#[test]
fn schedules_that_make_no_sense_are_errors() {
    fn with(schedule: impl Schedule<f64>, ridge: f64, words: &[&str]) {
        let data = sphere::<f64>(4, 2, 3);
        let trainer = Trainer::new(schedule).method(GaussNewton::default().ridge(ridge));
        let message = trainer.fit(&mut antisymmetric(2, 8), &data).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word} in {message}");
        }
    }
    for ridge in [0.0, 1.0] {
        with(
            KernelStable::default(),
            ridge,
            &["KernelStable", "constant step size of 1"],
        );
        with(Polyak::default(), ridge, &["Polyak", "does not follow the gradient"]);
        with(
            BarzilaiBorwein::default(),
            ridge,
            &["BarzilaiBorwein", "does not follow the gradient"],
        );
    }
    with(Backtracking::default(), 1.0, &["Backtracking", "penalty"]);
}

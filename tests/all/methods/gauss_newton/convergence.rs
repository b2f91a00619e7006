//! How far it converges, and in how many steps.

use super::{antisymmetric, descend, sphere};
use expnet::method::GaussNewton;
use expnet::schedule::{Backtracking, KernelStable};
use expnet::{Dataset, ExpNetwork, Initializer, Termination, Trainer};
use nalgebra::{DMatrix, DVector};

#[test]
fn a_wide_network_takes_a_handful_of_steps() {
    let data = sphere::<f64>(128, 16, 5);
    // The first evaluation; then a pass per step, and one each time G is formed.
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

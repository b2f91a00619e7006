//! The damping that a run leaves in its record.

use super::{antisymmetric, mean_eigenvalue};
use crate::support::oracle::jacobian;
use crate::support::problems;
use approx::assert_relative_eq;
use expnet::method::{GaussNewton, Method};
use expnet::{Dataset, ExpNetwork, Trainer};
use nalgebra::DMatrix;

/// The damping after a run of `steps` steps, of which none is undone.
fn left(method: GaussNewton, net: &ExpNetwork<f64>, data: &Dataset<f64>, steps: usize) -> f64 {
    let mut method = method;
    let lent = &mut method as &mut dyn Method<f64>;
    let trainer = Trainer::default().method(lent).max_steps(steps);
    let report = trainer.fit(&mut net.clone(), data).unwrap();
    assert_eq!((report.steps(), report.undone_steps()), (steps, 0));
    let record = Method::<f64>::save(&method).unwrap();
    record.get::<[f64; 3]>("damping").unwrap()[0]
}

/// Labels so small that the outputs are linear in the weights, all along a run.
fn linear() -> (Dataset<f64>, ExpNetwork<f64>) {
    let data = problems::data::<f64>(10, 4, 9);
    let small = Dataset::new(data.points().clone(), data.labels() * 1e-5).unwrap();
    (small, antisymmetric(4, 2000))
}

#[test]
fn damping_falls_by_10_per_step_where_the_network_is_linear() {
    let (data, net) = linear();
    let mean = mean_eigenvalue(&net, &data);
    for ridge in [0.0, 0.1 * mean] {
        for method in [GaussNewton::default(), GaussNewton::matrix_free().accuracy(1e-10)] {
            let method = method.initial_damping(1.0).ridge(ridge);
            let one = left(method.clone(), &net, &data, 1);
            for steps in 2..4 {
                let expected = one * 0.1_f64.powf(steps as f64 - 1.0);
                assert_relative_eq!(left(method.clone(), &net, &data, steps), expected, max_relative = 1e-9);
            }
        }
        let method = GaussNewton::default().initial_damping(1.0).ridge(ridge);
        assert_relative_eq!(left(method, &net, &data, 1), 0.1 * mean, max_relative = 1e-9);
    }
}

#[test]
fn a_raised_shift_becomes_the_damping() {
    let (data, net) = linear();
    let mut points = data.points().clone();
    points.set_column(9, &data.points().column(0));
    let mut labels = data.labels().clone();
    labels[9] = labels[0];
    let twice = Dataset::new(points, labels).unwrap();
    // 4 n eps trace(G): the least shift of a singular matrix. The ridge is a part of it.
    let trusted = 400.0 * f64::EPSILON * mean_eigenvalue(&net, &twice);
    for part in [0.0, 0.01, 0.1] {
        let method = GaussNewton::default().initial_damping(1e-30).ridge(part * trusted);
        let expected = 0.1 * (1.0 - part) * trusted;
        assert_relative_eq!(left(method, &net, &twice, 1), expected, max_relative = 1e-6);
    }
}

#[test]
fn too_few_products_raise_the_damping_before_the_step() {
    let (data, net) = linear();
    // Two products do not solve for ten samples with a damping of 1e-8; more damping makes it easy.
    let method = |ridge| {
        GaussNewton::matrix_free()
            .max_products(2)
            .initial_damping(1e-8)
            .ridge(ridge)
    };
    let mean = mean_eigenvalue(&net, &data);
    assert!(left(method(0.0), &net, &data, 1) > 1e-4 * mean);
}

#[test]
fn a_frozen_factor_keeps_its_damping() {
    let (data, net) = linear();
    let j = jacobian(&net, data.points());
    let mean = mean_eigenvalue(&net, &data);
    // Each step leaves shift (G + shift I)^-1 of the residual.
    let inverse = (&j * j.transpose() + DMatrix::identity(10, 10) * mean)
        .try_inverse()
        .unwrap();
    let expected = &inverse * (&inverse * data.labels()) * (mean * mean);
    let mut net = net;
    let method = GaussNewton::frozen().initial_damping(1.0);
    let report = Trainer::default()
        .method(method)
        .max_steps(2)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(report.passes(), 1 + 1 + 2, "G is formed once");
    let left = -net.residual(&data).unwrap();
    assert!((&left - &expected).norm() < 1e-3 * expected.norm(), "{left} {expected}");
}

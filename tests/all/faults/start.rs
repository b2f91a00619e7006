//! Problems that cannot be run: refused before the first step, with what is to blame and the remedy.

use super::{net, scaled};
use crate::support::problems::plane_at;
use crate::support::refused;
use expnet::method::GaussNewton;
use expnet::schedule::Backtracking;
use expnet::{Dataset, Error, ExpRegressor, Float, Initializer, Termination, Trainer};
use nalgebra::{DMatrix, DVector, dmatrix};

/// What the user reads who forgot to scale.
const UNSCALED: [&str; 4] = ["the activations reach exp(", "points", "`Scaling`", "std_dev"];

fn long_point<T: Float>(largest: f64) -> Dataset<T> {
    let points = dmatrix![T::lit(largest); T::lit(0.4 * largest); T::zero(); T::one()];
    Dataset::new(points, DVector::from_element(1, T::one())).unwrap()
}

fn matrix_free_ends<T: Float>(largest: f64) {
    for std_dev in [0.5, 1.0] {
        let start = Initializer::new(4, 64).std_dev(std_dev).antisymmetric(true);
        let run = Trainer::default().method(GaussNewton::matrix_free()).max_steps(20);
        refused(
            run.fit(&mut start.build().unwrap(), &long_point::<T>(largest)),
            &UNSCALED,
        );
    }
}

#[test]
fn a01_matrix_free_gauss_newton_ends_where_products_overflow() {
    matrix_free_ends::<f64>(300.0);
    matrix_free_ends::<f32>(60.0);
}

#[cfg(feature = "csv")]
fn schedules() -> Vec<Box<dyn expnet::schedule::Schedule<f64>>> {
    use expnet::schedule::{BarzilaiBorwein, KernelStable, Polyak};
    vec![
        Box::new(KernelStable::default()),
        Box::new(Backtracking::default()),
        Box::new(BarzilaiBorwein::default()),
        Box::new(Polyak::default()),
        Box::new(1e-3),
    ]
}

#[cfg(feature = "csv")]
#[test]
fn a02_raw_wine_is_refused_by_every_schedule_and_method() {
    let wine = super::raw_wine::<f64>();
    for std_dev in [0.5, 1.0] {
        let start = Initializer::new(11, 64)
            .std_dev(std_dev)
            .antisymmetric(true)
            .build()
            .unwrap();
        for schedule in schedules() {
            let mut net = start.clone();
            refused(Trainer::new(schedule).max_steps(20).fit(&mut net, &wine), &UNSCALED);
            assert_eq!(net, start);
        }
        for method in [
            GaussNewton::default(),
            GaussNewton::frozen(),
            GaussNewton::matrix_free(),
        ] {
            let mut net = start.clone();
            refused(
                Trainer::default().method(method).max_steps(20).fit(&mut net, &wine),
                &UNSCALED,
            );
        }
    }
}

#[test]
fn a02_a_step_that_moves_no_weight_stalls_and_says_why() {
    let data = scaled::<f64>(20);
    let mut net = net(data.dimension(), 64);
    let start = net.clone();
    let report = Trainer::new(1e-40).max_steps(50).fit(&mut net, &data).unwrap();
    assert_eq!(report.termination(), Termination::Stalled);
    assert!(report.steps() < 5, "{}", report.steps());
    let reason = report.reason().unwrap();
    assert!(reason.contains("1e-40") && reason.contains("no weight"), "{reason}");
    assert!(report.to_string().contains(reason), "{report}");
    assert_eq!(net, start);
}

#[test]
fn a02_a_size_that_grows_out_of_rounding_is_no_stall() {
    let data = scaled::<f64>(20);
    let mut net = net(data.dimension(), 64);
    let growing = expnet::schedule::from_fn(|state| 1e-3 * 1e-30_f64.max(10_f64.powf(state.iteration() as f64 - 30.0)));
    let report = Trainer::new(growing).max_steps(31).fit(&mut net, &data).unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::MaxSteps, 31));
    assert!(report.loss() < report.initial_loss());
}

#[test]
fn a02_a_line_search_that_finds_nothing_stalls_and_says_why() {
    // Along the gradient of another sample's loss the loss rises.
    use expnet::method::{Direction, Evaluation, Method};
    struct Uphill;
    impl Method<f64> for Uphill {
        fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
            direction.dual.iter_mut().for_each(|e| *e = -*e);
            Ok(())
        }
    }
    let data = scaled::<f64>(20);
    let mut net = net(data.dimension(), 64);
    let report = Trainer::new(Backtracking::default().initial(0.1))
        .method(Uphill)
        .max_steps(50)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!((report.termination(), report.steps()), (Termination::Stalled, 0));
    assert!(report.reason().unwrap().contains("`Backtracking`"), "{report}");
}

#[test]
fn a02_labels_too_large_for_the_network_are_named() {
    let data = plane_at::<f64>(40);
    let labels = data.labels().map(|y| 200_000.0 + 50_000.0 * y);
    let data = Dataset::new(data.points().clone(), labels).unwrap();
    let words = ["labels", "`Scaling`"];
    refused(Trainer::default().max_steps(500).fit(&mut net(2, 64), &data), &words);
    let labels = data.labels().map(|_| 1e20_f32);
    let data = Dataset::new(data.points().clone().cast::<f32>(), labels).unwrap();
    refused(
        Trainer::default().fit(&mut net(2, 64), &data),
        &["labels", "1.000e20", "f32", "`Scaling`"],
    );
}

#[test]
fn a07_a_validation_point_that_overflows_is_refused() {
    let data = scaled::<f64>(20);
    let d = data.dimension();
    let far = Dataset::new(DMatrix::from_element(d, 1, 1e4), DVector::from_element(1, 0.0)).unwrap();
    let start = net(d, 64);
    let mut net = start.clone();
    let run = Trainer::default()
        .validation(&far, 20)
        .max_steps(50)
        .fit(&mut net, &data);
    refused(run, &["validation point 0", "scale"]);
    assert_eq!(net, start);
}

#[test]
fn a10_a_regressor_with_huge_weights_is_refused() {
    let data = plane_at::<f64>(60);
    refused(
        ExpRegressor::options().std_dev(20.0).fit(&data),
        &["the limit kernel of points 0 and 0 is inf", "`std_dev`"],
    );
}

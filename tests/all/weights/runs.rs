//! What surrounds the steps: the end of a run, validation, observers, ranks, and runs that are resumed.

use super::{COPIES, problem, run, same_runs, weighted};
use crate::support::problems::{self, small_step};
use expnet::communicator::{Communicator, Threads};
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::observer::{Progress, from_fn};
use expnet::schedule::{Backtracking, KernelStable};
use expnet::{Dataset, Initializer, Memory, Termination, Trainer, check};
use nalgebra::DVector;
use std::ops::ControlFlow;

#[test]
fn the_tolerance_is_on_the_weighted_residual() {
    let (data, copies, net) = problem::<f64>(3, 40);
    let size = small_step(&net, &copies, 0.7);
    let tolerance = 0.7 * (2.0 * net.loss(&data).unwrap()).sqrt();
    let trainer = || Trainer::new(size).tolerance(tolerance);
    let ((one, _), (other, _)) = (run(trainer(), &net, &data), run(trainer(), &net, &copies));
    assert_eq!(one.termination(), Termination::Converged);
    assert_eq!(one.steps(), other.steps());
    assert!(one.steps() > 1 && one.residual_norm() <= tolerance);
}

#[test]
fn a_stalled_run_is_that_of_copies() {
    let (_, copies, net) = problem::<f64>(24, 31);
    let size = small_step(&net, &copies, 0.1);
    let trainer = || Trainer::<f64>::new(size).stall(2, 0.5).memory(Memory::Recompute);
    same_runs("stall", 50, [&trainer, &trainer]);
}

/// The validation data have weights of their own.
#[test]
fn the_validation_loss_is_weighted() {
    let (data, copies, net) = problem::<f64>(3, 40);
    let size = small_step(&net, &copies, 0.7);
    let validation = problems::data::<f64>(COPIES.len(), 3, 9);
    let repeated = validation
        .select(&super::repeated(&[0, 1, 2, 3, 4, 5, 6, 7, 8]))
        .unwrap();
    let watched = weighted(validation.clone());
    let fit = |data: &Dataset<f64>, validation: &Dataset<f64>| {
        let mut trained = net.clone();
        let report = Trainer::new(size)
            .max_steps(40)
            .validation(validation, 3)
            .fit(&mut trained, data)
            .unwrap();
        let loss = trained.loss(validation).unwrap();
        let best = report.validation_loss().unwrap();
        assert!((best - loss).abs() <= 1e-12 * loss, "{best} {loss}");
        (report.best_step(), report.steps(), best)
    };
    let (one, other) = (fit(&data, &watched), fit(&copies, &repeated));
    assert_eq!((one.0, one.1), (other.0, other.1));
    assert!((one.2 - other.2).abs() <= 1e-12 * other.2);
    assert!((fit(&data, &validation).2 - one.2).abs() > 1e-3 * one.2);
}

#[test]
fn observers_see_the_plain_residual_and_the_weighted_loss() {
    let (data, _, net) = problem::<f64>(3, 40);
    for method in [Minibatch::new(100), Minibatch::new(4)] {
        let batched = net.clone();
        let mut looks = 0;
        let look = from_fn(|progress: &Progress<'_, f64>| {
            let e = progress.residual();
            let twice = 2.0 * progress.loss();
            assert!((progress.residual_norm() - twice.sqrt()).abs() <= 1e-14 * twice.sqrt());
            let outputs = progress.forward(data.points()).unwrap() - data.labels();
            // Whatever the order of the batch, each entry is a difference of the data.
            assert!(
                e.iter().all(|e| outputs.iter().any(|f| (e - f).abs() <= 1e-12)),
                "{e:?} {outputs}"
            );
            if e.len() == 9 {
                let sum: f64 = outputs
                    .iter()
                    .zip(data.weights().unwrap())
                    .map(|(e, s)| s * e * e)
                    .sum();
                assert!((sum - twice).abs() <= 1e-12 * twice);
            }
            looks += 1;
            ControlFlow::Continue(())
        });
        Trainer::new(1e-4)
            .method(method)
            .max_steps(5)
            .observe(look)
            .fit(&mut batched.clone(), &data)
            .unwrap();
        assert_eq!(looks, 5);
    }
}

#[test]
fn ranks_give_the_run_of_one() {
    let (data, _, _) = problem::<f64>(3, 4);
    let recipe = Initializer::new(3, 70).std_dev(0.7).seed(5);
    let trainers: [fn() -> Trainer<'static, f64>; 4] = [
        Trainer::default,
        || Trainer::default().method(GaussNewton::default().damping(500.0).ridge(2.0)),
        || Trainer::default().method(GaussNewton::matrix_free().damping(500.0)),
        || Trainer::default().method(Minibatch::new(4).seed(2)),
    ];
    for trainer in trainers {
        let mut whole = recipe.build::<f64>().unwrap();
        let solo = trainer().max_steps(10).fit(&mut whole, &data).unwrap();
        let shared = data.clone();
        for report in Threads::run(3, move |world| {
            let mut share = recipe.shard(world.rank(), world.size()).build::<f64>()?;
            trainer().max_steps(10).communicator(world).fit(&mut share, &shared)
        }) {
            let (loss, expected) = (report.unwrap().loss(), solo.loss());
            assert!((loss - expected).abs() <= 1e-11 * expected, "{loss:e} {expected:e}");
        }
    }
}

#[test]
fn ranks_with_other_weights_are_told() {
    for other in [Some(DVector::from_element(9, 1.0)), None] {
        let answers = Threads::run(2, move |world| {
            let (data, _, _) = problem::<f64>(3, 4);
            let data = match (&other, world.rank()) {
                (Some(weights), 1) => data.with_weights(weights.clone())?,
                (None, 1) => data.without_weights(),
                _ => data,
            };
            let mut share = Initializer::new(3, 70).shard(world.rank(), 2).build::<f64>()?;
            Trainer::default()
                .max_steps(3)
                .communicator(world)
                .fit(&mut share, &data)
        });
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().is_err_and(|e| e.to_string().contains("disagree")))
        );
    }
}

#[test]
fn resumed_runs_have_the_same_bits() {
    let (data, _, net) = problem::<f64>(3, 40);
    let trainers: [fn() -> Trainer<'static, f64>; 5] = [
        || Trainer::new(KernelStable::default().refresh(2)),
        || Trainer::new(Backtracking::default()).method(GradientDescent::default().momentum(0.5)),
        || Trainer::new(1e-4).method(Minibatch::new(4)),
        || Trainer::default().method(GaussNewton::frozen()),
        || Trainer::default().method(GaussNewton::matrix_free().ridge(2.0)),
    ];
    for trainer in trainers {
        let report = check::resume(trainer, &net, &data, 4).unwrap();
        assert!(report.agrees(), "{report}");
    }
}

/// Weights of 1 are a run without weights, to the last bit or nearly: only the first guess of an eigenvalue may differ.
#[test]
fn weights_of_1_change_no_bit() {
    let data = problems::data::<f64>(20, 3, 1);
    let ones = data.clone().with_weights(DVector::from_element(20, 1.0)).unwrap();
    let net = problems::net::<f64>(3, 40, 1);
    for trainer in [Trainer::default, || Trainer::default().method(GaussNewton::default())] {
        let (mut one, mut other) = (net.clone(), net.clone());
        trainer().max_steps(5).fit(&mut one, &data).unwrap();
        trainer().max_steps(5).fit(&mut other, &ones).unwrap();
        assert_eq!(one, other);
    }
}

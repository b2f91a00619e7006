//! A run on several ranks is the run on one.

use super::{ranks, recipe};
use crate::support::problems;
use expnet::communicator::Communicator;
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::observer::History;
use expnet::schedule::{self, Backtracking, BarzilaiBorwein, KernelStable, Polyak, Schedule};
use expnet::{Dataset, ExpNetwork, FitReport, Initializer, Memory, Pass, Trainer};
use nalgebra::DVector;

/// 50 steps on `size` ranks; `tune` sets the trainer up.
fn fit(
    size: usize,
    shape: (usize, usize, usize),
    tune: impl Fn(Trainer<'static, f64>) -> Trainer<'static, f64> + Send + Sync + 'static,
) -> Vec<(FitReport<f64>, ExpNetwork<f64>)> {
    let (n, d, m) = shape;
    let answers = ranks(size, move |world| {
        let data = problems::data(n, d, 3);
        let mut share = recipe(&data, m).shard(world.rank(), world.size()).build()?;
        let trainer = tune(Trainer::default()).max_steps(50).communicator(world);
        let report = trainer.fit(&mut share, &data)?;
        Ok((report, share))
    });
    answers.into_iter().collect::<Result<_, _>>().unwrap()
}

fn assert_like_solo(
    name: &str,
    tune: impl Fn(Trainer<'static, f64>) -> Trainer<'static, f64> + Clone + Send + Sync + 'static,
) {
    // The second is trained in reduced coordinates; its width and the shares are no multiples of a panel. Both are far from
    // fitted after 50 steps: a loss near 0 would have no digits to compare.
    for shape in [(20, 4, 150), (40, 24, 131)] {
        let (n, d, m) = shape;
        let data = problems::data(n, d, 3);
        let mut whole = recipe(&data, m).build().unwrap();
        let solo = tune(Trainer::default()).max_steps(50).fit(&mut whole, &data).unwrap();
        for size in [1, 2, 3] {
            let parts = fit(size, shape, tune.clone());
            let (first, _) = &parts[0];
            let error = (first.loss() - solo.loss()).abs() / solo.loss();
            assert!(solo.loss() > 1e-3, "{name}, {shape:?}: {:e}", solo.loss());
            assert!(
                error <= 1e-12,
                "{name}, {shape:?}, {size} ranks: {error:e}, {:e}",
                solo.loss()
            );
            assert_eq!(first.passes(), solo.passes(), "{name}, {shape:?}, {size} ranks");
            let mut neuron = 0;
            for (report, share) in &parts {
                assert_eq!(report.loss(), first.loss(), "{name}: every rank has the same bits");
                assert_eq!(report.last_step_size(), first.last_step_size());
                let same = whole.weights().columns(neuron, share.width());
                assert!(
                    (same - share.weights()).amax() <= 1e-10,
                    "{name}, {shape:?}, {size} ranks"
                );
                neuron += share.width();
            }
            assert_eq!(neuron, m);
        }
    }
}

#[test]
fn gradient_descent_is_that_of_one_rank() {
    assert_like_solo("gradient descent", |trainer| trainer);
    assert_like_solo("recomputed", |trainer| trainer.memory(Memory::Recompute));
}

#[test]
fn passes_by_expansion_are_those_of_one_rank() {
    let shape = (30, 3, 150);
    let data = problems::data(30, 3, 3);
    let mut whole = recipe(&data, 150).build().unwrap();
    let solo = Trainer::default().pass(Pass::Direct).max_steps(50);
    let solo = solo.fit(&mut whole, &data).unwrap();
    for size in [1, 2, 3] {
        let parts = fit(size, shape, |trainer| trainer.pass(Pass::Expansion));
        for (report, _) in &parts {
            assert_eq!(report.expanded_passes(), report.passes());
            assert_eq!(report.loss(), parts[0].0.loss(), "every rank has the same bits");
            let error = (report.loss() - solo.loss()).abs() / solo.loss();
            assert!(error <= 1e-11, "{size} ranks: {error:e}");
        }
    }
}

#[test]
fn momentum_and_clipping_are_those_of_one_rank() {
    assert_like_solo("heavy ball", |trainer| {
        trainer.method(GradientDescent::default().momentum(0.8).clip_norm(3.0))
    });
    assert_like_solo("nesterov", |trainer| {
        trainer.method(GradientDescent::default().nesterov(0.5))
    });
}

#[test]
fn minibatches_are_those_of_one_rank() {
    assert_like_solo("minibatches", |trainer| {
        trainer.method(Minibatch::new(4).seed(2).momentum(0.3)).tolerance(1e-9)
    });
}

#[test]
fn gauss_newton_is_that_of_one_rank() {
    // Damped so strongly that 50 steps are not enough.
    let plans = [GaussNewton::default, GaussNewton::frozen, GaussNewton::matrix_free];
    for (plan, name) in plans.into_iter().zip(["Levenberg-Marquardt", "frozen", "matrix-free"]) {
        assert_like_solo(name, move |trainer| trainer.method(plan().damping(2000.0)));
    }
    assert_like_solo("ridge", |trainer| {
        trainer.method(GaussNewton::default().damping(2000.0).ridge(5.0))
    });
}

/// Adaptive damping: a few steps, before the loss is one of rounding alone.
#[test]
fn adaptive_gauss_newton_is_that_of_one_rank() {
    let plans = [GaussNewton::default, GaussNewton::frozen, GaussNewton::matrix_free];
    for (plan, name) in plans.into_iter().zip(["Levenberg-Marquardt", "frozen", "matrix-free"]) {
        let data = problems::data(30, 5, 3);
        let mut whole = recipe(&data, 301).build().unwrap();
        let trainer = || Trainer::default().method(plan()).max_steps(2);
        let solo = trainer().fit(&mut whole, &data).unwrap();
        let answers = ranks(3, move |world| {
            let data = problems::data(30, 5, 3);
            let mut share = recipe(&data, 301).shard(world.rank(), 3).build()?;
            let trainer = Trainer::default().method(plan()).max_steps(2);
            trainer.communicator(world).fit(&mut share, &data)
        });
        for report in answers {
            let report = report.unwrap();
            let error = (report.loss() - solo.loss()).abs() / solo.initial_loss();
            assert!(error <= 1e-12, "{name}: {error:e}");
            assert_eq!(
                (report.passes(), report.undone_steps()),
                (solo.passes(), solo.undone_steps())
            );
        }
    }
}

#[test]
fn every_kind_of_schedule_is_that_of_one_rank() {
    let with = |schedule: fn() -> Box<dyn Schedule<f64>>| {
        move |trainer: Trainer<'static, f64>| {
            drop(trainer);
            Trainer::new(schedule())
        }
    };
    assert_like_solo("Backtracking", with(|| Box::new(Backtracking::default())));
    assert_like_solo("KernelStable", with(|| Box::new(KernelStable::default().refresh(7))));
    // These two are unstable maps here, which make of a rounding anything in 50 steps: a few steps, then a constant size.
    assert_like_solo("Polyak", with(|| Box::new(Polyak::default().then(5, 1e-4))));
    assert_like_solo(
        "BarzilaiBorwein",
        with(|| Box::new(BarzilaiBorwein::default().then(5, 1e-4))),
    );
}

#[test]
fn schedules_see_the_whole_network() {
    let answers = ranks(3, |world| {
        let data = problems::data::<f64>(12, 3, 3);
        let mut share = recipe(&data, 70).shard(world.rank(), 3).build()?;
        let mut width = 0;
        Trainer::new(schedule::from_fn(|state| {
            width = state.width();
            0.0
        }))
        .max_steps(1)
        .communicator(world)
        .fit(&mut share, &data)?;
        Ok(width)
    });
    assert!(answers.into_iter().all(|width| width.unwrap() == 70));
}

#[test]
fn movement_and_validation_are_over_all_ranks() {
    let data = problems::data::<f64>(20, 4, 3);
    let (train, test) = data.split(0.7, 1).unwrap();
    let mut whole = recipe(&data, 90).build().unwrap();
    let mut history = History::default();
    let solo = Trainer::default().max_steps(30).validation(&test, 100);
    let solo = solo.observe(&mut history).fit(&mut whole, &train).unwrap();
    let answers = ranks(2, move |world| {
        let mut share = recipe(&train, 90).shard(world.rank(), 2).build()?;
        let mut history = History::default();
        let trainer = Trainer::default().max_steps(30).validation(&test, 100);
        let report = trainer
            .observe(&mut history)
            .communicator(world)
            .fit(&mut share, &train)?;
        Ok((report, history))
    });
    for answer in answers {
        let (report, parts) = answer.unwrap();
        assert_eq!(report.best_step(), solo.best_step());
        let (a, b) = (report.validation_loss().unwrap(), solo.validation_loss().unwrap());
        assert!((a - b).abs() <= 1e-12 * b);
        for (a, b) in parts.movements().iter().zip(history.movements()) {
            assert!((a.largest - b.largest).abs() <= 1e-10 && (a.frobenius - b.frobenius).abs() <= 1e-10);
        }
        assert!(parts.movements()[30].frobenius > 0.0);
    }
}

#[test]
fn an_antisymmetric_start_is_exactly_zero() {
    let data = problems::data::<f32>(10, 3, 3);
    let labels = DVector::from_element(10, 1.0);
    let data = Dataset::new(data.points().clone(), labels).unwrap();
    let answers = ranks(3, move |world| {
        let recipe = Initializer::new(3, 100).antisymmetric(true).shard(world.rank(), 3);
        let mut share = recipe.build::<f32>()?;
        let outputs = share.forward_over(&world, data.points())?;
        let report = Trainer::new(1.0)
            .max_steps(0)
            .communicator(world)
            .fit(&mut share, &data)?;
        Ok((outputs, report.loss()))
    });
    for answer in answers {
        let (outputs, loss) = answer.unwrap();
        assert!(outputs.iter().all(|&f| f == 0.0) && loss == 5.0);
    }
}

//! Directions in weight space: what a method may read and write, what is refused, and the built-in methods.

use crate::resume::Make;
use crate::resume::methods::MakeMethod;
use crate::support::problems::{data, net, sines};
use crate::support::{Answers, Scripted, on_both, on_threads, refused};
use approx::assert_relative_eq;
use expnet::communicator::{Communicator, Threads};
use expnet::method::{Adam, Direction, DirectionKind, Evaluation, GradientDescent, Lbfgs, Method};
use expnet::schedule::{
    self, Backtracking, BarzilaiBorwein, DeltaBarDelta, KernelStable, Polyak, Schedule, StepState, StrongWolfe,
};
use expnet::{Dataset, Error, Float, Initializer, Memory, Pass, Termination, Trainer, check};
use nalgebra::DVector;

/// Gradient descent, in weight space.
struct Explicit {
    momentum: f64,
}

impl<T: Float> Method<T> for Explicit {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        direction.weights.extend_from_slice(evaluation.gradient()?);
        direction.momentum = self.momentum;
        Ok(())
    }

    fn kind(&self) -> DirectionKind {
        DirectionKind::Weights
    }
}

/// In three, few and reduced coordinates, with and without momentum, by both kinds of memory and pass, with every kind of query.
fn the_gradient_in_weight_space_is_gradient_descent<T: Float>() {
    for (n, d) in [(12, 3), (12, 7), (9, 30)] {
        let data = sines::<T>(n, d);
        for momentum in [0.0, 0.6] {
            for (memory, pass) in [(Memory::Store, Pass::Direct), (Memory::Recompute, Pass::Auto)] {
                let schedule = || Backtracking::default().initial(2e-3).then(3, 1e-3);
                let run = |method: Box<dyn Method<T>>| {
                    let mut net = net::<T>(d, 60, 5);
                    let trainer = Trainer::new(schedule()).method(method).memory(memory).pass(pass);
                    let report = trainer.max_steps(8).fit(&mut net, &data).unwrap();
                    (net, report)
                };
                let (explicit, report) = run(Box::new(Explicit { momentum }));
                let (plain, expected) = run(Box::new(GradientDescent::default().momentum(momentum)));
                let unit = 1e3 * T::EPSILON.as_f64();
                let name = format!("{} n {n} d {d} {memory:?} momentum {momentum}", T::NAME);
                assert_eq!(report.steps(), expected.steps(), "{name}");
                let (loss, expected) = (report.loss().as_f64(), expected.loss().as_f64());
                assert!((loss - expected).abs() <= unit * expected, "{name}: {loss} {expected}");
                let apart = (explicit.weights() - plain.weights()).map(Float::as_f64).amax();
                assert!(apart <= unit, "{name}: {apart:e}");
            }
        }
    }
}

/// The slope at a trial is the difference quotient of the losses there, for every kind of direction.
fn slopes_at_trials_are_those_of_the_loss<T: Float>() {
    let kinds: [MakeMethod<T>; 6] = [
        || Box::new(GradientDescent::default()),
        || Box::new(GradientDescent::default().nesterov(0.5)),
        || Box::new(GradientDescent::default().momentum(0.5).clip_norm(1e-2)),
        || {
            Box::new(Answers::changing(|direction| {
                direction.dual.iter_mut().for_each(|v| *v = *v * *v * *v);
            }))
        },
        || Box::new(Explicit { momentum: 0.5 }),
        || Box::new(Lbfgs::default()),
    ];
    for (n, d) in [(14, 3), (14, 6), (9, 30)] {
        let data = sines::<T>(n, d);
        let weights = DVector::from_fn(n, |i, _| T::lit(0.5 + (i % 3) as f64));
        for data in [data.clone(), data.with_weights(weights).unwrap()] {
            for (which, method) in kinds.iter().enumerate() {
                for (memory, pass) in [(Memory::Store, Pass::Direct), (Memory::Recompute, Pass::Auto)] {
                    let mut checked = 0;
                    let schedule = schedule::from_fn(|state: &mut StepState<'_, T>| {
                        let unit = if state.slope().as_f64() == 0.0 {
                            1.0
                        } else {
                            0.1 * state.loss().as_f64() / state.slope().as_f64().abs()
                        };
                        let size = T::lit(unit);
                        let step = T::lit(unit * if T::NAME == "f64" { 1e-4 } else { 3e-2 });
                        let quotient = (state.loss_at(size + step) - state.loss_at(size - step)) / (step + step);
                        if state.iteration() % 2 == 1 {
                            // Takes the memory in which a direction is kept, after the trial.
                            state.loss_at(size);
                            state.gradient_norm_squared();
                        }
                        let slope = state.slope_at(size).as_f64();
                        let tolerance = if T::NAME == "f64" { 1e-5 } else { 3e-2 };
                        let apart = (slope - quotient.as_f64()).abs();
                        assert!(
                            apart <= tolerance * state.slope().as_f64().abs(),
                            "{} method {which}, n {n} d {d}, {memory:?}: {slope} instead of {quotient}",
                            T::NAME
                        );
                        assert!(state.slope_at(T::lit(-1.0)).as_f64().is_nan());
                        checked += 1;
                        size
                    });
                    let mut net = net::<T>(d, 50, 5);
                    let trainer = Trainer::new(schedule).method(method()).memory(memory).pass(pass);
                    trainer.max_steps(4).fit(&mut net, &data).unwrap();
                    assert_eq!(checked, 4);
                }
            }
        }
    }
}

fn a_method_sees_weights_and_gradient<T: Float>() {
    struct Probe(Vec<f64>);
    impl<T: Float> Method<T> for Probe {
        fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
            let gradient = evaluation.gradient()?.to_vec();
            if evaluation.iteration() == 1 {
                self.0 = evaluation
                    .weights()?
                    .iter()
                    .chain(&gradient)
                    .map(|x| x.as_f64())
                    .collect();
            }
            direction.weights = gradient;
            Ok(())
        }

        fn kind(&self) -> DirectionKind {
            DirectionKind::ScaledGradient
        }
    }
    let data = sines::<T>(9, 20);
    let mut net = Initializer::new(20, 70).seed(3).build::<T>().unwrap();
    let mut expected = net.clone();
    expected.step(&data, T::lit(1e-3)).unwrap();
    let mut probe = Probe(Vec::new());
    let trainer = Trainer::new(1e-3).method(expnet::method::lend::<T, _>(&mut probe));
    trainer.max_steps(2).fit(&mut net, &data).unwrap();
    let gradient = expected.gradient(&data).unwrap();
    let expected = expected.weights().iter().chain(&gradient).map(|x| x.as_f64());
    let unit = 1e3 * T::EPSILON.as_f64();
    assert_eq!(probe.0.len(), 2 * 20 * 70);
    for (found, expected) in probe.0.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= unit * (1.0 + expected.abs()),
            "{found} {expected}"
        );
    }
}

on_both!(
    the_gradient_in_weight_space_is_gradient_descent,
    slopes_at_trials_are_those_of_the_loss,
    a_method_sees_weights_and_gradient,
);

#[test]
fn wrong_directions_are_refused() {
    let (data, start) = (data::<f64>(3, 2, 1), net::<f64>(2, 4, 1));
    let fit = |method: &mut dyn Method<f64>| Trainer::new(0.1).method(method).fit(&mut start.clone(), &data);
    for (len, value, words) in [
        (7, 1.0, ["weight space", "expected 8, found 7", "one number per weight"]),
        (
            8,
            f64::NAN,
            ["weight space is NaN", "neuron 2, coordinate 1, of step 0", "overflow"],
        ),
    ] {
        let mut wrong = Scripted::new()
            .of_kind(DirectionKind::Weights)
            .changing(move |direction| {
                direction.weights = vec![0.5; len];
                direction.weights[5] = value;
            });
        refused(fit(&mut wrong), &words);
    }
    let mut dual = Answers::changing(|direction| direction.weights = vec![1.0; 8]);
    refused(fit(&mut dual), &["`Direction::weights`", "`DirectionKind::Weights`"]);
    let mut dual = Answers::new(|evaluation, _| evaluation.gradient().map(drop));
    refused(fit(&mut dual), &["`Evaluation::gradient`", "`DirectionKind::Weights`"]);
    let mut dual = Answers::new(|evaluation, _| evaluation.weights().map(drop));
    refused(fit(&mut dual), &["`Evaluation::weights`", "`DirectionKind::Weights`"]);
}

#[test]
fn schedules_that_need_the_gradient_refuse_by_name() {
    let (data, start) = (data::<f64>(3, 2, 1), net::<f64>(2, 4, 1));
    let schedules: [(Make<f64>, &str); 4] = [
        (|| Box::new(KernelStable::default()), "`KernelStable`"),
        (|| Box::new(Polyak::default()), "`Polyak`"),
        (|| Box::new(BarzilaiBorwein::default()), "`BarzilaiBorwein`"),
        (|| Box::new(DeltaBarDelta::default()), "`DeltaBarDelta`"),
    ];
    for (schedule, name) in schedules {
        let fit = |method: Box<dyn Method<f64>>| Trainer::new(schedule()).method(method).fit(&mut start.clone(), &data);
        refused(fit(Box::<Lbfgs>::default()), &[name, "`StrongWolfe`"]);
        refused(fit(Box::<Adam>::default()), &[name, "1e-3"]);
    }
    let certified = Trainer::new(1e-3)
        .method(Adam::default())
        .certify(1)
        .fit(&mut start.clone(), &data);
    refused(certified, &["`Trainer::certify`", "Adam"]);
}

#[test]
fn several_ranks_are_refused() {
    let data = data::<f64>(3, 2, 1);
    for result in Threads::run(2, |world| {
        let mut share = Initializer::new(2, 8)
            .shard(world.rank(), world.size())
            .build::<f64>()?;
        Trainer::new(1e-3)
            .method(Adam::default())
            .communicator(world)
            .fit(&mut share, &data)
            .map(drop)
    }) {
        refused(result, &["Adam", "several ranks"]);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let (data, start) = (data::<f64>(3, 2, 1), net::<f64>(2, 4, 1));
    let adam = |method: Adam| Trainer::new(0.1).method(method).fit(&mut start.clone(), &data);
    for bad in [f64::NAN, -0.1, 1.0] {
        refused(adam(Adam::default().beta1(bad)), &["`Adam::beta1`", "below 1"]);
        refused(adam(Adam::default().beta2(bad)), &["`Adam::beta2`", "below 1"]);
    }
    refused(adam(Adam::default().eps(0.0)), &["`Adam::eps`", "positive"]);
    refused(
        adam(Adam::default().weight_decay(-1.0)),
        &["`Adam::weight_decay`", "at least 0"],
    );
    let lbfgs = Trainer::default()
        .method(Lbfgs::default().memory(0))
        .fit(&mut start.clone(), &data);
    refused(lbfgs, &["`Lbfgs::memory`", "at least 1"]);
}

/// Weights beyond the span of the points shrink too: the run must not reduce coordinates.
#[test]
fn weight_decay_leaves_the_span_of_the_points() {
    let data = sines::<f64>(3, 20);
    let mut net = Initializer::new(20, 30).seed(3).build::<f64>().unwrap();
    let start = net.weights().clone();
    let trainer = Trainer::new(0.01).method(Adam::default().weight_decay(1.0));
    trainer.max_steps(50).fit(&mut net, &data).unwrap();
    let outside = data.points().clone().svd(true, false).u.unwrap();
    let beyond = |w: &nalgebra::DMatrix<f64>| (w - &outside * (outside.tr_mul(w))).norm();
    let share = beyond(net.weights()) / beyond(&start);
    assert!(share < 0.95, "{share}");
}

#[test]
fn lbfgs_converges_where_gradient_descent_does_not() {
    for (n, d) in [(40, 8), (24, 3)] {
        let data = sines::<f64>(n, d);
        let start = Initializer::new(d, 500)
            .antisymmetric(true)
            .seed(2)
            .build::<f64>()
            .unwrap();
        let steps = |trainer: Trainer<'_, f64>| {
            let report = trainer
                .tolerance(1e-4)
                .max_steps(5000)
                .fit(&mut start.clone(), &data)
                .unwrap();
            (report.termination() == Termination::Converged).then_some(report.steps())
        };
        let quasi_newton = steps(Trainer::default().method(Lbfgs::default())).unwrap();
        let plain = steps(Trainer::default()).unwrap_or(5000);
        println!("{n} {d}: {quasi_newton} steps, {plain} of gradient descent");
        assert!(
            3 * quasi_newton < plain,
            "{n} {d}: {quasi_newton} steps, {plain} of gradient descent"
        );
    }
}

/// Where no loss falls any more, the run stalls with the reason, after the pairs were forgotten.
#[test]
fn a_search_at_the_minimum_stalls() {
    let data = Dataset::from_rows(&[[1.0], [1.0]], &[0.0, 2.0]).unwrap();
    let mut net = Initializer::new(1, 20).seed(1).build::<f64>().unwrap();
    let report = Trainer::default()
        .method(Lbfgs::default())
        .max_steps(500)
        .fit(&mut net, &data)
        .unwrap();
    assert!((report.loss() - 1.0).abs() < 1e-12, "{report}");
    assert!(
        [Termination::Stalled, Termination::Stationary].contains(&report.termination()),
        "{report}"
    );
}

#[test]
fn runs_resume_and_give_the_same_bits_on_any_number_of_threads() {
    for (data, name) in [(sines::<f64>(12, 3), "d 3"), (sines(12, 40), "d 40")] {
        let start = Initializer::new(data.dimension(), 150)
            .std_dev(0.5)
            .seed(3)
            .build()
            .unwrap();
        let searches: [fn() -> Trainer<'static, f64>; 3] = [
            || Trainer::default().method(Lbfgs::default().memory(3)),
            || Trainer::new(Backtracking::default().initial(1.0)).method(Lbfgs::default()),
            || Trainer::default().method(Adam::default().weight_decay(0.1)),
        ];
        for (which, trainer) in searches.iter().enumerate() {
            let report = check::resume(trainer, &start, &data, 9).unwrap();
            assert!(report.agrees(), "{name}, {which}: {report}");
            let run = |threads| {
                on_threads(threads, || {
                    let mut net = start.clone();
                    trainer().max_steps(6).fit(&mut net, &data).unwrap();
                    net
                })
            };
            assert_eq!(run(1), run(3), "{name}, {which}");
        }
        let search = || Trainer::new(StrongWolfe::default()).method(GradientDescent::default());
        let report = check::resume(search, &start, &data, 9).unwrap();
        assert!(report.agrees(), "{name}, gradient descent: {report}");
    }
    let wide = Initializer::new(5, 4099).seed(3).build::<f64>().unwrap();
    let run = |threads| {
        on_threads(threads, || {
            let mut net = wide.clone();
            let trainer = Trainer::default().method(Lbfgs::default());
            trainer.max_steps(6).fit(&mut net, &sines(37, 5)).unwrap();
            net
        })
    };
    assert_relative_eq!(run(1).weights(), run(3).weights(), epsilon = 0.0);
}

//! A run on several ranks is the run on one; and whatever happens on one rank, none waits for ever.

mod common;

use expnet::communicator::{Communicator, Threads};
use expnet::method::{Direction, Evaluation, GaussNewton, GradientDescent, Method, Minibatch};
use expnet::observer::{History, Progress};
use expnet::schedule::{self, Backtracking, BarzilaiBorwein, KernelStable, Polyak, Schedule};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Memory, Termination, Trainer};
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::time::Duration;

/// What a rank of these tests brings home.
type Answers<R> = Vec<Result<R, Error>>;

/// Runs the ranks, and fails where they don't come to an end.
fn ranks<R: Send + 'static>(
    size: usize,
    work: impl Fn(Threads) -> Result<R, Error> + Send + Sync + 'static,
) -> Answers<R> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(Threads::run(size, work)));
    receive.recv_timeout(Duration::from_secs(60)).expect("the ranks hang")
}

fn recipe(data: &Dataset<f64>, width: usize) -> Initializer {
    Initializer::new(data.dimension(), width).std_dev(0.7).seed(5)
}

/// 50 steps on `size` ranks; `tune` sets the trainer up.
fn fit(
    size: usize,
    shape: (usize, usize, usize),
    tune: impl Fn(Trainer<'static, f64>) -> Trainer<'static, f64> + Send + Sync + 'static,
) -> Vec<(FitReport<f64>, ExpNetwork<f64>)> {
    let (n, d, m) = shape;
    let answers = ranks(size, move |world| {
        let data = common::data(n, d, 3);
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
        let data = common::data(n, d, 3);
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
        let data = common::data(30, 5, 3);
        let mut whole = recipe(&data, 301).build().unwrap();
        let trainer = || Trainer::default().method(plan()).max_steps(2);
        let solo = trainer().fit(&mut whole, &data).unwrap();
        let answers = ranks(3, move |world| {
            let data = common::data(30, 5, 3);
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
        let data = common::data::<f64>(12, 3, 3);
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
    let data = common::data::<f64>(20, 4, 3);
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
    let data = common::data::<f32>(10, 3, 3);
    let labels = DVector::from_element(10, 1.0);
    let data = Dataset::new(data.points().clone(), labels).unwrap();
    let answers = ranks(3, move |world| {
        let recipe = Initializer::new(3, 100).antisymmetric(true).shard(world.rank(), 3);
        let mut share = recipe.build::<f32>()?;
        let outputs = share.forward_over(&world, data.points())?;
        let report = Trainer::new(0.0)
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

#[test]
fn shares_are_the_whole_network() {
    for (width, size) in [(6, 3), (7, 3), (64, 5), (101, 50), (9, 1)] {
        for antisymmetric in [false, width % 2 == 0] {
            let recipe = Initializer::new(2, width).seed(3).antisymmetric(antisymmetric);
            let whole = recipe.build::<f64>().unwrap();
            let mut neuron = 0;
            for rank in 0..size {
                let share = recipe.shard(rank, size).build::<f64>().unwrap();
                assert!(neuron % 2 == 0 && share.width() >= 1);
                assert_eq!(whole.weights().columns(neuron, share.width()), *share.weights());
                assert_eq!(
                    whole.output_weights().rows(neuron, share.width()),
                    *share.output_weights()
                );
                neuron += share.width();
            }
            assert_eq!(neuron, width);
        }
    }
}

#[test]
fn bad_shares_are_refused() {
    let text = |recipe: Initializer| recipe.build::<f64>().unwrap_err().to_string();
    let recipe = Initializer::new(2, 9);
    assert_eq!(
        text(recipe.shard(0, 5)),
        "width is 9 on 5 ranks; it must be at least 2 neurons a rank"
    );
    for (rank, size) in [(3, 3), (0, 0)] {
        assert_eq!(
            text(recipe.shard(rank, size)),
            format!(
                "the rank of a shard is {rank} of {size}; it must be less than the number of ranks, which is at least 1"
            )
        );
    }
}

/// A folder of this process's own, removed in the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("expnet-ranks-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_network_is_saved_whole_and_loaded_on_any_number_of_ranks() {
    // Larger than a message; the second has a weight of -0.
    let folder = Folder::new("save");
    for (d, m) in [(7, 5003), (1, 8)] {
        let (of_whole, of_ranks) = (folder.0.join("whole"), folder.0.join("ranks"));
        let recipe = Initializer::new(d, m).seed(3).std_dev(if d == 1 { 0.0 } else { 1.0 });
        recipe.build::<f32>().unwrap().save(&of_whole).unwrap();
        let path = of_ranks.clone();
        let answers = ranks(3, move |world| {
            recipe.shard(world.rank(), 3).build::<f32>()?.save_over(&world, &path)
        });
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert!(std::fs::read(&of_whole).unwrap() == std::fs::read(&of_ranks).unwrap());
        for size in 1..=4 {
            for rank in 0..size {
                let share = ExpNetwork::<f32>::load_shard(&of_ranks, rank, size).unwrap();
                assert_eq!(share, recipe.shard(rank, size).build().unwrap());
            }
        }
        let error = ExpNetwork::<f32>::load_shard(&of_ranks, 2, 2).unwrap_err();
        assert!(
            error.to_string().starts_with("the rank of a shard is 2 of 2"),
            "{error}"
        );
    }
}

#[test]
fn a_save_that_fails_is_an_error_on_all() {
    for name in ["nowhere/model", "/"] {
        let answers = ranks(3, move |world| {
            let share = Initializer::new(7, 5003).shard(world.rank(), 3).build::<f64>()?;
            share.save_over(&world, std::env::temp_dir().join("expnet-no-such-folder").join(name))
        });
        let texts: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.unwrap_err().to_string())
            .collect();
        assert!(texts[0].starts_with("writing the network"), "{texts:?}");
        let gone = "another rank could not go on; see the error on that rank";
        assert_eq!([&texts[1], &texts[2]], [gone, gone]);
    }
}

#[test]
fn shares_of_different_networks_are_not_saved() {
    let folder = Folder::new("unlike");
    let path = folder.0.join("model");
    let answers = ranks(2, move |world| {
        Initializer::new(2 + world.rank(), 8)
            .build::<f64>()?
            .save_over(&world, &path)
    });
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

/// Three ranks that train; `tune` may treat rank 1 differently.
fn three(
    tune: impl Fn(usize, Trainer<'static, f64>) -> Trainer<'static, f64> + Send + Sync + 'static,
) -> Answers<FitReport<f64>> {
    ranks(3, move |world| {
        let data = common::data(12, 3, 3);
        let mut share = recipe(&data, 70).shard(world.rank(), world.size()).build()?;
        let trainer = tune(world.rank(), Trainer::new(1e-3)).max_steps(20).communicator(world);
        trainer.fit(&mut share, &data)
    })
}

fn errors(answers: Answers<FitReport<f64>>) -> [String; 3] {
    let texts = answers.into_iter().map(|answer| answer.unwrap_err().to_string());
    texts.collect::<Vec<_>>().try_into().unwrap()
}

fn assert_all_begin(texts: &[String], words: &str) {
    assert!(texts.iter().all(|text| text.starts_with(words)), "{texts:?}");
}

const GONE: &str = "rank 1 of 3 could not go on with the run; see the error on that rank";
const PARTED: &str = "the 3 ranks have parted before exchange";

/// Sizes that differ on rank 1 from step `at` on.
fn on_rank_1(rank: usize, at: usize, size: f64) -> impl Schedule<f64> {
    schedule::from_fn(move |state| {
        if rank == 1 && state.iteration() >= at {
            size
        } else {
            1e-3
        }
    })
}

#[test]
fn an_error_on_one_rank_is_an_error_on_all() {
    for at in [0, 1, 19] {
        let texts = errors(three(move |rank, trainer| {
            drop(trainer);
            Trainer::new(on_rank_1(rank, at, -1.0))
        }));
        assert_eq!(texts[0], GONE);
        assert!(
            texts[1].starts_with(&format!("the step size of step {at} is -1")),
            "{}",
            texts[1]
        );
        assert_eq!(texts[2], GONE);
    }
}

#[test]
fn a_bad_setting_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.tolerance(if rank == 1 { -1.0 } else { 0.0 })
    }));
    assert_eq!([&texts[0], &texts[2]], [GONE, GONE]);
    assert!(texts[1].starts_with("`Trainer::tolerance` is -1"), "{}", texts[1]);
}

#[test]
fn another_setting_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| trainer.stall(5 + rank, 0.1)));
    assert_all_begin(&texts, PARTED);
}

#[test]
fn another_step_size_on_one_rank_is_an_error_on_all() {
    for at in [0, 19] {
        let texts = errors(three(move |rank, trainer| {
            drop(trainer);
            Trainer::new(on_rank_1(rank, at, 1.1e-3))
        }));
        assert_all_begin(&texts, "the step size of this rank is 1");
    }
}

#[test]
fn another_first_trial_on_one_rank_is_told_as_such() {
    let search = |rank| Backtracking::default().initial(if rank == 1 { 1e-5 } else { 1e-3 });
    let texts = errors(three(move |rank, trainer| {
        drop(trainer);
        Trainer::new(search(rank))
    }));
    assert_all_begin(&texts, "the step size of this rank is 1");
}

#[test]
fn another_momentum_on_one_rank_is_an_error_on_all() {
    let methods: [fn() -> GradientDescent; 3] = [
        || GradientDescent::default().momentum(0.9),
        || GradientDescent::default().nesterov(0.5),
        GradientDescent::default,
    ];
    for method in methods {
        let texts = errors(three(move |rank, trainer| {
            trainer.method(if rank == 1 {
                method()
            } else {
                GradientDescent::default().momentum(0.5)
            })
        }));
        assert_all_begin(&texts, PARTED);
    }
}

/// The signs of the residual, or on rank 1 the opposite ones.
struct Signs(bool);

impl Method<f64> for Signs {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        for (v, e) in direction.dual.iter_mut().zip(evaluation.residual()) {
            *v = if self.0 { -e.signum() } else { e.signum() };
        }
        Ok(())
    }
}

#[test]
fn another_direction_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| trainer.method(Signs(rank == 1))));
    assert_all_begin(&texts, "the direction of this rank");
}

#[test]
fn other_points_on_one_rank_are_an_error_on_all() {
    for columns in [5, 7] {
        let answers = ranks(3, move |world| {
            let count = if world.rank() == 1 { columns } else { 5 };
            let points = DMatrix::from_fn(3, count, |k, i| (k + 2 * i + world.rank() / 2) as f64 / 10.0);
            let share = Initializer::new(3, 60).shard(world.rank(), 3).build::<f64>()?;
            share.forward_over(&world, &points)
        });
        for answer in answers {
            let text = answer.unwrap_err().to_string();
            assert!(text.starts_with("the ranks were given different points"), "{text}");
        }
    }
}

#[test]
fn another_batch_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.method(Minibatch::new(4).seed(rank as u64))
    }));
    assert_all_begin(&texts, PARTED);
}

#[test]
fn other_data_on_one_rank_is_an_error_on_all() {
    let answers = ranks(3, |world| {
        let data = common::data(12, 3, world.rank() as u64);
        let mut share = recipe(&data, 70).shard(world.rank(), 3).build()?;
        Trainer::new(1e-3).communicator(world).fit(&mut share, &data)
    });
    let texts = errors(answers);
    assert_all_begin(&texts, PARTED);
}

#[test]
fn a_panic_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        drop(trainer);
        Trainer::new(schedule::from_fn(move |state| {
            assert!(rank != 1 || state.iteration() < 5, "no step {}", state.iteration());
            1e-3
        }))
    }));
    let gone = "rank 1 has panicked; see that rank's own error";
    assert_eq!([&texts[0], &texts[2]], [gone, gone]);
    assert!(texts[1].starts_with("rank 1 has panicked: no step 5"), "{}", texts[1]);
}

#[test]
fn divergence_is_the_same_error_on_all() {
    for answer in three(|_, trainer| {
        drop(trainer);
        Trainer::new(1e3)
    }) {
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::Diverged { step: 0 | 1, .. }), "{error}");
    }
}

/// Asks for a product on one rank alone.
struct Asks(bool);

impl<T: Float> Method<T> for Asks {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        if self.0 && evaluation.iteration() == 3 {
            // A method may swallow the error: the run must not go on.
            let _ = evaluation.tangent_product(&vec![1.0; direction.dual.len()]);
        }
        Ok(())
    }
}

#[test]
fn another_path_on_one_rank_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| trainer.method(Asks(rank == 1))));
    assert_all_begin(&texts, PARTED);
}

#[test]
fn one_rank_may_watch_and_stop_the_run() {
    for answer in three(|rank, trainer| {
        if rank != 2 {
            return trainer;
        }
        trainer.observe(|progress: &Progress<'_, f64>| match progress.steps() {
            7 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    }) {
        let report = answer.unwrap();
        assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 7));
    }
}

#[test]
fn one_clock_ends_the_run() {
    for answer in three(|rank, trainer| {
        if rank == 1 {
            trainer.max_time(Duration::ZERO)
        } else {
            trainer
        }
    }) {
        let report = answer.unwrap();
        assert_eq!((report.termination(), report.steps()), (Termination::MaxTime, 0));
    }
}

#[test]
fn movement_on_one_rank_alone_is_an_error_on_all() {
    let texts = errors(three(|rank, trainer| {
        trainer.observe(move |progress: &Progress<'_, f64>| {
            if rank == 1 {
                assert!(progress.movement().largest.is_nan());
            }
            ControlFlow::Continue(())
        })
    }));
    assert_all_begin(&texts, PARTED);
}

#[test]
fn a_session_dropped_on_one_rank_is_an_error_on_all_others() {
    for steps in [0, 4, 20] {
        let answers = ranks(3, move |world| {
            let data = common::data::<f64>(12, 3, 3);
            let rank = world.rank();
            let mut share = recipe(&data, 70).shard(rank, 3).build()?;
            let mut session = Trainer::new(1e-3)
                .max_steps(20)
                .communicator(world.clone())
                .start(&mut share, &data)?;
            for _ in 0..steps {
                session.step()?;
            }
            if rank == 1 {
                drop(session);
                // It may meet the others again.
                world.all_reduce_sum(&mut [1.0])?;
                return Ok(true);
            }
            while session.step().is_ok_and(|over| over.is_none()) {}
            let ended = session.finish().is_err();
            world.all_reduce_sum(&mut [1.0])?;
            Ok(ended)
        });
        assert!(answers.into_iter().all(Result::unwrap), "after {steps} steps");
    }
}

#[test]
fn a_rank_that_never_trains_is_an_error_on_all_others() {
    let answers = ranks(3, |world| {
        if world.rank() == 1 {
            return Dataset::from_rows::<[f64; 1]>(&[], &[]).map(|_| ());
        }
        let data = common::data::<f64>(12, 3, 3);
        let mut share = recipe(&data, 70).shard(world.rank(), 3).build()?;
        Trainer::new(1e-3)
            .communicator(world)
            .fit(&mut share, &data)
            .map(|_| ())
    });
    let texts: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap_err().to_string())
        .collect();
    let gone = "rank 1 has left the job; see that rank's own error";
    assert_eq!([&texts[0], &texts[2]], [gone, gone]);
    assert!(texts[1].contains("is empty"), "{}", texts[1]);
}

#[test]
fn sums_are_in_the_order_of_the_ranks() {
    // 1 + 1e16 - 1e16 is 0 in this order, and 1 in another.
    let parts = [1.0, 1e16, -1e16];
    for _ in 0..100 {
        let sums = ranks(3, move |world| {
            let mut number = [parts[world.rank()], world.rank() as f64];
            world.all_reduce_sum(&mut number)?;
            Ok(number)
        });
        assert!(sums.into_iter().all(|sum| sum.unwrap() == [0.0, 3.0]));
    }
}

#[test]
fn sums_of_unequal_lengths_are_an_error() {
    let answers = ranks(2, |world| world.all_reduce_sum(&mut vec![0.0; 1 + world.rank()]));
    assert!(answers.iter().all(Result::is_err));
}

#[test]
fn outputs_over_ranks_fail_together() {
    let answers = ranks(2, |world| {
        let share = Initializer::new(2, 8).shard(world.rank(), 2).build::<f64>()?;
        let x = if world.rank() == 1 { f64::NAN } else { 0.5 };
        let outputs = share.forward_over(&world, &DMatrix::from_element(2, 3, x)).map(|_| ());
        // The line is still good.
        let data = common::data(5, 2, 1);
        assert!(share.loss_over(&world, &data)? > 0.0);
        outputs
    });
    let texts: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap_err().to_string())
        .collect();
    assert!(texts[0].starts_with("another rank could not evaluate"), "{}", texts[0]);
    assert!(texts[1].starts_with("a coordinate is NaN"), "{}", texts[1]);
}

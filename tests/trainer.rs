//! What the trainer promises, one meaning a test.

use approx::assert_relative_eq;
use expnet::method::{Direction, Evaluation, GradientDescent, Kind, Method, Minibatch, Outcome, Verdict};
use expnet::observer::{History, Observer, Progress};
use expnet::schedule::{self, Schedule};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Memory, Scaling, Termination, Trainer};
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;
use std::time::Duration;

fn data() -> Dataset<f64> {
    let points = DMatrix::from_fn(4, 15, |k, i| ((2 * k + 3 * i + k * i + 1) as f64).sin() / 2.0);
    Dataset::new(points, DVector::from_fn(15, |i, _| (i as f64).cos())).unwrap()
}

fn net() -> ExpNetwork<f64> {
    Initializer::new(4, 90).antisymmetric(true).seed(3).build().unwrap()
}

fn fit(trainer: Trainer<'_, f64>) -> (ExpNetwork<f64>, FitReport<f64>) {
    let mut net = net();
    let report = trainer.fit(&mut net, &data()).unwrap();
    (net, report)
}

#[test]
fn a_thousand_steps_by_default_and_nothing_else_ends_a_run() {
    let (_, report) = fit(Trainer::new(1e-6));
    assert_eq!((report.steps(), report.termination()), (1000, Termination::MaxSteps));
}

#[test]
fn no_steps_are_allowed() {
    let (after, report) = fit(Trainer::new(1e-3).max_steps(0));
    assert_eq!(after, net());
    assert_eq!(
        (report.steps(), report.passes(), report.termination()),
        (0, 1, Termination::MaxSteps)
    );
    assert_eq!(report.last_step_size(), None);
}

#[test]
fn k_constant_steps_take_k_plus_one_passes() {
    let (_, report) = fit(Trainer::new(1e-4).max_steps(7));
    assert_eq!((report.steps(), report.passes(), report.trial_steps()), (7, 8, 0));
}

#[test]
fn the_report_speaks_of_the_network_handed_back() {
    let (after, report) = fit(Trainer::new(1e-3).max_steps(20));
    assert_relative_eq!(report.loss(), after.loss(&data()).unwrap(), max_relative = 1e-11);
    assert_relative_eq!(
        report.residual_norm(),
        after.residual(&data()).unwrap().norm(),
        max_relative = 1e-11
    );
    assert_relative_eq!(
        report.initial_loss(),
        net().loss(&data()).unwrap(),
        max_relative = 1e-12
    );
    assert!(report.to_string().contains("20 steps"), "{report}");
}

#[test]
fn the_tolerance_is_tested_before_the_first_step_and_after_the_last() {
    let norm = net().residual(&data()).unwrap().norm();
    let (_, report) = fit(Trainer::new(1e-3).tolerance(norm * 1.001));
    assert_eq!((report.steps(), report.termination()), (0, Termination::Converged));
    let (_, first) = fit(Trainer::new(1e-3).max_steps(5));
    let (_, report) = fit(Trainer::new(1e-3)
        .max_steps(5)
        .tolerance(first.residual_norm() * 1.000_001));
    assert_eq!((report.steps(), report.termination()), (5, Termination::Converged));
}

#[test]
fn a_zero_gradient_ends_a_run() {
    let origin = Dataset::new(DMatrix::zeros(4, 2), DVector::from_vec(vec![1.0, 2.0])).unwrap();
    for trainer in [Trainer::new(1e-2), Trainer::default()] {
        let report = trainer.fit(&mut net(), &origin).unwrap();
        assert_eq!(report.termination(), Termination::Stationary);
        assert!(report.steps() <= 1);
    }
}

#[test]
fn the_best_weights_on_the_validation_set_are_put_back() {
    let (train, test) = data().split(0.6, 4).unwrap();
    let mut net = net();
    let mut history = History::default();
    let trainer = Trainer::default()
        .max_steps(2000)
        .validation(&test, 15)
        .observe(&mut history);
    let report = trainer.fit(&mut net, &train).unwrap();
    assert_eq!(report.termination(), Termination::NoImprovement);
    assert_eq!(report.steps(), report.best_step().unwrap() + 15);
    let losses: Vec<f64> = history.validation_losses().iter().map(|loss| loss.unwrap()).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(report.validation_loss(), Some(least));
    assert_eq!(losses[report.best_step().unwrap()], least);
    assert_relative_eq!(net.loss(&test).unwrap(), least, max_relative = 1e-10);
    assert_relative_eq!(net.loss(&train).unwrap(), report.loss(), max_relative = 1e-10);
}

#[test]
fn an_observer_may_stop() {
    let stop = |progress: &Progress<'_, f64>| {
        if progress.steps() == 4 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let (_, report) = fit(Trainer::new(1e-4).observe(stop));
    assert_eq!((report.steps(), report.termination()), (4, Termination::Stopped));
}

/// Counts its calls.
#[derive(Default)]
struct Calls {
    start: usize,
    steps: Vec<usize>,
    end: usize,
}

impl Observer<f64> for Calls {
    fn start(&mut self, progress: &Progress<'_, f64>) -> ControlFlow<()> {
        assert_eq!((progress.steps(), progress.step_size()), (0, None));
        self.start += 1;
        ControlFlow::Continue(())
    }

    fn step(&mut self, progress: &Progress<'_, f64>) -> ControlFlow<()> {
        self.steps.push(progress.steps());
        assert_eq!(progress.step_size(), Some(1e-4));
        ControlFlow::Continue(())
    }

    fn end(&mut self, report: &FitReport<f64>) {
        assert_eq!(report.steps(), 7);
        self.end += 1;
    }

    fn every(&self) -> usize {
        3
    }
}

#[test]
fn observers_are_called_at_the_start_every_so_often_and_at_the_end() {
    let mut calls = Calls::default();
    fit(Trainer::new(1e-4)
        .max_steps(7)
        .observe(&mut calls as &mut dyn Observer<f64>));
    assert_eq!((calls.start, calls.steps, calls.end), (1, vec![3, 6], 1));
}

#[test]
fn observers_change_no_bit() {
    let mut history = History::default();
    let (watched, _) = fit(Trainer::default().max_steps(30).observe(&mut history));
    let (alone, _) = fit(Trainer::default().max_steps(30));
    assert_eq!(watched, alone);
    let moved = (watched.weights() - net().weights()).norm();
    assert_relative_eq!(history.movements()[30].frobenius, moved, max_relative = 1e-10);
    let largest = (watched.weights() - net().weights())
        .column_iter()
        .map(|c| c.norm())
        .fold(0.0, f64::max);
    assert_relative_eq!(history.movements()[30].largest, largest, max_relative = 1e-10);
}

#[cfg(feature = "csv")]
#[test]
fn a_history_is_a_table() {
    let mut history = History::default().every(2);
    fit(Trainer::new(1e-4).max_steps(4).observe(&mut history));
    let mut table = Vec::new();
    history.to_csv(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "step,loss,step_size,validation_loss,seconds,largest_movement,frobenius_movement"
    );
    assert_eq!(lines.len(), 4);
    assert!(lines[1].starts_with("0,") && lines[3].starts_with("4,"), "{table}");
}

#[test]
fn time_may_end_a_run() {
    let (_, report) = fit(Trainer::new(1e-6)
        .max_steps(usize::MAX)
        .max_time(Duration::from_millis(20)));
    assert_eq!(report.termination(), Termination::MaxTime);
    assert!(report.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_stall_ends_a_run_where_asked_for() {
    let (_, report) = fit(Trainer::new(0.0).stall(25, 1e-3));
    assert_eq!((report.steps(), report.termination()), (25, Termination::Stalled));
    let (_, report) = fit(Trainer::default().stall(25, 1e-3).max_steps(20));
    assert_eq!(report.termination(), Termination::MaxSteps);
}

#[test]
fn divergence_names_the_step_and_leaves_the_last_finite_weights() {
    let mut net = net();
    let jump = schedule::from_fn(|state| if state.iteration() < 3 { 1e-4 } else { 1e6 });
    let error = Trainer::new(jump).fit(&mut net, &data()).unwrap_err();
    let Error::Diverged {
        step,
        step_size,
        last_loss,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((step, step_size), (3, 1e6));
    let (expected, report) = fit(Trainer::new(1e-4).max_steps(3));
    assert_eq!(net, expected);
    assert_eq!(last_loss, report.loss());
}

#[test]
fn a_loss_that_rises_first_is_not_divergence() {
    let mut losses = Vec::new();
    let watch = |progress: &Progress<'_, f64>| {
        losses.push(progress.loss());
        ControlFlow::Continue(())
    };
    let mut net = Initializer::new(2, 4096).antisymmetric(true).build::<f64>().unwrap();
    let data = Dataset::from_rows(&[[1.0, 0.0], [0.8, 0.6]], &[1.0, 0.5]).unwrap();
    let schedule = schedule::KernelStable::default().factor(2.2);
    let report = Trainer::new(schedule)
        .observe(watch)
        .max_steps(3000)
        .tolerance(1e-8)
        .fit(&mut net, &data)
        .unwrap();
    assert_eq!(report.termination(), Termination::Converged);
    assert!(
        losses.windows(2).any(|pair| pair[1] > pair[0]),
        "the loss was meant to rise"
    );
}

#[test]
fn a_session_by_hand_is_fit() {
    let (fitted, report) = fit(Trainer::default().max_steps(40));
    let (data, mut by_hand) = (data(), net());
    let mut session = Trainer::default().max_steps(40).start(&mut by_hand, &data).unwrap();
    let mut steps = 0;
    while session.step().unwrap().is_none() {
        steps += 1;
        assert_eq!(session.steps(), steps);
    }
    assert_eq!(session.step().unwrap(), Some(Termination::MaxSteps), "it stays over");
    let mine = session.finish().unwrap();
    assert_eq!(
        (by_hand, mine.loss(), mine.passes()),
        (fitted, report.loss(), report.passes())
    );
}

#[test]
fn a_dropped_session_leaves_its_weights() {
    let (three, _) = fit(Trainer::new(1e-4).max_steps(3));
    let (data, mut net) = (data(), net());
    let mut session = Trainer::new(1e-4).start(&mut net, &data).unwrap();
    for _ in 0..3 {
        session.step().unwrap();
    }
    drop(session);
    assert_eq!(net, three);
}

#[test]
fn a_step_of_zero_does_not_move() {
    let (after, report) = fit(Trainer::new(0.0).max_steps(3));
    assert_eq!((after, report.steps()), (net(), 3));
}

#[test]
fn memory_changes_no_bit() {
    let run = |memory| fit(Trainer::default().memory(memory).max_steps(30)).0;
    let auto = run(Memory::Auto);
    for memory in [
        Memory::Store,
        Memory::Recompute,
        Memory::Budget(1000),
        Memory::Budget(usize::MAX),
    ] {
        assert_eq!(run(memory), auto, "{memory:?}");
    }
}

#[test]
fn a_trial_is_a_pass_that_the_step_reuses() {
    let twice = schedule::from_fn(|state| {
        let _ = state.loss_at(3e-4);
        let trial = state.loss_at(1e-4);
        assert!(trial < state.loss());
        1e-4
    });
    let (with_trials, report) = fit(Trainer::new(twice).max_steps(4));
    let (plain, _) = fit(Trainer::new(1e-4).max_steps(4));
    assert_eq!(with_trials, plain, "the same bits");
    assert_eq!((report.passes(), report.trial_steps()), (1 + 2 * 4, 4));
}

#[test]
fn what_a_state_knows_is_right() {
    let data = data();
    let probe = schedule::from_fn(|state| {
        let net = net();
        if state.iteration() == 0 {
            let gradient = net.gradient(&data).unwrap();
            assert_relative_eq!(state.loss(), net.loss(&data).unwrap(), max_relative = 1e-12);
            assert_relative_eq!(
                state.gradient_norm_squared(),
                gradient.norm_squared(),
                max_relative = 1e-11
            );
            assert_relative_eq!(state.slope(), -gradient.norm_squared(), max_relative = 1e-11);
            assert_eq!((state.samples(), state.dimension(), state.width()), (15, 4, 90));
            let mut moved = net.clone();
            moved.step(&data, 1e-3).unwrap();
            assert_relative_eq!(state.loss_at(1e-3), moved.loss(&data).unwrap(), max_relative = 1e-11);
            for bad in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
                assert_eq!(state.loss_at(bad), f64::INFINITY, "{bad}");
            }
            assert_eq!((state.gradient_dot_previous(), state.last_step_size()), (None, None));
            let exact = jacobian_gram(&net, &data).symmetric_eigen().eigenvalues.max();
            let found = state.largest_kernel_eigenvalue();
            assert!(
                found >= exact * (1.0 - 1e-9) && found <= 1.02 * exact,
                "{found} {exact}"
            );
        } else {
            let mut moved = net.clone();
            moved.step(&data, 1e-4).unwrap();
            let dot = net.gradient(&data).unwrap().dot(&moved.gradient(&data).unwrap());
            assert_relative_eq!(state.gradient_dot_previous().unwrap(), dot, max_relative = 1e-10);
            assert_eq!(state.last_step_size(), Some(1e-4));
        }
        1e-4
    });
    fit(Trainer::new(probe).max_steps(2));
}

/// G = J J^T from the Jacobian written out.
fn jacobian_gram(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> DMatrix<f64> {
    let (d, m) = net.weights().shape();
    let jacobian = DMatrix::from_fn(data.samples(), d * m, |i, column| {
        let (k, r) = (column % d, column / d);
        let x = data.points().column(i);
        net.output_weights()[r] * net.weights().column(r).dot(&x).exp() * x[k]
    });
    &jacobian * jacobian.transpose()
}

/// Plain loops for momentum and its Nesterov variant.
fn by_loops(beta: f64, nesterov: bool, steps: usize, eta: f64) -> DMatrix<f64> {
    let (data, start) = (data(), net());
    let mut weights = start.weights().clone();
    let mut velocity = DMatrix::zeros(4, 90);
    for _ in 0..steps {
        let now = ExpNetwork::from_parts(weights.clone(), start.output_weights().clone()).unwrap();
        let gradient = now.gradient(&data).unwrap();
        velocity = velocity * beta - &gradient * eta;
        weights += if nesterov {
            &velocity * beta - gradient * eta
        } else {
            velocity.clone()
        };
    }
    weights
}

#[test]
fn momentum_and_nesterov_are_the_loops_in_their_docs() {
    for (method, nesterov) in [
        (GradientDescent::default().momentum(0.8), false),
        (GradientDescent::default().nesterov(0.8), true),
    ] {
        let (after, report) = fit(Trainer::new(2e-4).method(method).max_steps(6));
        assert_relative_eq!(*after.weights(), by_loops(0.8, nesterov, 6, 2e-4), epsilon = 1e-12);
        assert_eq!(report.passes(), 7);
    }
}

#[test]
fn clipping_shortens_the_gradient_to_its_bound() {
    let gradient = net().gradient(&data()).unwrap();
    let (after, report) = fit(Trainer::new(0.1)
        .method(GradientDescent::default().clip_norm(0.5))
        .max_steps(1));
    let expected = net().weights() - &gradient * (0.1 * 0.5 / gradient.norm());
    assert_relative_eq!(*after.weights(), expected, epsilon = 1e-13);
    assert_eq!(report.steps(), 1);
    let (loose, _) = fit(Trainer::new(1e-4)
        .method(GradientDescent::default().clip_norm(1e9))
        .max_steps(5));
    let (plain, _) = fit(Trainer::new(1e-4).max_steps(5));
    assert_relative_eq!(*loose.weights(), *plain.weights(), epsilon = 1e-13);
}

/// Lends a minibatch method and notes what it deals.
struct Noted<'a> {
    inner: Minibatch,
    dealt: &'a mut Vec<Vec<usize>>,
}

impl Method<f64> for Noted<'_> {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        self.inner.direction(evaluation, direction)
    }

    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        Method::<f64>::batch(&mut self.inner, samples, batch);
        self.dealt.push(batch.clone());
    }

    fn prepare(&mut self, samples: usize) -> Result<Kind, Error> {
        Method::<f64>::prepare(&mut self.inner, samples)
    }
}

#[test]
fn an_epoch_deals_every_sample_once_and_keeps_the_short_batch() {
    let mut dealt = Vec::new();
    fit(Trainer::new(1e-4)
        .method(Noted {
            inner: Minibatch::new(4).seed(9),
            dealt: &mut dealt,
        })
        .max_steps(8));
    for epoch in dealt.chunks_exact(4) {
        assert_eq!(epoch.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4, 3]);
        let mut all = epoch.concat();
        all.sort_unstable();
        assert_eq!(all, (0..15).collect::<Vec<_>>());
    }
    assert_ne!(dealt[0], dealt[4], "shuffled anew");
}

#[test]
fn a_minibatch_step_follows_its_own_batch() {
    let mut dealt = Vec::new();
    let (after, _) = fit(Trainer::new(1e-3)
        .method(Noted {
            inner: Minibatch::new(4).seed(9),
            dealt: &mut dealt,
        })
        .max_steps(3));
    let mut expected = net();
    for batch in &dealt[..3] {
        expected.step(&data().select(batch).unwrap(), 1e-3).unwrap();
    }
    assert_relative_eq!(*after.weights(), *expected.weights(), epsilon = 1e-12);
    let again = fit(Trainer::new(1e-3).method(Minibatch::new(4).seed(9)).max_steps(3)).0;
    assert_eq!(again, after, "the seed decides");
}

#[test]
fn minibatches_test_the_tolerance_once_an_epoch() {
    let (_, report) = fit(Trainer::new(1e-4)
        .method(Minibatch::new(4))
        .tolerance(1e3)
        .max_steps(100));
    assert_eq!((report.steps(), report.termination()), (4, Termination::Converged));
}

/// Takes back every step that raises the loss, and halves its dual.
struct Careful {
    share: f64,
    undone: usize,
}

impl Method<f64> for Careful {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        direction.dual.iter_mut().for_each(|v| *v *= self.share);
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        if outcome.loss_after < outcome.loss_before {
            return Verdict::Keep;
        }
        self.share /= 2.0;
        self.undone += 1;
        Verdict::Undo
    }
}

#[test]
fn a_method_may_take_steps_back() {
    let mut careful = Careful { share: 1.0, undone: 0 };
    let (_, report) = fit(Trainer::new(1.0)
        .method(&mut careful as &mut dyn Method<f64>)
        .max_steps(20));
    assert_eq!((report.steps(), report.undone_steps()), (20, careful.undone));
    assert!(careful.undone > 3 && report.loss() < report.initial_loss());
    let (halved, _) = fit(Trainer::new(careful.share).max_steps(20));
    assert!(halved.loss(&data()).unwrap() < report.initial_loss());
}

/// Never content.
struct Never;

impl Method<f64> for Never {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
        Ok(())
    }

    fn judge(&mut self, _: &Outcome) -> Verdict {
        Verdict::Undo
    }
}

#[test]
fn a_method_that_takes_everything_back_stalls() {
    let (after, report) = fit(Trainer::new(1e-4).method(Never));
    assert_eq!(
        (after, report.steps(), report.termination()),
        (net(), 0, Termination::Stalled)
    );
}

/// Ridge: pulls towards the initial weights.
struct Pulled(f64);

impl Method<f64> for Pulled {
    fn direction(&mut self, _: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        direction.pull = self.0;
        Ok(())
    }
}

#[test]
fn a_pull_is_towards_the_initial_weights() {
    let (data, start) = (data(), net());
    let mut weights = start.weights().clone();
    for _ in 0..5 {
        let now = ExpNetwork::from_parts(weights.clone(), start.output_weights().clone()).unwrap();
        weights -= (now.gradient(&data).unwrap() + (&weights - start.weights()) * 20.0) * 1e-3;
    }
    let (after, _) = fit(Trainer::new(1e-3).method(Pulled(20.0)).max_steps(5));
    assert_relative_eq!(*after.weights(), weights, epsilon = 1e-12);
}

#[test]
fn a_method_sees_the_tangent_kernel() {
    struct Probe;
    impl Method<f64> for Probe {
        fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, _: &mut Direction<f64>) -> Result<(), Error> {
            let gram = evaluation.tangent_gram()?;
            let expected = jacobian_gram(&net(), &data());
            assert_relative_eq!(gram, expected, max_relative = 1e-11, epsilon = 1e-11 * expected.amax());
            let ones = vec![1.0; 15];
            let product = DVector::from_vec(evaluation.tangent_product(&ones)?);
            assert_relative_eq!(product, expected * DVector::from_vec(ones), max_relative = 1e-10);
            assert!(evaluation.tangent_product(&[1.0]).is_err());
            Ok(())
        }
    }
    fit(Trainer::new(1e-6).method(Probe).max_steps(1));
}

fn runs<T: Float>() -> Vec<u64> {
    let points = DMatrix::from_fn(6, 40, |k, i| T::lit(((2 * k + 3 * i + k * i) as f64).sin()));
    let data = Dataset::new(points, DVector::from_fn(40, |i, _| T::lit((i as f64).cos()))).unwrap();
    let mut net = Initializer::new(6, 30_000).antisymmetric(true).build::<T>().unwrap();
    let report = Trainer::default()
        .method(Minibatch::new(16).momentum(0.5))
        .max_steps(6)
        .fit(&mut net, &data)
        .unwrap();
    let report = report.loss().as_f64()
        + Trainer::default()
            .max_steps(5)
            .fit(&mut net, &data)
            .unwrap()
            .loss()
            .as_f64();
    net.weights()
        .iter()
        .map(|w| w.as_f64().to_bits())
        .chain([report.to_bits()])
        .collect()
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (runs::<f64>(), runs::<f32>()))
    };
    let one = on(1);
    assert!(on(2) == one && on(3) == one);
}

#[test]
fn the_public_types_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<ExpNetwork<f32>>();
    crosses::<ExpNetwork<f64>>();
    crosses::<Dataset<f64>>();
    crosses::<Scaling<f64>>();
    crosses::<Initializer>();
    crosses::<FitReport<f64>>();
    crosses::<History>();
    crosses::<Error>();
    crosses::<schedule::Cosine>();
    crosses::<schedule::Warmup<schedule::Constant, f64>>();
    crosses::<Minibatch>();
}

#[test]
fn step_size_is_asked_once_a_counted_step() {
    let mut asked = 0;
    let counting = |_: &mut schedule::StepState<'_, f64>| {
        asked += 1;
        1.0
    };
    let report = fit(Trainer::new(counting)
        .method(Careful { share: 1.0, undone: 0 })
        .max_steps(20))
    .1;
    assert_eq!(asked, report.steps());
}

#[test]
fn a_lent_schedule_can_be_looked_at_afterwards() {
    struct Last(f64);
    impl Schedule<f64> for Last {
        fn step_size(&mut self, state: &mut schedule::StepState<'_, f64>) -> f64 {
            self.0 = state.loss();
            1e-4
        }
    }
    let mut last = Last(0.0);
    fit(Trainer::new(&mut last as &mut dyn Schedule<f64>).max_steps(1));
    assert_relative_eq!(last.0, net().loss(&data()).unwrap(), max_relative = 1e-12);
}

//! Schedules that look at the run, and the forms a schedule comes in, on either scalar type.

use expnet::method::{Direction, Evaluation, GradientDescent, Kind, Method, Minibatch, Outcome, Verdict};
use expnet::observer::Progress;
use expnet::schedule::{
    Backtracking, BarzilaiBorwein, Constant, Cosine, DeltaBarDelta, KernelStable, Polyak, ReduceOnPlateau, Schedule,
    StepState, from_fn,
};
use expnet::{Dataset, Error, ExpNetwork, Float, Initializer, Termination, Trainer};
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;

/// Instantiates tests for both types.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod double {
            $(#[test] fn $name() { super::$name::<f64>(); })*
        }
        mod single {
            $(#[test] fn $name() { super::$name::<f32>(); })*
        }
    };
}

on_both!(
    backtracking_takes_a_pass_a_step,
    backtracking_never_rises,
    backtracking_shrinks_a_huge_first_trial,
    backtracking_keeps_to_its_largest,
    backtracking_goes_with_every_method,
    barzilai_borwein_is_several_times_faster,
    barzilai_borwein_survives_duplicates,
    barzilai_borwein_falls_back_where_curvature_is_negative,
    barzilai_borwein_falls_back_after_steps_of_zero,
    barzilai_borwein_halves_what_overflows,
    delta_bar_delta_grows,
    delta_bar_delta_shrinks_on_a_turn,
    delta_bar_delta_takes_back_a_growth,
    delta_bar_delta_converges,
    polyak_follows_its_formula,
    polyak_converges,
    kernel_stable_contracts,
    kernel_stable_damps_one_sample_at_once,
    kernel_stable_measures_again,
    plateau_lowers_a_size_that_bounces,
    asked_once_a_step,
    forms_of_a_number,
    a_lent_schedule_keeps_its_state,
    clamped,
    warmed_up,
);

/// Six points on a smooth curve, and a network wide enough for them.
fn smooth<T: Float>() -> (ExpNetwork<T>, Dataset<T>) {
    let points = DMatrix::from_fn(3, 6, |k, i| T::lit((1.3 * i as f64 + 2.1 * k as f64).sin() * 0.6));
    let labels = DVector::from_fn(6, |i, _| T::lit((0.9 * i as f64).cos() * 0.5));
    let net = Initializer::new(3, 64).antisymmetric(true).std_dev(0.5).seed(5);
    (net.build().unwrap(), Dataset::new(points, labels).unwrap())
}

/// One neuron at w = 0 with output weight 1 and one sample at x = 1: F = exp(w), grad L = (F - y) F.
fn single_neuron<T: Float>(label: f64) -> (ExpNetwork<T>, Dataset<T>) {
    let net = ExpNetwork::from_parts(DMatrix::zeros(1, 1), DVector::from_element(1, T::one())).unwrap();
    (net, Dataset::from_rows(&[[T::one()]], &[T::lit(label)]).unwrap())
}

/// What a run went through.
struct Trace {
    sizes: Vec<f64>,
    /// One more than sizes.
    losses: Vec<f64>,
    passes: usize,
    trials: usize,
    termination: Termination,
}

impl Trace {
    fn falls(&self) -> bool {
        self.losses.windows(2).all(|pair| pair[1] <= pair[0])
    }
}

fn trace<T: Float>(trainer: Trainer<'_, T>, (mut net, data): (ExpNetwork<T>, Dataset<T>)) -> Trace {
    let (mut sizes, mut losses) = (Vec::new(), Vec::new());
    let report = trainer
        .observe(|progress: &Progress<'_, T>| {
            sizes.push(progress.step_size().unwrap().as_f64());
            losses.push(progress.loss().as_f64());
            ControlFlow::Continue(())
        })
        .fit(&mut net, &data)
        .unwrap();
    losses.insert(0, report.initial_loss().as_f64());
    assert_eq!(sizes.len(), report.steps());
    Trace {
        sizes,
        losses,
        passes: report.passes(),
        trials: report.trial_steps(),
        termination: report.termination(),
    }
}

/// Equal up to the rounding of T.
fn close<T: Float>(found: f64, expected: f64) {
    let bound = 16.0 * T::EPSILON.as_f64() * expected.abs();
    assert!((found - expected).abs() <= bound, "{found} instead of {expected}");
}

/// A residual that either type can reach.
fn small<T: Float>() -> f64 {
    T::EPSILON.as_f64().sqrt() * 10.0
}

fn backtracking_takes_a_pass_a_step<T: Float>() {
    for k in [1, 5, 20] {
        let schedule = Backtracking::default().initial(1e-4).grow(1.1);
        let run = trace(Trainer::<T>::new(schedule).max_steps(k), smooth());
        assert_eq!((run.passes, run.trials), (k + 1, 0));
        assert!(run.falls());
        for (t, size) in run.sizes.iter().enumerate() {
            let expected = 1e-4 * 1.1_f64.powf(t as f64);
            assert!((size / expected - 1.0).abs() < 1e-5);
        }
    }
}

fn backtracking_never_rises<T: Float>() {
    let trainer = || Trainer::<T>::new(Backtracking::default()).max_steps(200);
    let run = trace(trainer(), smooth());
    assert!(run.falls());
    assert!(run.losses[200] < 0.5 * run.losses[0]);
}

fn backtracking_shrinks_a_huge_first_trial<T: Float>() {
    let schedule = Backtracking::default().initial(1e6).shrink(0.25).grow(1.0);
    let run = trace(Trainer::<T>::new(schedule).max_steps(30), smooth());
    assert!(run.falls() && run.trials > 0);
    // Sizes are the first trial times whole powers of the factor.
    let power = (run.sizes[0] / 1e6).ln() / 0.25_f64.ln();
    assert!((power - power.round()).abs() < 1e-5 && power > 1.0);
}

fn backtracking_keeps_to_its_largest<T: Float>() {
    let schedule = Backtracking::default().initial(1e-4).grow(2.0).max(5e-4);
    let run = trace(Trainer::<T>::new(schedule).max_steps(6), smooth());
    for (size, expected) in run.sizes.iter().zip([1e-4, 2e-4, 4e-4, 5e-4, 5e-4, 5e-4]) {
        close::<T>(*size, expected);
    }
}

fn backtracking_goes_with_every_method<T: Float>() {
    let descent = GradientDescent::default();
    let run = |method: Box<dyn Method<T>>| {
        let run = trace(
            Trainer::new(Backtracking::default()).method(method).max_steps(50),
            smooth(),
        );
        assert!(run.losses[50] < run.losses[0]);
    };
    run(Box::new(descent.momentum(0.5)));
    run(Box::new(descent.nesterov(0.5)));
    run(Box::new(descent.clip_norm(0.1)));
    run(Box::new(Minibatch::new(4)));
}

fn barzilai_borwein_is_several_times_faster<T: Float>() {
    let tolerance = small::<T>();
    let steps = |trainer: Trainer<'_, T>| {
        let run = trace(trainer.max_steps(200_000).tolerance(tolerance), smooth());
        assert_eq!(run.termination, Termination::Converged);
        run.sizes.len()
    };
    let stable = steps(Trainer::new(KernelStable::default()));
    let long = steps(Trainer::new(BarzilaiBorwein::default()));
    let short = steps(Trainer::new(BarzilaiBorwein::default().short(true)));
    assert!(
        4 * long <= stable && 4 * short <= stable,
        "{long} and {short} against {stable}"
    );
}

fn barzilai_borwein_survives_duplicates<T: Float>() {
    let rows = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.1], [1.0, 0.1]].map(|row| row.map(T::lit));
    let net = || {
        Initializer::new(2, 64)
            .antisymmetric(true)
            .std_dev(0.5)
            .build::<T>()
            .unwrap()
    };
    for short in [false, true] {
        let schedule = || BarzilaiBorwein::default().short(short);
        let agreeing = Dataset::from_rows(&rows, &[0.5, 0.5, -0.5, -0.5].map(T::lit)).unwrap();
        let trainer = Trainer::new(schedule()).max_steps(500).tolerance(small::<T>());
        assert_eq!(trace(trainer, (net(), agreeing)).termination, Termination::Converged);
        // No network fits these: the least loss is 2 (0.25)^2 / 2 + 2 (0.5)^2 / 2, and going on there does no harm.
        let contrary = Dataset::from_rows(&rows, &[0.5, 0.0, -0.5, 0.5].map(T::lit)).unwrap();
        let run = trace(Trainer::new(schedule()).max_steps(300), (net(), contrary));
        assert!((run.losses.last().unwrap() - 0.3125).abs() < 1e-4);
    }
}

fn barzilai_borwein_falls_back_where_curvature_is_negative<T: Float>() {
    // L'' = F (2 F - y) is negative until F = 5.
    let schedule = BarzilaiBorwein::default().initial(1e-3);
    let trainer = Trainer::<T>::new(schedule)
        .max_steps(2000)
        .tolerance(small::<T>() * 10.0);
    let run = trace(trainer, single_neuron(10.0));
    close::<T>(run.sizes[0], 1e-3);
    close::<T>(run.sizes[1], 1e-3);
    close::<T>(run.sizes[2], 1e-3);
    assert!(run.sizes.iter().any(|&size| (size / 1e-3 - 1.0).abs() > 0.5));
    assert_eq!(run.termination, Termination::Converged);
}

fn barzilai_borwein_falls_back_after_steps_of_zero<T: Float>() {
    let mut inner = BarzilaiBorwein::default().initial(1e-3);
    let mut asked = Vec::new();
    let halting = from_fn(|state: &mut StepState<'_, T>| {
        let size = inner.step_size(state);
        asked.push(size.as_f64());
        if (2..5).contains(&state.iteration()) {
            T::zero()
        } else {
            size
        }
    });
    let run = trace(Trainer::new(halting).max_steps(7), single_neuron(2.0));
    assert_eq!(run.sizes[2..5], [0.0; 3]);
    assert_eq!(run.losses[2], run.losses[5]);
    // Nothing is to be learnt from steps of 0: the last good size, that of step 2, is offered again.
    assert_eq!(asked[3..6], [asked[2]; 3]);
    assert!(asked.iter().all(|size| size.is_finite() && *size > 0.0));
}

fn barzilai_borwein_halves_what_overflows<T: Float>() {
    let run = trace(
        Trainer::<T>::new(BarzilaiBorwein::default().initial(1e6)).max_steps(50),
        smooth(),
    );
    assert!(run.sizes[0] < 1e6 && run.trials > 0);
    for t in 1..run.losses.len() {
        let largest = run.losses[t.saturating_sub(10)..t].iter().copied().fold(0.0, f64::max);
        assert!(run.losses[t] <= 10.0 * largest * 1.001);
    }
}

fn delta_bar_delta_grows<T: Float>() {
    let schedule = DeltaBarDelta::default().initial(1e-4).growth(0.5);
    let run = trace(Trainer::<T>::new(schedule).max_steps(6), smooth());
    for (t, size) in run.sizes.iter().enumerate() {
        close::<T>(*size, 1e-4 * (1.0 + 0.5 * t as f64));
    }
    assert!(run.falls());
    let constant = DeltaBarDelta::default().initial(1e-4).growth(0.0);
    let run = trace(Trainer::<T>::new(constant).max_steps(6), smooth());
    run.sizes.iter().for_each(|size| close::<T>(*size, 1e-4));
}

fn delta_bar_delta_shrinks_on_a_turn<T: Float>() {
    // From w = 0 over ln 2 = 0.69 to w = 0.9.
    let schedule = DeltaBarDelta::default().initial(0.9).shrink(0.25);
    let run = trace(Trainer::<T>::new(schedule).max_steps(2), single_neuron(2.0));
    close::<T>(run.sizes[0], 0.9);
    close::<T>(run.sizes[1], 0.225);
}

fn delta_bar_delta_takes_back_a_growth<T: Float>() {
    let schedule = DeltaBarDelta::default().growth(0.7);
    let run = trace(Trainer::<T>::new(schedule).max_steps(200), smooth());
    let mut seen = 0;
    for t in 1..run.sizes.len() - 1 {
        if run.sizes[t] > run.sizes[t - 1] && run.losses[t + 1] > run.losses[t] {
            close::<T>(run.sizes[t + 1], run.sizes[t - 1]);
            seen += 1;
        }
    }
    assert!(seen > 0, "{:?}", run.losses);
}

fn delta_bar_delta_converges<T: Float>() {
    let steps = |trainer: Trainer<'_, T>| {
        let run = trace(trainer.max_steps(200_000).tolerance(1e-2), smooth());
        assert_eq!(run.termination, Termination::Converged);
        run.sizes.len()
    };
    let (own, stable) = (
        steps(Trainer::new(DeltaBarDelta::default())),
        steps(Trainer::new(KernelStable::default())),
    );
    assert!(own <= stable, "{own} against {stable}");
}

fn polyak_follows_its_formula<T: Float>() {
    // e = -1, L = 1/2, grad L = -1.
    let first = |schedule: Polyak| trace(Trainer::<T>::new(schedule).max_steps(1), single_neuron(2.0)).sizes[0];
    close::<T>(first(Polyak::default()), 0.5);
    close::<T>(first(Polyak::default().max(0.25).scaling(0.5)), 0.125);
    close::<T>(first(Polyak::default().minimum(0.25)), 0.25);
    close::<T>(first(Polyak::default().eps(1.0)), 0.25);
    close::<T>(first(Polyak::default().minimum(0.75)), 0.0);
    let at = Polyak::default().minimum(0.75);
    assert_eq!((at.at(0.5, 1.0), at.at(1.0, 0.0)), (0.0, 0.0));
    // In every step, with the gradient as the state has it.
    let mut expected = Vec::new();
    let schedule = from_fn(|state: &mut StepState<'_, T>| {
        let (loss, norm) = (state.loss().as_f64(), state.gradient_norm_squared().as_f64());
        expected.push((loss / norm).min(1.0));
        Polyak::default().step_size(state)
    });
    let run = trace(Trainer::new(schedule).max_steps(20), smooth());
    for (size, expected) in run.sizes.iter().zip(&expected) {
        close::<T>(*size, *expected);
    }
}

fn polyak_converges<T: Float>() {
    let trainer = Trainer::<T>::new(Polyak::default()).max_steps(100_000).tolerance(1e-3);
    let run = trace(trainer, smooth());
    assert_eq!(run.termination, Termination::Converged);
}

fn kernel_stable_contracts<T: Float>() {
    for factor in [0.5, 1.0, 1.5] {
        let schedule = KernelStable::default().factor(factor);
        let run = trace(Trainer::<T>::new(schedule).max_steps(300), smooth());
        assert!(run.falls() && run.losses[300] < 0.5 * run.losses[0], "{factor}");
        assert!(run.sizes.iter().all(|size| *size == run.sizes[0]));
    }
}

fn kernel_stable_damps_one_sample_at_once<T: Float>() {
    // G = 1 for one sample; the eigenvalue is within 2% from above.
    let run = trace(
        Trainer::<T>::new(KernelStable::default()).max_steps(1),
        single_neuron(1.01),
    );
    assert!(run.sizes[0] <= 1.0 + 1e-6 && run.sizes[0] >= 0.97, "{}", run.sizes[0]);
    assert!(run.losses[1] < 2e-3 * run.losses[0]);
}

fn kernel_stable_measures_again<T: Float>() {
    // G = F^2 grows from 1 to 9.
    let schedule = KernelStable::default().factor(0.1).refresh(5);
    let run = trace(Trainer::<T>::new(schedule).max_steps(200), single_neuron(3.0));
    assert!(run.sizes.chunks(5).all(|five| five.iter().all(|s| *s == five[0])));
    assert!((run.sizes[199] * 9.0 / run.sizes[0] - 1.0).abs() < 0.05);
    let once = KernelStable::default().factor(0.1);
    let run = trace(Trainer::<T>::new(once).max_steps(200), single_neuron(3.0));
    assert!(run.sizes.iter().all(|s| *s == run.sizes[0]));
}

fn plateau_lowers_a_size_that_bounces<T: Float>() {
    // Steps of 2.5 / lambda_max at the minimum, where lambda_max = y^2 = 4: they go to and fro.
    let schedule = || ReduceOnPlateau::new(0.625).unwrap().factor(0.5).patience(5);
    let run = trace(Trainer::<T>::new(schedule()).max_steps(100), single_neuron(2.0));
    close::<T>(run.sizes[0], 0.625);
    assert!(run.sizes.windows(2).all(|pair| pair[1] <= pair[0]));
    assert!(run.sizes.contains(&(0.625 / 2.0)));
    assert!(*run.losses.last().unwrap() < 1e-10);
}

/// Takes back every other step it made.
struct Hesitant(usize);

impl<T: Float> Method<T> for Hesitant {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, _: &mut Direction<T>) -> Result<(), Error> {
        Ok(())
    }

    fn judge(&mut self, _: &Outcome) -> Verdict {
        self.0 += 1;
        if self.0.is_multiple_of(2) {
            Verdict::Keep
        } else {
            Verdict::Undo
        }
    }

    fn prepare(&mut self, _: usize) -> Result<Kind, Error> {
        Ok(Kind::Gradient)
    }
}

fn asked_once_a_step<T: Float>() {
    #[allow(clippy::type_complexity)]
    let schedules: [fn() -> Box<dyn Schedule<T>>; 9] = [
        || Box::new(1e-3),
        || Box::new(Cosine::new(1e-3, 20).unwrap()),
        || Box::new(KernelStable::default()),
        || Box::new(Backtracking::default()),
        || Box::new(Backtracking::default().initial(1e3)),
        || Box::new(Polyak::default()),
        || Box::new(BarzilaiBorwein::default()),
        || Box::new(DeltaBarDelta::default()),
        || Box::new(ReduceOnPlateau::new(1e-3).unwrap()),
    ];
    for (i, schedule) in schedules.iter().enumerate() {
        for hesitant in [false, true] {
            let (mut inner, mut steps) = (schedule(), Vec::new());
            let counting = from_fn(|state: &mut StepState<'_, T>| {
                steps.push(state.iteration());
                inner.step_size(state)
            });
            let mut trainer = Trainer::new(counting).max_steps(25);
            if hesitant {
                trainer = trainer.method(Hesitant(0));
            }
            let run = trace(trainer, smooth());
            assert_eq!(run.sizes.len(), 25);
            assert!(steps.iter().copied().eq(0..25), "schedule {i}: {steps:?}");
        }
    }
}

fn forms_of_a_number<T: Float>() {
    fn plain<T: Float>(_: &mut StepState<'_, T>) -> T {
        T::lit(1e-3)
    }
    let mut lent = Constant::new(1e-3).unwrap();
    let boxed: Box<dyn Schedule<T>> = Box::new(Constant::new(1e-3).unwrap());
    let joined = Constant::new(1e-3).unwrap();
    let trainers = [
        Trainer::<T>::new(1e-3),
        Trainer::new(Constant::new(1e-3).unwrap()),
        Trainer::new(from_fn(|_| T::lit(1e-3))),
        Trainer::new(|_: &mut StepState<'_, T>| T::lit(1e-3)),
        Trainer::new(plain::<T>),
        Trainer::new(boxed),
        Trainer::new(&mut lent as &mut dyn Schedule<T>),
        Trainer::new(Schedule::<T>::then(joined, 4, 1e-3).clamp(0.0, 1.0)),
    ];
    for trainer in trainers {
        let run = trace(trainer.max_steps(10), smooth());
        assert_eq!(run.sizes, [T::lit(1e-3).as_f64(); 10]);
    }
}

fn a_lent_schedule_keeps_its_state<T: Float>() {
    let mut schedule = Backtracking::default().initial(1e-4).grow(2.0);
    for k in [0.0, 3.0] {
        let lent = &mut schedule as &mut dyn Schedule<T>;
        let run = trace(Trainer::new(lent).max_steps(3), smooth());
        for (t, size) in run.sizes.iter().enumerate() {
            close::<T>(*size, 1e-4 * 2_f64.powf(t as f64 + k));
        }
    }
}

fn clamped<T: Float>() {
    let schedule = from_fn(|state: &mut StepState<'_, T>| T::lit(1e-3 * state.iteration() as f64));
    let run = trace(Trainer::new(schedule.clamp(2e-3, 4e-3)).max_steps(7), smooth());
    for (size, expected) in run.sizes.iter().zip([2e-3, 2e-3, 2e-3, 3e-3, 4e-3, 4e-3, 4e-3]) {
        close::<T>(*size, expected);
    }
}

fn warmed_up<T: Float>() {
    // Adaptive ones may be warmed up too: each step's size is scaled, and step 0 does not move.
    let run = trace(
        Trainer::<T>::new(KernelStable::default().warmup(4)).max_steps(8),
        smooth(),
    );
    let full = run.sizes[7];
    for (size, share) in run.sizes.iter().zip([0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0]) {
        close::<T>(*size, share * full);
    }
    assert_eq!(run.losses[0], run.losses[1]);
    assert!(run.falls());
    let run = trace(Trainer::<T>::new(1e-3.warmup(0)).max_steps(2), smooth());
    assert_eq!(run.sizes, [T::lit(1e-3).as_f64(); 2]);
}

#[test]
fn combinators_infer_their_type() -> Result<(), Error> {
    let double = Trainer::<f64>::new(Constant::new(1e-3)?.warmup(100).then(1000, 1e-4));
    let single = Trainer::<f32>::new(Constant::new(1e-3)?.warmup(100).then(1000, 1e-4));
    let run = trace(double.max_steps(1010), smooth());
    assert_eq!((run.sizes[0], run.sizes[100], run.sizes[1000]), (0.0, 1e-3, 1e-4));
    assert_eq!(trace(single.max_steps(3), smooth()).sizes[0], 0.0);
    Ok(())
}

#[test]
fn a_debug_form_shows_the_settings() {
    let schedule: expnet::schedule::Warmup<Constant, f32> = Constant::new(0.5).unwrap().warmup(7);
    let shown = format!("{:?}", schedule.scale(2.0));
    for word in ["Scale", "Warmup", "Constant", "0.5", "7", "2.0"] {
        assert!(shown.contains(word), "{shown}");
    }
}

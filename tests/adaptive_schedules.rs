//! What the schedules that look at the run promise, in both types.

use expnet::method::{GradientDescent, Minibatch};
use expnet::observer::History;
use expnet::schedule::{
    self, Backtracking, BarzilaiBorwein, Constant, DeltaBarDelta, KernelStable, Polyak, ReduceOnPlateau, Schedule,
};
use expnet::{Dataset, FitReport, Float, Initializer, Termination, Trainer};
use nalgebra::{DMatrix, DVector};

fn data<T: Float>() -> Dataset<T> {
    let points = DMatrix::from_fn(5, 12, |k, i| {
        T::lit(((2 * k + 3 * i + 5 * k * i + 1) as f64).sin() / 2.0)
    });
    Dataset::new(points, DVector::from_fn(12, |i, _| T::lit((i as f64).cos()))).unwrap()
}

fn run<T: Float>(trainer: Trainer<'_, T>) -> (FitReport<T>, History) {
    let mut history = History::default();
    let mut net = Initializer::new(5, 512)
        .antisymmetric(true)
        .seed(1)
        .build::<T>()
        .unwrap();
    let report = trainer.observe(&mut history).fit(&mut net, &data::<T>()).unwrap();
    (report, history)
}

fn falls(losses: &[f64]) -> bool {
    losses.windows(2).all(|pair| pair[1] <= pair[0])
}

fn kernel_stable_contracts<T: Float>() {
    let (report, history) = run::<T>(Trainer::new(KernelStable::default()).max_steps(200));
    assert!(falls(history.losses()) && report.loss() < report.initial_loss() * T::lit(0.5));
    let sizes: Vec<f64> = history.step_sizes().iter().flatten().copied().collect();
    assert!(sizes.iter().all(|size| *size == sizes[0]), "measured once");
    let (_, history) = run::<T>(Trainer::new(KernelStable::default().refresh(50)).max_steps(120));
    let sizes: Vec<f64> = history.step_sizes().iter().flatten().copied().collect();
    assert!(sizes[49] == sizes[0] && sizes[50] != sizes[49] && sizes[99] == sizes[50]);
    let (_, history) = run::<T>(Trainer::new(KernelStable::default().factor(0.5)).max_steps(1));
    assert!((history.step_sizes()[1].unwrap() / sizes[0] - 0.5).abs() < 1e-6);
    // The same, as the default of the trainer, and with minibatches.
    let (default, _) = run::<T>(Trainer::default().max_steps(200));
    assert_eq!(default.loss(), report.loss());
    let (batches, _) = run::<T>(Trainer::default().method(Minibatch::new(5)).max_steps(200));
    assert!(batches.loss() < batches.initial_loss());
}

fn backtracking_takes_one_pass_a_step<T: Float>() {
    let small = Backtracking::default().initial(1e-6);
    let (report, history) = run::<T>(Trainer::new(small).max_steps(9));
    assert_eq!((report.passes(), report.trial_steps()), (10, 0));
    assert!(falls(history.losses()));
    let ratio = history.step_sizes()[2].unwrap() / history.step_sizes()[1].unwrap();
    assert!((ratio - 1.25).abs() < 1e-6);
}

fn backtracking_never_rises<T: Float>() {
    for method in [GradientDescent::default(), GradientDescent::default().clip_norm(0.3)] {
        let start = Backtracking::default().initial(1e3);
        let (report, history) = run::<T>(Trainer::new(start).method(method).max_steps(60));
        assert!(falls(history.losses()));
        assert!(report.trial_steps() > 5 && report.loss() < report.initial_loss() * T::lit(0.5));
    }
    let momentum = GradientDescent::default().momentum(0.5);
    let (report, _) = run::<T>(Trainer::new(Backtracking::default()).method(momentum).max_steps(100));
    assert!(report.loss() < report.initial_loss() * T::lit(0.1));
    let (report, _) = run::<T>(
        Trainer::new(Backtracking::default())
            .method(Minibatch::new(5))
            .max_steps(60),
    );
    assert!(report.loss() < report.initial_loss());
}

fn barzilai_borwein_is_fast<T: Float>() {
    let tolerance = 0.05;
    let steps = |schedule: Box<dyn Schedule<T>>| {
        let (report, _) = run::<T>(Trainer::new(schedule).tolerance(tolerance).max_steps(20_000));
        assert_eq!(report.termination(), Termination::Converged);
        report.steps()
    };
    let stable = steps(Box::<KernelStable>::default());
    for short in [false, true] {
        let secant = steps(Box::new(BarzilaiBorwein::default().short(short)));
        assert!(4 * secant < stable, "short {short}: {secant} steps against {stable}");
    }
}

fn barzilai_borwein_survives_a_bad_start<T: Float>() {
    let (report, _) = run::<T>(Trainer::new(BarzilaiBorwein::default().initial(1e6)).max_steps(100));
    assert!(report.loss() < report.initial_loss() && report.trial_steps() > 0);
    // Two steps of size 0: s = 0, and the size falls back.
    let zeros = Schedule::<T>::then(0.0, 2, BarzilaiBorwein::default());
    let (report, _) = run::<T>(Trainer::new(zeros).max_steps(50));
    assert!(report.loss() < report.initial_loss());
}

fn delta_bar_delta_grows_and_takes_back<T: Float>() {
    let (report, history) = run::<T>(Trainer::new(DeltaBarDelta::default().initial(1e-4)).max_steps(1000));
    let sizes: Vec<f64> = history.step_sizes().iter().flatten().copied().collect();
    // The second step is the first that could know a gradient before it, and keeping begins with the first question.
    assert!((sizes[1] / sizes[0] - 1.1).abs() < 1e-6 && sizes[20] > 2.0 * sizes[0]);
    assert!(
        sizes.windows(2).any(|pair| pair[1] < pair[0]),
        "it shrinks or takes back at last"
    );
    assert!(report.loss() < report.initial_loss() * T::lit(0.5));
}

fn polyak_and_plateau_descend<T: Float>() {
    let (report, _) = run::<T>(Trainer::new(Polyak::default()).max_steps(200));
    assert!(report.loss() < report.initial_loss() * T::lit(0.1));
    assert_eq!(report.passes(), 401, "a backward and a forward sweep each");
    let plateau = ReduceOnPlateau::new(1e-4)
        .unwrap()
        .factor(0.5)
        .patience(3)
        .threshold(0.01);
    let (_, history) = run::<T>(Trainer::new(plateau).max_steps(300));
    let sizes: Vec<f64> = history.step_sizes().iter().flatten().copied().collect();
    assert!(sizes[299] < sizes[0]);
}

fn combinators_pass_everything_on<T: Float>() {
    let warm = Schedule::<T>::warmup(KernelStable::default(), 10);
    let (_, history) = run::<T>(Trainer::new(warm).max_steps(15));
    let sizes: Vec<f64> = history.step_sizes().iter().flatten().copied().collect();
    assert_eq!(sizes[0], 0.0);
    assert!((sizes[5] / sizes[12] - 0.5).abs() < 1e-5);
    let joined = Constant::new(1e-6)
        .unwrap()
        .warmup(3)
        .then(5, 2e-6)
        .scale(2.0)
        .clamp(0.0, 3e-6);
    let (_, history) = run::<T>(Trainer::new(joined).max_steps(7));
    let sizes: Vec<f64> = history
        .step_sizes()
        .iter()
        .flatten()
        .map(|size| (size * 1e7).round())
        .collect();
    assert_eq!(sizes, [0.0, 7.0, 13.0, 20.0, 20.0, 30.0, 30.0]);
}

fn every_form_of_schedule_is_the_same<T: Float>() {
    let mut constant = Constant::new(1e-4).unwrap();
    let boxed: Box<dyn Schedule<T>> = Box::new(constant);
    let closure = |_: &mut schedule::StepState<'_, T>| T::lit(1e-4);
    let losses = [
        run::<T>(Trainer::new(1e-4).max_steps(5)).0.loss(),
        run::<T>(Trainer::new(boxed).max_steps(5)).0.loss(),
        run::<T>(Trainer::new(closure).max_steps(5)).0.loss(),
        run::<T>(Trainer::new(schedule::from_fn(|_| T::lit(1e-4))).max_steps(5))
            .0
            .loss(),
        run::<T>(Trainer::new(&mut constant as &mut dyn Schedule<T>).max_steps(5))
            .0
            .loss(),
    ];
    assert!(losses.iter().all(|loss| *loss == losses[0]));
}

macro_rules! in_both_types {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn f64() {
                super::$name::<f64>();
            }

            #[test]
            fn f32() {
                super::$name::<f32>();
            }
        }
    )*};
}

in_both_types!(
    kernel_stable_contracts,
    backtracking_takes_one_pass_a_step,
    backtracking_never_rises,
    barzilai_borwein_is_fast,
    barzilai_borwein_survives_a_bad_start,
    delta_bar_delta_grows_and_takes_back,
    polyak_and_plateau_descend,
    combinators_pass_everything_on,
    every_form_of_schedule_is_the_same,
);

//! The types that count as a schedule, and how often a schedule is asked.

use super::{close, smooth, trace};
use crate::support::{Scripted, on_both, says};
use expnet::method::{DirectionKind, Verdict};
use expnet::schedule::{
    Backtracking, BarzilaiBorwein, Constant, Cosine, DeltaBarDelta, KernelStable, Polyak, ReduceOnPlateau, Schedule,
    StepState, from_fn,
};
use expnet::{Float, Trainer};

on_both!(asked_once_a_step, forms_of_a_number, a_lent_schedule_keeps_its_state,);

/// Gradient descent that takes back every other step it made.
fn hesitant<T: Float>() -> Scripted<'static, T> {
    let mut judged = 0_usize;
    Scripted::new().of_kind(DirectionKind::Gradient).judging(move |_| {
        judged += 1;
        if judged.is_multiple_of(2) {
            Verdict::Keep
        } else {
            Verdict::Undo
        }
    })
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
        for hesitates in [false, true] {
            let (mut inner, mut steps) = (schedule(), Vec::new());
            let counting = from_fn(|state: &mut StepState<'_, T>| {
                steps.push(state.iteration());
                inner.step_size(state)
            });
            let mut trainer = Trainer::new(counting).max_steps(25);
            if hesitates {
                trainer = trainer.method(hesitant());
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

#[test]
fn a_debug_form_shows_the_settings() {
    let schedule: expnet::schedule::Warmup<Constant, f32> = Constant::new(0.5).unwrap().warmup(7);
    let shown = format!("{:?}", schedule.scale(2.0));
    says(&shown, &["Scale", "Warmup", "Constant", "0.5", "7", "2.0"]);
}

//! Warm-up, clamping and the other combinators of schedules.

use super::{close, smooth, trace};
use crate::support::on_both;
use expnet::schedule::{Constant, ExponentialDecay, KernelStable, Schedule, StepState, from_fn};
use expnet::{Error, Float, Termination, Trainer};

on_both!(clamped, warmed_up,);

fn clamped<T: Float>() {
    let schedule = from_fn(|state: &mut StepState<'_, T>| T::lit(1e-3 * state.iteration() as f64));
    let run = trace(Trainer::new(schedule.clamp(2e-3, 4e-3)).max_steps(7), smooth());
    for (size, expected) in run.sizes.iter().zip([2e-3, 2e-3, 2e-3, 3e-3, 4e-3, 4e-3, 4e-3]) {
        close::<T>(*size, expected);
    }
}

/// A size that rounds to 0 ends the run, unless there is a smallest size.
#[test]
fn a_size_that_vanishes_is_raised_by_clamping() {
    let decay = ExponentialDecay::new(1e-3, 1e-5, 1).unwrap();
    let run = trace(Trainer::<f32>::new(decay).max_steps(20), smooth());
    assert_eq!(run.termination, Termination::Stalled);
    assert!(run.sizes.len() < 12);
    let run = trace(Trainer::<f32>::new(decay.clamp(1e-4, 1.0)).max_steps(20), smooth());
    assert_eq!(run.termination, Termination::MaxSteps);
    run.sizes.iter().skip(1).for_each(|size| close::<f32>(*size, 1e-4));
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

//! User-defined schedules, methods and observers: what they are told, when they are called, and what their answers do.

use crate::support::problems::plane;
use expnet::method::{Direction, Evaluation, Method, Outcome, Verdict};
use expnet::observer::{Observer, Progress};
use expnet::schedule::{self, Constant, KernelStable, Schedule, StepState};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Float, Initializer, Memory, Scaling, Termination, Trainer};
use std::ops::ControlFlow;
use std::time::Duration;

fn data<T: Float>() -> Result<Dataset<T>, Error> {
    let raw = plane::<T>();
    Scaling::fit(&raw)?.apply(&raw)
}

fn start<T: Float>(dimension: usize) -> Result<ExpNetwork<T>, Error> {
    Initializer::new(dimension, 64)
        .std_dev(0.5)
        .antisymmetric(true)
        .seed(3)
        .build()
}

/// Trains for 60 steps and says by what factor the loss fell.
fn improvement<T: Float>(schedule: impl Schedule<T>) -> Result<f64, Error> {
    let data = data::<T>()?;
    let mut net = start(data.dimension())?;
    let before = net.loss(&data)?;
    let report = Trainer::new(schedule).max_steps(60).fit(&mut net, &data)?;
    assert_eq!(report.steps(), 60);
    Ok((report.loss() / before).as_f64())
}

/// Gradient descent on the sum of log cosh errors, which counts its answers, and takes back a step that
/// makes the loss rise, once halving what follows.
#[derive(Default)]
struct LogCosh {
    answers: usize,
    undone: usize,
    scale: f64,
}

impl<T: Float> Method<T> for LogCosh {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        assert_eq!(evaluation.residual().len(), direction.dual.len());
        if self.answers == 0 {
            self.scale = 1.0;
        }
        self.answers += 1;
        for e in &mut direction.dual {
            *e = e.tanh() * T::lit(self.scale);
        }
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        if outcome.loss_after <= outcome.loss_before {
            return Verdict::Keep;
        }
        self.undone += 1;
        self.scale /= 2.0;
        Verdict::Undo
    }

    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
        assert_eq!(samples, 24);
        Ok(())
    }
}

/// Counts the calls it gets.
#[derive(Default)]
struct Counter {
    starts: usize,
    steps: Vec<usize>,
    last_loss: f64,
    ends: usize,
}

impl<T: Float> Observer<T> for Counter {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        assert_eq!((progress.steps(), progress.step_size()), (0, None));
        self.starts += 1;
        ControlFlow::Continue(())
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        assert!(progress.movement().largest > 0.0 && progress.weights().is_ok_and(|weights| weights.ncols() == 64));
        self.steps.push(progress.steps());
        ControlFlow::Continue(())
    }

    fn end(&mut self, report: &FitReport<T>) {
        self.ends += 1;
        self.last_loss = report.loss().as_f64();
    }

    fn every(&self) -> usize {
        5
    }
}

/// Halves the step when the loss has risen.
struct HalveWhenWorse<T> {
    size: T,
    last: Option<T>,
}

impl<T: Float> Schedule<T> for HalveWhenWorse<T> {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let loss = state.loss();
        if self.last.is_some_and(|last| loss > last) {
            self.size *= T::lit(0.5);
        }
        self.last = Some(loss);
        self.size
    }
}

/// Asks the state for everything it offers.
fn curious<T: Float>() -> impl Schedule<T> {
    schedule::from_fn(|state: &mut StepState<'_, T>| {
        assert_eq!((state.samples(), state.dimension(), state.width()), (24, 3, 64));
        let squared = state.gradient_norm_squared();
        assert!((state.slope() + squared).abs() <= squared * T::lit(1e-3));
        assert_eq!(state.momentum_slope(), T::zero());
        assert_eq!(state.gradient_dot_previous().is_none(), state.iteration() == 0);
        assert!(state.residual_norm() > T::zero());
        let size = T::one() / state.largest_kernel_eigenvalue();
        assert!(state.loss_at(size) < state.loss());
        assert!(!state.loss_at(T::lit(-1.0)).is_finite());
        size
    })
}

fn own_schedules<T: Float>() -> Result<(), Error> {
    let boxed: Box<dyn Schedule<T>> = Box::new(Constant::new(1e-3)?);
    let mut lent = HalveWhenWorse {
        size: T::lit(1e-3),
        last: None,
    };
    assert!(improvement::<T>(&mut lent as &mut dyn Schedule<T>)? < 1.0);
    assert!(lent.last.is_some());
    assert!(improvement::<T>(boxed)? < 1.0);
    assert!(improvement::<T>(1e-3)? < 1.0);
    assert!(improvement::<T>(move |_: &mut StepState<'_, T>| T::lit(1e-3))? < 1.0);
    assert!(improvement::<T>(curious())? < 1.0);
    assert!(improvement::<T>(KernelStable::default().factor(1.5).refresh(20))? < 0.5);
    Ok(())
}

fn own_method_and_observers<T: Float>() -> Result<(), Error> {
    let data = data::<T>()?;
    let mut net = start(data.dimension())?;
    let (mut method, mut counter, mut seen) = (LogCosh::default(), Counter::default(), 0);
    let report = Trainer::new(0.1)
        .method(&mut method as &mut dyn Method<T>)
        .observe(&mut counter as &mut dyn Observer<T>)
        .observe(|progress: &Progress<'_, T>| {
            seen = progress.steps();
            if seen == 33 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .memory(Memory::Recompute)
        .max_time(Duration::from_secs(3600))
        .fit(&mut net, &data)?;
    assert_eq!(
        (report.termination(), report.steps(), seen),
        (Termination::Stopped, 33, 33)
    );
    assert!(method.undone > 0, "a step of 0.1 is too long to begin with");
    assert_eq!(
        (method.undone, method.answers),
        (report.undone_steps(), 33 + method.undone)
    );
    assert_eq!((counter.starts, counter.ends), (1, 1));
    assert_eq!(counter.steps, [5, 10, 15, 20, 25, 30, 33]);
    assert_eq!(counter.last_loss, report.loss().as_f64());
    assert!(report.loss() < report.initial_loss());
    Ok(())
}

#[test]
fn schedules() -> Result<(), Error> {
    own_schedules::<f64>()?;
    own_schedules::<f32>()
}

#[test]
fn method_and_observers() -> Result<(), Error> {
    own_method_and_observers::<f64>()?;
    own_method_and_observers::<f32>()
}

//! What came of a run.

mod file;

pub(crate) use file::Document;

use crate::float::Float;
use std::fmt;
use std::time::Duration;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Termination {
    /// ||e||_2 reached the tolerance.
    Converged,
    /// The number of steps was used up.
    MaxSteps,
    /// The validation loss did not improve for `patience` steps.
    NoImprovement,
    /// An observer asked to stop.
    Stopped,
    /// The gradient is exactly zero: no step can move.
    Stationary,
    /// The time was used up.
    MaxTime,
    /// The loss stopped falling, by the test of [`Trainer::stall`](crate::Trainer::stall).
    Stalled,
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "the tolerance was reached",
            Self::MaxSteps => "the number of steps was used up",
            Self::NoImprovement => "the validation loss stopped improving",
            Self::Stopped => "an observer stopped it",
            Self::Stationary => "the gradient is zero",
            Self::MaxTime => "the time was used up",
            Self::Stalled => "the loss stopped falling",
        })
    }
}

/// What came of a run. `Display` prints a readable summary.
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer};
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build()?;
/// let report = Trainer::default().max_steps(100).tolerance(1e-6).fit(&mut net, &data)?;
/// println!("{report}");
/// assert!(report.residual_norm() <= 1e-6);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FitReport<T> {
    pub(crate) termination: Termination,
    pub(crate) steps: usize,
    pub(crate) passes: usize,
    pub(crate) trial_steps: usize,
    pub(crate) undone_steps: usize,
    pub(crate) initial_loss: T,
    pub(crate) loss: T,
    pub(crate) residual_norm: T,
    pub(crate) last_step_size: Option<T>,
    pub(crate) validation: Option<(T, usize)>,
    pub(crate) elapsed: Duration,
    pub(crate) problems: Vec<String>,
}

impl<T: Float> FitReport<T> {
    /// Why the run ended.
    pub fn termination(&self) -> Termination {
        self.termination
    }

    /// The number of steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The number of sweeps over all neurons: k steps of a constant size take k + 1, and two more with minibatches, for the loss
    /// on all samples at the start and at the end.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// The number of trials ([`loss_at`](crate::schedule::StepState::loss_at)) that no step used.
    pub fn trial_steps(&self) -> usize {
        self.trial_steps
    }

    /// The number of steps that the method took back.
    pub fn undone_steps(&self) -> usize {
        self.undone_steps
    }

    /// The loss before the first step, on all samples.
    pub fn initial_loss(&self) -> T {
        self.initial_loss
    }

    /// The loss of the network handed back, on all samples.
    pub fn loss(&self) -> T {
        self.loss
    }

    /// ||e||_2 of the network handed back, on all samples.
    pub fn residual_norm(&self) -> T {
        self.residual_norm
    }

    /// The size of the last step, where one was taken.
    pub fn last_step_size(&self) -> Option<T> {
        self.last_step_size
    }

    /// The validation loss of the network handed back, where validation was asked for.
    pub fn validation_loss(&self) -> Option<T> {
        self.validation.map(|(loss, _)| loss)
    }

    /// The number of steps after which the validation loss was best: the network handed back is the
    /// one of that step.
    pub fn best_step(&self) -> Option<usize> {
        self.validation.map(|(_, step)| step)
    }

    /// The time from the start of the run, set-up included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What went wrong beside the run, which it did not harm: a log that could not be written. Usually nothing.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl<T: Float> fmt::Display for FitReport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} steps in {:.1?}: {}", self.steps, self.elapsed, self.termination)?;
        write!(
            f,
            "loss {:.6e} -> {:.6e}, residual norm {:.6e}",
            self.initial_loss, self.loss, self.residual_norm
        )?;
        if let Some((loss, step)) = self.validation {
            write!(f, "\nbest validation loss {loss:.6e} after step {step}")?;
        }
        write!(f, "\n{} passes over the neurons", self.passes)?;
        if self.trial_steps + self.undone_steps > 0 {
            write!(
                f,
                " ({} unused trials, {} steps undone)",
                self.trial_steps, self.undone_steps
            )?;
        }
        if let Some(size) = self.last_step_size {
            write!(f, ", last step size {size:.3e}")?;
        }
        for problem in &self.problems {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}

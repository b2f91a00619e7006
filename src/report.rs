//! The report of a run.

use crate::certificate::Proof;
use crate::exact;
use crate::float::Float;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Termination {
    /// ||e||_2 reached the tolerance.
    Converged,
    /// The maximum number of steps was reached.
    MaxSteps,
    /// The validation loss did not improve for `patience` steps (epochs, with minibatches).
    NoImprovement,
    /// An observer stopped the run.
    Stopped,
    /// The gradient is exactly zero, so no step can move the weights.
    Stationary,
    /// The time limit was reached.
    MaxTime,
    /// Convergence is proved, and the run was asked to stop then
    /// ([`Trainer::stop_when_proved`](crate::Trainer::stop_when_proved)).
    Proved,
    /// The loss stopped falling, by the test of [`Trainer::stall`](crate::Trainer::stall), or no further step was found:
    /// [`FitReport::reason`] says which.
    Stalled,
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "the tolerance was reached",
            Self::MaxSteps => "the maximum number of steps was reached",
            Self::NoImprovement => "the validation loss stopped improving",
            Self::Stopped => "an observer stopped the run",
            Self::Stationary => "the gradient is zero",
            Self::MaxTime => "the time limit was reached",
            Self::Proved => "convergence is proved",
            Self::Stalled => "the loss stopped falling",
        })
    }
}

/// The outcome of a run. `Display` prints a readable summary.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Float")]
pub struct FitReport<T> {
    pub(crate) termination: Termination,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    pub(crate) steps: usize,
    pub(crate) passes: usize,
    pub(crate) expanded_passes: usize,
    pub(crate) degree: usize,
    pub(crate) trial_steps: usize,
    pub(crate) undone_steps: usize,
    #[serde(with = "exact::number")]
    pub(crate) initial_loss: T,
    #[serde(with = "exact::number")]
    pub(crate) loss: T,
    #[serde(with = "exact::number")]
    pub(crate) residual_norm: T,
    #[serde(with = "exact::option")]
    pub(crate) last_step_size: Option<T>,
    pub(crate) validation: Option<BestValidation<T>>,
    #[serde(rename = "seconds", with = "exact::seconds")]
    pub(crate) elapsed: Duration,
    #[serde(default)]
    pub(crate) proof: Option<Proof>,
    pub(crate) problems: Vec<String>,
}

/// The lowest validation loss. The network is restored to the weights that had it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Float")]
pub(crate) struct BestValidation<T> {
    #[serde(with = "exact::number")]
    pub loss: T,
    /// The number of steps before that loss.
    pub step: usize,
}

impl<T: Float> FitReport<T> {
    /// Why the run ended.
    pub fn termination(&self) -> Termination {
        self.termination
    }

    /// More about why the run ended, if there is more to say: for [`Termination::Stalled`], what found no step.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The number of steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The number of passes, which are evaluations over all neurons: k steps of constant size take k + 1 passes, and
    /// with minibatches two more, for the loss on all samples at the start and at the end.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// How many of the passes were computed by an expansion, into monomials or harmonics: see [`Pass`](crate::Pass).
    pub fn expanded_passes(&self) -> usize {
        self.expanded_passes
    }

    /// The number of trial steps ([`loss_at`](crate::schedule::StepState::loss_at)) that were not taken.
    pub fn trial_steps(&self) -> usize {
        self.trial_steps
    }

    /// The number of steps that the method undid.
    pub fn undone_steps(&self) -> usize {
        self.undone_steps
    }

    /// The loss before the first step, on all samples.
    pub fn initial_loss(&self) -> T {
        self.initial_loss
    }

    /// The loss of the trained network, on all samples.
    pub fn loss(&self) -> T {
        self.loss
    }

    /// ||e||_2 of the trained network, on all samples.
    pub fn residual_norm(&self) -> T {
        self.residual_norm
    }

    /// The size of the last step, if any step was taken.
    pub fn last_step_size(&self) -> Option<T> {
        self.last_step_size
    }

    /// The validation loss of the trained network, if there is validation data.
    pub fn validation_loss(&self) -> Option<T> {
        self.validation.map(|best| best.loss)
    }

    /// The number of steps after which the validation loss was lowest. The trained network has the weights of that
    /// step.
    pub fn best_step(&self) -> Option<usize> {
        self.validation.map(|best| best.step)
    }

    /// The duration of the run, including set-up.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The proof of convergence, if [`Trainer::certify`](crate::Trainer::certify) found one.
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }

    /// Problems that did not end the run, such as a log that could not be written, or a constant column that an
    /// [`ExpRegressor`](crate::ExpRegressor) left out. Usually empty.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl<T: Float> fmt::Display for FitReport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} steps in {:.1?}: {}", self.steps, self.elapsed, self.termination)?;
        if let Some(reason) = &self.reason {
            writeln!(f, "{reason}")?;
        }
        write!(
            f,
            "loss {:.6e} -> {:.6e}, residual norm {:.6e}",
            self.initial_loss, self.loss, self.residual_norm
        )?;
        if let Some(BestValidation { loss, step }) = self.validation {
            write!(f, "\nbest validation loss {loss:.6e} after step {step}")?;
        }
        write!(f, "\n{} passes over the neurons", self.passes)?;
        if self.expanded_passes > 0 {
            let (expanded, degree) = (self.expanded_passes, self.degree);
            write!(f, ", {expanded} of them by expansion (degree {degree})")?;
        }
        if self.trial_steps + self.undone_steps > 0 {
            write!(
                f,
                " ({} unused trial steps, {} steps undone)",
                self.trial_steps, self.undone_steps
            )?;
        }
        if let Some(size) = self.last_step_size {
            write!(f, ", last step size {size:.3e}")?;
        }
        if let Some(proof) = &self.proof {
            write!(f, "\n{proof}")?;
        }
        for problem in &self.problems {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_round_trip() {
        for termination in [
            Termination::Converged,
            Termination::MaxSteps,
            Termination::NoImprovement,
            Termination::Stopped,
            Termination::Stationary,
            Termination::MaxTime,
            Termination::Proved,
            Termination::Stalled,
        ] {
            let report = FitReport {
                termination,
                reason: Some("no step".into()),
                steps: 70,
                passes: 81,
                expanded_passes: 80,
                degree: 23,
                trial_steps: 9,
                undone_steps: 1,
                initial_loss: f32::INFINITY,
                loss: 0.1,
                residual_norm: f32::MIN_POSITIVE / 4.0,
                last_step_size: Some(1e-7),
                validation: Some(BestValidation {
                    loss: 1.0 / 3.0,
                    step: 64,
                }),
                elapsed: Duration::from_nanos(1_234_567_891),
                proof: None,
                problems: vec!["the log ends".into()],
            };
            let text = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<FitReport<f32>>(&text).unwrap(), report, "{text}");
        }
    }
}

//! When a run stops.

use crate::error::Error;
use crate::report::Termination;
use crate::setting::{at_least_one, below_one, not_negative};
use std::time::{Duration, Instant};

/// What stops a run, apart from validation and observers.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub max_steps: usize,
    pub tolerance: f64,
    pub max_time: Option<Duration>,
    pub stall: Option<Stall>,
}

/// The run stops when the loss has not fallen by the fraction `relative` within `window` steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    pub window: usize,
    pub relative: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_steps: 1000,
            tolerance: 0.0,
            max_time: None,
            stall: None,
        }
    }
}

impl Limits {
    pub fn check(&self) -> Result<(), Error> {
        not_negative("`Trainer::tolerance`", self.tolerance)?;
        if let Some(Stall { window, relative }) = self.stall {
            at_least_one("`window` of `Trainer::stall`", window)?;
            below_one("`relative` of `Trainer::stall`", relative)?;
        }
        Ok(())
    }

    /// Whether the loss on all samples decides about anything.
    pub fn need_loss(&self) -> bool {
        self.tolerance > 0.0 || self.stall.is_some()
    }
}

/// The time that a run has taken, over all resumptions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub started: Instant,
    /// Before the run was resumed.
    pub spent: Duration,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            spent: Duration::ZERO,
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.spent + self.started.elapsed()
    }
}

/// Why a step was not completed: schedule and method have then advanced, and the weights have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// The method undid it, and every other proposal.
    Undone,
    /// It gave an error.
    Failed,
}

/// Whether a run is over, and what that depends on.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub termination: Option<Termination>,
    /// Why the last step was the last one, if that takes words.
    pub reason: Option<String>,
    /// No step can move from here.
    pub stationary: bool,
    pub unfinished: Option<Unfinished>,
    /// The loss that [`Stall`] compares with, and the look at which it was reached.
    pub stall: (f64, usize),
    pub unmoved: Unmoved,
}

/// The steps in a row that have left every weight as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unmoved {
    pub steps: usize,
    /// The largest size of them.
    pub size: f64,
}

/// What a decision looks at.
pub(super) struct Look {
    pub step: usize,
    /// The number of times that the loss on all samples, and that on the validation data, has been looked at: once per step
    /// that is one, or per epoch.
    pub looks: usize,
    /// On all samples.
    pub loss: f64,
    /// An observer, or the user, wants the run to stop.
    pub asked: bool,
    /// The time is up.
    pub late: bool,
    /// The validation loss has not improved for too long.
    pub impatient: bool,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            termination: None,
            reason: None,
            stationary: false,
            unfinished: None,
            stall: (f64::INFINITY, 0),
            unmoved: Unmoved::default(),
        }
    }
}

impl Unmoved {
    /// Counts a step of this size. A larger one than before begins anew: it may move the weights soon.
    pub fn count(&mut self, step_size: f64, moved: bool) {
        if moved {
            *self = Self::default();
        } else if step_size > self.size {
            *self = Self {
                steps: 1,
                size: step_size,
            };
        } else if step_size > 0.0 {
            self.steps += 1;
        }
    }
}

impl Ending {
    /// Ends the run without a further step.
    pub fn give_up(&mut self, reason: String) {
        self.unfinished = Some(Unfinished::Undone);
        self.termination = Some(Termination::Stalled);
        self.reason = Some(reason);
    }

    /// Decides whether the run is over, and why.
    pub fn decide(&mut self, limits: &Limits, look: &Look) {
        self.termination = if (2.0 * look.loss).sqrt() <= limits.tolerance {
            Some(Termination::Converged)
        } else if self.stationary {
            Some(Termination::Stationary)
        } else if self.unfinished.is_some() {
            Some(Termination::Stalled)
        } else if look.asked {
            Some(Termination::Stopped)
        } else if look.impatient {
            Some(Termination::NoImprovement)
        } else if look.step >= limits.max_steps {
            Some(Termination::MaxSteps)
        } else if look.late {
            Some(Termination::MaxTime)
        } else {
            self.has_stalled(limits, look).then_some(Termination::Stalled)
        };
    }

    fn has_stalled(&mut self, limits: &Limits, look: &Look) -> bool {
        let Some(Stall { window, relative }) = limits.stall else {
            return false;
        };
        let (reference, since) = self.stall;
        if look.loss < reference * (1.0 - relative) || reference.is_infinite() {
            self.stall = (look.loss, look.looks);
            return false;
        }
        if look.looks - since < window {
            return false;
        }
        let by = if relative > 0.0 {
            format!("by the fraction {relative:e} ")
        } else {
            String::new()
        };
        self.reason = Some(format!(
            "the loss did not fall {by}within {window} steps or epochs (`Trainer::stall`)"
        ));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The look at which a run with these losses stalls, and why.
    fn stalls(window: usize, relative: f64, losses: &[f64]) -> Option<(usize, String)> {
        let limits = Limits {
            stall: Some(Stall { window, relative }),
            ..Limits::default()
        };
        let mut ending = Ending::default();
        for (looks, &loss) in losses.iter().enumerate() {
            let look = Look {
                step: looks,
                looks,
                loss,
                asked: false,
                late: false,
                impatient: false,
            };
            ending.decide(&limits, &look);
            if ending.termination == Some(Termination::Stalled) {
                return Some((looks, ending.reason.unwrap()));
            }
        }
        None
    }

    #[test]
    fn a_run_stalls_where_the_loss_has_not_fallen_by_more_than_the_fraction() {
        let (look, reason) = stalls(3, 0.0, &[1.0; 9]).unwrap();
        assert_eq!(look, 3);
        assert!(reason.contains("did not fall within 3 steps"), "{reason}");
        let (look, reason) = stalls(3, 0.5, &[8.0, 6.0, 4.0, 4.0, 4.0]).unwrap();
        assert_eq!(look, 3);
        assert!(reason.contains("by the fraction 5e-1 within 3 steps"), "{reason}");
        assert_eq!(stalls(3, 0.5, &[8.0, 7.0, 3.9, 3.0, 2.0, 1.0]), None);
    }
}

//! Whether a run is over: the validation loss, the loss on all samples, clocks and observers.

use super::{Best, Session};
use crate::communicator::Sum;
use crate::engine::Set;
use crate::error::Error;
use crate::float::Float;
use crate::report::Termination;
use crate::step::half_square;

impl<T: Float> Session<'_, '_, T> {
    /// After a step: the validation set, and all samples at the end of an epoch.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        if !self.batches.wanted {
            self.epoch_loss = self.position.loss();
            return self.validate(true);
        }
        self.batches.used += self.position.last_batch_size();
        if self.batches.used >= self.position.samples() {
            self.batches.used = 0;
            if self.trainer.tolerance > 0.0 || self.trainer.stall.is_some() {
                self.epoch_loss = self.position.loss_of_all()?;
            }
            self.validate(false)?;
        }
        Ok(())
    }

    /// Compares the validation loss with the best so far; `fresh` says that the last pass looked at it.
    pub(super) fn validate(&mut self, fresh: bool) -> Result<(), Error> {
        let Some((data, _)) = self.trainer.validation else {
            return Ok(());
        };
        let engine = self.position.engine_mut();
        let outputs = if fresh {
            engine.watched_outputs()
        } else {
            engine.evaluate(Set::Watched)?
        };
        let loss = half_square(outputs, data.labels());
        let step = self.position.iteration();
        match &mut self.best {
            Some(best) if loss.is_nan() || loss >= best.loss => best.last = loss,
            _ => {
                self.best = Some(Best { loss, step, last: loss });
                self.position.engine_mut().remember_best();
            }
        }
        Ok(())
    }

    /// Whether the run is over, and why.
    pub(super) fn decide(&mut self, asked: bool) -> Result<(), Error> {
        let late = self.trainer.max_time.is_some_and(|limit| self.elapsed() >= limit);
        let [asked, late] = self.vote([asked, late])?;
        let trainer = &self.trainer;
        let step = self.position.iteration();
        let waited = self.best.as_ref().map_or(0, |best| step - best.step);
        let patience = trainer.validation.map_or(usize::MAX, |(_, patience)| patience);
        let norm = (2.0 * self.epoch_loss).sqrt();
        self.termination = if norm <= trainer.tolerance {
            Some(Termination::Converged)
        } else if self.stationary {
            Some(Termination::Stationary)
        } else if self.unfinished.is_some() {
            Some(Termination::Stalled)
        } else if asked {
            Some(Termination::Stopped)
        } else if waited >= patience {
            Some(Termination::NoImprovement)
        } else if step >= trainer.max_steps {
            Some(Termination::MaxSteps)
        } else if late {
            Some(Termination::MaxTime)
        } else {
            self.has_stalled().then_some(Termination::Stalled)
        };
        Ok(())
    }

    /// What holds on any rank: clocks and observers are a rank's own.
    fn vote(&self, own: [bool; 2]) -> Result<[bool; 2], Error> {
        if self.link().is_solo() || !self.votes {
            return Ok(own);
        }
        let mut votes = own.map(|vote| f64::from(u8::from(vote)));
        self.link().sum(Sum::Vote, &mut votes)?;
        Ok(votes.map(|votes| votes > 0.0))
    }

    fn has_stalled(&mut self) -> bool {
        let Some((window, relative)) = self.trainer.stall else {
            return false;
        };
        let step = self.position.iteration();
        let (reference, since) = self.stall;
        if self.epoch_loss < reference * (1.0 - relative) || reference.is_infinite() {
            self.stall = (self.epoch_loss, step);
            return false;
        }
        step - since >= window
    }
}

//! A run between its start and its end.

use super::Names;
use super::feasible;
use super::limits::{Limits, Look, Unfinished};
use super::observers::{Event, Observers};
use super::proving::Prover;
use super::saving::{Keeper, Run};
use super::state::RunState;
use super::validation::{Best, Validation};
use crate::communicator::{Exchange, Link};
use crate::engine::Scope;
use crate::error::Error;
use crate::float::Float;
use crate::method::{DirectionKind, Method, Outcome, Verdict};
use crate::network::ExpNetwork;
use crate::numbers::overflow;
use crate::observer::Progress;
use crate::report::{BestValidation, FitReport, Termination};
use crate::schedule::{Schedule, StepState};
use crate::step::{Position, Proposal};
use nalgebra::DMatrix;
use std::fmt;

/// After this many steps that have moved nothing, momentum has become as large as it can be.
const SETTLED: usize = 20;

/// A method may undo this many steps in a row before the run counts as stalled.
const UNDO_LIMIT: usize = 100;

/// A run in progress: see [`Trainer::start`](super::Trainer::start).
///
/// The network gets the current weights when the session is finished or dropped.
#[must_use]
pub struct Session<'s, 'a, T: Float> {
    /// Holds the initial weights until the current ones are written back.
    pub(super) network: &'s mut ExpNetwork<T>,
    pub(super) position: Position<T>,
    pub(super) schedule: Box<dyn Schedule<T> + 'a>,
    pub(super) method: Box<dyn Method<T> + 'a>,
    pub(super) observers: Observers<'a, T>,
    pub(super) validation: Option<Validation<'a, T>>,
    pub(super) limits: Limits,
    pub(super) state: RunState,
    pub(super) keeper: Keeper,
    pub(super) prover: Option<Prover<T>>,
}

impl<T: Float> Session<'_, '_, T> {
    pub(super) fn link(&self) -> &Link<'static> {
        self.position.engine().link()
    }

    /// The best validation loss so far.
    fn best(&self) -> Option<Best> {
        self.validation.as_ref().and_then(|validation| validation.best)
    }

    /// Takes one step, unless the run is over, and returns why the run is over, once it is.
    ///
    /// Errors: a bad step size, a bad direction, divergence. The weights are then the last ones at
    /// which the loss was finite.
    pub fn step(&mut self) -> Result<Option<Termination>, Error> {
        if self.state.ending.termination.is_none() {
            let stepped = self.try_step();
            if stepped.is_err() {
                self.state.ending.unfinished = Some(Unfinished::Failed);
            }
            self.link().leave_on_error(stepped)?;
        }
        Ok(self.state.ending.termination)
    }

    fn try_step(&mut self) -> Result<(), Error> {
        // After an error, the step is tried again.
        self.state.ending.unfinished = None;
        self.choose_direction()?;
        let Some(step_size) = self.choose_step_size()? else {
            return Ok(());
        };
        if self.prove(step_size)? {
            return Ok(());
        }
        self.deal_batch()?;
        let Some(proposal) = self.propose(step_size)? else {
            let reason = "the method undid every step, or found no direction in which the loss falls";
            self.state.ending.give_up(reason.into());
            return Ok(());
        };
        self.state.ending.stationary = self.position.is_stationary() && !self.state.epoch.batched;
        self.state.epoch.stepped |= !self.position.rests(step_size);
        self.state.ending.unmoved.count(step_size, proposal.moved);
        self.position.accept(proposal)?;
        self.look()?;
        let asked = self.notify(Event::Step);
        self.decide(asked)?;
        self.stop_if_unmoved();
        if self.keeper.is_due(self.steps()) {
            self.save()?;
        }
        Ok(())
    }

    /// Stops the run if as many steps as could make a difference have left every weight as it was.
    fn stop_if_unmoved(&mut self) {
        let (samples, batch) = (self.position.at().samples(), self.position.last_batch_size());
        let enough = match self.method.kind() {
            DirectionKind::Gradient => 2,
            // Each batch has a direction of its own.
            DirectionKind::BatchGradient => 2 * samples.div_ceil(batch.max(1)),
            // A velocity or the state of a method may still change.
            _ => SETTLED,
        };
        let ending = &mut self.state.ending;
        if ending.unmoved.steps >= enough && ending.termination.is_none() {
            ending.termination = Some(Termination::Stalled);
            ending.reason = Some(format!(
                "steps of size {:e} move no weight: they are lost in the rounding of {}",
                ending.unmoved.size,
                T::NAME
            ));
        }
    }

    fn choose_direction(&mut self) -> Result<(), Error> {
        let method = &mut self.method;
        self.position.choose(self.network.weights(), |evaluation, direction| {
            method.direction(evaluation, direction)
        })
    }

    /// The size of the next step, or `None` if the schedule finds no step and the method no other direction: the run is over
    /// then.
    fn choose_step_size(&mut self) -> Result<Option<f64>, Error> {
        let mut again = self.method.kind().has_a_choice();
        loop {
            let state = &mut StepState::new(&mut self.position);
            let size = self.schedule.step_size(state).as_f64();
            self.position.at_mut().check()?;
            let Some(reason) = self.position.at_mut().take_stall() else {
                if size.is_finite() && size >= 0.0 {
                    return Ok(Some(size));
                }
                return Err(Error::StepSize {
                    step: self.steps(),
                    value: size,
                    remedy: "return a finite number >= 0 from the schedule, or call `StepState::stall` where it finds no step",
                });
            };
            let loss = self.position.at().loss();
            let nowhere = Outcome {
                step_size: 0.0,
                loss_before: loss,
                loss_after: loss,
                movement: None,
            };
            // A method may know another direction, for example by a new G; once, lest the loop never end.
            if self.method.judge(&nowhere) == Verdict::GiveUp || !std::mem::take(&mut again) {
                self.state.ending.give_up(reason);
                return Ok(None);
            }
            self.choose_direction()?;
        }
    }

    pub(super) fn deal_batch(&mut self) -> Result<(), Error> {
        let samples = self.position.at().samples();
        let dealt = &mut self.state.epoch.dealt;
        dealt.clear();
        self.method.batch(samples, dealt);
        self.state.epoch.batched |= !dealt.is_empty();
        match dealt.iter().find(|&&i| i >= samples) {
            Some(&i) => Err(Error::Shape {
                what: "a sample index in the method's batch".into(),
                expected: samples - 1,
                found: i,
                remedy: "indices are counted from 0: `Method::batch` must give at most the expected one",
            }),
            None => self.position.engine_mut().choose_batch(dealt),
        }
    }

    /// Returns a step that the method keeps, or `None` if it undoes every one.
    fn propose(&mut self, step_size: f64) -> Result<Option<Proposal>, Error> {
        let loss_before = self.position.at().loss();
        let scope = if self.state.epoch.batched {
            Scope::Batch
        } else {
            Scope::BatchAndValidation
        };
        for _ in 0..UNDO_LIMIT {
            let proposal = self.position.step_to(step_size, scope)?;
            let verdict = self.method.judge(&Outcome {
                step_size,
                loss_before,
                loss_after: proposal.loss,
                movement: proposal.movement,
            });
            match verdict {
                Verdict::Keep if proposal.loss.is_finite() => return Ok(Some(proposal)),
                Verdict::Keep => {
                    return Err(Error::Diverged {
                        step: self.steps(),
                        step_size,
                        last_loss: loss_before,
                        remedy: feasible::remedy_of_divergence(
                            self.network,
                            self.position.at().labels(),
                            self.keeper.names().schedule,
                        ),
                    });
                }
                Verdict::Undo => {
                    self.state.undone += 1;
                    self.choose_direction()?;
                }
                Verdict::GiveUp => {
                    self.state.undone += 1;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// After a step: evaluates the validation loss, and at the end of an epoch the loss on all samples.
    fn look(&mut self) -> Result<(), Error> {
        let epoch = &mut self.state.epoch;
        if !epoch.batched {
            epoch.loss = self.position.at().loss();
            if !std::mem::take(&mut epoch.stepped) {
                return Ok(());
            }
            self.state.looks += 1;
            return self.validate(true);
        }
        epoch.used += self.position.last_batch_size();
        if epoch.used >= self.position.at().samples() {
            epoch.used = 0;
            if !std::mem::take(&mut epoch.stepped) {
                return Ok(());
            }
            self.state.looks += 1;
            if self.limits.need_loss() {
                self.state.epoch.loss = self.position.at_mut().loss_of_all()?;
            }
            self.validate(false)?;
        }
        Ok(())
    }

    /// Updates the validation loss; `fresh` says that the last pass evaluated it.
    pub(super) fn validate(&mut self, fresh: bool) -> Result<(), Error> {
        let now = (self.steps(), self.state.looks);
        match &mut self.validation {
            Some(validation) => validation.look(self.position.engine_mut(), fresh, now),
            None => Ok(()),
        }
    }

    /// Calls the observers that are due; returns true if one of them wants the run to stop.
    pub(super) fn notify(&mut self, event: Event) -> bool {
        if self.observers.is_empty() {
            return false;
        }
        let best = self.best();
        let progress = Progress {
            position: &self.position,
            network: self.network,
            validation_loss: best.map(|best| T::lit(best.last)),
            max_steps: self.limits.max_steps,
            tolerance: self.limits.tolerance,
            elapsed: self.state.clock.elapsed(),
        };
        self.observers.notify(event, &progress)
    }

    /// Decides whether the run is over, and why.
    pub(super) fn decide(&mut self, asked: bool) -> Result<(), Error> {
        let late = self
            .limits
            .max_time
            .is_some_and(|limit| self.state.clock.elapsed() >= limit);
        let [asked, late] = self.vote([asked, late])?;
        let looks = self.state.looks;
        let validation = self.validation.as_ref();
        let look = Look {
            step: self.steps(),
            looks,
            loss: self.state.epoch.loss,
            asked,
            late,
            impatient: validation.is_some_and(|validation| validation.is_impatient(looks)),
        };
        self.state.ending.decide(&self.limits, &look);
        Ok(())
    }

    /// The votes of all ranks, since each has its own clock and observers: true if true on any rank.
    fn vote(&self, own: [bool; 2]) -> Result<[bool; 2], Error> {
        if self.link().is_solo() || !self.observers.vote {
            return Ok(own);
        }
        let mut votes = own.map(|vote| f64::from(u8::from(vote)));
        self.link().sum(Exchange::Vote, &mut votes)?;
        Ok(votes.map(|votes| votes > 0.0))
    }

    /// Stops the run with [`Termination::Stopped`], unless it is over already.
    pub fn stop(&mut self) {
        self.state.ending.termination.get_or_insert(Termination::Stopped);
    }

    /// Finishes the run where it stands: shows the last step to observers that have not seen it, restores the best
    /// weights, if there are validation data, and writes the weights to the network.
    ///
    /// Costs one pass if the loss on all samples is not known yet. Errors: a checkpoint that cannot be written; with
    /// minibatches, a loss on all samples that overflows although those of the batches did not.
    pub fn finish(mut self) -> Result<FitReport<T>, Error> {
        let looked = self.prove_at_the_end();
        self.link().leave_on_error(looked)?;
        self.notify(Event::End);
        self.save()?;
        let steps = self.steps();
        let best = self.best();
        let recalled = best.is_some_and(|best| best.step != steps);
        if recalled {
            self.position.engine_mut().recall_best();
        }
        let loss = if recalled || self.state.epoch.batched {
            self.position.at_mut().loss_of_all()?
        } else {
            self.position.at().loss()
        };
        let written = self.write_back();
        self.link().leave_on_error(written)?;
        self.link().finish()?;
        if !loss.is_finite() {
            // Minibatches only: their own losses were finite.
            return Err(overflow::<T>("the loss over all points", loss));
        }
        let passes = self.position.engine().passes();
        let mut report = FitReport {
            termination: self.state.ending.termination.unwrap_or(Termination::Stopped),
            reason: self.state.ending.reason.clone(),
            steps,
            passes: passes.all,
            expanded_passes: passes.expanded,
            degree: passes.degree,
            trial_steps: self.position.trials(),
            undone_steps: self.state.undone,
            initial_loss: T::lit(self.state.initial_loss),
            loss: T::lit(loss),
            residual_norm: T::lit((2.0 * loss).sqrt()),
            last_step_size: self.position.last_step_size().map(T::lit),
            validation: best.map(|best| BestValidation {
                loss: T::lit(best.loss),
                step: best.step,
            }),
            elapsed: self.state.clock.elapsed(),
            proof: self.prover.as_mut().and_then(|prover| prover.proof.take()),
            problems: Vec::new(),
        };
        self.observers.end(&mut report);
        Ok(report)
    }

    /// The number of steps taken so far.
    pub fn steps(&self) -> usize {
        self.position.at().iteration()
    }

    /// The loss at the current weights (on the next batch, with minibatches).
    pub fn loss(&self) -> T {
        T::lit(self.position.at().loss())
    }

    /// ||e||_2 at the current weights (on the next batch, with minibatches).
    pub fn residual_norm(&self) -> T {
        T::lit((2.0 * self.position.at().loss()).sqrt())
    }

    /// Why the run is over, once it is.
    pub fn termination(&self) -> Option<Termination> {
        self.state.ending.termination
    }

    /// Copies the current weights, d x m, into `weights`, which may have any shape. Costs O(d m).
    ///
    /// ```
    /// # use expnet::{Dataset, Initializer, Trainer};
    /// # use nalgebra::DMatrix;
    /// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
    /// let mut weights = DMatrix::zeros(0, 0);
    /// let mut session = Trainer::new(1e-3).start(&mut net, &data)?;
    /// session.step()?;
    /// session.weights_into(&mut weights)?;
    /// session.stop();
    /// session.finish()?;
    /// assert_eq!(net.weights(), &weights);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: out of memory.
    pub fn weights_into(&self, weights: &mut DMatrix<T>) -> Result<(), Error> {
        weights.clone_from(self.network.weights());
        self.position.engine().advance(weights)
    }

    /// Writes the checkpoint, if there is to be one and it does not hold this step yet. If that fails, the best weights are
    /// restored, since the run may end here, and the error says how far it came.
    fn save(&mut self) -> Result<(), Error> {
        let best = self.best();
        let saved = self.keeper.save(&Run {
            schedule: &*self.schedule,
            method: &*self.method,
            position: &self.position,
            state: &self.state,
            best,
            prover: self.prover.as_ref(),
            initial: self.network.weights(),
        });
        let Err(error) = saved else { return Ok(()) };
        self.position.engine_mut().recall_best();
        // A step that is tried again starts there; with other ranks, the run has ended. The error is that of the file.
        if self.link().is_solo() {
            let _ = self.position.evaluate();
        }
        Err(match error {
            Error::Io { action, source } => {
                let (step, loss) = (self.steps(), self.state.epoch.loss);
                let best = best.map_or(String::new(), |best| {
                    format!(", best validation loss {:.6e} after step {}", best.loss, best.step)
                });
                let action = format!("{action} after step {step} (loss {loss:.6e}{best})");
                Error::Io { action, source }
            }
            error => error,
        })
    }

    fn write_back(&mut self) -> Result<(), Error> {
        if !self.keeper.written_back {
            self.position.engine().advance(self.network.weights_mut())?;
            self.keeper.written_back = true;
        }
        Ok(())
    }
}

impl<T: Float> Drop for Session<'_, '_, T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.link().leave();
        }
        // Fails only if there is no memory for one panel, which a drop cannot report.
        let _ = self.write_back();
    }
}

impl<T: Float> fmt::Debug for Session<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Names { schedule, method } = self.keeper.names();
        f.debug_struct("Session")
            .field("schedule", &schedule)
            .field("method", &method)
            .field("steps", &self.steps())
            .field("loss", &self.position.at().loss())
            .field("termination", &self.state.ending.termination)
            .finish_non_exhaustive()
    }
}

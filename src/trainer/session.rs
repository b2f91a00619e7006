//! A run between its start and its end.

use super::limits::{Clock, Ending, Limits, Look, Unfinished};
use super::saving::Keeper;
use super::validation::Validation;
use super::{Names, Trainer};
use crate::checkpoint::{Identity, Saved};
use crate::checksum::Checksum;
use crate::communicator::{Link, Solo, Sum};
use crate::dataset::Dataset;
use crate::engine::{Engine, Look as Ahead};
use crate::error::Error;
use crate::float::Float;
use crate::method::{Method, Outcome, Verdict};
use crate::network::ExpNetwork;
use crate::numbers::overflow;
use crate::observer::{Observer, Progress};
use crate::report::{BestValidation, FitReport, Termination};
use crate::schedule::{Schedule, StepState};
use crate::step::{Position, Proposal};
use nalgebra::DMatrix;
use num_traits::ToPrimitive;
use std::fmt;
use std::ops::ControlFlow;

/// A method may take back this many steps in a row before the run counts as stalled.
const UNDO_LIMIT: usize = 100;

/// A run in progress: see [`Trainer::start`].
///
/// The network gets the current weights when the session is finished or dropped.
#[must_use]
pub struct Session<'s, 'a, T: Float> {
    /// With the initial weights, until they are written back.
    pub(super) network: &'s mut ExpNetwork<T>,
    pub(super) position: Position<T>,
    pub(super) schedule: Box<dyn Schedule<T> + 'a>,
    pub(super) method: Box<dyn Method<T> + 'a>,
    observers: Observers<'a, T>,
    pub(super) validation: Option<Validation<'a, T>>,
    limits: Limits,
    pub(super) clock: Clock,
    pub(super) epoch: Epoch,
    pub(super) counts: Counts,
    pub(super) ending: Ending,
    pub(super) keeper: Keeper,
}

/// Those who watch.
struct Observers<'a, T: Float> {
    all: Vec<Box<dyn Observer<T> + 'a>>,
    /// Some rank has a clock or an observer that may end the run.
    vote: bool,
}

/// The batches of a run: there are none for a full-batch method.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    pub batched: bool,
    /// The samples of the next step.
    dealt: Vec<usize>,
    /// Samples used since the last epoch began.
    pub used: usize,
    /// The loss on all samples, as of the last epoch that evaluated it.
    pub loss: f64,
}

/// What the report tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub initial_loss: f64,
    pub undone: usize,
}

/// What a rank prepares by itself.
struct Packed<T: Float> {
    engine: Engine<T>,
    /// The checkpoint, and the initial weights in it.
    resumed: Option<(Saved<T>, DMatrix<T>)>,
}

impl<T: Float> Packed<T> {
    fn new(
        trainer: &Trainer<'_, T>,
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        identity: Option<&Identity>,
        rank: usize,
    ) -> Result<Self, Error> {
        let resumed = match (&trainer.resume, identity) {
            (Some(path), Some(identity)) => {
                let mut saved = Saved::open(path, identity, rank)?;
                let initial = saved.initial()?;
                Some((saved, initial))
            }
            _ => None,
        };
        let validation = trainer.validation.as_ref().map(|validation| validation.data.points());
        let engine = Engine::new(
            resumed.as_ref().map_or(network.weights(), |(_, initial)| initial),
            network.output_weights(),
            data.points(),
            validation,
            trainer.memory,
        )?;
        Ok(Self { engine, resumed })
    }
}

impl<'s, 'a, T: Float> Session<'s, 'a, T> {
    pub(super) fn new(
        mut trainer: Trainer<'a, T>,
        network: &'s mut ExpNetwork<T>,
        data: &Dataset<T>,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let link = Link::new(std::mem::replace(&mut trainer.communicator, Box::new(Solo)));
        let checked = trainer.check(network, data);
        let schedule = link.pass(checked)?;
        let (width, vote) = greet(&link, &trainer, network, data)?;
        let asked = trainer.checkpoint.is_some() || trainer.resume.is_some();
        let validation = trainer.validation.as_ref().map(|validation| validation.data);
        let identity = asked.then(|| Identity::of(&link, network, data, validation));
        let identity = identity.transpose()?;
        let packed = Packed::new(&trainer, network, data, identity.as_ref(), link.rank());
        let Packed { engine, resumed } = link.pass(packed)?;
        let shape = (network.dimension(), width);
        let mut session = Self {
            network,
            position: Position::new(engine.joined(link), data.labels().clone(), shape),
            schedule,
            method: trainer.method,
            observers: Observers {
                all: trainer.observers,
                vote,
            },
            validation: trainer.validation,
            limits: trainer.limits,
            clock,
            epoch: Epoch::default(),
            counts: Counts {
                initial_loss: f64::NAN,
                undone: 0,
            },
            ending: Ending::default(),
            // Until it is known where the run stands, there is nothing to write back.
            keeper: Keeper::new(trainer.checkpoint, identity, trainer.names, resumed.is_some()),
        };
        let begun = match resumed {
            Some((saved, initial)) => session.resume(saved, initial),
            None => session.begin(),
        };
        session.link().pass(begun)?;
        Ok(session)
    }

    pub(super) fn link(&self) -> &Link<'static> {
        self.position.engine().link()
    }

    /// The first evaluation, and everyone's first look at it.
    fn begin(&mut self) -> Result<(), Error> {
        self.deal_batch()?;
        self.position.evaluate()?;
        // Comparable with the loss of the report: on all samples.
        let initial = if self.epoch.batched {
            self.position.at_mut().loss_of_all()?
        } else {
            self.position.at().loss()
        };
        (self.counts.initial_loss, self.epoch.loss) = (initial, initial);
        if !self.position.at().loss().is_finite() {
            return Err(self.position.at().overflow());
        }
        if !initial.is_finite() {
            return Err(overflow::<T>("the loss over all points", initial));
        }
        self.validate(!self.epoch.batched)?;
        self.announce()
    }

    /// Tells the observers where the run starts.
    pub(super) fn announce(&mut self) -> Result<(), Error> {
        let asked = self.notify(|_| true, |observer, progress| observer.start(progress));
        self.decide(asked)
    }

    /// Takes one step, unless the run is over. Says why it is over, once it is.
    ///
    /// Errors: a bad step size, a bad direction, divergence. The weights are then the last ones at
    /// which the loss was finite.
    pub fn step(&mut self) -> Result<Option<Termination>, Error> {
        if self.ending.termination.is_none() {
            let stepped = self.try_step();
            if stepped.is_err() {
                self.ending.unfinished = Some(Unfinished::Failed);
            }
            self.link().pass(stepped)?;
        }
        Ok(self.ending.termination)
    }

    fn try_step(&mut self) -> Result<(), Error> {
        self.choose_direction()?;
        let step_size = self.choose_step_size()?;
        self.deal_batch()?;
        let Some(proposal) = self.propose(step_size)? else {
            self.ending.unfinished = Some(Unfinished::TakenBack);
            self.ending.termination = Some(Termination::Stalled);
            return Ok(());
        };
        self.ending.stationary = self.position.is_stationary() && !self.epoch.batched;
        self.position.accept(proposal)?;
        self.look()?;
        let step = self.steps();
        let asked = self.notify(
            |every| every > 0 && step.is_multiple_of(every),
            |observer, progress| observer.step(progress),
        );
        self.decide(asked)?;
        if self.keeper.is_due(step) { self.save() } else { Ok(()) }
    }

    fn choose_direction(&mut self) -> Result<(), Error> {
        let method = &mut self.method;
        self.position.choose(self.network.weights(), |evaluation, direction| {
            method.direction(evaluation, direction)
        })
    }

    fn choose_step_size(&mut self) -> Result<f64, Error> {
        let size = self
            .schedule
            .step_size(&mut StepState::new(&mut self.position))
            .as_f64();
        self.position.at_mut().check()?;
        if size.is_finite() && size >= 0.0 {
            return Ok(size);
        }
        Err(Error::StepSize {
            step: self.steps(),
            value: size,
            remedy: "a schedule must answer with a finite number that is not negative",
        })
    }

    fn deal_batch(&mut self) -> Result<(), Error> {
        let samples = self.position.at().samples();
        let dealt = &mut self.epoch.dealt;
        dealt.clear();
        self.method.batch(samples, dealt);
        self.epoch.batched |= !dealt.is_empty();
        match dealt.iter().find(|&&i| i >= samples) {
            Some(&i) => Err(Error::Shape {
                what: format!("a sample of the method's batch is {i}: the largest allowed"),
                expected: samples - 1,
                found: i,
                remedy: "samples are counted from 0",
            }),
            None => self.position.engine_mut().choose_batch(dealt),
        }
    }

    /// A step that the method keeps, or `None` where it takes back every one.
    fn propose(&mut self, step_size: f64) -> Result<Option<Proposal>, Error> {
        let loss_before = self.position.at().loss();
        let ahead = if self.epoch.batched {
            Ahead::Batch
        } else {
            Ahead::BatchAndValidation
        };
        for _ in 0..UNDO_LIMIT {
            let proposal = self.position.step_to(step_size, ahead)?;
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
                    });
                }
                Verdict::Undo => {
                    self.counts.undone += 1;
                    self.choose_direction()?;
                }
                Verdict::GiveUp => {
                    self.counts.undone += 1;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// After a step: the validation loss, and the loss on all samples at the end of an epoch.
    fn look(&mut self) -> Result<(), Error> {
        if !self.epoch.batched {
            self.epoch.loss = self.position.at().loss();
            return self.validate(true);
        }
        self.epoch.used += self.position.last_batch_size();
        if self.epoch.used >= self.position.at().samples() {
            self.epoch.used = 0;
            if self.limits.need_loss() {
                self.epoch.loss = self.position.at_mut().loss_of_all()?;
            }
            self.validate(false)?;
        }
        Ok(())
    }

    /// Looks at the validation loss; `fresh` says that the last pass evaluated it.
    fn validate(&mut self, fresh: bool) -> Result<(), Error> {
        let step = self.steps();
        match &mut self.validation {
            Some(validation) => validation.look(self.position.engine_mut(), fresh, step),
            None => Ok(()),
        }
    }

    /// Calls the observers whose interval is `due`; true where one wants the run to stop.
    fn notify(
        &mut self,
        due: impl Fn(usize) -> bool,
        call: impl Fn(&mut dyn Observer<T>, &Progress<'_, T>) -> ControlFlow<()>,
    ) -> bool {
        if self.observers.all.is_empty() {
            return false;
        }
        let best = self.validation.as_ref().and_then(|validation| validation.best);
        let progress = Progress {
            position: &self.position,
            network: self.network,
            validation_loss: best.map(|best| T::lit(best.last)),
            max_steps: self.limits.max_steps,
            tolerance: self.limits.tolerance,
            elapsed: self.clock.elapsed(),
        };
        let mut stop = false;
        for observer in &mut self.observers.all {
            if due(observer.every()) {
                stop |= call(observer.as_mut(), &progress).is_break();
            }
        }
        stop
    }

    /// Decides whether the run is over, and why.
    fn decide(&mut self, asked: bool) -> Result<(), Error> {
        let late = self.limits.max_time.is_some_and(|limit| self.clock.elapsed() >= limit);
        let [asked, late] = self.vote([asked, late])?;
        let step = self.steps();
        let validation = self.validation.as_ref();
        let look = Look {
            step,
            loss: self.epoch.loss,
            asked,
            late,
            impatient: validation.is_some_and(|validation| validation.is_impatient(step)),
        };
        self.ending.decide(&self.limits, &look);
        Ok(())
    }

    /// What holds on any rank: clocks and observers are a rank's own.
    fn vote(&self, own: [bool; 2]) -> Result<[bool; 2], Error> {
        if self.link().is_solo() || !self.observers.vote {
            return Ok(own);
        }
        let mut votes = own.map(|vote| f64::from(u8::from(vote)));
        self.link().sum(Sum::Vote, &mut votes)?;
        Ok(votes.map(|votes| votes > 0.0))
    }

    /// Ends the run as [`Termination::Stopped`], unless it is over already.
    pub fn stop(&mut self) {
        self.ending.termination.get_or_insert(Termination::Stopped);
    }

    /// Ends the run where it stands: puts the best weights back, where validation was asked for,
    /// and gives the network its weights.
    ///
    /// Costs a pass where the loss on all samples is not known yet. Errors: a checkpoint that cannot be written; with
    /// minibatches, a loss on all samples that overflows, where those of the batches did not.
    pub fn finish(mut self) -> Result<FitReport<T>, Error> {
        self.save()?;
        let steps = self.steps();
        let best = self.validation.as_ref().and_then(|validation| validation.best);
        let recalled = best.is_some_and(|best| best.step != steps);
        if recalled {
            self.position.engine_mut().recall_best();
        }
        let loss = if recalled || self.epoch.batched {
            self.position.at_mut().loss_of_all()?
        } else {
            self.position.at().loss()
        };
        let written = self.write_back();
        self.link().pass(written)?;
        self.link().finish()?;
        if !loss.is_finite() {
            // Minibatches only: their own losses were finite.
            return Err(overflow::<T>("the loss over all points", loss));
        }
        let mut report = FitReport {
            termination: self.ending.termination.unwrap_or(Termination::Stopped),
            steps,
            passes: self.position.engine().passes(),
            trial_steps: self.position.trials(),
            undone_steps: self.counts.undone,
            initial_loss: T::lit(self.counts.initial_loss),
            loss: T::lit(loss),
            residual_norm: T::lit((2.0 * loss).sqrt()),
            last_step_size: self.position.last_step_size().map(T::lit),
            validation: best.map(|best| BestValidation {
                loss: T::lit(best.loss),
                step: best.step,
            }),
            elapsed: self.clock.elapsed(),
            problems: Vec::new(),
        };
        let observers = &mut self.observers.all;
        observers.iter_mut().for_each(|observer| observer.end(&report));
        report.problems = observers.iter().filter_map(|observer| observer.problem()).collect();
        Ok(report)
    }

    /// The number of steps taken so far.
    pub fn steps(&self) -> usize {
        self.position.at().iteration()
    }

    /// The loss at the current weights (on the coming batch, with minibatches).
    pub fn loss(&self) -> T {
        T::lit(self.position.at().loss())
    }

    /// ||e||_2 at the current weights (on the coming batch, with minibatches).
    pub fn residual_norm(&self) -> T {
        T::lit((2.0 * self.position.at().loss()).sqrt())
    }

    /// Why the run is over, once it is.
    pub fn termination(&self) -> Option<Termination> {
        self.ending.termination
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
    /// Errors: no memory for it.
    pub fn weights_into(&self, weights: &mut DMatrix<T>) -> Result<(), Error> {
        weights.clone_from(self.network.weights());
        self.position.engine().advance(weights)
    }

    fn write_back(&mut self) -> Result<(), Error> {
        if !self.keeper.written_back {
            self.position.engine().advance(self.network.weights_mut())?;
            self.keeper.written_back = true;
        }
        Ok(())
    }
}

/// The first exchange: the width of the whole network, and whether any rank may want to end the run by itself.
fn greet<T: Float>(
    link: &Link<'_>,
    trainer: &Trainer<'_, T>,
    network: &ExpNetwork<T>,
    data: &Dataset<T>,
) -> Result<(usize, bool), Error> {
    if link.is_solo() {
        return Ok((network.width(), true));
    }
    let mut replicated = Checksum::default();
    let validation = trainer.validation.as_ref().map(|validation| validation.data);
    for data in [Some(data), validation].into_iter().flatten() {
        replicated.word(data.samples() as u64);
        replicated.feed(data.points().as_slice());
        replicated.feed(data.labels().as_slice());
    }
    trainer.settings().iter().for_each(|&setting| replicated.word(setting));
    replicated.word(size_of::<T>() as u64);
    link.note(replicated.finish());
    let vote = trainer.limits.max_time.is_some() || !trainer.observers.is_empty();
    let mut numbers = [network.width() as f64, f64::from(u8::from(vote))];
    link.sum(Sum::Start, &mut numbers)?;
    Ok((numbers[0].to_usize().unwrap_or(usize::MAX), numbers[1] > 0.0))
}

impl<T: Float> Drop for Session<'_, '_, T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.link().leave();
        }
        // Fails only where no memory is left for one panel; there is no one to tell here.
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
            .field("termination", &self.ending.termination)
            .finish_non_exhaustive()
    }
}

//! A run between its start and its end.

mod ending;
mod saving;

use super::Trainer;
use crate::checkpoint::{Identity, Stored};
use crate::communicator::{Link, Solo, Sum};
use crate::dataset::Dataset;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::error::Error;
use crate::float::Float;
use crate::method::{Evaluation, Outcome, Verdict};
use crate::network::ExpNetwork;
use crate::observer::Progress;
use crate::report::{FitReport, Termination};
use crate::schedule::StepState;
use crate::step::{Position, Proposal};
use nalgebra::DMatrix;
use num_traits::ToPrimitive;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A method may take back this many steps in a row before the run counts as stalled.
const UNDO_LIMIT: usize = 100;

/// Why a step did not come to its end: schedule and method have gone on then, and the weights have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfinished {
    /// The method took it back, and every other.
    TakenBack,
    /// It was an error.
    Failed,
}

/// A run in progress: see [`Trainer::start`].
///
/// The network gets the current weights when the session is finished or dropped.
pub struct Session<'s, 'a, T: Float> {
    trainer: Trainer<'a, T>,
    network: &'s mut ExpNetwork<T>,
    position: Position<T>,
    batches: Batches,
    best: Option<Best>,
    stall: (f64, usize),
    last_step_size: Option<T>,
    undone: usize,
    initial_loss: f64,
    /// The loss on all samples, where minibatches have looked at it.
    epoch_loss: f64,
    termination: Option<Termination>,
    /// No step can move from here.
    stationary: bool,
    unfinished: Option<Unfinished>,
    /// Some rank has a clock or an observer that may end the run.
    votes: bool,
    started: Instant,
    /// Time spent before the run was resumed.
    spent: Duration,
    identity: Option<Identity>,
    /// The step of the last checkpoint.
    saved: Option<usize>,
    written_back: bool,
}

/// The batches of a run: none of them for a full-batch method.
#[derive(Default)]
struct Batches {
    wanted: bool,
    next: Vec<usize>,
    /// Samples used since the last epoch began.
    used: usize,
}

/// The best validation loss so far.
struct Best {
    loss: f64,
    step: usize,
    /// The one at the last look.
    last: f64,
}

/// What a rank makes ready by itself.
struct Packed<T: Float> {
    engine: Engine<T>,
    /// The checkpoint, and the initial weights in it.
    resumed: Option<(Stored<T>, DMatrix<T>)>,
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
                let mut stored = Stored::open(path, identity, rank)?;
                let initial = stored.initial()?;
                Some((stored, initial))
            }
            _ => None,
        };
        let engine = Engine::new(
            resumed.as_ref().map_or(network.weights(), |(_, initial)| initial),
            network.output_weights(),
            data.points(),
            trainer.watched().map(Dataset::points),
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
        let started = Instant::now();
        let link = Link::new(std::mem::replace(&mut trainer.communicator, Box::new(Solo)));
        let checked = trainer.check(network, data);
        link.pass(checked)?;
        let (width, votes) = greet(&link, &trainer, network, data)?;
        let asked = trainer.checkpoint.is_some() || trainer.resume.is_some();
        let identity = asked.then(|| Identity::of(&link, network, data, trainer.watched()));
        let identity = identity.transpose()?;
        let packed = Packed::new(&trainer, network, data, identity.as_ref(), link.rank());
        let Packed { engine, resumed } = link.pass(packed)?;
        let shape = (network.dimension(), width);
        let resuming = resumed.is_some();
        let mut session = Self {
            position: Position::new(engine.joined(link), data.labels().clone(), shape),
            trainer,
            network,
            batches: Batches::default(),
            best: None,
            stall: (f64::INFINITY, 0),
            last_step_size: None,
            undone: 0,
            initial_loss: f64::NAN,
            epoch_loss: f64::NAN,
            termination: None,
            stationary: false,
            unfinished: None,
            votes,
            started,
            spent: Duration::ZERO,
            identity,
            saved: None,
            // Until it is known where the run stands.
            written_back: resuming,
        };
        let begun = match resumed {
            Some((stored, initial)) => session.go_on(stored, initial),
            None => session.begin(),
        };
        session.link().pass(begun)?;
        Ok(session)
    }

    fn link(&self) -> &Link {
        self.position.engine().link()
    }

    /// The first evaluation, and everyone's first look at it.
    fn begin(&mut self) -> Result<(), Error> {
        self.deal_batch()?;
        self.position.evaluate(&self.batches.next)?;
        // Comparable with the loss of the report: on all samples.
        self.initial_loss = if self.batches.wanted {
            self.position.loss_of_all()?
        } else {
            self.position.loss()
        };
        if !self.position.loss().is_finite() {
            return Err(self.overflow());
        }
        if !self.initial_loss.is_finite() {
            return Err(overflow_over_all::<T>(self.initial_loss));
        }
        self.epoch_loss = self.initial_loss;
        self.validate(!self.batches.wanted)?;
        self.announce()
    }

    /// Tells the observers where the run starts.
    fn announce(&mut self) -> Result<(), Error> {
        let asked = self.notify(|_| true, |observer, progress| observer.start(progress));
        self.decide(asked)
    }

    /// Takes one step, unless the run is over. Says why it is over, once it is.
    ///
    /// Errors: a bad step size, a bad direction, divergence. The weights are then the last ones at
    /// which the loss was finite.
    pub fn step(&mut self) -> Result<Option<Termination>, Error> {
        if self.termination.is_none() {
            let stepped = self.try_step();
            if stepped.is_err() {
                self.unfinished = Some(Unfinished::Failed);
            }
            self.link().pass(stepped)?;
        }
        Ok(self.termination)
    }

    fn try_step(&mut self) -> Result<(), Error> {
        self.choose_direction()?;
        let step_size = self.choose_step_size()?;
        self.deal_batch()?;
        let Some(proposal) = self.propose(step_size)? else {
            self.unfinished = Some(Unfinished::TakenBack);
            self.termination = Some(Termination::Stalled);
            return Ok(());
        };
        self.stationary = self.position.is_stationary() && !self.batches.wanted;
        self.position.accept(proposal, &self.batches.next)?;
        self.last_step_size = Some(T::lit(step_size));
        self.look()?;
        let step = self.position.iteration();
        let asked = self.notify(
            |every| every > 0 && step.is_multiple_of(every),
            |observer, progress| observer.step(progress),
        );
        self.decide(asked)?;
        match self.trainer.checkpoint {
            Some((_, every)) if step.is_multiple_of(every) => self.save(),
            _ => Ok(()),
        }
    }

    fn choose_direction(&mut self) -> Result<(), Error> {
        self.position.reset_direction();
        let mut direction = std::mem::take(&mut self.position.direction);
        let answer = self.trainer.method.direction(
            &mut Evaluation::new(&mut self.position, self.network.weights()),
            &mut direction,
        );
        self.position.direction = direction;
        answer?;
        self.position.check()?;
        self.position.direction_chosen()?;
        if self.position.direction.pull != 0.0 {
            self.position.engine_mut().keep_initial(self.network.weights())?;
        }
        Ok(())
    }

    fn choose_step_size(&mut self) -> Result<f64, Error> {
        let step = self.position.iteration();
        let Some(schedule) = &mut self.trainer.schedule else {
            return Ok(0.0);
        };
        let size = schedule.step_size(&mut StepState::new(&mut self.position)).as_f64();
        self.position.check()?;
        if size.is_finite() && size >= 0.0 {
            return Ok(size);
        }
        Err(Error::StepSize {
            step,
            value: size,
            remedy: "a schedule must answer with a finite number that is not negative",
        })
    }

    fn deal_batch(&mut self) -> Result<(), Error> {
        let samples = self.position.samples();
        self.batches.next.clear();
        self.trainer.method.batch(samples, &mut self.batches.next);
        self.batches.wanted |= !self.batches.next.is_empty();
        match self.batches.next.iter().find(|&&i| i >= samples) {
            Some(&i) => Err(Error::Shape {
                what: format!("a sample of the method's batch is {i}: the largest allowed"),
                expected: samples - 1,
                found: i,
                remedy: "samples are counted from 0",
            }),
            None => Ok(()),
        }
    }

    /// A step that the method keeps, or `None` where it takes back every one.
    fn propose(&mut self, step_size: f64) -> Result<Option<Proposal>, Error> {
        let loss_before = self.position.loss();
        for _ in 0..UNDO_LIMIT {
            let watch = !self.batches.wanted;
            let proposal = self.position.step_to(step_size, &self.batches.next, watch)?;
            let outcome = Outcome {
                step_size,
                loss_before,
                loss_after: proposal.loss,
                movement: proposal.movement,
            };
            let verdict = self.trainer.method.judge(&outcome);
            if verdict != Verdict::Keep {
                self.undone += 1;
                if verdict == Verdict::GiveUp {
                    return Ok(None);
                }
                self.choose_direction()?;
            } else if proposal.loss.is_finite() {
                return Ok(Some(proposal));
            } else {
                let step = self.position.iteration();
                return Err(Error::Diverged {
                    step,
                    step_size,
                    last_loss: loss_before,
                });
            }
        }
        Ok(None)
    }

    /// Calls the observers whose interval is `due`; true where one wants the run to stop.
    fn notify(
        &mut self,
        due: impl Fn(usize) -> bool,
        call: impl Fn(&mut dyn crate::observer::Observer<T>, &Progress<'_, T>) -> ControlFlow<()>,
    ) -> bool {
        if self.trainer.observers.is_empty() {
            return false;
        }
        let progress = Progress {
            position: &self.position,
            network: self.network,
            last_step_size: self.last_step_size,
            validation_loss: self.best.as_ref().map(|best| T::lit(best.last)),
            max_steps: self.trainer.max_steps,
            tolerance: self.trainer.tolerance,
            elapsed: self.spent + self.started.elapsed(),
        };
        let mut stop = false;
        for observer in &mut self.trainer.observers {
            if due(observer.every()) {
                stop |= call(observer.as_mut(), &progress).is_break();
            }
        }
        stop
    }

    /// Ends the run where it stands: puts the best weights back, where validation was asked for,
    /// and gives the network its weights.
    ///
    /// Costs a pass where the loss on all samples is not known yet. Errors: a checkpoint that cannot be written; with minibatches, a loss on all samples that
    /// overflows, where those of the batches did not.
    pub fn finish(mut self) -> Result<FitReport<T>, Error> {
        self.save()?;
        let steps = self.position.iteration();
        let restored = self.best.as_ref().is_some_and(|best| best.step != steps);
        if restored {
            self.position.engine_mut().recall_best();
        }
        let loss = if restored || self.batches.wanted {
            self.position.loss_of_all()?
        } else {
            self.position.loss()
        };
        let written = self.write_back();
        self.link().pass(written)?;
        self.link().finish()?;
        if !loss.is_finite() {
            // Minibatches only: their own losses were finite.
            return Err(overflow_over_all::<T>(loss));
        }
        let mut report = FitReport {
            termination: self.termination.unwrap_or(Termination::Stopped),
            steps,
            passes: self.position.engine().passes(),
            trial_steps: self.position.trials(),
            undone_steps: self.undone,
            initial_loss: T::lit(self.initial_loss),
            loss: T::lit(loss),
            residual_norm: T::lit((2.0 * loss).sqrt()),
            last_step_size: self.last_step_size,
            validation: self.best.as_ref().map(|best| (T::lit(best.loss), best.step)),
            elapsed: self.elapsed(),
            problems: Vec::new(),
        };
        for observer in &mut self.trainer.observers {
            observer.end(&report);
        }
        report.problems = self
            .trainer
            .observers
            .iter()
            .filter_map(|observer| observer.problem())
            .collect();
        Ok(report)
    }

    /// The number of steps taken so far.
    pub fn steps(&self) -> usize {
        self.position.iteration()
    }

    /// The loss at the current weights (on the coming batch, with minibatches).
    pub fn loss(&self) -> T {
        T::lit(self.position.loss())
    }

    /// ||e||_2 at the current weights (on the coming batch, with minibatches).
    pub fn residual_norm(&self) -> T {
        T::lit(self.position.residual_norm())
    }

    /// Why the run is over, once it is.
    pub fn termination(&self) -> Option<Termination> {
        self.termination
    }

    fn elapsed(&self) -> Duration {
        self.spent + self.started.elapsed()
    }

    fn write_back(&mut self) -> Result<(), Error> {
        if !self.written_back {
            self.position.engine().advance(self.network.weights_mut())?;
            self.written_back = true;
        }
        Ok(())
    }

    fn overflow(&self) -> Error {
        let residual = self.position.residual();
        let (place, value) = match residual.iter().position(|e| !e.is_finite()) {
            Some(i) => (format!("sample {i}"), residual[i].as_f64()),
            None => ("the sum over all samples".into(), f64::INFINITY),
        };
        Error::Overflow {
            place,
            value,
            dtype: T::NAME,
        }
    }
}

fn overflow_over_all<T: Float>(loss: f64) -> Error {
    Error::Overflow {
        place: "the loss over all points".into(),
        value: loss,
        dtype: T::NAME,
    }
}

/// The first exchange: the width of the whole network, and whether any rank may want to end the run by itself.
fn greet<T: Float>(
    link: &Link,
    trainer: &Trainer<'_, T>,
    network: &ExpNetwork<T>,
    data: &Dataset<T>,
) -> Result<(usize, bool), Error> {
    if link.is_solo() {
        return Ok((network.width(), true));
    }
    let mut replicated = Digest::default();
    for data in [Some(data), trainer.watched()].into_iter().flatten() {
        replicated.word(data.samples() as u64);
        let numbers = data.points().iter().chain(data.labels());
        numbers.for_each(|x| replicated.word(x.as_f64().to_bits()));
    }
    trainer.settings().iter().for_each(|&setting| replicated.word(setting));
    replicated.word(size_of::<T>() as u64);
    link.note(replicated.finish());
    let votes = trainer.max_time.is_some() || !trainer.observers.is_empty();
    let mut numbers = [network.width() as f64, f64::from(u8::from(votes))];
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

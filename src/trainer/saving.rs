//! A run on its way into a checkpoint and out of it.

use super::limits::Unfinished;
use super::session::Session;
use super::validation::Best;
use super::{Names, Validation};
use crate::checkpoint::{self, Identity, Records, Saved};
use crate::error::Error;
use crate::float::Float;
use crate::method::Method;
use crate::record::Record;
use crate::schedule::Schedule;
use nalgebra::DMatrix;
use std::path::PathBuf;
use std::time::Duration;

/// Records within each other that a checkpoint can hold: JSON is read to 128 levels, two for each record.
const DEEPEST: usize = 48;

/// No run has taken longer: a million years can be added to without care.
const LONGEST: Duration = Duration::from_secs(1 << 45);

/// What is to be kept of a run, and what has been.
#[derive(Debug)]
pub(super) struct Keeper {
    /// The file, and after how many steps it is written.
    checkpoint: Option<(PathBuf, usize)>,
    identity: Option<Identity>,
    names: Names,
    /// The step of the last checkpoint.
    saved: Option<usize>,
    /// The network has its weights.
    pub written_back: bool,
}

impl Keeper {
    pub fn new(
        checkpoint: Option<(PathBuf, usize)>,
        identity: Option<Identity>,
        names: Names,
        written_back: bool,
    ) -> Self {
        Self {
            checkpoint,
            identity,
            names,
            saved: None,
            written_back,
        }
    }

    pub fn names(&self) -> Names {
        self.names
    }

    /// Whether a checkpoint is to be written after this step.
    pub fn is_due(&self, step: usize) -> bool {
        let every = self.checkpoint.as_ref().map(|(_, every)| *every);
        every.is_some_and(|every| step.is_multiple_of(every))
    }
}

/// That the states of schedule and method can be kept.
pub(super) fn check<T: Float>(schedule: &dyn Schedule<T>, method: &dyn Method<T>, names: Names) -> Result<(), Error> {
    let states = [
        (
            schedule.save(),
            names.schedule,
            "this schedule's `save` gives no state to resume from; implement `Schedule::save` and `restore`, \
             or put a function of the state alone into `schedule::stateless`",
        ),
        (
            method.save(),
            names.method,
            "this method's `save` gives no state to resume from; implement `Method::save` and `restore`",
        ),
    ];
    for (state, with, unknown) in states {
        match state {
            None => return Err(refused(with, unknown)),
            Some(record) if record.depth() > DEEPEST => {
                return Err(refused(
                    with,
                    "its state is nested more than 48 records deep, which a checkpoint cannot hold: write one schedule of \
                     your own in place of so many combinators",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn refused(with: &'static str, reason: &'static str) -> Error {
    let what = "`Trainer::checkpoint`";
    Error::Incompatible { what, with, reason }
}

impl<T: Float> Session<'_, '_, T> {
    /// Keeps the state of the run, where that is asked for and not done at this step yet.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        let step = self.steps();
        let (Some((path, _)), Some(identity)) = (&self.keeper.checkpoint, &self.keeper.identity) else {
            return Ok(());
        };
        match self.ending.unfinished {
            None if self.keeper.saved == Some(step) => return Ok(()),
            // The checkpoint before it stays.
            Some(Unfinished::Failed) => return Ok(()),
            _ => {}
        }
        let lost = |with| refused(with, "its `save` gave a state before, and gives none now");
        let Names { schedule, method } = self.keeper.names;
        let records = Records {
            schedule: self.schedule.save().ok_or_else(|| lost(schedule))?,
            method: self.method.save().ok_or_else(|| lost(method))?,
            position: self.position.save(),
            run: self.counters(),
        };
        checkpoint::write(path, identity, records, self.position.engine(), self.network.weights())?;
        self.keeper.saved = Some(step);
        Ok(())
    }

    /// What the loop itself remembers.
    fn counters(&self) -> Record {
        let record = Record::new("run")
            .with("batch_samples_used", self.epoch.used)
            .with("batches", self.epoch.batched)
            .with("stall", self.ending.stall)
            .with("undone", self.counts.undone)
            .with("initial_loss", self.counts.initial_loss)
            .with("epoch_loss", self.epoch.loss)
            .with("stationary", self.ending.stationary)
            .with("given_up", self.ending.unfinished == Some(Unfinished::TakenBack))
            .with("seconds", self.clock.elapsed().as_secs_f64());
        match &self.validation {
            Some(Validation { best: Some(best), .. }) => record.with_part("best", best.save()),
            _ => record,
        }
    }

    /// Continues where the checkpoint was written, in place of the first evaluation.
    pub(super) fn resume(&mut self, mut saved: Saved<T>, initial: DMatrix<T>) -> Result<(), Error> {
        let records = saved.records()?;
        self.schedule.restore(&records.schedule)?;
        self.method.restore(&records.method)?;
        saved.load(self.position.engine_mut(), &initial)?;
        *self.network.weights_mut() = initial;
        self.keeper.written_back = false;
        self.position.restore(&records.position, self.network.weights())?;
        self.restore_counters(&records.run)?;
        if !self.position.at().loss().is_finite() {
            return Err(self.position.at().overflow());
        }
        self.announce()
    }

    fn restore_counters(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("run")?;
        self.epoch.used = record.count("batch_samples_used")?;
        self.epoch.batched = record.get("batches")?;
        self.epoch.loss = record.get("epoch_loss")?;
        self.counts.undone = record.count("undone")?;
        self.counts.initial_loss = record.get("initial_loss")?;
        self.ending.stall = record.get("stall")?;
        self.ending.stationary = record.get("stationary")?;
        self.ending.unfinished = record.get::<bool>("given_up")?.then_some(Unfinished::TakenBack);
        self.restore_best(record)?;
        if self.ending.stall.1 > self.steps() {
            return Err(record.damaged("stall", "lies ahead of the run"));
        }
        let seconds = record.get("seconds")?;
        self.clock.spent = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|spent| *spent < LONGEST)
            .ok_or_else(|| record.damaged("seconds", &format!("is {seconds:?}, which is no time")))?;
        Ok(())
    }

    fn restore_best(&mut self, record: &Record) -> Result<(), Error> {
        let step = self.steps();
        let (Some(validation), Ok(best)) = (&mut self.validation, record.part("best")) else {
            return Ok(());
        };
        let restored = Best::restore(best)?;
        if restored.step > step {
            return Err(best.damaged("step", "lies ahead of the run"));
        }
        validation.best = Some(restored);
        if restored.step == step {
            self.position.engine_mut().remember_best();
        }
        Ok(())
    }
}

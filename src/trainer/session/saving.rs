//! A run on its way into a checkpoint and out of it.

use super::{Best, Session, Unfinished};
use crate::checkpoint::{self, State, Stored};
use crate::error::Error;
use crate::float::Float;
use crate::record::Record;
use nalgebra::DMatrix;
use std::time::Duration;

/// No run has taken longer: a million years can be added to without care.
const LONGEST: Duration = Duration::from_secs(1 << 45);

impl<T: Float> Session<'_, '_, T> {
    /// Keeps the state of the run, where that is asked for and not done at this step yet.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        let step = self.position.iteration();
        let (Some((path, _)), Some(identity)) = (&self.trainer.checkpoint, &self.identity) else {
            return Ok(());
        };
        match self.unfinished {
            None if self.saved == Some(step) => return Ok(()),
            // The checkpoint before it stays.
            Some(Unfinished::Failed) => return Ok(()),
            _ => {}
        }
        let lost = |name, what| Error::Incompatible {
            what: "`Trainer::checkpoint`",
            with: name,
            reason: what,
        };
        let [schedule_name, method_name] = self.trainer.names;
        let schedule = self.trainer.schedule.as_ref().and_then(|schedule| schedule.save());
        let state = State {
            schedule: schedule
                .ok_or_else(|| lost(schedule_name, "its `save` gave a state before, and gives none now"))?,
            method: self
                .trainer
                .method
                .save()
                .ok_or_else(|| lost(method_name, "its `save` gave a state before, and gives none now"))?,
            position: self.position.save(),
            run: self.counters(),
        };
        checkpoint::write(path, identity, state, self.position.engine(), self.network.weights())?;
        self.saved = Some(step);
        Ok(())
    }

    /// What the loop itself remembers.
    fn counters(&self) -> Record {
        let best = self.best.as_ref().map(|best| {
            Record::new("best")
                .with("loss", best.loss)
                .with("step", best.step)
                .with("last", best.last)
        });
        Record::new("run")
            .with("batch_samples_used", self.batches.used)
            .with("batches", self.batches.wanted)
            .with("best", best)
            .with("stall_loss", self.stall.0)
            .with("stall_step", self.stall.1)
            .with("undone", self.undone)
            .with("initial_loss", self.initial_loss)
            .with("epoch_loss", self.epoch_loss)
            .with("stationary", self.stationary)
            .with("given_up", self.unfinished == Some(Unfinished::TakenBack))
            .with("seconds", self.elapsed().as_secs_f64())
    }

    /// Takes up the run where the checkpoint stands, in the place of the first evaluation.
    pub(super) fn go_on(&mut self, mut stored: Stored<T>, initial: DMatrix<T>) -> Result<(), Error> {
        let state = stored.state()?;
        if let Some(schedule) = &mut self.trainer.schedule {
            schedule.restore(&state.schedule)?;
        }
        self.trainer.method.restore(&state.method)?;
        stored.load(self.position.engine_mut(), &initial)?;
        *self.network.weights_mut() = initial;
        self.written_back = false;
        self.position.restore(&state.position, self.network.weights())?;
        self.restore_counters(&state.run)?;
        if !self.position.loss().is_finite() {
            return Err(self.overflow());
        }
        self.last_step_size = self.position.last_step_size().map(T::lit);
        self.announce()
    }

    fn restore_counters(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind("run")?;
        self.batches.used = record.count("batch_samples_used")?;
        self.batches.wanted = record.get("batches")?;
        self.best = match record.get::<Option<Record>>("best")? {
            Some(best) => Some(Best {
                loss: best.get("loss")?,
                step: self.reached(&best, "step")?,
                last: best.get("last")?,
            }),
            None => None,
        };
        if self
            .best
            .as_ref()
            .is_some_and(|best| best.step == self.position.iteration())
        {
            self.position.engine_mut().remember_best();
        }
        self.stall = (record.get("stall_loss")?, self.reached(record, "stall_step")?);
        self.undone = record.count("undone")?;
        self.initial_loss = record.get("initial_loss")?;
        self.epoch_loss = record.get("epoch_loss")?;
        self.stationary = record.get("stationary")?;
        self.unfinished = record.get::<bool>("given_up")?.then_some(Unfinished::TakenBack);
        let seconds = record.get("seconds")?;
        self.spent = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|spent| *spent < LONGEST)
            .ok_or_else(|| record.bad("seconds", &format!("is {seconds:?}, which is no time")))?;
        Ok(())
    }

    /// A step that lies behind.
    fn reached(&self, record: &Record, name: &str) -> Result<usize, Error> {
        let step = record.count(name)?;
        if step <= self.position.iteration() {
            Ok(step)
        } else {
            Err(record.bad(name, "lies ahead of the run"))
        }
    }
}

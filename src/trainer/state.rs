//! What the loop itself remembers, beside weights, schedule and method.

use super::limits::{Clock, Ending, Unfinished};
use super::validation::Best;
use crate::error::Error;
use crate::record::Record;
use std::time::Duration;

/// No run has taken longer: a million years can be added without overflow.
const LONGEST: Duration = Duration::from_secs(1 << 45);

/// The state of the loop.
#[derive(Debug)]
pub(super) struct RunState {
    pub clock: Clock,
    pub epoch: Epoch,
    pub ending: Ending,
    pub initial_loss: f64,
    /// Steps that the method undid.
    pub undone: usize,
    /// The number of looks at the losses so far: see [`Look`](super::limits::Look).
    pub looks: usize,
}

/// The batches of a run: there are none for a full-batch method.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    pub batched: bool,
    /// The samples of the next step.
    pub dealt: Vec<usize>,
    /// Samples used since the last epoch began.
    pub used: usize,
    /// Whether a step of it was one: of a size above 0, or with momentum.
    pub stepped: bool,
    /// The loss on all samples, as of the last epoch that evaluated it.
    pub loss: f64,
}

impl RunState {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            epoch: Epoch::default(),
            ending: Ending::default(),
            initial_loss: f64::NAN,
            undone: 0,
            looks: 0,
        }
    }

    pub fn save(&self, best: Option<Best>) -> Record {
        let record = Record::new("run")
            .with("batch_samples_used", self.epoch.used)
            .with("batches", self.epoch.batched)
            .with("stepped", self.epoch.stepped)
            .with("looks", self.looks)
            .with("unmoved", self.ending.unmoved.steps)
            .with("unmoved_size", self.ending.unmoved.size)
            .with("stall", self.ending.stall)
            .with("undone", self.undone)
            .with("initial_loss", self.initial_loss)
            .with("epoch_loss", self.epoch.loss)
            .with("stationary", self.ending.stationary)
            .with("given_up", self.ending.unfinished == Some(Unfinished::Undone))
            .with("reason", self.ending.reason.clone().unwrap_or_default())
            .with("seconds", self.clock.elapsed().as_secs_f64());
        match best {
            Some(best) => record.with_part("best", best.save()),
            None => record,
        }
    }

    /// Restores what [`RunState::save`] saved after `step` steps, and returns the best validation loss so far.
    pub fn restore(&mut self, record: &Record, step: usize) -> Result<Option<Best>, Error> {
        record.agree_on_kind("run")?;
        self.epoch.used = record.count("batch_samples_used")?;
        self.epoch.batched = record.get("batches")?;
        self.epoch.stepped = record.get("stepped")?;
        self.looks = record.count("looks")?;
        self.ending.unmoved.steps = record.count("unmoved")?;
        self.ending.unmoved.size = record.get("unmoved_size")?;
        self.epoch.loss = record.get("epoch_loss")?;
        self.undone = record.count("undone")?;
        self.initial_loss = record.get("initial_loss")?;
        self.ending.stall = record.get("stall")?;
        self.ending.stationary = record.get("stationary")?;
        self.ending.unfinished = record.get::<bool>("given_up")?.then_some(Unfinished::Undone);
        self.ending.reason = Some(record.get::<String>("reason")?).filter(|reason| !reason.is_empty());
        if self.looks > step || self.ending.stall.1 > self.looks {
            return Err(record.damaged("stall", "lies ahead of the run"));
        }
        let seconds = record.get("seconds")?;
        self.clock.spent = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|spent| *spent < LONGEST)
            .ok_or_else(|| record.damaged("seconds", &format!("is {seconds:?}, which is no duration")))?;
        record
            .part("best")
            .ok()
            .map(|best| Best::restore(best, step, self.looks))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_ahead_of_the_run_are_damage() {
        let restored = |looks, stalled_at| {
            let mut state = RunState::new(Clock::start());
            state.looks = looks;
            state.ending.stall.1 = stalled_at;
            RunState::new(Clock::start()).restore(&state.save(None), 7)
        };
        assert!(restored(7, 7).unwrap().is_none());
        for (looks, stalled_at) in [(8, 2), (5, 6)] {
            let error = restored(looks, stalled_at).unwrap_err().to_string();
            assert!(error.contains("lies ahead of the run"), "{error}");
        }
    }
}

//! A step size that is reduced when the loss stops falling.

use super::{Schedule, StepState, in_float};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{below_one, checked_serde, not_negative, positive, representable, within_unit};
use serde::{Deserialize, Serialize};

/// Multiplies the size by `factor` when the loss has not improved for more than `patience` steps.
///
/// With minibatches the losses of the batches are added up until they have as many samples as the data set, which is an epoch
/// if batches do not repeat samples, and only these sums are compared: read "epochs" for "steps".
///
/// ```text
/// loss < best (1 - threshold)    best <- loss,  waited <- 0              otherwise  waited <- waited + 1
/// waited > patience              size <- max(size factor, min_size),  waited <- 0,  and stays 0 for `cooldown` steps
/// ```
///
/// Same as `torch.optim.lr_scheduler.ReduceLROnPlateau` (mode `min`, relative threshold) with the loss before each step
/// as the metric, except that PyTorch skips reductions of less than 1e-8 (`eps`).
///
/// ```
/// use expnet::Trainer;
/// use expnet::schedule::ReduceOnPlateau;
///
/// let trainer = Trainer::<f64>::new(ReduceOnPlateau::new(1e-3)?.factor(0.5).patience(20));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct ReduceOnPlateau {
    initial: f64,
    #[serde(default = "ReduceOnPlateau::default_factor")]
    factor: f64,
    #[serde(default = "ReduceOnPlateau::default_patience")]
    patience: usize,
    #[serde(default = "ReduceOnPlateau::default_threshold")]
    threshold: f64,
    #[serde(default)]
    cooldown: usize,
    #[serde(default)]
    min_size: f64,
    #[serde(skip)]
    memory: Memory,
}

/// What is kept from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Memory {
    size: Option<f64>,
    best: f64,
    waited: usize,
    cooling: usize,
    /// The sum of the losses of the batches since the last comparison, and the number of their samples.
    loss: f64,
    seen: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            size: None,
            best: f64::INFINITY,
            waited: 0,
            cooling: 0,
            loss: 0.0,
            seen: 0,
        }
    }
}

impl ReduceOnPlateau {
    /// Starts at `initial` (positive).
    ///
    /// Errors: a size that is not positive and finite.
    pub fn new(initial: f64) -> Result<Self, Error> {
        let schedule = Self {
            initial,
            factor: Self::default_factor(),
            patience: Self::default_patience(),
            threshold: Self::default_threshold(),
            cooldown: 0,
            min_size: 0.0,
            memory: Memory::default(),
        };
        schedule.check_settings()?;
        Ok(schedule)
    }

    fn default_factor() -> f64 {
        0.1
    }

    fn default_patience() -> usize {
        10
    }

    fn default_threshold() -> f64 {
        1e-4
    }

    /// The factor of each reduction, above 0 and below 1; 0.1 by default.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// The number of steps without improvement that are tolerated; 10 by default.
    pub fn patience(mut self, steps: usize) -> Self {
        self.patience = steps;
        self
    }

    /// The relative decrease of the loss that counts as an improvement, at least 0 and below 1; 1e-4 by default.
    pub fn threshold(mut self, share: f64) -> Self {
        self.threshold = share;
        self
    }

    /// The number of steps after a reduction in which waiting does not count; 0 by default.
    pub fn cooldown(mut self, steps: usize) -> Self {
        self.cooldown = steps;
        self
    }

    /// The lower bound of the size, at least 0; 0 by default.
    pub fn min_size(mut self, size: f64) -> Self {
        self.min_size = size;
        self
    }

    fn update(&mut self, loss: f64) -> f64 {
        let memory = &mut self.memory;
        let size = memory.size.get_or_insert(self.initial);
        if loss < memory.best * (1.0 - self.threshold) || memory.best.is_infinite() {
            memory.best = loss;
            memory.waited = 0;
        } else {
            memory.waited = memory.waited.saturating_add(1);
        }
        if memory.cooling > 0 {
            memory.cooling -= 1;
            memory.waited = 0;
        }
        if memory.waited > self.patience {
            *size = (*size * self.factor).max(self.min_size.min(*size));
            memory.cooling = self.cooldown;
            memory.waited = 0;
        }
        *size
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`initial` of `ReduceOnPlateau::new`", self.initial)?;
        within_unit("`ReduceOnPlateau::factor`", self.factor)?;
        below_one("`ReduceOnPlateau::threshold`", self.threshold)?;
        not_negative("`ReduceOnPlateau::min_size`", self.min_size)
    }
}

checked_serde!(ReduceOnPlateau);

impl<T: Float> Schedule<T> for ReduceOnPlateau {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        self.memory.loss += state.loss().as_f64();
        self.memory.seen += state.samples();
        let size = if self.memory.seen >= state.all_samples() {
            let loss = std::mem::take(&mut self.memory.loss);
            self.memory.seen = 0;
            self.update(loss)
        } else {
            self.memory.size.unwrap_or(self.initial)
        };
        in_float(state, size)
    }

    fn check(&self, _: DirectionKind) -> Result<(), Error> {
        self.check_settings()?;
        representable::<T>("`initial` of `ReduceOnPlateau::new`", self.initial)
    }

    fn save(&self) -> Option<Record> {
        let Memory {
            size,
            best,
            waited,
            cooling,
            loss,
            seen,
        } = self.memory;
        let record = Record::of("ReduceOnPlateau", self)
            .with("size", size)
            .with("best", best);
        let record = record.with("waited", waited).with("cooling", cooling);
        Some(record.with("loss", loss).with("seen", seen))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("ReduceOnPlateau", self)?;
        self.memory = Memory {
            size: record.get("size")?,
            best: record.get("best")?,
            waited: record.get("waited")?,
            cooling: record.get("cooling")?,
            loss: record.get("loss")?,
            seen: record.count("seen")?,
        };
        Ok(())
    }
}

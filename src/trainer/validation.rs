//! Early stopping: the validation loss, and the weights at which it was lowest.

use crate::dataset::Dataset;
use crate::engine::Engine;
use crate::error::Error;
use crate::float::Float;
use crate::numbers::half_square;
use crate::record::Record;

/// The validation data, and the best loss on them so far.
#[derive(Debug)]
pub(super) struct Validation<'a, T: Float> {
    pub data: &'a Dataset<T>,
    pub patience: usize,
    pub best: Option<Best>,
}

/// The best validation loss so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub loss: f64,
    pub step: usize,
    /// The loss when it was last evaluated.
    pub last: f64,
}

impl<T: Float> Validation<'_, T> {
    /// Compares the validation loss with the best so far; `fresh` says that the last pass evaluated it.
    pub fn look(&mut self, engine: &mut Engine<T>, fresh: bool, step: usize) -> Result<(), Error> {
        let outputs = if fresh {
            engine.validation_outputs()
        } else {
            engine.evaluate_validation()?
        };
        let residual = outputs.iter().zip(self.data.labels()).map(|(f, y)| f - y.as_f64());
        let loss = half_square::<T>(residual);
        match &mut self.best {
            Some(best) if loss.is_nan() || loss >= best.loss => best.last = loss,
            _ => {
                self.best = Some(Best { loss, step, last: loss });
                engine.remember_best();
            }
        }
        Ok(())
    }

    /// Whether the loss has not improved for too long.
    pub fn is_impatient(&self, step: usize) -> bool {
        self.best.is_some_and(|best| step - best.step >= self.patience)
    }
}

impl Best {
    pub fn save(&self) -> Record {
        Record::new("best")
            .with("loss", self.loss)
            .with("step", self.step)
            .with("last", self.last)
    }

    /// Restores the best loss of a run after `step` steps.
    pub fn restore(record: &Record, step: usize) -> Result<Self, Error> {
        record.agree_on_kind("best")?;
        let best = Self {
            loss: record.get("loss")?,
            step: record.count("step")?,
            last: record.get("last")?,
        };
        if best.step > step {
            return Err(record.damaged("step", "lies ahead of the run"));
        }
        Ok(best)
    }
}

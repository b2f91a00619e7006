//! Early stopping: the validation loss, and the weights at which it was lowest.

use crate::dataset::Dataset;
use crate::engine::Engine;
use crate::error::Error;
use crate::float::Float;
use crate::numbers::{half_square, overflow};
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
    pub look: usize,
    /// The loss when it was last evaluated.
    pub last: f64,
}

impl<T: Float> Validation<'_, T> {
    /// Compares the validation loss with the best so far; `fresh` says that the last pass evaluated it.
    pub fn look(&mut self, engine: &mut Engine<T>, fresh: bool, (step, look): (usize, usize)) -> Result<(), Error> {
        let outputs = if fresh {
            engine.validation_outputs()
        } else {
            engine.evaluate_validation()?
        };
        if step == 0 {
            check::<T>(outputs)?;
        }
        let residual = outputs.iter().zip(self.data.labels()).map(|(f, y)| f - y.as_f64());
        let loss = half_square::<T>(self.data.weighted(residual));
        if step == 0 && !loss.is_finite() {
            return Err(overflow::<T>("the sum over all validation points", loss));
        }
        match &mut self.best {
            Some(best) if loss.is_nan() || loss >= best.loss => best.last = loss,
            _ => {
                let last = loss;
                self.best = Some(Best { loss, step, look, last });
                engine.remember_best();
            }
        }
        Ok(())
    }

    /// Whether the loss has not improved for too many looks.
    pub fn is_impatient(&self, looks: usize) -> bool {
        self.best.is_some_and(|best| looks - best.look >= self.patience)
    }
}

/// Checks the first outputs: later ones may overflow where a run overshoots, these where it cannot be validated.
fn check<T: Float>(outputs: &[f64]) -> Result<(), Error> {
    match outputs.iter().position(|f| !T::lit(*f).is_finite()) {
        Some(i) => Err(overflow::<T>(format!("validation point {i}"), outputs[i])),
        None => Ok(()),
    }
}

impl Best {
    pub fn save(&self) -> Record {
        Record::new("best")
            .with("loss", self.loss)
            .with("step", self.step)
            .with("look", self.look)
            .with("last", self.last)
    }

    /// Restores the best loss of a run after `step` steps and as many looks.
    pub fn restore(record: &Record, step: usize, looks: usize) -> Result<Self, Error> {
        record.agree_on_kind("best")?;
        let best = Self {
            loss: record.get("loss")?,
            step: record.count("step")?,
            look: record.count("look")?,
            last: record.get("last")?,
        };
        if best.step > step || best.look > looks {
            return Err(record.damaged("step", "lies ahead of the run"));
        }
        Ok(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_best_loss_ahead_of_the_run_is_damage() {
        let restored = |step, look| {
            let (loss, last) = (1.0, 2.0);
            let best = Best { loss, step, look, last };
            Best::restore(&best.save(), 7, 5)
        };
        let best = restored(7, 5).unwrap();
        assert_eq!((best.loss, best.step, best.look, best.last), (1.0, 7, 5, 2.0));
        for (step, look) in [(8, 5), (7, 6)] {
            let error = restored(step, look).unwrap_err().to_string();
            assert!(error.contains("lies ahead of the run"), "{error}");
        }
    }
}

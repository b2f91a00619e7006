//! Gradient descent on one batch of samples per step.

use super::{Direction, DirectionKind, Evaluation, GradientDescent, Method};
use crate::error::Error;
use crate::float::Float;
use crate::record::Record;
use crate::setting::{at_least_one, checked_serde};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent: each step follows the gradient of the loss on a batch (a sum over the batch, not
/// rescaled).
///
/// In each epoch the samples are reshuffled and split into batches of `size`; a shorter last batch is kept. If `size`
/// is at least the number of samples, this is full-batch gradient descent in shuffled order.
///
/// ```
/// use expnet::Trainer;
/// use expnet::method::Minibatch;
///
/// let trainer = Trainer::<f64>::default().method(Minibatch::new(32).seed(1).momentum(0.9));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Minibatch {
    size: usize,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    descent: GradientDescent,
    #[serde(skip)]
    shuffle: Option<Shuffle>,
}

/// An order of the samples, and how many of them the current epoch has used.
#[derive(Clone, Debug)]
struct Shuffle {
    rng: ChaCha8Rng,
    order: Vec<usize>,
    used: usize,
}

impl Shuffle {
    /// All samples, marked as used: the first batch shuffles them.
    fn new(samples: usize, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            order: (0..samples).collect(),
            used: samples,
        }
    }

    fn save(&self) -> Record {
        let position = self.rng.get_word_pos();
        #[allow(clippy::cast_possible_truncation)] // the two halves
        let position = [position as u64, (position >> 64) as u64];
        Record::new("Shuffle")
            .with("order", self.order.clone())
            .with("used", self.used)
            .with("position", position)
    }

    fn restore(record: &Record, seed: u64) -> Result<Self, Error> {
        record.agree_on_kind("Shuffle")?;
        let (order, used) = (record.get::<Vec<usize>>("order")?, record.get("used")?);
        let [low, high] = record.get::<[u64; 2]>("position")?;
        let mut shuffle = Self::new(order.len(), seed);
        shuffle.rng.set_word_pos(u128::from(low) | u128::from(high) << 64);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if used > order.len() || sorted != shuffle.order {
            return Err(record.damaged("order", "is not a permutation of the samples"));
        }
        Ok(Self { order, used, ..shuffle })
    }
}

impl Minibatch {
    /// Uses batches of `size` samples, at least 1; checked when the run starts.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            seed: 0,
            descent: GradientDescent::default(),
            shuffle: None,
        }
    }

    /// The random seed of the shuffles; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Heavy-ball momentum, as in [`GradientDescent::momentum`].
    pub fn momentum(mut self, beta: f64) -> Self {
        self.descent = self.descent.momentum(beta);
        self
    }

    /// Nesterov momentum, as in [`GradientDescent::nesterov`].
    pub fn nesterov(mut self, beta: f64) -> Self {
        self.descent = self.descent.nesterov(beta);
        self
    }

    /// Clips the gradient on the batch, as in [`GradientDescent::clip_norm`].
    pub fn clip_norm(mut self, c: f64) -> Self {
        self.descent = self.descent.clip_norm(c);
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        at_least_one("`size` of `Minibatch::new`", self.size)?;
        self.descent.check_settings()
    }
}

checked_serde!(Minibatch);

impl<T: Float> Method<T> for Minibatch {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        self.descent.direction(evaluation, direction)
    }

    fn kind(&self) -> DirectionKind {
        DirectionKind::BatchGradient
    }

    fn prepare(&mut self, _: usize) -> Result<(), Error> {
        self.shuffle = None;
        self.check_settings()
    }

    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        self.shuffle.take_if(|shuffle| shuffle.order.len() != samples);
        let shuffle = self.shuffle.get_or_insert_with(|| Shuffle::new(samples, self.seed));
        if shuffle.used >= samples {
            shuffle.order.shuffle(&mut shuffle.rng);
            shuffle.used = 0;
        }
        let end = shuffle.used.saturating_add(self.size).min(samples);
        batch.extend_from_slice(&shuffle.order[shuffle.used..end]);
        shuffle.used = end;
    }

    fn save(&self) -> Option<Record> {
        let record = Record::of("Minibatch", self);
        Some(match &self.shuffle {
            Some(shuffle) => record.with_part("shuffle", shuffle.save()),
            None => record,
        })
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Minibatch", self)?;
        let shuffle = record.part("shuffle").ok();
        self.shuffle = shuffle
            .map(|shuffle| Shuffle::restore(shuffle, self.seed))
            .transpose()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_beyond_64_bits_is_restored() {
        let mut shuffle = Shuffle::new(3, 1);
        shuffle.rng.set_word_pos((5 << 64) + 48);
        let restored = Shuffle::restore(&shuffle.save(), 1).unwrap();
        assert_eq!(restored.rng.get_word_pos(), (5 << 64) + 48);
    }

    #[test]
    fn an_order_that_cannot_be_is_damage() {
        for (order, used) in [(vec![0, 2, 1], 4), (vec![0, 0, 1], 3), (vec![1, 2, 3], 0)] {
            let shuffle = Shuffle {
                order,
                used,
                ..Shuffle::new(3, 1)
            };
            let error = Shuffle::restore(&shuffle.save(), 1).unwrap_err().to_string();
            assert!(error.contains("is not a permutation of the samples"), "{error}");
        }
    }
}

//! Gradient descent on a batch of the samples a step.

use super::{Direction, Evaluation, GradientDescent, Kind, Method};
use crate::error::Error;
use crate::float::Float;
use crate::record::{Record, Stored, Value, kept};
use crate::serial::serialised;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Stochastic gradient descent: each step follows the gradient of the loss of its own batch (a sum
/// over the batch, not rescaled).
///
/// The samples are shuffled anew each epoch and dealt out in batches of `size`; the last one, if
/// shorter, is kept. A size of the number of samples or more is full-batch descent in shuffled order.
///
/// ```
/// use expnet::Trainer;
/// use expnet::method::Minibatch;
///
/// let trainer = Trainer::<f64>::default().method(Minibatch::new(32).seed(1).momentum(0.9));
/// ```
#[derive(Clone, Debug)]
pub struct Minibatch {
    size: usize,
    seed: u64,
    descent: GradientDescent,
    epoch: Option<Epoch>,
}

#[derive(Clone, Debug)]
struct Epoch {
    rng: ChaCha8Rng,
    order: Vec<usize>,
    used: usize,
}

impl Stored for Epoch {
    fn into_value(self) -> Value {
        let seed = self.rng.get_seed();
        let words = seed
            .chunks_exact(8)
            .map(|word| word.iter().rfold(0, |sum, &byte| sum << 8 | u64::from(byte)));
        let position = self.rng.get_word_pos();
        #[allow(clippy::cast_possible_truncation)] // halves
        let halves = vec![position as u64, (position >> 64) as u64];
        Record::new("Epoch")
            .with("order", self.order)
            .with("used", self.used)
            .with("seed", words.collect::<Vec<u64>>())
            .with("position", halves)
            .into_value()
    }

    fn from_value(value: &Value) -> Option<Self> {
        let record = Record::from_value(value)?;
        let (order, used) = (record.get::<Vec<usize>>("order").ok()?, record.get("used").ok()?);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let seed: Vec<u8> = record
            .get::<Vec<u64>>("seed")
            .ok()?
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let position: [u64; 2] = record.get::<Vec<u64>>("position").ok()?.try_into().ok()?;
        let mut rng = ChaCha8Rng::from_seed(seed.try_into().ok()?);
        rng.set_word_pos(u128::from(position[0]) | u128::from(position[1]) << 64);
        (used <= order.len() && sorted.into_iter().eq(0..order.len())).then_some(Self { rng, order, used })
    }

    fn what() -> String {
        "an order of the samples and a place in it".into()
    }
}

impl Minibatch {
    /// Batches of `size` samples, at least 1.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            seed: 0,
            descent: GradientDescent::default(),
            epoch: None,
        }
    }

    /// The seed of the shuffling; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Heavy-ball momentum, as in [`GradientDescent::momentum`].
    pub fn momentum(mut self, beta: f64) -> Self {
        self.descent = self.descent.momentum(beta);
        self
    }

    /// Nesterov's momentum, as in [`GradientDescent::nesterov`].
    pub fn nesterov(mut self, beta: f64) -> Self {
        self.descent = self.descent.nesterov(beta);
        self
    }

    /// Clips the batch's gradient, as in [`GradientDescent::clip_norm`].
    pub fn clip_norm(mut self, c: f64) -> Self {
        self.descent = self.descent.clip_norm(c);
        self
    }
}

impl<T: Float> Method<T> for Minibatch {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        self.descent.direction(evaluation, direction)
    }

    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        let seed = self.seed;
        self.epoch.take_if(|epoch| epoch.order.len() != samples);
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            rng: ChaCha8Rng::seed_from_u64(seed),
            order: (0..samples).collect(),
            used: samples,
        });
        if epoch.used >= samples {
            epoch.order.shuffle(&mut epoch.rng);
            epoch.used = 0;
        }
        let end = epoch.used.saturating_add(self.size).min(samples);
        batch.extend_from_slice(&epoch.order[epoch.used..end]);
        epoch.used = end;
    }

    fn prepare(&mut self, _: usize) -> Result<Kind, Error> {
        if self.size == 0 {
            return Err(Error::Setting {
                setting: "the size of `Minibatch`",
                value: "0".into(),
                expected: "at least 1",
            });
        }
        self.descent.check()?;
        Ok(Kind::BatchGradient)
    }

    kept!("Minibatch"; settings: size, seed; memory: epoch; parts of Method<T>: descent);
}

serialised!(Minibatch { size: usize, seed: u64, descent: GradientDescent } => {
    Ok(Self { size, seed, descent, epoch: None })
});

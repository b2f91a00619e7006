//! Gradient descent on a batch of the samples a step.

use super::{Direction, Evaluation, GradientDescent, Kind, Method};
use crate::error::Error;
use crate::float::Float;
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

    fn prepare(&mut self, samples: usize) -> Result<Kind, Error> {
        if self.size == 0 {
            return Err(Error::Setting {
                setting: "the size of `Minibatch`",
                value: "0".into(),
                expected: "at least 1",
            });
        }
        self.epoch = self.epoch.take().filter(|epoch| epoch.order.len() == samples);
        self.descent.check()?;
        Ok(Kind::BatchGradient)
    }
}

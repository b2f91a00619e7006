//! A step size that falls when the loss stops falling.

use super::decay::positive;
use super::{Schedule, StepState, require};
use crate::error::Error;
use crate::float::Float;
use crate::method::Kind;
use crate::record::kept;
use crate::serial::serialised;

/// Multiplies the size by a factor when the loss has not improved for more than `patience` steps.
///
/// ```text
/// improved:  loss < best (1 - threshold)      then best <- loss, waited <- 0, otherwise waited <- waited + 1
/// waited > patience:  size <- max(size factor, min_size), and `cooldown` steps in which nothing counts as waiting
/// ```
///
/// Follows `torch.optim.lr_scheduler.ReduceLROnPlateau` (mode `min`, relative threshold), with the loss before each step as its
/// metric; reductions by less than 1e-8 are left out there, and here not.
///
/// ```
/// use expnet::Trainer;
/// use expnet::schedule::ReduceOnPlateau;
///
/// let trainer = Trainer::<f64>::new(ReduceOnPlateau::new(1e-3)?.factor(0.5).patience(20));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    initial: f64,
    factor: f64,
    patience: usize,
    threshold: f64,
    cooldown: usize,
    min_size: f64,
    size: f64,
    best: f64,
    waited: usize,
    cooling: usize,
}

impl ReduceOnPlateau {
    /// From `initial` (positive) on.
    pub fn new(initial: f64) -> Result<Self, Error> {
        positive("the initial size of `ReduceOnPlateau`", initial)?;
        Ok(Self {
            initial,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min_size: 0.0,
            size: initial,
            best: f64::INFINITY,
            waited: 0,
            cooling: 0,
        })
    }

    /// What the size is multiplied by, above 0 and below 1; 0.1 by default.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Steps without improvement that are allowed; 10 by default.
    pub fn patience(mut self, steps: usize) -> Self {
        self.patience = steps;
        self
    }

    /// The relative fall that counts as improvement, at least 0 and below 1; 1e-4 by default.
    pub fn threshold(mut self, share: f64) -> Self {
        self.threshold = share;
        self
    }

    /// Steps after a reduction that do not count as waiting; 0 by default.
    pub fn cooldown(mut self, steps: usize) -> Self {
        self.cooldown = steps;
        self
    }

    /// The smallest size, at least 0; 0 by default.
    pub fn min_size(mut self, size: f64) -> Self {
        self.min_size = size;
        self
    }

    fn look_at(&mut self, loss: f64) -> f64 {
        if loss < self.best * (1.0 - self.threshold) || self.best.is_infinite() {
            self.best = loss;
            self.waited = 0;
        } else {
            self.waited = self.waited.saturating_add(1);
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.waited = 0;
        }
        if self.waited > self.patience {
            self.size = (self.size * self.factor).max(self.min_size.min(self.size));
            self.cooling = self.cooldown;
            self.waited = 0;
        }
        self.size
    }
}

impl<T: Float> Schedule<T> for ReduceOnPlateau {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        T::lit(self.look_at(state.loss().as_f64()))
    }

    fn check(&self, _: Kind) -> Result<(), Error> {
        let Self {
            factor,
            threshold,
            min_size,
            ..
        } = *self;
        require(
            factor > 0.0 && factor < 1.0,
            "`ReduceOnPlateau::factor`",
            factor,
            "above 0 and below 1",
        )?;
        let range = (0.0..1.0).contains(&threshold);
        require(
            range,
            "`ReduceOnPlateau::threshold`",
            threshold,
            "at least 0 and below 1",
        )?;
        let size = min_size.is_finite() && min_size >= 0.0;
        require(size, "`ReduceOnPlateau::min_size`", min_size, "finite and at least 0")
    }

    kept!(
        "ReduceOnPlateau";
        settings: initial, factor, patience, threshold, cooldown, min_size;
        memory: size, best, waited, cooling
    );
}

serialised!(ReduceOnPlateau {
    initial: f64, factor: f64, patience: usize, threshold: f64, cooldown: usize, min_size: f64,
} => Self::new(initial).map(|new| Self { factor, patience, threshold, cooldown, min_size, ..new }));

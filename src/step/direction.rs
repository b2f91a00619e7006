//! What a method sees before a step and after it, and what it answers with.

use super::Linearization;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// The direction of a step, as a method writes it: for a step of size eta,
///
/// ```text
/// velocity <- momentum velocity - eta (J^T dual + pull (W - W_0))
/// W        <- W + velocity                                            (or the Nesterov variant)
/// ```
///
/// The engine owns the velocity and W_0. All of it is written anew in each step; before the method is
/// asked, `dual` holds the residual and the rest is zero, which is plain gradient descent.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Direction<T> {
    /// The dual vector v, one number per sample of the current batch.
    pub dual: Vec<T>,
    /// Momentum's beta, in [0, 1): the share of the last movement that is added to this one. The velocity starts from 0, and a
    /// step with momentum 0 sets it back to 0.
    pub momentum: f64,
    /// Nesterov's variant: W <- W + momentum velocity - eta (J^T dual + ...), after the velocity was
    /// updated.
    pub nesterov: bool,
    /// How strongly to pull towards the initial weights (ridge).
    pub pull: f64,
}

/// What a [`Method`](crate::method::Method) may ask before it writes a direction.
#[derive(Debug)]
pub struct Evaluation<'a, T: Float> {
    at: &'a mut Linearization<T>,
    initial: &'a DMatrix<T>,
}

impl<'a, T: Float> Evaluation<'a, T> {
    pub(super) fn new(at: &'a mut Linearization<T>, initial: &'a DMatrix<T>) -> Self {
        Self { at, initial }
    }

    /// The step about to be taken: 0 for the first.
    pub fn iteration(&self) -> usize {
        self.at.iteration()
    }

    /// The residual e = F - y on the current batch.
    pub fn residual(&self) -> &[T] {
        self.at.residual()
    }

    /// The loss 1/2 ||e||^2 on the current batch.
    pub fn loss(&self) -> T {
        T::lit(self.at.loss())
    }

    /// The dimension d of the points.
    pub fn dimension(&self) -> usize {
        self.at.dimension()
    }

    /// The number m of neurons.
    pub fn width(&self) -> usize {
        self.at.width()
    }

    /// ||J^T e||^2, the squared norm of the loss's gradient. Costs a backward sweep, which the step
    /// saves if the direction is a multiple of the residual.
    ///
    /// NaN where the sweep fails (no memory, or another rank has failed); the step then returns that error.
    pub fn gradient_norm_squared(&mut self) -> T {
        T::lit(self.at.gradient_norm_squared())
    }

    /// ||J^T e||, which may be in range where its square is not.
    pub(crate) fn gradient_norm(&mut self) -> f64 {
        self.at.gradient_norm_squared().sqrt()
    }

    /// G v for the tangent Gram matrix G = J J^T of the current batch. Costs a pass.
    ///
    /// Errors: a vector of another length than the batch.
    pub fn tangent_product(&mut self, vector: &[f64]) -> Result<Vec<f64>, Error> {
        self.at.tangent_product(vector)
    }

    /// J (W - W_0): how the movement so far would have changed the outputs of the current batch, had J been the same
    /// throughout. With it a method that pulls towards the initial weights W_0 solves for its dual.
    ///
    /// Costs a pass (none before the first step), and the memory of a copy of the weights.
    ///
    /// Errors: no memory for it.
    pub fn movement_product(&mut self) -> Result<Vec<f64>, Error> {
        self.at.movement_product(self.initial)
    }

    /// The tangent Gram matrix G = J J^T of the current batch, n x n, in `f64`.
    ///
    /// Costs n^2 m flops and n^2 numbers of memory.
    ///
    /// Errors: no memory for it.
    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.at.tangent_gram()
    }
}

/// What came of a step, before it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The step's size.
    pub step_size: f64,
    /// The loss before the step.
    pub loss_before: f64,
    /// The loss after it; infinite where it overflowed. With minibatches: of the next batch.
    pub loss_after: f64,
    /// ||W - W_0||_F^2 after it; `None` in a run without a [`pull`](Direction::pull) so far.
    pub movement: Option<f64>,
}

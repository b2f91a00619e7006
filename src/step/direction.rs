//! What a method sees before and after a step, and the direction that it writes.

use super::Linearization;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// The direction of a step, written by a method. A step of size eta is
///
/// ```text
/// velocity <- momentum velocity - eta (J^T dual + pull (W - W_0))
/// W        <- W + velocity                                            (or Nesterov's variant)
/// ```
///
/// with `weights` in place of J^T dual if there are any. The velocity and W_0 belong to the engine. The direction is reset
/// before each step: `dual` to the residual and the rest to zero, which is plain gradient descent.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Direction<T> {
    /// The dual vector v, one number per sample of the current batch, as in [`Evaluation`].
    pub dual: Vec<T>,
    /// A direction in weight space, which takes the place of J^T dual: d m numbers, one neuron after the other, like
    /// [`ExpNetwork::weights`](crate::ExpNetwork::weights). Empty, as on entry, it means J^T dual. For methods of
    /// [`DirectionKind::Weights`](crate::method::DirectionKind::Weights) or
    /// [`ScaledGradient`](crate::method::DirectionKind::ScaledGradient) only.
    pub weights: Vec<T>,
    /// The momentum coefficient beta, in [0, 1). The velocity starts at 0, and a step with momentum 0 resets it to 0.
    pub momentum: f64,
    /// Nesterov's variant: W <- W + momentum velocity - eta (J^T dual + ...), with the updated velocity.
    pub nesterov: bool,
    /// The strength of the pull towards the initial weights (ridge), at least 0.
    pub pull: f64,
}

/// What a [`Method`](crate::method::Method) can query before it writes a direction.
///
/// With sample weights s_i, everything here and the dual vector v refer to e_i = sqrt(s_i) (F(x_i) - y_i) and its derivative
/// J: row i of J is multiplied by sqrt(s_i), G = J J^T from both sides. L = 1/2 ||e||^2 and grad L = J^T e then hold as
/// without weights, and a method written in these terms needs to know nothing about weights.
#[derive(Debug)]
pub struct Evaluation<'a, T: Float> {
    at: &'a mut Linearization<T>,
    initial: &'a DMatrix<T>,
}

impl<'a, T: Float> Evaluation<'a, T> {
    pub(super) fn new(at: &'a mut Linearization<T>, initial: &'a DMatrix<T>) -> Self {
        Self { at, initial }
    }

    /// The index of the step about to be taken, from 0.
    pub fn iteration(&self) -> usize {
        self.at.iteration()
    }

    /// The residual e = F - y on the current batch; with sample weights, sqrt(s_i) (F(x_i) - y_i).
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

    /// ||J^T e||^2, the squared norm of the gradient of the loss. Costs a backward sweep, which the step saves if the
    /// dual is a multiple of the residual.
    ///
    /// NaN if the sweep fails (out of memory, or another rank has failed); the step then returns that error.
    pub fn gradient_norm_squared(&mut self) -> T {
        T::lit(self.at.gradient_norm_squared())
    }

    /// ||J^T e||, in `f64`: the square may be out of range in T.
    pub(crate) fn gradient_norm(&mut self) -> f64 {
        self.at.gradient_norm_squared().sqrt()
    }

    /// The gradient of the loss on the current batch, d m numbers, one neuron after the other. Costs a backward sweep and
    /// a copy of d m numbers.
    ///
    /// Errors: a method that is not of [`DirectionKind::Weights`](crate::method::DirectionKind::Weights) or
    /// [`ScaledGradient`](crate::method::DirectionKind::ScaledGradient); out of memory.
    pub fn gradient(&mut self) -> Result<&[T], Error> {
        self.at.flat_gradient()
    }

    /// The current weights, d m numbers, one neuron after the other. Costs a copy of d m numbers.
    ///
    /// Errors: as for [`gradient`](Self::gradient).
    pub fn weights(&mut self) -> Result<&[T], Error> {
        self.at.flat_weights()
    }

    /// Returns G v for the tangent Gram matrix G = J J^T of the current batch. Costs a pass.
    ///
    /// Errors: a vector whose length is not that of the batch; out of memory.
    pub fn tangent_product(&mut self, vector: &[f64]) -> Result<Vec<f64>, Error> {
        self.at.tangent_product(vector)
    }

    /// Returns J (W - W_0): how the movement so far would have changed the outputs on the current batch if J had been
    /// constant. A method that pulls towards the initial weights W_0 needs it to solve for its dual.
    ///
    /// Costs a pass (none before the first step) and the memory of a copy of the weights.
    ///
    /// Errors: out of memory.
    pub fn movement_product(&mut self) -> Result<Vec<f64>, Error> {
        self.at.movement_product(self.initial)
    }

    /// Forms the tangent Gram matrix G = J J^T of the current batch, n x n, in `f64`.
    ///
    /// Costs n^2 m flops and memory for n^2 numbers.
    ///
    /// Errors: out of memory.
    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.at.tangent_gram()
    }
}

/// The outcome of a step that the method has yet to judge.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The size of the step.
    pub step_size: f64,
    /// The loss before the step.
    pub loss_before: f64,
    /// The loss after the step, infinite if it overflowed. With minibatches it is that of the next batch.
    pub loss_after: f64,
    /// ||W - W_0||_F^2 after the step; `None` if the run has had no [`pull`](Direction::pull) so far.
    pub movement: Option<f64>,
}

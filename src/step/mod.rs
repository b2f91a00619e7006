//! Where a run stands, as schedules and methods see it.

mod direction;
mod eigenvalue;
mod linearization;
mod position;

pub use direction::{Direction, Evaluation, Outcome};
pub(crate) use linearization::Linearization;
pub(crate) use position::{Position, Proposal};

use crate::float::Float;

/// What a [`Schedule`](crate::schedule::Schedule) may ask before it answers with a step size.
///
/// The method has already chosen the direction d of the step (for gradient descent d = -grad L).
/// What costs a pass over the neurons is computed only when asked for, and only once per step. With
/// minibatches everything here refers to the current batch.
///
/// What costs a pass is NaN where the engine fails (no memory, or another rank has failed): a schedule then answers whatever
/// it likes, and the step returns the engine's error.
///
/// ```
/// use expnet::schedule::{Schedule, StepState};
///
/// /// Halves the step until the loss falls.
/// fn careful(state: &mut StepState<'_, f64>) -> f64 {
///     let mut size = 0.1;
///     while state.loss_at(size) >= state.loss() && size > 1e-12 {
///         size /= 2.0;
///     }
///     size
/// }
/// let trainer = expnet::Trainer::new(careful);
/// ```
#[derive(Debug)]
pub struct StepState<'a, T: Float> {
    position: &'a mut Position<T>,
    start: usize,
}

impl<'a, T: Float> StepState<'a, T> {
    pub(crate) fn new(position: &'a mut Position<T>) -> Self {
        Self { position, start: 0 }
    }

    /// The same state with the step counted from `start`: how [`then`](crate::schedule::Schedule::then)
    /// and [`warmup`](crate::schedule::Schedule::warmup) let a schedule begin later. Before `start` the
    /// iteration reads 0.
    pub fn from_step(&mut self, start: usize) -> StepState<'_, T> {
        StepState {
            start: self.start + start,
            position: self.position,
        }
    }

    /// The step about to be taken: 0 for the first.
    pub fn iteration(&self) -> usize {
        self.position.at().iteration().saturating_sub(self.start)
    }

    /// The loss L = 1/2 ||e||^2 at the current weights.
    pub fn loss(&self) -> T {
        T::lit(self.position.at().loss())
    }

    /// ||e||_2 at the current weights.
    pub fn residual_norm(&self) -> T {
        T::lit((2.0 * self.position.at().loss()).sqrt())
    }

    /// The number of samples n (of the batch, with minibatches).
    pub fn samples(&self) -> usize {
        self.position.at().residual().len()
    }

    /// The dimension d of the points.
    pub fn dimension(&self) -> usize {
        self.position.at().dimension()
    }

    /// The number m of neurons.
    pub fn width(&self) -> usize {
        self.position.at().width()
    }

    /// The size of the last step, as it was really taken; `None` before the first.
    pub fn last_step_size(&self) -> Option<T> {
        self.position.last_step_size().map(T::lit)
    }

    /// ||grad L||^2 (Frobenius norm). Costs a backward sweep the first time it is asked for in a step,
    /// which the step itself then saves.
    pub fn gradient_norm_squared(&mut self) -> T {
        T::lit(self.position.at_mut().gradient_norm_squared())
    }

    /// The loss after a step of this size: a trial. Costs a pass, which the step saves if it is
    /// taken with the size of the last trial.
    ///
    /// `+inf` where the loss overflows, and for a size that is negative or not finite.
    pub fn loss_at(&mut self, step_size: T) -> T {
        T::lit(self.position.loss_at(step_size.as_f64()))
    }

    /// lambda_max of the tangent Gram matrix G = J J^T (n x n) at the current weights: within 2%,
    /// from above. Gradient descent on a fixed G is stable below 2 / `lambda_max`.
    ///
    /// Matrix-free Lanczos iteration until the residual is below 2%: two or three passes for weights that are about normally
    /// distributed, fewer than ten for most others, the first time it is asked for in a step. It starts from the
    /// leading eigenvector of the kernel of normal weights with the mean and covariance of the current ones, so the value is
    /// reproducible. Where several eigenvalues lie close together the iteration may end at another of them, a few percent below.
    pub fn largest_kernel_eigenvalue(&mut self) -> T {
        T::lit(self.position.at_mut().largest_kernel_eigenvalue())
    }

    /// <grad L, d>, where a step of size s moves the weights by s d (apart from momentum, see
    /// [`momentum_slope`](Self::momentum_slope)): -||grad L||^2 for gradient descent, 1 + beta times that with Nesterov's
    /// momentum. A method's pull towards the initial weights is left out.
    pub fn slope(&mut self) -> T {
        T::lit(self.position.slope())
    }

    /// <grad L, c>, where c is the part of the step that momentum adds whatever the step size:
    /// 0 without momentum. To first order a step of size s changes the loss by
    /// `s * slope() + momentum_slope()`.
    pub fn momentum_slope(&mut self) -> T {
        T::lit(self.position.momentum_slope())
    }

    /// <grad L now, grad L one step before>, or `None` in the first step of a run and the first
    /// time it is asked for: the gradients are kept from then on, which takes the memory of one or two
    /// copies of the weights.
    pub fn gradient_dot_previous(&mut self) -> Option<T> {
        self.position.gradient_dot_previous().map(T::lit)
    }
}

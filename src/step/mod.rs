//! The position of a run, as schedules and methods see it.

mod direction;
mod eigenvalue;
mod linearization;
mod position;

pub use direction::{Direction, Evaluation, Outcome};
pub(crate) use linearization::Linearization;
pub(crate) use position::{Position, Proposal};

use crate::error::Error;
use crate::float::Float;

/// What a [`Schedule`](crate::schedule::Schedule) can query before it returns a step size.
///
/// The method has already chosen the direction d of the step (for gradient descent d = -grad L). Quantities that cost a
/// pass over the neurons are computed on demand and kept for the rest of the step. With minibatches everything here
/// refers to the current batch. With sample weights s_i, e_i stands for sqrt(s_i) (F(x_i) - y_i) and J for its derivative,
/// so that every formula is that of the weighted loss.
///
/// Queries that cost a pass return NaN if the engine fails (out of memory, or another rank has failed). Whatever the
/// schedule then returns, the step returns the engine's error.
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

    /// Returns the same state with the steps counted from `start`, and an iteration of 0 before that. This is how
    /// [`then`](crate::schedule::Schedule::then) and [`warmup`](crate::schedule::Schedule::warmup) delay a schedule.
    pub fn from_step(&mut self, start: usize) -> StepState<'_, T> {
        StepState {
            start: self.start.saturating_add(start),
            position: self.position,
        }
    }

    /// The index of the step about to be taken, from 0.
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

    /// The number n of samples (with minibatches: of the batch).
    pub fn samples(&self) -> usize {
        self.position.at().residual().len()
    }

    /// The number of samples of the whole data set, at least [`samples`](Self::samples).
    pub fn all_samples(&self) -> usize {
        self.position.at().samples()
    }

    /// The dimension d of the points.
    pub fn dimension(&self) -> usize {
        self.position.at().dimension()
    }

    /// The number m of neurons.
    pub fn width(&self) -> usize {
        self.position.at().width()
    }

    /// The size of the last step as it was taken, after clamping and the like; `None` before the first step.
    pub fn last_step_size(&self) -> Option<T> {
        self.position.last_step_size().map(T::lit)
    }

    /// ||grad L||^2 (Frobenius norm). The first call in a step costs a backward sweep, which the step then saves.
    pub fn gradient_norm_squared(&mut self) -> T {
        T::lit(self.position.at_mut().gradient_norm_squared())
    }

    /// The loss after a trial step of this size. Costs a pass, which the step saves if it has the size of the last
    /// trial.
    ///
    /// `+inf` if the loss overflows, or if the size is negative or not finite.
    pub fn loss_at(&mut self, step_size: T) -> T {
        T::lit(self.position.loss_at(step_size.as_f64()))
    }

    /// The derivative of the loss after a trial step of this size with respect to the size, which is [`slope`](Self::slope)
    /// at size 0. Costs a pass in addition to that of [`loss_at`](Self::loss_at), which the step does not save.
    ///
    /// NaN if the loss overflows, or if the size is negative or not finite.
    pub fn slope_at(&mut self, step_size: T) -> T {
        T::lit(self.position.slope_at(step_size.as_f64()))
    }

    /// The largest eigenvalue `lambda_max` of the tangent Gram matrix G = J J^T (n x n) at the current weights,
    /// overestimated by at most 2%. Gradient descent on a fixed G is stable for step sizes below 2 / `lambda_max`.
    ///
    /// The first call in a step runs a matrix-free Lanczos iteration until its residual is below 2%: two or three
    /// passes if the weights are roughly normally distributed, fewer than ten in most other cases. The iteration starts
    /// from the leading eigenvector of the kernel of normal weights with the mean and covariance of the current ones,
    /// so the value is reproducible. If several eigenvalues lie close together, it may converge to another of them, a
    /// few percent below.
    pub fn largest_kernel_eigenvalue(&mut self) -> T {
        T::lit(self.position.at_mut().largest_kernel_eigenvalue())
    }

    /// <grad L, d>, where a step of size s moves the weights by s d (apart from momentum, see
    /// [`momentum_slope`](Self::momentum_slope)): -||grad L||^2 for gradient descent, and 1 + beta times that with
    /// Nesterov momentum. A pull of the method towards the initial weights is not included.
    pub fn slope(&mut self) -> T {
        T::lit(self.position.slope())
    }

    /// <grad L, c>, where c is the part of the step that momentum adds whatever the step size; 0 without momentum. To
    /// first order, a step of size s changes the loss by `s * slope() + momentum_slope()`.
    pub fn momentum_slope(&mut self) -> T {
        T::lit(self.position.momentum_slope())
    }

    /// The inner product of the current gradient and that of the previous step. `None` in the first step of a run, and
    /// in the first step in which it is called: gradients are kept from then on, which takes the memory of one or two
    /// copies of the weights.
    pub fn gradient_dot_previous(&mut self) -> Option<T> {
        self.position.gradient_dot_previous().map(T::lit)
    }

    /// Whether the direction is one in weight space, whose natural size is 1.
    pub(crate) fn moves_in_weights(&self) -> bool {
        self.position.moves_in_weights()
    }

    /// Whether the samples have weights.
    pub(crate) fn is_weighted(&self) -> bool {
        self.position.at().is_weighted()
    }

    /// Ends the step with this error, whatever the schedule returns.
    pub(crate) fn refuse(&mut self, error: Error) -> T {
        T::lit(self.position.at_mut().fail(error))
    }

    /// Declares that there is no step to take from here, and returns 0, for the schedule to return in turn: the method may
    /// choose another direction; otherwise the run stops as [`Stalled`](crate::Termination::Stalled) and its report gives this
    /// reason.
    ///
    /// ```
    /// use expnet::schedule::{Schedule, StepState};
    /// use expnet::{Dataset, Initializer, Termination, Trainer};
    ///
    /// fn careful(state: &mut StepState<'_, f64>) -> f64 {
    ///     match [1e-1, 1e-2, 1e-3].into_iter().find(|&size| state.loss_at(size) < state.loss()) {
    ///         Some(size) => size,
    ///         None => state.stall("`careful` found no size at which the loss falls"),
    ///     }
    /// }
    /// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
    /// let report = Trainer::new(careful).fit(&mut net, &data)?;
    /// assert_eq!(report.termination(), Termination::Stalled);
    /// assert_eq!(report.reason(), Some("`careful` found no size at which the loss falls"));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn stall(&mut self, reason: impl Into<String>) -> T {
        self.position.at_mut().stall(reason.into());
        T::zero()
    }

    /// Declares that the size of the step is positive but rounds to 0, which stalls as well, unless it is then raised:
    /// see [`raise`](Self::raise).
    pub(crate) fn vanish(&mut self, reason: String) {
        self.position.at_mut().vanish(reason);
    }

    /// Withdraws what [`vanish`](Self::vanish) declared: the size is raised above 0.
    pub(crate) fn raise(&mut self) {
        self.position.at_mut().raise();
    }
}

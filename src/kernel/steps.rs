//! Gradient descent of the infinitely wide network, step by step.

use super::ensemble;
use super::fit::Fit;
use super::modes::Modes;
use super::spectrum::Spectrum;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// Training by gradient descent with a constant step size in the limit of infinite width, evaluable at any step. Created
/// by [`Predictor::gradient_descent`].
///
/// ```text
/// f_t = K* K^-1 (I - (I - eta K)^t) y,   t = 0, 1, 2, ...
/// ```
///
/// with K and K* as in [`GradientFlow`](super::GradientFlow) (and y - F_0 in place of y after
/// [`Predictor::initial_outputs`]). A network of width m with a_r = +-1 whose steps have size eta / m (in general
/// eta / sum_r a_r^2) approaches f_t as m -> infinity. For small eta, f_t is the gradient flow at time t eta.
///
/// The residual falls if and only if eta is below [`max_step_size`](Self::max_step_size) = 2 / lambda_max. Larger steps
/// are allowed, and diverge as those of the network would. See Lee et al., *Wide neural networks of any depth evolve as
/// linear models under gradient descent* (2019).
///
/// [`Predictor::gradient_descent`]: super::Predictor::gradient_descent
/// [`Predictor::initial_outputs`]: super::Predictor::initial_outputs
///
/// ```
/// use expnet::{Dataset, kernel::Predictor};
///
/// // Both points lie on the axes: K = exp(1/2) I.
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.0, 1.0]], &[1.0, -1.0])?;
/// let lambda = 0.5_f64.exp();
/// let steps = Predictor::new(&data, 0.5)?.gradient_descent(0.25 / lambda)?;
/// assert!((steps.max_step_size() - 2.0 / lambda).abs() < 1e-15);
/// // Each step leaves 3/4 of the residual.
/// assert!((steps.at(2)?.predict(data.points())?[0] - (1.0 - 0.75_f64.powi(2))).abs() < 1e-15);
/// assert!((steps.residual_norm(2)? - 2.0_f64.sqrt() * 0.75_f64.powi(2)).abs() < 1e-15);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct GradientSteps {
    modes: Modes,
    step_size: f64,
}

impl GradientSteps {
    pub(super) fn new(modes: Modes, step_size: f64) -> Self {
        Self { modes, step_size }
    }

    /// The spectrum of K: each step multiplies a component of the residual by 1 - eta lambda.
    pub fn spectrum(&self) -> &Spectrum {
        self.modes.spectrum()
    }

    /// The step size eta.
    pub fn step_size(&self) -> f64 {
        self.step_size
    }

    /// 2 / lambda_max, below which the residual falls; infinite for a zero kernel.
    pub fn max_step_size(&self) -> f64 {
        2.0 / self.spectrum().lambda_max().max(0.0)
    }

    /// The fit after this many steps: coefficients K^-1 (I - (I - eta K)^t) y. Costs 2 n^2 flops, for any number of steps.
    ///
    /// The component of eigenvalue lambda is multiplied by (1 - (1 - eta lambda)^t) / lambda, or by t eta if lambda is at
    /// or below the spectrum's [`resolution`](Spectrum::resolution) and thus cannot be distinguished from 0.
    ///
    /// Errors: steps above [`max_step_size`](Self::max_step_size), so many that a coefficient overflows; if K is singular
    /// to working precision, so many steps that it matters, t eta > 0.01 / resolution.
    pub fn at(&self, steps: usize) -> Result<Fit, Error> {
        self.check_resolution(steps)?;
        let fit = self.modes.fit(self.time(steps), |lambda| self.grown(steps, lambda));
        self.check_overflow(steps, fit.coefficients().iter().all(|c| c.is_finite()))?;
        Ok(fit)
    }

    /// ||e_t|| = ||(I - eta K)^t y|| on the training points after this many steps. Costs n exponentials.
    ///
    /// Errors: steps above [`max_step_size`](Self::max_step_size), so many that the norm overflows.
    pub fn residual_norm(&self, steps: usize) -> Result<f64, Error> {
        let norm = self.modes.residual_norm(|lambda| self.left(steps, lambda));
        self.check_overflow(steps, norm.is_finite())?;
        Ok(norm)
    }

    /// The covariance at k points (d x k) of wide networks that start from independent random signs at output scale
    /// 1/sqrt(m) and have taken this many steps, k x k, exactly symmetric. As for
    /// [`GradientFlow::ensemble_covariance`](super::GradientFlow::ensemble_covariance), with
    /// B = K^-1 (I - (I - eta K)^t) K*.
    ///
    /// Errors: those of [`at`](Self::at) and [`conjugate_cross_kernel`](super::conjugate_cross_kernel);
    /// [`Error::Incompatible`] for a kernel given to [`Predictor::from_kernel`](super::Predictor::from_kernel).
    pub fn ensemble_covariance<T: Float>(&self, steps: usize, points: &DMatrix<T>) -> Result<DMatrix<f64>, Error> {
        self.check_resolution(steps)?;
        let (what, time) = ("`GradientSteps::ensemble_covariance`", self.time(steps));
        let covariance = ensemble::covariance(what, &self.modes, points, time, |lambda| self.grown(steps, lambda))?;
        self.check_overflow(steps, covariance.iter().all(|entry| entry.is_finite()))?;
        Ok(covariance)
    }

    /// The time t eta of the gradient flow.
    fn time(&self, steps: usize) -> f64 {
        steps as f64 * self.step_size
    }

    /// (1 - (1 - eta lambda)^t) / lambda, without cancellation.
    fn grown(&self, steps: usize, lambda: f64) -> f64 {
        let (negative, power) = self.log_left(steps, lambda);
        let part = if negative { 1.0 + power.exp() } else { -power.exp_m1() };
        part / lambda
    }

    /// (1 - eta lambda)^t.
    fn left(&self, steps: usize, lambda: f64) -> f64 {
        let (negative, power) = self.log_left(steps, lambda);
        if negative { -power.exp() } else { power.exp() }
    }

    /// Whether (1 - eta lambda)^t is negative, and the logarithm of its absolute value.
    fn log_left(&self, steps: usize, lambda: f64) -> (bool, f64) {
        let part = self.step_size * lambda;
        // 1 - part or part - 1, minus 1: exact in the second case where it matters.
        let rest = if part <= 1.0 { -part } else { part - 2.0 };
        let power = if steps == 0 { 0.0 } else { steps as f64 * rest.ln_1p() };
        (part > 1.0 && steps % 2 == 1, power)
    }

    fn check_resolution(&self, steps: usize) -> Result<(), Error> {
        self.modes.check_time(self.time(steps), |longest| {
            let most = longest / self.step_size;
            format!("take fewer than {most:.1e} steps of this size, while its small eigenvalues do not matter")
        })
    }

    fn check_overflow(&self, steps: usize, finite: bool) -> Result<(), Error> {
        if finite {
            return Ok(());
        }
        let (eta, bound) = (self.step_size, self.max_step_size());
        Err(Error::Setting {
            setting: "`step_size` of `Predictor::gradient_descent`",
            value: format!("{eta:e}, with which step {steps} overflows; the residual falls for sizes below {bound:e}"),
            expected: "below `GradientSteps::max_step_size`, or the steps fewer",
        })
    }
}

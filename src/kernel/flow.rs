//! Gradient flow of the infinitely wide network.

use super::ensemble;
use super::fit::Fit;
use super::modes::Modes;
use super::spectrum::Spectrum;
use crate::error::Error;
use crate::float::Float;
use crate::setting::require;
use nalgebra::DMatrix;

/// Training by gradient flow in the limit of infinite width, evaluable at any time. Created by
/// [`Predictor::gradient_flow`].
///
/// ```text
/// f_t = K* K^-1 (I - exp(-t K)) y,   K = Hcts of the training points, K* = Hcts of other points with them
/// ```
///
/// (or with the kernel given to [`Predictor::from_kernel`], and with y - F_0 in place of y after
/// [`Predictor::initial_outputs`]). With sample weights s_i, K is R K R for R = diag(sqrt(s_i)), y is R y and K* is K* R;
/// samples of weight 0 are left out.
///
/// This is the limit of a wide network that starts at F = 0 (antisymmetric) and follows dW/ds = -grad L. Its residual
/// obeys de/ds = -G e with G = m H, so that its time is t = m s. A gradient descent step of size eta adds eta to s,
/// thus
///
/// ```text
/// t = m (eta_0 + eta_1 + ...) = steps * eta * m           (for a_r = +-1; in general with sum_r a_r^2 in place of m)
/// ```
///
/// as long as the steps are small, eta m lambda_max(K) << 1. The distance of the network from f_t falls like 1/sqrt(m).
///
/// [`GradientSteps`](super::GradientSteps) is the same for steps of any size. With K = H, the empirical kernel, t = m s
/// for all output weights.
///
/// [`Predictor::gradient_flow`]: super::Predictor::gradient_flow
/// [`Predictor::from_kernel`]: super::Predictor::from_kernel
/// [`Predictor::initial_outputs`]: super::Predictor::initial_outputs
///
/// ```
/// use expnet::{Dataset, kernel::Predictor};
/// use nalgebra::dmatrix;
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.0, 1.0]], &[1.0, -1.0])?;
/// let flow = Predictor::new(&data, 0.5)?.gradient_flow()?;
/// assert_eq!(flow.at(0.0)?.predict(data.points())?.as_slice(), [0.0, 0.0]);
///
/// // Both points lie on the axes: K = exp(1/2) I, and every residual decays as exp(-t exp(1/2)).
/// let early = flow.at(0.4)?;
/// let decay = (-0.4 * 0.5_f64.exp()).exp();
/// assert!((early.predict(data.points())?[0] - (1.0 - decay)).abs() < 1e-15);
/// assert!((flow.residual_norm(0.4)? - 2.0_f64.sqrt() * decay).abs() < 1e-15);
///
/// let end = flow.at(f64::INFINITY)?; // interpolates
/// assert!((end.predict(data.points())?[1] + 1.0).abs() < 1e-15);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct GradientFlow {
    modes: Modes,
}

impl GradientFlow {
    pub(super) fn new(modes: Modes) -> Self {
        Self { modes }
    }

    /// The spectrum of K: 1 / lambda is the time in which a component of the residual falls by a factor of e.
    pub fn spectrum(&self) -> &Spectrum {
        self.modes.spectrum()
    }

    /// The fit at time `t` >= 0, which may be infinite: coefficients K^-1 (I - exp(-t K)) y. Costs 2 n^2 flops.
    ///
    /// The component of eigenvalue lambda is multiplied by (1 - exp(-t lambda)) / lambda, or by t if lambda is at or
    /// below the spectrum's [`resolution`](Spectrum::resolution) and thus cannot be distinguished from 0.
    ///
    /// Errors: a time that is negative or NaN; if K is singular to working precision, a time so long (or infinite) that
    /// it matters, t > 0.01 / resolution.
    pub fn at(&self, t: f64) -> Result<Fit, Error> {
        check_time("`t` of `GradientFlow::at`", t)?;
        self.check_resolution(t)?;
        Ok(self.modes.fit(t, |lambda| grown(t, lambda)))
    }

    /// ||e_t|| = ||exp(-t K) y|| on the training points, the square root of twice the loss, at time `t` >= 0, which
    /// predicts the residual norm of a wide network in the lazy regime. Costs n exponentials.
    ///
    /// Errors: a time that is negative or NaN.
    pub fn residual_norm(&self, t: f64) -> Result<f64, Error> {
        check_time("`t` of `GradientFlow::residual_norm`", t)?;
        Ok(self.modes.residual_norm(|lambda| (-t * lambda).exp()))
    }

    /// The covariance at k points (d x k) and time `t` of wide networks that start from independent random signs at
    /// output scale 1/sqrt(m), k x k, exactly symmetric. Their mean is [`at`](Self::at) without initial outputs.
    ///
    /// ```text
    /// C** - B^T C* - C*^T B + B^T C B,   B = K^-1 (I - exp(-t K)) K*,   C = conjugate_kernel
    /// ```
    ///
    /// With sample weights, B = R (R K R)^-1 (I - exp(-t R K R)) R K*.
    ///
    /// This is equation 16 of Lee et al., *Wide neural networks of any depth evolve as linear models under gradient
    /// descent* (2019). Output scale s multiplies it by s^2 m. At t = 0 it is C**, and for t -> infinity the training
    /// points have covariance 0. Rounding errors are about epsilon times the largest entry of C**, if K is not nearly
    /// singular; diagonal entries below 0 are replaced with 0.
    ///
    /// Costs 4 n^2 k + 4 n k^2 flops, and n^2 / 2 + n k exponentials.
    ///
    /// Errors: those of [`at`](Self::at) and [`conjugate_cross_kernel`](super::conjugate_cross_kernel);
    /// [`Error::Incompatible`] for a kernel given to [`Predictor::from_kernel`](super::Predictor::from_kernel).
    pub fn ensemble_covariance<T: Float>(&self, t: f64, points: &DMatrix<T>) -> Result<DMatrix<f64>, Error> {
        check_time("`t` of `GradientFlow::ensemble_covariance`", t)?;
        self.check_resolution(t)?;
        let what = "`GradientFlow::ensemble_covariance`";
        ensemble::covariance(what, &self.modes, points, t, |lambda| grown(t, lambda))
    }

    fn check_resolution(&self, t: f64) -> Result<(), Error> {
        self.modes.check_time(t, |longest| {
            format!("stop at a time below {longest:.1e}, while its small eigenvalues do not matter")
        })
    }
}

/// (1 - exp(-t lambda)) / lambda.
fn grown(t: f64, lambda: f64) -> f64 {
    -(-t * lambda).exp_m1() / lambda
}

fn check_time(setting: &'static str, t: f64) -> Result<(), Error> {
    require(
        t >= 0.0,
        setting,
        format_args!("{t:?}"),
        "at least 0: the time is the sum of the step sizes times the width",
    )
}

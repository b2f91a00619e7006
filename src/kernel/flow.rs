//! Gradient flow of the infinitely wide network.

use super::fit::{Fit, singular};
use super::limit::Limit;
use super::spectrum::Spectrum;
use crate::error::Error;
use crate::setting::require;
use nalgebra::{DMatrix, DVector};

/// The largest relative error that eigenvalues lost in rounding may cause in the coefficients.
const MAX_ERROR: f64 = 0.01;

/// Training by gradient flow in the limit of infinite width, evaluable at any time. Created by
/// [`Predictor::gradient_flow`].
///
/// ```text
/// f_t = K* K^-1 (I - exp(-t K)) y,   K = Hcts of the training points, K* = Hcts of other points with them
/// ```
///
/// With sample weights s_i, K is R K R for R = diag(sqrt(s_i)), y is R y and K* is K* R; samples of weight 0 are left out.
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
/// [`Predictor::gradient_flow`]: super::Predictor::gradient_flow
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
    limit: Limit,
    spectrum: Spectrum,
    eigenvectors: DMatrix<f64>,
    /// The labels in the basis of eigenvectors.
    components: DVector<f64>,
    /// The samples that K is about, if it is not about all.
    counted: Option<Vec<usize>>,
}

impl GradientFlow {
    pub(super) fn new(limit: Limit, kernel: &DMatrix<f64>, labels: &DVector<f64>) -> Result<Self, Error> {
        let counted = limit.roots.counted();
        let (spectrum, eigenvectors) = match &counted {
            Some(counted) => Spectrum::decompose(&kernel.select_rows(counted).select_columns(counted))?,
            None => Spectrum::decompose(kernel)?,
        };
        let components = match &counted {
            Some(counted) => eigenvectors.tr_mul(&labels.select_rows(counted)),
            None => eigenvectors.tr_mul(labels),
        };
        Ok(Self {
            limit,
            spectrum,
            eigenvectors,
            components,
            counted,
        })
    }

    /// The spectrum of K: 1 / lambda is the time in which a component of the residual falls by a factor of e.
    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
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
        let resolution = self.spectrum.resolution();
        let singular_kernel = self.spectrum.rank() < self.components.len();
        if singular_kernel && t * resolution > MAX_ERROR {
            return Err(singular(
                &self.limit,
                "the limit kernel of the training points",
                self.spectrum.condition(),
                format!(
                    "stop at a time below {:.1e}, while its small eigenvalues do not matter",
                    MAX_ERROR / resolution
                ),
            ));
        }
        let factor = |lambda: f64| match lambda {
            lambda if lambda <= resolution => t,
            lambda => -(-t * lambda).exp_m1() / lambda,
        };
        let scaled = self
            .components
            .zip_map(self.spectrum.eigenvalues(), |component, lambda| {
                component * factor(lambda)
            });
        let solution = &self.eigenvectors * scaled;
        let solution = match &self.counted {
            Some(counted) => {
                let mut all = DVector::zeros(self.limit.samples());
                counted.iter().zip(&solution).for_each(|(&i, c)| all[i] = *c);
                all
            }
            None => solution,
        };
        Ok(Fit::new(self.limit.clone(), self.limit.roots.scale(solution), 0))
    }

    /// ||e_t|| = ||exp(-t K) y|| on the training points, the square root of twice the loss, at time `t` >= 0, which predicts the residual norm of a wide
    /// network in the lazy regime. Costs n exponentials.
    ///
    /// Errors: a time that is negative or NaN.
    pub fn residual_norm(&self, t: f64) -> Result<f64, Error> {
        check_time("`t` of `GradientFlow::residual_norm`", t)?;
        let resolution = self.spectrum.resolution();
        let decay = |lambda: f64| if lambda <= resolution { 1.0 } else { (-t * lambda).exp() };
        Ok(self
            .components
            .zip_map(self.spectrum.eigenvalues(), |component, lambda| {
                component * decay(lambda)
            })
            .norm())
    }
}

fn check_time(setting: &'static str, t: f64) -> Result<(), Error> {
    require(
        t >= 0.0,
        setting,
        format_args!("{t:?}"),
        "at least 0: the time is the sum of the step sizes times the width",
    )
}

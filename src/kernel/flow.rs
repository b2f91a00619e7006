//! Gradient flow of the infinitely wide network.

use super::fit::{Fit, singular};
use super::limit::Limit;
use super::spectrum::Spectrum;
use crate::error::Error;
use crate::setting::require;
use nalgebra::{DMatrix, DVector};

/// An eigenvalue that is lost in rounding may change the coefficients by this part before a time is refused.
const BLUR: f64 = 0.01;

/// Training by gradient flow in the limit of infinite width, at any time: from [`Predictor::gradient_flow`].
///
/// ```text
/// f_t = K* K^-1 (I - exp(-t K)) y,   K = Hcts of the training points, K* = Hcts of other points with them
/// ```
///
/// This is where a wide network goes that starts at F = 0 (antisymmetric) and follows dW/ds = -grad L: its residual obeys
/// de/ds = -G e with G = m H, so that its time is t = m s. A step of gradient descent of size eta adds eta to s, thus
///
/// ```text
/// t = m (eta_0 + eta_1 + ...) = steps * eta * m           (a_r = +-1; in general sum_r a_r^2 stands for m)
/// ```
///
/// as long as the steps are small, eta m lambda_max(K) << 1. The network's distance from f_t falls like 1/sqrt(m).
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
/// // Both points lie along the axes: K = exp(1/2) I, and every residual falls by exp(-t exp(1/2)).
/// let early = flow.at(0.4)?;
/// let left = (-0.4 * 0.5_f64.exp()).exp();
/// assert!((early.predict(data.points())?[0] - (1.0 - left)).abs() < 1e-15);
/// assert!((flow.residual_norm(0.4)? - 2.0_f64.sqrt() * left).abs() < 1e-15);
///
/// let end = flow.at(f64::INFINITY)?; // interpolates
/// assert!((end.predict(data.points())?[1] + 1.0).abs() < 1e-15);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientFlow {
    limit: Limit,
    spectrum: Spectrum,
    eigenvectors: DMatrix<f64>,
    /// The labels in the eigenvectors' coordinates.
    parts: DVector<f64>,
}

impl GradientFlow {
    pub(super) fn new(limit: Limit, kernel: &DMatrix<f64>, labels: &DVector<f64>) -> Result<Self, Error> {
        let (spectrum, eigenvectors) = Spectrum::decompose(kernel)?;
        let parts = eigenvectors.tr_mul(labels);
        Ok(Self {
            limit,
            spectrum,
            eigenvectors,
            parts,
        })
    }

    /// The eigenvalues of K: 1 / lambda is the time in which a part of the residual falls by the factor e.
    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// The fit at time `t` >= 0, infinity included: coefficients K^-1 (I - exp(-t K)) y.
    ///
    /// An eigenvalue lambda has the factor (1 - exp(-t lambda)) / lambda, which is t where lambda is at or below the
    /// spectrum's [`resolution`](Spectrum::resolution) and cannot be told from 0.
    ///
    /// Errors: a negative time or NaN; where K is singular to working precision, a time so long (infinity included) that
    /// this matters, t > 0.01 / resolution. Costs 2 n^2 flops.
    pub fn at(&self, t: f64) -> Result<Fit, Error> {
        check_time(t)?;
        let resolution = self.spectrum.resolution();
        let singular_kernel = self.spectrum.rank() < self.limit.samples();
        if singular_kernel && t * resolution > BLUR {
            return Err(singular(
                &self.limit,
                "the limit kernel of the training points",
                self.spectrum.condition(),
                format!(
                    "stop at a time below {:.1e}, where its small eigenvalues don't matter yet",
                    BLUR / resolution
                ),
            ));
        }
        let factor = |lambda: f64| match lambda {
            lambda if lambda <= resolution => t,
            lambda => -(-t * lambda).exp_m1() / lambda,
        };
        let parts = self
            .parts
            .zip_map(self.spectrum.eigenvalues(), |part, lambda| part * factor(lambda));
        Ok(Fit::new(self.limit.clone(), &self.eigenvectors * parts, 0))
    }

    /// ||e_t|| = ||exp(-t K) y|| on the training points, at time `t` >= 0: the lazy prediction of a wide network's
    /// residual. Costs n exponentials.
    ///
    /// Errors: a negative time or NaN.
    pub fn residual_norm(&self, t: f64) -> Result<f64, Error> {
        check_time(t)?;
        let resolution = self.spectrum.resolution();
        let decay = |lambda: f64| if lambda <= resolution { 1.0 } else { (-t * lambda).exp() };
        Ok(self
            .parts
            .zip_map(self.spectrum.eigenvalues(), |part, lambda| part * decay(lambda))
            .norm())
    }
}

fn check_time(t: f64) -> Result<(), Error> {
    require(
        t >= 0.0,
        "`t` of `GradientFlow`",
        format_args!("{t:?}"),
        "at least 0; it is the sum of the step sizes times the width",
    )
}

//! Proofs of convergence, and how wide is wide enough.
//!
//! The tangent kernel H = J J^T / m of a wide network barely moves during training, and as long as lambda_min(H) stays
//! positive, each step of gradient descent removes a fixed share of ||e||. The questions, from the narrowest network to the
//! widest:
//!
//! | question | function | based on |
//! |---|---|---|
//! | does *this* run converge? | [`Trainer::certify`](crate::Trainer::certify) | those of `certify`, along the run, and theorem H |
//! | are there weights nearby that fit *these* data exactly? | [`certify_frozen`], [`certify_gauss_newton`] | theorems F and N |
//! | does *this* network converge on *these* data? | [`certify`] | theorems A, A', A'', A''(gamma, theta) and G |
//! | how narrow can a random start be, for this seed? | [`NarrowestSearch`] | the same theorems, at growing widths |
//! | how wide must a random start be, before it is drawn? | [`sufficient_width`] | theorems B, C and D |
//!
//! [`theory`] has the statements and the proofs. All constants are explicit, everything is computed in `f64`, and
//! possible rounding errors are counted against the claim: an ill-conditioned kernel is not certified by luck. The
//! promises hold for gradient descent in exact arithmetic; [`schedule::Certified`](crate::schedule::Certified) takes
//! its step size from a certificate. Data with [sample weights](crate::Dataset::with_weights) are refused: the theorems
//! are about the loss without them.
//!
//! ```
//! use expnet::schedule::Certified;
//! use expnet::{Dataset, Initializer, Trainer, certificate};
//!
//! let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5])?;
//! let mut net = Initializer::new(2, 512).antisymmetric(true).seed(3).build::<f64>()?;
//! let proved = certificate::certify(&net, &data)?;
//! println!("{proved}");
//! assert!(proved.holds());
//!
//! let start = net.weights().clone();
//! let report = Trainer::new(Certified::new(&proved)?).max_steps(20).fit(&mut net, &data)?;
//! assert!(report.residual_norm() <= proved.residual_bound(20));
//! let moved = (net.weights() - start).column_iter().map(|w| w.norm()).fold(0.0, f64::max);
//! assert!(moved <= proved.radius());
//! # Ok::<(), expnet::Error>(())
//! ```

mod a_priori;
mod attempt;
mod certifier;
mod descent;
mod deterministic;
mod drift;
mod frozen;
mod lambert;
mod moments;
mod narrowest;
mod neurons;
mod newton;
mod newton_report;
mod operators;
mod proof;
#[cfg(test)]
mod reference;
mod report;
#[cfg(test)]
mod rounding;
mod search;
mod start;
#[cfg(test)]
mod tests;
mod verified;
mod whitened;
mod width;

#[doc = include_str!("../../docs/certificates.md")]
pub mod theory {}

pub use attempt::{Attempt, Inequality, Theorem};
pub use certifier::{Certifier, Effort};
pub use narrowest::{NarrowestSearch, SeedsWidth};
pub use newton_report::NewtonCertificate;
pub use proof::Proof;
pub use report::Certificate;
pub use width::{SufficientWidth, sufficient_width};

pub(crate) use drift::{Arithmetic, Drift, Samples};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;

/// Why sample weights are refused.
const WEIGHTS: &str =
    "the theorems are about the loss without weights; give the data without them (`Dataset::without_weights`)";

/// Tries to prove that gradient descent from `net` on all of `data` converges, and returns what is proved.
///
/// Of theorems A, A', A'', A''(gamma, theta) and G, and of a few step sizes, the one that promises the fastest
/// convergence is used. Output weights other than +-1 are carried through the proofs: |a_r| exp(<w_r, x_i>) takes the
/// place of exp(<w_r, x_i>) (see [`theory`]). A network that is not certified may still converge; the certificate then
/// says which inequality fails and by what factor.
///
/// Nothing is proved if the kernel is singular, as it is when points coincide or vanish or outnumber the weights, or if
/// its smallest eigenvalue does not exceed the possible rounding error.
///
/// Costs O(n^2 m + n^3), and for small problems O(n^3 m + n^4) for the full form of theorem G (see [`Effort`]), on one
/// thread; memory O(n^2 + m), or O(n m).
///
/// Errors: data whose dimension is not the network's; data with sample weights; a kernel that overflows.
pub fn certify<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Certificate, Error> {
    Certifier::default().certify(net, data)
}

/// Tries to prove that gradient descent with this step size converges; otherwise as [`certify`].
///
/// Errors: those of [`certify`]; a step size that is not positive and finite.
pub fn certify_at<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>, step_size: f64) -> Result<Certificate, Error> {
    Certifier::default().certify_at(net, data, step_size)
}

/// Tries to prove by theorem N that full Gauss-Newton, W <- W - J^T G^-1 e, converges quadratically from `net`, and with it
/// that an exact interpolant lies nearby. Costs the same as [`certify`].
///
/// ```
/// use expnet::{Dataset, Initializer, certificate};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5])?;
/// let net = Initializer::new(2, 64).antisymmetric(true).seed(3).build::<f64>()?;
/// let proved = certificate::certify_gauss_newton(&net, &data)?;
/// assert!(proved.holds() && proved.steps_to(1e-12) < 8);
/// # Ok::<(), expnet::Error>(())
/// ```
///
/// Errors: those of [`certify`].
pub fn certify_gauss_newton<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<NewtonCertificate, Error> {
    Certifier::default().certify_gauss_newton(net, data)
}

/// Tries to prove by theorem F that frozen Gauss-Newton, W <- W - J_0^T G_0^-1 e with the Jacobian of the start, converges
/// linearly from `net`, and with it that an exact interpolant lies nearby. Of all theorems on a given start, this one usually
/// holds for the narrowest networks. Costs the same as [`certify`].
///
/// Errors: those of [`certify`].
pub fn certify_frozen<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<NewtonCertificate, Error> {
    Certifier::default().certify_frozen(net, data)
}

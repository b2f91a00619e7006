//! Proofs of convergence, and how wide is wide enough.
//!
//! The tangent kernel H = J J^T / m of a wide network barely moves during training, and as long as lambda_min(H) stays
//! positive, each step of gradient descent removes a fixed share of ||e||. Three questions, from the narrowest network
//! to the widest:
//!
//! | question | function | based on |
//! |---|---|---|
//! | does *this* network converge on *these* data? | [`certify`] | theorems A, A' and A'' |
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
//! let report = Trainer::new(Certified::new(&proved)?).max_steps(100).fit(&mut net, &data)?;
//! assert!(report.residual_norm() <= (1.0 - proved.rate()).powi(100) * proved.residual_norm());
//! let moved = (net.weights() - start).column_iter().map(|w| w.norm()).fold(0.0, f64::max);
//! assert!(moved <= proved.radius());
//! # Ok::<(), expnet::Error>(())
//! ```

mod a_priori;
mod deterministic;
mod lambert;
mod moments;
mod narrowest;
mod neurons;
mod report;
mod start;
#[cfg(test)]
mod tests;
mod verified;
mod width;

#[doc = include_str!("../../docs/certificates.md")]
pub mod theory {}

pub use narrowest::NarrowestSearch;
pub use report::{Attempt, Certificate, Inequality, Theorem};
pub use width::{SufficientWidth, sufficient_width};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use nalgebra::{DMatrix, DVector};
use neurons::{Neurons, OfNetwork};
use start::Start;

/// Why sample weights are refused.
const WEIGHTS: &str =
    "the theorems are about the loss without weights; give the data without them (`Dataset::without_weights`)";

/// Tries to prove that gradient descent from `net` on all of `data` converges, and returns what is proved.
///
/// Of theorems A, A' and A'', the one that holds with the largest margin is used. Output weights other than +-1 are
/// carried through the proofs: |a_r| exp(<w_r, x_i>) takes the place of exp(<w_r, x_i>) (see [`theory`]). A network
/// that is not certified may still converge; the certificate then says which inequality fails and by what factor.
///
/// Nothing is proved if the kernel is singular, as it is when points coincide or vanish or outnumber the weights, or if
/// its smallest eigenvalue does not exceed the possible rounding error.
///
/// Costs 8 n^2 m flops, 3 n m exponentials and O(n^3), on one thread; memory O(n^2 + m).
///
/// Errors: data whose dimension is not the network's; data with sample weights; a kernel that overflows.
pub fn certify<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Certificate, Error> {
    net.check_dimension(data.points())?;
    data.refuse_weights("`certificate::certify`", WEIGHTS)?;
    let points = data.points().map(T::as_f64);
    let labels = data.labels().map(T::as_f64);
    certify_start(
        &OfNetwork::new(&points, net.weights(), net.output_weights()),
        &points,
        &labels,
    )
}

fn certify_start(neurons: &dyn Neurons, points: &DMatrix<f64>, labels: &DVector<f64>) -> Result<Certificate, Error> {
    let start = Start::new(neurons, points, labels)?;
    let spectrum = &start.spectrum;
    let attempts = if spectrum.lambda_min > 0.0 {
        deterministic::attempts(&start)?.to_vec()
    } else {
        // The first hypothesis of every theorem.
        let definite = Inequality::new(
            "rounding of lambda_min(H_0) < lambda_min(H_0)",
            spectrum.slack,
            spectrum.estimate,
            0.0,
        );
        let failed = |theorem| Attempt::new(theorem, vec![definite.clone()], 0.0);
        [Theorem::A, Theorem::APrime, Theorem::ADoublePrime]
            .map(failed)
            .to_vec()
    };
    let factor = |attempt: &Attempt| attempt.tightest().factor();
    let theorem = attempts
        .iter()
        .filter(|attempt| spectrum.lambda_min > 0.0 && attempt.holds())
        .min_by(|one, other| factor(one).total_cmp(&factor(other)))
        .map(Attempt::theorem);
    let l = spectrum.lambda_min.max(0.0);
    let largest = deterministic::largest_eigenvalue(spectrum.lambda_max, l) * (1.0 + start.guard);
    let proved = if theorem.is_some() { 1.0 } else { 0.0 };
    Ok(Certificate {
        samples: points.ncols(),
        dimension: points.nrows(),
        width: neurons.width(),
        theorem,
        max_step_size: proved / (start.width() * largest),
        rate: proved * 0.5 * l / largest,
        residual_norm: start.residual_norm,
        lambda_min: spectrum.lambda_min,
        lambda_max: spectrum.lambda_max,
        attempts,
    })
}

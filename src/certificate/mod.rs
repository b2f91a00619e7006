//! When convergence is proved, and how wide is wide enough.
//!
//! The tangent kernel H = J J^T / m of a wide network barely moves while it is trained, and as long as lambda_min(H) stays positive
//! gradient descent removes a fixed share of ||e|| with each step. Three questions, from the cheapest proof to the dearest network:
//!
//! | question | function | by |
//! |---|---|---|
//! | does *this* network converge on *these* data? | [`certify`] | theorems A, A' and A'' |
//! | how narrow may a random start be, for this seed? | [`NarrowestSearch`] | the same, widening |
//! | how wide must a random start be, before it is drawn? | [`sufficient_width`] | theorems B, C and D |
//!
//! [`theory`] has the statements and the proofs. All constants are explicit, everything is computed in `f64`, and what rounding may
//! do is counted against the claim: an ill-conditioned kernel is not certified by luck. The promises are about gradient
//! descent in exact arithmetic; [`schedule::Certified`](crate::schedule::Certified) takes its step size from a certificate.
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

/// Whether gradient descent from `net` on all of `data` is proved to converge, and what is proved of it.
///
/// Theorems A, A' and A'' are tried, and of those that hold the one with most to spare is taken. Output weights other than +-1 are carried
/// through the proofs: |a_r| exp(<w_r, x_i>) stands for exp(<w_r, x_i>) (see [`theory`]). A network that is not certified may
/// well converge: the certificate then says which inequality fails, and by what factor.
///
/// Points that coincide or vanish, and more points than weights, make the kernel singular: nothing is proved then. The same goes for
/// a kernel whose least eigenvalue is not above what rounding may have done to it.
///
/// Costs 8 n^2 m flops, 3 n m exponentials and O(n^3), on one thread; memory O(n^2 + m).
///
/// Errors: data of another dimension than the network's; a kernel that overflows.
pub fn certify<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Certificate, Error> {
    net.check_dimension(data.points())?;
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
        // What every theorem begins with.
        let definite = Inequality::new(
            "rounding of lambda_min(H_0) < lambda_min(H_0)",
            spectrum.slack,
            spectrum.estimate,
            0.0,
        );
        let refused = |theorem| Attempt::new(theorem, vec![definite.clone()], 0.0);
        [Theorem::A, Theorem::APrime, Theorem::ADoublePrime]
            .map(refused)
            .to_vec()
    };
    let factor = |k: &usize| attempts[*k].tightest().factor();
    let chosen = (0..attempts.len())
        .filter(|&k| spectrum.lambda_min > 0.0 && attempts[k].holds())
        .min_by(|j, k| factor(j).total_cmp(&factor(k)));
    let l = spectrum.lambda_min.max(0.0);
    let largest = deterministic::largest_on_the_way(spectrum.lambda_max, l) * (1.0 + start.guard);
    let proved = if chosen.is_some() { 1.0 } else { 0.0 };
    Ok(Certificate {
        shape: (points.ncols(), points.nrows(), neurons.width()),
        residual_norm: start.residual_norm,
        lambda_min: spectrum.lambda_min,
        lambda_max: spectrum.lambda_max,
        attempts,
        chosen,
        max_step_size: proved / (start.width() * largest),
        rate: proved * 0.5 * l / largest,
    })
}

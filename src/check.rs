//! Checks to run on your own data, schedules and methods.

mod resume;

pub use resume::{ResumeReport, resume};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use nalgebra::DMatrix;
use std::fmt;

/// The largest number of coordinates compared.
const LIMIT: usize = 4096;

/// The result of [`gradient`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientReport {
    /// The largest absolute difference between the analytic and the numerical derivative.
    pub largest_error: f64,
    /// The magnitude of the terms, to which the error is relative: the largest sum over samples of
    /// |e_i x_ik| exp(<w_r, x_i>) |a_r|.
    pub scale: f64,
    /// The number of coordinates compared.
    pub compared: usize,
    /// The largest relative error that rounding and truncation can explain.
    pub tolerance: f64,
}

impl GradientReport {
    /// Returns `largest_error / scale`.
    pub fn relative_error(&self) -> f64 {
        if self.scale > 0.0 {
            self.largest_error / self.scale
        } else {
            self.largest_error
        }
    }

    /// Whether the relative error is within the tolerance.
    pub fn agrees(&self) -> bool {
        self.relative_error() <= self.tolerance
    }
}

impl fmt::Display for GradientReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.agrees() { "agrees" } else { "does not agree" };
        write!(
            f,
            "the gradient {verdict} with central differences at {} coordinates: relative error {:.1e}, tolerance {:.1e}",
            self.compared,
            self.relative_error(),
            self.tolerance
        )
    }
}

/// Compares the analytic gradient with central differences of the loss in `f64`.
///
/// Compares up to 4096 coordinates, evenly spread over the weights. Costs one gradient, and 2 n d flops and 3 n
/// exponentials per coordinate.
///
/// ```
/// use expnet::{Dataset, Initializer, check};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.5]], &[0.5, -0.5])?;
/// let net = Initializer::new(2, 64).seed(1).build::<f32>()?;
/// let report = check::gradient(&net, &data)?;
/// assert!(report.agrees(), "{report}");
/// # Ok::<(), expnet::Error>(())
/// ```
///
/// Errors: those of [`ExpNetwork::gradient`].
pub fn gradient<T: Float>(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<GradientReport, Error> {
    let analytic = net.gradient(data)?;
    let residual = net.residual(data)?;
    let weight = |i: usize| data.weights().map_or(1.0, |weights| weights[i].as_f64());
    let samples: Vec<_> = residual
        .iter()
        .enumerate()
        .map(|(i, e)| (e.as_f64(), weight(i)))
        .collect();
    let points = data.points().map(Float::as_f64);
    let weights = net.weights().map(Float::as_f64);
    let a = net.output_weights().map(Float::as_f64);
    let total = analytic.len();
    let compared = total.min(LIMIT);
    let mut report = GradientReport {
        largest_error: 0.0,
        scale: 0.0,
        compared,
        tolerance: 1e-8_f64.max(1e3 * T::EPSILON.as_f64()),
    };
    for c in 0..compared {
        let at = c * total / compared;
        let (k, r) = (at % weights.nrows(), at / weights.nrows());
        let activations = points.tr_mul(&weights.column(r)).map(f64::exp);
        let terms = samples
            .iter()
            .enumerate()
            .map(|(i, (e, s))| (a[r] * s * e * activations[i] * points[(k, i)]).abs());
        report.scale = report.scale.max(terms.sum());
        let numerical = central_difference(&points, &samples, a[r], activations.as_slice(), k);
        report.largest_error = report.largest_error.max((analytic[(k, r)].as_f64() - numerical).abs());
    }
    Ok(report)
}

/// (L(w + h) - L(w - h)) / 2h for coordinate k of a neuron, without cancellation: only the output of this neuron
/// changes, so if the outputs change by d+ and d-, the losses differ by sum s (d+ - d-) (e + (d+ + d-) / 2) over `samples`
/// with residual e and weight s.
fn central_difference(points: &DMatrix<f64>, samples: &[(f64, f64)], a: f64, activations: &[f64], k: usize) -> f64 {
    let largest = points.row(k).amax();
    if largest == 0.0 {
        return 0.0;
    }
    let h = 1e-7 / largest;
    let sum: f64 = (samples.iter().enumerate())
        .map(|(i, (e, s))| {
            let x = points[(k, i)];
            let (up, down) = (
                a * activations[i] * (h * x).exp_m1(),
                a * activations[i] * (-h * x).exp_m1(),
            );
            s * (up - down) * (e + 0.5 * (up + down))
        })
        .sum();
    sum / (2.0 * h)
}

//! Whether a problem can be run at all: decided before the first step, with what is to blame and the remedy.
//!
//! The activations exp(<w_r, x_i>) decide. With
//!
//! ```text
//! Q_i = sum_r a_r^2 exp(2 <w_r, x_i>) = F(2 W, x_i) with output weights a_r^2,      G_ii = Q_i ||x_i||^2
//! ```
//!
//! the tangent kernel overflows if Q_i does, and the rounding of each weight changes F(x_i) by about eps sqrt(Q_i): if that is
//! more than labels and residual, no step can bring F closer to the labels.

use crate::dataset::Dataset;
use crate::engine::{Engine, outputs};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::numbers::{dot, half_square, largest};
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// The number of neurons whose weights are copied at a time.
const NEURONS: usize = 1 << 16;

/// The fewest numbers that one thread reads: it is done with fewer before another wakes up.
const NUMBERS: usize = 1 << 16;

/// Sums of squares of at least this are as good in f32 as in f64.
const SMALLEST: f64 = 1e-20;

/// The size of the activations, for each sample.
#[derive(Debug)]
pub(super) struct Activations {
    /// Q_i; empty if a bound on all of them rules out any problem.
    squares: Vec<f64>,
}

impl Activations {
    /// Measures the activations of a network, or of a share of one, at the start of a run.
    ///
    /// Costs O((n + m) d); if bounds on the norms do not settle the matter, a forward pass of `engine`, which holds the same
    /// weights; if T has not the range for that, another one in f64.
    ///
    /// Errors: activations that overflow T, or whose squares overflow f64.
    pub fn measure<T: Float>(
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        engine: &mut Engine<T>,
    ) -> Result<Self, Error> {
        if is_harmless(network, data) {
            return Ok(Self { squares: Vec::new() });
        }
        let squares = engine.activation_squares(network.output_weights())?;
        // Below, some a_r^2 may have vanished.
        let within = |square: &f64| square.is_finite() && *square >= SMALLEST;
        if let Some(squares) = squares.filter(|squares| squares.iter().all(within)) {
            return Ok(Self { squares });
        }
        let mut squares = vec![0.0; data.samples()];
        let points = data.points().map(Float::as_f64);
        for first in (0..network.width()).step_by(NEURONS) {
            let count = NEURONS.min(network.width() - first);
            let weights = network.weights().columns(first, count).map(|w| 2.0 * w.as_f64());
            let output_weights = network.output_weights().rows(first, count);
            let output_weights = output_weights.map(|a| a.as_f64() * a.as_f64());
            for (square, part) in squares.iter_mut().zip(outputs(&weights, &output_weights, &points)?) {
                *square += part;
            }
        }
        for (i, square) in squares.iter().enumerate() {
            if !T::lit(square.sqrt()).is_finite() {
                let problem = if square.is_finite() {
                    format!("which is inf in {}", T::NAME)
                } else {
                    "whose square, in the tangent kernel, is inf in f64".into()
                };
                return Err(too_large(network, data, i, problem));
            }
        }
        Ok(Self { squares })
    }

    /// Checks that steps can bring the outputs closer to the labels, for a network with this residual.
    pub fn check<T: Float>(
        &self,
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        residual: impl Iterator<Item = f64>,
    ) -> Result<(), Error> {
        let labels = data.labels().iter().map(|y| y.as_f64());
        let scale = largest(labels.chain(residual));
        let noise = |square: f64| T::EPSILON.as_f64() * square.sqrt();
        let worst = (0..self.squares.len()).max_by(|&i, &j| self.squares[i].total_cmp(&self.squares[j]));
        match worst {
            Some(i) if scale > 0.0 && noise(self.squares[i]) > scale => {
                let problem = format!(
                    "whose rounding in {} exceeds the labels, of at most {scale:.3e}",
                    T::NAME
                );
                Err(too_large(network, data, i, problem))
            }
            _ => Ok(()),
        }
    }
}

/// Whether bounds on <w_r, x_i> and Q_i already show that there is no problem.
fn is_harmless<T: Float>(network: &ExpNetwork<T>, data: &Dataset<T>) -> bool {
    let epsilon = T::EPSILON.as_f64();
    let exponent = largest_norm(network.weights()) * largest_norm(data.points());
    let square = network.output_weights().map(Float::as_f64).norm_squared() * (2.0 * exponent).exp();
    // Rounding takes at most half of the digits, or less than the labels are large.
    exponent <= -0.5 * epsilon.ln()
        || (T::lit(square.sqrt()).is_finite() && epsilon * square.sqrt() <= largest_label(data.labels()))
}

/// The largest 2-norm of a column.
fn largest_norm<T: Float>(matrix: &DMatrix<T>) -> f64 {
    let d = matrix.nrows().max(1);
    let groups = matrix.as_slice().par_chunks(8 * d).with_min_len(NUMBERS / (8 * d) + 1);
    // `dot` is for long columns.
    let square = |x: &[T]| match x.len() {
        0..8 => x.iter().map(|x| x.as_f64().powi(2)).sum(),
        _ => dot(x, x),
    };
    // In groups of eight: else each column would wait for the maximum before it.
    let largest = |columns: &[T]| columns.chunks(d).map(square).fold(0.0, f64::max);
    groups.map(largest).reduce(|| 0.0, f64::max).sqrt()
}

fn too_large<T: Float>(network: &ExpNetwork<T>, data: &Dataset<T>, i: usize, problem: String) -> Error {
    let point = data.points().column(i);
    let exponents = network.weights().column_iter().map(|w| {
        let products = w.iter().zip(&point).map(|(w, x)| w.as_f64() * x.as_f64());
        products.sum::<f64>()
    });
    Error::LargeActivations {
        exponent: exponents.fold(f64::NEG_INFINITY, f64::max),
        sample: i,
        problem,
    }
}

/// Checks that squares of the labels are in the range of T, since losses are.
pub(super) fn check_labels<T: Float>(data: &Dataset<T>) -> Result<(), Error> {
    let labels = || data.labels().iter().map(|y| y.as_f64());
    let square = data.weighted(labels()).map(|y| y * y).sum::<f64>();
    if T::lit(square).as_f64().is_finite() {
        return Ok(());
    }
    check_weights(data, labels())?;
    Err(labels_out_of_range(data, "so large that the loss overflows"))
}

/// Blames the sample weights for a sum of weighted squares of `numbers` that overflows, if their plain sum does not.
pub(super) fn check_weights<T: Float>(data: &Dataset<T>, numbers: impl Iterator<Item = f64>) -> Result<(), Error> {
    if data.weights().is_some() && half_square::<T>(numbers).is_finite() {
        return Err(weights_out_of_range(data, "large", "the loss overflows"));
    }
    Ok(())
}

/// Checks that the squares of a residual that is not zero do not vanish in T; `difference` is F - y, without weights.
pub(super) fn check_residual<T: Float>(
    data: &Dataset<T>,
    residual: impl Iterator<Item = f64>,
    difference: impl Iterator<Item = f64>,
) -> Result<(), Error> {
    // Below the smallest normal number, of which eps is the smallest part.
    let vanishes = |largest: f64| largest > 0.0 && T::lit(largest * largest * T::EPSILON.as_f64()) == T::zero();
    if !vanishes(largest(residual)) {
        return Ok(());
    }
    if data.weights().is_some() && !vanishes(largest(difference)) {
        return Err(weights_out_of_range(data, "small", "the loss vanishes"));
    }
    Err(labels_out_of_range(data, "so small that the loss vanishes"))
}

fn weights_out_of_range<T: Float>(data: &Dataset<T>, size: &str, consequence: &str) -> Error {
    let largest = data
        .weights()
        .map_or(0.0, |weights| largest(weights.iter().map(|s| s.as_f64())));
    Error::Setting {
        setting: "the largest weight of `Dataset::with_weights`",
        value: format!("{largest:e}, so {size} that {consequence} in {}", T::NAME),
        expected: "nearer to 1: only ratios matter to the minimum, so divide all weights by the largest",
    }
}

fn labels_out_of_range<T: Float>(data: &Dataset<T>, problem: &'static str) -> Error {
    Error::Labels {
        largest: largest_label(data.labels()),
        problem,
        dtype: T::NAME,
    }
}

/// What to do about a run that diverged. Near the start the activations are of order 1, so that labels beyond sum_r |a_r| can
/// only be reached by weights that move far, to where the kernel is another.
pub(super) fn remedy_of_divergence<T: Float>(network: &ExpNetwork<T>, labels: &DVector<T>, schedule: &str) -> String {
    let reach: f64 = network.output_weights().iter().map(|a| a.as_f64().abs()).sum();
    let largest = largest_label(labels);
    if largest > reach {
        return format!(
            "labels as large as {largest:e} are out of reach of output weights that add up to {reach:e}: scale the labels (see \
             `Scaling`), or use more neurons"
        );
    }
    let smaller = if schedule.contains("KernelStable") || schedule.contains("natural") {
        "with a smaller `KernelStable::factor`, or `schedule::Backtracking`"
    } else {
        "for example `schedule::KernelStable` or `schedule::Backtracking`"
    };
    format!("use smaller steps, {smaller}")
}

fn largest_label<T: Float>(labels: &DVector<T>) -> f64 {
    largest(labels.iter().map(|y| y.as_f64()))
}

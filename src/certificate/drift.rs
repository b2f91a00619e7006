//! Theorem H(b): how far rounding can have carried a run from exact gradient descent.
//!
//! With W_t exact and V_t computed, both from the same start, and delta_0 = 0,
//!
//! ```text
//! delta_{t+1} = g_t delta_t + eps_t    >= ||W_{t+1} - V_{t+1}||_F
//! g_t   = max(1, eta s^2 - 1) + eta max_r Sb_r
//! s     = sigma_max(J) + (e^(kappa delta) - 1) ||J||_F
//! Sb_r  = ||sum_i e_i E_ri x_i x_i^T|| + sum_i ||x_i||^2 (e^(kappa delta) E_ri (|e_i| + (e^(kappa delta) - 1) sum_r' E_r'i)
//!         - |e_i| E_ri)
//! eps_t = the rounding of one step
//! ```
//!
//! all at V_t: the derivative of a step is I - eta (J^T J + blockdiag(sum_i e_i sgn(a_r) E_ri x_i x_i^T)).

use super::operators::largest_eigenvalue;
use crate::error::Error;
use crate::linalg::{UNIT, eigenvalues};
use nalgebra::{DMatrix, DVector};

/// Covers the rounding of a step's bounds themselves.
const UP: f64 = 1.0 + 1e-10;

/// The largest relative error of a gradient for which second-order terms are covered.
const SMALL: f64 = 1e-3;

/// The arithmetic of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic {
    /// u, the relative error of one operation.
    pub unit: f64,
    /// Operations per sum beyond those of the formula: scaled coordinates, scaled duals.
    pub extra: usize,
}

impl Arithmetic {
    /// k u / (1 - k u), infinite where that means nothing.
    fn gamma(self, operations: usize) -> f64 {
        let k = (operations + self.extra) as f64 * self.unit;
        if k < 1.0 { k / (1.0 - k) } else { f64::INFINITY }
    }
}

/// The data of a run, in f64.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    pub points: DMatrix<f64>,
    pub labels: DVector<f64>,
    /// K, and ||x_i||.
    products: DMatrix<f64>,
    norms: DVector<f64>,
}

impl Samples {
    pub fn new(points: DMatrix<f64>, labels: DVector<f64>) -> Self {
        let norms = points.column_iter().map(|x| x.norm() * UP);
        Self {
            norms: DVector::from_iterator(points.ncols(), norms),
            products: points.tr_mul(&points),
            points,
            labels,
        }
    }
}

/// What one step adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// g_t and eps_t.
    pub factor: f64,
    pub rounding: f64,
    /// Intermediate results, for the tests.
    pub activation_error: f64,
    pub largest_curvature: f64,
}

/// delta_t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    pub distance: f64,
}

impl Drift {
    /// At the start.
    pub const NONE: Self = Self { distance: 0.0 };

    /// Takes in a step of size `step_size` from `weights` (d x m). Once the distance is infinite it remains so: nothing
    /// is claimed. Costs n^2 m + n d^2 m flops and n m exponentials.
    ///
    /// Errors: an eigenvalue iteration that does not converge.
    pub fn step(
        &mut self,
        samples: &Samples,
        (weights, output_weights): (&DMatrix<f64>, &DVector<f64>),
        step_size: f64,
        arithmetic: Arithmetic,
    ) -> Result<(), Error> {
        if self.distance.is_finite() {
            let growth = growth(samples, (weights, output_weights), step_size, arithmetic, self.distance)?;
            let next = growth.factor * UP * self.distance + growth.rounding * UP;
            self.distance = if next.is_nan() { f64::INFINITY } else { next };
        }
        Ok(())
    }
}

/// The growth of a step from weights that are off by `distance`.
pub(super) fn growth(
    samples: &Samples,
    (weights, output_weights): (&DMatrix<f64>, &DVector<f64>),
    eta: f64,
    arithmetic: Arithmetic,
    distance: f64,
) -> Result<Growth, Error> {
    let (n, m) = (samples.points.ncols(), weights.ncols());
    let mut signed = samples.points.tr_mul(weights);
    signed.apply(|z| *z = z.exp());
    for (mut column, a) in signed.column_iter_mut().zip(output_weights) {
        column *= *a;
    }
    let activations = signed.abs();
    let residual = signed.column_sum() - &samples.labels;
    let sums = activations.column_sum();
    let kappa = samples.norms.max();
    let largest_weight = weights.column_iter().map(|w| w.norm()).fold(0.0, f64::max) * UP;
    let activation_error =
        (arithmetic.gamma(samples.points.nrows()) * kappa * largest_weight).exp_m1() + 8.0 * arithmetic.unit;
    let none = Growth {
        factor: f64::INFINITY,
        rounding: f64::INFINITY,
        activation_error,
        largest_curvature: f64::INFINITY,
    };
    let relative = activation_error + arithmetic.gamma(n + m + 3);
    if relative.is_nan() || relative > SMALL || !residual.iter().all(|e| e.is_finite()) {
        return Ok(none);
    }
    // Norms of v(z)_r = sum_i E_ri ||x_i|| z_i.
    let norm_of = |z: DVector<f64>| activations.tr_mul(&z.component_mul(&samples.norms)).norm();
    let u = arithmetic.unit;
    let dual_error = activation_error + arithmetic.gamma(n + 3);
    let output_error = sums.zip_map(&samples.labels, |sum, y| {
        (arithmetic.gamma(m + 1) + activation_error) * ((1.0 + activation_error) * sum + y.abs())
    });
    let errors = residual.zip_map(&output_error, |e, error| {
        1.01 * e.abs() * (dual_error + u) + error * (1.0 + dual_error)
    });
    let rounding = u * (1.0 + u) * weights.norm()
        + 2.0 * u * eta * norm_of(residual.abs())
        + 1.001 * eta * (1.0 + 4.0 * u) * norm_of(errors);

    let gram = samples.products.component_mul(&(&activations * activations.transpose()));
    let stretch = (kappa * distance).exp_m1();
    let sigma = largest_eigenvalue(&gram)?.sqrt() + stretch * gram.trace().sqrt();
    let (largest_curvature, curvature) = curvatures(samples, &signed, &activations, &residual, &sums, stretch)?;
    Ok(Growth {
        factor: (eta * sigma * sigma - 1.0).max(1.0) + eta * curvature,
        rounding,
        activation_error,
        largest_curvature,
    })
}

/// max_r S_r and max_r Sb_r.
fn curvatures(
    samples: &Samples,
    signed: &DMatrix<f64>,
    activations: &DMatrix<f64>,
    residual: &DVector<f64>,
    sums: &DVector<f64>,
    stretch: f64,
) -> Result<(f64, f64), Error> {
    let squares = samples.norms.map(|norm| norm * norm);
    let (mut plain, mut moved) = (0.0_f64, 0.0_f64);
    for (signed, e) in signed.column_iter().zip(activations.column_iter()) {
        let weights = signed.component_mul(residual);
        let mut scaled = samples.points.clone();
        for (mut column, weight) in scaled.column_iter_mut().zip(&weights) {
            column *= *weight;
        }
        let mut curvature = scaled * samples.points.transpose();
        curvature.fill_upper_triangle_with_lower_triangle();
        let found = eigenvalues(&curvature)?;
        // The solver's error is a few units of the sum of the terms.
        let size: f64 = weights.iter().zip(&squares).map(|(weight, square)| weight.abs() * square).sum();
        let norm = found.amax() + 64.0 * UNIT * size;
        let rest: f64 = (e.iter().zip(residual).zip(sums).zip(&squares))
            .map(|(((e, residual), sum), square)| {
                square * e * (residual.abs() * stretch + (1.0 + stretch) * stretch * sum)
            })
            .sum();
        plain = plain.max(norm);
        moved = moved.max(norm + rest);
    }
    Ok((plain, moved))
}

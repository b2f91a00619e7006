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

/// delta_t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    pub distance: f64,
}

impl Drift {
    /// At the start.
    pub const NONE: Self = Self { distance: 0.0 };

    /// Of a run whose rounding was not followed.
    pub const UNKNOWN: Self = Self {
        distance: f64::INFINITY,
    };

    /// Whether anything is claimed.
    pub fn is_known(self) -> bool {
        self.distance.is_finite()
    }

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
        if self.is_known() {
            let place = Place::new(samples, (weights, output_weights), arithmetic);
            let growth = place.growth(step_size, self.distance)?;
            let next = growth * UP * self.distance + place.rounding(step_size) * UP;
            self.distance = if next.is_nan() { f64::INFINITY } else { next };
        }
        Ok(())
    }
}

/// The network at the weights of one step.
pub(super) struct Place<'a> {
    samples: &'a Samples,
    weights: &'a DMatrix<f64>,
    arithmetic: Arithmetic,
    /// sgn(a_r) E_ri and E_ri, n x m.
    signed: DMatrix<f64>,
    activations: DMatrix<f64>,
    /// e, and the sums of E_ri over r.
    residual: DVector<f64>,
    sums: DVector<f64>,
    kappa: f64,
}

impl<'a> Place<'a> {
    pub fn new(
        samples: &'a Samples,
        (weights, output_weights): (&'a DMatrix<f64>, &DVector<f64>),
        arithmetic: Arithmetic,
    ) -> Self {
        let mut signed = samples.points.tr_mul(weights);
        signed.apply(|z| *z = z.exp());
        for (mut column, a) in signed.column_iter_mut().zip(output_weights) {
            column *= *a;
        }
        let activations = signed.abs();
        Self {
            samples,
            weights,
            arithmetic,
            residual: signed.column_sum() - &samples.labels,
            sums: activations.column_sum(),
            signed,
            activations,
            kappa: samples.norms.max(),
        }
    }

    /// eE, the relative error of an activation.
    pub fn activation_error(&self) -> f64 {
        self.activation_error_in(self.arithmetic)
    }

    fn activation_error_in(&self, arithmetic: Arithmetic) -> f64 {
        let largest_weight = self.weights.column_iter().map(|w| w.norm()).fold(0.0, f64::max) * UP;
        let exponent = arithmetic.gamma(self.samples.points.nrows()) * self.kappa * largest_weight;
        exponent.exp_m1() + 8.0 * arithmetic.unit
    }

    /// eps_t, for any order of sums; infinite where nothing is claimed.
    pub fn rounding(&self, eta: f64) -> f64 {
        let (n, m) = self.activations.shape();
        let (u, error) = (self.arithmetic.unit, self.activation_error());
        let relative = error + self.arithmetic.gamma(n + m + 3);
        if relative.is_nan() || relative > SMALL {
            return f64::INFINITY;
        }
        // The norm of v(z)_r = sum_i E_ri ||x_i|| z_i.
        let norm_of = |z: DVector<f64>| self.activations.tr_mul(&z.component_mul(&self.samples.norms)).norm();
        let dual_error = error + self.arithmetic.gamma(n + 3);
        let output_error = self.sums.zip_map(&self.samples.labels, |sum, y| {
            (self.arithmetic.gamma(m + 1) + error) * ((1.0 + error) * sum + y.abs())
        });
        let errors = self.residual.zip_map(&output_error, |e, error| {
            1.01 * e.abs() * (dual_error + u) + error * (1.0 + dual_error)
        });
        u * (1.0 + u) * self.weights.norm()
            + 2.0 * u * eta * norm_of(self.residual.abs())
            + 1.001 * eta * (1.0 + 4.0 * u) * norm_of(errors)
    }

    /// g_t for weights that are off by `distance`.
    pub fn growth(&self, eta: f64, distance: f64) -> Result<f64, Error> {
        let gram = &self.activations * self.activations.transpose();
        let gram = self.samples.products.component_mul(&gram);
        let stretch = (self.kappa * distance).exp_m1();
        if !(gram.iter().all(|g| g.is_finite()) && stretch.is_finite()) {
            return Ok(f64::INFINITY);
        }
        let sigma = largest_eigenvalue(&gram)?.sqrt() + stretch * gram.trace().sqrt();
        Ok((eta * sigma * sigma - 1.0).max(1.0) + eta * self.curvature(stretch)?)
    }

    /// max_r Sb_r, with `stretch` = e^(kappa delta) - 1. Where that is 0, it is max_r S_r. The residual is known up to the
    /// rounding of its sums, here in f64.
    pub fn curvature(&self, stretch: f64) -> Result<f64, Error> {
        let points = &self.samples.points;
        let squares = self.samples.norms.map(|norm| norm * norm);
        let double = Arithmetic { unit: UNIT, extra: 0 };
        let error = self.activation_error_in(double) + double.gamma(self.activations.ncols() + 1);
        let errors = self
            .sums
            .zip_map(&self.samples.labels, |sum, y| error * (sum + y.abs()));
        let mut largest = 0.0_f64;
        for (signed, e) in self.signed.column_iter().zip(self.activations.column_iter()) {
            let weights = signed.component_mul(&self.residual);
            let mut scaled = points.clone();
            for (mut column, weight) in scaled.column_iter_mut().zip(&weights) {
                column *= *weight;
            }
            let mut curvature = scaled * points.transpose();
            curvature.fill_upper_triangle_with_lower_triangle();
            let rest: f64 = (e.iter().zip(&self.residual).zip(&self.sums).zip(&squares).zip(&errors))
                .map(|((((e, residual), sum), square), error)| {
                    square * e * (residual.abs() * stretch + (1.0 + stretch) * (stretch * sum + error))
                })
                .sum();
            // The solver's error is a few units of the sum of the terms.
            let size: f64 = weights
                .iter()
                .zip(&squares)
                .map(|(weight, square)| weight.abs() * square)
                .sum();
            let rest = rest + 64.0 * UNIT * size;
            // The Frobenius norm bounds the eigenvalue, and is cheaper.
            if curvature.norm() + rest > largest {
                largest = largest.max(eigenvalues(&curvature)?.amax() + rest);
            }
        }
        Ok(largest)
    }
}

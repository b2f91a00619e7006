//! The Jacobian in coordinates in which it is a co-isometry at the start, and how fast it leaves them.
//!
//! With P G_0 P^T = I, U = P J_0 has U U^T = I, and N(W) = P (J(W) - J_0) is what training adds. In blocks of neurons,
//! U_r = sgn(a_r) P diag(E_r) X. Around the start, with D = ||W - W_0||_F (see [`theory`](super::theory)),
//!
//! ```text
//! lip_r  = ||P diag(E_r) (x_i (x) x_i)_i||    <= sqrt(E_r^T (K o K o G_0^-1) E_r)     L1 = max lip_r
//! lip+_r = sqrt(v^T |K o G_0^-1| v), v_i = ||x_i|| E_ri                              L2 = max lip+_r
//! ||N|| <= Om(D) = L1 D + Om2(D),    Om2(D) = L2 h2(kappa D)/kappa
//! ```
//!
//! Every number is rounded up by the bounds of section "Rounding" there, so that the theorems hold for the exact numbers
//! that the network and the data store.

use super::start::Start;
use crate::error::Error;
use crate::linalg::{UNIT, Whitening, gamma};
use nalgebra::{DMatrix, DMatrixView, DVector};

/// Covers the rounding of the few operations behind a bound.
pub(super) const UP: f64 = 1.0 + 1e-12;

/// Outside of this range of squares, products of those that a certificate multiplies might under- or overflow.
const RANGE: std::ops::RangeInclusive<f64> = 1e-75..=1e75;

/// Added to the error of phi where e_0 is not 0, against underflow in its squares.
const TINY: f64 = 1e-100;

/// e^x - 1 - x, for x >= 0.
pub(super) fn h2(x: f64) -> f64 {
    if x > 0.5 {
        return x.exp_m1() - x;
    }
    // x^2/2 + x^3/6 + …: for x <= 1/2, 14 terms leave less than one unit in the last place.
    (3..=15).rev().fold(1.0, |sum, k| 1.0 + x / f64::from(k) * sum) * x * x / 2.0
}

/// Om, Om2 and Om': how far the Jacobian moves while the weights move by D.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub l1: f64,
    pub l2: f64,
    pub kappa: f64,
}

impl Growth {
    /// Om(D) = L1 D + Om2(D), a bound on ||N||.
    pub fn om(&self, distance: f64) -> f64 {
        self.l1 * distance + self.om2(distance)
    }

    /// Om2(D) = L2 h2(kappa D)/kappa, a bound on the part of N beyond first order.
    pub fn om2(&self, distance: f64) -> f64 {
        self.l2 * h2(self.kappa * distance) / self.kappa
    }

    /// Om'(D) = L1 + L2 (e^(kappa D) - 1), a Lipschitz constant of N.
    pub fn om_slope(&self, distance: f64) -> f64 {
        self.l1 + self.l2 * (self.kappa * distance).exp_m1()
    }
}

/// phi_0 = P e_0, and how exact it is.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    /// As computed.
    pub phi: DVector<f64>,
    /// s0 >= ||P e_0|| for the exact P.
    pub norm: f64,
    /// A bound on the norm of the computed phi, and on its distance from the P of the computer times the exact e_0.
    computed: f64,
    error: f64,
    e1: f64,
}

impl Signal {
    /// z0 >= ||P e_0 - phi||, and beyond that the errors of the powers of I - eta G, whose slowest decays as
    /// (1 - `gap`)^t.
    pub fn distance(&self, gap: f64) -> f64 {
        (self.e1 * self.computed + self.error + 6.0 * UNIT / gap * self.computed) * UP
    }

    /// sh, the norm of the computed phi rounded up.
    pub fn computed(&self) -> f64 {
        self.computed
    }

    /// That of `factor` e_0.
    pub fn times(&self, factor: f64) -> Self {
        Self {
            phi: &self.phi * factor,
            norm: self.norm * factor,
            computed: self.computed * factor,
            error: self.error * factor,
            e1: self.e1,
        }
    }
}

/// A start in whitened coordinates, without what needs more than O(n^2 m + n^3).
#[derive(Debug)]
pub(super) struct Whitened<'a> {
    pub start: &'a Start<'a>,
    pub whitening: Whitening,
    pub signal: Signal,
    /// eE, a bound on the relative error of an activation.
    pub activation_error: f64,
    /// M = P^T P, and rr: |G_0^-1 - M|_ij <= rr p_i p_j, with p_i the norm of column i of P.
    inverse: DMatrix<f64>,
    pub inverse_error: f64,
    pub columns: DVector<f64>,
    /// The trace form of `lip_r`, and `lip+_r`, by distinct neuron.
    pub lip: Vec<f64>,
    pub lip_plus: Vec<f64>,
    pub growth: Growth,
}

impl<'a> Whitened<'a> {
    /// Whitens a start. `None` if G_0 is not proved to be positive definite, or numbers are near the ends of the range of
    /// f64. Costs 4 n^2 m flops, n m exponentials and O(n^3).
    ///
    /// Errors: no memory; an eigenvalue iteration that does not converge.
    pub fn new(start: &'a Start<'a>) -> Result<Option<Self>, Error> {
        let (dimension, samples) = start.points.shape();
        let neurons = start.neurons;
        let exponent = (gamma(dimension) * start.kappa * neurons.largest_weight() * UP).exp_m1();
        if exponent.is_nan() || exponent > 0.5 {
            return Ok(None);
        }
        let in_range = |squares: DVector<f64>| squares.iter().all(|square| RANGE.contains(square));
        if !(in_range(start.products.diagonal()) && in_range(start.squares.diagonal())) {
            return Ok(None);
        }
        let activation_error = exponent + 8.0 * UNIT;
        let gram = start.products.component_mul(&start.squares);
        let sizes = (&start.norms * start.norms.transpose()).component_mul(&start.squares);
        let gram_error = 1.01 * (2.0 * activation_error + gamma(dimension + neurons.width() + 2));
        let Some(whitening) = Whitening::new(&gram, &sizes, gram_error)? else {
            return Ok(None);
        };
        if !in_range(whitening.eigenvalues.clone()) {
            return Ok(None);
        }
        let matrix = &whitening.matrix;
        let columns = DVector::from_iterator(samples, matrix.column_iter().map(|column| column.norm() * UP));
        let inverse = matrix.tr_mul(matrix);
        let inverse_error = whitening.e1 / (1.0 - whitening.e1) + gamma(4 * samples + 2 * dimension + 20);
        let signal = signal(start, &whitening, activation_error);
        let mut whitened = Self {
            start,
            whitening,
            signal,
            activation_error,
            inverse,
            inverse_error,
            columns,
            lip: Vec::new(),
            lip_plus: Vec::new(),
            growth: Growth {
                l1: 0.0,
                l2: 0.0,
                kappa: start.kappa * UP,
            },
        };
        whitened.measure_traces();
        let finite = whitened.growth.l1.is_finite() && whitened.growth.l2.is_finite();
        Ok(finite.then_some(whitened))
    }

    /// `lip_r` by its trace, `lip+_r`, L1 and L2.
    fn measure_traces(&mut self) {
        let products = &self.start.products;
        let form = products.component_mul(&self.inverse);
        let (second, absolute) = (products.component_mul(&form), form.abs());
        let squares = self.start.norms.map(|norm| norm * norm);
        let mut norms = Vec::with_capacity(self.start.neurons.columns());
        self.start.neurons.for_each_block(&mut |_, block| {
            let mut sized = block.into_owned();
            for mut column in sized.column_iter_mut() {
                column.component_mul_assign(&self.start.norms);
            }
            let traces = (&second * block, &absolute * &sized);
            for (k, column) in block.column_iter().enumerate() {
                let slack = self.form_error(&column.component_mul(&squares));
                let plus = traces.1.column(k).dot(&sized.column(k));
                let plus = (1.0 + self.activation_error) * (plus + slack).sqrt() * UP;
                let trace = traces.0.column(k).dot(&column) + slack;
                let trace = trace.max(0.0).sqrt() + self.activation_error * plus;
                norms.push(((trace * UP).min(plus), plus));
            }
        });
        (self.lip, self.lip_plus) = norms.into_iter().unzip();
        let largest = |norms: &[f64]| norms.iter().copied().fold(0.0, f64::max);
        (self.growth.l1, self.growth.l2) = (largest(&self.lip), largest(&self.lip_plus));
    }

    /// 1.01 rr (sum_i z_i p_i)^2, the error of z^T M z in place of z^T G_0^-1 z.
    fn form_error(&self, z: &DVector<f64>) -> f64 {
        1.01 * self.inverse_error * z.dot(&self.columns).powi(2)
    }

    /// `ell_r` = ||U_r|| by its trace, sqrt(E_r^T (K o G_0^-1) E_r), by distinct neuron. Costs 2 n^2 m flops.
    pub fn leverages(&self) -> Vec<f64> {
        let form = self.start.products.component_mul(&self.inverse);
        let mut leverages = Vec::with_capacity(self.lip.len());
        self.start
            .neurons
            .for_each_block(&mut |_, block: DMatrixView<'_, f64>| {
                let images = &form * block;
                for (column, image) in block.column_iter().zip(images.column_iter()) {
                    let sized = column.component_mul(&self.start.norms);
                    let trace = (column.dot(&image) + self.form_error(&sized)).max(0.0).sqrt();
                    // ||P diag(E - computed E) X||_F^2 <= eE^2 sized^T |G_0^-1| sized, and |G_0^-1|_ij <= (1 + rr) p_i p_j.
                    let size = 1.1 * sized.dot(&self.columns);
                    leverages.push((trace + self.activation_error * size) * UP);
                }
            });
        leverages
    }

    /// Whether all neurons are in pairs that cancel, for which the tensor B vanishes.
    pub fn is_paired(&self) -> bool {
        self.start.neurons.signs().is_none()
    }

    pub fn samples(&self) -> usize {
        self.start.points.ncols()
    }
}

/// phi_0 = P e_0 and s0, with the rounding of e_0: F adds up m terms.
fn signal(start: &Start<'_>, whitening: &Whitening, activation_error: f64) -> Signal {
    let matrix = &whitening.matrix;
    let phi = matrix * &start.residual;
    let relative = match start.neurons.signs() {
        Some(_) => gamma(start.neurons.width() + 1) + activation_error,
        // F_0 = 0 exactly.
        None => 0.0,
    };
    let output_error = start.activation_sums.zip_map(start.labels, |sum, y| {
        relative * ((1.0 + activation_error) * sum + y.abs())
    });
    let product = start.residual.abs() * gamma(start.residual.len());
    let error = (matrix.abs() * (output_error + product)).norm() * UP;
    let error = if start.residual.amax() > 0.0 {
        error + TINY
    } else {
        error
    };
    let computed = (phi.norm() * UP + error) * UP;
    Signal {
        norm: whitening.stretch() * computed * UP,
        phi,
        computed,
        error,
        e1: whitening.e1,
    }
}

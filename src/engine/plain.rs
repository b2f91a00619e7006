//! The formulas of the model, in nalgebra's matrix products over blocks of points.
//!
//! Slow and short: the oracle against which the fused kernels are tested.
//!
//! ```text
//! block of points   X_b  d x b        activations  E_b = exp(X_b^T W)  b x m
//! outputs           F_b = E_b a       gradient    += X_b (diag(v_b) E_b diag(a))
//! ```

use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// The numbers in a block of activations, whatever the number of points.
const BLOCK: usize = 1 << 20;

fn blocks(samples: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    let size = (BLOCK / width.max(1)).max(1);
    (0..samples)
        .step_by(size)
        .map(move |start| (start, size.min(samples - start)))
}

fn activations<T: Float>(weights: &DMatrix<T>, points: &DMatrix<T>, start: usize, size: usize) -> DMatrix<T> {
    points
        .columns(start, size)
        .tr_mul(weights)
        .map(nalgebra::ComplexField::exp)
}

/// F(W, x_i) = sum_r a_r exp(<w_r, x_i>) for every column of `points`. Neighbours are added first, so that an
/// antisymmetric network gives exactly 0.
pub(super) fn outputs<T: Float>(weights: &DMatrix<T>, a: &DVector<T>, points: &DMatrix<T>) -> Vec<f64> {
    let mut outputs = Vec::with_capacity(points.ncols());
    for (start, size) in blocks(points.ncols(), weights.ncols()) {
        let e = activations(weights, points, start, size);
        outputs.extend((0..size).map(|i| {
            (0..e.ncols())
                .step_by(2)
                .map(|r| {
                    (r..(r + 2).min(e.ncols()))
                        .map(|r| a[r].as_f64() * e[(i, r)].as_f64())
                        .sum::<f64>()
                })
                .sum::<f64>()
        }));
    }
    outputs
}

/// J^T v: column r is a_r sum_i v_i exp(<w_r, x_i>) x_i.
pub(super) fn gradient<T: Float>(weights: &DMatrix<T>, a: &DVector<T>, points: &DMatrix<T>, dual: &[T]) -> DMatrix<T> {
    let mut gradient = DMatrix::zeros(weights.nrows(), weights.ncols());
    for (start, size) in blocks(points.ncols(), weights.ncols()) {
        let mut e = activations(weights, points, start, size);
        for (mut column, &a) in e.column_iter_mut().zip(a) {
            for (e, &v) in column.iter_mut().zip(&dual[start..]) {
                *e *= v * a;
            }
        }
        gradient += points.columns(start, size) * e;
    }
    gradient
}

/// J u for a matrix u of the shape of the weights: entry i is sum_r a_r exp(<w_r, x_i>) <x_i, u_r>.
pub(super) fn tangent<T: Float>(
    weights: &DMatrix<T>,
    a: &DVector<T>,
    points: &DMatrix<T>,
    direction: &DMatrix<T>,
    product: &mut [f64],
) {
    for (start, size) in blocks(points.ncols(), weights.ncols()) {
        let e = activations(weights, points, start, size);
        let z = points.columns(start, size).tr_mul(direction);
        for i in 0..size {
            product[start + i] = (0..e.ncols())
                .map(|r| a[r].as_f64() * e[(i, r)].as_f64() * z[(i, r)].as_f64())
                .sum();
        }
    }
}

/// J^T v + sum_i e_i H_i u for u of the shape of the weights: column r is a_r sum_i (v_i + e_i <x_i, u_r>) exp(<w_r, x_i>) x_i.
pub(super) fn curvature<T: Float>(
    weights: &DMatrix<T>,
    a: &DVector<T>,
    points: &DMatrix<T>,
    direction: &DMatrix<T>,
    [v, residual]: [&[T]; 2],
) -> DMatrix<T> {
    let mut product = DMatrix::zeros(weights.nrows(), weights.ncols());
    for (start, size) in blocks(points.ncols(), weights.ncols()) {
        let mut e = activations(weights, points, start, size);
        let z = points.columns(start, size).tr_mul(direction);
        for r in 0..e.ncols() {
            for i in 0..size {
                e[(i, r)] *= a[r] * (v[start + i] + residual[start + i] * z[(i, r)]);
            }
        }
        product += points.columns(start, size) * e;
    }
    product
}

/// G = J J^T: G_ij = <x_i, x_j> sum_r a_r^2 exp(<w_r, x_i>) exp(<w_r, x_j>), in `f64`.
pub(super) fn tangent_gram<T: Float>(weights: &DMatrix<T>, a: &DVector<T>, points: &DMatrix<T>) -> DMatrix<f64> {
    let points = points.map(Float::as_f64);
    let mut e = points.tr_mul(&weights.map(Float::as_f64)).map(f64::exp);
    for (mut column, a) in e.column_iter_mut().zip(a) {
        column *= a.as_f64();
    }
    points.tr_mul(&points).component_mul(&(&e * e.transpose()))
}

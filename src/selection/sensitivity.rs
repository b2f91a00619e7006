//! Embedded points, and how much a fit to them changes with each column.

use crate::error::Error;
use crate::scaling::Embedding;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// Points as a scaling makes them, and how.
pub(super) struct Embedded {
    embedding: Embedding,
    /// One point per column.
    pub points: DMatrix<f64>,
    /// The norms by which the points were divided: 1 without the unit sphere.
    norms: Vec<f64>,
}

impl Embedded {
    /// Embeds standardised coordinates (d x n).
    ///
    /// Errors: a point that is 0 and is to be put on the unit sphere.
    pub fn new(embedding: Embedding, coordinates: &DMatrix<f64>) -> Result<Self, Error> {
        let (mut numbers, mut norms) = (Vec::new(), Vec::new());
        let mut point = Vec::new();
        for (i, z) in coordinates.column_iter().enumerate() {
            norms.push(embedding.apply(i, z.iter().copied(), &mut point)?);
            numbers.extend_from_slice(&point);
        }
        Ok(Self {
            points: DMatrix::from_vec(embedding.dimension(), coordinates.ncols(), numbers),
            embedding,
            norms,
        })
    }

    /// The root mean square over the points of df/dz_k, for f = sum_i c_i Hcts(x_i, .) and each standardised coordinate z_k:
    /// the root of the diagonal of the average gradient outer product.
    ///
    /// With x = v / ||v||, v = (z / length, bias), and g = <x_i, x>:
    /// ```text
    /// grad_x Hcts(x_i, x) = exp(sigma^2 ||x_i + x||^2 / 2) (x_i + sigma^2 g (x_i + x)),   grad_v = (I - x x^T) grad_x / ||v||
    /// ```
    pub fn sensitivities(&self, coefficients: &DVector<f64>, std_dev: f64) -> Vec<f64> {
        let (points, embedding) = (&self.points, &self.embedding);
        let variance = std_dev * std_dev;
        // A product of matrices of both kinds is faster than many dot products of d numbers.
        let mut inner = points.transpose() * points;
        let squares: Vec<f64> = inner.diagonal().iter().copied().collect();
        // Column j: the coefficients of the x_i in grad f(x_j); and, separately, that of x_j itself.
        let mut own = vec![0.0; points.ncols()];
        let columns = inner.as_mut_slice().par_chunks_mut(points.ncols().max(1));
        columns.zip(&mut own).enumerate().for_each(|(j, (column, own))| {
            for (i, entry) in column.iter_mut().enumerate() {
                let g = *entry;
                let weight = coefficients[i] * (variance * (f64::midpoint(squares[i], squares[j]) + g)).exp();
                *own += weight * variance * g;
                *entry = weight * (1.0 + variance * g);
            }
        });
        let mut gradients = points * inner;
        let mut sums = vec![0.0; embedding.lengths.len()];
        for (j, mut gradient) in gradients.column_iter_mut().enumerate() {
            let x = points.column(j);
            gradient.axpy(own[j], &x, 1.0);
            if embedding.unit_sphere {
                let along = gradient.dot(&x);
                gradient.axpy(-along, &x, 1.0);
                gradient /= self.norms[j];
            }
            for (sum, (g, length)) in sums.iter_mut().zip(gradient.iter().zip(&embedding.lengths)) {
                *sum += (g / length).powi(2);
            }
        }
        sums.iter().map(|sum| (sum / points.ncols() as f64).sqrt()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::limit_kernel;

    #[test]
    fn sensitivities_are_those_of_finite_differences() {
        let coordinates = DMatrix::from_fn(3, 9, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
        let coefficients = DVector::from_fn(9, |i, _| (1.7 * i as f64).cos());
        for (bias, unit_sphere) in [(Some(1.3), true), (None, false), (Some(0.4), false)] {
            let embedding = || Embedding {
                lengths: vec![0.5, 1.0, 3.0],
                bias,
                unit_sphere,
            };
            let embedded = Embedded::new(embedding(), &coordinates).unwrap();
            // f at point j, with its coordinate k moved by h.
            let value = |j: usize, k: usize, h: f64| {
                let mut moved = coordinates.clone();
                moved[(k, j)] += h;
                let moved = Embedded::new(embedding(), &moved).unwrap().points;
                let pairs = embedded.points.column_iter().zip(&coefficients);
                let term = |(x, c): (nalgebra::DVectorView<'_, f64>, &f64)| {
                    let both = DMatrix::from_columns(&[x.into_owned(), moved.column(j).into_owned()]);
                    c * limit_kernel(&both, 0.8).unwrap()[(0, 1)]
                };
                pairs.map(term).sum::<f64>()
            };
            let found = embedded.sensitivities(&coefficients, 0.8);
            for (k, found) in found.into_iter().enumerate() {
                let slope = |j| (value(j, k, 1e-5) - value(j, k, -1e-5)) / 2e-5;
                let expected = ((0..9).map(|j| slope(j).powi(2)).sum::<f64>() / 9.0).sqrt();
                assert!((found / expected - 1.0).abs() < 1e-8, "{k}: {found} {expected}");
            }
        }
    }
}

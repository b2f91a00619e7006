//! Points of given beta and length scales, from standardised coordinates, and the gradient of a fit with respect to those.

use nalgebra::{DMatrix, DVector};

/// The last steps of a [`Scaling`](crate::Scaling): length scales, bias, unit sphere.
#[derive(Clone, Debug)]
pub(super) struct Embedding {
    /// One per coordinate.
    pub lengths: Vec<f64>,
    /// The bias coordinate, if any.
    pub bias: Option<f64>,
    pub unit_sphere: bool,
}

/// Embedded points.
pub(super) struct Embedded {
    /// One point per column.
    pub points: DMatrix<f64>,
    /// The norms by which the points were divided: 1 without the unit sphere.
    norms: Vec<f64>,
}

impl Embedding {
    /// Embeds standardised coordinates (d x n).
    pub fn apply(&self, coordinates: &DMatrix<f64>) -> Embedded {
        let rows = coordinates.nrows() + usize::from(self.bias.is_some());
        let mut points = DMatrix::zeros(rows, coordinates.ncols());
        let mut norms = vec![1.0; coordinates.ncols()];
        for ((mut point, x), norm) in points.column_iter_mut().zip(coordinates.column_iter()).zip(&mut norms) {
            for (to, (x, length)) in point.iter_mut().zip(x.iter().zip(&self.lengths)) {
                *to = x / length;
            }
            if let Some(bias) = self.bias {
                point[rows - 1] = bias;
            }
            let length = point.norm();
            if self.unit_sphere && length > 0.0 {
                point /= length;
                *norm = length;
            }
        }
        Embedded { points, norms }
    }

    /// The root mean square over the points of df/dz_k, for f = sum_i c_i Hcts(x_i, .) and each standardised coordinate z_k:
    /// the root of the diagonal of the average gradient outer product.
    ///
    /// With x = v / ||v||, v = (z / length, bias), and g = <x_i, x>:
    /// ```text
    /// grad_x Hcts(x_i, x) = exp(sigma^2 ||x_i + x||^2 / 2) (x_i + sigma^2 g (x_i + x)),   grad_v = (I - x x^T) grad_x / ||v||
    /// ```
    pub fn sensitivities(&self, embedded: &Embedded, coefficients: &DVector<f64>, std_dev: f64) -> Vec<f64> {
        let points = &embedded.points;
        let variance = std_dev * std_dev;
        let mut inner = points.tr_mul(points);
        let squares: Vec<f64> = inner.diagonal().iter().copied().collect();
        // Column j: the coefficients of the x_i in grad f(x_j); and, separately, that of x_j itself.
        let mut own = vec![0.0; points.ncols()];
        for (j, mut column) in inner.column_iter_mut().enumerate() {
            for (i, entry) in column.iter_mut().enumerate() {
                let g = *entry;
                let weight = coefficients[i] * (variance * (f64::midpoint(squares[i], squares[j]) + g)).exp();
                own[j] += weight * variance * g;
                *entry = weight * (1.0 + variance * g);
            }
        }
        let mut gradients = points * inner;
        let mut sums = vec![0.0; self.lengths.len()];
        for (j, mut gradient) in gradients.column_iter_mut().enumerate() {
            let x = points.column(j);
            gradient.axpy(own[j], &x, 1.0);
            if self.unit_sphere {
                let along = gradient.dot(&x);
                gradient.axpy(-along, &x, 1.0);
                gradient /= embedded.norms[j];
            }
            for (sum, (g, length)) in sums.iter_mut().zip(gradient.iter().zip(&self.lengths)) {
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
            let embedding = Embedding {
                lengths: vec![0.5, 1.0, 3.0],
                bias,
                unit_sphere,
            };
            let embedded = embedding.apply(&coordinates);
            // f at point j, with its coordinate k moved by h.
            let value = |j: usize, k: usize, h: f64| {
                let mut moved = coordinates.clone();
                moved[(k, j)] += h;
                let moved = embedding.apply(&moved).points;
                let pairs = embedded.points.column_iter().zip(&coefficients);
                let term = |(x, c): (nalgebra::DVectorView<'_, f64>, &f64)| {
                    let both = DMatrix::from_columns(&[x.into_owned(), moved.column(j).into_owned()]);
                    c * limit_kernel(&both, 0.8).unwrap()[(0, 1)]
                };
                pairs.map(term).sum::<f64>()
            };
            let found = embedding.sensitivities(&embedded, &coefficients, 0.8);
            for (k, found) in found.into_iter().enumerate() {
                let slope = |j| (value(j, k, 1e-5) - value(j, k, -1e-5)) / 2e-5;
                let expected = ((0..9).map(|j| slope(j).powi(2)).sum::<f64>() / 9.0).sqrt();
                assert!((found / expected - 1.0).abs() < 1e-8, "{k}: {found} {expected}");
            }
        }
    }
}

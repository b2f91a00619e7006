//! Sample weights in regression with a kernel K.
//!
//! With R = diag(sqrt(s_i)), the minimum of sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||^2 has coefficients
//!
//! ```text
//! c = R (R K R + lambda I)^-1 R y
//! ```
//!
//! so that everything is as without weights, for the kernel R K R and the labels R y, and results are multiplied by R.

use crate::dataset::Dataset;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};
use std::borrow::Cow;

/// sqrt(s_i) of each sample, or nothing if there are no weights.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots(pub(super) Option<DVector<f64>>);

impl Roots {
    pub fn new<T: Float>(data: &Dataset<T>) -> Self {
        Self(data.roots().map(DVector::from_vec))
    }

    /// R times a matrix with n rows.
    pub fn scale_rows(&self, mut matrix: DMatrix<f64>) -> DMatrix<f64> {
        if let Some(roots) = &self.0 {
            for mut column in matrix.column_iter_mut() {
                column.component_mul_assign(roots);
            }
        }
        matrix
    }

    /// R times a vector.
    pub fn scale(&self, mut vector: DVector<f64>) -> DVector<f64> {
        if let Some(roots) = &self.0 {
            vector.component_mul_assign(roots);
        }
        vector
    }

    /// The same for a borrowed vector, which is copied only if there are weights.
    pub fn scaled<'a>(&self, vector: &'a DVector<f64>) -> Cow<'a, DVector<f64>> {
        match &self.0 {
            Some(roots) => Cow::Owned(vector.component_mul(roots)),
            None => Cow::Borrowed(vector),
        }
    }

    /// Column `j` of R K R, for column `j` of K.
    pub fn scale_column(&self, j: usize, column: DMatrix<f64>) -> DMatrix<f64> {
        let mut column = self.scale_rows(column);
        if let Some(roots) = &self.0 {
            column *= roots[j];
        }
        column
    }

    /// R K R for the lower triangle of K.
    pub fn scale_triangle(&self, kernel: &mut DMatrix<f64>) {
        let Some(roots) = &self.0 else {
            return;
        };
        for (j, mut column) in kernel.column_iter_mut().enumerate() {
            for (i, entry) in column.iter_mut().enumerate().skip(j) {
                *entry *= roots[i] * roots[j];
            }
        }
    }

    /// The sum of the weights of n samples.
    pub fn total(&self, n: usize) -> f64 {
        self.0.as_ref().map_or(n as f64, DVector::norm_squared)
    }

    /// The number of n samples whose weight is not 0.
    pub fn count(&self, n: usize) -> usize {
        n - self.left_out().count()
    }

    /// The samples whose weight is not 0, if there are others.
    pub fn counted(&self) -> Option<Vec<usize>> {
        let roots = self.0.as_ref().filter(|roots| roots.iter().any(|root| *root == 0.0))?;
        Some((0..roots.len()).filter(|&i| roots[i] > 0.0).collect())
    }

    /// The samples whose weight is 0.
    pub fn left_out(&self) -> impl Iterator<Item = usize> + '_ {
        let roots = self.0.iter().flat_map(|roots| roots.iter().enumerate());
        roots.filter(|(_, root)| **root == 0.0).map(|(i, _)| i)
    }
}

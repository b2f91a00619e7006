//! The kernel of the training points with sample weights: R K R.

use super::roots::Roots;
use super::training_kernel::TrainingKernel;
use crate::error::Error;
use crate::setting::require;
use nalgebra::{DMatrix, DVector};

/// K and R. Without weights all methods are those of K.
#[derive(Clone, Debug)]
pub(super) struct WeightedKernel {
    pub training: TrainingKernel,
    pub roots: Roots,
}

impl WeightedKernel {
    pub fn samples(&self) -> usize {
        self.training.samples()
    }

    /// Checks the range of R K R and of R (y - F_0), given the `targets` y - F_0. The entry of a pair is at most the
    /// larger of its diagonal entries.
    pub fn check_weights(&self, targets: &DVector<f64>) -> Result<(), Error> {
        let (diagonal, targets) = (self.diagonal(), self.roots.scaled(targets));
        let mut sizes = diagonal.iter().zip(targets.iter());
        match sizes.position(|(entry, target)| !(entry.is_finite() && target.is_finite())) {
            None => Ok(()),
            Some(i) => require(
                false,
                "a weight of `Dataset::with_weights`",
                format_args!("so large at sample {i} that its product with the kernel or the label overflows"),
                "smaller: divide all weights, and lambda, by the largest weight",
            ),
        }
    }

    /// R K R for a factorisation: only the lower triangle is filled. The diagonal of a sample of weight 0, whose row is 0,
    /// is the largest entry instead: R y is 0 there, and so is the solution.
    pub fn lower_triangle(&self) -> Result<DMatrix<f64>, Error> {
        let mut matrix = self.training.lower_triangle()?;
        self.roots.scale_triangle(&mut matrix);
        let largest = matrix.diagonal().max();
        for i in self.roots.left_out() {
            matrix[(i, i)] = largest;
        }
        Ok(matrix)
    }

    /// R K R, both triangles, without the samples of weight 0.
    pub fn counted(&self) -> Result<DMatrix<f64>, Error> {
        let mut matrix = self.training.lower_triangle()?;
        self.roots.scale_triangle(&mut matrix);
        matrix.fill_upper_triangle_with_lower_triangle();
        Ok(match self.roots.counted() {
            Some(counted) => matrix.select_rows(&counted).select_columns(&counted),
            None => matrix,
        })
    }

    /// R times a matrix with one row per sample that [`counted`](Self::counted) has; n rows, which are 0 for the others.
    pub fn spread(&self, rows: DMatrix<f64>) -> DMatrix<f64> {
        let Some(counted) = self.roots.counted() else {
            return self.roots.scale_rows(rows);
        };
        let mut all = DMatrix::zeros(self.samples(), rows.ncols());
        for (row, &i) in rows.row_iter().zip(&counted) {
            all.set_row(i, &row);
        }
        self.roots.scale_rows(all)
    }

    pub fn diagonal(&self) -> DVector<f64> {
        self.roots.scale(self.roots.scale(self.training.diagonal()))
    }

    /// Column `j`, n x 1.
    pub fn column(&self, j: usize) -> DMatrix<f64> {
        self.roots.scale_column(j, self.training.column(j))
    }

    /// R K R times a vector, on all threads. The bits do not depend on the number of threads.
    pub fn product(&self, vector: &DVector<f64>) -> DVector<f64> {
        self.roots.scale(self.training.product(&self.roots.scaled(vector)))
    }
}

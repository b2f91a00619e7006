//! What a regressor predicts for: a matrix, a dataset, rows.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// Raw points to predict for: a d x k matrix with one point per column, or a [`Dataset`], whose column names are checked against
/// those of the training data.
pub trait RawPoints<T: Float> {
    /// The points, d x k.
    fn raw_points(&self) -> &DMatrix<T>;

    /// The names of the columns, if they have names.
    fn column_names(&self) -> Option<&[String]> {
        None
    }
}

impl<T: Float> RawPoints<T> for DMatrix<T> {
    fn raw_points(&self) -> &DMatrix<T> {
        self
    }
}

impl<T: Float> RawPoints<T> for Dataset<T> {
    fn raw_points(&self) -> &DMatrix<T> {
        self.points()
    }

    fn column_names(&self) -> Option<&[String]> {
        self.names()
    }
}

/// One point as a d x 1 matrix.
pub(super) fn column_of_row<T: Float>(row: &[T]) -> DMatrix<T> {
    DMatrix::from_column_slice(row.len(), 1, row)
}

/// Points given as rows, as a d x k matrix.
pub(super) fn columns_of_rows<T: Float, R: AsRef<[T]>>(rows: &[R]) -> Result<DMatrix<T>, Error> {
    let labels = vec![T::zero(); rows.len()];
    let (points, ..) = Dataset::from_rows(rows, &labels)?.into_parts();
    Ok(points)
}

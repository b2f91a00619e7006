//! Points without labels, with or without names of their columns.

use super::Dataset;
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

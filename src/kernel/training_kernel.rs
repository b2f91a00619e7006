//! The kernel of the training points: the limit kernel, or a matrix given by the caller.

use super::degenerate_points;
use super::limit::Limit;
use super::pairs::{self, ClosedForm};
use crate::error::Error;
use crate::memory;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use std::sync::Arc;

/// Columns multiplied at a time.
const BLOCK: usize = 64;

/// K, n x n. Copies share the points or the matrix.
#[derive(Clone, Debug)]
pub(super) enum TrainingKernel {
    Limit(Arc<Limit>),
    /// Symmetric and finite.
    Given(Arc<DMatrix<f64>>),
}

impl TrainingKernel {
    pub fn samples(&self) -> usize {
        match self {
            Self::Limit(limit) => limit.samples(),
            Self::Given(kernel) => kernel.nrows(),
        }
    }

    /// The points and sigma of the limit kernel.
    pub fn limit(&self) -> Option<&Arc<Limit>> {
        match self {
            Self::Limit(limit) => Some(limit),
            Self::Given(_) => None,
        }
    }

    /// K, of which only the lower triangle is filled.
    pub fn lower_triangle(&self) -> Result<DMatrix<f64>, Error> {
        match self {
            Self::Limit(limit) => pairs::lower_triangle(ClosedForm::Tangent, limit.points(), limit.std_dev()),
            Self::Given(kernel) => memory::copy("a copy of the kernel matrix", kernel),
        }
    }

    pub fn diagonal(&self) -> DVector<f64> {
        match self {
            Self::Limit(limit) => limit.diagonal(),
            Self::Given(kernel) => kernel.diagonal(),
        }
    }

    /// Column `j`, n x 1.
    pub fn column(&self, j: usize) -> DMatrix<f64> {
        match self {
            Self::Limit(limit) => limit.column(j),
            Self::Given(kernel) => kernel.columns(j, 1).into_owned(),
        }
    }

    /// K times a vector, on all threads. The bits do not depend on the number of threads.
    pub fn product(&self, vector: &DVector<f64>) -> DVector<f64> {
        let kernel = match self {
            Self::Limit(limit) => return limit.product(vector),
            Self::Given(kernel) => kernel,
        };
        let mut product = DVector::zeros(self.samples());
        let blocks = product.as_mut_slice().par_chunks_mut(BLOCK).enumerate();
        blocks.for_each(|(b, product)| {
            let columns = kernel.columns(b * BLOCK, product.len());
            product.copy_from_slice(columns.tr_mul(vector).as_slice());
        });
        product
    }

    /// The error for K, or K + lambda I with the `ridge`, that is singular to working precision. Names the points that
    /// make it so, if they are known.
    pub fn singular(&self, ridge: bool, condition: f64, remedy: String) -> Error {
        let what = match (self, ridge) {
            (Self::Limit(_), true) => "Hcts + lambda I",
            (Self::Limit(_), false) => "the limit kernel of the training points",
            (Self::Given(_), true) => "the given kernel + lambda I",
            (Self::Given(_), false) => "the given kernel",
        };
        let cause = match self {
            Self::Limit(limit) => degeneracy(limit),
            Self::Given(_) => "its points coincide, vanish or are more than the kernel can tell apart".into(),
        };
        Error::Singular {
            what,
            condition,
            cause,
            remedy,
        }
    }
}

fn degeneracy(limit: &Limit) -> String {
    match degenerate_points(limit.points()).as_slice() {
        [] => "the points are too close or too many for this sigma".into(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more such points", rest.len()),
    }
}

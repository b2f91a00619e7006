//! The tensors of fits with standard deviations, which are part of the files of regressors.

use super::MAX_DIRECT;
use super::file::{COEFFICIENTS, POINTS};
use super::fit::Fit;
use super::limit::Limit;
use super::low_rank::LowRank;
use super::monomials::{MonomialFit, MonomialRidge};
use super::posterior::Posterior;
use super::roots::Roots;
use super::training_kernel::TrainingKernel;
use super::weighted_kernel::WeightedKernel;
use crate::error::Error;
use crate::linalg::Cholesky;
use crate::memory;
use crate::setting::sample_weights;
use crate::storage::tensors::{Tensor, TensorFile};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// The names of the tensors, which are always f64.
const FACTOR: &str = "factor";
const ROOTS: &str = "weight_roots";
const WHITENING: &str = "whitening";

/// All tensors that a [`Posterior`], [`MonomialFit`] or [`LowRank`] may have.
pub(crate) const TENSORS: [&str; 5] = [COEFFICIENTS, POINTS, FACTOR, ROOTS, WHITENING];

/// A copy of a lower triangular n x n matrix, with zeros above the diagonal. Its columns, one after the other, are the rows of
/// its transpose, so that the tensor, which is in C order, is upper triangular.
pub(crate) struct Triangle {
    name: &'static str,
    lower: DMatrix<f64>,
}

impl Triangle {
    fn new(name: &'static str, lower: &DMatrix<f64>) -> Result<Self, Error> {
        let mut lower = memory::copy("a triangular matrix to be saved", lower)?;
        lower.fill_upper_triangle(0.0, 1);
        Ok(Self { name, lower })
    }

    pub fn tensor(&self) -> Tensor<'_> {
        let n = self.lower.nrows();
        Tensor::new(self.name, &[n, n], self.lower.as_slice())
    }

    /// Reads the lower triangular matrix, whose diagonal must be positive.
    fn read(file: &mut TensorFile, name: &'static str, n: usize) -> Result<DMatrix<f64>, Error> {
        let lower = DMatrix::from_vec(n, n, file.numbers::<f64>(name, &[n, n])?);
        let invalid = |problem: String| file.invalid(format!("tensor {name:?} is invalid: {problem}"));
        for (i, row) in lower.column_iter().enumerate() {
            if let Some(j) = row.iter().position(|entry| !entry.is_finite()) {
                return Err(invalid(format!("its entry ({i}, {j}) is {:?}", row[j])));
            }
            if row[i] <= 0.0 {
                return Err(invalid(format!(
                    "its entry ({i}, {i}) is {:?}, which should be positive",
                    row[i]
                )));
            }
            if row.iter().take(i).any(|entry| *entry != 0.0) {
                return Err(invalid(format!("row {i} is not that of an upper triangular matrix")));
            }
        }
        Ok(lower)
    }
}

impl Posterior {
    /// The coefficients and points, and the roots of sample weights.
    pub(crate) fn tensors(&self) -> Vec<Tensor<'_>> {
        let roots = self.kernel.roots.0.as_ref();
        let roots = roots.map(|roots| Tensor::new(ROOTS, &[roots.len()], roots.as_slice()));
        self.mean.tensors().into_iter().chain(roots).collect()
    }

    /// The factor.
    pub(crate) fn triangles(&self) -> Result<Vec<Triangle>, Error> {
        Ok(vec![Triangle::new(FACTOR, self.factor.matrix())?])
    }

    /// Reads what [`tensors`](Self::tensors) and [`triangles`](Self::triangles) wrote, for the limit kernel with this sigma.
    pub(crate) fn read(file: &mut TensorFile, std_dev: f64) -> Result<Self, Error> {
        let (mean, limit) = read_mean(file, std_dev)?;
        let n = limit.samples();
        let factor = Cholesky::from_matrix(Triangle::read(file, FACTOR, n)?);
        let roots = if file.has(ROOTS) {
            let roots = DVector::from_vec(file.numbers::<f64>(ROOTS, &[n])?);
            sample_weights("weights of the samples", &roots, n)
                .map_err(|error| file.invalid(format!("tensor {ROOTS:?} is invalid: {error}")))?;
            Some(roots)
        } else {
            None
        };
        let kernel = WeightedKernel {
            training: TrainingKernel::Limit(limit),
            roots: Roots(roots),
        };
        Ok(Self::new(kernel, factor, mean))
    }
}

impl MonomialFit {
    /// The coefficients and points.
    pub(crate) fn tensors(&self) -> Vec<Tensor<'_>> {
        self.mean.tensors()
    }

    /// The factor of the normal equations.
    pub(crate) fn triangles(&self) -> Result<Vec<Triangle>, Error> {
        Ok(vec![Triangle::new(FACTOR, self.ridge.factor.matrix())?])
    }

    /// Reads what [`tensors`](Self::tensors) and [`triangles`](Self::triangles) wrote, for the limit kernel with this sigma.
    pub(crate) fn read(file: &mut TensorFile, std_dev: f64, lambda: f64) -> Result<Self, Error> {
        let (mean, limit) = read_mean(file, std_dev)?;
        let Some(features) = limit.features().filter(|features| features.count() <= MAX_DIRECT) else {
            return Err(file.invalid("its points have too many coordinates for monomials, or are too long"));
        };
        let factor = Cholesky::from_matrix(Triangle::read(file, FACTOR, features.count())?);
        let ridge = MonomialRidge {
            features,
            factor,
            lambda,
        };
        Ok(Self { mean, limit, ridge })
    }
}

impl LowRank {
    /// The coefficients and centres.
    pub(crate) fn tensors(&self) -> Vec<Tensor<'_>> {
        self.mean.tensors()
    }

    /// The factor of the normal equations, and the inverse of that of the centres' kernel.
    pub(crate) fn triangles(&self) -> Result<Vec<Triangle>, Error> {
        let factor = Triangle::new(FACTOR, self.normal.matrix())?;
        Ok(vec![factor, Triangle::new(WHITENING, &self.whitening)?])
    }

    /// Reads what [`tensors`](Self::tensors) and [`triangles`](Self::triangles) wrote, for the limit kernel with this sigma.
    pub(crate) fn read(file: &mut TensorFile, std_dev: f64, lambda: f64) -> Result<Self, Error> {
        let (mean, limit) = read_mean(file, std_dev)?;
        let centres = limit.samples();
        let normal = Cholesky::from_matrix(Triangle::read(file, FACTOR, centres)?);
        let whitening = Triangle::read(file, WHITENING, centres)?;
        Ok(Self {
            mean,
            limit,
            whitening,
            normal,
            lambda,
        })
    }
}

/// A fit with the limit kernel, and its points.
fn read_mean(file: &mut TensorFile, std_dev: f64) -> Result<(Fit, Arc<Limit>), Error> {
    let mean = Fit::read(file, Some(std_dev), 0)?;
    match mean.limit.clone() {
        Some(limit) => Ok((mean, limit)),
        None => Err(file.invalid("it has no points")),
    }
}

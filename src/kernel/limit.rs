//! The limit kernel between given points and any others, in blocks of columns instead of an n x n matrix.

use super::monomials::{Features, PAIRS, pays};
use super::times_exp;
use crate::dataset::check_points;
use crate::engine::MOST_COORDINATES;
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::setting::not_negative;
use nalgebra::{DMatrix, DMatrixView, DVector};
use rayon::prelude::*;

/// Columns computed at a time.
const BLOCK: usize = 64;

/// n points, and what Hcts needs of each.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// d x n.
    points: DMatrix<f64>,
    /// n x d, for products with blocks of points.
    rows: DMatrix<f64>,
    /// sigma^2 ||x_i||^2 / 2.
    halves: Vec<f64>,
    std_dev: f64,
    /// If the points have few coordinates.
    features: Option<Features>,
}

impl Limit {
    /// Errors: no points; a point that is not finite; a `std_dev` that is negative or not finite; a point whose
    /// diagonal entry of Hcts overflows. The entry of a pair is at most the larger of its diagonal entries.
    pub fn new<T: Float>(points: &DMatrix<T>, std_dev: f64) -> Result<Self, Error> {
        check_points(points, None)?;
        not_negative("`std_dev` of `Predictor::new`", std_dev)?;
        let points = points.map(Float::as_f64);
        let radius = points.column_iter().map(|x| x.norm()).fold(0.0, f64::max);
        let limit = Self {
            features: Features::new(points.nrows(), radius, std_dev),
            rows: points.transpose(),
            halves: halves(points.as_view(), std_dev),
            points,
            std_dev,
        };
        match limit.diagonal().iter().position(|entry| !entry.is_finite()) {
            None => Ok(limit),
            Some(i) => Err(Error::KernelOverflow {
                what: "the limit kernel",
                place: format!("points {i} and {i}"),
                value: f64::INFINITY,
            }),
        }
    }

    pub fn samples(&self) -> usize {
        self.points.ncols()
    }

    pub fn points(&self) -> &DMatrix<f64> {
        &self.points
    }

    pub fn std_dev(&self) -> f64 {
        self.std_dev
    }

    /// sigma^2 ||x_i||^2 / 2 of each point.
    pub fn halves(&self) -> &[f64] {
        &self.halves
    }

    /// The features of the kernel, if the points have few coordinates.
    pub fn features(&self) -> Option<Features> {
        self.features
    }

    /// The diagonal of Hcts.
    pub fn diagonal(&self) -> DVector<f64> {
        let entry = |(x, half): (nalgebra::DVectorView<'_, f64>, &f64)| times_exp(x.norm_squared(), 4.0 * half);
        DVector::from_iterator(self.samples(), self.points.column_iter().zip(&self.halves).map(entry))
    }

    /// Column `j` of Hcts, n x 1.
    pub fn column(&self, j: usize) -> DMatrix<f64> {
        self.block(self.points.columns(j, 1), &self.halves[j..=j])
    }

    /// Hcts times a vector, on all threads. The bits do not depend on the number of threads.
    pub fn product(&self, vector: &DVector<f64>) -> DVector<f64> {
        let own = (&self.points, &*self.halves);
        let features = self
            .features
            .filter(|features| pays(features, self.samples(), self.samples()));
        if let Some(Ok(product)) = features.map(|features| features.product(own, vector, own)) {
            return DVector::from_vec(product);
        }
        let mut product = DVector::zeros(self.samples());
        let blocks = product.as_mut_slice().par_chunks_mut(BLOCK).enumerate();
        blocks.for_each(|(b, product)| {
            let (first, count) = (b * BLOCK, product.len());
            let block = self.block(self.points.columns(first, count), &self.halves[first..first + count]);
            product.copy_from_slice(block.tr_mul(vector).as_slice());
        });
        product
    }

    /// Hcts between k other points (d x k) and these, times a vector: k numbers.
    ///
    /// Errors: other points of the wrong dimension or not finite; an entry or a result that overflows.
    pub fn apply<T: Float>(&self, others: &DMatrix<T>, vector: &DVector<f64>) -> Result<DVector<f64>, Error> {
        self.check(others)?;
        if let Some(results) = self.apply_features(others, vector)? {
            return Ok(results);
        }
        let mut results = DVector::zeros(others.ncols());
        let blocks = results.as_mut_slice().par_chunks_mut(BLOCK).enumerate();
        blocks.try_for_each(|(b, results)| {
            let first = b * BLOCK;
            let others = others.columns(first, results.len()).map(Float::as_f64);
            let kernel = self.block(others.as_view(), &halves(others.as_view(), self.std_dev));
            if let Some(at) = kernel.iter().position(|entry| !entry.is_finite()) {
                let (i, j) = (at % self.samples(), first + at / self.samples());
                return Err(Error::KernelOverflow {
                    what: "the limit kernel",
                    place: format!("training point {i} and point {j}"),
                    value: kernel[at],
                });
            }
            results.copy_from_slice(kernel.tr_mul(vector).as_slice());
            match results.iter().position(|result| !result.is_finite()) {
                None => Ok(()),
                Some(j) => Err(Error::Overflow {
                    place: format!("point {}", first + j),
                    value: results[j],
                    dtype: "f64",
                }),
            }
        })?;
        Ok(results)
    }

    /// Checks points whose kernel with these is wanted.
    pub fn check<T: Float>(&self, others: &DMatrix<T>) -> Result<(), Error> {
        check_size(
            "the dimension of the points",
            others.nrows(),
            self.points.nrows(),
            "give points as the columns of a d x k matrix, with the dimension d of the training points",
        )?;
        check_points(others, None)
    }

    /// The same by the features, if that is faster and nothing overflows.
    fn apply_features<T: Float>(
        &self,
        others: &DMatrix<T>,
        vector: &DVector<f64>,
    ) -> Result<Option<DVector<f64>>, Error> {
        if self.points.nrows() > MOST_COORDINATES || self.samples().saturating_mul(others.ncols()) < PAIRS {
            return Ok(None);
        }
        let others = others.map(Float::as_f64);
        let lists = [&self.points, &others];
        let norms = lists.into_iter().flat_map(|list| list.column_iter().map(|x| x.norm()));
        let radius = norms.fold(0.0, f64::max);
        let features = Features::new(self.points.nrows(), radius, self.std_dev);
        let Some(features) = features.filter(|features| pays(features, self.samples(), others.ncols())) else {
            return Ok(None);
        };
        let halves = halves(others.as_view(), self.std_dev);
        let results = features.product((&self.points, &self.halves), vector, (&others, &halves))?;
        let finite = results.iter().all(|result| result.is_finite());
        Ok(finite.then(|| DVector::from_vec(results)))
    }

    /// Hcts between these points and k others (n x k), given the `halves` of the others.
    fn block(&self, others: DMatrixView<'_, f64>, halves: &[f64]) -> DMatrix<f64> {
        let mut kernel = &self.rows * others;
        for (mut column, half) in kernel.column_iter_mut().zip(halves) {
            for (entry, own) in column.iter_mut().zip(&self.halves) {
                let exponent = self.std_dev * (self.std_dev * *entry) + (own + half);
                *entry = times_exp(*entry, exponent);
            }
        }
        kernel
    }
}

/// sigma^2 ||x||^2 / 2 of each point.
fn halves(points: DMatrixView<'_, f64>, std_dev: f64) -> Vec<f64> {
    points
        .column_iter()
        .map(|x| x.iter().map(|x| (std_dev * x).powi(2)).sum::<f64>() / 2.0)
        .collect()
}

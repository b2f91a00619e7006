//! The regressor of infinite width.

use crate::dataset::{Dataset, RawPoints, checked_rows};
use crate::engine::MOST_COORDINATES;
use crate::error::Error;
use crate::float::Float;
use crate::kernel::{Fit, LowRank, MAX_DIRECT, MonomialFit, Posterior, Predictor};
use crate::metrics;
use crate::numbers::overflow;
use crate::scaling::{Scaling, ScalingOptions};
use crate::selection::{Choice, Problem, Selection};
use crate::setting::{checked_serde, positive};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Centres of the fit to more samples.
const CENTRES: usize = 1024;

/// Regressor with the limit kernel: the exponential network of infinite width, and the posterior of a Gaussian process.
///
/// [`fit`](Self::fit) chooses bias, length scales and ridge by the closed-form leave-one-out error, as
/// [`ExpRegressor`](crate::ExpRegressor) does, and solves kernel ridge regression with them. No seed matters for up to 4096 samples, or in few coordinates,
/// and [`predict_with_std`](Self::predict_with_std) says how certain each prediction is.
///
/// For n > 4096 samples in few coordinates (up to three columns, as a rule) the fit is exact all the same: the kernel has low rank,
/// and a million samples take seconds. In more coordinates it is the best combination of the kernel functions of 1024 random
/// training points (the subset of regressors of Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006, section 8.3), in memory
/// that does not grow with n beyond the points themselves.
///
/// ```
/// use expnet::{Dataset, KernelRegressor};
///
/// let rows: Vec<[f64; 1]> = (0..60).map(|i| [f64::from(i) / 10.0]).collect();
/// let labels: Vec<f64> = (0..60).map(|i| (f64::from(i) / 10.0).sin() + 0.1 * f64::from(i * i).sin()).collect();
/// let model = KernelRegressor::fit(&Dataset::from_rows(&rows, &labels)?)?;
///
/// let (mean, std_dev) = model.predict_with_std_rows(&[[3.0], [30.0]])?;
/// assert!((mean[0] - 3.0_f64.sin()).abs() < 0.1);
/// assert!(std_dev[0] < 0.2 && std_dev[1] > std_dev[0]); // far from all data it is less certain
/// println!("{}", model.selection());
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct KernelRegressor<T: Float> {
    pub(super) solution: Solution,
    pub(super) scaling: Scaling,
    pub(super) selection: Selection,
    /// Sigma.
    pub(super) std_dev: f64,
    /// The scale of the predicted variances.
    pub(super) variance: f64,
    pub(super) problems: Vec<String>,
    pub(super) scalar: std::marker::PhantomData<T>,
}

/// The fitted function, with its variances.
#[derive(Clone, Debug)]
pub(super) enum Solution {
    Exact(Posterior),
    Monomials(MonomialFit),
    LowRank(LowRank),
}

impl Solution {
    pub(super) fn fit(&self) -> &Fit {
        match self {
            Self::Exact(posterior) => posterior.mean(),
            Self::Monomials(fit) => fit.mean(),
            Self::LowRank(low_rank) => low_rank.mean(),
        }
    }

    fn std_dev<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        match self {
            Self::Exact(posterior) => posterior.std_dev(points),
            Self::Monomials(fit) => fit.std_dev(points),
            Self::LowRank(low_rank) => low_rank.std_dev(points),
        }
    }
}

/// The settings of a [`KernelRegressor`].
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`std_dev`](Self::std_dev) | sigma of the kernel | sigma > 0 | 1 |
/// | [`lambda`](Self::lambda) | the ridge | lambda > 0 | chosen |
/// | [`length_scales`](Self::length_scales) | whether to learn length scales | | `true` |
/// | [`seed`](Self::seed) | seed of the centres for more than 4096 samples | | 0 |
/// | [`scaling`](Self::scaling) | which scaling steps to apply, and a fixed beta | | all, beta chosen |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct KernelOptions {
    std_dev: f64,
    lambda: Option<f64>,
    length_scales: bool,
    seed: u64,
    scaling: ScalingOptions,
}

impl Default for KernelOptions {
    fn default() -> Self {
        Self {
            std_dev: 1.0,
            lambda: None,
            length_scales: true,
            seed: 0,
            scaling: ScalingOptions::default(),
        }
    }
}

impl KernelOptions {
    /// The standard deviation sigma of the kernel, positive and finite. Defaults to 1. See
    /// [`limit_kernel`](crate::kernel::limit_kernel).
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// Fixes the ridge: f minimises sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||^2 in scaled units. Positive and finite; chosen by
    /// leave-one-out unless given.
    pub fn lambda(mut self, lambda: f64) -> Self {
        self.lambda = Some(lambda);
        self
    }

    /// Whether to learn a length scale for each column. Defaults to `true`.
    pub fn length_scales(mut self, on: bool) -> Self {
        self.length_scales = on;
        self
    }

    /// The seed of the centres for more than 4096 samples. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Which scaling steps to apply. Defaults to all, with the beta of the bias coordinate chosen unless it is given here.
    pub fn scaling(mut self, options: ScalingOptions) -> Self {
        self.scaling = options;
        self
    }

    /// Fits to the raw points and labels of `data`, with its sample weights if it has any.
    ///
    /// Cost: about 30 factorisations of p x p matrices to compare settings, p = min(n, 300 + n / 4, 1500); up to n = 4096, some
    /// n^3 flops per lambda and 2 n^2 numbers; beyond, in at most four scaled coordinates, n N flops for the N monomials of the kernel
    /// (about 200 in two coordinates, 1500 in three), and otherwise 4 n c^2 flops and 3 c^2 numbers for c = 1024 centres.
    ///
    /// Errors: a setting out of range; a given lambda with which the kernel is singular to working precision; without a bias
    /// coordinate, columns that are all constant; no memory for n x n.
    pub fn fit<T: Float>(&self, data: &Dataset<T>) -> Result<KernelRegressor<T>, Error> {
        self.check_settings()?;
        let Choice {
            scaling,
            selection,
            variance,
        } = Problem {
            data,
            validation: None,
            scaling: self.scaling,
            lambda: self.lambda,
            length_scales: self.length_scales,
            std_dev: self.std_dev,
        }
        .choose()?;
        let scaled = scaling.apply(data)?;
        let solution = if scaled.samples() <= MAX_DIRECT {
            Solution::Exact(Predictor::new(&scaled, self.std_dev)?.posterior(selection.lambda)?)
        } else {
            self.for_many_samples(&scaled, selection.lambda)?
        };
        Ok(KernelRegressor {
            solution,
            problems: scaling.problems(),
            scaling,
            selection,
            std_dev: self.std_dev,
            variance,
            scalar: std::marker::PhantomData,
        })
    }

    /// By monomials where they are few, otherwise with centres.
    fn for_many_samples<T: Float>(&self, scaled: &Dataset<T>, lambda: f64) -> Result<Solution, Error> {
        // Without a copy of the points where there can be no monomials.
        if scaled.dimension() <= MOST_COORDINATES
            && let Some(fit) = Predictor::new(scaled, self.std_dev)?.monomial_fit(lambda)?
        {
            return Ok(Solution::Monomials(fit));
        }
        LowRank::new(scaled, self.std_dev, lambda, CENTRES, self.seed).map(Solution::LowRank)
    }

    /// Checks the settings, as [`fit`](Self::fit) does before it begins.
    ///
    /// Errors: a setting out of range.
    pub fn check_settings(&self) -> Result<(), Error> {
        positive("`KernelOptions::std_dev`", self.std_dev)?;
        positive("`KernelOptions::lambda`", self.lambda.unwrap_or(1.0))?;
        self.scaling.check_settings()
    }
}

checked_serde!(KernelOptions);

// On one concrete type, so that `KernelRegressor::options()` needs no type annotation.
impl KernelRegressor<f64> {
    /// The default settings: change them, then call [`fit`](KernelOptions::fit).
    pub fn options() -> KernelOptions {
        KernelOptions::default()
    }
}

impl<T: Float> KernelRegressor<T> {
    /// Fits to the raw points and labels of `data` with the default settings. See [`options`](KernelRegressor::options) to
    /// change them.
    ///
    /// Errors: those of [`KernelOptions::fit`].
    pub fn fit(data: &Dataset<T>) -> Result<Self, Error> {
        KernelOptions::default().fit(data)
    }

    /// Predicts the labels of raw points: of a d x k matrix, one point per column, or of the points of a [`Dataset`]. Returns k
    /// numbers. Costs 2 n d k flops and n k exponentials.
    ///
    /// Errors: points whose dimension is not that of the training data; a dataset whose columns have other names; points that
    /// are not finite; a prediction that overflows.
    pub fn predict(&self, points: &impl RawPoints<T>) -> Result<DVector<T>, Error> {
        self.scaling.predict(self.solution.fit(), points)
    }

    /// Predictions, and the standard deviation of a label about each: k numbers each.
    ///
    /// ```text
    /// t^2 (lambda + K(x, x) - K(x, X) (K + lambda I)^-1 K(X, x))
    /// ```
    ///
    /// is the variance of a label at x under a Gaussian process with covariance t^2 K and noise t^2 lambda, where t is such that
    /// the variances of samples left out match their squared errors on average. About 90% of new labels lie within 1.645 standard
    /// deviations if errors are normal. Costs n^2 flops per point in addition to [`predict`](Self::predict).
    ///
    /// Errors: those of [`predict`](Self::predict).
    pub fn predict_with_std(&self, points: &impl RawPoints<T>) -> Result<(DVector<T>, DVector<T>), Error> {
        let scaled = self.scaling.apply_points(points)?;
        let mean = self.scaling.predict_scaled(self.solution.fit(), &scaled)?;
        let unit = self.scaling.label_unit();
        let noise = self.selection.lambda();
        let deviation = |s: f64| T::lit(unit * (self.variance * (noise + s * s)).sqrt());
        let std_dev = self.solution.std_dev(&scaled)?.map(deviation);
        match std_dev.iter().position(|s| !s.is_finite()) {
            None => Ok((mean, std_dev)),
            Some(i) => Err(overflow::<T>(
                format!("the deviation of point {i}"),
                std_dev[i].as_f64(),
            )),
        }
    }

    /// [`predict_with_std`](Self::predict_with_std) for raw points given as rows of d numbers.
    ///
    /// Errors: those of [`predict`](Self::predict); rows of unequal lengths; no rows.
    pub fn predict_with_std_rows<R: AsRef<[T]>>(&self, rows: &[R]) -> Result<(DVector<T>, DVector<T>), Error> {
        self.predict_with_std(&checked_rows(rows)?)
    }

    /// Predicts the label of one raw point, given as a slice of d numbers.
    ///
    /// Errors: those of [`predict`](Self::predict).
    pub fn predict_row(&self, row: &[T]) -> Result<T, Error> {
        Ok(self.predict(&DMatrix::from_column_slice(row.len(), 1, row))?[0])
    }

    /// Predicts the labels of raw points given as rows of d numbers, as in [`Dataset::from_rows`].
    ///
    /// Errors: those of [`predict`](Self::predict); rows of unequal lengths; no rows.
    pub fn predict_rows<R: AsRef<[T]>>(&self, rows: &[R]) -> Result<DVector<T>, Error> {
        self.predict(&checked_rows(rows)?)
    }

    /// The coefficient of determination R² on raw data, as [`metrics::r2_weighted`] computes it.
    ///
    /// Errors: those of [`predict`](Self::predict), and labels that are all equal, for which R² is undefined.
    pub fn score(&self, data: &Dataset<T>) -> Result<T, Error> {
        metrics::r2_weighted(data.labels(), &self.predict(data)?, data.weights())
    }

    /// The fitted function, which takes scaled points.
    pub fn solution(&self) -> &Fit {
        self.solution.fit()
    }

    /// The scaling learnt from the training data.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// What was tried, and which settings were chosen.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Changes that were made to the data before the fit: constant columns that were left out. Usually empty.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

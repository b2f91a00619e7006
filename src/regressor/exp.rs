//! The regressor with a network.

use super::options::RegressorOptions;
use crate::dataset::{Dataset, RawPoints, checked_rows};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::metrics;
use crate::network::ExpNetwork;
use crate::report::FitReport;
use crate::scaling::Scaling;
use crate::selection::Selection;
use nalgebra::{DMatrix, DVector};

/// Exponential network regressor that works on raw data and chooses its settings by itself.
///
/// [`fit`](Self::fit) compares bias coordinates, ridges and length scales by the closed-form leave-one-out error of kernel
/// ridge regression with the limit kernel ([`Selection`]), learns a [`Scaling`], initialises an antisymmetric network at F = 0,
/// and trains it by Gauss-Newton with this ridge: two to four steps as a rule. Nothing is left to tune, and another seed gives
/// nearly the same predictions. Early-stopped gradient descent is an option ([`Training::EarlyStopping`](super::Training)).
///
/// See [`KernelRegressor`](crate::KernelRegressor) for the network of infinite width, with predictive standard deviations.
///
/// ```
/// use expnet::{Dataset, ExpRegressor};
/// use nalgebra::DMatrix;
///
/// // 60 points of y = x0^2 + sin(x1)
/// let points = DMatrix::from_fn(2, 60, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
/// let labels = points.column_iter().map(|x| x[0] * x[0] + x[1].sin()).collect::<Vec<_>>();
/// let (train, test) = Dataset::new(points, labels.into())?.split(0.75, 1)?;
///
/// let model = ExpRegressor::fit(&train)?;
/// assert!(model.score(&test)? > 0.99);
/// let predicted = model.predict(&test)?;
/// assert!((predicted[0] - test.labels()[0]).abs() < 0.05);
/// let one = model.predict_row(&[0.5, -0.5])?;
/// assert!((one - (0.25 - 0.5_f64.sin())).abs() < 0.05);
/// println!("{}", model.selection());
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ExpRegressor<T: Float> {
    pub(super) network: ExpNetwork<T>,
    pub(super) scaling: Scaling,
    pub(super) selection: Selection,
    pub(super) report: FitReport<T>,
}

// On one concrete type, so that `ExpRegressor::options()` needs no type annotation: the options work for any scalar
// type.
impl ExpRegressor<f64> {
    /// The default settings: change them, then call [`fit`](RegressorOptions::fit).
    pub fn options() -> RegressorOptions {
        RegressorOptions::default()
    }
}

impl<T: Float> ExpRegressor<T> {
    /// Fits a network to the raw points and labels of `data` with the default settings. See
    /// [`options`](ExpRegressor::options) to change them.
    ///
    /// Errors: those of [`RegressorOptions::fit`].
    pub fn fit(data: &Dataset<T>) -> Result<Self, Error> {
        RegressorOptions::default().fit(data)
    }

    /// Predicts the labels of raw points: of a d x k matrix, one point per column, or of the points of a [`Dataset`]. Returns k
    /// numbers. Costs a forward pass, O(k d m).
    ///
    /// Errors: points whose dimension is not that of the training data; a dataset whose columns have other names; points that
    /// are not finite; a prediction that overflows.
    pub fn predict(&self, points: &impl RawPoints<T>) -> Result<DVector<T>, Error> {
        self.scaling.predict(&self.network, points)
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

    /// The coefficient of determination R² on raw data, as [`metrics::r2_weighted`] computes it, with the sample weights of `data` if it has any.
    ///
    /// The best possible score is 1. Always predicting the mean of these labels scores 0, and the score can
    /// be negative.
    ///
    /// Errors: those of [`predict`](Self::predict), and labels that are all equal, for which R² is
    /// undefined.
    pub fn score(&self, data: &Dataset<T>) -> Result<T, Error> {
        metrics::r2_weighted(data.labels(), &self.predict(data)?, data.weights())
    }

    /// Assembles a regressor from a network that was trained on scaled data, the scaling, and the report of the run: to predict
    /// in raw units, and to keep network and scaling in one file.
    ///
    /// ```
    /// use expnet::{Dataset, ExpRegressor, Initializer, Scaling, Trainer};
    ///
    /// let data = Dataset::from_rows(&[[0.0, 3.0], [1.0, 2.0], [2.0, 7.0]], &[0.5, -0.5, 1.0])?;
    /// let scaling = Scaling::fit(&data)?;
    /// let scaled = scaling.apply(&data)?;
    /// let mut net = Initializer::new(scaled.dimension(), 64).antisymmetric(true).build()?;
    /// let report = Trainer::default().max_steps(50).fit(&mut net, &scaled)?;
    /// let model = ExpRegressor::from_parts(net, scaling, report)?;
    /// assert!(model.score(&data)? > 0.9);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: a network whose dimension is not that of scaled points.
    pub fn from_parts(network: ExpNetwork<T>, scaling: Scaling, report: FitReport<T>) -> Result<Self, Error> {
        check_size(
            "the dimension of the network",
            network.dimension(),
            scaling.scaled_dimension(),
            "give a network that was trained on the points of `Scaling::apply`",
        )?;
        Ok(Self {
            network,
            selection: Selection::given(0),
            scaling,
            report,
        })
    }

    /// Consumes the regressor and returns its network, scaling and report.
    pub fn into_parts(self) -> (ExpNetwork<T>, Scaling, FitReport<T>) {
        (self.network, self.scaling, self.report)
    }

    /// The fitted network, which takes scaled points.
    pub fn network(&self) -> &ExpNetwork<T> {
        &self.network
    }

    /// The scaling learnt from the training data.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// What was tried before training, and which settings were chosen. Empty for a regressor [from parts](Self::from_parts).
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The report of the training run, in scaled units.
    pub fn report(&self) -> &FitReport<T> {
        &self.report
    }
}

//! Scaling, network and training behind `fit` and `predict`.

mod file;

use crate::dataset::{Dataset, column_name};
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::metrics;
use crate::network::ExpNetwork;
use crate::report::FitReport;
use crate::scaling::{Scaling, ScalingOptions};
use crate::schedule::KernelStable;
use crate::setting::{below_one, checked_serde, positive};
use crate::trainer::Trainer;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Exponential network regressor that works on raw data.
///
/// [`fit`](Self::fit) learns a [`Scaling`], initialises an antisymmetric network at F = 0, and trains it by
/// gradient descent with the step size that the tangent kernel allows ([`KernelStable`]). Training stops
/// early when the loss on a validation part of the data stops improving, and the best weights are kept.
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
/// assert!(model.score(&test)? > 0.9);
/// let predicted = model.predict(test.points())?;
/// assert!((predicted[0] - test.labels()[0]).abs() < 0.5);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ExpRegressor<T: Float> {
    network: ExpNetwork<T>,
    scaling: Scaling,
    report: FitReport<T>,
}

/// The fraction of validation data unless given.
const VALIDATION: f64 = 0.15;

/// The settings of an [`ExpRegressor`]. The defaults suit a few hundred to a few thousand samples.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`width`](Self::width) | m, the number of neurons | even, m >= 2 | 512 |
/// | [`std_dev`](Self::std_dev) | sigma of the initial weights | sigma > 0 | 0.5 |
/// | [`seed`](Self::seed) | seed of the initial weights and the validation split | | 0 |
/// | [`validation`](Self::validation) | fraction of the data for early stopping | 0 (none) to below 1 | 0.15 from four samples on |
/// | [`patience`](Self::patience) | steps without improvement before training stops | at least 1 | 100 |
/// | [`max_steps`](Self::max_steps) | maximum number of steps | | 1000 |
/// | [`scaling`](Self::scaling) | which scaling steps to apply | | all |
///
/// ```
/// use expnet::{Dataset, ExpRegressor};
///
/// let rows: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i) / 10.0]).collect();
/// let labels: Vec<f64> = rows.iter().map(|[x]| x.sin()).collect();
/// let data = Dataset::from_rows(&rows, &labels)?;
/// let model = ExpRegressor::options().width(128).seed(3).max_steps(200).fit(&data)?;
/// assert_eq!(model.network().width(), 128);
/// assert!(model.score(&data)? > 0.9);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct RegressorOptions {
    width: usize,
    std_dev: f64,
    seed: u64,
    validation: Option<f64>,
    patience: Option<usize>,
    max_steps: usize,
    scaling: ScalingOptions,
}

impl Default for RegressorOptions {
    fn default() -> Self {
        Self {
            width: 512,
            std_dev: 0.5,
            seed: 0,
            validation: None,
            patience: None,
            max_steps: 1000,
            scaling: ScalingOptions::default(),
        }
    }
}

impl RegressorOptions {
    /// The number m of neurons, which must be even. Defaults to 512. A step costs 4 n d m flops and n m exponentials.
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// The standard deviation sigma of the initial weights, positive and finite. Defaults to 0.5.
    ///
    /// A small sigma gives a smooth fit: near 0 the tangent kernel is almost linear in x. A larger sigma
    /// gives a more flexible fit that overfits noise sooner.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// The seed of the initial weights and of the validation split. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The fraction of the data set aside as validation data for early stopping. Defaults to 0.15, and to none for three
    /// samples or fewer.
    ///
    /// With 0 there is no early stopping: all of the data is used to fit, for `max_steps` steps, which suits
    /// data without noise.
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = Some(fraction);
        self
    }

    /// Training stops when the validation loss has not improved for this many steps, at least 1. Defaults to 100.
    pub fn patience(mut self, steps: usize) -> Self {
        self.patience = Some(steps);
        self
    }

    /// The maximum number of steps. Defaults to 1000.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }

    /// Which scaling steps to apply. Defaults to all.
    pub fn scaling(mut self, options: ScalingOptions) -> Self {
        self.scaling = options;
        self
    }

    /// Fits a network to the raw points and labels of `data`.
    ///
    /// Columns that are constant are left out, and named in [`FitReport::problems`]. If the labels are all equal, the
    /// model predicts that label exactly, at every point (unless [`ScalingOptions::labels`] is off).
    ///
    /// Errors: a setting out of range, an odd width, too few samples for a validation split, divergence; without a bias
    /// coordinate, columns that are all constant.
    pub fn fit<T: Float>(&self, data: &Dataset<T>) -> Result<ExpRegressor<T>, Error> {
        self.check_settings()?;
        let scaling = self.scaling.fit(data)?;
        let scaled = scaling.apply(data)?;
        let (train, validation) = match self.split_sizes(scaled.samples())? {
            Some(fraction) => {
                let (train, validation) = scaled.split(fraction, self.seed)?;
                (train, Some(validation))
            }
            None => (scaled, None),
        };
        let mut network = Initializer::new(train.dimension(), self.width)
            .std_dev(self.std_dev)
            .antisymmetric(true)
            .seed(self.seed)
            .build()?;
        let mut trainer = Trainer::new(KernelStable::default()).max_steps(self.max_steps);
        if let Some(validation) = &validation {
            trainer = trainer.validation(validation, self.patience.unwrap_or(100));
        }
        let mut report = trainer.fit(&mut network, &train)?;
        let left_out = |k| format!("{} is constant and was left out", column_name(k, data.names()));
        report.problems.extend(scaling.dropped().into_iter().map(left_out));
        Ok(ExpRegressor {
            network,
            scaling,
            report,
        })
    }

    /// The fraction of the samples to train on, or `None` if there is to be no validation data.
    fn split_sizes(&self, samples: usize) -> Result<Option<f64>, Error> {
        let validation = self.validation.unwrap_or(VALIDATION);
        let train = ((1.0 - validation) * samples as f64).round();
        if validation == 0.0 || (self.validation.is_none() && train >= samples as f64) {
            return Ok(None);
        }
        if train >= 1.0 && train < samples as f64 {
            return Ok(Some(1.0 - validation));
        }
        Err(Error::Setting {
            setting: "`RegressorOptions::validation`",
            value: format!(
                "{validation:?}, which leaves {train} of {samples} samples to train on and {} to validate",
                samples as f64 - train
            ),
            expected: "such that both parts get at least one sample, or 0 for no validation",
        })
    }

    fn check_settings(&self) -> Result<(), Error> {
        // With std_dev 0 all pairs of neurons are identical, and stay identical.
        positive("`RegressorOptions::std_dev`", self.std_dev)?;
        below_one("`RegressorOptions::validation`", self.validation.unwrap_or(VALIDATION))?;
        if self.validation == Some(0.0) && self.patience.is_some() {
            return Err(Error::Incompatible {
                what: "`RegressorOptions::patience`",
                with: "`validation(0.0)`",
                reason: "patience counts steps without improvement of the validation loss; use a fraction above 0",
            });
        }
        Ok(())
    }
}

checked_serde!(RegressorOptions);

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

    /// Predicts the labels of raw points (d x k, one point per column). Returns k numbers. Costs a forward
    /// pass, O(k d m).
    ///
    /// Errors: points whose dimension is not that of the training data, points that are not finite, a
    /// prediction that overflows.
    pub fn predict(&self, raw_points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        self.scaling.predict(&self.network, raw_points)
    }

    /// The coefficient of determination R² on raw data, as [`metrics::r2`] computes it.
    ///
    /// The best possible score is 1. Always predicting the mean of these labels scores 0, and the score can
    /// be negative.
    ///
    /// Errors: those of [`predict`](Self::predict), and labels that are all equal, for which R² is
    /// undefined.
    pub fn score(&self, data: &Dataset<T>) -> Result<T, Error> {
        self.scaling.check_columns(data)?;
        metrics::r2(data.labels(), &self.predict(data.points())?)
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
        if network.dimension() != scaling.scaled_dimension() {
            return Err(Error::Shape {
                what: "the dimension of the network".into(),
                expected: scaling.scaled_dimension(),
                found: network.dimension(),
                remedy: "give a network that was trained on the points of `Scaling::apply`",
            });
        }
        Ok(Self {
            network,
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

    /// The report of the training run, in scaled units.
    pub fn report(&self) -> &FitReport<T> {
        &self.report
    }
}

//! The settings of the regressor with a network.

use super::exp::ExpRegressor;
use super::run::RegressorRun;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::scaling::ScalingOptions;
use crate::setting::{at_least_one, below_one, checked_serde, positive};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The fraction of validation data for early stopping unless given.
pub(super) const VALIDATION: f64 = 0.15;

/// How an [`ExpRegressor`] trains its network and keeps it from fitting noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Training {
    /// Gauss-Newton with a ridge chosen by leave-one-out.
    #[default]
    Ridge,
    /// Gradient descent with the step size that the tangent kernel allows
    /// ([`KernelStable`](crate::schedule::KernelStable)), stopped when the loss on validation data stops improving.
    EarlyStopping,
}

/// The settings of an [`ExpRegressor`]. The defaults suit tens to millions of samples.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`width`](Self::width) | m, the number of neurons | even, m >= 2 | 1024 |
/// | [`std_dev`](Self::std_dev) | sigma of the initial weights | sigma > 0 | 1 |
/// | [`seed`](Self::seed) | seed of the initial weights and of the validation split | | 0 |
/// | [`training`](Self::training) | ridge or early stopping | | ridge |
/// | [`lambda`](Self::lambda) | the ridge, relative to the tangent kernel | lambda > 0 | chosen |
/// | [`length_scales`](Self::length_scales) | whether to learn length scales | | `true`; with early stopping `false` |
/// | [`validation`](Self::validation) | fraction of the data set aside | 0 (none) to below 1 | ridge: 0; early stopping: 0.15 from four samples on |
/// | [`patience`](Self::patience) | early stopping: steps without improvement before training stops | at least 1 | 100 |
/// | [`max_steps`](Self::max_steps) | maximum number of steps | | 8; with early stopping 1000 |
/// | [`max_time`](Self::max_time) | maximum time of training | | none |
/// | [`scaling`](Self::scaling) | which scaling steps to apply, and a fixed beta | | all, beta chosen |
///
/// ```
/// use expnet::{Dataset, ExpRegressor};
///
/// let rows: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i) / 10.0]).collect();
/// let labels: Vec<f64> = rows.iter().map(|[x]| x.sin()).collect();
/// let data = Dataset::from_rows(&rows, &labels)?;
/// let model = ExpRegressor::options().width(128).seed(3).fit(&data)?;
/// assert_eq!(model.network().width(), 128);
/// assert!(model.score(&data)? > 0.99);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct RegressorOptions {
    pub(super) width: usize,
    pub(super) std_dev: f64,
    pub(super) seed: u64,
    pub(super) training: Training,
    pub(super) lambda: Option<f64>,
    pub(super) length_scales: Option<bool>,
    pub(super) validation: Option<f64>,
    pub(super) patience: Option<usize>,
    pub(super) max_steps: Option<usize>,
    pub(super) max_time: Option<Duration>,
    pub(super) scaling: ScalingOptions,
}

impl Default for RegressorOptions {
    fn default() -> Self {
        Self {
            width: 1024,
            std_dev: 1.0,
            seed: 0,
            training: Training::default(),
            lambda: None,
            length_scales: None,
            validation: None,
            patience: None,
            max_steps: None,
            max_time: None,
            scaling: ScalingOptions::default(),
        }
    }
}

impl RegressorOptions {
    /// The number m of neurons, which must be even. Defaults to 1024. A step costs n^2 m + n^3 / 3 multiply-adds for up to 4096
    /// samples, and some 50 passes of 4 n d m flops and n m exponentials for more.
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// The standard deviation sigma of the initial weights, positive and finite. Defaults to 1.
    ///
    /// A small sigma gives a smooth fit: near 0 the tangent kernel is almost linear in x. A larger sigma
    /// gives a more flexible fit.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// The seed of the initial weights and of the validation split. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Ridge (the default) or early stopping.
    pub fn training(mut self, training: Training) -> Self {
        self.training = training;
        self
    }

    /// Fixes the ridge: training minimises 1/2 sum_i s_i (F(x_i) - y_i)^2 + lambda / 2 sum_r a_r^2 ||W - W_0||^2 in scaled
    /// units, which at infinite width is kernel ridge regression with lambda. Positive and finite; chosen by leave-one-out
    /// unless given.
    pub fn lambda(mut self, lambda: f64) -> Self {
        self.lambda = Some(lambda);
        self
    }

    /// Whether to learn a length scale for each column, so that columns that do not matter fade out. Defaults to `true`, and to
    /// `false` with early stopping.
    pub fn length_scales(mut self, on: bool) -> Self {
        self.length_scales = Some(on);
        self
    }

    /// The fraction of the data set aside as validation data. See [`RegressorRun::validation`] to give your own.
    ///
    /// With ridge, it decides which settings are best, in place of the leave-one-out error; 0, the default, sets nothing aside.
    /// With early stopping it decides when to stop; the default is 0.15, or none for three samples or fewer, and with 0 training
    /// goes on for `max_steps` steps, which suits data without noise.
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = Some(fraction);
        self
    }

    /// Early stopping: training stops when the validation loss has not improved for this many steps, at least 1. Defaults to 100.
    pub fn patience(mut self, steps: usize) -> Self {
        self.patience = Some(steps);
        self
    }

    /// The maximum number of steps. Defaults to 8 steps of Gauss-Newton (training usually converges sooner), or to 1000 with
    /// early stopping. If it cuts training short, [`FitReport::problems`](crate::FitReport::problems) says so.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = Some(steps);
        self
    }

    /// Training stops after this time, checked after each step. Not limited by default. The choice of settings comes before.
    pub fn max_time(mut self, limit: Duration) -> Self {
        self.max_time = Some(limit);
        self
    }

    /// Which scaling steps to apply. Defaults to all, with the beta of the bias coordinate chosen by leave-one-out unless it is given here.
    pub fn scaling(mut self, options: ScalingOptions) -> Self {
        self.scaling = options;
        self
    }

    /// Fits a network to the raw points and labels of `data`. The same as `self.on(data).fit()`.
    ///
    /// Columns that are constant are left out, and named in [`FitReport::problems`](crate::FitReport::problems). If the labels are
    /// all equal, the model predicts that label exactly, at every point (unless [`ScalingOptions::labels`] is off).
    ///
    /// Errors: a setting out of range, an odd width, too few samples for a validation split, divergence; a given lambda with which the
    /// limit kernel is singular to working precision; without a bias coordinate, columns that are all constant.
    pub fn fit<T: Float>(&self, data: &Dataset<T>) -> Result<ExpRegressor<T>, Error> {
        self.on(data).fit()
    }

    /// Begins a fit that takes more than settings: validation data of your own, observers, the start from an earlier model.
    ///
    /// ```
    /// use expnet::observer::History;
    /// use expnet::{Dataset, ExpRegressor};
    ///
    /// let rows: Vec<[f64; 1]> = (0..60).map(|i| [f64::from(i) / 10.0]).collect();
    /// let labels: Vec<f64> = rows.iter().map(|[x]| x.sin()).collect();
    /// let (train, validation) = Dataset::from_rows(&rows, &labels)?.split(0.8, 1)?;
    /// let mut history = History::default();
    /// let run = ExpRegressor::options().width(128).on(&train).validation(&validation);
    /// let model = run.observe_mut(&mut history).fit()?;
    /// assert_eq!(history.steps().last(), Some(&model.report().steps()));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn on<'a, T: Float>(&self, data: &'a Dataset<T>) -> RegressorRun<'a, T> {
        RegressorRun::new(*self, data)
    }

    /// Checks the settings, as [`fit`](Self::fit) does before it begins.
    ///
    /// Errors: a setting out of range; settings that cannot be combined.
    pub fn check_settings(&self) -> Result<(), Error> {
        // With std_dev 0 all pairs of neurons are identical, and stay identical.
        positive("`RegressorOptions::std_dev`", self.std_dev)?;
        positive("`RegressorOptions::lambda`", self.lambda.unwrap_or(1.0))?;
        below_one("`RegressorOptions::validation`", self.validation.unwrap_or(0.0))?;
        at_least_one("`RegressorOptions::patience`", self.patience.unwrap_or(1))?;
        self.scaling.check_settings()?;
        match self.training {
            Training::Ridge if self.patience.is_some() => Err(Error::Incompatible {
                what: "`RegressorOptions::patience`",
                with: "`Training::Ridge`",
                reason: "the ridge does not stop early; remove it, or use `training(Training::EarlyStopping)`",
            }),
            Training::EarlyStopping if self.lambda.is_some() => Err(Error::Incompatible {
                what: "`RegressorOptions::lambda`",
                with: "`Training::EarlyStopping`",
                reason: "early stopping has no ridge; remove one of the two",
            }),
            _ => Ok(()),
        }
    }
}

checked_serde!(RegressorOptions);

//! Scaling, network and training in one, for those who want an answer rather than a study.

mod file;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::network::ExpNetwork;
use crate::report::FitReport;
use crate::scaling::{Scaling, ScalingOptions};
use crate::schedule::KernelStable;
use crate::setting::{below_one, checked_serde, positive};
use crate::trainer::Trainer;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Regression by an exponential network, in the units of the raw data.
///
/// [`fit`](Self::fit) learns a [`Scaling`], starts an antisymmetric network at F = 0, and trains it by
/// gradient descent with the step size that the tangent kernel allows ([`KernelStable`]), until the
/// loss on a held-out part of the data stops improving; the best weights are kept.
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

/// The settings of an [`ExpRegressor`], each with a default that suits a few hundred to a few thousand samples.
///
/// | setting | meaning | range | default |
/// |---|---|---|---|
/// | [`width`](Self::width) | m, the number of neurons | even, m >= 2 | 512 |
/// | [`std_dev`](Self::std_dev) | sigma of the initial weights | sigma > 0 | 0.5 |
/// | [`seed`](Self::seed) | of the initial weights and of the held-out part | | 0 |
/// | [`validation`](Self::validation) | fraction held out for early stopping | 0 (none) to below 1 | 0.15 |
/// | [`patience`](Self::patience) | steps without improvement before it stops | at least 1 | 100 |
/// | [`max_steps`](Self::max_steps) | steps at most | | 1000 |
/// | [`scaling`](Self::scaling) | steps of the scaling | | all |
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
    validation: f64,
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
            validation: 0.15,
            patience: None,
            max_steps: 1000,
            scaling: ScalingOptions::default(),
        }
    }
}

impl RegressorOptions {
    /// The number m of neurons: even, by default 512. A step costs 4 n d m flops and n m exponentials.
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// The standard deviation sigma of the initial weights: positive and finite, by default 0.5.
    ///
    /// A small sigma makes a smooth fit: near 0 the tangent kernel is almost linear in x. A larger one bends
    /// more, and fits noise sooner.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// The seed of the initial weights and of the choice of the held-out part, by default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The fraction of the data held out for early stopping: by default 0.15. With 0 all of the data is
    /// fitted, for `max_steps` steps: right for data without noise.
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = fraction;
        self
    }

    /// The run ends when the held-out loss has not improved for so many steps: at least 1, by default 100.
    pub fn patience(mut self, steps: usize) -> Self {
        self.patience = Some(steps);
        self
    }

    /// The run ends after so many steps at the latest, by default 1000.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }

    /// Which steps of the scaling to take, by default all.
    pub fn scaling(mut self, options: ScalingOptions) -> Self {
        self.scaling = options;
        self
    }

    /// Fits a network to `data`, raw points and labels.
    ///
    /// Errors: a setting out of range, a constant column, an odd width, too few samples for a held-out
    /// part, divergence.
    pub fn fit<T: Float>(&self, data: &Dataset<T>) -> Result<ExpRegressor<T>, Error> {
        self.check_settings()?;
        let scaling = self.scaling.fit(data)?;
        let scaled = scaling.apply(data)?;
        let (train, held_out) = if self.validation > 0.0 {
            let (train, held_out) = scaled.split(1.0 - self.validation, self.seed)?;
            (train, Some(held_out))
        } else {
            (scaled, None)
        };
        let mut network = Initializer::new(train.dimension(), self.width)
            .std_dev(self.std_dev)
            .antisymmetric(true)
            .seed(self.seed)
            .build()?;
        let mut trainer = Trainer::new(KernelStable::default()).max_steps(self.max_steps);
        if let Some(held_out) = &held_out {
            trainer = trainer.validation(held_out, self.patience.unwrap_or(100));
        }
        let report = trainer.fit(&mut network, &train)?;
        Ok(ExpRegressor {
            network,
            scaling,
            report,
        })
    }

    fn check_settings(&self) -> Result<(), Error> {
        // At 0 all pairs of neurons are the same pair, and stay it.
        positive("`RegressorOptions::std_dev`", self.std_dev)?;
        below_one("`RegressorOptions::validation`", self.validation)?;
        if self.validation == 0.0 && self.patience.is_some() {
            return Err(Error::Incompatible {
                what: "`RegressorOptions::patience`",
                with: "`validation(0.0)`",
                reason: "patience counts steps without improvement on the held-out part; hold some of the data out",
            });
        }
        Ok(())
    }
}

checked_serde!(RegressorOptions);

// One type, so that `ExpRegressor::options()` needs no annotation: options fit data of any scalar type.
impl ExpRegressor<f64> {
    /// The settings, all at their defaults, to change and then [`fit`](RegressorOptions::fit) with.
    pub fn options() -> RegressorOptions {
        RegressorOptions::default()
    }
}

impl<T: Float> ExpRegressor<T> {
    /// Fits a network to `data`, raw points and labels, with the default settings; see
    /// [`options`](ExpRegressor::options) for others.
    pub fn fit(data: &Dataset<T>) -> Result<Self, Error> {
        RegressorOptions::default().fit(data)
    }

    /// Predicted labels of raw points (d x k, one point per column): k numbers. Costs a forward pass, O(k d m).
    ///
    /// Errors: points of another dimension than the training data's or that are not finite, a
    /// prediction that overflows.
    pub fn predict(&self, raw_points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        self.scaling.predict(&self.network, raw_points)
    }

    /// The coefficient of determination on raw data: R² = 1 - sum_i (p_i - y_i)² / sum_i (y_i - mean)².
    ///
    /// 1 is a perfect prediction, 0 is no better than the mean of these labels; it can be negative.
    ///
    /// Errors: those of [`predict`](Self::predict), and labels that are all equal, for which R² is not
    /// defined.
    pub fn score(&self, data: &Dataset<T>) -> Result<T, Error> {
        let predicted = self.predict(data.points())?;
        let labels = || data.labels().iter().map(|y| y.as_f64());
        // Relative to the largest deviation, so that no square leaves the range of f64.
        let mean = labels().map(|y| y / data.samples() as f64).sum::<f64>();
        let unit = labels().fold(0.0, |largest, y| f64::max(largest, (y - mean).abs()));
        if labels().all(|y| y == data.labels()[0].as_f64()) {
            return Err(Error::Column {
                column: "the label column".into(),
                problem: "is constant, so that R² is not defined",
                remedy: "score on data whose labels differ",
            });
        }
        let spread: f64 = labels().map(|y| ((y - mean) / unit).powi(2)).sum();
        let missed: f64 = labels()
            .zip(predicted.iter())
            .map(|(y, p)| ((p.as_f64() - y) / unit).powi(2))
            .sum();
        Ok(T::lit(1.0 - missed / spread))
    }

    /// The fitted network, which works on scaled points.
    pub fn network(&self) -> &ExpNetwork<T> {
        &self.network
    }

    /// The scaling that was learnt from the data.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// What came of the training run, in scaled units.
    pub fn report(&self) -> &FitReport<T> {
        &self.report
    }
}

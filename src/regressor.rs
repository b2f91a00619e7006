//! Scaling, network and training in one.

use crate::dataset::Dataset;
use crate::scaling::{Scaling, ScalingOptions};
use crate::{Error, ExpNetwork, FitReport, Float, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};

/// A regression model for those who want an answer and not a study: fit, predict, score.
///
/// Standardises the columns, appends a bias, puts rows on the unit sphere, scales the labels; starts from an antisymmetric network (F = 0), and
/// trains by gradient descent with momentum until the loss on a held-out part of the data stops falling.
///
/// ```
/// use expnet::{Dataset, ExpRegressor};
///
/// let rows: Vec<[f64; 2]> = (0..60).map(|i| [(0.3 * i as f64).sin(), (0.7 * i as f64).cos()]).collect();
/// let labels: Vec<f64> = rows.iter().map(|[a, b]| 3.0 + a * b).collect();
/// let data = Dataset::from_rows(&rows, &labels)?;
/// let model = ExpRegressor::fit(&data)?;
/// assert!(model.score(&data)? > 0.9);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExpRegressor<T: Float> {
    scaling: Scaling<T>,
    network: ExpNetwork<T>,
    report: FitReport<T>,
}

/// The settings of an [`ExpRegressor`]: see [`ExpRegressor::options`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegressorOptions {
    width: usize,
    std_dev: f64,
    seed: u64,
    held_out: f64,
    patience: usize,
    max_steps: usize,
    momentum: f64,
    scaling: ScalingOptions,
}

impl Default for RegressorOptions {
    fn default() -> Self {
        Self {
            width: 2048,
            std_dev: 1.0,
            seed: 0,
            held_out: 0.2,
            patience: 50,
            max_steps: 2000,
            momentum: 0.9,
            scaling: ScalingOptions::default(),
        }
    }
}

impl<T: Float> ExpRegressor<T> {
    /// Fits with the default settings. Costs a few hundred steps of 4 n d m flops, m = 2048.
    ///
    /// Errors: those of [`Scaling::fit`] (a constant column, say) and of [`Trainer::fit`].
    pub fn fit(data: &Dataset<T>) -> Result<Self, Error> {
        RegressorOptions::default().fit(data)
    }

    /// The predictions for raw points (d x k, a point a column), in the units of the raw labels: k numbers.
    pub fn predict(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        self.scaling.predict(&self.network, points)
    }

    /// The coefficient of determination R^2 = 1 - sum (y - prediction)^2 / sum (y - mean y)^2: 1 is perfect, 0 as good as the mean.
    ///
    /// Errors: labels that are all equal, besides those of [`predict`](Self::predict).
    pub fn score(&self, data: &Dataset<T>) -> Result<T, Error> {
        let predicted = self.predict(data.points())?;
        let labels: Vec<f64> = data.labels().iter().map(|y| y.as_f64()).collect();
        let mean = labels.iter().sum::<f64>() / labels.len() as f64;
        let spread: f64 = labels.iter().map(|y| (y - mean).powi(2)).sum();
        if spread == 0.0 {
            return Err(Error::Column {
                column: "the label column".into(),
                problem: "is constant, so that R^2 has no meaning",
                remedy: "score on data with at least two different labels",
            });
        }
        let missed: f64 = labels
            .iter()
            .zip(&predicted)
            .map(|(y, p)| (y - p.as_f64()).powi(2))
            .sum();
        Ok(T::lit(1.0 - missed / spread))
    }

    /// The trained network, on scaled points.
    pub fn network(&self) -> &ExpNetwork<T> {
        &self.network
    }

    /// How points and labels are scaled.
    pub fn scaling(&self) -> &Scaling<T> {
        &self.scaling
    }

    /// What came of the training.
    pub fn report(&self) -> &FitReport<T> {
        &self.report
    }
}

impl ExpRegressor<f64> {
    /// The settings, to be changed one by one; [`fit`](RegressorOptions::fit) takes data of either type.
    ///
    /// ```
    /// # use expnet::{Dataset, ExpRegressor};
    /// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0], [1.0, 2.0], [3.0, 1.0]], &[0.5, -0.5, 1.0, 2.0])?;
    /// let model = ExpRegressor::options().width(512).seed(3).held_out(0.25).max_steps(100).fit(&data)?;
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn options() -> RegressorOptions {
        RegressorOptions::default()
    }
}

impl RegressorOptions {
    /// The number of neurons, even; 2048 by default.
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// The standard deviation of the initial weights; 1 by default. Smaller is smoother.
    pub fn std_dev(mut self, std_dev: f64) -> Self {
        self.std_dev = std_dev;
        self
    }

    /// The seed of the initial weights and of the held-out part; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The share of the samples that decides when to stop, above 0 and below 1; 0.2 by default.
    pub fn held_out(mut self, share: f64) -> Self {
        self.held_out = share;
        self
    }

    /// Steps without improvement on the held-out part that are allowed; 50 by default.
    pub fn patience(mut self, steps: usize) -> Self {
        self.patience = steps;
        self
    }

    /// The largest number of steps; 2000 by default.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }

    /// Heavy-ball momentum, at least 0 and below 1; 0.9 by default.
    pub fn momentum(mut self, beta: f64) -> Self {
        self.momentum = beta;
        self
    }

    /// How to scale; everything on by default.
    pub fn scaling(mut self, scaling: ScalingOptions) -> Self {
        self.scaling = scaling;
        self
    }

    /// Fits with these settings.
    ///
    /// Errors: those of [`ScalingOptions::fit`], [`Dataset::split`] and [`Trainer::fit`].
    pub fn fit<T: Float>(&self, data: &Dataset<T>) -> Result<ExpRegressor<T>, Error> {
        let (train, held_out) = data.split(1.0 - self.held_out, self.seed)?;
        let scaling = self.scaling.fit(&train)?;
        let (train, held_out) = (scaling.apply(&train)?, scaling.apply(&held_out)?);
        let start = Initializer::new(train.dimension(), self.width)
            .std_dev(self.std_dev)
            .seed(self.seed);
        let mut network = start.antisymmetric(true).build()?;
        let report = Trainer::default()
            .method(crate::method::GradientDescent::default().momentum(self.momentum))
            .max_steps(self.max_steps)
            .validation(&held_out, self.patience)
            .fit(&mut network, &train)?;
        Ok(ExpRegressor {
            scaling,
            network,
            report,
        })
    }
}

//! From settings and data to a fitted network.

use super::exp::ExpRegressor;
use super::options::{RegressorOptions, Training, VALIDATION};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::kernel::MAX_DIRECT;
use crate::method::GaussNewton;
use crate::network::ExpNetwork;
use crate::observer::Observer;
use crate::report::Termination;
use crate::scaling::Scaling;
use crate::selection::{Problem, Selection};
use crate::trainer::Trainer;

/// |a_r|. The larger, the less the weights have to move, and the closer training is to kernel ridge regression: the fit then depends
/// little on the seed, and Gauss-Newton converges in two or three steps.
const OUTPUT_SCALE: f64 = 8.0;
/// Steps of Gauss-Newton unless given.
const RIDGE_STEPS: usize = 8;
/// Steps of gradient descent unless given.
const DESCENT_STEPS: usize = 1000;
/// Steps without improvement of the validation loss unless given.
const PATIENCE: usize = 100;
/// Gauss-Newton has converged when a step reduces the loss by less than this fraction.
const CONVERGED: f64 = 0.02;

/// A fit about to begin: made by [`RegressorOptions::on`], run by [`fit`](Self::fit).
#[derive(Debug)]
#[must_use = "call `fit`"]
pub struct RegressorRun<'a, T: Float> {
    options: RegressorOptions,
    data: &'a Dataset<T>,
    validation: Option<&'a Dataset<T>>,
    earlier: Option<&'a ExpRegressor<T>>,
    trainer: Trainer<'a, T>,
}

impl<'a, T: Float> RegressorRun<'a, T> {
    pub(super) fn new(options: RegressorOptions, data: &'a Dataset<T>) -> Self {
        Self {
            options,
            data,
            validation: None,
            earlier: None,
            trainer: Trainer::default(),
        }
    }

    /// Validation data of your own, raw, in place of [`RegressorOptions::validation`]: with ridge they decide which settings are best,
    /// with early stopping when to stop.
    pub fn validation(mut self, data: &'a Dataset<T>) -> Self {
        self.validation = Some(data);
        self
    }

    /// Adds an observer of training, as [`Trainer::observe`] does: a [`ProgressBar`](crate::observer), a log, your own.
    pub fn observe(mut self, observer: impl Observer<T> + 'a) -> Self {
        self.trainer = self.trainer.observe(observer);
        self
    }

    /// Adds an observer by reference, so that you can read it after the fit: a [`History`](crate::observer::History).
    pub fn observe_mut(mut self, observer: &'a mut (impl Observer<T> + 'a)) -> Self {
        self.trainer = self.trainer.observe_mut(observer);
        self
    }

    /// A warm start: keeps the scaling and the settings chosen for `model`, and trains on from its weights. The ridge then holds the
    /// weights near those. Width, sigma and scaling of the options do not matter. If `model` has no ridge, because it was stopped early or
    /// made from parts, give [`RegressorOptions::lambda`].
    pub fn warm_start(mut self, model: &'a ExpRegressor<T>) -> Self {
        self.earlier = Some(model);
        self
    }

    /// Chooses settings, initialises and trains. See [`RegressorOptions::fit`].
    ///
    /// Cost, for n samples, d columns and m neurons: the choice takes about 30 factorisations of p x p matrices, p = min(n, 300 +
    /// n / 4, 1500). Up to n = 4096, training takes a few steps of n^2 m + n^3 / 3 multiply-adds; beyond, some 100 passes of
    /// 4 n d m flops and n m exponentials, with memory O(n (d + k) + d m) for k <= 100 products kept.
    ///
    /// Errors: those of [`RegressorOptions::fit`]; validation data whose columns have other names, or another number of columns; with ridge, a
    /// warm start with validation data, which would decide nothing, or from a model without ridge if no lambda is given.
    pub fn fit(self) -> Result<ExpRegressor<T>, Error> {
        let Self {
            options,
            data,
            validation,
            earlier,
            trainer,
        } = self;
        options.check_settings()?;
        if let Some(earlier) = earlier {
            options.check_warm_start(earlier, validation.is_some())?;
        }
        let fraction = match validation {
            None => options.fraction(data.samples())?,
            Some(_) => None,
        };
        let parts = fraction
            .map(|fraction| data.split(1.0 - fraction, options.seed))
            .transpose()?;
        let (train, validation) = match &parts {
            Some((train, validation)) => (train, Some(validation)),
            None => (data, validation),
        };
        let (scaling, selection) = options.choose(train, validation, earlier)?;
        let train = scaling.apply(train)?;
        let validation = validation.map(|data| scaling.apply(data)).transpose()?;
        let mut network = options.start(train.dimension(), earlier)?;
        let trainer = options.set_up(trainer, &network, &train, validation.as_ref(), selection.lambda);
        let mut report = trainer.fit(&mut network, &train)?;
        report.problems.extend(scaling.problems());
        report.problems.extend(options.cut_short(report.termination()));
        Ok(ExpRegressor {
            network,
            scaling,
            selection,
            report,
        })
    }
}

/// Gauss-Newton whose ridge corresponds to `lambda` in kernel ridge regression: G = sum_r a_r^2 K.
fn method<T: Float>(network: &ExpNetwork<T>, samples: usize, lambda: f64) -> GaussNewton {
    let method = if samples <= MAX_DIRECT {
        GaussNewton::default()
    } else {
        GaussNewton::matrix_free()
    };
    method.ridge(lambda * network.output_weights().map(Float::as_f64).norm_squared())
}

impl RegressorOptions {
    fn step_limit(&self) -> usize {
        self.max_steps.unwrap_or(match self.training {
            Training::Ridge => RIDGE_STEPS,
            Training::EarlyStopping => DESCENT_STEPS,
        })
    }

    /// The trainer for this start on scaled data.
    fn set_up<'a, T: Float>(
        &self,
        trainer: Trainer<'a, T>,
        network: &ExpNetwork<T>,
        train: &Dataset<T>,
        validation: Option<&'a Dataset<T>>,
        lambda: f64,
    ) -> Trainer<'a, T> {
        let trainer = trainer.max_steps(self.step_limit());
        let trainer = match self.max_time {
            Some(limit) => trainer.max_time(limit),
            None => trainer,
        };
        match (self.training, validation) {
            (Training::Ridge, _) => trainer
                .method(method(network, train.samples(), lambda))
                .stall(1, CONVERGED),
            (Training::EarlyStopping, None) => trainer,
            (Training::EarlyStopping, Some(data)) => trainer.validation(data, self.patience.unwrap_or(PATIENCE)),
        }
    }

    /// Says that the maximum number of steps ended training, if it did.
    fn cut_short(&self, termination: Termination) -> Option<String> {
        let steps = self.step_limit();
        (termination == Termination::MaxSteps && steps > 0).then(|| {
            format!(
                "training was cut short after step {steps}, while the loss still fell; raise \
                 `RegressorOptions::max_steps`"
            )
        })
    }

    /// The scaling, and what was chosen: now, or for an earlier model.
    fn choose<T: Float>(
        &self,
        train: &Dataset<T>,
        validation: Option<&Dataset<T>>,
        earlier: Option<&ExpRegressor<T>>,
    ) -> Result<(Scaling, Selection), Error> {
        let (scaling, mut selection) = match earlier {
            Some(earlier) => (earlier.scaling.clone(), earlier.selection.clone()),
            None if self.training == Training::EarlyStopping && !self.length_scales.unwrap_or(false) => {
                (self.scaling.fit(train)?, Selection::given(train.samples()))
            }
            None => {
                let problem = Problem {
                    data: train,
                    validation,
                    scaling: self.scaling,
                    lambda: self.lambda,
                    length_scales: self.length_scales.unwrap_or(true),
                    std_dev: self.std_dev,
                };
                let choice = problem.choose()?;
                (choice.scaling, choice.selection)
            }
        };
        selection.lambda = self.lambda.unwrap_or(selection.lambda);
        Ok((scaling, selection))
    }

    /// Checks what a warm start takes from `earlier`, and whether there are validation data that it would ignore.
    fn check_warm_start<T: Float>(&self, earlier: &ExpRegressor<T>, validation: bool) -> Result<(), Error> {
        if self.training != Training::Ridge {
            return Ok(());
        }
        if validation || self.validation.is_some_and(|fraction| fraction > 0.0) {
            return Err(Error::Incompatible {
                what: "`RegressorRun::warm_start`",
                with: "validation data and `Training::Ridge`",
                reason: "the settings are those of the earlier model, so that there is nothing to decide; train on all data",
            });
        }
        if self.lambda.is_none() && earlier.selection.lambda == 0.0 {
            return Err(Error::Incompatible {
                what: "`RegressorRun::warm_start` from a model without ridge",
                with: "`Training::Ridge`",
                reason: "there is no lambda to keep; give `RegressorOptions::lambda`, or use \
                         `training(Training::EarlyStopping)`",
            });
        }
        Ok(())
    }

    /// The network before training.
    fn start<T: Float>(&self, dimension: usize, earlier: Option<&ExpRegressor<T>>) -> Result<ExpNetwork<T>, Error> {
        match earlier {
            Some(earlier) => Ok(earlier.network.clone()),
            None => Initializer::new(dimension, self.width)
                .std_dev(self.std_dev)
                .antisymmetric(true)
                .output_scale(OUTPUT_SCALE)
                .seed(self.seed)
                .build(),
        }
    }

    /// The fraction of the samples to set aside, or `None`.
    fn fraction(&self, samples: usize) -> Result<Option<f64>, Error> {
        let default = match self.training {
            Training::Ridge => 0.0,
            Training::EarlyStopping => VALIDATION,
        };
        let validation = self.validation.unwrap_or(default);
        if validation == 0.0 && self.patience.is_some() {
            return Err(Error::Incompatible {
                what: "`RegressorOptions::patience`",
                with: "`validation(0.0)`",
                reason: "patience counts steps without improvement of the validation loss; use a fraction above 0, or \
                         `RegressorRun::validation`",
            });
        }
        let train = ((1.0 - validation) * samples as f64).round();
        if validation == 0.0 || (self.validation.is_none() && train >= samples as f64) {
            return Ok(None);
        }
        if train >= 1.0 && train < samples as f64 {
            return Ok(Some(validation));
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
}

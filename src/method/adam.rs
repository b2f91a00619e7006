//! Adam, and AdamW.

use super::{Direction, DirectionKind, Evaluation, Method, SAME_NETWORK};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::record::Record;
use crate::setting::{below_one, checked_serde, not_negative, positive};
use serde::{Deserialize, Serialize};

/// Adam: the gradient g, averaged and scaled weight by weight with the size of recent gradients; with decoupled weight decay,
/// AdamW.
///
/// ```text
/// M <- beta1 M + (1 - beta1) g          V <- beta2 V + (1 - beta2) g^2          from 0, weight by weight
/// p = M / (1 - beta1^t) / (sqrt(V / (1 - beta2^t)) + eps) + decay W             in step t = 1, 2, ..
/// W <- W - eta p
/// ```
///
/// Every weight moves by about eta per step, so the natural step size is of the order of 1e-3, whatever the scale of the loss;
/// the default schedule is 1e-3. Step sizes that decay ([`Cosine`](crate::schedule::Cosine),
/// [`ExponentialDecay`](crate::schedule::ExponentialDecay)) reach smaller residuals than a constant one, with which the weights
/// keep jumping by about eta around the minimum. Directions are those of `optax.adam` and `optax.adamw`.
///
/// Costs 12 d m flops per step in addition to its passes, in `f64` on one thread, and memory for 2 d m numbers in `f64`.
/// Schedules that assume a gradient are refused.
///
/// References: D. P. Kingma, J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015; I. Loshchilov, F. Hutter,
/// *Decoupled weight decay regularization*, ICLR 2019.
///
/// ```
/// use expnet::method::Adam;
/// use expnet::{Dataset, Initializer, Trainer};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5, 2.0])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(0.01).method(Adam::default().beta2(0.99)).max_steps(200).fit(&mut net, &data)?;
/// assert!(report.residual_norm() < 0.01);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct Adam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
    #[serde(skip)]
    run: Run,
}

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    /// The step for which a direction was asked last.
    asked: Option<usize>,
    /// t.
    steps: usize,
    /// M and V.
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            decay: 0.0,
            run: Run::default(),
        }
    }
}

impl Adam {
    /// The share of the mean gradient that is kept from step to step, at least 0 and below 1; 0.9 by default.
    pub fn beta1(mut self, share: f64) -> Self {
        self.beta1 = share;
        self
    }

    /// The same for the mean square, at least 0 and below 1; 0.999 by default.
    pub fn beta2(mut self, share: f64) -> Self {
        self.beta2 = share;
        self
    }

    /// What is added to the root of the mean square, positive; 1e-8 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Decoupled weight decay: the share of a weight, times the step size, that a step takes away; at least 0. 0, the default,
    /// means none.
    pub fn weight_decay(mut self, share: f64) -> Self {
        self.decay = share;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        below_one("`Adam::beta1`", self.beta1)?;
        below_one("`Adam::beta2`", self.beta2)?;
        positive("`Adam::eps`", self.eps)?;
        not_negative("`Adam::weight_decay`", self.decay)
    }

    /// Takes a gradient into the means.
    fn learn<T: Float>(&mut self, gradient: &[T]) -> Result<(), Error> {
        let run = &mut self.run;
        if run.steps == 0 {
            run.mean = vec![0.0; gradient.len()];
            run.square = vec![0.0; gradient.len()];
        }
        let what = "the number of weights that `Adam` remembers";
        check_size(what, run.mean.len(), gradient.len(), SAME_NETWORK)?;
        run.steps += 1;
        for ((mean, square), g) in run.mean.iter_mut().zip(&mut run.square).zip(gradient) {
            let g = g.as_f64();
            *mean = self.beta1 * *mean + (1.0 - self.beta1) * g;
            *square = self.beta2 * *square + (1.0 - self.beta2) * (g * g);
        }
        Ok(())
    }
}

checked_serde!(Adam);

impl<T: Float> Method<T> for Adam {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        let now = Some(evaluation.iteration());
        // A step that is tried again has the same gradient.
        if self.run.asked != now {
            self.learn(evaluation.gradient()?)?;
            self.run.asked = now;
        }
        let weights = evaluation.weights()?;
        let t = self.run.steps as f64;
        let (of_mean, of_square) = (1.0 - self.beta1.powf(t), 1.0 - self.beta2.powf(t));
        let means = self.run.mean.iter().zip(&self.run.square).zip(weights);
        direction.weights.extend(means.map(|((mean, square), w)| {
            let scaled = mean / of_mean / ((square / of_square).sqrt() + self.eps);
            T::lit(scaled + self.decay * w.as_f64())
        }));
        Ok(())
    }

    fn kind(&self) -> DirectionKind {
        DirectionKind::ScaledGradient
    }

    fn prepare(&mut self, _: usize) -> Result<(), Error> {
        self.check_settings()?;
        self.run = Run::default();
        Ok(())
    }

    fn save(&self) -> Option<Record> {
        let run = &self.run;
        let record = Record::of("Adam", self)
            .with("asked", run.asked)
            .with("steps", run.steps);
        let record = record.with_list("mean", run.mean.clone());
        Some(record.with_list("square", run.square.clone()))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Adam", self)?;
        let [mean, square] = [record.required_list("mean")?, record.required_list("square")?].map(<[f64]>::to_vec);
        if mean.len() != square.len() {
            return Err(record.damaged("square", "does not fit `mean`"));
        }
        self.run = Run {
            asked: record.get("asked")?,
            steps: record.count("steps")?,
            mean,
            square,
        };
        Ok(())
    }
}

//! The search over bias and length scales.

use super::sensitivity::Embedded;
use super::{Candidate, Selection};
use crate::dataset::{Dataset, shuffled};
use crate::error::Error;
use crate::float::Float;
use crate::kernel::{HeldOut, LeaveOneOut, MAX_DIRECT, Roots, Validation, copies, limit_cross_kernel, limit_kernel};
use crate::numbers::largest;
use crate::scaling::{Scaling, ScalingOptions};
use nalgebra::{DMatrix, DVector};
use std::borrow::Cow;

/// The values of beta that are tried if none is given.
const BETAS: [f64; 3] = [1.0, 2.0, 4.0];
/// Length scales are learnt at most this often.
const ROUNDS: usize = 4;
/// The ratio of the longest to the shortest length scale.
const MAX_RATIO: f64 = 1e4;
/// Parabolas for the lambda of a candidate.
const PARABOLAS: usize = 1;
/// Parabolas for the lambda of the final fit.
const FINAL_PARABOLAS: usize = 2;
/// Selects the part of many samples, the same whatever the seed of a network, so that the seed matters little.
const PART_SEED: u64 = 0;

/// What to choose settings for.
pub(crate) struct Problem<'a, T: Float> {
    pub data: &'a Dataset<T>,
    /// If given, its error decides in place of the leave-one-out error.
    pub validation: Option<&'a Dataset<T>>,
    pub scaling: ScalingOptions,
    /// Chosen by its error unless given.
    pub lambda: Option<f64>,
    /// Whether to learn length scales.
    pub length_scales: bool,
    pub std_dev: f64,
}

/// The chosen settings.
pub(crate) struct Choice {
    pub scaling: Scaling,
    pub selection: Selection,
    /// The scale of predicted variances, from the leave-one-out errors.
    pub variance: f64,
}

/// The number of samples that candidates are compared on: all of up to 400, and of n more, 300 + n / 4, at most 1500. The cost
/// of the search, about thirty factorisations, then stays near that of the final fit.
fn part(samples: usize) -> usize {
    (300 + samples / 4).min(1500).min(samples)
}

impl<T: Float> Problem<'_, T> {
    /// Compares betas, then learns length scales in rounds, each accepted only if the error falls.
    ///
    /// A round sets the length of column k to 1 / rms(df/dz_k), for f the best fit so far and z its standardised coordinates:
    /// the diagonal of the average gradient outer product of Radhakrishnan, Beaglehole, Pandit and Belkin, *Mechanism for
    /// feature learning in neural networks and backpropagation-free machine learning models* (Science, 2024).
    ///
    /// Costs O(p^2 (p + d)) per candidate and lambda, for p compared samples.
    pub fn choose(&self) -> Result<Choice, Error> {
        let base = self.scaling.fit(self.data)?;
        let columns = base.kept().count();
        let samples = self.data.samples();
        let compared = Samples::new(self, &base, part(samples))?;
        let (first, others) = self.betas(columns);
        let mut ranking = Ranking::new(&compared, base.clone().with_beta(first))?;
        for &beta in others {
            // Errors are convex in beta as a rule: past the smallest, larger ones are not tried.
            if !ranking.try_out(base.clone().with_beta(beta), 0)? {
                break;
            }
        }
        let rounds = if self.length_scales && columns > 1 { ROUNDS } else { 0 };
        for round in 1..=rounds {
            let Some(lengths) = ranking.best.learnt_lengths(self.std_dev) else {
                break;
            };
            let scaling = ranking.best.scaling.clone().with_kept_lengths(&lengths);
            if !ranking.try_out(scaling, round)? {
                break;
            }
        }
        let Ranking {
            best,
            chosen,
            candidates,
            ..
        } = ranking;
        let part = compared.labels.len();
        let fit = if samples > MAX_DIRECT {
            best
        } else {
            let all = if part < samples {
                Samples::new(self, &base, samples)?
            } else {
                compared
            };
            all.fit(best.scaling, Some(best.power), FINAL_PARABOLAS)?
        };
        Ok(Choice {
            selection: Selection {
                candidates,
                chosen,
                samples,
                part,
                validated: self.validation.is_some(),
                lambda: fit.held_out.lambda,
            },
            scaling: fit.scaling,
            variance: fit.held_out.variance,
        })
    }

    /// The first value of beta to try, and the others in order.
    fn betas(&self, columns: usize) -> (f64, &'static [f64]) {
        let [first, others @ ..] = &BETAS;
        match self.scaling.given_beta() {
            Some(beta) => (beta, &[]),
            // Without a bias coordinate, or nothing but it, beta makes no difference.
            None if self.scaling.bias_coordinate(columns).is_none() || columns == 0 => (*first, &[]),
            None => (*first, others),
        }
    }
}

/// The candidates tried so far, and the best of them.
struct Ranking<'a> {
    samples: &'a Samples,
    candidates: Vec<Candidate>,
    chosen: usize,
    best: Fitted,
}

impl<'a> Ranking<'a> {
    /// Tries the first candidate.
    fn new(samples: &'a Samples, scaling: Scaling) -> Result<Self, Error> {
        let best = samples.fit(scaling, None, PARABOLAS)?;
        Ok(Self {
            samples,
            candidates: vec![best.candidate(0)],
            chosen: 0,
            best,
        })
    }

    /// Tries another, whose length scales are those of this round. Returns whether it is the best.
    fn try_out(&mut self, scaling: Scaling, round: usize) -> Result<bool, Error> {
        let fitted = match self.samples.fit(scaling, Some(self.best.power), PARABOLAS) {
            // A candidate without a fit is no better.
            Err(Error::Singular { .. }) => return Ok(false),
            fitted => fitted?,
        };
        self.candidates.push(fitted.candidate(round));
        let better = fitted.held_out.mean_square < self.best.held_out.mean_square;
        if better {
            self.chosen = self.candidates.len() - 1;
            self.best = fitted;
        }
        Ok(better)
    }
}

/// The samples that candidates are compared on.
struct Samples {
    std_dev: f64,
    /// That of every fit, if given.
    lambda: Option<f64>,
    /// Standardised, d x p.
    coordinates: DMatrix<f64>,
    labels: DVector<f64>,
    roots: Roots,
    groups: Vec<Vec<usize>>,
    validation: Option<ValidationSamples>,
}

/// The validation data of [`Samples`].
struct ValidationSamples {
    /// Standardised, d x k.
    coordinates: DMatrix<f64>,
    labels: DVector<f64>,
    roots: Roots,
}

impl ValidationSamples {
    fn new<T: Float>(data: &Dataset<T>, base: &Scaling) -> Result<Self, Error> {
        Ok(Self {
            coordinates: base.standardise(data)?,
            labels: base.scaled_labels(data.labels()),
            roots: Roots::new(data),
        })
    }
}

impl Samples {
    /// Selects `count` samples.
    fn new<T: Float>(problem: &Problem<'_, T>, base: &Scaling, count: usize) -> Result<Self, Error> {
        let data = problem.data;
        let part = if count < data.samples() {
            Cow::Owned(data.select(&shuffled(data.samples(), PART_SEED)[..count])?)
        } else {
            Cow::Borrowed(data)
        };
        let validation = problem.validation.map(|data| ValidationSamples::new(data, base));
        Ok(Self {
            std_dev: problem.std_dev,
            lambda: problem.lambda,
            coordinates: base.standardise(&*part)?,
            labels: base.scaled_labels(part.labels()),
            roots: Roots::new(&part),
            groups: copies(&part),
            validation: validation.transpose()?,
        })
    }

    /// The best lambda for the points of this scaling, searched from `guess` on, unless it is given.
    fn fit(&self, scaling: Scaling, guess: Option<f64>, parabolas: usize) -> Result<Fitted, Error> {
        let embedded = Embedded::new(scaling.embedding(), &self.coordinates)?;
        let kernel = limit_kernel(&embedded.points, self.std_dev)?;
        let validation = match &self.validation {
            Some(samples) => {
                let points = Embedded::new(scaling.embedding(), &samples.coordinates)?.points;
                Some(Validation {
                    cross: limit_cross_kernel(&embedded.points, &points, self.std_dev)?,
                    labels: &samples.labels,
                    roots: &samples.roots,
                })
            }
            None => None,
        };
        let problem = LeaveOneOut::new(kernel, &self.labels, &self.roots, &self.groups, validation);
        let (held_out, power) = match self.lambda {
            Some(lambda) => (problem.given(lambda)?, 0.0),
            None => problem.best(guess, parabolas)?,
        };
        Ok(Fitted {
            scaling,
            embedded,
            held_out,
            power,
        })
    }
}

/// A scaling with its best lambda.
struct Fitted {
    scaling: Scaling,
    embedded: Embedded,
    held_out: HeldOut,
    /// Of ten, from which other searches start.
    power: f64,
}

impl Fitted {
    fn candidate(&self, round: usize) -> Candidate {
        Candidate {
            beta: self.scaling.settings().given_beta().unwrap_or(1.0),
            round,
            lambda: self.held_out.lambda,
            mean_square: self.held_out.mean_square,
        }
    }

    /// Length scales from the sensitivities of this fit, with a mean square of the inverse lengths of 1. `None` if the fit is
    /// constant.
    fn learnt_lengths(&self, std_dev: f64) -> Option<Vec<f64>> {
        let mut weights = self.embedded.sensitivities(&self.held_out.coefficients, std_dev);
        let largest = largest(weights.iter().copied());
        if !(largest > 0.0 && largest.is_finite()) {
            return None;
        }
        for weight in &mut weights {
            *weight = (*weight / largest).max(1.0 / MAX_RATIO);
        }
        let mean = weights.iter().map(|weight| weight * weight).sum::<f64>() / weights.len() as f64;
        Some(weights.iter().map(|weight| mean.sqrt() / weight).collect())
    }
}

//! The search over bias and length scales.

use super::embedding::{Embedded, Embedding};
use super::{Candidate, Selection};
use crate::dataset::{Dataset, shuffled};
use crate::error::Error;
use crate::float::Float;
use crate::kernel::{HeldOut, LeaveOneOut, Validation, copies, limit_cross_kernel, limit_kernel};
use crate::scaling::{Scaling, ScalingOptions};
use nalgebra::{DMatrix, DVector};

/// The values of beta that are tried if none is given.
const BETAS: [f64; 3] = [1.0, 2.0, 4.0];
/// Length scales are learnt at most this often.
const ROUNDS: usize = 4;
/// The ratio of the longest to the shortest length scale.
const MAX_RATIO: f64 = 1e4;

/// What to choose settings for.
pub(crate) struct Problem<'a, T: Float> {
    pub data: &'a Dataset<T>,
    /// If given, its error decides in place of the leave-one-out error.
    pub validation: Option<&'a Dataset<T>>,
    pub scaling: ScalingOptions,
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

/// Up to this many samples lambda is chosen on all of them.
const MAX_ALL: usize = 4096;

/// Selects the part of many samples, the same whatever the seed of a network, so that the seed matters little.
const PART_SEED: u64 = 0;

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
        let search = Search::new(self, &base, part(self.data.samples()))?;
        let columns = base.kept().count();
        let betas = match self.scaling.given_beta() {
            Some(beta) => vec![beta],
            // Without a bias coordinate, or nothing but it, beta makes no difference.
            None if self.scaling.bias_coordinate(columns).is_none() || columns == 0 => vec![1.0],
            None => BETAS.to_vec(),
        };
        let equal = vec![1.0; columns];
        let mut candidates = Vec::new();
        let mut best: Option<(Fitted, usize)> = None;
        let mut try_out = |beta: f64, lengths: &[f64], round: usize, best: &mut Option<(Fitted, usize)>| {
            let guess = best.as_ref().map(|(fitted, _)| fitted.power);
            let fitted = search.fit(beta, lengths, guess, 1)?;
            candidates.push(Candidate {
                beta,
                round,
                lambda: fitted.held_out.lambda,
                mean_square: fitted.held_out.mean_square,
            });
            let better = |(old, _): &(Fitted, usize)| fitted.held_out.mean_square < old.held_out.mean_square;
            let accepted = best.as_ref().is_none_or(better);
            if accepted {
                *best = Some((fitted, candidates.len() - 1));
            }
            Ok::<bool, Error>(accepted)
        };
        for beta in betas {
            // Errors are convex in beta as a rule: past the smallest, larger ones are not tried.
            if !try_out(beta, &equal, 0, &mut best)? {
                break;
            }
        }
        if self.length_scales && equal.len() > 1 {
            for round in 1..=ROUNDS {
                let Some((fitted, _)) = &best else { break };
                let Some(lengths) = fitted.learnt_lengths(self.std_dev) else {
                    break;
                };
                if !try_out(fitted.beta, &lengths, round, &mut best)? {
                    break;
                }
            }
        }
        let (mut fitted, chosen) = best.ok_or(Error::Empty {
            what: "the list of candidates",
            remedy: "give at least one beta",
        })?;
        if self.data.samples() <= MAX_ALL {
            let all = Search::new(self, &base, self.data.samples())?;
            fitted = all.fit(fitted.beta, &fitted.embedding.lengths, Some(fitted.power), 2)?;
        }
        let scaling = self.scaling.beta(fitted.beta).fit(self.data)?;
        let mut lengths = vec![1.0; self.data.dimension()];
        for (k, length) in base.kept().zip(&fitted.embedding.lengths) {
            lengths[k] = *length;
        }
        Ok(Choice {
            scaling: scaling.with_lengths(&lengths)?,
            selection: Selection {
                candidates,
                chosen,
                samples: self.data.samples(),
                part: search.labels.len(),
                validated: self.validation.is_some(),
                lambda: fitted.held_out.lambda,
            },
            variance: fitted.held_out.variance,
        })
    }
}

/// The compared samples.
struct Search {
    scaling: ScalingOptions,
    std_dev: f64,
    /// Standardised, d x p.
    coordinates: DMatrix<f64>,
    labels: DVector<f64>,
    /// Roots of the sample weights.
    roots: Option<DVector<f64>>,
    groups: Vec<Vec<usize>>,
    /// Standardised coordinates and labels of the validation data.
    validation: Option<(DMatrix<f64>, DVector<f64>)>,
}

/// A candidate with its best lambda.
struct Fitted {
    beta: f64,
    embedding: Embedding,
    embedded: Embedded,
    held_out: HeldOut,
    power: f64,
}

impl Search {
    /// Selects `count` samples.
    fn new<T: Float>(problem: &Problem<'_, T>, base: &Scaling, count: usize) -> Result<Self, Error> {
        let data = problem.data;
        let part = if count < data.samples() {
            Some(data.select(&shuffled(data.samples(), PART_SEED)[..count])?)
        } else {
            None
        };
        let part = part.as_ref().unwrap_or(data);
        let validation = problem.validation.map(|data| {
            base.check_columns(data)?;
            Ok::<_, Error>((base.standardised(data.points()), base.scaled_labels(data.labels())))
        });
        Ok(Self {
            scaling: problem.scaling,
            std_dev: problem.std_dev,
            coordinates: base.standardised(part.points()),
            labels: base.scaled_labels(part.labels()),
            roots: part.weights().map(|weights| weights.map(|s| s.as_f64().sqrt())),
            groups: copies(part),
            validation: validation.transpose()?,
        })
    }

    fn fit(&self, beta: f64, lengths: &[f64], guess: Option<f64>, parabolas: usize) -> Result<Fitted, Error> {
        let embedding = Embedding {
            lengths: lengths.to_vec(),
            bias: self.scaling.beta(beta).bias_coordinate(lengths.len()),
            unit_sphere: self.scaling.has_unit_sphere(),
        };
        let embedded = embedding.apply(&self.coordinates);
        let kernel = limit_kernel(&embedded.points, self.std_dev)?;
        let cross = match &self.validation {
            Some((coordinates, _)) => {
                let points = embedding.apply(coordinates).points;
                Some(limit_cross_kernel(&embedded.points, &points, self.std_dev)?)
            }
            None => None,
        };
        let validation = cross.as_ref().zip(self.validation.as_ref());
        let problem = LeaveOneOut {
            kernel: &kernel,
            labels: &self.labels,
            roots: self.roots.as_ref(),
            groups: &self.groups,
            validation: validation.map(|(cross, (_, labels))| Validation { cross, labels }),
        };
        let (held_out, power) = problem.best(guess, parabolas)?;
        Ok(Fitted {
            beta,
            embedding,
            embedded,
            held_out,
            power,
        })
    }
}

impl Fitted {
    /// Length scales from the sensitivities of this fit, with a mean square of the inverse lengths of 1. `None` if the fit is
    /// constant.
    fn learnt_lengths(&self, std_dev: f64) -> Option<Vec<f64>> {
        let mut weights = self
            .embedding
            .sensitivities(&self.embedded, &self.held_out.coefficients, std_dev);
        let largest = weights.iter().copied().fold(0.0, f64::max);
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

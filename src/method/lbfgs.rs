//! The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.

use super::{Direction, DirectionKind, Evaluation, Method, SAME_NETWORK};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::numbers::{dot, first_not_finite};
use crate::record::Record;
use crate::setting::{at_least_one, checked_serde};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// L-BFGS: steps along p = H g, where H approximates the inverse of the Hessian of the loss from the changes of weights and
/// gradient in the last k steps.
///
/// ```text
/// s_j = W_{j+1} - W_j,   y_j = g_{j+1} - g_j,   rho_j = 1 / <s_j, y_j>
/// H_{j+1} = (I - rho_j s_j y_j^T) H_j (I - rho_j y_j s_j^T) + rho_j s_j s_j^T        by the two-loop recursion
/// H_0 = <s, y> / <y, y> I   for the newest pair,      W <- W - eta p,   natural step size eta = 1
/// ```
///
/// The first direction is g times ||g||^2 / ||J g||^2, which minimises the linearised loss along g. A pair with
/// <s, y> <= epsilon ||s|| ||y|| (no curvature beyond rounding) is left out. If a line search finds no step along p, the pairs
/// are forgotten and the step is tried along g; if that fails too, the run stops as [`Stalled`](crate::Termination::Stalled).
///
/// Use it with [`StrongWolfe`](crate::schedule::StrongWolfe), which is its default schedule and guarantees <s, y> > 0, with
/// [`Backtracking`](crate::schedule::Backtracking), or with a constant step size. Directions, but for the first, are those of
/// `optax.lbfgs`.
///
/// Costs 4 k d m multiply-adds per step in addition to its passes, in `f64` on one thread, and memory for 2 (k + 1) d m
/// numbers in `f64`.
///
/// Reference: J. Nocedal, S. J. Wright, *Numerical Optimization*, 2006, algorithm 7.4.
///
/// ```
/// use expnet::method::Lbfgs;
/// use expnet::{Dataset, Initializer, Trainer};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5, 2.0])?;
/// let mut net = Initializer::new(2, 512).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::default().method(Lbfgs::default()).tolerance(1e-9).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-9 && report.steps() <= 30);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct Lbfgs {
    memory: usize,
    #[serde(skip)]
    run: Run,
}

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    /// The step for which a direction was asked last.
    asked: Option<usize>,
    /// Weights and gradient of that step.
    weights: Vec<f64>,
    gradient: Vec<f64>,
    /// The oldest first.
    pairs: VecDeque<Pair>,
    /// The numbers alpha of the two-loop recursion.
    shares: Vec<f64>,
}

/// The changes of weights and gradient in a step.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pair {
    weights: Vec<f64>,
    gradient: Vec<f64>,
}

impl Pair {
    fn curvature(&self) -> f64 {
        dot(&self.weights, &self.gradient)
    }
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            memory: 10,
            run: Run::default(),
        }
    }
}

impl Lbfgs {
    /// The number k of steps from which H is built, at least 1; 10 by default.
    pub fn memory(mut self, steps: usize) -> Self {
        self.memory = steps;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        at_least_one("`Lbfgs::memory`", self.memory)
    }

    /// Learns from the step since the last direction, to these weights with this gradient.
    fn learn<T: Float>(&mut self, weights: &[T], gradient: &[T]) -> Result<(), Error> {
        let Self { memory, run } = self;
        let what = "the number of weights that `Lbfgs` remembers";
        check_size(what, run.weights.len(), weights.len(), SAME_NETWORK)?;
        // The memory of the oldest pair serves the new one.
        let mut pair = if run.pairs.len() >= *memory {
            run.pairs.pop_front().unwrap_or_default()
        } else {
            Pair::default()
        };
        subtract(weights, &run.weights, &mut pair.weights);
        subtract(gradient, &run.gradient, &mut pair.gradient);
        let sizes = dot(&pair.weights, &pair.weights).sqrt() * dot(&pair.gradient, &pair.gradient).sqrt();
        if pair.curvature() > T::EPSILON.as_f64() * sizes {
            run.pairs.push_back(pair);
        }
        Ok(())
    }
}

impl Run {
    /// Turns g into H g.
    fn precondition(&mut self, direction: &mut [f64]) {
        self.shares.clear();
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.weights, direction) / pair.curvature();
            add(direction, -share, &pair.gradient);
            self.shares.push(share);
        }
        if let Some(newest) = self.pairs.back() {
            let scale = newest.curvature() / dot(&newest.gradient, &newest.gradient);
            multiply(direction, scale);
        }
        for (pair, share) in self.pairs.iter().zip(self.shares.iter().rev()) {
            let back = dot(&pair.gradient, direction) / pair.curvature();
            add(direction, share - back, &pair.weights);
        }
    }

    /// Writes H g, or the scaled gradient if there are no pairs. Returns whether it is finite and the loss falls along it.
    fn write<T: Float>(&mut self, scale: f64, direction: &mut Vec<T>) -> bool {
        let mut product = self.gradient.clone();
        if self.pairs.is_empty() {
            multiply(&mut product, scale);
        } else {
            self.precondition(&mut product);
        }
        let falls = dot(&product, &self.gradient) > 0.0;
        direction.clear();
        direction.extend(product.iter().map(|&p| T::lit(p)));
        falls && first_not_finite(direction).is_none()
    }
}

/// difference = a - b.
fn subtract<T: Float>(a: &[T], b: &[f64], difference: &mut Vec<f64>) {
    difference.clear();
    difference.extend(a.iter().zip(b).map(|(a, b)| a.as_f64() - b));
}

fn multiply(numbers: &mut [f64], factor: f64) {
    for x in numbers {
        *x *= factor;
    }
}

/// to += factor x.
fn add(to: &mut [f64], factor: f64, x: &[f64]) {
    to.iter_mut().zip(x).for_each(|(to, x)| *to += factor * x);
}

fn copy<T: Float>(from: &[T], to: &mut Vec<f64>) {
    to.clear();
    to.extend(from.iter().map(|x| x.as_f64()));
}

/// The minimiser of the linearised loss along the gradient: ||g||^2 / ||J g||^2; 1 if J g = 0.
fn along_gradient<T: Float>(evaluation: &mut Evaluation<'_, T>) -> Result<f64, Error> {
    let residual: Vec<f64> = evaluation.residual().iter().map(|e| e.as_f64()).collect();
    let image = evaluation.tangent_product(&residual)?;
    // ||g||^2 = <e, J g>.
    let scale = dot(&residual, &image) / dot(&image, &image);
    Ok(if scale.is_finite() { scale } else { 1.0 })
}

checked_serde!(Lbfgs);

impl<T: Float> Method<T> for Lbfgs {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        let now = Some(evaluation.iteration());
        if self.run.asked == now {
            // The last direction led nowhere.
            self.run.pairs.clear();
        } else if self.run.asked.is_some() {
            let gradient = evaluation.gradient()?.to_vec();
            self.learn(evaluation.weights()?, &gradient)?;
        }
        copy(evaluation.gradient()?, &mut self.run.gradient);
        copy(evaluation.weights()?, &mut self.run.weights);
        self.run.asked = now;
        let scale = if self.run.pairs.is_empty() {
            along_gradient(evaluation)?
        } else {
            1.0
        };
        if !self.run.write(scale, &mut direction.weights) && !self.run.pairs.is_empty() {
            self.run.pairs.clear();
            let scale = along_gradient(evaluation)?;
            self.run.write(scale, &mut direction.weights);
        }
        Ok(())
    }

    fn kind(&self) -> DirectionKind {
        DirectionKind::Weights
    }

    fn prepare(&mut self, _: usize) -> Result<(), Error> {
        self.check_settings()?;
        self.run = Run::default();
        Ok(())
    }

    fn save(&self) -> Option<Record> {
        let run = &self.run;
        let list = |of: fn(&Pair) -> &Vec<f64>| run.pairs.iter().flat_map(of).copied().collect::<Vec<_>>();
        Some(
            Record::of("Lbfgs", self)
                .with("asked", run.asked)
                .with("pairs", run.pairs.len())
                .with_list("weights", run.weights.clone())
                .with_list("gradient", run.gradient.clone())
                .with_list("weight_changes", list(|pair| &pair.weights))
                .with_list("gradient_changes", list(|pair| &pair.gradient)),
        )
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("Lbfgs", self)?;
        let list = |name| record.required_list(name);
        let (weights, gradient) = (list("weights")?, list("gradient")?);
        let changes = [list("weight_changes")?, list("gradient_changes")?];
        let pairs = record.count("pairs")?;
        let d = weights.len();
        let fits = gradient.len() == d && changes.iter().all(|list| Some(list.len()) == pairs.checked_mul(d));
        if !fits || pairs > self.memory || (d == 0 && pairs > 0) {
            return Err(record.damaged("pairs", "does not fit the lists"));
        }
        let [weight_changes, gradient_changes] = changes.map(|list| list.chunks_exact(d.max(1)));
        let pair = |(weights, gradient): (&[f64], &[f64])| Pair {
            weights: weights.to_vec(),
            gradient: gradient.to_vec(),
        };
        self.run = Run {
            asked: record.get("asked")?,
            weights: weights.to_vec(),
            gradient: gradient.to_vec(),
            pairs: weight_changes.zip(gradient_changes).map(pair).collect(),
            shares: Vec::new(),
        };
        Ok(())
    }
}

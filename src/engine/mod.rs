//! The only place that does work of size n x m or d x m.
//!
//! Above this boundary there are vectors of n numbers (outputs, duals) and a few sums; below it
//! the weights, the activations and everything that is done to them.

mod chunk;
mod exp;
mod kernel;
mod pack;
mod path;
mod plain;

use crate::{Error, Float};
use nalgebra::{DMatrix, DVector};

/// One move of the weights, given g = J^T dual:
///
/// ```text
/// velocity' = carry velocity - step_size (g + pull (W - W_0))
/// W'        = W + velocity'                                             (heavy ball)
/// W'        = W + carry velocity' - step_size (g + pull (W - W_0))      (Nesterov)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Move {
    pub step_size: f64,
    pub carry: f64,
    pub nesterov: bool,
    pub pull: f64,
}

/// What a backward sweep learns on the way, each summed over all weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// max |J^T dual|: exactly 0 only where all of it is.
    pub largest: f64,
    /// ||J^T dual||^2.
    pub norm_squared: f64,
    /// <J^T dual, the gradient kept from the step before>, 0 where none is kept.
    pub dot_previous: f64,
    /// <J^T dual, velocity>, 0 where there is none.
    pub dot_velocity: f64,
}

/// Whether activations (n m numbers) are stored from one pass to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Stores them while they take at most 1 GiB.
    #[default]
    Auto,
    /// Stores them.
    Store,
    /// Computes them again: about 1.4 times the time, memory O(d m).
    Recompute,
    /// Stores them while they take at most this many bytes.
    Budget(usize),
}

/// The points a forward sweep can be asked for beside the current batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    All,
    Watched,
}

/// How far the weights have moved from where they started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Movement {
    pub largest: f64,
    pub frobenius: f64,
}

/// The weights of a run, and the sweeps over them.
#[derive(Debug)]
pub(crate) struct Engine<T: Float> {
    output_weights: DVector<T>,
    all: DMatrix<T>,
    watched: Option<DMatrix<T>>,
    now: Option<DMatrix<T>>,
    then: Option<DMatrix<T>>,
    initial: DMatrix<T>,
    current: DMatrix<T>,
    next: DMatrix<T>,
    best: Option<DMatrix<T>>,
    velocity: Option<DMatrix<T>>,
    next_velocity: Option<DMatrix<T>>,
    gradient: DMatrix<T>,
    previous: Option<DMatrix<T>>,
    outputs: Vec<f64>,
    watched_outputs: Vec<f64>,
    evaluated: Vec<f64>,
    passes: usize,
}

impl<T: Float> Engine<T> {
    pub fn new(
        weights: &DMatrix<T>,
        output_weights: &DVector<T>,
        points: &DMatrix<T>,
        watched: Option<&DMatrix<T>>,
        _memory: Memory,
    ) -> Result<Self, Error> {
        Ok(Self {
            output_weights: output_weights.clone(),
            all: points.clone(),
            watched: watched.cloned(),
            now: None,
            then: None,
            initial: weights.clone(),
            current: weights.clone(),
            next: weights.clone(),
            best: None,
            velocity: None,
            next_velocity: None,
            gradient: weights.clone(),
            previous: None,
            outputs: Vec::new(),
            watched_outputs: Vec::new(),
            evaluated: Vec::new(),
            passes: 0,
        })
    }

    /// The number of sweeps so far.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// Chooses the samples of the next forward sweep; none means all of them.
    pub fn set_batch(&mut self, batch: &[usize]) {
        self.then = (!batch.is_empty()).then(|| self.all.select_columns(batch));
    }

    fn points_now(&self) -> &DMatrix<T> {
        self.now.as_ref().unwrap_or(&self.all)
    }

    /// Evaluates the chosen samples, and the watched points, at the current weights.
    pub fn forward(&mut self) {
        self.now = self.then.clone();
        self.sweep_outputs(false, true);
    }

    fn sweep_outputs(&mut self, next: bool, watch: bool) {
        self.passes += 1;
        let weights = if next { &self.next } else { &self.current };
        let points = self.then.as_ref().unwrap_or(&self.all);
        self.outputs = plain::outputs(weights, &self.output_weights, points);
        if let (true, Some(points)) = (watch, &self.watched) {
            self.watched_outputs = plain::outputs(weights, &self.output_weights, points);
        }
    }

    /// F at the samples of the last sweep.
    pub fn outputs(&self) -> &[f64] {
        &self.outputs
    }

    /// F at the watched points of the last sweep that looked at them.
    pub fn watched_outputs(&self) -> &[f64] {
        &self.watched_outputs
    }

    /// A backward sweep alone: J^T dual is kept for the next `propose`.
    pub fn gradient(&mut self, dual: &[T]) -> Sums {
        self.passes += 1;
        self.gradient = plain::gradient(&self.current, &self.output_weights, self.points_now(), dual);
        self.sums()
    }

    fn sums(&self) -> Sums {
        let dot = |m: &Option<DMatrix<T>>| {
            m.as_ref().map_or(0.0, |m| {
                self.gradient.iter().zip(m).map(|(g, v)| g.as_f64() * v.as_f64()).sum()
            })
        };
        Sums {
            largest: self.gradient.iter().map(|g| g.as_f64().abs()).fold(0.0, f64::max),
            norm_squared: self.gradient.iter().map(|g| g.as_f64().powi(2)).sum(),
            dot_previous: dot(&self.previous),
            dot_velocity: dot(&self.velocity),
        }
    }

    /// Moves a copy of the weights along the kept gradient (`dual` is `None`) or along J^T dual,
    /// and evaluates the chosen samples there. With `keep`, J^T dual is kept for further proposals.
    pub fn propose(&mut self, dual: Option<&[T]>, step: Move, _keep: bool, watch: bool) -> Sums {
        if let Some(dual) = dual {
            self.gradient = plain::gradient(&self.current, &self.output_weights, self.points_now(), dual);
        }
        let sums = self.sums();
        let (eta, carry, pull) = (T::lit(step.step_size), T::lit(step.carry), T::lit(step.pull));
        let mut change = &self.gradient * -eta;
        if step.pull != 0.0 {
            change += (&self.initial - &self.current) * (eta * pull);
        }
        if step.carry != 0.0 {
            let zero = || DMatrix::zeros(self.current.nrows(), self.current.ncols());
            let velocity = self.velocity.get_or_insert_with(zero);
            let moved = &*velocity * carry + &change;
            self.next = &self.current
                + if step.nesterov {
                    &moved * carry + &change
                } else {
                    moved.clone()
                };
            self.next_velocity = Some(moved);
        } else {
            self.next = &self.current + change;
            self.next_velocity = None;
        }
        self.sweep_outputs(true, watch);
        sums
    }

    /// The proposal becomes the current weights.
    pub fn accept(&mut self, keep_previous: bool) {
        std::mem::swap(&mut self.current, &mut self.next);
        self.velocity = self.next_velocity.take();
        self.now = self.then.clone();
        if keep_previous {
            self.previous = Some(self.gradient.clone());
        }
    }

    /// Evaluates a whole set at the current weights, leaving everything else as it is.
    pub fn evaluate(&mut self, set: Set) -> &[f64] {
        self.passes += 1;
        let points = match (set, &self.watched) {
            (Set::Watched, Some(points)) => points,
            _ => &self.all,
        };
        self.evaluated = plain::outputs(&self.current, &self.output_weights, points);
        &self.evaluated
    }

    /// G = J J^T on the current samples.
    pub fn tangent_gram(&mut self) -> DMatrix<f64> {
        self.passes += 1;
        plain::tangent_gram(&self.current, &self.output_weights, self.points_now())
    }

    /// product = G vector for G = J J^T on the current samples, at the current weights.
    pub fn tangent_product(&mut self, vector: &[f64], product: &mut [f64]) {
        self.passes += 1;
        let points = self.points_now();
        let dual: Vec<T> = vector.iter().map(|&v| T::lit(v)).collect();
        let g = plain::gradient(&self.current, &self.output_weights, points, &dual);
        plain::tangent(&self.current, &self.output_weights, points, &g, product);
    }

    /// Remembers the current weights as the best so far.
    pub fn remember_best(&mut self) {
        self.best = Some(self.current.clone());
    }

    /// Puts the best weights back, where some were remembered.
    pub fn recall_best(&mut self) {
        if let Some(best) = self.best.take() {
            self.current = best;
        }
    }

    /// Turns the initial weights into the current ones.
    pub fn advance(&self, weights: &mut DMatrix<T>) {
        weights.copy_from(&self.current);
    }

    /// How far the current weights are from the initial ones.
    pub fn movement(&self, initial: &DMatrix<T>) -> Movement {
        let mut movement = Movement::default();
        for (now, start) in self.current.column_iter().zip(initial.column_iter()) {
            let square: f64 = now
                .iter()
                .zip(start.iter())
                .map(|(a, b)| (a.as_f64() - b.as_f64()).powi(2))
                .sum();
            movement.largest = movement.largest.max(square);
            movement.frobenius += square;
        }
        Movement {
            largest: movement.largest.sqrt(),
            frobenius: movement.frobenius.sqrt(),
        }
    }
}

/// F at every point, in blocks of points.
pub(crate) fn outputs<T: Float>(weights: &DMatrix<T>, output_weights: &DVector<T>, points: &DMatrix<T>) -> Vec<f64> {
    plain::outputs(weights, output_weights, points)
}

/// J^T dual, d x m.
pub(crate) fn gradient<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
    dual: &[T],
) -> DMatrix<T> {
    plain::gradient(weights, output_weights, points, dual)
}

//! Where a run stands: the engine, the residual, and what was computed lazily at these weights.

use super::Direction;
use super::eigenvalue::largest_kernel_eigenvalue;
use crate::engine::{Ahead, Engine, Move, Set, Sums};
use crate::error::Error;
use crate::float::Float;
use crate::record::Record;
use nalgebra::{DMatrix, DVector};

/// Which J^T v the engine keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    #[default]
    Nothing,
    /// J^T e.
    Gradient,
    /// J^T dual, where the dual is no multiple of the residual.
    Direction,
}

/// What is known at the current weights beyond the loss.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    kept: Kept,
    /// J^T v is known to be exactly 0.
    is_zero: bool,
    norm_squared: Option<f64>,
    dot_previous: f64,
    dot_velocity: f64,
    slope: Option<f64>,
    eigenvalue: Option<f64>,
}

/// A proposal that the engine holds: the step of this size, and the loss after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposal {
    pub step_size: f64,
    pub loss: f64,
    /// ||W - W_0||^2 after it, where W_0 is kept.
    pub movement: Option<f64>,
}

/// The state of a run between two steps.
#[derive(Debug)]
pub(crate) struct Position<T: Float> {
    engine: Engine<T>,
    labels: DVector<T>,
    /// The samples of the current step; empty for all.
    batch: Vec<usize>,
    residual: Vec<T>,
    next_residual: Vec<T>,
    loss: f64,
    iteration: usize,
    shape: (usize, usize),
    pub direction: Direction<T>,
    /// The dual is this multiple of the residual, where it is one.
    multiple: Option<f64>,
    facts: Facts,
    trial: Option<Proposal>,
    /// Gradients are kept from step to step since this one.
    remembers: Option<usize>,
    trials: usize,
    /// A query of a schedule has no way to return an error: the trainer finds it here.
    failure: Option<Error>,
    last_batch_size: usize,
    last_step_size: Option<f64>,
}

impl<T: Float> Position<T> {
    /// Evaluates the network once, on `batch` (empty for all samples).
    pub fn new(engine: Engine<T>, labels: DVector<T>, shape: (usize, usize)) -> Self {
        let n = labels.len();
        Self {
            engine,
            batch: Vec::new(),
            residual: Vec::with_capacity(n),
            next_residual: Vec::with_capacity(n),
            loss: f64::NAN,
            iteration: 0,
            shape,
            direction: Direction {
                dual: Vec::with_capacity(n),
                carry: 0.0,
                nesterov: false,
                pull: 0.0,
            },
            multiple: None,
            facts: Facts::default(),
            trial: None,
            remembers: None,
            trials: 0,
            failure: None,
            last_batch_size: 0,
            last_step_size: None,
            labels,
        }
    }

    /// Evaluates the current weights on `batch` (empty for all samples), in one pass.
    pub fn evaluate(&mut self, batch: &[usize]) -> Result<(), Error> {
        self.engine.set_batch(batch)?;
        self.engine.forward()?;
        self.loss = self.read_outputs(batch);
        self.enter(batch);
        Ok(())
    }

    /// What went wrong in a query since the last call.
    pub fn check(&mut self) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn fail(&mut self, error: Error) -> f64 {
        // The first is the cause of the others.
        self.failure.get_or_insert(error);
        f64::NAN
    }

    pub fn engine(&self) -> &Engine<T> {
        &self.engine
    }

    pub fn engine_mut(&mut self) -> &mut Engine<T> {
        &mut self.engine
    }

    pub fn iteration(&self) -> usize {
        self.iteration
    }

    pub fn loss(&self) -> f64 {
        self.loss
    }

    pub fn residual_norm(&self) -> f64 {
        (2.0 * self.loss).sqrt()
    }

    pub fn residual(&self) -> &[T] {
        &self.residual
    }

    pub fn dimension(&self) -> usize {
        self.shape.0
    }

    pub fn width(&self) -> usize {
        self.shape.1
    }

    /// The size of the last step.
    pub fn last_step_size(&self) -> Option<f64> {
        self.last_step_size
    }

    /// The number of samples in all.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The number of samples of the step just accepted.
    pub fn last_batch_size(&self) -> usize {
        self.last_batch_size
    }

    /// How many proposals were trials that no step used.
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// Whether any step can still move: not so at a zero gradient without momentum or pull.
    pub fn is_stationary(&self) -> bool {
        let d = &self.direction;
        self.facts.is_zero && d.carry == 0.0 && d.pull == 0.0
    }

    /// Fills the direction with plain gradient descent, for the method to change.
    pub fn reset_direction(&mut self) {
        self.direction.dual.clear();
        self.direction.dual.extend_from_slice(&self.residual);
        self.direction.carry = 0.0;
        self.direction.nesterov = false;
        self.direction.pull = 0.0;
    }

    /// Notes what the method answered. Call after the direction was written.
    pub fn direction_chosen(&mut self) -> Result<(), Error> {
        let d = &self.direction;
        if d.dual.len() != self.residual.len() {
            return Err(Error::Shape {
                what: "the length of the method's dual vector".into(),
                expected: self.residual.len(),
                found: d.dual.len(),
                remedy: "answer with one number for each sample of the batch",
            });
        }
        if let Some(i) = d.dual.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                what: "the method's dual vector",
                value: d.dual[i].as_f64(),
                place: format!("sample {i} of step {}", self.iteration),
                remedy: "check the method's arithmetic for overflow",
            });
        }
        for (setting, value) in [("Direction::carry", d.carry), ("Direction::pull", d.pull)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Setting {
                    setting,
                    value: value.to_string(),
                    expected: "finite and at least 0",
                });
            }
        }
        for decided in [d.carry.to_bits(), d.pull.to_bits(), u64::from(d.nesterov)] {
            self.engine.link().note(decided);
        }
        self.multiple = multiple_of(&d.dual, &self.residual);
        if self.multiple.is_none() && self.facts.kept == Kept::Direction {
            self.facts.kept = Kept::Nothing;
        }
        self.trial = None;
        self.facts.slope = None;
        Ok(())
    }

    pub fn gradient_norm_squared(&mut self) -> f64 {
        if self.facts.norm_squared.is_none()
            && let Err(error) = self.keep_gradient()
        {
            return self.fail(error);
        }
        self.facts.norm_squared.unwrap_or(f64::NAN)
    }

    fn keep_gradient(&mut self) -> Result<(), Error> {
        let sums = self.engine.gradient(&self.residual)?;
        self.note_gradient(sums);
        Ok(())
    }

    /// Files what a backward sweep along the residual found.
    fn note_gradient(&mut self, sums: Sums) {
        self.facts.kept = Kept::Gradient;
        self.facts.is_zero = sums.is_zero;
        self.facts.norm_squared = Some(sums.norm_squared);
        self.facts.dot_previous = sums.dot_previous;
        self.facts.dot_velocity = sums.dot_velocity;
    }

    /// The loss after a step of this size; +inf where there is none.
    pub fn loss_at(&mut self, step_size: f64) -> f64 {
        if !(step_size.is_finite() && step_size >= 0.0) {
            return f64::INFINITY;
        }
        if let Some(trial) = self.trial
            && trial.step_size == step_size
        {
            return trial.loss;
        }
        if step_size == 0.0 && self.direction.carry == 0.0 {
            return self.loss;
        }
        let batch = std::mem::take(&mut self.batch);
        let proposal = self.propose(step_size, &batch, true, true);
        self.batch = batch;
        self.trials += 1;
        match proposal {
            Ok(proposal) => {
                self.trial = Some(proposal);
                proposal.loss
            }
            Err(error) => self.fail(error),
        }
    }

    /// The step of this size, with the samples of `next` evaluated after it; a trial of the same
    /// size on the same samples is used again.
    pub fn step_to(&mut self, step_size: f64, next: &[usize], watch: bool) -> Result<Proposal, Error> {
        match self.trial.take() {
            Some(trial) if trial.step_size == step_size && next == self.batch => {
                self.trials -= 1;
                Ok(trial)
            }
            _ => self.propose(step_size, next, self.remembers.is_some(), watch),
        }
    }

    fn propose(&mut self, step_size: f64, next: &[usize], keep: bool, watch: bool) -> Result<Proposal, Error> {
        self.engine.set_batch(next)?;
        let ahead = if watch { Ahead::BatchAndWatched } else { Ahead::Batch };
        let multiple = self.multiple;
        let d = &self.direction;
        let mut step = Move {
            step_size,
            carry: d.carry,
            nesterov: d.nesterov,
            pull: d.pull,
        };
        let sums = match (self.facts.kept, multiple) {
            // The kept gradient serves every multiple of the residual: the multiple joins the size.
            (Kept::Gradient, Some(multiple)) if multiple != 0.0 => {
                step.step_size *= multiple;
                step.pull /= multiple;
                self.engine.propose(None, step, keep, ahead)?
            }
            (Kept::Direction, None) => self.engine.propose(None, step, keep, ahead)?,
            _ => {
                let sums = self.engine.propose(Some(&self.direction.dual), step, keep, ahead)?;
                match (keep, multiple) {
                    (true, Some(1.0)) => self.note_gradient(sums),
                    (true, _) => self.facts.kept = Kept::Direction,
                    (false, _) => self.facts.kept = Kept::Nothing,
                }
                self.facts.is_zero = sums.is_zero;
                sums
            }
        };
        let loss = self.read_outputs(next);
        let movement = self.engine.keeps_initial().then_some(sums.movement);
        Ok(Proposal {
            step_size,
            loss,
            movement,
        })
    }

    /// The residual at the engine's last outputs, into `next_residual`, and its loss.
    fn read_outputs(&mut self, batch: &[usize]) -> f64 {
        let Self {
            engine,
            labels,
            next_residual,
            ..
        } = self;
        let mut sum = 0.0;
        next_residual.clear();
        next_residual.extend(engine.outputs().iter().enumerate().map(|(i, f)| {
            let e = f - labels[batch.get(i).copied().unwrap_or(i)].as_f64();
            sum += e * e;
            T::lit(e)
        }));
        // Judged in T: what the type cannot hold is an overflow.
        let loss = sum / 2.0;
        if T::lit(loss).is_finite() && next_residual.iter().all(nalgebra::ComplexField::is_finite) {
            loss
        } else {
            f64::INFINITY
        }
    }

    fn enter(&mut self, batch: &[usize]) {
        std::mem::swap(&mut self.residual, &mut self.next_residual);
        self.batch.clear();
        self.batch.extend_from_slice(batch);
        self.facts = Facts::default();
        self.trial = None;
    }

    /// The proposal becomes the position.
    pub fn accept(&mut self, proposal: Proposal, next: &[usize]) -> Result<(), Error> {
        if self.remembers.is_some() && self.facts.kept != Kept::Gradient {
            // A direction of another kind was followed: the gradient itself has to be swept for.
            self.keep_gradient()?;
        }
        self.engine
            .accept(self.direction.carry != 0.0, self.remembers.is_some());
        self.last_batch_size = self.residual.len();
        self.enter(next);
        self.loss = proposal.loss;
        self.last_step_size = Some(proposal.step_size);
        self.iteration += 1;
        Ok(())
    }

    pub fn largest_kernel_eigenvalue(&mut self) -> f64 {
        if let Some(value) = self.facts.eigenvalue {
            return value;
        }
        let value = match largest_kernel_eigenvalue(&mut self.engine) {
            Ok(value) => value,
            Err(error) => return self.fail(error),
        };
        self.facts.eigenvalue = Some(value);
        value
    }

    /// <grad L, -J^T dual>, times 1 + carry with Nesterov's variant, which uses the step twice. What `pull` adds is left
    /// out.
    pub fn slope(&mut self) -> f64 {
        if let Some(slope) = self.facts.slope {
            return slope;
        }
        let slope = if let Some(multiple) = self.multiple {
            -multiple * self.gradient_norm_squared()
        } else {
            // <J^T e, J^T v> = e^T G v.
            let dual: Vec<f64> = self.direction.dual.iter().map(|v| v.as_f64()).collect();
            let mut product = vec![0.0; dual.len()];
            if let Err(error) = self.engine.tangent_product(&dual, &mut product) {
                return self.fail(error);
            }
            -product
                .iter()
                .zip(&self.residual)
                .map(|(p, e)| p * e.as_f64())
                .sum::<f64>()
        };
        let d = &self.direction;
        let slope = if d.nesterov { (1.0 + d.carry) * slope } else { slope };
        self.facts.slope = Some(slope);
        slope
    }

    /// <grad L, the part of the step that does not depend on its size>.
    pub fn carried(&mut self) -> f64 {
        let d = &self.direction;
        if d.carry == 0.0 {
            return 0.0;
        }
        let share = if d.nesterov { d.carry * d.carry } else { d.carry };
        self.gradient_norm_squared();
        share * self.facts.dot_velocity
    }

    pub fn gradient_dot_previous(&mut self) -> Option<f64> {
        let since = *self.remembers.get_or_insert(self.iteration);
        if self.facts.kept != Kept::Gradient
            && let Err(error) = self.keep_gradient()
        {
            self.fail(error);
            return None;
        }
        (self.iteration > since).then_some(self.facts.dot_previous)
    }

    pub fn tangent_product(&mut self, vector: &[f64]) -> Result<Vec<f64>, Error> {
        if vector.len() != self.residual.len() {
            return Err(Error::Shape {
                what: "the length of the vector".into(),
                expected: self.residual.len(),
                found: vector.len(),
                remedy: "give one number for each sample of the batch",
            });
        }
        let mut product = vec![0.0; vector.len()];
        self.engine.tangent_product(vector, &mut product)?;
        Ok(product)
    }

    /// J (W - W_0), for the initial weights given. No pass before the first step.
    pub fn movement_product(&mut self, initial: &DMatrix<T>) -> Result<Vec<f64>, Error> {
        let mut product = vec![0.0; self.residual.len()];
        if self.iteration > 0 {
            self.engine.keep_initial(initial)?;
            self.engine.movement_product(&mut product)?;
        }
        Ok(product)
    }

    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.engine.tangent_gram()
    }

    /// Where the run stands, beside the engine's arrays. Between two steps nothing else is remembered.
    pub fn save(&self) -> Record {
        Record::new("position")
            .with("step", self.iteration)
            .with("batch", self.batch.clone())
            .with("remembers_gradients_since", self.remembers)
            .with("keeps_initial_weights", self.engine.keeps_initial())
            .with("passes", self.engine.passes())
            .with("trials", self.trials)
            .with("last_step_size", self.last_step_size)
    }

    /// Takes up where the record stands; the engine has its arrays already. Evaluates the network once.
    pub fn restore(&mut self, record: &Record, initial: &DMatrix<T>) -> Result<(), Error> {
        record.agree_on_kind("position")?;
        self.iteration = record.count("step")?;
        self.remembers = record.get("remembers_gradients_since")?;
        self.trials = record.count("trials")?;
        self.last_step_size = record.get("last_step_size")?;
        let batch: Vec<usize> = record.get("batch")?;
        if batch.iter().any(|&i| i >= self.samples()) {
            return Err(record.bad("batch", "holds a sample that the data set lacks"));
        }
        let passes = record.count("passes")?;
        if record.get("keeps_initial_weights")? {
            self.engine.keep_initial(initial)?;
        }
        self.evaluate(&batch)?;
        self.engine.set_passes(passes);
        Ok(())
    }

    /// The loss on all samples at the current weights. Costs a pass.
    pub fn loss_of_all(&mut self) -> Result<f64, Error> {
        Ok(half_square(self.engine.evaluate(Set::All)?, &self.labels))
    }
}

/// 1/2 sum of (outputs - labels)^2, infinite where T cannot hold it.
pub(crate) fn half_square<T: Float>(outputs: &[f64], labels: &DVector<T>) -> f64 {
    let loss = outputs
        .iter()
        .zip(labels)
        .map(|(f, y)| (f - y.as_f64()).powi(2))
        .sum::<f64>()
        / 2.0;
    if T::lit(loss).is_finite() { loss } else { f64::INFINITY }
}

/// c with dual = c residual exactly as computed in T, where there is one.
fn multiple_of<T: Float>(dual: &[T], residual: &[T]) -> Option<f64> {
    let largest = (0..residual.len()).max_by(|&i, &j| {
        residual[i]
            .abs()
            .partial_cmp(&residual[j].abs())
            .unwrap_or(std::cmp::Ordering::Equal)
    })?;
    if residual[largest] == T::zero() {
        return (dual == residual).then_some(1.0);
    }
    let multiple = dual[largest] / residual[largest];
    let close = |(v, e): (&T, &T)| (*v - multiple * *e).abs() <= T::EPSILON * v.abs();
    dual.iter().zip(residual).all(close).then_some(multiple.as_f64())
}

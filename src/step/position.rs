//! The position of a run: the network at the current weights, the direction chosen there, and trial steps along it.

use super::{Direction, Evaluation, Linearization};
use crate::engine::{Dual, Engine, Move, Passes, Scope};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::numbers::{dot, first_not_finite};
use crate::record::Record;
use crate::setting::not_negative;
use nalgebra::{DMatrix, DVector};

/// A step that the engine has evaluated and can still undo: its size, and the loss after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposal {
    pub step_size: f64,
    pub loss: f64,
    /// ||W - W_0||^2 after it, if W_0 is kept.
    pub movement: Option<f64>,
    /// Whether it changes any weight.
    pub moved: bool,
}

/// The position of a run.
#[derive(Debug)]
pub(crate) struct Position<T: Float> {
    at: Linearization<T>,
    direction: Direction<T>,
    known: Known,
    trial: Option<Proposal>,
    /// The step since which gradients are kept.
    remembers_since: Option<usize>,
    trials: usize,
    last_step_size: Option<f64>,
    /// The number of samples in the step just accepted.
    last_batch_size: usize,
}

/// What is known of the direction.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The factor of the residual, if the dual is a multiple of it.
    multiple: Option<f64>,
    slope: Option<f64>,
    /// Whether J^T dual is exactly 0.
    is_zero: bool,
}

impl<T: Float> Position<T> {
    /// The position before the first evaluation of a network of this dimension and width.
    pub fn new(engine: Engine<T>, labels: DVector<T>, shape: (usize, usize)) -> Self {
        let dual = Vec::with_capacity(labels.len());
        Self {
            at: Linearization::new(engine, labels, shape),
            direction: Direction {
                dual,
                weights: Vec::new(),
                momentum: 0.0,
                nesterov: false,
                pull: 0.0,
            },
            known: Known::default(),
            trial: None,
            remembers_since: None,
            trials: 0,
            last_step_size: None,
            last_batch_size: 0,
        }
    }

    /// With directions in weight space, for an engine without reduction, or without.
    pub fn in_weights(mut self, in_weights: bool) -> Self {
        self.at.set_in_weights(in_weights);
        self
    }

    /// Whether the direction is one in weight space.
    pub fn moves_in_weights(&self) -> bool {
        !self.direction.weights.is_empty()
    }

    /// The network at the current weights.
    pub fn at(&self) -> &Linearization<T> {
        &self.at
    }

    pub fn at_mut(&mut self) -> &mut Linearization<T> {
        &mut self.at
    }

    pub fn engine(&self) -> &Engine<T> {
        self.at.engine()
    }

    pub fn engine_mut(&mut self) -> &mut Engine<T> {
        self.at.engine_mut()
    }

    /// Evaluates the current weights on the chosen batch. A pass.
    pub fn evaluate(&mut self) -> Result<(), Error> {
        self.trial = None;
        self.at.evaluate()
    }

    /// Lets a method choose the direction: `ask` gets that of plain gradient descent, and may change it.
    pub fn choose(
        &mut self,
        initial: &DMatrix<T>,
        ask: impl FnOnce(&mut Evaluation<'_, T>, &mut Direction<T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let d = &mut self.direction;
        d.weights.clear();
        d.dual.clear();
        d.dual.extend_from_slice(self.at.residual());
        (d.momentum, d.nesterov, d.pull) = (0.0, false, 0.0);
        ask(&mut Evaluation::new(&mut self.at, initial), d)?;
        self.at.check()?;
        check(d, &self.at)?;
        for decided in [d.momentum.to_bits(), d.pull.to_bits(), u64::from(d.nesterov)] {
            self.at.engine().link().note(decided);
        }
        self.known = if d.weights.is_empty() {
            Known {
                multiple: multiple_of(&d.dual, self.at.residual()),
                ..Known::default()
            }
        } else {
            Known {
                is_zero: d.weights.iter().all(|w| *w == T::zero()),
                ..Known::default()
            }
        };
        self.trial = None;
        self.at.engine_mut().forget(Dual::Direction);
        if d.pull != 0.0 {
            self.at.engine_mut().keep_initial(initial)?;
        }
        Ok(())
    }

    pub fn last_step_size(&self) -> Option<f64> {
        self.last_step_size
    }

    /// The number of samples in the step just accepted.
    pub fn last_batch_size(&self) -> usize {
        self.last_batch_size
    }

    /// The number of trial steps that no step reused.
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// Whether a step of this size is none at all: of size 0, without momentum.
    pub fn rests(&self, step_size: f64) -> bool {
        step_size == 0.0 && self.direction.momentum == 0.0
    }

    /// Whether no step can move the weights: J^T dual = 0, without momentum or pull.
    pub fn is_stationary(&self) -> bool {
        let d = &self.direction;
        self.known.is_zero && d.momentum == 0.0 && d.pull == 0.0
    }

    /// The loss after a trial step of this size; +inf if the size is not valid.
    pub fn loss_at(&mut self, step_size: f64) -> f64 {
        if !(step_size.is_finite() && step_size >= 0.0) {
            return f64::INFINITY;
        }
        if let Some(trial) = self.trial
            && trial.step_size == step_size
        {
            return trial.loss;
        }
        if step_size == 0.0 && self.direction.momentum == 0.0 {
            return self.at.loss();
        }
        self.at.engine_mut().stay_with_batch();
        let proposal = self.propose(step_size, true, Scope::BatchAndValidation);
        self.trials += 1;
        match proposal {
            Ok(proposal) => {
                self.trial = Some(proposal);
                proposal.loss
            }
            Err(error) => self.at.fail(error),
        }
    }

    /// Proposes the step of this size, with the chosen batch evaluated after it. Reuses a trial of the same size on the
    /// same batch.
    pub fn step_to(&mut self, step_size: f64, scope: Scope) -> Result<Proposal, Error> {
        let engine = self.at.engine();
        match self.trial.take() {
            Some(trial) if trial.step_size == step_size && engine.next_batch() == engine.batch() => {
                self.trials -= 1;
                Ok(trial)
            }
            _ => self.propose(step_size, self.remembers_since.is_some(), scope),
        }
    }

    fn propose(&mut self, step_size: f64, keep: bool, scope: Scope) -> Result<Proposal, Error> {
        // A kept J^T e serves every multiple of the residual: the factor goes into the step size.
        let (dual, factor) = match self.known.multiple {
            Some(multiple) if multiple != 0.0 && self.at.engine().keeps(Dual::Residual) => (Dual::Residual, multiple),
            Some(1.0) => (Dual::Residual, 1.0),
            _ => (Dual::Direction, 1.0),
        };
        let d = &self.direction;
        if !d.weights.is_empty() && !self.at.engine().keeps(Dual::Direction) {
            self.at.engine_mut().keep_direction(&d.weights)?;
        }
        let step = Move {
            step_size: step_size * factor,
            momentum: d.momentum,
            nesterov: d.nesterov,
            pull: d.pull / factor,
        };
        let proposed = self.at.engine_mut().propose(dual, &d.dual, step, keep, scope)?;
        match (proposed.gradient, dual) {
            (Some(sums), _) => {
                self.known.is_zero = sums.is_zero;
                if keep && dual == Dual::Residual {
                    self.at.note_gradient(sums);
                }
            }
            (None, Dual::Residual) => self.known.is_zero = self.at.gradient()?.is_zero,
            (None, Dual::Direction) => {}
        }
        Ok(Proposal {
            step_size,
            loss: self.at.read_outputs(),
            movement: proposed.movement,
            moved: proposed.moved,
        })
    }

    /// Makes the proposal the current position.
    pub fn accept(&mut self, proposal: Proposal) -> Result<(), Error> {
        self.last_batch_size = self.at.residual().len();
        let momentum = self.direction.momentum != 0.0;
        self.at
            .accept(proposal.loss, momentum, self.remembers_since.is_some())?;
        self.trial = None;
        self.last_step_size = Some(proposal.step_size);
        Ok(())
    }

    /// <grad L, -J^T dual>, times 1 + momentum in Nesterov's variant, which uses the gradient twice. A pull is not
    /// included.
    pub fn slope(&mut self) -> f64 {
        if let Some(slope) = self.known.slope {
            return slope;
        }
        let slope = if let Some(multiple) = self.known.multiple {
            -multiple * self.at.gradient_norm_squared()
        } else if self.moves_in_weights() {
            match self.at.flat_gradient() {
                Ok(gradient) => -dot(gradient, &self.direction.weights),
                Err(error) => return self.at.fail(error),
            }
        } else {
            // <J^T e, J^T v> = e^T G v.
            let dual: Vec<f64> = self.direction.dual.iter().map(|v| v.as_f64()).collect();
            let product = match self.at.tangent_product(&dual) {
                Ok(product) => product,
                Err(error) => return self.at.fail(error),
            };
            -product
                .iter()
                .zip(self.at.residual())
                .map(|(p, e)| p * e.as_f64())
                .sum::<f64>()
        };
        let d = &self.direction;
        let slope = if d.nesterov { (1.0 + d.momentum) * slope } else { slope };
        *self.known.slope.insert(slope)
    }

    /// The derivative of the loss after a trial step with respect to its size: <grad L, -J^T dual> at the weights that it
    /// leads to, times 1 + momentum in Nesterov's variant. A pull is not included. NaN if the loss there overflows.
    pub fn slope_at(&mut self, step_size: f64) -> f64 {
        if self.rests(step_size) {
            return self.slope();
        }
        if !self.loss_at(step_size).is_finite() {
            return f64::NAN;
        }
        let slope = self.hold_direction().and_then(|factor| {
            let slope = -factor * self.at.slope_ahead()?;
            let d = &self.direction;
            Ok(if d.nesterov { (1.0 + d.momentum) * slope } else { slope })
        });
        slope.unwrap_or_else(|error| self.at.fail(error))
    }

    /// Lets the engine keep the direction, or J^T e if it is a multiple of that. Returns the multiple.
    fn hold_direction(&mut self) -> Result<f64, Error> {
        let engine = self.at.engine_mut();
        match self.known.multiple {
            Some(multiple) if engine.keeps(Dual::Residual) => return Ok(multiple),
            _ if engine.keeps(Dual::Direction) => {}
            Some(multiple) => {
                self.at.keep_gradient()?;
                return Ok(multiple);
            }
            None if self.direction.weights.is_empty() => {
                engine.gradient(Dual::Direction, &self.direction.dual)?;
            }
            None => engine.keep_direction(&self.direction.weights)?,
        }
        Ok(1.0)
    }

    /// <grad L, c>, where c is the part of the step that does not depend on its size.
    pub fn momentum_slope(&mut self) -> f64 {
        let d = &self.direction;
        if d.momentum == 0.0 {
            return 0.0;
        }
        let share = if d.nesterov {
            d.momentum * d.momentum
        } else {
            d.momentum
        };
        match self.at.gradient() {
            Ok(gradient) => share * gradient.dot_velocity,
            Err(error) => self.at.fail(error),
        }
    }

    /// The inner product of the gradients now and one step before, if gradients were kept then.
    pub fn gradient_dot_previous(&mut self) -> Option<f64> {
        let iteration = self.at.iteration();
        let since = *self.remembers_since.get_or_insert(iteration);
        let kept = if self.at.engine().keeps(Dual::Residual) {
            self.at.gradient()
        } else {
            self.at.keep_gradient()
        };
        match kept {
            Ok(gradient) => (iteration > since).then_some(gradient.dot_previous),
            Err(error) => {
                self.at.fail(error);
                None
            }
        }
    }

    /// Everything that is kept between two steps, apart from the engine's arrays.
    pub fn save(&self) -> Record {
        Record::new("position")
            .with("step", self.at.iteration())
            .with("batch", self.engine().batch().to_vec())
            .with("remembers_gradients_since", self.remembers_since)
            .with("keeps_initial_weights", self.engine().keeps_initial())
            .with("passes", self.engine().passes().all)
            .with("expanded_passes", self.engine().passes().expanded)
            .with("degree", self.engine().passes().degree)
            .with("trials", self.trials)
            .with("last_step_size", self.last_step_size)
    }

    /// Restores the position from a record, once the engine has its arrays. Evaluates the network once.
    pub fn restore(&mut self, record: &Record, initial: &DMatrix<T>) -> Result<(), Error> {
        record.agree_on_kind("position")?;
        self.at.set_iteration(record.count("step")?);
        self.remembers_since = record.get("remembers_gradients_since")?;
        self.trials = record.count("trials")?;
        self.last_step_size = record.get("last_step_size")?;
        let batch: Vec<usize> = record.get("batch")?;
        if batch.iter().any(|&i| i >= self.at.samples()) {
            return Err(record.damaged("batch", "contains a sample index outside the data set"));
        }
        let passes = Passes {
            all: record.count("passes")?,
            expanded: record.count("expanded_passes")?,
            degree: record.count("degree")?,
        };
        if record.get("keeps_initial_weights")? {
            self.engine_mut().keep_initial(initial)?;
        }
        self.engine_mut().choose_batch(&batch)?;
        self.evaluate()?;
        self.engine_mut().set_passes(passes);
        Ok(())
    }
}

/// Validates the direction that a method has written.
fn check<T: Float>(direction: &Direction<T>, at: &Linearization<T>) -> Result<(), Error> {
    let (samples, iteration) = (at.residual().len(), at.iteration());
    let dual = &direction.dual;
    check_size(
        "the length of the method's dual vector",
        dual.len(),
        samples,
        "write one number per sample of the batch",
    )?;
    if let Some(i) = dual.iter().position(|v| !v.is_finite()) {
        return Err(Error::NotFinite {
            what: "the method's dual vector",
            value: dual[i].as_f64(),
            place: format!("sample {i} of step {iteration}"),
            remedy: "check the method's arithmetic for overflow",
        });
    }
    if !direction.weights.is_empty() {
        check_weights(&direction.weights, at)?;
    }
    not_negative("`Direction::momentum`", direction.momentum)?;
    not_negative("`Direction::pull`", direction.pull)
}

/// Validates a direction in weight space.
fn check_weights<T: Float>(weights: &[T], at: &Linearization<T>) -> Result<(), Error> {
    at.require_weights("`Direction::weights`")?;
    let d = at.dimension();
    check_size(
        "the length of the method's direction in weight space",
        weights.len(),
        d * at.width(),
        "write one number per weight, one neuron after the other",
    )?;
    match first_not_finite(weights) {
        Some(i) => Err(Error::NotFinite {
            what: "the method's direction in weight space",
            value: weights[i].as_f64(),
            place: format!("neuron {}, coordinate {}, of step {}", i / d, i % d, at.iteration()),
            remedy: "check the method's arithmetic for overflow",
        }),
        None => Ok(()),
    }
}

/// The factor c with dual = c residual up to one rounding in T, if there is one.
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

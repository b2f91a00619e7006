//! The network at the current weights: residual, loss, and queries of its Jacobian.

use super::eigenvalue::largest_kernel_eigenvalue;
use crate::engine::{Dual, Engine, GradientSums};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::numbers::{half_square, overflow};
use nalgebra::{ComplexField, DMatrix, DVector};

/// The network at the current weights.
#[derive(Debug)]
pub(crate) struct Linearization<T: Float> {
    engine: Engine<T>,
    labels: DVector<T>,
    /// F - y; with sample weights, sqrt(s_i) (F(x_i) - y_i).
    residual: Vec<T>,
    next_residual: Vec<T>,
    /// With sample weights, F - y at the current and at the proposed weights; otherwise empty, and F - y is the residual.
    differences: [Vec<T>; 2],
    loss: f64,
    iteration: usize,
    /// Dimension and width of the whole network.
    shape: (usize, usize),
    facts: Facts,
    /// The first error of the queries of a schedule, which cannot return it themselves.
    failure: Option<Error>,
    /// Why a schedule has found no step.
    stalled: Option<String>,
    /// Why the step would have size 0, unless a combinator raises it.
    vanished: Option<String>,
    /// Whether the weights and the gradient may be read, in the coordinates of the network.
    in_weights: bool,
    flat: Flat<T>,
    /// Of a trial step.
    images: Vec<f64>,
}

/// The weights and the gradient as d m numbers, once they were asked for.
#[derive(Debug, Default)]
struct Flat<T> {
    weights: Vec<T>,
    gradient: Vec<T>,
}

/// What has been computed at the current weights.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// Of J^T e.
    gradient: Option<GradientSums>,
    eigenvalue: Option<f64>,
    /// Whether the flat weights, and the flat gradient, are those of the current weights.
    flat: [bool; 2],
}

impl<T: Float> Linearization<T> {
    pub fn new(engine: Engine<T>, labels: DVector<T>, shape: (usize, usize)) -> Self {
        let n = labels.len();
        let weighted = if engine.roots().is_empty() { 0 } else { n };
        Self {
            engine,
            labels,
            residual: Vec::with_capacity(n),
            next_residual: Vec::with_capacity(n),
            differences: [0, 1].map(|_| Vec::with_capacity(weighted)),
            loss: f64::NAN,
            iteration: 0,
            shape,
            facts: Facts::default(),
            failure: None,
            stalled: None,
            vanished: None,
            in_weights: false,
            flat: Flat {
                weights: Vec::new(),
                gradient: Vec::new(),
            },
            images: Vec::new(),
        }
    }

    /// Evaluates the current weights on the chosen batch. A pass.
    pub fn evaluate(&mut self) -> Result<(), Error> {
        self.engine.forward()?;
        let loss = self.read_outputs();
        self.enter(loss);
        Ok(())
    }

    /// Makes the engine's proposal the current weights, with this loss.
    pub fn accept(&mut self, loss: f64, momentum: bool, keep_previous: bool) -> Result<(), Error> {
        if keep_previous && !self.engine.keeps(Dual::Residual) {
            // The step did not follow the gradient, so no sweep has computed it yet.
            self.keep_gradient()?;
        }
        self.engine.accept(momentum, keep_previous);
        self.enter(loss);
        self.iteration += 1;
        Ok(())
    }

    fn enter(&mut self, loss: f64) {
        std::mem::swap(&mut self.residual, &mut self.next_residual);
        self.differences.swap(0, 1);
        self.loss = loss;
        self.facts = Facts::default();
    }

    /// The loss at the engine's last outputs, whose residual becomes the current one on acceptance.
    pub fn read_outputs(&mut self) -> f64 {
        let Self {
            engine,
            labels,
            next_residual,
            differences: [_, next_difference],
            ..
        } = self;
        let (batch, roots) = (engine.next_batch(), engine.roots());
        next_residual.clear();
        next_difference.clear();
        let entries = engine.outputs().iter().enumerate().map(|(i, f)| {
            let sample = batch.get(i).copied().unwrap_or(i);
            let mut e = f - labels[sample].as_f64();
            if let Some(root) = roots.get(sample) {
                next_difference.push(T::lit(e));
                e *= root;
            }
            next_residual.push(T::lit(e));
            e
        });
        let loss = half_square::<T>(entries);
        // In T: what the type cannot hold is an overflow.
        if next_residual
            .iter()
            .chain(&*next_difference)
            .all(ComplexField::is_finite)
        {
            loss
        } else {
            f64::INFINITY
        }
    }

    /// Returns the first error of a query since the last call.
    pub fn check(&mut self) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Notes that a schedule has found no step.
    pub fn stall(&mut self, reason: String) {
        self.stalled.get_or_insert(reason);
    }

    /// Takes the reason for which the schedule has found no step.
    pub fn take_stall(&mut self) -> Option<String> {
        let vanished = self.vanished.take();
        self.stalled.take().or(vanished)
    }

    /// Notes that the size of the step rounds to 0.
    pub fn vanish(&mut self, reason: String) {
        self.vanished.get_or_insert(reason);
    }

    /// Withdraws [`vanish`](Self::vanish).
    pub fn raise(&mut self) {
        self.vanished = None;
    }

    /// Keeps the error for [`check`](Self::check), and returns NaN for the query.
    pub fn fail(&mut self, error: Error) -> f64 {
        // The first error is the cause of later ones.
        self.failure.get_or_insert(error);
        f64::NAN
    }

    /// The error that says where the current loss overflowed.
    pub fn overflow(&self) -> Error {
        let difference = self.difference();
        match difference.iter().position(|e| !e.is_finite()) {
            Some(i) => overflow::<T>(format!("sample {i}"), difference[i].as_f64()),
            None => overflow::<T>("the sum over all samples", f64::INFINITY),
        }
    }

    pub fn engine(&self) -> &Engine<T> {
        &self.engine
    }

    pub fn engine_mut(&mut self) -> &mut Engine<T> {
        &mut self.engine
    }

    /// The index of the step about to be taken, from 0.
    pub fn iteration(&self) -> usize {
        self.iteration
    }

    /// For a resumed run.
    pub fn set_iteration(&mut self, iteration: usize) {
        self.iteration = iteration;
    }

    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// e_i = F(x_i) - y_i; with sample weights, sqrt(s_i) (F(x_i) - y_i). Its squares add up to twice the loss.
    pub fn residual(&self) -> &[T] {
        &self.residual
    }

    /// F - y on the current batch, whatever the sample weights.
    pub fn difference(&self) -> &[T] {
        if self.is_weighted() {
            &self.differences[0]
        } else {
            &self.residual
        }
    }

    /// Whether the samples have weights.
    pub fn is_weighted(&self) -> bool {
        !self.engine.roots().is_empty()
    }

    pub fn dimension(&self) -> usize {
        self.shape.0
    }

    pub fn width(&self) -> usize {
        self.shape.1
    }

    pub fn labels(&self) -> &DVector<T> {
        &self.labels
    }

    /// The number of samples of the data set.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The loss on all samples. A pass.
    pub fn loss_of_all(&mut self) -> Result<f64, Error> {
        let roots = self.engine.roots().to_vec();
        let outputs = self.engine.evaluate_all()?;
        let residual = outputs.iter().zip(&self.labels).map(|(f, y)| f - y.as_f64());
        Ok(if roots.is_empty() {
            half_square::<T>(residual)
        } else {
            half_square::<T>(residual.zip(&roots).map(|(e, root)| e * root))
        })
    }

    /// ||J^T e||^2. The first call takes a backward sweep.
    pub fn gradient_norm_squared(&mut self) -> f64 {
        match self.gradient() {
            Ok(gradient) => gradient.norm_squared,
            Err(error) => self.fail(error),
        }
    }

    /// The sums over J^T e. The first call takes a backward sweep.
    pub fn gradient(&mut self) -> Result<GradientSums, Error> {
        match self.facts.gradient {
            Some(gradient) => Ok(gradient),
            None => self.keep_gradient(),
        }
    }

    /// Computes J^T e in a backward sweep, and lets the engine keep it.
    pub fn keep_gradient(&mut self) -> Result<GradientSums, Error> {
        let sums = self.engine.gradient(Dual::Residual, &self.residual)?;
        Ok(*self.facts.gradient.insert(sums))
    }

    /// Takes over the sums of a step along J^T e.
    pub fn note_gradient(&mut self, sums: GradientSums) {
        self.facts.gradient = Some(sums);
    }

    /// Lets the weights and the gradient be read, for an engine without reduction.
    pub fn set_in_weights(&mut self, in_weights: bool) {
        self.in_weights = in_weights;
    }

    /// The current weights, d m numbers.
    pub fn flat_weights(&mut self) -> Result<&[T], Error> {
        self.require_weights("`Evaluation::weights`")?;
        if !self.facts.flat[0] {
            self.flat.weights.resize(self.shape.0 * self.shape.1, T::zero());
            self.engine.unpack_weights(&mut self.flat.weights);
            self.facts.flat[0] = true;
        }
        Ok(&self.flat.weights)
    }

    /// J^T e, d m numbers. The first call takes a backward sweep, unless one has been made.
    pub fn flat_gradient(&mut self) -> Result<&[T], Error> {
        self.require_weights("`Evaluation::gradient`")?;
        if !self.facts.flat[1] {
            if !self.engine.keeps(Dual::Residual) {
                self.keep_gradient()?;
            }
            self.flat.gradient.resize(self.shape.0 * self.shape.1, T::zero());
            self.engine.unpack_gradient(&mut self.flat.gradient);
            self.facts.flat[1] = true;
        }
        Ok(&self.flat.gradient)
    }

    /// Refuses `what`, unless they may.
    pub fn require_weights(&self, what: &'static str) -> Result<(), Error> {
        if self.in_weights {
            return Ok(());
        }
        Err(Error::Incompatible {
            what,
            with: "a method whose directions are dual vectors",
            reason: "runs of such methods may move in other coordinates; return `DirectionKind::Weights` from \
                     `Method::kind`",
        })
    }

    /// <grad L, u> at the weights of the last proposal, for the direction u that it is along. A pass.
    pub fn slope_ahead(&mut self) -> Result<f64, Error> {
        self.images.resize(self.next_residual.len(), 0.0);
        self.engine.product_ahead(&mut self.images)?;
        let terms = self.images.iter().zip(&self.next_residual).map(|(p, e)| p * e.as_f64());
        Ok(terms.sum())
    }

    /// J^T v, which the engine keeps.
    pub fn pull_back(&mut self, v: &[T]) -> Result<(), Error> {
        self.engine.gradient(Dual::Direction, v).map(drop)
    }

    /// `product` = J^T v and the second derivatives of F along the direction of the engine's last product with J.
    pub fn curvature_product(&mut self, v: &[T], product: &mut [T]) -> Result<(), Error> {
        self.engine.curvature_product(v, &self.residual, product)
    }

    /// lambda_max of G = J J^T.
    pub fn largest_kernel_eigenvalue(&mut self) -> f64 {
        if let Some(value) = self.facts.eigenvalue {
            return value;
        }
        match largest_kernel_eigenvalue(&mut self.engine) {
            Ok(value) => *self.facts.eigenvalue.insert(value),
            Err(error) => self.fail(error),
        }
    }

    /// G `vector`. A pass.
    pub fn tangent_product(&mut self, vector: &[f64]) -> Result<Vec<f64>, Error> {
        check_size(
            "the length of the vector",
            vector.len(),
            self.residual.len(),
            "pass one number per sample of the batch",
        )?;
        let mut product = vec![0.0; vector.len()];
        self.engine.tangent_product(vector, &mut product)?;
        Ok(product)
    }

    /// J (W - W_0) for these initial weights. A pass, except before the first step.
    pub fn movement_product(&mut self, initial: &DMatrix<T>) -> Result<Vec<f64>, Error> {
        let mut product = vec![0.0; self.residual.len()];
        if self.iteration > 0 {
            self.engine.movement_product(initial, &mut product)?;
        }
        Ok(product)
    }

    /// G, formed.
    pub fn tangent_gram(&mut self) -> Result<DMatrix<f64>, Error> {
        self.engine.tangent_gram()
    }
}

//! The network: F, its loss and its gradient.

mod file;
mod share;

pub(crate) use file::{OUTPUT_WEIGHTS, WEIGHTS};

use crate::checksum::Checksum;
use crate::communicator::{Communicator, Exchange, Link};
use crate::dataset::Dataset;
use crate::engine;
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::init::Initializer;
use crate::numbers::{check_finite, half_square, overflow};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// The network F(W, x) = sum_r a_r exp(<w_r, x>).
///
/// The weights W are d x m, one neuron per column. The output weights a (m numbers, random signs by
/// default) are not trained. All numbers in a network are finite.
///
/// In a distributed run each rank holds a share of the neurons as a network of its own. All methods then refer to that
/// share, except [`forward_over`](Self::forward_over), [`loss_over`](Self::loss_over) and
/// [`save_over`](Self::save_over).
///
/// ```
/// use expnet::{Dataset, ExpNetwork};
/// use nalgebra::{dmatrix, dvector};
///
/// // Two neurons in one dimension: F(x) = e^x - e^{-x}.
/// let net = ExpNetwork::from_parts(dmatrix![1.0, -1.0], dvector![1.0, -1.0])?;
/// let outputs = net.forward(&dmatrix![0.0, 0.5])?;
/// assert_eq!(outputs[0], 0.0);
/// assert!((outputs[1] - 2.0 * 0.5_f64.sinh()).abs() < 1e-15);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExpNetwork<T: Float> {
    weights: DMatrix<T>,
    output_weights: DVector<T>,
}

impl<T: Float> ExpNetwork<T> {
    /// Creates a network from weights (d x m, one neuron per column) and output weights (m).
    ///
    /// Errors: no neurons or dimension 0, a wrong number of output weights, a number that is not finite.
    pub fn from_parts(weights: DMatrix<T>, output_weights: DVector<T>) -> Result<Self, Error> {
        if weights.is_empty() {
            return Err(Error::Empty {
                what: "the weight matrix",
                remedy: "give it one row per dimension and one column per neuron",
            });
        }
        check_size(
            "the number of output weights",
            output_weights.len(),
            weights.ncols(),
            "give one output weight per neuron, that is, per column of the weights",
        )?;
        check_weights(&weights)?;
        check_finite("an output weight", &output_weights, FINITE_REMEDY, |r, _| {
            format!("neuron {r}")
        })?;
        Ok(Self {
            weights,
            output_weights,
        })
    }

    /// Draws a network with w_r ~ N(0, I) and random signs a_r = +-1 from `rng`, neuron by neuron, weights before sign.
    ///
    /// Use [`Initializer`] for other scales, or if the network is to be widened or sharded.
    pub fn gaussian<R: Rng + ?Sized>(dimension: usize, width: usize, rng: &mut R) -> Result<Self, Error> {
        let (weights, output_weights) = Initializer::new(dimension, width).draw_from(rng)?;
        Self::from_parts(weights, output_weights)
    }

    /// Draws a network with F = 0: neurons 2p and 2p + 1 have the same weights w ~ N(0, I) and the signs
    /// +1 and -1. The width must be even.
    pub fn antisymmetric<R: Rng + ?Sized>(dimension: usize, width: usize, rng: &mut R) -> Result<Self, Error> {
        let (weights, output_weights) = Initializer::new(dimension, width).antisymmetric(true).draw_from(rng)?;
        Self::from_parts(weights, output_weights)
    }

    /// Consumes the network and returns its weights (d x m) and output weights (m).
    pub fn into_parts(self) -> (DMatrix<T>, DVector<T>) {
        (self.weights, self.output_weights)
    }

    /// Replaces the weights W, d x m, one neuron per column.
    ///
    /// Errors: a matrix of another shape, a number that is not finite. The network is then unchanged.
    pub fn set_weights(&mut self, weights: DMatrix<T>) -> Result<(), Error> {
        for (what, expected, found) in [
            ("the dimension of the weights", self.dimension(), weights.nrows()),
            ("the number of neurons", self.width(), weights.ncols()),
        ] {
            if found != expected {
                return Err(Error::Shape {
                    what: what.into(),
                    expected,
                    found,
                    remedy: "weights are a d x m matrix, one neuron per column; use `from_parts` for another shape",
                });
            }
        }
        check_weights(&weights)?;
        self.weights = weights;
        Ok(())
    }

    /// The weights W, d x m, one neuron per column.
    pub fn weights(&self) -> &DMatrix<T> {
        &self.weights
    }

    /// The m output weights a.
    pub fn output_weights(&self) -> &DVector<T> {
        &self.output_weights
    }

    /// The dimension d of the points.
    pub fn dimension(&self) -> usize {
        self.weights.nrows()
    }

    /// The width m, which is the number of neurons.
    pub fn width(&self) -> usize {
        self.weights.ncols()
    }

    /// Evaluates F(W, x) at each column x of `points` (d x k). Returns k numbers.
    ///
    /// Costs 2 k d m flops and k m exponentials, or far less in few coordinates (see [`Pass`](crate::Pass)). Works in blocks, so that memory apart from the result does not
    /// grow with k. Sums over neurons are in `f64`, for `f32` networks too.
    ///
    /// Errors: points of another dimension, points that are not finite, an output that overflows.
    pub fn forward(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        finite_outputs(&self.outputs_in_f64(points)?)
    }

    /// Evaluates F(W, x) of the whole network of which this is the share on this rank of `world`. All ranks must call
    /// it with the same points.
    ///
    /// Costs as much as [`forward`](Self::forward) of the share, plus a few small exchanges and one of k numbers.
    ///
    /// Errors: those of `forward`, an error on any other rank, points that differ between ranks.
    ///
    /// ```
    /// use expnet::Initializer;
    /// use expnet::communicator::{Communicator, Threads};
    ///
    /// let recipe = Initializer::new(2, 64).antisymmetric(true);
    /// let points = nalgebra::dmatrix![1.0, 0.5; -0.5, 2.0];
    /// for outputs in Threads::run(3, |world| {
    ///     recipe.shard(world.rank(), world.size()).build::<f64>()?.forward_over(&world, &points)
    /// }) {
    ///     assert_eq!(outputs?.as_slice(), [0.0, 0.0]);
    /// }
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn forward_over(&self, world: &dyn Communicator, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        let link = Link::new(Box::new(world));
        let mut numbers = link.leave_on_error(self.outputs_in_f64(points))?;
        let mut fingerprint = Checksum::of(points.as_slice());
        fingerprint.word(points.ncols() as u64);
        if !link.is_same_on_all(fingerprint.finish())? {
            return Err(Error::Ranks {
                problem: "the ranks were given different points".into(),
                remedy: "evaluate the same points, in the same order, on every rank",
            });
        }
        link.sum(Exchange::Forward, &mut numbers)?;
        link.finish()?;
        finite_outputs(&numbers)
    }

    /// The loss of the whole network of which this is the share on this rank of `world`; see
    /// [`forward_over`](Self::forward_over).
    pub fn loss_over(&self, world: &dyn Communicator, data: &Dataset<T>) -> Result<T, Error> {
        finite_loss(data, &(self.forward_over(world, data.points())? - data.labels()))
    }

    fn outputs_in_f64(&self, points: &DMatrix<T>) -> Result<Vec<f64>, Error> {
        self.check_dimension(points)?;
        let place = |k, i| format!("point {i}, coordinate {k}");
        check_finite("a coordinate", points, FINITE_REMEDY, place)?;
        engine::outputs(&self.weights, &self.output_weights, points)
    }

    /// The residual e = F(W, X) - y, n numbers, whatever the sample weights. Costs the same as
    /// [`forward`](Self::forward).
    pub fn residual(&self, data: &Dataset<T>) -> Result<DVector<T>, Error> {
        Ok(self.forward(data.points())? - data.labels())
    }

    /// The loss L = 1/2 ||F(W, X) - y||^2 (a sum over samples, not a mean); with sample weights,
    /// 1/2 sum_i s_i (F(W, x_i) - y_i)^2.
    ///
    /// Costs the same as [`forward`](Self::forward).
    ///
    /// Errors: those of `forward`, a loss that overflows.
    pub fn loss(&self, data: &Dataset<T>) -> Result<T, Error> {
        finite_loss(data, &self.residual(data)?)
    }

    /// The gradient of the loss, d x m: column r is a_r sum_i e_i exp(<w_r, x_i>) x_i, with s_i e_i in place of e_i if the
    /// samples have weights.
    ///
    /// Costs 4 n d m flops and 2 n m exponentials.
    pub fn gradient(&self, data: &Dataset<T>) -> Result<DMatrix<T>, Error> {
        let residual = self.residual(data)?;
        self.pull_back(data, residual)
    }

    /// The gradient of the loss with this residual.
    fn pull_back(&self, data: &Dataset<T>, residual: DVector<T>) -> Result<DMatrix<T>, Error> {
        let dual = match data.weights() {
            Some(weights) => residual.component_mul(weights),
            None => residual,
        };
        let gradient = engine::gradient(&self.weights, &self.output_weights, data.points(), dual.as_slice())?;
        match gradient.iter().position(|g| !g.is_finite()) {
            Some(at) => Err(overflow::<T>(
                format!("the gradient of neuron {}", at / self.dimension()),
                gradient[at].as_f64(),
            )),
            None => Ok(gradient),
        }
    }

    /// Takes one step of full-batch gradient descent, W <- W - `step_size` times the gradient, and returns the
    /// loss before the step.
    ///
    /// For many steps, [`Trainer`](crate::Trainer) is faster and has stopping criteria, schedules and observers.
    ///
    /// Errors: a step size that is not positive and finite, an overflow. The network is then unchanged.
    pub fn step(&mut self, data: &Dataset<T>, step_size: T) -> Result<T, Error> {
        if !(step_size.is_finite() && step_size > T::zero()) {
            return Err(Error::StepSize {
                step: 0,
                value: step_size.as_f64(),
                remedy: "give a positive, finite number",
            });
        }
        let residual = self.residual(data)?;
        let loss = finite_loss(data, &residual)?;
        let mut weights = self.pull_back(data, residual)?;
        weights.zip_apply(&self.weights, |g, w| *g = w - step_size * *g);
        if weights.iter().any(|w| !w.is_finite()) {
            return Err(Error::Diverged {
                step: 0,
                step_size: step_size.as_f64(),
                last_loss: loss.as_f64(),
                remedy: "use smaller steps".into(),
            });
        }
        self.weights = weights;
        Ok(loss)
    }

    /// Converts the network to another scalar type, rounding each weight to the nearest.
    ///
    /// Errors: a weight out of range for `U`.
    pub fn cast<U: Float>(&self) -> Result<ExpNetwork<U>, Error> {
        let to = |x: T| U::lit(x.as_f64());
        ExpNetwork::from_parts(self.weights.map(to), self.output_weights.map(to))
    }

    pub(crate) fn weights_mut(&mut self) -> &mut DMatrix<T> {
        &mut self.weights
    }

    pub(crate) fn check_dimension(&self, points: &DMatrix<T>) -> Result<(), Error> {
        self.check_dimension_of("the points", points)
    }

    pub(crate) fn check_dimension_of(&self, which: &str, points: &DMatrix<T>) -> Result<(), Error> {
        if points.nrows() == self.dimension() {
            return Ok(());
        }
        Err(Error::Shape {
            what: format!("the dimension of {which}"),
            expected: self.dimension(),
            found: points.nrows(),
            remedy: "points are the columns of a d x k matrix, and d is the network's dimension \
                     (a bias coordinate counts)",
        })
    }
}

impl Initializer {
    /// Draws the network. Costs d m normal draws.
    ///
    /// Errors: a dimension or width of 0, a network that does not fit in memory, an odd width for an antisymmetric
    /// start, a standard deviation, output scale, first neuron or rank out of range.
    ///
    /// ```
    /// let narrow = expnet::Initializer::new(3, 64).seed(7).build::<f64>()?;
    /// let wide = expnet::Initializer::new(3, 128).seed(7).build::<f64>()?;
    /// assert_eq!(narrow.weights(), &wide.weights().columns(0, 64)); // widening keeps neurons
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn build<T: Float>(&self) -> Result<ExpNetwork<T>, Error> {
        let (weights, output_weights) = self.draw()?;
        ExpNetwork::from_parts(weights, output_weights)
    }
}

impl<T: Float> TryFrom<(DMatrix<T>, DVector<T>)> for ExpNetwork<T> {
    type Error = Error;

    /// See [`ExpNetwork::from_parts`].
    fn try_from((weights, output_weights): (DMatrix<T>, DVector<T>)) -> Result<Self, Error> {
        Self::from_parts(weights, output_weights)
    }
}

const FINITE_REMEDY: &str = "replace it with a finite number";

fn check_weights<T: Float>(weights: &DMatrix<T>) -> Result<(), Error> {
    check_finite("a weight", weights, FINITE_REMEDY, |k, r| {
        format!("neuron {r}, coordinate {k}")
    })
}

fn finite_outputs<T: Float>(outputs: &[f64]) -> Result<DVector<T>, Error> {
    let outputs = DVector::from_iterator(outputs.len(), outputs.iter().map(|&f| T::lit(f)));
    match outputs.iter().position(|f| !f.is_finite()) {
        Some(i) => Err(overflow::<T>(format!("point {i}"), outputs[i].as_f64())),
        None => Ok(outputs),
    }
}

fn finite_loss<T: Float>(data: &Dataset<T>, residual: &DVector<T>) -> Result<T, Error> {
    let residual = residual.iter().map(|e| e.as_f64());
    let loss = T::lit(half_square::<T>(data.weighted(residual)));
    if loss.is_finite() {
        Ok(loss)
    } else {
        Err(overflow::<T>("the loss over all points", loss.as_f64()))
    }
}

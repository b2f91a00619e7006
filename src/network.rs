//! The network itself: F, its loss and its gradient, one call at a time.

mod file;
mod share;

pub(crate) use file::{OUTPUT_WEIGHTS, WEIGHTS};

use crate::checksum::Checksum;
use crate::communicator::{Communicator, Link, Sum};
use crate::dataset::Dataset;
use crate::engine;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::numbers::{check_finite, half_square, overflow};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// The network F(W, x) = sum_r a_r exp(<w_r, x>).
///
/// The weights W are d x m, one neuron per column; the output weights a (m numbers, random signs by
/// default) are never trained. A network holds finite numbers only.
///
/// In a distributed run each rank holds a share of the neurons, a network of its own: everything here then refers to
/// the share, except [`forward_over`](Self::forward_over) and [`loss_over`](Self::loss_over).
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
    /// A network from given weights (d x m, one neuron per column) and output weights (m).
    ///
    /// Errors: no neuron or no dimension, one output weight too many or too few, a number that is
    /// not finite.
    pub fn from_parts(weights: DMatrix<T>, output_weights: DVector<T>) -> Result<Self, Error> {
        if weights.is_empty() {
            return Err(Error::Empty {
                what: "the weight matrix",
                remedy: "give it a row for each dimension and a column for each neuron",
            });
        }
        if output_weights.len() != weights.ncols() {
            return Err(Error::Shape {
                what: "the number of output weights".into(),
                expected: weights.ncols(),
                found: output_weights.len(),
                remedy: "give one output weight for each neuron, that is each column of the weights",
            });
        }
        check_weights(&weights)?;
        check_finite("an output weight", &output_weights, BE_FINITE, |r, _| {
            format!("neuron {r}")
        })?;
        Ok(Self {
            weights,
            output_weights,
        })
    }

    /// A network with w_r ~ N(0, I) and random signs a_r = +-1, drawn from `rng` neuron by neuron, weights before sign.
    ///
    /// Use [`Initializer`] for another scale or a network that can be widened or sharded.
    pub fn gaussian<R: Rng + ?Sized>(dimension: usize, width: usize, rng: &mut R) -> Result<Self, Error> {
        let (weights, output_weights) = Initializer::new(dimension, width).draw_from(rng)?;
        Self::from_parts(weights, output_weights)
    }

    /// A network that starts at F = 0: neurons 2p and 2p + 1 share w ~ N(0, I) and have the signs
    /// +1 and -1. The width must be even.
    pub fn antisymmetric<R: Rng + ?Sized>(dimension: usize, width: usize, rng: &mut R) -> Result<Self, Error> {
        let (weights, output_weights) = Initializer::new(dimension, width).antisymmetric(true).draw_from(rng)?;
        Self::from_parts(weights, output_weights)
    }

    /// The weights (d x m) and the output weights (m): the way back from a network.
    pub fn into_parts(self) -> (DMatrix<T>, DVector<T>) {
        (self.weights, self.output_weights)
    }

    /// Replaces the weights W, d x m, one neuron per column.
    ///
    /// Errors: a matrix of another shape, a number that is not finite. The network is then left as it was.
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
                    remedy: "weights are a d x m matrix, one neuron per column; `from_parts` makes a network of another shape",
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

    /// The output weights a, m numbers.
    pub fn output_weights(&self) -> &DVector<T> {
        &self.output_weights
    }

    /// The dimension d of the points.
    pub fn dimension(&self) -> usize {
        self.weights.nrows()
    }

    /// The number m of neurons.
    pub fn width(&self) -> usize {
        self.weights.ncols()
    }

    /// F(W, x) for each column x of `points` (d x k): k numbers.
    ///
    /// Costs 2 k d m flops and k m exponentials, in blocks: memory beside the result does not
    /// grow with k. Sums over neurons are in `f64` for `f32` networks too.
    ///
    /// Errors: points of another dimension, points that are not finite, an output that overflows.
    pub fn forward(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        finite_outputs(&self.sums(points)?)
    }

    /// F(W, x) of the whole network whose share on this rank of `world` this is. All ranks call it with the same points.
    ///
    /// Costs what [`forward`](Self::forward) costs for the share, a few small exchanges and one of k numbers.
    ///
    /// Errors: those of `forward`, an error on any other rank, other points on another rank.
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
        let mut numbers = link.pass(self.sums(points))?;
        let mut mark = Checksum::of(points.as_slice());
        mark.word(points.ncols() as u64);
        if !link.is_same_on_all(mark.finish())? {
            return Err(Error::Ranks {
                problem: "the ranks were given different points".into(),
                remedy: "evaluate the same points, in the same order, on every rank",
            });
        }
        link.sum(Sum::Forward, &mut numbers)?;
        link.finish()?;
        finite_outputs(&numbers)
    }

    /// The loss of the whole network whose share on this rank of `world` this is; see [`forward_over`](Self::forward_over).
    pub fn loss_over(&self, world: &dyn Communicator, data: &Dataset<T>) -> Result<T, Error> {
        finite_loss(&(self.forward_over(world, data.points())? - data.labels()))
    }

    fn sums(&self, points: &DMatrix<T>) -> Result<Vec<f64>, Error> {
        self.check_dimension(points)?;
        let place = |k, i| format!("point {i}, coordinate {k}");
        check_finite("a coordinate", points, BE_FINITE, place)?;
        engine::outputs(&self.weights, &self.output_weights, points)
    }

    /// The residual e = F(W, X) - y, n numbers. Costs what [`forward`](Self::forward) costs.
    pub fn residual(&self, data: &Dataset<T>) -> Result<DVector<T>, Error> {
        Ok(self.forward(data.points())? - data.labels())
    }

    /// The loss L = 1/2 ||F(W, X) - y||^2 (a sum over samples, not a mean).
    ///
    /// Costs what [`forward`](Self::forward) costs. A loss that overflows is an error.
    pub fn loss(&self, data: &Dataset<T>) -> Result<T, Error> {
        finite_loss(&self.residual(data)?)
    }

    /// The gradient of the loss, d x m: column r is a_r sum_i e_i exp(<w_r, x_i>) x_i.
    ///
    /// Costs 4 n d m flops and twice n m exponentials.
    pub fn gradient(&self, data: &Dataset<T>) -> Result<DMatrix<T>, Error> {
        let residual = self.residual(data)?;
        self.pull_back(data, &residual)
    }

    fn pull_back(&self, data: &Dataset<T>, dual: &DVector<T>) -> Result<DMatrix<T>, Error> {
        let gradient = engine::gradient(&self.weights, &self.output_weights, data.points(), dual.as_slice())?;
        match gradient.iter().position(|g| !g.is_finite()) {
            Some(at) => Err(overflow::<T>(
                format!("the gradient of neuron {}", at / self.dimension()),
                gradient[at].as_f64(),
            )),
            None => Ok(gradient),
        }
    }

    /// One step of gradient descent on all of the data, W <- W - `step_size` times the gradient;
    /// returns the loss before the step.
    ///
    /// A loop of many steps is faster, and better looked after, in [`Trainer`](crate::Trainer).
    ///
    /// Errors: a step size that is not positive and finite, an overflow on the way. The network is
    /// then left as it was.
    pub fn step(&mut self, data: &Dataset<T>, step_size: T) -> Result<T, Error> {
        if !(step_size.is_finite() && step_size > T::zero()) {
            return Err(Error::StepSize {
                step: 0,
                value: step_size.as_f64(),
                remedy: "give a positive, finite number",
            });
        }
        let residual = self.residual(data)?;
        let loss = finite_loss(&residual)?;
        let mut weights = self.pull_back(data, &residual)?;
        weights.zip_apply(&self.weights, |g, w| *g = w - step_size * *g);
        if weights.iter().any(|w| !w.is_finite()) {
            return Err(Error::Diverged {
                step: 0,
                step_size: step_size.as_f64(),
                last_loss: loss.as_f64(),
            });
        }
        self.weights = weights;
        Ok(loss)
    }

    /// The same network in another scalar type.
    ///
    /// Errors: a weight beyond the range of `U`.
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
    /// Draws the network. Costs d m draws.
    ///
    /// Errors: a dimension or width of 0 or beyond memory, an odd width for an antisymmetric
    /// start, a standard deviation or output scale out of range.
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

    /// [`ExpNetwork::from_parts`].
    fn try_from((weights, output_weights): (DMatrix<T>, DVector<T>)) -> Result<Self, Error> {
        Self::from_parts(weights, output_weights)
    }
}

/// The remedy for numbers that are not finite.
const BE_FINITE: &str = "give finite numbers";

fn check_weights<T: Float>(weights: &DMatrix<T>) -> Result<(), Error> {
    check_finite("a weight", weights, BE_FINITE, |k, r| {
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

fn finite_loss<T: Float>(residual: &DVector<T>) -> Result<T, Error> {
    let loss = T::lit(half_square::<T>(residual.iter().map(|e| e.as_f64())));
    if loss.is_finite() {
        Ok(loss)
    } else {
        Err(overflow::<T>("the loss over all points", loss.as_f64()))
    }
}

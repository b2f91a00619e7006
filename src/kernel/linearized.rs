//! The network that is linear in its weights.

use super::empirical_kernel;
use super::fit::Fit;
use super::predictor::Predictor;
use crate::dataset::{Dataset, check_points};
use crate::engine;
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::numbers::{check_finite, overflow};
use nalgebra::{DMatrix, DVector};

/// A network linearised at its weights W_0, which any wide network approaches during training.
///
/// ```text
/// f_lin(W, x) = F(W_0, x) + <grad F(W_0, x), W - W_0>
///             = sum_r a_r exp(<w_0r, x>) (1 + <w_r - w_0r, x>)
/// ```
///
/// Trained on n samples (X, y), it stays at W_0 + J^T c / m: J (n x d m) is the Jacobian at X and W_0, and c are the n
/// coefficients of a fit with the empirical kernel H = J J^T / m. [`predictor`](Self::predictor) makes that fit, by gradient
/// flow, gradient descent or ridge regression; [`weights`](Self::weights) turns it into weights; and
/// [`forward`](Self::forward) predicts with them:
///
/// ```text
/// flow at time t = m s       W_t = W_0 - J^T G^-1 (I - exp(-s G)) (F_0 - y),        G = m H = J J^T
/// t steps of size eta / m    W_t = W_0 - J^T G^-1 (I - (I - (eta/m) G)^t) (F_0 - y)
/// ridge lambda = mu / m      minimises 1/2 ||f_lin - y||^2 + mu/2 ||W - W_0||^2
/// ```
///
/// All in `f64`. With [sample weights](Dataset::with_weights) s_i, J and F_0 - y above become R J and R (F_0 - y) for
/// R = diag(sqrt(s_i)), and the loss is 1/2 sum_i s_i (f_lin(x_i) - y_i)^2. From Lee et al., *Wide neural networks of any depth evolve as linear models under gradient descent*
/// (2019), equations 5 to 11.
///
/// ```
/// use expnet::{Dataset, ExpNetwork, Initializer, Trainer, kernel::LinearizedNetwork};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]], &[1.0, -1.0, 0.5])?;
/// let net: ExpNetwork<f64> = Initializer::new(2, 4096).std_dev(0.5).build()?; // F_0 is not 0
/// let linear = LinearizedNetwork::new(&net)?;
///
/// let (eta, steps) = (0.3, 20);
/// let fit = linear.predictor(&data)?.gradient_descent(eta)?.at(steps)?;
/// let weights = linear.weights(data.points(), &fit)?; // 2 x 4096
/// let predicted = linear.forward(&weights, data.points())?;
///
/// // The network itself, trained with the same steps, is close by.
/// let mut trained = net.clone();
/// Trainer::new(eta / 4096.0).max_steps(steps).fit(&mut trained, &data)?;
/// assert!((trained.forward(data.points())? - predicted).norm() < 0.05 * net.residual(&data)?.norm());
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LinearizedNetwork {
    start: ExpNetwork<f64>,
}

impl LinearizedNetwork {
    /// Linearises a network at its weights. Copies its d m + m numbers.
    ///
    /// Never fails: every number of an f32 or f64 network is representable in f64.
    pub fn new<T: Float>(start: &ExpNetwork<T>) -> Result<Self, Error> {
        Ok(Self { start: start.cast()? })
    }

    /// The network at W_0, in `f64`.
    pub fn start(&self) -> &ExpNetwork<f64> {
        &self.start
    }

    /// f_lin(W, x) at each column of `points` (d x k) for the `weights` W (d x m): k numbers. Linear in W, and F at
    /// W = W_0.
    ///
    /// Costs 6 k d m flops and 2 k m exponentials. Works in blocks of points.
    ///
    /// Errors: weights of another shape or not finite; points of another dimension or not finite; no points; an output that
    /// overflows.
    pub fn forward<T: Float>(&self, weights: &DMatrix<f64>, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        self.check_weights(weights)?;
        let points = self.checked(points)?;
        let (start, output_weights) = (self.start.weights(), self.start.output_weights());
        let outputs = DVector::from_vec(engine::linearized_outputs(start, output_weights, &points, weights)?);
        match outputs.iter().position(|f| !f.is_finite()) {
            None => Ok(outputs),
            Some(j) => Err(overflow::<f64>(format!("point {j}"), outputs[j])),
        }
    }

    /// Regression with the empirical kernel H of `data` (n x n) and the start's outputs F_0. The steps and times of its fits
    /// are those of the network times the width m, for any output weights: t = m s.
    ///
    /// Its fits give [`weights`](Self::weights), or predict the change from F_0 by [`Fit::predict_from`] with
    /// [`empirical_cross_kernel`](super::empirical_cross_kernel). Costs n^2 m + 4 n d m flops.
    ///
    /// Errors: points of another dimension; outputs or kernel entries that overflow, by themselves or times a
    /// sample weight; an n x n matrix that does not fit in
    /// memory.
    pub fn predictor<T: Float>(&self, data: &Dataset<T>) -> Result<Predictor, Error> {
        let points = self.checked(data.points())?;
        let kernel = empirical_kernel(&self.start, &points)?;
        Predictor::from_kernel(kernel, data.labels().map(Float::as_f64))?
            .weighted(data)?
            .initial_outputs(&self.start.forward(&points)?)
    }

    /// The weights W_0 + J^T c / m (d x m) of a fit that [`predictor`](Self::predictor) made, given its training `points`
    /// (d x n) in the same order. Costs 4 n d m flops and n m exponentials.
    ///
    /// Errors: not one point per coefficient of the fit; points of another dimension or not finite; a weight that overflows.
    pub fn weights<T: Float>(&self, points: &DMatrix<T>, fit: &Fit) -> Result<DMatrix<f64>, Error> {
        let points = self.checked(points)?;
        let coefficients = fit.coefficients();
        check_size(
            "the number of training points",
            points.ncols(),
            coefficients.len(),
            "give the points of the data set that the fit was made with",
        )?;
        let (start, m) = (&self.start, self.start.width() as f64);
        let dual = coefficients / m;
        let gradient = engine::gradient(start.weights(), start.output_weights(), &points, dual.as_slice())?;
        let weights = start.weights() + gradient;
        match weights.iter().position(|w| !w.is_finite()) {
            None => Ok(weights),
            Some(at) => Err(overflow::<f64>(
                format!("the weights of neuron {}", at / start.dimension()),
                weights[at],
            )),
        }
    }

    fn checked<T: Float>(&self, points: &DMatrix<T>) -> Result<DMatrix<f64>, Error> {
        let points = points.map(Float::as_f64);
        self.start.check_dimension(&points)?;
        check_points(&points, None)?;
        Ok(points)
    }

    fn check_weights(&self, weights: &DMatrix<f64>) -> Result<(), Error> {
        let (d, m) = self.start.weights().shape();
        for (what, expected, found) in [
            ("the dimension of the weights", d, weights.nrows()),
            ("the number of neurons", m, weights.ncols()),
        ] {
            if found != expected {
                return Err(Error::Shape {
                    what: what.into(),
                    expected,
                    found,
                    remedy: "give a d x m matrix, one neuron per column, as that of the start",
                });
            }
        }
        check_finite("a weight", weights, "replace it with a finite number", |k, r| {
            format!("neuron {r}, coordinate {k}")
        })
    }
}

//! The loss as a function of a flat vector of weights, for external optimisers.

use crate::communicator::Link;
use crate::dataset::Dataset;
use crate::engine::{Engine, Memory};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::numbers::{first_not_finite, overflow};
use crate::step::Linearization;

/// The loss L(w) = 1/2 ||F(w, X) - y||^2 as a function of the weights, with its derivatives, for external optimisers:
/// those of argmin, your own, or any that ask for a value and a gradient.
///
/// Weights, gradients and directions are slices of d m numbers, one neuron after the other, in the order of
/// [`ExpNetwork::weights`]: number r d + k is coordinate k of neuron r. Vectors over the samples have n numbers. The output
/// weights are those of the network.
///
/// The objective stands at a point: the weights of the network at first, then those of the last
/// [`value`](Self::value) or [`value_and_gradient`](Self::value_and_gradient). Asking again at the same point does not evaluate
/// the network again, so an optimiser that asks for the value first and for the gradient later pays as much as one that asks for
/// both at once. Products with derivatives are taken at this point:
///
/// ```text
/// J u           jacobian_product        (J u)_i = sum_r a_r exp(<w_r, x_i>) <x_i, u_r>
/// J^T v         transpose_product       (J^T v)_r = a_r sum_i v_i exp(<w_r, x_i>) x_i
/// J^T J u       gauss_newton_product    the Hessian of L without the second derivatives of F; never negative
/// H u           hessian_product         (J^T J u)_r + a_r sum_i e_i exp(<w_r, x_i>) <x_i, u_r> x_i
/// ```
///
/// With sample weights s_i, e_i stands for sqrt(s_i) (F(x_i) - y_i), row i of J and its derivative are multiplied by sqrt(s_i),
/// and L is 1/2 ||e||^2, so every formula holds as it is.
///
/// # Overflow
///
/// Where the loss or an output is out of range for `T`, the value is infinite and the gradient NaN: line searches ask far away,
/// and take an infinite value for a step that is too long. Products are an error there, and so is a product or a gradient of a
/// finite loss with an entry out of range.
///
/// # Cost
///
/// | call | flops | exponentials |
/// |---|---|---|
/// | value | 2 n d m | n m |
/// | gradient at the same point | 2 n d m | |
/// | J u, J^T v | 2 n d m | |
/// | J^T J u | 4 n d m | |
/// | H u | 6 n d m | |
///
/// and a copy of d m numbers in and out. Activations (n m numbers) are kept while they take at most 1 GiB; otherwise each call
/// computes the exponentials again. In at most four coordinates all but H u cost n + m (see [`Pass`](crate::Pass)).
///
/// No call allocates after [`new`](Self::new), apart from errors, blocks of the thread pool's queue, and in at most four
/// coordinates the first H u and passes of another degree than the last. All bits are the same on any number of threads.
/// Like a trainer, an objective stays on the thread that built it; the work is done on all threads of rayon's pool.
///
/// ```
/// use expnet::{Dataset, Initializer, Objective};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let mut objective = Objective::new(&net, &data)?;
/// let mut w = net.weights().as_slice().to_vec();
/// let mut gradient = vec![0.0; w.len()];
/// let first = objective.value_and_gradient(&w, &mut gradient)?;
/// for _ in 0..50 {
///     w.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= 2e-3 * g);
///     objective.value_and_gradient(&w, &mut gradient)?;
/// }
/// assert!(objective.value(&w)? < 1e-3 * first);
/// net.set_weights(nalgebra::DMatrix::from_column_slice(2, 64, &w))?;
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Debug)]
pub struct Objective<T: Float> {
    at: Linearization<T>,
    point: Vec<T>,
    /// Whether the point has been evaluated.
    is_evaluated: bool,
    /// J u, and the same in T.
    images: Vec<f64>,
    dual: Vec<T>,
}

impl<T: Float> Objective<T> {
    /// The objective of a network on data, at the weights of the network. Copies both.
    ///
    /// Costs a forward pass, and memory for n m activations (see [Cost](Self#cost)) and four copies of the weights.
    ///
    /// Errors: data of another dimension than the network, out of memory.
    pub fn new(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Self, Error> {
        net.check_dimension(data.points())?;
        let engine = Engine::direct(net.weights(), net.output_weights(), data.points(), Memory::Auto)?;
        let engine = engine.joined(Link::solo(), data.roots().unwrap_or_default());
        let shape = (net.dimension(), net.width());
        let n = data.samples();
        let mut at = Linearization::new(engine, data.labels().clone(), shape);
        at.evaluate()?;
        at.engine_mut().prepare_products()?;
        Ok(Self {
            at,
            point: net.weights().as_slice().to_vec(),
            is_evaluated: true,
            images: vec![0.0; n],
            dual: Vec::with_capacity(n),
        })
    }

    /// The dimension d of the points.
    pub fn dimension(&self) -> usize {
        self.at.dimension()
    }

    /// The number m of neurons.
    pub fn width(&self) -> usize {
        self.at.width()
    }

    /// The number n of samples.
    pub fn samples(&self) -> usize {
        self.at.samples()
    }

    /// The weights at which the objective stands.
    pub fn point(&self) -> &[T] {
        &self.point
    }

    /// The residual e = F - y at this point, n numbers; with sample weights, sqrt(s_i) (F(x_i) - y_i). A least-squares solver
    /// takes it with [`jacobian_product`](Self::jacobian_product) and [`transpose_product`](Self::transpose_product).
    ///
    /// Errors: an output out of range for `T`.
    pub fn residual(&mut self) -> Result<&[T], Error> {
        self.require_finite()?;
        Ok(self.at.residual())
    }

    /// Goes to the weights w and returns the loss there; `inf` if it is out of range for `T`.
    ///
    /// Errors: a wrong number of weights, a weight that is not finite. The objective then stays where it was.
    pub fn value(&mut self, w: &[T]) -> Result<T, Error> {
        self.go_to(w)?;
        Ok(T::lit(self.at.loss()))
    }

    /// Goes to the weights w, writes the gradient of the loss and returns the loss: one forward and one backward half. Where
    /// the loss is `inf`, every entry of the gradient is NaN.
    ///
    /// Errors: a wrong number of weights or of entries of the gradient, a weight that is not finite, an entry of the gradient
    /// that is out of range although the loss is not.
    pub fn value_and_gradient(&mut self, w: &[T], gradient: &mut [T]) -> Result<T, Error> {
        self.check_per_weight("the number of entries of the gradient", gradient.len())?;
        self.go_to(w)?;
        if self.at.loss().is_finite() {
            self.at.keep_gradient()?;
            self.at.engine().unpack_gradient(gradient);
            self.check_neurons("the gradient", gradient)?;
        } else {
            gradient.fill(T::lit(f64::NAN));
        }
        Ok(T::lit(self.at.loss()))
    }

    /// Writes J u, the derivative of the outputs along the direction u (d m numbers), into n numbers.
    ///
    /// Errors: a wrong length, a component of u that is not finite, an overflow.
    pub fn jacobian_product(&mut self, u: &[T], product: &mut [T]) -> Result<(), Error> {
        self.check_per_sample("the number of entries of the product", product.len())?;
        self.push_forward(u)?;
        product.copy_from_slice(&self.dual);
        Ok(())
    }

    /// Writes J^T v for one number v_i per sample into d m numbers.
    ///
    /// Errors: a wrong length, a component of v that is not finite, an overflow.
    pub fn transpose_product(&mut self, v: &[T], product: &mut [T]) -> Result<(), Error> {
        self.check_per_sample("the number of components of the vector", v.len())?;
        self.check_per_weight("the number of entries of the product", product.len())?;
        if let Some(i) = first_not_finite(v) {
            return Err(not_finite("a component of the vector", v[i], format!("sample {i}")));
        }
        self.require_finite()?;
        self.pull_back(v, product)
    }

    /// Writes J^T J u into d m numbers: Gauss-Newton's approximation of the Hessian, times u.
    ///
    /// Errors: a wrong length, a component of u that is not finite, an overflow.
    pub fn gauss_newton_product(&mut self, u: &[T], product: &mut [T]) -> Result<(), Error> {
        self.check_per_weight("the number of entries of the product", product.len())?;
        self.push_forward(u)?;
        let dual = std::mem::take(&mut self.dual);
        let pulled = self.pull_back(&dual, product);
        self.dual = dual;
        pulled
    }

    /// Writes H u into d m numbers, for the Hessian H of the loss.
    ///
    /// Errors: a wrong length, a component of u that is not finite, an overflow.
    pub fn hessian_product(&mut self, u: &[T], product: &mut [T]) -> Result<(), Error> {
        self.check_per_weight("the number of entries of the product", product.len())?;
        self.push_forward(u)?;
        self.at.curvature_product(&self.dual, product)?;
        self.check_neurons("the product with the Hessian", product)
    }

    /// J u, into `dual`.
    fn push_forward(&mut self, u: &[T]) -> Result<(), Error> {
        self.check_per_weight("the number of components of the direction", u.len())?;
        if let Some(at) = first_not_finite(u) {
            return Err(not_finite("a component of the direction", u[at], self.neuron(at)));
        }
        self.require_finite()?;
        self.at.engine_mut().jacobian_product(u, &mut self.images)?;
        self.dual.clear();
        self.dual.extend(self.images.iter().map(|&x| T::lit(x)));
        match first_not_finite(&self.dual) {
            Some(i) => Err(overflow::<T>(
                format!("sample {i}, in the product with the Jacobian,"),
                self.dual[i].as_f64(),
            )),
            None => Ok(()),
        }
    }

    /// J^T v, into `product`.
    fn pull_back(&mut self, v: &[T], product: &mut [T]) -> Result<(), Error> {
        self.at.pull_back(v)?;
        self.at.engine().unpack_gradient(product);
        self.check_neurons("the product with the Jacobian", product)
    }

    /// Evaluates the network at these weights, unless it was evaluated there last.
    fn go_to(&mut self, w: &[T]) -> Result<(), Error> {
        self.check_per_weight("the number of weights", w.len())?;
        if self.point != w {
            if let Some(at) = first_not_finite(w) {
                return Err(not_finite("a weight", w[at], self.neuron(at)));
            }
            self.is_evaluated = false;
            self.point.copy_from_slice(w);
            self.at.engine_mut().load_weights(w);
        }
        self.evaluate()
    }

    fn evaluate(&mut self) -> Result<(), Error> {
        if !self.is_evaluated {
            self.at.evaluate()?;
            self.is_evaluated = true;
        }
        Ok(())
    }

    fn require_finite(&mut self) -> Result<(), Error> {
        self.evaluate()?;
        if self.at.loss().is_finite() {
            Ok(())
        } else {
            Err(self.at.overflow())
        }
    }

    fn check_neurons(&self, what: &str, numbers: &[T]) -> Result<(), Error> {
        match first_not_finite(numbers) {
            Some(at) => Err(overflow::<T>(
                format!("{}, in {what},", self.neuron(at)),
                numbers[at].as_f64(),
            )),
            None => Ok(()),
        }
    }

    fn check_per_weight(&self, what: &str, found: usize) -> Result<(), Error> {
        let remedy = "pass d m numbers, one neuron after the other, like `ExpNetwork::weights`";
        check_size(what, found, self.point.len(), remedy)
    }

    fn check_per_sample(&self, what: &str, found: usize) -> Result<(), Error> {
        check_size(what, found, self.samples(), "pass one number per sample")
    }

    /// The place of entry `at` of the weights.
    fn neuron(&self, at: usize) -> String {
        let d = self.dimension();
        format!("neuron {}, coordinate {}", at / d, at % d)
    }
}

fn not_finite<T: Float>(what: &'static str, value: T, place: String) -> Error {
    Error::NotFinite {
        what,
        value: value.as_f64(),
        place,
        remedy: "pass finite numbers",
    }
}

//! The loss of an exponential network ([`expnet::Objective`]) for the optimisers of [`argmin`], with `Vec` as the parameter vector.
//!
//! ```
//! use argmin::core::{Executor, State};
//! use argmin::solver::linesearch::MoreThuenteLineSearch;
//! use argmin::solver::quasinewton::LBFGS;
//! use expnet::{Dataset, Initializer, nalgebra::DMatrix};
//! use expnet_argmin::Problem;
//!
//! let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5, 0.25])?;
//! let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
//! let problem = Problem::new(&net, &data)?;
//! let start = problem.start();
//! let result = Executor::new(problem, LBFGS::new(MoreThuenteLineSearch::new(), 10))
//!     .configure(|state| state.param(start).max_iters(50).target_cost(1e-9))
//!     .run()?;
//! assert!(result.state().best_cost <= 1e-9);
//! let best = result.state().get_best_param().ok_or("no step was taken")?;
//! net.set_weights(DMatrix::from_column_slice(2, 64, best))?;
//! assert!(net.loss(&data)? <= 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | argmin | here |
//! |---|---|
//! | `CostFunction`, `Gradient` | [`Problem`]; both at one point cost one forward and one backward half |
//! | `Hessian` | [`Operator`], which multiplies vectors (`ArgminDot`): for `NewtonCG`, and for `TrustRegion` with `Steihaug` or `CauchyPoint` |

/// The README's example is tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

use argmin::core::{CostFunction, Error, Gradient, Hessian};
use argmin_math::ArgminDot;
use expnet::{Dataset, ExpNetwork, Float, Objective};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The loss of a network on data as a function of its weights: d m numbers, one neuron after the other.
#[derive(Debug)]
pub struct Problem<T: Float> {
    objective: Shared<T>,
    matrix: Matrix,
}

/// An objective moves to the point that it is asked about, and argmin asks through shared references.
type Shared<T> = Arc<Mutex<Objective<T>>>;

/// Which matrix stands for the second derivatives.
#[derive(Clone, Copy, Debug)]
enum Matrix {
    Hessian,
    GaussNewton,
}

fn lock<T: Float>(objective: &Mutex<Objective<T>>) -> MutexGuard<'_, Objective<T>> {
    objective.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Float> Problem<T> {
    /// The loss of `net` on `data`. Copies both.
    ///
    /// Errors: those of [`Objective::new`].
    pub fn new(net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Self, expnet::Error> {
        Ok(Self {
            objective: Arc::new(Mutex::new(Objective::new(net, data)?)),
            matrix: Matrix::Hessian,
        })
    }

    /// Gauss-Newton's matrix J^T J in place of the Hessian: it has no negative eigenvalues, and costs less.
    pub fn gauss_newton(mut self) -> Self {
        self.matrix = Matrix::GaussNewton;
        self
    }

    /// The weights at which the objective stands: before a run, those of the network.
    pub fn start(&self) -> Vec<T> {
        lock(&self.objective).point().to_vec()
    }
}

impl<T: Float> CostFunction for Problem<T> {
    type Param = Vec<T>;
    type Output = T;

    /// The loss; `inf` where it is out of range.
    fn cost(&self, w: &Vec<T>) -> Result<T, Error> {
        Ok(lock(&self.objective).value(w)?)
    }
}

impl<T: Float> Gradient for Problem<T> {
    type Param = Vec<T>;
    type Gradient = Vec<T>;

    /// The gradient; NaN where the loss is out of range.
    fn gradient(&self, w: &Vec<T>) -> Result<Vec<T>, Error> {
        let mut gradient = vec![T::zero(); w.len()];
        lock(&self.objective).value_and_gradient(w, &mut gradient)?;
        Ok(gradient)
    }
}

impl<T: Float> Hessian for Problem<T> {
    type Param = Vec<T>;
    type Hessian = Operator<T>;

    /// The Hessian at w as an operator. Costs nothing until it multiplies a vector.
    fn hessian(&self, w: &Vec<T>) -> Result<Operator<T>, Error> {
        Ok(Operator {
            objective: self.objective.clone(),
            matrix: self.matrix,
            point: w.as_slice().into(),
        })
    }
}

/// The Hessian at a point, or Gauss-Newton's matrix, which multiplies vectors without being formed.
#[derive(Clone)]
pub struct Operator<T: Float> {
    objective: Shared<T>,
    matrix: Matrix,
    point: Arc<[T]>,
}

impl<T: Float> Operator<T> {
    /// The product with a vector of d m numbers.
    ///
    /// Errors: a wrong length, numbers that are not finite, an overflow.
    pub fn product(&self, vector: &[T]) -> Result<Vec<T>, expnet::Error> {
        let mut product = vec![T::zero(); self.point.len()];
        let mut objective = lock(&self.objective);
        objective.value(&self.point)?;
        match self.matrix {
            Matrix::Hessian => objective.hessian_product(vector, &mut product)?,
            Matrix::GaussNewton => objective.gauss_newton_product(vector, &mut product)?,
        }
        Ok(product)
    }
}

impl<T: Float> ArgminDot<Vec<T>, Vec<T>> for Operator<T> {
    /// The product; NaN where [`product`](Operator::product) is an error, since argmin's products cannot fail.
    fn dot(&self, vector: &Vec<T>) -> Vec<T> {
        self.product(vector)
            .unwrap_or_else(|_| vec![T::lit(f64::NAN); self.point.len()])
    }
}

impl<T: Float> fmt::Debug for Operator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { matrix, point, .. } = self;
        write!(f, "Operator({matrix:?} at {} weights)", point.len())
    }
}

//! Regression with the limit kernel: what an infinitely wide network predicts.

use super::conjugate_gradient::ConjugateGradient;
use super::factor::{Factor, norm_1};
use super::flow::GradientFlow;
use super::limit::Limit;
use super::{degenerate_points, limit_kernel};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// The most points for which [`Solver::Auto`] makes an n x n matrix: 128 MiB.
const DIRECT: usize = 4096;

/// Regression with the limit kernel Hcts of given data: the network of infinite width, antisymmetric at its start.
///
/// [`ridge`](Self::ridge) is kernel ridge regression and [`gradient_flow`](Self::gradient_flow) training by gradient flow
/// for a time; both give a [`Fit`], which predicts. There is no intercept: scale points and labels first, as for a network
/// (see [`Scaling`](crate::Scaling)).
///
/// ```
/// use expnet::{Dataset, kernel::Predictor};
/// use nalgebra::{DMatrix, dmatrix};
///
/// let angles = DMatrix::from_fn(1, 24, |_, i| i as f64 * 0.26);
/// let points = DMatrix::from_fn(2, 24, |k, i| if k == 0 { angles[i].cos() } else { angles[i].sin() });
/// let labels = angles.map(|angle| (2.0 * angle).sin()).transpose().column(0).into_owned();
/// let predictor = Predictor::new(&Dataset::new(points, labels)?, 1.0)?;
///
/// let fit = predictor.ridge(1e-6)?;
/// let predicted = fit.predict(&dmatrix![0.3_f64.cos(); 0.3_f64.sin()])?;
/// assert!((predicted[0] - 0.6_f64.sin()).abs() < 1e-3);
///
/// let early = predictor.gradient_flow()?.at(0.1)?; // the same, stopped early
/// assert!(early.predict(&dmatrix![0.3_f64.cos(); 0.3_f64.sin()])?[0] < predicted[0]);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predictor {
    limit: Limit,
    labels: DVector<f64>,
    solver: Solver,
}

/// How [`Predictor::ridge`] solves its n x n system.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Solver {
    /// Cholesky up to 4096 points, conjugate gradients with their default settings beyond.
    #[default]
    Auto,
    /// A Cholesky factor, whose condition is estimated: n^3 / 3 flops, n^2 numbers.
    Cholesky,
    /// Conjugate gradients: 2 n^2 d flops and n^2 exponentials an iteration, O(n) numbers.
    ConjugateGradient(ConjugateGradient),
}

impl Predictor {
    /// The regression problem of `data`, with `std_dev` sigma as in [`limit_kernel`].
    ///
    /// Errors: a sigma that is negative or not finite, a point whose kernel overflows. Costs n d flops.
    pub fn new<T: Float>(data: &Dataset<T>, std_dev: f64) -> Result<Self, Error> {
        Ok(Self {
            limit: Limit::new(data.points(), std_dev)?,
            labels: data.labels().map(Float::as_f64),
            solver: Solver::default(),
        })
    }

    /// How to solve for [`ridge`](Self::ridge), by default [`Solver::Auto`].
    pub fn solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Kernel ridge regression: coefficients c = (Hcts + lambda I)^-1 y.
    ///
    /// `lambda` >= 0 is scikit-learn's `alpha`. A network of width m with a_r = +-1 that minimises
    /// 1/2 ||F - y||^2 + mu/2 ||W - W_0||^2 from an antisymmetric start tends to it for lambda = mu / m.
    ///
    /// Errors: a lambda that is negative or not finite; [`Error::Singular`] where Hcts + lambda I has a condition beyond
    /// 1 / (n epsilon), so that its least eigenvalue cannot be told from 0, with the points that make it so if some vanish
    /// or coincide; [`Error::NotConverged`] from conjugate gradients. For the cost see [`Solver`].
    pub fn ridge(&self, lambda: f64) -> Result<Fit, Error> {
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(Error::Setting {
                setting: "lambda",
                value: format!("{lambda:?}"),
                expected: "finite and at least 0",
            });
        }
        let (coefficients, iterations) = match self.solver {
            Solver::Auto if self.limit.samples() > DIRECT => {
                ConjugateGradient::default().solve(&self.limit, lambda, &self.labels)?
            }
            Solver::Auto | Solver::Cholesky => (self.by_cholesky(lambda)?, 0),
            Solver::ConjugateGradient(settings) => settings.solve(&self.limit, lambda, &self.labels)?,
        };
        Ok(Fit::new(self.limit.clone(), coefficients, iterations))
    }

    fn by_cholesky(&self, lambda: f64) -> Result<DVector<f64>, Error> {
        let mut matrix = limit_kernel(self.limit.points(), self.limit.std_dev())?;
        let n = matrix.nrows() as f64;
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += lambda;
        }
        // The 1-norm's condition is at most sqrt(n) ||Hcts||_1 / lambda: twice this lambda is safe however it is rounded.
        let least = n * n.sqrt() * f64::EPSILON * norm_1(&matrix);
        let factor = Factor::new(matrix);
        match factor {
            Some(factor) if factor.condition() * n * f64::EPSILON < 1.0 => Ok(factor.solve(&self.labels)),
            _ => Err(singular(
                &self.limit,
                "Hcts + lambda I",
                factor.map_or(f64::INFINITY, |factor| factor.condition()),
                format!("give a larger lambda; {:.0e} and more are safe", 2.0 * least),
            )),
        }
    }

    /// Gradient flow from F = 0, ready for any time. Costs an eigendecomposition, about 9 n^3 flops, and n^2 numbers.
    ///
    /// Errors: those of [`limit_kernel`], and [`Error::NotConverged`] from the eigenvalue iteration.
    pub fn gradient_flow(&self) -> Result<GradientFlow, Error> {
        let kernel = limit_kernel(self.limit.points(), self.limit.std_dev())?;
        GradientFlow::new(self.limit.clone(), &kernel, &self.labels)
    }
}

/// What [`Predictor`] fitted: f(x) = sum_i c_i Hcts(x_i, x).
#[derive(Clone, Debug)]
pub struct Fit {
    limit: Limit,
    coefficients: DVector<f64>,
    iterations: usize,
}

impl Fit {
    pub(super) fn new(limit: Limit, coefficients: DVector<f64>, iterations: usize) -> Self {
        Self {
            limit,
            coefficients,
            iterations,
        }
    }

    /// f at each column of `points` (d x k): k numbers.
    ///
    /// Costs 2 n d k flops and n k exponentials, in blocks of points on all threads.
    ///
    /// Errors: points of another dimension, points that are not finite, a kernel entry or a result that overflows.
    pub fn predict<T: Float>(&self, points: &DMatrix<T>) -> Result<DVector<f64>, Error> {
        self.limit.apply(points, &self.coefficients)
    }

    /// The coefficients c, one for each training point.
    pub fn coefficients(&self) -> &DVector<f64> {
        &self.coefficients
    }

    /// The iterations of conjugate gradients that it took, 0 for a direct solver.
    pub fn iterations(&self) -> usize {
        self.iterations
    }
}

/// The error for a matrix that is singular to working precision, with the points that make it so where there are some.
pub(super) fn singular(limit: &Limit, what: &'static str, condition: f64, remedy: String) -> Error {
    let degenerate = degenerate_points(limit.points());
    let cause = match degenerate.as_slice() {
        [] => "the points are close, or many, for this sigma".into(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more such points", rest.len()),
    };
    Error::Singular {
        what,
        condition,
        cause,
        remedy,
    }
}

//! Regression with the limit kernel: what an infinitely wide network predicts.

use super::fit::{Fit, singular};
use super::flow::GradientFlow;
use super::limit::Limit;
use super::solver::{ConjugateGradient, Solver};
use super::{limit_kernel, lower_limit_kernel};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::linalg::{Cholesky, norm_1};
use crate::setting::not_negative;
use nalgebra::DVector;

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
        not_negative("`lambda` of `Predictor::ridge`", lambda)?;
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
        let mut matrix = lower_limit_kernel(self.limit.points(), self.limit.std_dev())?;
        let n = matrix.nrows() as f64;
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += lambda;
        }
        // The 1-norm's condition is at most sqrt(n) ||Hcts||_1 / lambda: twice this lambda is safe however it is rounded.
        let norm = norm_1(&matrix);
        let least = n * n.sqrt() * f64::EPSILON * norm;
        let factor = Cholesky::new(matrix)?;
        let condition = factor
            .as_ref()
            .map_or(f64::INFINITY, |factor| norm * factor.inverse_norm_1());
        match factor {
            Some(factor) if condition * n * f64::EPSILON < 1.0 => Ok(factor.solve(&self.labels)),
            _ => Err(singular(
                &self.limit,
                "Hcts + lambda I",
                condition,
                format!("give a larger lambda; {:.0e} and more are safe", 2.0 * least),
            )),
        }
    }

    /// Gradient flow from F = 0, evaluable at any time. Costs an eigendecomposition, about 9 n^3 flops, and n^2 numbers.
    ///
    /// Errors: those of [`limit_kernel`], and [`Error::NotConverged`] from the eigenvalue iteration.
    pub fn gradient_flow(&self) -> Result<GradientFlow, Error> {
        let kernel = limit_kernel(self.limit.points(), self.limit.std_dev())?;
        GradientFlow::new(self.limit.clone(), &kernel, &self.labels)
    }
}

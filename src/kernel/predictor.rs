//! Regression with the limit kernel, that is with an infinitely wide network.

use super::fit::{Fit, singular};
use super::flow::GradientFlow;
use super::limit::Limit;
use super::roots::Roots;
use super::solver::{ConjugateGradient, Solver};
use super::{limit_kernel, pairs};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::linalg::{Cholesky, norm_1};
use crate::setting::{not_negative, require};
use nalgebra::DVector;

/// [`Solver::Auto`] forms an n x n matrix for up to this many points: 128 MiB.
const MAX_DIRECT: usize = 4096;

/// Regression with the limit kernel Hcts of given data: the infinitely wide network with an antisymmetric start.
///
/// [`ridge`](Self::ridge) is kernel ridge regression, and [`gradient_flow`](Self::gradient_flow) is training by
/// gradient flow for a given time. Both result in a [`Fit`], which predicts. There is no intercept: scale points and
/// labels first, as for a network (see [`Scaling`](crate::Scaling)). Samples count by their
/// [weights](Dataset::with_weights), if the data have any.
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
#[must_use]
pub struct Predictor {
    limit: Limit,
    /// R y.
    labels: DVector<f64>,
    solver: Solver,
}

impl Predictor {
    /// A regression problem with the points and labels of `data`; `std_dev` is sigma as in [`limit_kernel`]. Costs n d
    /// flops.
    ///
    /// Errors: a `std_dev` that is negative or not finite; a point whose kernel entry overflows, by itself or times its
    /// sample weight.
    pub fn new<T: Float>(data: &Dataset<T>, std_dev: f64) -> Result<Self, Error> {
        let mut limit = Limit::new(data.points(), std_dev)?;
        limit.roots = Roots::new(data);
        let labels = limit.roots.scale(data.labels().map(Float::as_f64));
        let diagonal = limit.diagonal();
        let mut sizes = diagonal.iter().zip(&labels);
        if let Some(i) = sizes.position(|(entry, label)| !(entry.is_finite() && label.is_finite())) {
            require(
                false,
                "a weight of `Dataset::with_weights`",
                format_args!("so large at sample {i} that its product with the kernel or the label overflows"),
                "smaller: divide all weights, and lambda, by the largest weight",
            )?;
        }
        Ok(Self {
            limit,
            labels,
            solver: Solver::default(),
        })
    }

    /// The solver for [`ridge`](Self::ridge), [`Solver::Auto`] by default.
    pub fn solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Kernel ridge regression: coefficients c = (Hcts + lambda I)^-1 y.
    ///
    /// ```text
    /// minimises     sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||^2          s_i = 1, or the sample weights, with which
    /// c = R (R Hcts R + lambda I)^-1 R y                                 R = diag(sqrt(s_i))
    /// ```
    ///
    /// `lambda` >= 0 is called `alpha` in scikit-learn. A network of width m with a_r = +-1 that minimises
    /// 1/2 ||F - y||^2 + mu/2 ||W - W_0||^2 (with the same sample weights) from an antisymmetric start approaches this fit for lambda = mu / m. For
    /// the cost see [`Solver`].
    ///
    /// Errors: a `lambda` that is negative or not finite; [`Error::Singular`] if the condition number of Hcts + lambda
    /// I exceeds 1 / (n epsilon), so that its smallest eigenvalue cannot be distinguished from 0 (points that vanish or
    /// coincide are named); [`Error::NotConverged`] from conjugate gradients.
    pub fn ridge(&self, lambda: f64) -> Result<Fit, Error> {
        not_negative("`lambda` of `Predictor::ridge`", lambda)?;
        let (coefficients, iterations) = match self.solver {
            Solver::Auto if self.limit.samples() > MAX_DIRECT => {
                ConjugateGradient::default().solve(&self.limit, lambda, &self.labels)?
            }
            Solver::Auto | Solver::Cholesky => (self.solve_directly(lambda)?, 0),
            Solver::ConjugateGradient(settings) => settings.solve(&self.limit, lambda, &self.labels)?,
        };
        let coefficients = self.limit.roots.scale(coefficients);
        Ok(Fit::new(self.limit.clone(), coefficients, iterations))
    }

    fn solve_directly(&self, lambda: f64) -> Result<DVector<f64>, Error> {
        let mut matrix = pairs::lower_triangle(self.limit.points(), self.limit.std_dev())?;
        self.limit.roots.scale_kernel(&mut matrix);
        let n = matrix.nrows() as f64;
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += lambda;
        }
        // The condition number in the 1-norm is at most sqrt(n) ||Hcts||_1 / lambda. Twice this lambda is safe however
        // it is rounded when printed.
        let norm = norm_1(&matrix);
        let smallest = n * n.sqrt() * f64::EPSILON * norm;
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
                format!("use a larger lambda; {:.0e} and above are safe", 2.0 * smallest),
            )),
        }
    }

    /// Gradient flow from F = 0, evaluable at any time. Costs an eigendecomposition of about 9 n^3 flops, and n^2
    /// numbers of memory.
    ///
    /// Errors: those of [`limit_kernel`]; [`Error::NotConverged`] from the eigenvalue iteration.
    pub fn gradient_flow(&self) -> Result<GradientFlow, Error> {
        let mut kernel = limit_kernel(self.limit.points(), self.limit.std_dev())?;
        self.limit.roots.scale_kernel(&mut kernel);
        kernel.fill_upper_triangle_with_lower_triangle();
        GradientFlow::new(self.limit.clone(), &kernel, &self.labels)
    }
}

//! Regression with a kernel: that of an infinitely wide network, or any other.

use super::fit::Fit;
use super::flow::GradientFlow;
use super::limit::Limit;
use super::modes::Modes;
use super::monomials::{MonomialFit, MonomialRidge, Singular};
use super::posterior::Posterior;
use super::roots::Roots;
use super::solver::{ConjugateGradient, Solver};
use super::spectrum::check_kernel;
use super::steps::GradientSteps;
use super::training_kernel::TrainingKernel;
use super::weighted_kernel::WeightedKernel;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::linalg::{Cholesky, norm_1};
use crate::numbers::check_finite;
use crate::setting::{not_negative, positive};
use nalgebra::{DMatrix, DVector};

/// [`Solver::Auto`] forms an n x n matrix for up to this many points: 128 MiB.
pub(crate) const MAX_DIRECT: usize = 4096;

/// Regression with the limit kernel Hcts of given data: the infinitely wide network with an antisymmetric start. Or with
/// any other kernel K ([`from_kernel`](Self::from_kernel)), such as that of a network.
///
/// | method | what it does | result |
/// |---|---|---|
/// | [`ridge`](Self::ridge) | kernel ridge regression | [`Fit`] |
/// | [`posterior`](Self::posterior) | the same, with covariances of the predictions | [`Posterior`] |
/// | [`gradient_flow`](Self::gradient_flow) | training by infinitely small steps | [`Fit`] at any time |
/// | [`gradient_descent`](Self::gradient_descent) | training by steps of a given size | [`Fit`] at any step |
///
/// There is no intercept: scale points and labels first, as for a network (see [`Scaling`](crate::Scaling)). Samples count
/// by their [weights](Dataset::with_weights), if the data have any.
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
    kernel: WeightedKernel,
    labels: DVector<f64>,
    /// F_0; `None` for 0.
    initial_outputs: Option<DVector<f64>>,
    solver: Solver,
}

impl Predictor {
    /// A regression problem with the points and labels of `data`; `std_dev` is sigma as in
    /// [`limit_kernel`](super::limit_kernel). Costs n d flops.
    ///
    /// Errors: a `std_dev` that is negative or not finite; a point whose kernel entry overflows, by itself or times its
    /// sample weight.
    pub fn new<T: Float>(data: &Dataset<T>, std_dev: f64) -> Result<Self, Error> {
        let kernel = TrainingKernel::Limit(Limit::new(data.points(), std_dev)?.into());
        Self::unweighted(kernel, data.labels().map(Float::as_f64)).weighted(data)
    }

    /// A regression problem with the `kernel` K (n x n) of n training points and their n `labels`.
    ///
    /// K may be [`empirical_kernel`](super::empirical_kernel) of a network, which then trains as its linearisation (see
    /// [`LinearizedNetwork`](super::LinearizedNetwork)), [`conjugate_kernel`](super::conjugate_kernel), or your own: any
    /// symmetric, positive semidefinite matrix. Fits predict by [`Fit::predict_from`] with the cross-kernel. Costs n^2
    /// comparisons.
    ///
    /// Errors: a matrix that is empty, not square, not exactly symmetric or not finite; not n labels, or labels that are
    /// not finite. A matrix with a negative eigenvalue is an error of `gradient_flow` and `gradient_descent`, and one of
    /// `ridge` unless lambda makes it positive definite.
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, kernel};
    /// use nalgebra::dmatrix;
    ///
    /// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
    /// let net = Initializer::new(2, 64).antisymmetric(true).build()?;
    /// let h = kernel::empirical_kernel(&net, data.points())?;
    /// let fit = kernel::Predictor::from_kernel(h, data.labels().clone())?.gradient_flow()?.at(2.0)?;
    ///
    /// let cross = kernel::empirical_cross_kernel(&net, data.points(), &dmatrix![0.8; 0.6])?; // 2 x 1
    /// let predicted = fit.predict_from(&cross)?; // 1 number
    /// assert!(predicted[0].abs() < 1.0);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn from_kernel(kernel: DMatrix<f64>, labels: DVector<f64>) -> Result<Self, Error> {
        check_kernel(&kernel)?;
        check_targets("label", &labels, kernel.nrows())?;
        Ok(Self::unweighted(TrainingKernel::Given(kernel.into()), labels))
    }

    fn unweighted(training: TrainingKernel, labels: DVector<f64>) -> Self {
        let roots = Roots::default();
        Self {
            kernel: WeightedKernel { training, roots },
            labels,
            initial_outputs: None,
            solver: Solver::default(),
        }
    }

    /// With the sample weights of `data`.
    pub(super) fn weighted<T: Float>(mut self, data: &Dataset<T>) -> Result<Self, Error> {
        self.kernel.roots = Roots::new(data);
        self.kernel.check_weights(&self.targets())?;
        Ok(self)
    }

    /// The outputs F_0 at the n training points before training, 0 by default: what is fitted is y - F_0.
    ///
    /// Fits then predict the change of the outputs. Add F_0 at the new points, for example
    /// [`net.forward`](crate::ExpNetwork::forward). A wide network with random signs at output scale 1/sqrt(m) approaches
    /// this sum, whatever F_0 it starts with. ([`LinearizedNetwork`](super::LinearizedNetwork) does both additions.) A
    /// second call replaces the first.
    ///
    /// Errors: not n outputs; an output, or a difference y - F_0, that is not finite; a difference that overflows times its
    /// sample weight.
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, kernel::Predictor};
    /// use nalgebra::dmatrix;
    ///
    /// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
    /// let net = Initializer::new(2, 1024).std_dev(0.5).output_scale(1.0 / 32.0).build()?;
    /// let predictor = Predictor::new(&data, 0.5)?.initial_outputs(&net.forward(data.points())?)?;
    /// let fit = predictor.gradient_flow()?.at(f64::INFINITY)?;
    ///
    /// let new = dmatrix![1.0, 0.8; 0.0, 0.6];
    /// let predicted = net.forward(&new)? + fit.predict(&new)?;
    /// assert!((predicted[0] - 1.0).abs() < 1e-12); // the label of that point
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn initial_outputs<T: Float>(mut self, outputs: &DVector<T>) -> Result<Self, Error> {
        let outputs = outputs.map(Float::as_f64);
        check_targets("initial output", &outputs, self.labels.len())?;
        if let Some(i) = (0..outputs.len()).find(|&i| !(self.labels[i] - outputs[i]).is_finite()) {
            return Err(Error::NotFinite {
                what: "a label minus its initial output",
                value: self.labels[i] - outputs[i],
                place: format!("point {i}"),
                remedy: "scale the labels (see `Scaling`), or use smaller initial weights",
            });
        }
        self.initial_outputs = Some(outputs);
        self.kernel.check_weights(&self.targets())?;
        Ok(self)
    }

    /// What is fitted: y - F_0.
    fn targets(&self) -> DVector<f64> {
        match &self.initial_outputs {
            Some(outputs) => &self.labels - outputs,
            None => self.labels.clone(),
        }
    }

    /// The solver for [`ridge`](Self::ridge), [`Solver::Auto`] by default.
    pub fn solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Kernel ridge regression: coefficients c = (K + lambda I)^-1 y, with K = Hcts or the given kernel.
    ///
    /// ```text
    /// minimises     sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||^2          s_i = 1, or the sample weights, with which
    /// c = R (R K R + lambda I)^-1 R y                                    R = diag(sqrt(s_i))
    /// ```
    ///
    /// `lambda` >= 0 is called `alpha` in scikit-learn. A network of width m with a_r = +-1 that minimises
    /// 1/2 ||F - y||^2 + mu/2 ||W - W_0||^2 (with the same sample weights) from an antisymmetric start approaches
    /// this fit for lambda = mu / m. For the cost see [`Solver`].
    ///
    /// Errors: a `lambda` that is negative or not finite; [`Error::Singular`] if the condition number of K + lambda
    /// I exceeds 1 / (n epsilon), so that its smallest eigenvalue cannot be distinguished from 0 (points that vanish or
    /// coincide are named); [`Error::NotConverged`] from conjugate gradients.
    pub fn ridge(&self, lambda: f64) -> Result<Fit, Error> {
        not_negative("`lambda` of `Predictor::ridge`", lambda)?;
        let right = self.kernel.roots.scale(self.targets());
        let (solution, iterations) = match self.solver {
            Solver::Auto if self.kernel.samples() > MAX_DIRECT => match self.monomial_ridge(lambda)? {
                Some((_, solution)) => (solution, 0),
                None => ConjugateGradient::default().solve(&self.kernel, lambda, &right)?,
            },
            Solver::Auto | Solver::Cholesky => (self.factor(lambda)?.solve(&right), 0),
            Solver::ConjugateGradient(settings) => settings.solve(&self.kernel, lambda, &right)?,
        };
        Ok(self.fit(solution, iterations))
    }

    /// Ridge regression with monomials for features, and (R K R + lambda I)^-1 R y, if the points have few coordinates.
    fn monomial_ridge(&self, lambda: f64) -> Result<Option<(MonomialRidge, DVector<f64>)>, Error> {
        let WeightedKernel { training, roots } = &self.kernel;
        let Some(limit) = training.limit() else {
            return Ok(None);
        };
        let ridge = MonomialRidge::new(limit, roots, lambda, &self.targets())?;
        ridge.transpose().map_err(|Singular { condition, smallest }| {
            let remedy = format!("use a larger lambda; {:.0e} and above are safe", 2.0 * smallest);
            training.singular(true, condition, remedy)
        })
    }

    /// The same, with what the posterior variances need.
    pub(crate) fn monomial_fit(&self, lambda: f64) -> Result<Option<MonomialFit>, Error> {
        let (Some(limit), Some((ridge, solution))) = (self.kernel.training.limit(), self.monomial_ridge(lambda)?)
        else {
            return Ok(None);
        };
        Ok(Some(MonomialFit {
            mean: self.fit(solution, 0),
            limit: limit.clone(),
            ridge,
        }))
    }

    /// The Gaussian process with covariance K as prior, given the labels with noise of variance `lambda`, or lambda / s_i
    /// with sample weights: the fit of [`ridge`](Self::ridge), with covariances. Costs a Cholesky factorisation of n^3 / 3
    /// flops and n^2 numbers, whatever the solver.
    ///
    /// Errors: a `lambda` that is negative or not finite; [`Error::Singular`] as for [`ridge`](Self::ridge).
    pub fn posterior(&self, lambda: f64) -> Result<Posterior, Error> {
        not_negative("`lambda` of `Predictor::posterior`", lambda)?;
        let factor = self.factor(lambda)?;
        let mean = self.fit(factor.solve(&self.kernel.roots.scale(self.targets())), 0);
        Ok(Posterior::new(self.kernel.clone(), factor, mean))
    }

    /// The fit with coefficients R times the `solution`.
    fn fit(&self, solution: DVector<f64>, iterations: usize) -> Fit {
        Fit::new(&self.kernel.training, self.kernel.roots.scale(solution), iterations)
    }

    /// The factor of R K R + lambda I.
    fn factor(&self, lambda: f64) -> Result<Cholesky, Error> {
        let mut matrix = self.kernel.lower_triangle()?;
        let n = matrix.nrows() as f64;
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += lambda;
        }
        // The condition number in the 1-norm is at most sqrt(n) ||K||_1 / lambda. Twice this lambda is safe however
        // it is rounded when printed.
        let norm = norm_1(&matrix);
        let smallest = n * n.sqrt() * f64::EPSILON * norm;
        let factor = Cholesky::new(matrix)?;
        let condition = factor
            .as_ref()
            .map_or(f64::INFINITY, |factor| norm * factor.inverse_norm_1());
        match factor {
            Some(factor) if condition * n * f64::EPSILON < 1.0 => Ok(factor),
            _ => Err(self.kernel.training.singular(
                true,
                condition,
                format!("use a larger lambda; {:.0e} and above are safe", 2.0 * smallest),
            )),
        }
    }

    /// Gradient flow from F = 0 (or F_0), evaluable at any time. Costs an eigendecomposition of about 9 n^3 flops, and n^2
    /// numbers of memory.
    ///
    /// Errors: those of [`limit_kernel`](super::limit_kernel); a given kernel with a negative eigenvalue;
    /// [`Error::NotConverged`] from the eigenvalue iteration.
    pub fn gradient_flow(&self) -> Result<GradientFlow, Error> {
        Ok(GradientFlow::new(Modes::new(&self.kernel, &self.targets())?))
    }

    /// Gradient descent with a constant `step_size` eta from F = 0 (or F_0), evaluable at any step. Steps of the network
    /// have size eta / m (for a_r = +-1; in general eta / sum_r a_r^2). Costs as much as
    /// [`gradient_flow`](Self::gradient_flow).
    ///
    /// Errors: a step size that is not positive and finite; those of [`gradient_flow`](Self::gradient_flow).
    pub fn gradient_descent(&self, step_size: f64) -> Result<GradientSteps, Error> {
        positive("`step_size` of `Predictor::gradient_descent`", step_size)?;
        let modes = Modes::new(&self.kernel, &self.targets())?;
        Ok(GradientSteps::new(modes, step_size))
    }
}

/// Checks n numbers, one per training point; `which` is the name of one.
fn check_targets(which: &'static str, numbers: &DVector<f64>, samples: usize) -> Result<(), Error> {
    if numbers.len() != samples {
        return Err(Error::Shape {
            what: format!("the number of {which}s"),
            expected: samples,
            found: numbers.len(),
            remedy: "give one per training point, that is, per row of the kernel",
        });
    }
    let what = if which == "label" {
        "a label"
    } else {
        "an initial output"
    };
    check_finite(what, numbers, "replace it with a finite number", |i, _| {
        format!("point {i}")
    })
}

//! Training in the basis of the kernel's eigenvectors, in which each component of the residual falls on its own.

use super::fit::Fit;
use super::spectrum::Spectrum;
use super::training_kernel::TrainingKernel;
use super::weighted_kernel::WeightedKernel;
use crate::error::Error;
use nalgebra::{DMatrix, DVector};

/// The largest relative error that eigenvalues lost in rounding may cause in the coefficients.
pub(super) const MAX_ERROR: f64 = 0.01;

/// R K R = V diag(lambda) V^T over the samples whose weight is not 0, R V and V^T R (y - F_0). R = I without weights.
#[derive(Clone, Debug)]
pub(super) struct Modes {
    kernel: TrainingKernel,
    spectrum: Spectrum,
    /// R V, n rows.
    vectors: DMatrix<f64>,
    components: DVector<f64>,
}

impl Modes {
    /// `targets` is y - F_0.
    ///
    /// Errors: those of the kernel; an eigenvalue iteration that does not converge; a given kernel with an eigenvalue far
    /// below 0.
    pub fn new(kernel: &WeightedKernel, targets: &DVector<f64>) -> Result<Self, Error> {
        let (spectrum, eigenvectors) = Spectrum::decompose(&kernel.counted()?)?;
        let (smallest, largest) = (spectrum.lambda_min(), spectrum.lambda_max());
        // Kernels computed in half the digits of f64 pass.
        if smallest < -f64::EPSILON.sqrt() * largest.max(0.0) {
            return Err(Error::Setting {
                setting: "the smallest eigenvalue of the kernel matrix",
                value: format!("{smallest:e}, while the largest is {largest:e}"),
                expected: "at least 0 up to rounding: kernels are positive semidefinite",
            });
        }
        let vectors = kernel.spread(eigenvectors);
        let components = vectors.tr_mul(targets);
        Ok(Self {
            kernel: kernel.training.clone(),
            spectrum,
            vectors,
            components,
        })
    }

    pub fn kernel(&self) -> &TrainingKernel {
        &self.kernel
    }

    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// Returns an error if K is singular and `time` is so long that it matters: `remedy` gets the longest time at which
    /// it does not.
    pub fn check_time(&self, time: f64, remedy: impl FnOnce(f64) -> String) -> Result<(), Error> {
        let resolution = self.spectrum.resolution();
        let full_rank = self.spectrum.rank() == self.components.len();
        if full_rank || time * resolution <= MAX_ERROR {
            return Ok(());
        }
        let condition = self.spectrum.condition();
        Err(self.kernel.singular(false, condition, remedy(MAX_ERROR / resolution)))
    }

    /// Whether an eigenvalue cannot be distinguished from 0.
    fn is_noise(&self, lambda: f64) -> bool {
        lambda <= self.spectrum.resolution()
    }

    /// The `factor` of each eigenvalue, or `at_zero` for those that cannot be distinguished from 0.
    fn factors(&self, at_zero: f64, factor: impl Fn(f64) -> f64) -> DVector<f64> {
        let of = |lambda| if self.is_noise(lambda) { at_zero } else { factor(lambda) };
        self.spectrum.eigenvalues().map(of)
    }

    /// The fit with coefficients R V diag(factors) V^T R (y - F_0).
    pub fn fit(&self, at_zero: f64, factor: impl Fn(f64) -> f64) -> Fit {
        let scaled = self.components.component_mul(&self.factors(at_zero, factor));
        Fit::new(&self.kernel, &self.vectors * scaled, 0)
    }

    /// ||V diag(decays) V^T R (y - F_0)||.
    pub fn residual_norm(&self, decay: impl Fn(f64) -> f64) -> f64 {
        self.components.component_mul(&self.factors(1.0, decay)).norm()
    }

    /// R V diag(factors) V^T R times a matrix.
    pub fn product(&self, matrix: &DMatrix<f64>, at_zero: f64, factor: impl Fn(f64) -> f64) -> DMatrix<f64> {
        let mut components = self.vectors.tr_mul(matrix);
        for mut column in components.column_iter_mut() {
            column.component_mul_assign(&self.factors(at_zero, &factor));
        }
        &self.vectors * components
    }
}

//! Eigenvalues of a kernel matrix.

use crate::error::Error;
use crate::linalg;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The spectrum of a symmetric kernel matrix, largest eigenvalue first.
///
/// The part of the residual along eigenvector k of H falls by the factor 1 - eta m lambda_k with each step of gradient descent,
/// as long as the kernel stays what it was: lambda_max sets the largest stable step, lambda_min the rate of the slowest
/// part, and their ratio, the condition, how many steps that takes.
///
/// Each eigenvalue is off by up to about [`resolution`](Self::resolution) = n epsilon lambda_max; smaller ones are noise,
/// and may come out negative.
///
/// ```
/// use expnet::kernel::Spectrum;
/// use nalgebra::dmatrix;
///
/// let spectrum = Spectrum::new(&dmatrix![2.0, 1.0; 1.0, 2.0])?;
/// assert!((spectrum.lambda_max() - 3.0).abs() < 1e-15 && (spectrum.lambda_min() - 1.0).abs() < 1e-15);
/// assert!((spectrum.condition() - 3.0).abs() < 1e-14);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Spectrum {
    eigenvalues: DVector<f64>,
    eigenvectors: Option<DMatrix<f64>>,
}

impl Spectrum {
    /// The eigenvalues of `kernel`, n x n and symmetric.
    ///
    /// Errors: a matrix that is empty, not square, not exactly symmetric or not finite. Costs 4/3 n^3 flops.
    pub fn new(kernel: &DMatrix<f64>) -> Result<Self, Error> {
        check(kernel)?;
        Ok(Self {
            eigenvalues: linalg::eigenvalues(kernel)?,
            eigenvectors: None,
        })
    }

    /// The eigenvalues and eigenvectors of `kernel`, n x n and symmetric.
    ///
    /// Errors: those of [`new`](Self::new), and [`Error::NotConverged`]. Costs about 9 n^3 flops.
    pub fn with_eigenvectors(kernel: &DMatrix<f64>) -> Result<Self, Error> {
        let (mut spectrum, eigenvectors) = Self::decompose(kernel)?;
        spectrum.eigenvectors = Some(eigenvectors);
        Ok(spectrum)
    }

    /// The eigenvalues, and apart from them the eigenvectors.
    pub(super) fn decompose(kernel: &DMatrix<f64>) -> Result<(Self, DMatrix<f64>), Error> {
        check(kernel)?;
        let (eigenvalues, eigenvectors) = linalg::eigen(kernel)?;
        let spectrum = Self {
            eigenvalues,
            eigenvectors: None,
        };
        Ok((spectrum, eigenvectors))
    }

    /// The n eigenvalues, largest first.
    pub fn eigenvalues(&self) -> &DVector<f64> {
        &self.eigenvalues
    }

    /// The eigenvectors, n x n, column k that of eigenvalue k; `None` after [`new`](Self::new).
    pub fn eigenvectors(&self) -> Option<&DMatrix<f64>> {
        self.eigenvectors.as_ref()
    }

    /// The largest eigenvalue.
    pub fn lambda_max(&self) -> f64 {
        self.eigenvalues[0]
    }

    /// The smallest eigenvalue, as computed: at a singular kernel it is of the size of the
    /// [`resolution`](Self::resolution), with either sign.
    pub fn lambda_min(&self) -> f64 {
        self.eigenvalues[self.eigenvalues.len() - 1]
    }

    /// The sum of the eigenvalues.
    pub fn trace(&self) -> f64 {
        self.eigenvalues.sum()
    }

    /// n epsilon lambda_max: what rounding alone makes of an eigenvalue that is 0.
    pub fn resolution(&self) -> f64 {
        self.eigenvalues.len() as f64 * f64::EPSILON * self.lambda_max().abs()
    }

    /// The number of eigenvalues above the [`resolution`](Self::resolution): what numpy's `matrix_rank` counts.
    pub fn rank(&self) -> usize {
        let resolution = self.resolution();
        self.eigenvalues.iter().filter(|&&value| value > resolution).count()
    }

    /// lambda_max / lambda_min; infinite where lambda_min cannot be told from 0, that is where the
    /// [`rank`](Self::rank) is below n.
    pub fn condition(&self) -> f64 {
        if self.rank() < self.eigenvalues.len() {
            return f64::INFINITY;
        }
        self.lambda_max() / self.lambda_min()
    }

    /// The number of directions that matter, from 1 to n: exp(-sum_k p_k ln p_k) with p_k = lambda_k / trace, as in Roy
    /// and Vetterli, *The effective rank* (2007). Equal eigenvalues count fully, negligible ones not at all; 0 for a
    /// kernel that is 0. Eigenvalues below 0 are taken as 0.
    ///
    /// ```
    /// # use expnet::kernel::Spectrum;
    /// # use nalgebra::{DMatrix, dmatrix};
    /// let equal = Spectrum::new(&DMatrix::identity(5, 5))?;
    /// assert!((equal.effective_rank() - 5.0).abs() < 1e-14);
    /// let alone = Spectrum::new(&dmatrix![1.0, 1.0; 1.0, 1.0])?;
    /// assert!((alone.effective_rank() - 1.0).abs() < 1e-12);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn effective_rank(&self) -> f64 {
        let largest = self.lambda_max();
        if largest <= 0.0 {
            return 0.0;
        }
        // Relative to the largest, so that the sum stays finite.
        let shares = || {
            self.eigenvalues
                .iter()
                .map(|&value| value / largest)
                .filter(|&share| share > 0.0)
        };
        let sum: f64 = shares().sum();
        let entropy: f64 = shares().map(|share| -share / sum * (share / sum).ln()).sum();
        entropy.exp()
    }
}

/// That a matrix has a real spectrum that can be computed.
fn check(kernel: &DMatrix<f64>) -> Result<(), Error> {
    if kernel.is_empty() {
        return Err(Error::Empty {
            what: "the kernel matrix",
            remedy: "give the n x n kernel of at least one point",
        });
    }
    if !kernel.is_square() {
        return Err(Error::Shape {
            what: "the number of columns of the kernel matrix".into(),
            expected: kernel.nrows(),
            found: kernel.ncols(),
            remedy: "a kernel matrix has a row and a column for each point",
        });
    }
    for (j, column) in kernel.column_iter().enumerate() {
        for (i, &value) in column.iter().enumerate() {
            if !value.is_finite() {
                return Err(Error::NotFinite {
                    what: "an entry of the kernel matrix",
                    value,
                    place: format!("row {i}, column {j}"),
                    remedy: "give finite numbers",
                });
            }
            if value != kernel[(j, i)] {
                return Err(Error::Setting {
                    setting: "the kernel matrix",
                    value: format!("{value:e} at ({i}, {j}) and {:e} at ({j}, {i})", kernel[(j, i)]),
                    expected: "symmetric, number for number; mirror one triangle if rounding makes them differ",
                });
            }
        }
    }
    Ok(())
}

//! Eigenvalues of a kernel matrix.

use crate::error::Error;
use crate::exact::{self, Number};
use crate::linalg;
use nalgebra::{DMatrix, DVector, DVectorView};
use serde::{Serialize, Serializer};

/// The spectrum of a symmetric kernel matrix, largest eigenvalue first.
///
/// As long as the kernel H does not change, each step of gradient descent multiplies the component of the residual
/// along eigenvector k by 1 - eta m lambda_k. So lambda_max determines the largest stable step size, lambda_min the
/// rate of the slowest component, and their ratio, the condition number, how many steps that component takes.
///
/// The error of each eigenvalue is up to about [`resolution`](Self::resolution) = n epsilon lambda_max; smaller
/// eigenvalues are noise and may come out negative.
///
/// Serialises as `{"eigenvalues": [...], "eigenvectors": [[...], ...]}`, one list per eigenvector or `null`, with every
/// number exact: one that JSON lacks is text, as in `"inf"`.
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
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Spectrum {
    #[serde(serialize_with = "list")]
    eigenvalues: DVector<f64>,
    #[serde(serialize_with = "lists")]
    eigenvectors: Option<DMatrix<f64>>,
}

impl Spectrum {
    /// Computes the eigenvalues of `kernel`, n x n and symmetric. Costs 4/3 n^3 flops.
    ///
    /// Errors: a matrix that is empty, not square, not exactly symmetric or not finite.
    pub fn new(kernel: &DMatrix<f64>) -> Result<Self, Error> {
        check_kernel(kernel)?;
        Ok(Self {
            eigenvalues: linalg::eigenvalues(kernel)?,
            eigenvectors: None,
        })
    }

    /// Computes the eigenvalues and eigenvectors of `kernel`, n x n and symmetric. Costs about 9 n^3 flops.
    ///
    /// Errors: those of [`new`](Self::new); [`Error::NotConverged`].
    pub fn with_eigenvectors(kernel: &DMatrix<f64>) -> Result<Self, Error> {
        let (mut spectrum, eigenvectors) = Self::decompose(kernel)?;
        spectrum.eigenvectors = Some(eigenvectors);
        Ok(spectrum)
    }

    /// The eigenvalues and, separately, the eigenvectors.
    pub(super) fn decompose(kernel: &DMatrix<f64>) -> Result<(Self, DMatrix<f64>), Error> {
        check_kernel(kernel)?;
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

    /// The eigenvectors, n x n: column k belongs to eigenvalue k. `None` after [`new`](Self::new).
    pub fn eigenvectors(&self) -> Option<&DMatrix<f64>> {
        self.eigenvectors.as_ref()
    }

    /// The largest eigenvalue.
    pub fn lambda_max(&self) -> f64 {
        self.eigenvalues[0]
    }

    /// The smallest eigenvalue as computed: for a singular kernel it is of the order of the
    /// [`resolution`](Self::resolution), with either sign.
    pub fn lambda_min(&self) -> f64 {
        self.eigenvalues[self.eigenvalues.len() - 1]
    }

    /// The sum of the eigenvalues.
    pub fn trace(&self) -> f64 {
        self.eigenvalues.sum()
    }

    /// n epsilon lambda_max, the order of magnitude of an eigenvalue that would be 0 without rounding.
    pub fn resolution(&self) -> f64 {
        self.eigenvalues.len() as f64 * f64::EPSILON * self.lambda_max().abs()
    }

    /// The number of eigenvalues above the [`resolution`](Self::resolution), as in NumPy's `matrix_rank`.
    pub fn rank(&self) -> usize {
        let resolution = self.resolution();
        self.eigenvalues.iter().filter(|&&value| value > resolution).count()
    }

    /// The condition number lambda_max / lambda_min; infinite if lambda_min cannot be distinguished from 0, that is if
    /// the [`rank`](Self::rank) is below n.
    pub fn condition(&self) -> f64 {
        if self.rank() < self.eigenvalues.len() {
            return f64::INFINITY;
        }
        self.lambda_max() / self.lambda_min()
    }

    /// The effective number of dimensions, from 1 to n: exp(-sum_k p_k ln p_k) with p_k = lambda_k / trace, as in Roy
    /// and Vetterli, *The effective rank* (2007). Equal eigenvalues count fully and negligible ones not at all. 0 for a
    /// zero kernel; negative eigenvalues count as 0.
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

fn list<S: Serializer>(numbers: &DVector<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    exact::numbers::serialize(numbers.as_slice(), serializer)
}

/// One list per column.
#[allow(clippy::ref_option)] // serde requires this signature
fn lists<S: Serializer>(columns: &Option<DMatrix<f64>>, serializer: S) -> Result<S::Ok, S::Error> {
    let list = |column: DVectorView<'_, f64>| column.iter().copied().map(Number::of).collect::<Vec<_>>();
    let lists = columns
        .as_ref()
        .map(|columns| columns.column_iter().map(list).collect::<Vec<_>>());
    lists.serialize(serializer)
}

/// Returns an error unless the matrix is a kernel of at least one point: square, finite and exactly symmetric.
pub(super) fn check_kernel(kernel: &DMatrix<f64>) -> Result<(), Error> {
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
            remedy: "give one row and one column per point",
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
                    expected: "exactly symmetric; mirror one triangle if rounding has made them differ",
                });
            }
        }
    }
    Ok(())
}

//! Saving and loading a fit.

use super::fit::Fit;
use super::limit::Limit;
use crate::error::Error;
use crate::numbers::check_finite;
use crate::storage::tensors::{Tensor, TensorFile, save};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::path::Path;

const KIND: &str = "kernel fit";

/// The names of the tensors, which are always f64.
pub(crate) const COEFFICIENTS: &str = "coefficients";
pub(crate) const POINTS: &str = "points";

/// Everything but the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Sigma of the limit kernel; `None` for a kernel given by the caller, whose points are not known.
    std_dev: Option<f64>,
    iterations: usize,
}

impl Fit {
    /// Saves the fit bit for bit in the format of [`ExpNetwork::save`](crate::ExpNetwork::save), of `kind`
    /// `"kernel fit"`.
    ///
    /// | tensor | shape | content |
    /// |---|---|---|
    /// | `coefficients` | n | c |
    /// | `points` | n x d, in C order | the training points, one per row; none for a kernel given to `Predictor::from_kernel` |
    ///
    /// Both are `F64`. The JSON object in the metadata also has `std_dev`, which is sigma (`null` for a given kernel), and
    /// `iterations`. In Python, with the tensors `c` and `X`, and `x` for new points (k x d):
    ///
    /// ```python
    /// squares = ((X[:, None, :] + x[None, :, :]) ** 2).sum(-1)  # n x k
    /// f = (X @ x.T * np.exp(sigma**2 * squares / 2)).T @ c
    /// ```
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("expnet-doc-fit-{}", std::process::id()));
    /// use expnet::{Dataset, kernel};
    ///
    /// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[1.0, -1.0])?;
    /// let fit = kernel::Predictor::new(&data, 0.5)?.ridge(0.1)?;
    /// fit.save(&path)?;
    /// let loaded = kernel::Fit::load(&path)?;
    /// assert_eq!(loaded.predict(data.points())?, fit.predict(data.points())?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: [`Error::Io`]; an existing file at `path` is then left untouched.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let document = Document {
            std_dev: self.limit.as_ref().map(|limit| limit.std_dev()),
            iterations: self.iterations,
        };
        save(path.as_ref(), KIND, document, &self.tensors())
    }

    /// Loads a fit saved by [`save`](Self::save), or by another program in the same format. Verifies the checksums if the
    /// file has them.
    ///
    /// Errors: [`Error::Io`]; [`Error::Format`] for a file of another kind or version, for shapes that do not match, for
    /// numbers that are not finite, for points whose kernel overflows, and for a file that is cut short or damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut file = TensorFile::open(path.as_ref(), KIND, &[COEFFICIENTS, POINTS])?;
        let Document { std_dev, iterations } = file.document()?;
        Self::read(&mut file, std_dev, iterations)
    }

    /// The coefficients, and the points if they are known.
    pub(crate) fn tensors(&self) -> Vec<Tensor<'_>> {
        let coefficients = self.coefficients.as_slice();
        let mut tensors = vec![Tensor::new(COEFFICIENTS, &[coefficients.len()], coefficients)];
        if let Some(limit) = &self.limit {
            let points = limit.points();
            let shape = [points.ncols(), points.nrows()];
            tensors.push(Tensor::new(POINTS, &shape, points.as_slice()));
        }
        tensors
    }

    /// Reads what [`tensors`](Self::tensors) wrote.
    pub(crate) fn read(file: &mut TensorFile, std_dev: Option<f64>, iterations: usize) -> Result<Self, Error> {
        let [samples] = file.shape(COEFFICIENTS)?;
        let coefficients = DVector::from_vec(file.numbers(COEFFICIENTS, &[samples])?);
        let limit = match std_dev {
            Some(std_dev) => Some(read_limit(file, samples, std_dev)?.into()),
            None if file.shape::<2>(POINTS).is_ok() => {
                return Err(file.invalid("it has points, but no `std_dev` of their kernel"));
            }
            None => None,
        };
        if samples == 0 {
            return Err(file.invalid("it has no coefficients"));
        }
        let place = |i, _| format!("point {i}");
        check_finite("a coefficient", &coefficients, "save a fit without it", place)
            .map_err(|error| file.invalid(format!("its fit is invalid: {error}")))?;
        Ok(Self {
            limit,
            coefficients,
            iterations,
        })
    }
}

fn read_limit(file: &mut TensorFile, samples: usize, std_dev: f64) -> Result<Limit, Error> {
    let [_, dimension] = file.shape(POINTS)?;
    let points = file.numbers::<f64>(POINTS, &[samples, dimension])?;
    Limit::new(&DMatrix::from_vec(dimension, samples, points), std_dev)
        .map_err(|error| file.invalid(format!("its kernel is invalid: {error}")))
}

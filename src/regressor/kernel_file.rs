//! Saving and loading a regressor of infinite width.

use super::kernel::{KernelRegressor, Solution};
use crate::error::Error;
use crate::float::Float;
use crate::kernel::{LowRank, MonomialFit, Posterior, TENSORS};
use crate::scaling::{self, LENGTHS, MEANS, STD_DEVS, Scaling};
use crate::selection::Selection;
use crate::storage::tensors::{TensorFile, save};
use serde::{Deserialize, Serialize};
use std::path::Path;

const KIND: &str = "kernel regressor";

/// Everything but the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    solution: Kind,
    /// Sigma.
    std_dev: f64,
    variance: f64,
    scaling: scaling::Document,
    selection: Selection,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Exact,
    Monomials,
    LowRank,
}

impl Document {
    fn check(&self) -> Result<(), String> {
        let lambda = self.selection.lambda();
        for (name, number, valid) in [
            ("std_dev", self.std_dev, self.std_dev > 0.0),
            ("lambda", lambda, lambda > 0.0),
            ("variance", self.variance, self.variance >= 0.0),
        ] {
            if !(valid && number.is_finite()) {
                return Err(format!(
                    "its `{name}` is {number:?}, which should be positive and finite"
                ));
            }
        }
        Ok(())
    }
}

impl<T: Float> KernelRegressor<T> {
    /// Saves the regressor in one safetensors file, with what its standard deviations need. After [`load`](Self::load),
    /// predictions and standard deviations are the same, bit for bit.
    ///
    /// All tensors are `F64`, in C order. The file has 8 n^2 bytes and more, with n = 1024 for more than 4096 samples, or
    /// 8 (d n + N^2) where few columns allow N monomials instead.
    ///
    /// | tensor | shape | content |
    /// |---|---|---|
    /// | `scaling.means`, `scaling.std_devs`, `scaling.lengths` | raw columns | as in [`ExpRegressor::save`](crate::ExpRegressor::save) |
    /// | `points` | n x d | the scaled training points, or the centres, one per row |
    /// | `coefficients` | n | c: the prediction is sum_i c_i K(x_i, x), in scaled units |
    /// | `factor` | n x n | the upper triangular U: U^T U = R K R + lambda I; with centres, U^T U = B B^T + lambda I for B = V^T K(centres, X) R; N x N for N monomials: U^T U = Phi R^2 Phi^T + lambda I |
    /// | `weight_roots` | n | R: the roots of the sample weights, if there are any |
    /// | `whitening` | n x n | with centres: V, upper triangular, with V V^T = K^-1 up to a jitter |
    ///
    /// The JSON object under the key `expnet` has `version` and `tensor_checksums` as in
    /// [`ExpNetwork::save`](crate::ExpNetwork::save), `kind` is `kernel regressor`, and
    ///
    /// | key | content |
    /// |---|---|
    /// | `solution` | `exact`, `low_rank` with centres, or `monomials` for more than 4096 samples in few columns (`exact` but for the rounding) |
    /// | `std_dev` | sigma |
    /// | `variance` | t^2 of [`predict_with_std`](Self::predict_with_std) |
    /// | `scaling`, `selection` | as in [`ExpRegressor::save`](crate::ExpRegressor::save); lambda is `selection.lambda` |
    ///
    /// In Python, with `x` for k new points scaled as there (k x d), predictions and standard deviations are
    ///
    /// ```python
    /// def kernel(a, b):
    ///     return a @ b.T * np.exp(sigma**2 * ((a[:, None] + b[None]) ** 2).sum(-1) / 2)
    /// cross = kernel(points, x)                                                    # n x k
    /// y = label_mean + label_std_dev * (coefficients @ cross)
    /// prior = np.array([kernel(p[None], p[None])[0, 0] for p in x])
    /// if solution == "exact":
    ///     half = np.linalg.solve(factor.T, weight_roots[:, None] * cross)          # without weights: cross
    ///     var = prior - (half**2).sum(0)
    /// elif solution == "low_rank":
    ///     b = whitening.T @ cross
    ///     var = prior - (b**2).sum(0) + lam * (np.linalg.solve(factor.T, b)**2).sum(0)
    /// std = label_std_dev * np.sqrt(variance * (lam + var))
    /// ```
    ///
    /// With `monomials`, predictions are the same; standard deviations need the features Phi, which this snippet does not compute.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("expnet-doc-kernel-regressor-{}", std::process::id()));
    /// use expnet::{Dataset, KernelRegressor};
    ///
    /// let rows: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i) / 10.0]).collect();
    /// let labels: Vec<f64> = rows.iter().map(|[x]| x.sin()).collect();
    /// let data = Dataset::from_rows(&rows, &labels)?;
    /// let model = KernelRegressor::fit(&data)?;
    /// model.save(&path)?;
    /// let loaded = KernelRegressor::<f64>::load(&path)?;
    /// assert_eq!(loaded.predict_with_std(&data)?, model.predict_with_std(&data)?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: [`Error::Io`]; an existing file at `path` is then left untouched; no memory for a copy of n x n numbers.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let (solution, parts, triangles) = match &self.solution {
            Solution::Exact(posterior) => (Kind::Exact, posterior.tensors(), posterior.triangles()?),
            Solution::Monomials(fit) => (Kind::Monomials, fit.tensors(), fit.triangles()?),
            Solution::LowRank(low_rank) => (Kind::LowRank, low_rank.tensors(), low_rank.triangles()?),
        };
        let document = Document {
            solution,
            std_dev: self.std_dev,
            variance: self.variance,
            scaling: self.scaling.document(),
            selection: self.selection.clone(),
        };
        let columns = self.scaling.columns();
        let tensors: Vec<_> = Scaling::tensors(&columns)
            .into_iter()
            .chain(parts)
            .chain(triangles.iter().map(|triangle| triangle.tensor()))
            .collect();
        save(path.as_ref(), KIND, document, &tensors)
    }

    /// Loads a regressor saved by [`save`](Self::save). All that a file holds is `F64`, so that any scalar type loads it;
    /// with that of the regressor that was saved, predictions are the same, bit for bit.
    ///
    /// Errors: [`Error::Io`]; [`Error::Format`] for a file of another kind or version, for shapes that do not match, for
    /// numbers out of range, for points whose kernel overflows, and for a file that is cut short or damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let tensors: Vec<&str> = [MEANS, STD_DEVS, LENGTHS].into_iter().chain(TENSORS).collect();
        let mut file = TensorFile::open(path.as_ref(), KIND, &tensors)?;
        let document: Document = file.document()?;
        document.check().map_err(|problem| file.invalid(problem))?;
        let Document {
            solution,
            std_dev,
            variance,
            scaling,
            selection,
        } = document;
        let scaling = Scaling::read(&mut file, scaling)?;
        let solution = match solution {
            Kind::Exact => Solution::Exact(Posterior::read(&mut file, std_dev)?),
            Kind::Monomials => Solution::Monomials(MonomialFit::read(&mut file, std_dev, selection.lambda())?),
            Kind::LowRank => Solution::LowRank(LowRank::read(&mut file, std_dev, selection.lambda())?),
        };
        let (scaled, found) = (scaling.scaled_dimension(), solution.fit().dimension());
        if found != Some(scaled) {
            return Err(file.invalid(format!(
                "its scaling produces points of dimension {scaled}, but its training points have dimension {}",
                found.unwrap_or(0)
            )));
        }
        Ok(Self {
            solution,
            problems: scaling.problems(),
            scaling,
            selection,
            std_dev,
            variance,
            scalar: std::marker::PhantomData,
        })
    }
}

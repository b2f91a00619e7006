//! Saving and loading a regressor.

use super::exp::ExpRegressor;
use crate::error::Error;
use crate::float::Float;
use crate::network::{ExpNetwork, OUTPUT_WEIGHTS, WEIGHTS};
use crate::report::FitReport;
use crate::scaling::{self, LENGTHS, MEANS, STD_DEVS, Scaling};
use crate::selection::Selection;
use crate::storage::tensors::{TensorFile, save};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything but the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Float")]
struct Document<T> {
    scaling: scaling::Document,
    selection: Selection,
    report: FitReport<T>,
}

impl<T: Float> ExpRegressor<T> {
    /// Saves the network, scaling and report in one safetensors file. After [`load`](Self::load), predictions are the
    /// same, bit for bit.
    ///
    /// The tensors are those of [`ExpNetwork::save`], plus `scaling.means`, `scaling.std_devs` and `scaling.lengths`, which are
    /// always `F64` with one entry per raw coordinate; a standard deviation of 0 marks a column that is left out. The JSON
    /// object under the key `expnet` has `version` and `tensor_checksums` as in [`ExpNetwork::save`], `kind` is
    /// `regressor`, and
    ///
    /// | key | content |
    /// |---|---|
    /// | `scaling` | `options`: the switches `standardise`, `bias`, `unit_sphere`, `labels`, and `beta` and `clip`, each or null; |
    /// | | `label_mean`, `label_std_dev`; `columns`, the names of the raw columns or null |
    /// | `selection` | the [`Selection`] |
    /// | `report` | the [`FitReport`]; floats that are not finite are strings |
    ///
    /// In Python, the prediction with all switches on is
    ///
    /// ```python
    /// kept = std_devs > 0                                       # constant columns are left out
    /// x = (raw[:, kept] - means[kept]) / std_devs[kept]         # standardise
    /// x = np.clip(x, -clip, clip) / lengths[kept]               # clip, length scales
    /// bias = (beta or 1) * np.sqrt(max(x.shape[1], 1))
    /// x = np.hstack([x, np.full((len(x), 1), bias)])            # bias
    /// x = x / np.linalg.norm(x, axis=1, keepdims=True)          # unit_sphere
    /// y = label_mean + label_std_dev * (np.exp(x @ W.T) @ a)    # labels
    /// ```
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("expnet-doc-regressor-{}", std::process::id()));
    /// use expnet::{Dataset, ExpRegressor};
    ///
    /// let rows: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i) / 10.0]).collect();
    /// let labels: Vec<f64> = rows.iter().map(|[x]| x.sin()).collect();
    /// let data = Dataset::from_rows(&rows, &labels)?;
    /// let model = ExpRegressor::options().width(128).fit(&data)?;
    /// model.save(&path)?;
    /// let loaded = ExpRegressor::<f64>::load(&path)?;
    /// assert_eq!(loaded.predict(data.points())?, model.predict(data.points())?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors: [`Error::Io`]; an existing file at `path` is then left untouched.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let document = Document {
            scaling: self.scaling.document(),
            selection: self.selection.clone(),
            report: self.report.clone(),
        };
        let columns = self.scaling.columns();
        // f64 tensors come before those that may be f32, so that all numbers are aligned.
        let tensors: Vec<_> = Scaling::tensors(&columns)
            .into_iter()
            .chain(self.network.tensors())
            .collect();
        save(path.as_ref(), "regressor", document, &tensors)
    }

    /// Loads a regressor saved by [`save`](Self::save).
    ///
    /// Errors: those of [`ExpNetwork::load`], and [`Error::Format`] for an invalid scaling or report.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut file = TensorFile::open(
            path.as_ref(),
            "regressor",
            &[WEIGHTS, OUTPUT_WEIGHTS, MEANS, STD_DEVS, LENGTHS],
        )?;
        let Document {
            scaling,
            selection,
            report,
        } = file.document()?;
        let scaling = Scaling::read(&mut file, scaling)?;
        let network = ExpNetwork::read(&mut file)?;
        let scaled = scaling.scaled_dimension();
        if network.dimension() != scaled {
            let found = network.dimension();
            return Err(file.invalid(format!(
                "its scaling produces points of dimension {scaled}, but its network has dimension {found}"
            )));
        }
        Ok(Self {
            network,
            scaling,
            selection,
            report,
        })
    }
}

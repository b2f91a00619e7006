//! Saving and loading a scaling.

use super::moments::MeanAndStd;
use super::{Scaling, ScalingOptions};
use crate::error::Error;
use crate::setting::require;
use crate::storage::tensors::{Tensor, TensorFile};
use serde::{Deserialize, Serialize};

/// The names of the tensors, which are always f64.
pub(crate) const MEANS: &str = "scaling.means";
pub(crate) const STD_DEVS: &str = "scaling.std_devs";
pub(crate) const LENGTHS: &str = "scaling.lengths";

/// Everything but the tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    options: ScalingOptions,
    label_mean: f64,
    label_std_dev: f64,
    /// The names of the raw columns.
    columns: Option<Vec<String>>,
}

impl Scaling {
    pub(crate) fn document(&self) -> Document {
        Document {
            options: self.options,
            label_mean: self.labels.mean,
            label_std_dev: self.labels.std_dev,
            columns: self.names.clone(),
        }
    }

    /// Means, standard deviations and lengths of the columns.
    pub(crate) fn columns(&self) -> [Vec<f64>; 3] {
        let of = |part: fn(&MeanAndStd) -> f64| self.columns.iter().map(part).collect();
        [
            of(|column| column.mean),
            of(|column| column.std_dev),
            self.lengths.clone(),
        ]
    }

    pub(crate) fn tensors([means, std_devs, lengths]: &[Vec<f64>; 3]) -> [Tensor<'_>; 3] {
        [(MEANS, means), (STD_DEVS, std_devs), (LENGTHS, lengths)]
            .map(|(name, numbers)| Tensor::new(name, &[numbers.len()], numbers))
    }

    pub(crate) fn read(file: &mut TensorFile, document: Document) -> Result<Self, Error> {
        let [dimension] = file.shape(MEANS)?;
        let means = file.numbers::<f64>(MEANS, &[dimension])?;
        let std_devs = file.numbers::<f64>(STD_DEVS, &[dimension])?;
        let lengths = file.numbers::<f64>(LENGTHS, &[dimension])?;
        let columns = means.into_iter().zip(std_devs);
        let scaling = Self {
            options: document.options,
            columns: columns.map(|(mean, std_dev)| MeanAndStd { mean, std_dev }).collect(),
            labels: MeanAndStd {
                mean: document.label_mean,
                std_dev: document.label_std_dev,
            },
            lengths,
            names: document.columns,
        };
        scaling
            .check_settings()
            .map_err(|error| file.invalid(format!("its scaling is invalid: {error}")))?;
        Ok(scaling)
    }

    /// Checks that `fit` could have returned this scaling. Its options were checked when they were read.
    pub(super) fn check_settings(&self) -> Result<(), Error> {
        self.check_lengths()?;
        for (k, column) in self.columns.iter().enumerate() {
            require(
                column.is_valid(self.options.standardise),
                "`mean` and `std_dev` of `Scaling`",
                format_args!("{:?} and {:?} for column {k}", column.mean, column.std_dev),
                "finite, with a `std_dev` that is positive (or 0 for a constant column), or 0 and 1 if that step is off",
            )?;
        }
        let MeanAndStd { mean, std_dev } = self.labels;
        require(
            self.labels.is_valid(self.options.labels) && std_dev > 0.0,
            "`mean` and `std_dev` of `Scaling`",
            format_args!("{mean:?} and {std_dev:?} for the labels"),
            "finite, with a positive `std_dev`, or 0 and 1 if that step is off",
        )?;
        self.check_coordinates()?;
        match &self.names {
            Some(names) if names.len() != self.columns.len() => Err(Error::Shape {
                what: "the number of column names".into(),
                expected: self.columns.len(),
                found: names.len(),
                remedy: "give one name per column",
            }),
            _ => Ok(()),
        }
    }
}

impl MeanAndStd {
    /// Whether a scaling that has this step on or off can hold these numbers.
    fn is_valid(&self, on: bool) -> bool {
        let valid = self.mean.is_finite() && self.std_dev.is_finite() && self.std_dev >= 0.0;
        valid && (on || *self == Self::IDENTITY)
    }
}

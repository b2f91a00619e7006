//! Which steps a scaling takes.

use super::Scaling;
use super::moments::MeanAndStd;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::setting::{checked_serde, positive};
use serde::{Deserialize, Serialize};

/// Which steps of a [`Scaling`] to apply. By default all of them.
///
/// ```
/// use expnet::{Dataset, Scaling};
///
/// let data = Dataset::from_rows(&[[1.0], [3.0]], &[5.0, 6.0])?;
/// let scaling = Scaling::options().unit_sphere(false).fit(&data)?;
/// assert_eq!(scaling.apply(&data)?.points().as_slice(), [-1.0, 1.0, 1.0, 1.0]);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches")]
#[must_use]
pub struct ScalingOptions {
    pub(super) standardise: bool,
    pub(super) bias: bool,
    beta: Option<f64>,
    pub(super) clip: Option<f64>,
    pub(super) unit_sphere: bool,
    pub(super) labels: bool,
}

checked_serde!(ScalingOptions);

impl Default for ScalingOptions {
    fn default() -> Self {
        Self {
            standardise: true,
            bias: true,
            beta: None,
            clip: Some(3.0),
            unit_sphere: true,
            labels: true,
        }
    }
}

impl ScalingOptions {
    /// Whether to standardise the columns, and to leave out those that are constant. Defaults to `true`.
    pub fn standardise(mut self, on: bool) -> Self {
        self.standardise = on;
        self
    }

    /// Whether to append the bias coordinate. Defaults to `true`.
    pub fn bias(mut self, on: bool) -> Self {
        self.bias = on;
        self
    }

    /// The bias coordinate is beta sqrt(d), with d the number of columns that are not left out; positive and finite. 1 by default,
    /// except that a regressor chooses beta by itself unless it is given.
    pub fn beta(mut self, beta: f64) -> Self {
        self.beta = Some(beta);
        self
    }

    /// The largest absolute value of a standardised coordinate: positive, 3 by default. Larger ones are set to it; `None` sets
    /// no limit. Without standardising there is nothing to limit.
    pub fn clip(mut self, limit: impl Into<Option<f64>>) -> Self {
        self.clip = limit.into();
        self
    }

    /// Whether to scale each point to unit length. Defaults to `true`.
    ///
    /// Without the bias coordinate, a point that is 0 has no direction and is an error.
    pub fn unit_sphere(mut self, on: bool) -> Self {
        self.unit_sphere = on;
        self
    }

    /// Whether to centre and scale the labels. Defaults to `true`.
    pub fn labels(mut self, on: bool) -> Self {
        self.labels = on;
        self
    }

    /// Learns the means and standard deviations of the training data.
    ///
    /// Errors: [`Error::Column`] if all columns are constant and left out, and there is no bias coordinate either; a beta or a
    /// limit that is not positive and finite.
    pub fn fit<T: Float>(&self, train: &Dataset<T>) -> Result<Scaling, Error> {
        self.check_settings()?;
        let column = |k| {
            if self.standardise {
                MeanAndStd::of(&train.points().row(k).iter().copied())
            } else {
                MeanAndStd::IDENTITY
            }
        };
        let labels = if self.labels {
            MeanAndStd::of_labels(train.labels().as_slice())
        } else {
            MeanAndStd::IDENTITY
        };
        let scaling = Scaling {
            options: *self,
            columns: (0..train.dimension()).map(column).collect(),
            labels,
            lengths: vec![1.0; train.dimension()],
            names: train.names().map(<[String]>::to_vec),
        };
        scaling.check_coordinates()?;
        Ok(scaling)
    }

    pub(crate) fn check_settings(&self) -> Result<(), Error> {
        positive("`ScalingOptions::beta`", self.beta.unwrap_or(1.0))?;
        positive("`ScalingOptions::clip`", self.clip.unwrap_or(1.0))
    }

    /// The beta that was given, if any.
    pub(crate) fn given_beta(&self) -> Option<f64> {
        self.beta
    }

    /// The bias coordinate beta sqrt(d) for a number of columns, if there is one.
    pub(crate) fn bias_coordinate(&self, columns: usize) -> Option<f64> {
        let beta = self.beta.unwrap_or(1.0);
        self.bias.then(|| beta * (columns.max(1) as f64).sqrt())
    }
}

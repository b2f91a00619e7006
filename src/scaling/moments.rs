//! The mean and standard deviation of columns and labels.

use crate::float::Float;
use crate::numbers::{largest, power_of_two};
use serde::{Deserialize, Serialize};

/// A column whose standard deviation is at most this many roundings of its largest entry counts as constant.
const CONSTANT_ROUNDINGS: f64 = 4.0;

/// The mean and standard deviation of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MeanAndStd {
    pub mean: f64,
    pub std_dev: f64,
}

impl MeanAndStd {
    /// Leaves a column as it is.
    pub const IDENTITY: Self = Self {
        mean: 0.0,
        std_dev: 1.0,
    };

    /// Whether this is a column without spread.
    pub fn is_constant(&self) -> bool {
        self.std_dev == 0.0
    }

    /// The same as [`of`](Self::of), but with a `std_dev` that labels can be divided by.
    pub fn of_labels<T: Float>(labels: &[T]) -> Self {
        let learnt = Self::of(&labels.iter().copied());
        if !learnt.is_constant() {
            return learnt;
        }
        let std_dev = if labels.iter().all(|y| *y == labels[0]) {
            1.0
        } else {
            // They differ by rounding alone: relative to their size, so that scaled labels are close to 0.
            learnt.mean.abs().max(f64::MIN_POSITIVE)
        };
        Self { std_dev, ..learnt }
    }

    /// Mean and population standard deviation, which is 0 for a column that is constant up to rounding.
    /// Accurate for values near the limits of f64 and for a small spread around a large mean.
    pub fn of<T: Float>(values: &(impl ExactSizeIterator<Item = T> + Clone)) -> Self {
        let count = values.len() as f64;
        // Dividing by the power of two below the largest value is exact and avoids overflow; subtracting
        // the first value then turns a constant column into exact zeros.
        let power = power_of_two(largest(values.clone().map(Float::as_f64)));
        let relative = || values.clone().map(|x| x.as_f64() / power);
        let first = relative().next().unwrap_or(0.0);
        let offset = relative().map(|x| x - first).sum::<f64>() / count;
        let centre = first + offset;

        // The compensated two-pass algorithm: `correction` is the rounding error of the mean.
        let correction = relative().map(|x| x - centre).sum::<f64>() / count;
        let squares = relative().map(|x| (x - centre).powi(2)).sum::<f64>() / count;
        let std_dev = (squares - correction * correction).max(0.0).sqrt();
        let varies = std_dev > CONSTANT_ROUNDINGS * T::EPSILON.as_f64();
        Self {
            mean: (centre + correction) * power,
            std_dev: if varies { std_dev * power } else { 0.0 },
        }
    }
}

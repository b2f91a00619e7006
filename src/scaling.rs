//! Preprocessing: raw columns to points that a network fits well, and predictions back to raw labels.

mod file;

pub(crate) use file::{Document, MEANS, STD_DEVS};

use crate::dataset::Dataset;
use crate::dataset::{check_names, check_points, column_name, number_and_name};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::numbers::overflow;
use crate::setting::checked_serde;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A column whose standard deviation is at most this many roundings of its largest entry counts as constant.
const CONSTANT_ROUNDINGS: f64 = 4.0;

/// Scales points and labels with parameters learnt from the training data.
///
/// Each point goes through these steps, in this order (each can be switched off in [`ScalingOptions`]):
///
/// 1. *standardise*: `x[k] <- (x[k] - mean[k]) / std[k]`, with the mean and standard deviation of
///    column k of the training data;
/// 2. *bias*: append a coordinate 1, so that <w, x> includes an intercept; d becomes d + 1;
/// 3. *unit sphere*: `x <- x / ||x||_2`, which bounds exp(<w, x>) by exp(||w||) and is what the
///    theory of this model assumes.
///
/// Labels become (y - mean) / std. Standard deviations are population standard deviations (divided by
/// n). Everything is computed in f64 and then rounded to `T`. Costs O(n d).
///
/// ```
/// use expnet::{Dataset, Scaling};
///
/// let rows = [[7.4_f64, 1.9], [7.8, 2.6], [6.1, 2.2], [7.0, 1.2]];
/// let data = Dataset::from_rows(&rows, &[5.0, 6.0, 7.0, 6.0])?;
/// let scaling = Scaling::fit(&data)?;
/// let scaled = scaling.apply(&data)?;
/// assert_eq!(scaled.dimension(), 3);
/// assert!((scaled.points().column(0).norm() - 1.0).abs() < 1e-15);
/// assert!((scaling.unscale_labels(scaled.labels())[2] - 7.0).abs() < 1e-15);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Scaling {
    options: ScalingOptions,
    /// One per column; 0 and 1 if columns are not standardised.
    columns: Vec<MeanAndStd>,
    /// 0 and 1 if labels are not scaled.
    labels: MeanAndStd,
    names: Option<Vec<String>>,
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches")]
#[must_use]
pub struct ScalingOptions {
    standardise: bool,
    bias: bool,
    unit_sphere: bool,
    labels: bool,
}

impl Default for ScalingOptions {
    fn default() -> Self {
        Self {
            standardise: true,
            bias: true,
            unit_sphere: true,
            labels: true,
        }
    }
}

impl ScalingOptions {
    /// Whether to standardise the columns. Defaults to `true`.
    pub fn standardise(mut self, on: bool) -> Self {
        self.standardise = on;
        self
    }

    /// Whether to append a coordinate 1. Defaults to `true`.
    pub fn bias(mut self, on: bool) -> Self {
        self.bias = on;
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
    /// Errors: [`Error::Column`] if a column that is to be standardised, or the labels that are to be scaled,
    /// are constant up to rounding.
    pub fn fit<T: Float>(&self, train: &Dataset<T>) -> Result<Scaling, Error> {
        let column = |k| match MeanAndStd::of(&train.points().row(k).iter().copied()) {
            _ if !self.standardise => Ok(MeanAndStd::IDENTITY),
            Some(learnt) => Ok(learnt),
            None => Err(Error::Column {
                column: column_name(k, train.names()),
                problem: "is constant in the training data and cannot be standardised".into(),
                remedy: "remove it from the data (it carries no information), or switch `standardise` off",
            }),
        };
        let columns = (0..train.dimension()).map(column).collect::<Result<_, _>>()?;
        let labels = match MeanAndStd::of(&train.labels().iter().copied()) {
            _ if !self.labels => MeanAndStd::IDENTITY,
            Some(learnt) => learnt,
            None => {
                return Err(Error::Column {
                    column: "the label column".into(),
                    problem: "is constant in the training data and cannot be scaled".into(),
                    remedy: "check that it is the right column, or switch `labels` off",
                });
            }
        };
        Ok(Scaling {
            options: *self,
            columns,
            labels,
            names: train.names().map(<[String]>::to_vec),
        })
    }
}

impl Scaling {
    /// The default options, with all steps on: change them, then call [`fit`](ScalingOptions::fit).
    pub fn options() -> ScalingOptions {
        ScalingOptions::default()
    }

    /// Learns the scaling from the training data, with all steps on. See [`Scaling::options`] to switch steps off.
    ///
    /// Errors: [`Error::Column`] if a column or the labels are constant up to rounding.
    pub fn fit<T: Float>(train: &Dataset<T>) -> Result<Self, Error> {
        ScalingOptions::default().fit(train)
    }

    /// Scales the points and labels of `data`. The bias coordinate comes last and is named `bias`.
    ///
    /// Errors: [`Error::Column`] if both `data` and the training data have column names and they differ or
    /// are in another order, and those of [`apply_points`](Self::apply_points).
    pub fn apply<T: Float>(&self, data: &Dataset<T>) -> Result<Dataset<T>, Error> {
        self.check_columns(data)?;
        let points = self.apply_points(data.points())?;
        let MeanAndStd { mean, std_dev } = self.labels;
        let labels = data.labels().map(|y| T::lit((y.as_f64() - mean) / std_dev));
        let mut names = data.names().map(<[String]>::to_vec);
        if let (Some(names), true) = (&mut names, self.options.bias) {
            names.push("bias".into());
        }
        Dataset::checked(points, labels, names)
    }

    /// Checks that the columns of `data` are those of the training data, if both have names.
    pub(crate) fn check_columns<T: Float>(&self, data: &Dataset<T>) -> Result<(), Error> {
        match (&self.names, data.names()) {
            (Some(expected), Some(found)) => check_names(expected, found, "the data"),
            _ => Ok(()),
        }
    }

    /// Scales raw points (d x k). The result is (d + 1) x k with the bias coordinate, d x k without.
    ///
    /// Errors: [`Error::Shape`] if the dimension is not that of the training data, [`Error::NotFinite`] for
    /// a NaN or an infinity, [`Error::Setting`] for a point that is 0 and is to be put on the unit sphere.
    pub fn apply_points<T: Float>(&self, points: &DMatrix<T>) -> Result<DMatrix<T>, Error> {
        let dimension = self.columns.len();
        if points.nrows() != dimension {
            return Err(Error::Shape {
                what: "the dimension of the points to scale".into(),
                expected: dimension,
                found: points.nrows(),
                remedy: "give raw (unscaled) points with the columns of the training data",
            });
        }
        check_points(points, self.names.as_deref())?;
        let rows = dimension + usize::from(self.options.bias);
        let mut scaled = Vec::with_capacity(rows * points.ncols());
        let mut row = Vec::with_capacity(rows);
        for (i, point) in points.column_iter().enumerate() {
            row.clear();
            let pairs = point.iter().zip(&self.columns);
            row.extend(pairs.map(|(x, column)| (x.as_f64() - column.mean) / column.std_dev));
            if self.options.bias {
                row.push(1.0);
            }
            if self.options.unit_sphere {
                normalise(&mut row, i)?;
            }
            scaled.extend(row.iter().map(|&x| T::lit(x)));
        }
        let scaled = DMatrix::from_vec(rows, points.ncols(), scaled);
        if let Some(at) = scaled.iter().position(|x| !x.is_finite()) {
            let (point, row) = (at / rows, at % rows);
            return Err(Error::NotFinite {
                what: "a coordinate after scaling",
                value: scaled[at].as_f64(),
                place: format!(
                    "point {point}, coordinate {}",
                    number_and_name(row, self.names.as_deref())
                ),
                remedy: "the point is too far from the training data to be scaled; check its units",
            });
        }
        Ok(scaled)
    }

    /// Transforms scaled labels, or outputs of a network fitted to them, back to raw units: mean + std y.
    pub fn unscale_labels<T: Float>(&self, labels: &DVector<T>) -> DVector<T> {
        let MeanAndStd { mean, std_dev } = self.labels;
        labels.map(|y| T::lit(mean + std_dev * y.as_f64()))
    }

    /// Predicts with `net` at raw points (d x k). Returns k predictions in the units of the raw labels.
    ///
    /// Errors: those of [`apply_points`](Self::apply_points) and [`ExpNetwork::forward`], and
    /// [`Error::Overflow`] for a prediction out of range for `T`. Costs a forward pass, O(k d m).
    pub fn predict<T: Float>(&self, net: &ExpNetwork<T>, raw_points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        let scaled = self.apply_points(raw_points)?;
        let predicted = self.unscale_labels(&net.forward(&scaled)?);
        match predicted.iter().position(|y| !y.is_finite()) {
            None => Ok(predicted),
            Some(i) => Err(overflow::<T>(
                format!("point {i}, in raw units,"),
                predicted[i].as_f64(),
            )),
        }
    }
}

/// Divides point `i` by its 2-norm, without overflow on the way.
fn normalise(point: &mut [f64], i: usize) -> Result<(), Error> {
    let largest = point.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    if largest == 0.0 {
        return Err(Error::Setting {
            setting: "`ScalingOptions::unit_sphere`",
            value: format!("true, but point {i} is 0 in every coordinate and has no direction"),
            expected: "switched off, or combined with `bias(true)`",
        });
    }
    let squares: f64 = point.iter().map(|x| (x / largest).powi(2)).sum();
    for x in point {
        *x = *x / largest / squares.sqrt();
    }
    Ok(())
}

/// The mean and standard deviation of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct MeanAndStd {
    mean: f64,
    std_dev: f64,
}

impl MeanAndStd {
    /// Leaves a column as it is.
    const IDENTITY: Self = Self {
        mean: 0.0,
        std_dev: 1.0,
    };

    /// Mean and population standard deviation, or `None` for a column that is constant up to rounding.
    /// Accurate for values near the limits of f64 and for a small spread around a large mean.
    fn of<T: Float>(values: &(impl ExactSizeIterator<Item = T> + Clone)) -> Option<Self> {
        let count = values.len() as f64;
        let largest = values.clone().fold(0.0_f64, |size, x| size.max(x.as_f64().abs()));
        // Dividing by the power of two below the largest value is exact and avoids overflow; subtracting
        // the first value then turns a constant column into exact zeros.
        let power = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits());
        let power = power.max(f64::MIN_POSITIVE);
        let relative = || values.clone().map(|x| x.as_f64() / power);
        let first = relative().next()?;
        let offset = relative().map(|x| x - first).sum::<f64>() / count;
        let centre = first + offset;

        // The compensated two-pass algorithm: `correction` is the rounding error of the mean.
        let correction = relative().map(|x| x - centre).sum::<f64>() / count;
        let squares = relative().map(|x| (x - centre).powi(2)).sum::<f64>() / count;
        let std_dev = (squares - correction * correction).max(0.0).sqrt();
        let varies = std_dev > CONSTANT_ROUNDINGS * T::EPSILON.as_f64() && std_dev * power > 0.0;
        varies.then_some(Self {
            mean: (centre + correction) * power,
            std_dev: std_dev * power,
        })
    }
}

checked_serde!(Scaling);

//! Preprocessing: raw columns to points that a network fits well, and predictions back to raw labels.

mod file;

pub(crate) use file::{Document, LENGTHS, MEANS, STD_DEVS};

use crate::dataset::{Dataset, check_names, check_points, number_and_name};
use crate::error::Error;
use crate::float::Float;
use crate::kernel::Fit;
use crate::network::ExpNetwork;
use crate::numbers::{largest, overflow, power_of_two};
use crate::setting::{checked_serde, positive, require};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A column whose standard deviation is at most this many roundings of its largest entry counts as constant.
const CONSTANT_ROUNDINGS: f64 = 4.0;

/// Scales points and labels with parameters learnt from the training data.
///
/// Each point goes through these steps, in this order (each can be switched off in [`ScalingOptions`]):
///
/// 1. *standardise*: `x[k] <- (x[k] - mean[k]) / std[k]`, with the mean and standard deviation of
///    column k of the training data; columns that are constant there, up to rounding, carry no information and are left
///    out ([`dropped`](Self::dropped));
/// 2. *clip*: standardised coordinates are limited to [-3, 3], so that outliers do not decide the fit;
/// 3. *length scales*: `x[k] <- x[k] / length[k]`, all 1 unless [`with_lengths`](Self::with_lengths) gives others;
/// 4. *bias*: append a coordinate beta sqrt(d), d the number of columns that are left, so that <w, x> includes an
///    intercept; d becomes d + 1;
/// 5. *unit sphere*: `x <- x / ||x||_2`, which bounds exp(<w, x>) by exp(||w||) and is what the
///    theory of this model assumes.
///
/// After standardising, ||x|| is about sqrt(d). The unit sphere keeps the direction of a point alone, and it is the bias
/// coordinate that keeps its length: the larger beta, the closer the sphere is to a plane, and the smoother the fit.
///
/// Labels become (y - mean) / std, with std = 1 if the labels are all equal, and |mean| if they differ by rounding
/// alone. Standard deviations are population standard deviations (divided by n). Sample weights are kept and do not count
/// in means and standard deviations, as by default in scikit-learn's `StandardScaler`. Everything is computed in f64 and then
/// rounded to `T`. Costs O(n d).
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
    /// One per raw column; 0 and 1 if columns are not standardised. A `std_dev` of 0 marks a dropped column.
    columns: Vec<MeanAndStd>,
    /// 0 and 1 if labels are not scaled.
    labels: MeanAndStd,
    /// One per raw column.
    lengths: Vec<f64>,
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches")]
#[must_use]
pub struct ScalingOptions {
    standardise: bool,
    bias: bool,
    beta: Option<f64>,
    clip: Option<f64>,
    unit_sphere: bool,
    labels: bool,
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

    pub(crate) fn has_unit_sphere(&self) -> bool {
        self.unit_sphere
    }

    /// The bias coordinate beta sqrt(d) for a number of columns, if there is one.
    pub(crate) fn bias_coordinate(&self, columns: usize) -> Option<f64> {
        let beta = self.beta.unwrap_or(1.0);
        self.bias.then(|| beta * (columns.max(1) as f64).sqrt())
    }
}

impl Scaling {
    /// The default options, with all steps on: change them, then call [`fit`](ScalingOptions::fit).
    pub fn options() -> ScalingOptions {
        ScalingOptions::default()
    }

    /// Learns the scaling from the training data, with all steps on. See [`Scaling::options`] to switch steps off.
    ///
    /// Errors: none with all steps on; see [`ScalingOptions::fit`].
    pub fn fit<T: Float>(train: &Dataset<T>) -> Result<Self, Error> {
        ScalingOptions::default().fit(train)
    }

    /// The raw columns (from 0) that are constant in the training data, up to rounding, and are left out.
    ///
    /// ```
    /// use expnet::{Dataset, Scaling};
    ///
    /// let data = Dataset::from_rows(&[[1.0, 7.0, 3.0], [2.0, 7.0, 1.0]], &[5.0, 6.0])?;
    /// let scaling = Scaling::fit(&data)?;
    /// assert_eq!(scaling.dropped(), [1]);
    /// assert_eq!(scaling.apply(&data)?.dimension(), 3); // two columns and the bias
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn dropped(&self) -> Vec<usize> {
        let dropped = |&k: &usize| self.columns[k].is_constant();
        (0..self.columns.len()).filter(dropped).collect()
    }

    /// Divides coordinate k of every point, after standardising, by `lengths[k]`: one positive, finite length per raw column,
    /// where those of dropped columns do not matter.
    ///
    /// A long length makes the fit change slowly along that column, as the length scales of a Gaussian process do; lengths
    /// relative to each other and to the bias coordinate are what matters on the unit sphere.
    ///
    /// Errors: a number of lengths that is not the number of raw columns; a length that is not positive and finite.
    ///
    /// ```
    /// use expnet::{Dataset, Scaling};
    ///
    /// let data = Dataset::from_rows(&[[1.0, 3.0], [3.0, 1.0]], &[5.0, 6.0])?;
    /// let scaling = Scaling::options().bias(false).unit_sphere(false).fit(&data)?.with_lengths(&[1.0, 4.0])?;
    /// assert_eq!(scaling.apply(&data)?.points().as_slice(), [-1.0, 0.25, 1.0, -0.25]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn with_lengths(mut self, lengths: &[f64]) -> Result<Self, Error> {
        self.lengths = lengths.to_vec();
        self.check_lengths()?;
        Ok(self)
    }

    /// The length scales, one per raw column. All are 1 unless given.
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// The options that it was learnt with.
    pub fn settings(&self) -> ScalingOptions {
        self.options
    }

    fn check_lengths(&self) -> Result<(), Error> {
        if self.lengths.len() != self.columns.len() {
            return Err(Error::Shape {
                what: "the number of length scales".into(),
                expected: self.columns.len(),
                found: self.lengths.len(),
                remedy: "give one length per raw column",
            });
        }
        for (k, length) in self.lengths.iter().enumerate() {
            require(
                length.is_finite() && *length > 0.0,
                "`lengths` of `Scaling`",
                format_args!("{length:?} for column {k}"),
                "positive and finite",
            )?;
        }
        Ok(())
    }

    /// The limit of standardised coordinates.
    fn limit(&self) -> f64 {
        let limit = self.options.clip.filter(|_| self.options.standardise);
        limit.unwrap_or(f64::INFINITY)
    }

    /// The raw columns that become coordinates.
    pub(crate) fn kept(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|&k| !self.columns[k].is_constant())
    }

    /// The dimension of scaled points.
    pub(crate) fn scaled_dimension(&self) -> usize {
        self.kept().count() + usize::from(self.options.bias)
    }

    /// Checks that scaled points have at least one coordinate.
    fn check_coordinates(&self) -> Result<(), Error> {
        if self.scaled_dimension() > 0 {
            return Ok(());
        }
        Err(Error::Column {
            column: "every column".into(),
            problem: "is constant in the training data, so that no coordinate is left".into(),
            remedy: "check the data, or switch `bias` on to fit the mean of the labels",
        })
    }

    /// Scales the points and labels of `data`, and keeps its sample weights. The bias coordinate comes last and is named
    /// `bias`.
    ///
    /// Errors: [`Error::Column`] if both `data` and the training data have column names and they differ or
    /// are in another order, and those of [`apply_points`](Self::apply_points).
    pub fn apply<T: Float>(&self, data: &Dataset<T>) -> Result<Dataset<T>, Error> {
        self.check_column_names(data.names())?;
        let points = self.apply_points(data.points())?;
        let MeanAndStd { mean, std_dev } = self.labels;
        let labels = data.labels().map(|y| T::lit((y.as_f64() - mean) / std_dev));
        let kept = |names: &[String]| self.kept().map(|k| names[k].clone()).collect::<Vec<_>>();
        let mut names = data.names().map(kept);
        if let (Some(names), true) = (&mut names, self.options.bias) {
            names.push("bias".into());
        }
        Dataset::checked(points, labels, names)?.with_optional_weights(data.weights().cloned())
    }

    /// Checks that columns are those of the training data, if both have names.
    pub(crate) fn check_column_names(&self, names: Option<&[String]>) -> Result<(), Error> {
        check_names(self.names.as_deref(), names, "the data")
    }

    /// Checks the columns of `data`: their number, their names, and that they are finite.
    pub(crate) fn check_columns<T: Float>(&self, data: &Dataset<T>) -> Result<(), Error> {
        self.check_column_names(data.names())?;
        self.check_points(data.points())
    }

    fn check_points<T: Float>(&self, points: &DMatrix<T>) -> Result<(), Error> {
        let dimension = self.columns.len();
        if points.nrows() != dimension {
            return Err(Error::Shape {
                what: "the dimension of the points to scale".into(),
                expected: dimension,
                found: points.nrows(),
                remedy: "give raw (unscaled) points with the columns of the training data",
            });
        }
        check_points(points, self.names.as_deref())
    }

    /// Scales raw points (d x k). The result is (d + 1) x k with the bias coordinate, d x k without, less the columns
    /// that are left out.
    ///
    /// Errors: [`Error::Shape`] if the dimension is not that of the training data, [`Error::NotFinite`] for
    /// a NaN or an infinity, [`Error::Setting`] for a point that is 0 and is to be put on the unit sphere.
    pub fn apply_points<T: Float>(&self, points: &DMatrix<T>) -> Result<DMatrix<T>, Error> {
        self.check_points(points)?;
        let (rows, bias, limit) = (
            self.scaled_dimension(),
            self.options.bias_coordinate(self.kept().count()),
            self.limit(),
        );
        let mut scaled = Vec::with_capacity(rows * points.ncols());
        let mut row = Vec::with_capacity(rows);
        for (i, point) in points.column_iter().enumerate() {
            row.clear();
            let pairs = point.iter().zip(&self.columns).zip(&self.lengths);
            let kept = pairs.filter(|((_, column), _)| !column.is_constant());
            row.extend(kept.map(|((x, column), length)| {
                let standardised = (x.as_f64() - column.mean) / column.std_dev;
                standardised.clamp(-limit, limit) / length
            }));
            row.extend(bias);
            if self.options.unit_sphere {
                normalise(&mut row, i)?;
            }
            scaled.extend(row.iter().map(|&x| T::lit(x)));
        }
        let scaled = DMatrix::from_vec(rows, points.ncols(), scaled);
        if let Some(at) = scaled.iter().position(|x| !x.is_finite()) {
            let (point, row) = (at / rows, at % rows);
            let column = self.kept().nth(row).unwrap_or(row);
            return Err(Error::NotFinite {
                what: "a coordinate after scaling",
                value: scaled[at].as_f64(),
                place: format!(
                    "point {point}, coordinate {}",
                    number_and_name(column, self.names.as_deref())
                ),
                remedy: "the point is too far from the training data to be scaled; check its units",
            });
        }
        Ok(scaled)
    }

    /// Standardised and clipped coordinates, before length scales, bias and sphere: kept columns x k.
    pub(crate) fn standardised<T: Float>(&self, points: &DMatrix<T>) -> DMatrix<f64> {
        let kept: Vec<usize> = self.kept().collect();
        let limit = self.limit();
        DMatrix::from_fn(kept.len(), points.ncols(), |row, i| {
            let MeanAndStd { mean, std_dev } = self.columns[kept[row]];
            ((points[(kept[row], i)].as_f64() - mean) / std_dev).clamp(-limit, limit)
        })
    }

    /// Scaled labels in f64.
    pub(crate) fn scaled_labels<T: Float>(&self, labels: &DVector<T>) -> DVector<f64> {
        let MeanAndStd { mean, std_dev } = self.labels;
        labels.map(|y| (y.as_f64() - mean) / std_dev)
    }

    /// The standard deviation of the training labels, by which scaled labels are multiplied.
    pub(crate) fn label_unit(&self) -> f64 {
        self.labels.std_dev
    }

    /// Transforms scaled labels, or outputs of a network fitted to them, back to raw units: mean + std y.
    pub fn unscale_labels<T: Float>(&self, labels: &DVector<T>) -> DVector<T> {
        let MeanAndStd { mean, std_dev } = self.labels;
        labels.map(|y| T::lit(mean + std_dev * y.as_f64()))
    }

    /// Predicts with a network or a kernel [`Fit`] at raw points (d x k). Returns k predictions in the units of the raw labels.
    ///
    /// Errors: those of [`apply_points`](Self::apply_points), [`ExpNetwork::forward`] and [`Fit::predict`], and
    /// [`Error::Overflow`] for a prediction out of range for `T`. Costs a forward pass, O(k d m) for a network and O(n d k) for
    /// a fit to n points.
    pub fn predict<T: Float>(&self, model: &impl Model<T>, raw_points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        let scaled = self.apply_points(raw_points)?;
        let predicted = self.unscale_labels(&model.outputs(&scaled)?);
        match predicted.iter().position(|y| !y.is_finite()) {
            None => Ok(predicted),
            Some(i) => Err(overflow::<T>(
                format!("point {i}, in raw units,"),
                predicted[i].as_f64(),
            )),
        }
    }
}

/// What predicts scaled labels at scaled points: a network, or a fit with a kernel. See [`Scaling::predict`].
pub trait Model<T: Float> {
    /// The outputs at scaled points (d x k, one point per column): k numbers.
    ///
    /// Errors: points of the wrong dimension or not finite; outputs that overflow.
    fn outputs(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error>;
}

impl<T: Float> Model<T> for ExpNetwork<T> {
    fn outputs(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        self.forward(points)
    }
}

impl<T: Float> Model<T> for Fit {
    fn outputs(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        Ok(self.predict(points)?.map(T::lit))
    }
}

/// Divides point `i` by its 2-norm, without overflow on the way.
fn normalise(point: &mut [f64], i: usize) -> Result<(), Error> {
    let largest = largest(point.iter().copied());
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

    /// Whether this is a column without spread.
    fn is_constant(&self) -> bool {
        self.std_dev == 0.0
    }

    /// The same as [`of`](Self::of), but with a `std_dev` that labels can be divided by.
    fn of_labels<T: Float>(labels: &[T]) -> Self {
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
    fn of<T: Float>(values: &(impl ExactSizeIterator<Item = T> + Clone)) -> Self {
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

checked_serde!(Scaling);

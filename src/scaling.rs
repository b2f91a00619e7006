//! From raw columns to points a network fits well, and back to raw labels.

mod file;

pub(crate) use file::{Document, MEANS, STD_DEVS};

use crate::dataset::Dataset;
use crate::dataset::{check_points, number_and_name};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::numbers::overflow;
use crate::setting::checked_serde;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A column whose standard deviation is below this many roundings of its largest entry holds
/// noise only.
const NOISE: f64 = 4.0;

/// Scaling of points and labels, learnt from training data and applied to any data.
///
/// For each point, in this order (each step can be switched off in [`ScalingOptions`]):
///
/// 1. *standardise*: `x[k] <- (x[k] - mean[k]) / std[k]`, of the training data's column k;
/// 2. *bias*: a coordinate 1 is appended, so that <w, x> has an intercept: d becomes d + 1;
/// 3. *unit sphere*: `x <- x / ||x||_2`, which bounds exp(<w, x>) by exp(||w||) and is what the
///    theory of this model assumes.
///
/// Labels become (y - mean) / std. Standard deviations are those of the population (divided by n),
/// and all of it is computed in f64 and then rounded to `T`. Costs O(n d).
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
    /// Of the columns; 0 and 1 where they are not standardised.
    columns: Vec<Unit>,
    /// Of the labels; 0 and 1 where they are not scaled.
    labels: Unit,
    names: Option<Vec<String>>,
}

/// Which steps of a [`Scaling`] to take: by default all.
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
    /// Whether to standardise the columns, by default `true`.
    pub fn standardise(mut self, on: bool) -> Self {
        self.standardise = on;
        self
    }

    /// Whether to append a coordinate 1, by default `true`.
    pub fn bias(mut self, on: bool) -> Self {
        self.bias = on;
        self
    }

    /// Whether to put each point on the unit sphere, by default `true`.
    ///
    /// Without the bias a point that is 0 has no place there: an error.
    pub fn unit_sphere(mut self, on: bool) -> Self {
        self.unit_sphere = on;
        self
    }

    /// Whether to centre and scale the labels, by default `true`.
    pub fn labels(mut self, on: bool) -> Self {
        self.labels = on;
        self
    }

    /// Learns means and standard deviations from the training data.
    ///
    /// Errors: [`Error::Column`] for a column, or labels, that are constant up to rounding.
    pub fn fit<T: Float>(&self, train: &Dataset<T>) -> Result<Scaling, Error> {
        let column = |k| match Unit::of(&train.points().row(k).iter().copied()) {
            _ if !self.standardise => Ok(Unit::NEUTRAL),
            Some(moments) => Ok(moments),
            None => Err(Error::Column {
                column: format!("column {}", number_and_name(k, train.names())),
                problem: "is constant in the training data and cannot be standardised",
                remedy: "remove it from the data (it tells points apart nowhere), or switch \
                         `standardise` off",
            }),
        };
        let columns = (0..train.dimension()).map(column).collect::<Result<_, _>>()?;
        let labels = match Unit::of(&train.labels().iter().copied()) {
            _ if !self.labels => Unit::NEUTRAL,
            Some(moments) => moments,
            None => {
                return Err(Error::Column {
                    column: "the label column".into(),
                    problem: "is constant in the training data and cannot be scaled",
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
    /// The options, all steps on, to change and then [`fit`](ScalingOptions::fit) with.
    pub fn options() -> ScalingOptions {
        ScalingOptions::default()
    }

    /// Learns all steps from the training data. See [`Scaling::options`] for fewer.
    ///
    /// Errors: [`Error::Column`] for a column, or labels, that are constant up to rounding.
    pub fn fit<T: Float>(train: &Dataset<T>) -> Result<Self, Error> {
        ScalingOptions::default().fit(train)
    }

    /// The data with points and labels scaled; the bias coordinate comes last, named `bias`.
    ///
    /// Errors: [`Error::Column`] where both this data and the training data have column names and
    /// one is missing or out of place, otherwise those of [`apply_points`](Self::apply_points).
    pub fn apply<T: Float>(&self, data: &Dataset<T>) -> Result<Dataset<T>, Error> {
        if let (Some(expected), Some(found)) = (&self.names, data.names()) {
            check_names(expected, found)?;
        }
        let points = self.apply_points(data.points())?;
        let Unit { mean, std_dev } = self.labels;
        let labels = data.labels().map(|y| T::lit((y.as_f64() - mean) / std_dev));
        let mut names = data.names().map(<[String]>::to_vec);
        if let (Some(names), true) = (&mut names, self.options.bias) {
            names.push("bias".into());
        }
        Dataset::checked(points, labels, names)
    }

    /// Raw points (d x k) scaled: (d + 1) x k with the bias, d x k without.
    ///
    /// Errors: [`Error::Shape`] for points of another dimension than the training data's,
    /// [`Error::NotFinite`] for a NaN or an infinity, [`Error::Setting`] for a point that is 0 and
    /// should be put on the unit sphere.
    pub fn apply_points<T: Float>(&self, points: &DMatrix<T>) -> Result<DMatrix<T>, Error> {
        let dimension = self.columns.len();
        if points.nrows() != dimension {
            return Err(Error::Shape {
                what: "the dimension of the points to scale".into(),
                expected: dimension,
                found: points.nrows(),
                remedy: "give raw points (not scaled ones) with the columns of the training data",
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
        // Far from the training data a coordinate may overflow.
        check_points(&scaled, self.names.as_deref())?;
        Ok(scaled)
    }

    /// Scaled labels, or outputs of a network that was fitted to them, in raw units: mean + std y.
    pub fn unscale_labels<T: Float>(&self, labels: &DVector<T>) -> DVector<T> {
        let Unit { mean, std_dev } = self.labels;
        labels.map(|y| T::lit(mean + std_dev * y.as_f64()))
    }

    /// What `net` predicts for raw points (d x k), in the units of the raw labels: k numbers.
    ///
    /// Errors: those of [`apply_points`](Self::apply_points) and of the network's `forward`,
    /// [`Error::Overflow`] for a prediction beyond the range of `T`. Costs a forward pass, O(k d m).
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

/// Same names in the same order, as far as both go: the dimension is checked elsewhere.
fn check_names(expected: &[String], found: &[String]) -> Result<(), Error> {
    if let Some(name) = expected.iter().find(|name| !found.contains(name)) {
        return Err(Error::Column {
            column: format!("column {name:?}"),
            problem: "of the training data is missing here",
            remedy: "give the columns of the training data, in their order",
        });
    }
    match (0..expected.len().min(found.len())).find(|&k| expected[k] != found[k]) {
        None => Ok(()),
        Some(k) => Err(Error::Column {
            column: format!("column {}", number_and_name(k, Some(found))),
            problem: "stands where the training data has another column",
            remedy: "give the columns of the training data, in their order",
        }),
    }
}

/// Divides `point` (number `i`) by its 2-norm, which may itself be out of range.
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

/// Mean and standard deviation of a column: where its scaled numbers are 0, and by what they change to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Unit {
    mean: f64,
    std_dev: f64,
}

impl Unit {
    /// Of a column that is left as it is.
    const NEUTRAL: Self = Self {
        mean: 0.0,
        std_dev: 1.0,
    };

    /// Mean and population standard deviation, or `None` for a column that is constant up to
    /// rounding. Right for values near the limits of f64 and for a small spread about a large mean.
    fn of<T: Float>(values: &(impl ExactSizeIterator<Item = T> + Clone)) -> Option<Self> {
        let count = values.len() as f64;
        let largest = values.clone().fold(0.0_f64, |size, x| size.max(x.as_f64().abs()));
        // Relative to the power of two below the largest value nothing overflows, and the division
        // is exact; relative to the first value as well, a constant column gives exact zeros.
        let power = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits());
        let power = power.max(f64::MIN_POSITIVE);
        let relative = || values.clone().map(|x| x.as_f64() / power);
        let first = relative().next()?;
        let offset = relative().map(|x| x - first).sum::<f64>() / count;
        let centre = first + offset;

        // What rounding left of the mean is taken out of the second pass.
        let rest = relative().map(|x| x - centre).sum::<f64>() / count;
        let squares = relative().map(|x| (x - centre).powi(2)).sum::<f64>() / count;
        let std_dev = (squares - rest * rest).max(0.0).sqrt();
        let varies = std_dev > NOISE * T::EPSILON.as_f64() && std_dev * power > 0.0;
        varies.then_some(Self {
            mean: (centre + rest) * power,
            std_dev: std_dev * power,
        })
    }
}

checked_serde!(Scaling);

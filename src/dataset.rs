//! Points and labels, validated once on construction.

use crate::error::{Error, check_size};
use crate::float::Float;
use crate::numbers::check_finite;
use crate::setting::{require, within_unit};
use nalgebra::{DMatrix, DVector, DVectorView};
use num_traits::ToPrimitive;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

#[cfg(feature = "csv")]
mod csv;
mod raw_points;
mod weights;

#[cfg(feature = "csv")]
pub use csv::{CsvColumns, CsvOptions, Missing, UnknownCategory};
pub use raw_points::RawPoints;

/// A labelled data set: points X (d x n, one point per column) and labels y (n).
///
/// Every constructor checks that there is at least one point with at least one coordinate, that each
/// point has a label, and that all numbers are finite. The coordinates (the columns of a table) may be
/// named; error messages then include the names, and [`Scaling`](crate::Scaling) checks that they match.
/// Samples may have weights: see [`with_weights`](Self::with_weights).
///
/// ```
/// use expnet::Dataset;
///
/// let rows = [[7.4, 1.9], [7.8, 2.6], [6.1, 2.2]];
/// let data = Dataset::from_rows(&rows, &[5.0, 6.0, 7.0])?;
/// assert_eq!((data.samples(), data.dimension()), (3, 2));
/// assert_eq!(data.points()[(1, 0)], 1.9); // coordinate 1 of point 0
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<T: Float> {
    points: DMatrix<T>,
    labels: DVector<T>,
    names: Option<Vec<String>>,
    /// Sample weights, as [`Dataset::with_weights`] checks them.
    weights: Option<DVector<T>>,
}

impl<T: Float> Dataset<T> {
    /// Creates a data set from `points` (d x n, one point per column) and `labels` (n).
    ///
    /// Errors: [`Error::Empty`] if there are no points or no coordinates, [`Error::Shape`] if there are
    /// not n labels, [`Error::NotFinite`] for a NaN or an infinity. Reads each of the n (d + 1) numbers
    /// once.
    ///
    /// ```
    /// use expnet::{Dataset, Error};
    /// use nalgebra::{dmatrix, dvector};
    ///
    /// let data = Dataset::new(dmatrix![0.0, 1.0, 2.0], dvector![1.0, 2.0, 4.0])?;
    /// assert_eq!((data.samples(), data.dimension()), (3, 1));
    ///
    /// let error = Dataset::new(dmatrix![0.0, f64::NAN], dvector![1.0, 2.0]).unwrap_err();
    /// assert!(error.to_string().contains("NaN at point 1, coordinate 0"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new(points: DMatrix<T>, labels: DVector<T>) -> Result<Self, Error> {
        Self::checked(points, labels, None)
    }

    /// Creates a data set from n `rows` of d numbers each and n `labels`.
    ///
    /// Errors: those of [`Dataset::new`], and [`Error::Shape`] naming the first row whose length
    /// differs from that of row 0. Copies the n d numbers.
    pub fn from_rows<R: AsRef<[T]>>(rows: &[R], labels: &[T]) -> Result<Self, Error> {
        let points = columns_of_rows(rows)?;
        if !rows.is_empty() {
            check_size(
                "the number of labels",
                labels.len(),
                rows.len(),
                "give one label per row",
            )?;
        }
        Self::new(points, DVector::from_column_slice(labels))
    }

    /// The checks that every constructor makes.
    pub(crate) fn checked(points: DMatrix<T>, labels: DVector<T>, names: Option<Vec<String>>) -> Result<Self, Error> {
        check_points(&points, names.as_deref())?;
        check_size(
            "the number of labels",
            labels.len(),
            points.ncols(),
            "give one label per point; points are the columns of a d x n matrix",
        )?;
        check_finite("a label", &labels, FINITE_REMEDY, |i, _| format!("point {i}"))?;
        Ok(Self {
            points,
            labels,
            names,
            weights: None,
        })
    }

    /// Names the d coordinates.
    ///
    /// Errors: [`Error::Shape`] if there are not d names.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let data = Dataset::from_rows(&[[9.4, 3.5], [9.8, 3.2]], &[5.0, 6.0])?;
    /// assert!(data.names().is_none());
    /// let data = data.with_names(vec!["alcohol".into(), "pH".into()])?;
    /// assert_eq!(data.names().unwrap(), ["alcohol", "pH"]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn with_names(mut self, names: Vec<String>) -> Result<Self, Error> {
        check_size(
            "the number of column names",
            names.len(),
            self.dimension(),
            "give one name per coordinate of the points, and none for the labels",
        )?;
        self.names = Some(names);
        Ok(self)
    }

    /// Consumes the data set and returns its points (d x n), labels (n) and names. Sample weights, if any, are dropped:
    /// see [`weights`](Self::weights).
    pub fn into_parts(self) -> (DMatrix<T>, DVector<T>, Option<Vec<String>>) {
        (self.points, self.labels, self.names)
    }

    /// The points X, d x n, one point per column.
    pub fn points(&self) -> &DMatrix<T> {
        &self.points
    }

    /// The n labels y.
    pub fn labels(&self) -> &DVector<T> {
        &self.labels
    }

    /// The names of the d coordinates, if any. Data read from CSV has names.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The number of points, n.
    pub fn samples(&self) -> usize {
        self.points.ncols()
    }

    /// The dimension of the points, d.
    pub fn dimension(&self) -> usize {
        self.points.nrows()
    }

    /// Splits the data at random into two disjoint parts: the first (for training) gets `fraction` of the
    /// points, rounded to the nearest whole number, and the second gets the rest.
    ///
    /// The same `seed` gives the same split on every machine and for every scalar type.
    ///
    /// Errors: [`Error::Setting`] unless 0 < `fraction` < 1 and both parts get at least one point, and, with sample
    /// weights, at least one whose weight is above 0. Copies the data.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let rows: Vec<[f64; 1]> = (0..12).map(|i| [f64::from(i)]).collect();
    /// let data = Dataset::from_rows(&rows, &[0.0; 12])?;
    /// let (train, test) = data.split(0.75, 1)?;
    /// assert_eq!((train.samples(), test.samples()), (9, 3));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self), Error> {
        within_unit("`fraction` of `Dataset::split`", fraction)?;
        let samples = self.samples();
        let first = (fraction * samples as f64).round().to_usize().unwrap_or(0);
        if first == 0 || first >= samples {
            let second = samples.saturating_sub(first);
            return Err(Error::Setting {
                setting: "`fraction` of `Dataset::split`",
                value: format!("{fraction:?}, which splits {samples} points into {first} and {second}"),
                expected: "such that both parts get at least one point (which takes two or more points)",
            });
        }
        let order = shuffled(samples, seed);
        let (first, second) = order.split_at(first);
        Ok((self.select(first)?, self.select(second)?))
    }

    /// Splits the data at random into `k` folds for cross-validation. Returns one pair (train, test) per fold: `test` is
    /// the fold, and `train` is the rest. Every sample is in exactly one `test`, and the sizes of folds differ by at
    /// most one.
    ///
    /// The same `seed` gives the same folds on every machine and for every scalar type.
    ///
    /// Errors: [`Error::Setting`] unless `k` is from 2 to n, or for a part whose sample weights are all 0. Copies the data
    /// k times.
    ///
    /// ```
    /// use expnet::{Dataset, ExpRegressor};
    ///
    /// let rows: Vec<[f64; 1]> = (0..30).map(|i| [f64::from(i) / 10.0]).collect();
    /// let labels: Vec<f64> = rows.iter().map(|[x]| x.sin()).collect();
    /// let mut scores = Vec::new();
    /// for (train, test) in Dataset::from_rows(&rows, &labels)?.k_fold(5, 1)? {
    ///     let model = ExpRegressor::options().width(64).max_steps(100).fit(&train)?;
    ///     scores.push(model.score(&test)?);
    /// }
    /// assert_eq!(scores.len(), 5);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn k_fold(&self, k: usize, seed: u64) -> Result<Vec<(Self, Self)>, Error> {
        let samples = self.samples();
        require(
            (2..=samples).contains(&k),
            "`k` of `Dataset::k_fold`",
            format_args!("{k} (for {samples} points)"),
            "at least 2 and at most the number of points",
        )?;
        let order = shuffled(samples, seed);
        let bound = |fold: usize| fold * (samples / k) + fold.min(samples % k);
        let fold = |fold| {
            let (before, rest) = order.split_at(bound(fold));
            let (test, after) = rest.split_at(bound(fold + 1) - bound(fold));
            Ok((self.select(&[before, after].concat())?, self.select(test)?))
        };
        (0..k).map(fold).collect()
    }

    /// Iterates over the samples (x_i, y_i): a view of each point, and its label. Sample weights are in
    /// [`weights`](Self::weights), in the same order.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let data = Dataset::from_rows(&[[1.0, 2.0], [3.0, 4.0]], &[10.0, 20.0])?;
    /// let sums: Vec<f64> = data.iter().map(|(point, label)| point.sum() + label).collect();
    /// assert_eq!(sums, [13.0, 27.0]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (DVectorView<'_, T>, T)> + ExactSizeIterator {
        self.points.column_iter().zip(self.labels.iter().copied())
    }

    /// The samples with the given `indices` (from 0), in that order. An index may be repeated.
    ///
    /// Errors: [`Error::Empty`] if there are no indices, [`Error::Setting`] for an index of n or more, or if the sample
    /// weights of all these samples are 0. Copies d + 1 numbers per index.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let data = Dataset::from_rows(&[[0.0], [1.0], [2.0]], &[0.0, 10.0, 20.0])?;
    /// assert_eq!(data.select(&[2, 0, 2])?.labels().as_slice(), [20.0, 0.0, 20.0]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn select(&self, indices: &[usize]) -> Result<Self, Error> {
        if indices.is_empty() {
            return Err(Error::Empty {
                what: "the list of indices",
                remedy: "select at least one point",
            });
        }
        let samples = self.samples();
        if let Some((k, i)) = indices.iter().enumerate().find(|&(_, &i)| i >= samples) {
            require(
                false,
                "an index given to `Dataset::select`",
                format_args!("{i} (entry {k} of the list, for {samples} points)"),
                "less than the number of points",
            )?;
        }
        Ok(Self {
            points: self.points.select_columns(indices),
            labels: self.labels.select_rows(indices),
            names: self.names.clone(),
            weights: self.selected_weights(indices)?,
        })
    }

    /// Converts the data to another scalar type, rounding each number to the nearest.
    ///
    /// Errors: [`Error::NotFinite`] with the value and its place if a number is out of range for `U`; [`Error::Setting`] if
    /// all sample weights vanish there.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let data = Dataset::from_rows(&[[0.1_f64], [0.2]], &[1.0, 2.0])?;
    /// assert_eq!(data.cast::<f32>()?.points()[(0, 1)], 0.2_f32);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn cast<U: Float>(&self) -> Result<Dataset<U>, Error> {
        let too_large = |value: T, place| Error::NotFinite {
            what: "a number beyond the range of the new scalar type",
            value: value.as_f64(),
            place,
            remedy: "scale the data down (see `Scaling`) before casting, or keep f64",
        };
        let points = self.points.map(|value| U::lit(value.as_f64()));
        if let Some(k) = points.iter().position(|value| !value.is_finite()) {
            let place = place_of(k, self.dimension(), self.names());
            return Err(too_large(self.points[k], place));
        }
        let labels = self.labels.map(|value| U::lit(value.as_f64()));
        if let Some(i) = labels.iter().position(|value| !value.is_finite()) {
            return Err(too_large(self.labels[i], format!("the label of point {i}")));
        }
        Dataset::checked(points, labels, self.names.clone())?.with_optional_weights(self.cast_weights())
    }
}

impl<T: Float> TryFrom<(DMatrix<T>, DVector<T>)> for Dataset<T> {
    type Error = Error;

    /// See [`Dataset::new`].
    fn try_from((points, labels): (DMatrix<T>, DVector<T>)) -> Result<Self, Error> {
        Self::new(points, labels)
    }
}

/// Points given as rows, as the columns of a d x k matrix.
///
/// Errors: rows of unequal lengths.
fn columns_of_rows<T: Float, R: AsRef<[T]>>(rows: &[R]) -> Result<DMatrix<T>, Error> {
    let dimension = rows.first().map_or(0, |row| row.as_ref().len());
    let mut values = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let row = row.as_ref();
        if row.len() != dimension {
            return Err(Error::Shape {
                what: format!("the length of row {i}"),
                expected: dimension,
                found: row.len(),
                remedy: "give every row the same number of values as row 0",
            });
        }
        values.extend_from_slice(row);
    }
    Ok(DMatrix::from_vec(dimension, rows.len(), values))
}

/// The same for points to predict for, which must be finite, and at least one.
pub(crate) fn checked_rows<T: Float, R: AsRef<[T]>>(rows: &[R]) -> Result<DMatrix<T>, Error> {
    let points = columns_of_rows(rows)?;
    check_points(&points, None)?;
    Ok(points)
}

/// The numbers below `samples` in an order that depends on the seed alone.
pub(crate) fn shuffled(samples: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}

/// Checks that `points` is not empty and that all its entries are finite.
pub(crate) fn check_points<T: Float>(points: &DMatrix<T>, names: Option<&[String]>) -> Result<(), Error> {
    if points.ncols() == 0 {
        return Err(Error::Empty {
            what: "the list of points",
            remedy: "give at least one point",
        });
    }
    if points.nrows() == 0 {
        return Err(Error::Empty {
            what: "each point",
            remedy: "give points with at least one coordinate",
        });
    }
    check_finite("a coordinate", points, FINITE_REMEDY, |row, point| {
        place_of(point * points.nrows() + row, points.nrows(), names)
    })
}

/// Checks that the names of columns match those of the training data in order, if both have names, up to the shorter list:
/// the dimension is checked elsewhere. `data` says what has the names `found`.
pub(crate) fn check_names(expected: Option<&[String]>, found: Option<&[String]>, data: &str) -> Result<(), Error> {
    let (Some(expected), Some(found)) = (expected, found) else {
        return Ok(());
    };
    let remedy = "give the columns of the training data, in the same order";
    if let Some(name) = expected.iter().find(|name| !found.contains(name)) {
        return Err(Error::Column {
            column: format!("column {name:?}"),
            problem: format!("of the training data is missing in {data}"),
            remedy,
        });
    }
    match (0..expected.len().min(found.len())).find(|&k| expected[k] != found[k]) {
        None => Ok(()),
        Some(k) => Err(Error::Column {
            column: format!("{} of {data}", column_name(k, Some(found))),
            problem: format!("is where the training data has {:?}", expected[k]),
            remedy,
        }),
    }
}

const FINITE_REMEDY: &str = "replace it with a finite number, or remove the point";

/// The place of entry `k` of a column-major matrix of points, for error messages.
fn place_of(k: usize, dimension: usize, names: Option<&[String]>) -> String {
    let (point, row) = (k / dimension, k % dimension);
    format!("point {point}, coordinate {}", number_and_name(row, names))
}

/// `column "alcohol"`, or `coordinate 3 (from 0)` if the columns have no names.
pub(crate) fn column_name(column: usize, names: Option<&[String]>) -> String {
    match names.and_then(|names| names.get(column)) {
        Some(name) => format!("column {name:?}"),
        None => format!("coordinate {column} (from 0)"),
    }
}

/// `3 ("alcohol")`, or `3` if the columns have no names.
pub(crate) fn number_and_name(column: usize, names: Option<&[String]>) -> String {
    match names.and_then(|names| names.get(column)) {
        Some(name) => format!("{column} ({name:?})"),
        None => column.to_string(),
    }
}

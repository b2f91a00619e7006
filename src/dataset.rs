//! Points and labels, checked once so that nothing downstream meets a bad number.

use crate::error::Error;
use crate::float::Float;
use crate::numbers::check_finite;
use crate::setting::{require, within_unit};
use nalgebra::{DMatrix, DVector};
use num_traits::ToPrimitive;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

#[cfg(feature = "csv")]
mod csv;

/// A labelled data set: points X (d x n, one point per column) and labels y (n).
///
/// Every way to make one checks that there is at least one point and one coordinate, that each
/// point has its label, and that all numbers are finite. The columns of a table (the coordinates
/// of the points) may have names, which errors then mention and [`Scaling`](crate::Scaling) compares.
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
}

impl<T: Float> Dataset<T> {
    /// A data set of `points` (d x n, one point per column) and `labels` (n).
    ///
    /// Errors: [`Error::Empty`] without points or coordinates, [`Error::Shape`] where the number of
    /// labels is another, [`Error::NotFinite`] for a NaN or an infinity. Costs one look at each of
    /// the n (d + 1) numbers.
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

    /// A data set of n `rows` of d numbers each, and their n `labels`.
    ///
    /// Errors: those of [`Dataset::new`], and [`Error::Shape`] naming the first row whose length
    /// differs from that of row 0. Copies the n d numbers.
    pub fn from_rows<R: AsRef<[T]>>(rows: &[R], labels: &[T]) -> Result<Self, Error> {
        let dimension = rows.first().map_or(0, |row| row.as_ref().len());
        let mut values = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let row = row.as_ref();
            if row.len() != dimension {
                return Err(Error::Shape {
                    what: format!("the length of row {i}"),
                    expected: dimension,
                    found: row.len(),
                    remedy: "give every row as many numbers as row 0 has",
                });
            }
            values.extend_from_slice(row);
        }
        if !rows.is_empty() {
            check_count(labels.len(), rows.len(), "give one label for each row")?;
        }
        let points = DMatrix::from_vec(dimension, rows.len(), values);
        Self::new(points, DVector::from_column_slice(labels))
    }

    /// Every constructor ends here.
    pub(crate) fn checked(points: DMatrix<T>, labels: DVector<T>, names: Option<Vec<String>>) -> Result<Self, Error> {
        check_points(&points, names.as_deref())?;
        check_count(
            labels.len(),
            points.ncols(),
            "give one label for each point; points are the columns of a d x n matrix",
        )?;
        check_finite("a label", &labels, BE_FINITE, |i, _| format!("point {i}"))?;
        Ok(Self { points, labels, names })
    }

    /// The same data with a name for each of its d columns.
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
        if names.len() != self.dimension() {
            return Err(Error::Shape {
                what: "the number of column names".into(),
                expected: self.dimension(),
                found: names.len(),
                remedy: "give one name for each coordinate of the points, none for the labels",
            });
        }
        self.names = Some(names);
        Ok(self)
    }

    /// Points (d x n), labels (n) and names, as they are: the way back from a data set.
    pub fn into_parts(self) -> (DMatrix<T>, DVector<T>, Option<Vec<String>>) {
        (self.points, self.labels, self.names)
    }

    /// The points X, d x n, one point per column.
    pub fn points(&self) -> &DMatrix<T> {
        &self.points
    }

    /// The labels y, n of them.
    pub fn labels(&self) -> &DVector<T> {
        &self.labels
    }

    /// The names of the d columns, where they have some (those read from CSV do).
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The number of points, n.
    pub fn samples(&self) -> usize {
        self.points.ncols()
    }

    /// The number of coordinates of each point, d.
    pub fn dimension(&self) -> usize {
        self.points.nrows()
    }

    /// Two disjoint random parts: the first (for training) holds `fraction` of the points, rounded
    /// to the nearest number of points, and the second the others.
    ///
    /// The same `seed` gives the same parts, on every machine and for every scalar type.
    ///
    /// Errors: [`Error::Setting`] unless 0 < fraction < 1 and both parts get at least one point.
    /// Copies the data.
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
                expected: "such that both parts get a point (and the data must have two or more)",
            });
        }
        let mut order: Vec<usize> = (0..samples).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let (first, second) = order.split_at(first);
        Ok((self.select(first)?, self.select(second)?))
    }

    /// The points with these `indices` (from 0), in this order; an index may come more than once.
    ///
    /// Errors: [`Error::Empty`] without indices, [`Error::Setting`] for one that is not below n.
    /// Copies d numbers an index.
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
        })
    }

    /// The same data in another scalar type, each number rounded to the nearest.
    ///
    /// Errors: [`Error::NotFinite`] with the number and its place if it is beyond the range of `U`.
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
            remedy: "scale the data down (see `Scaling`) before the cast, or stay with f64",
        };
        let points = self.points.map(|value| U::lit(value.as_f64()));
        if let Some(k) = points.iter().position(|value| !value.is_finite()) {
            let place = coordinate(k, self.dimension(), self.names());
            return Err(too_large(self.points[k], place));
        }
        let labels = self.labels.map(|value| U::lit(value.as_f64()));
        if let Some(i) = labels.iter().position(|value| !value.is_finite()) {
            return Err(too_large(self.labels[i], format!("the label of point {i}")));
        }
        Dataset::checked(points, labels, self.names.clone())
    }
}

impl<T: Float> TryFrom<(DMatrix<T>, DVector<T>)> for Dataset<T> {
    type Error = Error;

    /// [`Dataset::new`].
    fn try_from((points, labels): (DMatrix<T>, DVector<T>)) -> Result<Self, Error> {
        Self::new(points, labels)
    }
}

fn check_count(labels: usize, samples: usize, remedy: &'static str) -> Result<(), Error> {
    if labels == samples {
        return Ok(());
    }
    Err(Error::Shape {
        what: "the number of labels".into(),
        expected: samples,
        found: labels,
        remedy,
    })
}

/// That `points` is not empty and all finite.
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
            remedy: "give points of at least one coordinate",
        });
    }
    check_finite("a coordinate", points, BE_FINITE, |row, point| {
        coordinate(point * points.nrows() + row, points.nrows(), names)
    })
}

/// The remedy for numbers that are not finite.
const BE_FINITE: &str = "put a finite number there, or leave the point out";

/// Where entry `k` of a column-major matrix of points stands, for error messages.
fn coordinate(k: usize, dimension: usize, names: Option<&[String]>) -> String {
    let (point, row) = (k / dimension, k % dimension);
    format!("point {point}, coordinate {}", number_and_name(row, names))
}

/// `3 ("alcohol")`, or `3` where columns have no names.
pub(crate) fn number_and_name(column: usize, names: Option<&[String]>) -> String {
    match names.and_then(|names| names.get(column)) {
        Some(name) => format!("{column} ({name:?})"),
        None => column.to_string(),
    }
}

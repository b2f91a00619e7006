//! The columns of the training data, which read further files.

use super::options::{CsvOptions, Missing};
use super::{in_file, read_all, read_file};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::setting::{checked_serde, require};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// The columns of training data read by [`CsvOptions::read`]; reads test data and points to predict at in the same way.
///
/// Holds the options, the names of the columns, the categories of text columns and the means that replace missing values.
/// All data it reads has the coordinates of the training data in the same order, whatever the order of the columns in the
/// file. Other columns are ignored.
///
/// Without a [header](CsvOptions::header), columns are identified by position: a file must have as many columns as the
/// training data. Only the label column may be absent from a file of points.
///
/// To predict from files later, serialise the columns along with the network.
///
/// ```
/// use expnet::{CsvColumns, CsvOptions};
///
/// let train = "colour,sugar,quality\nred,1.9,5\nwhite,2.6,6\n";
/// let (data, columns) = CsvOptions::default().one_hot(&["colour"]).read::<f64>(train.as_bytes(), "quality")?;
///
/// let saved = serde_json::to_string(&columns)?;
/// let columns: CsvColumns = serde_json::from_str(&saved)?;
/// assert_eq!(columns.points::<f64>(train.as_bytes())?, *data.points());
///
/// let test = "quality,sugar,colour\n7,3.5,white\n";
/// let test = columns.dataset::<f64>(test.as_bytes())?;
/// assert_eq!((test.points().as_slice(), test.labels()[0]), (&[0.0, 1.0, 3.5][..], 7.0));
///
/// let error = columns.points::<f64>("colour,sugar\nrosé,2.0\n".as_bytes()).unwrap_err();
/// assert!(error.to_string().contains("line 2") && error.to_string().contains("rosé"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct CsvColumns {
    pub(super) options: CsvOptions,
    pub(super) label: String,
    /// The number of columns of the file, with those that were left out.
    pub(super) in_file: usize,
    pub(super) columns: Vec<Column>,
}

/// A column that becomes coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub name: String,
    pub coding: Coding,
}

/// How the fields of a column become coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Coding {
    /// One coordinate. The mean is that of the training data, under [`Missing::Mean`].
    Number { mean: Option<f64> },
    /// One coordinate per category, in sorted order.
    OneHot { categories: Vec<String> },
}

impl CsvColumns {
    /// Reads a data set with the same columns, such as test data.
    ///
    /// Errors: those of [`CsvOptions::read`], and [`Error::Csv`] for a missing column and for a category that the
    /// training data does not have, unless [`CsvOptions::unknown_category`] allows it.
    pub fn dataset<T: Float>(&self, reader: impl Read) -> Result<Dataset<T>, Error> {
        self.read_dataset(&read_all(reader, "reading the CSV data")?)
    }

    /// [`dataset`](Self::dataset) for the file at `path`.
    ///
    /// Errors: those of [`dataset`](Self::dataset); [`Error::Io`] and [`Error::Csv`] name the file.
    pub fn dataset_path<T: Float>(&self, path: impl AsRef<Path>) -> Result<Dataset<T>, Error> {
        let path = path.as_ref();
        in_file(path, self.read_dataset(&read_file(path)?))
    }

    /// Reads points to predict at, d x k, one per row of the text. A label column may be absent, and is ignored.
    ///
    /// Errors: those of [`dataset`](Self::dataset). Under [`Missing::DropRow`], a missing value is an error: predictions
    /// could no longer be matched with rows.
    pub fn points<T: Float>(&self, reader: impl Read) -> Result<DMatrix<T>, Error> {
        self.read_points(&read_all(reader, "reading the CSV data")?)
    }

    /// [`points`](Self::points) for the file at `path`.
    ///
    /// Errors: those of [`points`](Self::points); [`Error::Io`] and [`Error::Csv`] name the file.
    pub fn points_path<T: Float>(&self, path: impl AsRef<Path>) -> Result<DMatrix<T>, Error> {
        let path = path.as_ref();
        in_file(path, self.read_points(&read_file(path)?))
    }

    /// The name of the label column.
    pub fn label_column(&self) -> &str {
        &self.label
    }

    /// The names of the d coordinates, those of [`Dataset::names`]: `sugar`, or `colour=red` for a category.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().flat_map(Column::coordinates).collect()
    }

    /// The number of coordinates, d.
    pub fn dimension(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// The categories of a text column, sorted; `None` if there is no such text column.
    pub fn categories(&self, column: &str) -> Option<&[String]> {
        let found = self.columns.iter().find(|found| found.name == column)?;
        match &found.coding {
            Coding::OneHot { categories } => Some(categories),
            Coding::Number { .. } => None,
        }
    }

    /// The mean that replaces missing values of a column; `None` unless it is a column of numbers read under
    /// [`Missing::Mean`].
    pub fn mean(&self, column: &str) -> Option<f64> {
        let found = self.columns.iter().find(|found| found.name == column)?;
        match found.coding {
            Coding::Number { mean } => mean,
            Coding::OneHot { .. } => None,
        }
    }

    /// The options that the training data was read with.
    pub fn options(&self) -> &CsvOptions {
        &self.options
    }

    /// Checks that no two coordinates have the same name.
    pub(super) fn check_distinct(&self) -> Result<(), String> {
        let names = self.names();
        let mut seen = HashSet::new();
        match names.iter().find(|name| !seen.insert(*name)) {
            None => Ok(()),
            Some(twice) => Err(format!(
                "two coordinates would be called {twice:?}, at least one of them for a category; rename one of the columns"
            )),
        }
    }

    /// Checks that [`CsvOptions::read`] could have returned these columns.
    fn check_settings(&self) -> Result<(), Error> {
        self.options.check_settings()?;
        let setting = "`columns` of `CsvColumns`";
        let count = self.columns.len();
        let expected = "at least one, and fewer than the columns of the file";
        require(count > 0 && count < self.in_file, setting, count, expected)?;
        if let Err(problem) = self.check_distinct() {
            require(false, setting, problem, "columns with different names")?;
        }
        let means = self.options.missing == Missing::Mean;
        for Column { name, coding } in &self.columns {
            match coding {
                Coding::Number { mean } => require(
                    mean.is_some() == means && mean.is_none_or(f64::is_finite) && *name != self.label,
                    setting,
                    format_args!("{mean:?} for the mean of {name:?}"),
                    "finite for each column of numbers under `Missing::Mean`, absent otherwise, and not that of the labels",
                )?,
                Coding::OneHot { categories } => require(
                    !categories.is_empty() && categories.is_sorted_by(|a, b| a < b) && *name != self.label,
                    setting,
                    format_args!("{categories:?} for the categories of {name:?}"),
                    "sorted categories of a column other than the labels",
                )?,
            }
        }
        Ok(())
    }
}

impl Column {
    fn width(&self) -> usize {
        match &self.coding {
            Coding::Number { .. } => 1,
            Coding::OneHot { categories } => categories.len(),
        }
    }

    fn coordinates(&self) -> Vec<String> {
        let name = &self.name;
        match &self.coding {
            Coding::Number { .. } => vec![name.clone()],
            Coding::OneHot { categories } => categories.iter().map(|category| format!("{name}={category}")).collect(),
        }
    }
}

checked_serde!(CsvColumns);

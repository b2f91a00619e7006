//! The layout of a CSV file, and how its columns are read.

use super::columns::CsvColumns;
use super::{in_file, learn, read_all, read_file};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::setting::checked_serde;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// How to treat missing values: fields that are empty, `NA`, `NaN` (both in any case) or `?`.
///
/// Columns that are not read may have missing values. Labels and categories have no mean: if one is missing, it is an error
/// under [`Missing::Mean`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// A missing value is an error. The default.
    #[default]
    Error,
    /// Samples with a missing value are dropped. In points to predict at, a missing value is an error, because each row
    /// needs a prediction.
    DropRow,
    /// A missing value is replaced by the mean of its column in the training data.
    Mean,
}

/// How to treat a category that does not occur in the training data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnknownCategory {
    /// An unknown category is an error. The default.
    #[default]
    Error,
    /// All coordinates of the column are 0.
    Zero,
}

/// Reads CSV files with other layouts than [`Dataset::from_csv`] expects, selected columns, text columns or missing values.
///
/// | setting | meaning | default |
/// |---|---|---|
/// | [`delimiter`](Self::delimiter) | the character between fields | `b','` |
/// | [`blank_aligned`](Self::blank_aligned) | fields are separated by runs of blanks and tabs instead | `false` |
/// | [`header`](Self::header) | the first line names the columns | `true` |
/// | [`keep`](Self::keep), [`drop`](Self::drop) | the columns to read | all |
/// | [`one_hot`](Self::one_hot) | text columns, with one coordinate per category | none |
/// | [`missing`](Self::missing) | how to treat missing values | [`Missing::Error`] |
/// | [`unknown_category`](Self::unknown_category) | how to treat new categories | [`UnknownCategory::Error`] |
///
/// [`read`](Self::read) returns the data set and its [`CsvColumns`], which read test data and points in the same way.
///
/// ```
/// use expnet::{CsvOptions, Missing};
///
/// let train = "id,colour,sugar,quality\n1,red,1.9,5\n2,white,NA,6\n3,red,2.1,7\n";
/// let options = CsvOptions::default().drop(&["id"]).one_hot(&["colour"]).missing(Missing::Mean);
/// let (data, columns) = options.read::<f64>(train.as_bytes(), "quality")?;
/// assert_eq!(data.names().unwrap(), ["colour=red", "colour=white", "sugar"]);
/// assert_eq!(data.points().column(1).as_slice(), [0.0, 1.0, 2.0]);
///
/// let new = "sugar,colour\n3.5,white\n";
/// assert_eq!(columns.points::<f64>(new.as_bytes())?.as_slice(), [0.0, 1.0, 3.5]);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct CsvOptions {
    pub(super) delimiter: u8,
    pub(super) blank_aligned: bool,
    pub(super) header: bool,
    pub(super) keep: Option<Vec<String>>,
    pub(super) drop: Vec<String>,
    pub(super) one_hot: Vec<String>,
    pub(super) missing: Missing,
    pub(super) unknown_category: UnknownCategory,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            blank_aligned: false,
            header: true,
            keep: None,
            drop: Vec::new(),
            one_hot: Vec::new(),
            missing: Missing::default(),
            unknown_category: UnknownCategory::default(),
        }
    }
}

impl CsvOptions {
    /// The character between fields, such as `b';'` or `b'\t'`. Defaults to `b','`.
    ///
    /// It must be an ASCII character that is not part of a number or of CSV's own syntax.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether fields are separated by runs of blanks and tabs, as in tables with aligned columns. Defaults to `false`.
    ///
    /// Fields that contain blanks must be quoted. Cannot be combined with [`delimiter`](Self::delimiter).
    ///
    /// ```
    /// # use expnet::CsvOptions;
    /// let text = "alcohol  pH    quality\n 9.4     3.51  5\n10.5     3.3   7\n";
    /// let (data, _) = CsvOptions::default().blank_aligned(true).read::<f64>(text.as_bytes(), "quality")?;
    /// assert_eq!(data.points().as_slice(), [9.4, 3.51, 10.5, 3.3]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn blank_aligned(mut self, on: bool) -> Self {
        self.blank_aligned = on;
        self
    }

    /// Whether the first line names the columns. Defaults to `true`.
    ///
    /// Without a header, the columns are called `column 1`, `column 2` and so on.
    ///
    /// ```
    /// # use expnet::CsvOptions;
    /// let (data, _) = CsvOptions::default().header(false).read::<f64>("1,2,3\n4,5,6\n".as_bytes(), "column 3")?;
    /// assert_eq!(data.labels().as_slice(), [3.0, 6.0]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn header(mut self, on: bool) -> Self {
        self.header = on;
        self
    }

    /// Reads only these columns, in the order of the file. The label column is always read and need not be listed.
    /// Defaults to all columns.
    pub fn keep<S: AsRef<str>>(mut self, columns: &[S]) -> Self {
        self.keep = Some(trimmed(columns));
        self
    }

    /// Ignores these columns, whatever they contain. Defaults to none.
    pub fn drop<S: AsRef<str>>(mut self, columns: &[S]) -> Self {
        self.drop = trimmed(columns);
        self
    }

    /// Encodes these text columns with one coordinate per category: 1 for samples of that category, 0 for all others.
    /// Defaults to none.
    ///
    /// The coordinates are named `colour=red` and so on, and sorted by category. Categories are case-sensitive; whitespace
    /// around them is ignored.
    pub fn one_hot<S: AsRef<str>>(mut self, columns: &[S]) -> Self {
        self.one_hot = trimmed(columns);
        self
    }

    /// How to treat missing values. Defaults to [`Missing::Error`].
    ///
    /// ```
    /// # use expnet::{CsvOptions, Missing};
    /// let text = "x,y\n1,5\n?,6\n,7\n4,8\n";
    /// let read = |missing| CsvOptions::default().missing(missing).read::<f64>(text.as_bytes(), "y");
    /// assert_eq!(read(Missing::DropRow)?.0.points().as_slice(), [1.0, 4.0]);
    /// assert_eq!(read(Missing::Mean)?.0.points().as_slice(), [1.0, 2.5, 2.5, 4.0]);
    /// assert!(read(Missing::Error).unwrap_err().to_string().contains("line 3"));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// How to treat a category that does not occur in the training data. Defaults to [`UnknownCategory::Error`].
    pub fn unknown_category(mut self, unknown: UnknownCategory) -> Self {
        self.unknown_category = unknown;
        self
    }

    /// Reads the training data. Also returns its columns, which read further files in the same way.
    ///
    /// The column `label_column` holds the labels. The syntax is that of [`Dataset::from_csv`]. Holds the text and the
    /// n (d + 1) numbers in memory; parses the text twice if there are categories or means to learn.
    ///
    /// Errors: those of [`Dataset::from_csv`]; [`Error::Csv`] for a column of [`keep`](Self::keep), [`drop`](Self::drop) or
    /// [`one_hot`](Self::one_hot) that does not exist, is listed twice or contradicts another of the three, and for a
    /// missing value that is neither dropped nor replaced; [`Error::Empty`] if every row is dropped; [`Error::Setting`] for
    /// an invalid delimiter, [`Error::Incompatible`] for one with [`blank_aligned`](Self::blank_aligned);
    /// [`Error::OutOfMemory`] if the coordinates do not fit in memory.
    pub fn read<T: Float>(&self, reader: impl Read, label_column: &str) -> Result<(Dataset<T>, CsvColumns), Error> {
        self.read_bytes(&read_all(reader, "reading the CSV data")?, label_column)
    }

    /// [`read`](Self::read) for the file at `path`.
    ///
    /// Errors: those of [`read`](Self::read); [`Error::Io`] and [`Error::Csv`] name the file.
    pub fn read_path<T: Float>(
        &self,
        path: impl AsRef<Path>,
        label_column: &str,
    ) -> Result<(Dataset<T>, CsvColumns), Error> {
        let path = path.as_ref();
        in_file(path, self.read_bytes(&read_file(path)?, label_column))
    }

    fn read_bytes<T: Float>(&self, bytes: &[u8], label_column: &str) -> Result<(Dataset<T>, CsvColumns), Error> {
        self.check_settings()?;
        let columns = learn::columns(self, bytes, label_column.trim())?;
        let data = columns.read_dataset(bytes)?;
        Ok((data, columns))
    }

    pub(super) fn check_settings(&self) -> Result<(), Error> {
        if self.blank_aligned && self.delimiter != Self::default().delimiter {
            return Err(Error::Incompatible {
                what: "`CsvOptions::blank_aligned`",
                with: "`CsvOptions::delimiter`",
                reason: "fields are separated either by blanks or by the delimiter; leave one of them out",
            });
        }
        check_delimiter("`CsvOptions::delimiter`", self.delimiter)
    }
}

pub(super) fn check_delimiter(setting: &'static str, delimiter: u8) -> Result<(), Error> {
    let reserved = delimiter.is_ascii_alphanumeric() || b"+-.\"\r\n".contains(&delimiter);
    if delimiter.is_ascii() && !reserved {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        value: format!("b'{}'", delimiter.escape_ascii()),
        expected: "an ASCII character other than a quote or line break that cannot occur in a number, \
                   such as b',', b';' or b'\\t'",
    })
}

/// The names without whitespace around them, like names in headers.
fn trimmed<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().trim().to_owned()).collect()
}

checked_serde!(CsvOptions);

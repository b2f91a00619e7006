//! Data sets from CSV text.

mod blanks;
mod columns;
mod header;
mod learn;
mod numbers;
mod options;
mod rows;
mod table;

pub use columns::CsvColumns;
pub use options::{CsvOptions, Missing, UnknownCategory};

use super::Dataset;
use crate::error::Error;
use crate::float::Float;
use options::check_delimiter;
use std::fs::File;
use std::io::Read;
use std::path::Path;

impl<T: Float> Dataset<T> {
    /// Reads comma-separated text: a header, then one sample per line. The column `label_column` holds
    /// the labels; all other columns are coordinates, named as in the header.
    ///
    /// For other layouts, selected columns, text columns and missing values, see [`CsvOptions`].
    ///
    /// Fields may be quoted (RFC 4180). Whitespace around fields, blank lines and a byte order mark are
    /// skipped. Lines end in LF, CRLF or CR. Every field below the header must be a finite number.
    ///
    /// Errors: [`Error::Csv`] with the line (from 1) and the column (from 1, and by name) for a missing
    /// or duplicate label column, a row that is too short or too long, or a field that is empty, not a
    /// number, not finite, out of range for `T` or not UTF-8; [`Error::Empty`] if there is no header or
    /// no row; [`Error::Io`] if `reader` fails. Holds the text and the n (d + 1) numbers in memory.
    ///
    /// ```
    /// use expnet::Dataset;
    ///
    /// let text = "\"acid, fixed\",sugar,quality\n7.4,1.9,5\n7.8,2.6,6\n";
    /// let wine = Dataset::<f64>::from_csv(text.as_bytes(), "quality")?;
    /// assert_eq!((wine.samples(), wine.dimension()), (2, 2));
    /// assert_eq!(wine.names().unwrap(), ["acid, fixed", "sugar"]);
    /// assert_eq!(wine.labels().as_slice(), [5.0, 6.0]);
    ///
    /// let error = Dataset::<f64>::from_csv(text.as_bytes(), "colour").unwrap_err();
    /// assert!(error.to_string().contains("\"sugar\""));
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn from_csv(reader: impl Read, label_column: &str) -> Result<Self, Error> {
        Self::from_csv_with(reader, label_column, b',')
    }

    /// [`Dataset::from_csv`] with another `delimiter`, such as `b';'` or `b'\t'`.
    ///
    /// Errors: those of [`Dataset::from_csv`], and [`Error::Setting`] for a delimiter that is not ASCII
    /// or could be part of a number or of CSV's own syntax.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let text = "alcohol;quality\n9.4;5\n9.8;6\n";
    /// let wine = Dataset::<f64>::from_csv_with(text.as_bytes(), "quality", b';')?;
    /// assert_eq!(wine.samples(), 2);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn from_csv_with(reader: impl Read, label_column: &str, delimiter: u8) -> Result<Self, Error> {
        check_delimiter("`delimiter` of `Dataset::from_csv_with`", delimiter)?;
        let options = CsvOptions::default().delimiter(delimiter);
        Ok(options.read(reader, label_column)?.0)
    }

    /// [`Dataset::from_csv`] for the file at `path`.
    ///
    /// Errors: those of [`Dataset::from_csv`]; [`Error::Io`] and [`Error::Csv`] name the file.
    ///
    /// ```no_run
    /// # use expnet::Dataset;
    /// let wine = Dataset::<f64>::from_csv_path("examples/data/winequality-red.csv", "quality")?;
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn from_csv_path(path: impl AsRef<Path>, label_column: &str) -> Result<Self, Error> {
        Ok(CsvOptions::default().read_path(path, label_column)?.0)
    }
}

/// Reads the whole text, so that error messages can count lines exactly: the CSV reader's own position
/// stops before blank lines and inside CRLF.
fn read_all(mut reader: impl Read, action: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match reader.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(Error::Io {
            action: action.into(),
            source,
        }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(|source| Error::Io {
        action: format!("opening the data file {}", path.display()),
        source,
    })?;
    read_all(file, &format!("reading the data file {}", path.display()))
}

/// Adds the name of the file to an error about its text.
fn in_file<R>(path: &Path, read: Result<R, Error>) -> Result<R, Error> {
    read.map_err(|error| match error {
        Error::Csv { line, problem } => Error::Csv {
            line,
            problem: format!("{problem} (in {})", path.display()),
        },
        other => other,
    })
}

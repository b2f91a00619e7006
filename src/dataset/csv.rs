//! Data sets from CSV text.

use super::Dataset;
use crate::error::Error;
use crate::float::Float;
use ::csv::{ByteRecord, ReaderBuilder};
use nalgebra::{DMatrix, DVector};
use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How many of the columns a message lists before it says how many more there are.
const LISTED: usize = 40;

impl<T: Float> Dataset<T> {
    /// Reads comma-separated text: a header, then one point per line. The column called `label_column`
    /// holds the labels, all others the coordinates, named as in the header.
    ///
    /// Fields may be quoted (RFC 4180); blanks around them, blank lines and a byte order mark are
    /// skipped; lines end in LF, CRLF or CR. Every field below the header must be a finite number.
    ///
    /// Errors: [`Error::Csv`] with the line (from 1) and the column (from 1, and by name) for a missing
    /// or repeated label column, a row too short or too long, a field that is empty, no number, not
    /// finite, out of range for `T` or not UTF-8; [`Error::Empty`] without header or rows;
    /// [`Error::Io`] where `reader` fails. Needs memory for the text and the n (d + 1) numbers.
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

    /// [`Dataset::from_csv`] for another `delimiter`, such as `b';'` or `b'\t'`.
    ///
    /// Errors: also [`Error::Setting`] for a delimiter that could be part of a number or of CSV's
    /// own syntax.
    ///
    /// ```
    /// # use expnet::Dataset;
    /// let text = "alcohol;quality\n9.4;5\n9.8;6\n";
    /// let wine = Dataset::<f64>::from_csv_with(text.as_bytes(), "quality", b';')?;
    /// assert_eq!(wine.samples(), 2);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn from_csv_with(reader: impl Read, label_column: &str, delimiter: u8) -> Result<Self, Error> {
        let bytes = read_all(reader, "reading the CSV data")?;
        parse(&bytes, label_column, delimiter)
    }

    /// [`Dataset::from_csv`] of the file at `path`.
    ///
    /// Errors: those of [`Dataset::from_csv`]; [`Error::Io`] and [`Error::Csv`] name the file.
    ///
    /// ```no_run
    /// # use expnet::Dataset;
    /// let wine = Dataset::<f64>::from_csv_path("examples/data/winequality-red.csv", "quality")?;
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn from_csv_path(path: impl AsRef<Path>, label_column: &str) -> Result<Self, Error> {
        let path = path.as_ref();
        let opened = File::open(path);
        let path = path.display();
        let file = opened.map_err(|source| Error::Io {
            action: format!("opening the data file {path}"),
            source,
        })?;
        let bytes = read_all(file, &format!("reading the data file {path}"))?;
        parse(&bytes, label_column, b',').map_err(|error| match error {
            Error::Csv { line, problem } => Error::Csv {
                line,
                problem: format!("{problem} (in {path})"),
            },
            other => other,
        })
    }
}

/// The text as a whole: a message can then count its lines exactly, which the reader's own
/// position (it stops before blank lines and inside CRLF) does not give.
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

fn parse<T: Float>(bytes: &[u8], label_column: &str, delimiter: u8) -> Result<Dataset<T>, Error> {
    check_delimiter(delimiter)?;
    let mut rows = Rows::new(bytes, delimiter);
    if !rows.advance()? {
        return Err(Error::Empty {
            what: "the CSV data",
            remedy: "give a header line and at least one row of numbers",
        });
    }
    let mut names = rows.header()?;
    let label = find_label(&names, label_column, delimiter).map_err(|e| rows.error(e))?;

    let (mut values, mut labels) = (Vec::new(), Vec::new());
    while rows.advance()? {
        rows.check_length(&names)?;
        for (k, field) in rows.record.iter().enumerate() {
            let value =
                number(field).map_err(|problem| rows.error(format!("column {} {problem}", title(k, &names))))?;
            let list = if k == label { &mut labels } else { &mut values };
            list.push(value);
        }
    }
    if labels.is_empty() {
        return Err(Error::Empty {
            what: "the CSV data below its header",
            remedy: "give at least one row of numbers",
        });
    }
    names.remove(label);
    let points = DMatrix::from_vec(names.len(), labels.len(), values);
    Dataset::checked(points, DVector::from_vec(labels), Some(names))
}

fn check_delimiter(delimiter: u8) -> Result<(), Error> {
    let taken = delimiter.is_ascii_alphanumeric() || b"+-.\"\r\n".contains(&delimiter);
    if delimiter.is_ascii() && !taken {
        return Ok(());
    }
    Err(Error::Setting {
        setting: "`delimiter` of `Dataset::from_csv_with`",
        value: format!("b'{}'", delimiter.escape_ascii()),
        expected: "an ASCII character that is no part of a number, a quote or a line's end, \
                   such as b',', b';' or b'\\t'",
    })
}

/// The rows of a text, blank ones left out, and where they stand.
struct Rows<'a> {
    bytes: &'a [u8],
    reader: ::csv::Reader<&'a [u8]>,
    record: ByteRecord,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            // Rows of a wrong length get our own message.
            .flexible(true)
            .from_reader(bytes);
        Self {
            bytes,
            reader,
            record: ByteRecord::new(),
        }
    }

    /// Moves on to the next row that is not blank; false at the end.
    fn advance(&mut self) -> Result<bool, Error> {
        loop {
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) if self.record.len() == 1 && self.record[0].trim_ascii().is_empty() => {}
                Ok(more) => return Ok(more),
                Err(e) => return Err(self.error(e.to_string())),
            }
        }
    }

    /// An error about the current row.
    fn error(&self, problem: String) -> Error {
        let at = self.record.position().map_or(0, ::csv::Position::byte);
        let at = usize::try_from(at).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
        // The reader leaves line ends before a row to that row: they come before its line.
        let ends = self.bytes[at..].iter();
        let start = at + ends.take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let before = &self.bytes[..start];
        let pairs = before.windows(2).filter(|pair| pair == b"\r\n").count();
        let ends = before.iter().filter(|b| matches!(b, b'\r' | b'\n')).count();
        Error::Csv {
            line: (1 + ends - pairs) as u64,
            problem,
        }
    }

    /// The current row as the names of columns.
    fn header(&self) -> Result<Vec<String>, Error> {
        let name = |(k, field)| match std::str::from_utf8(field) {
            Ok(name) => Ok(name.trim().to_owned()),
            Err(_) => Err(self.error(format!(
                "the name of column {} is not UTF-8 text; save the file as UTF-8",
                k + 1
            ))),
        };
        self.record.iter().enumerate().map(name).collect()
    }

    fn check_length(&self, names: &[String]) -> Result<(), Error> {
        let (expected, found) = (names.len(), self.record.len());
        let remedy = match found.cmp(&expected) {
            Ordering::Equal => return Ok(()),
            Ordering::Less => format!(
                "the row ends before column {}: fill it up, or leave it out",
                title(found, names)
            ),
            Ordering::Greater => "take the surplus fields out, or quote a field that holds the delimiter".into(),
        };
        let problem = format!("{found} fields under a header of {expected}; {remedy}");
        Err(self.error(problem))
    }
}

/// `11 ("alcohol")`: as people count the columns of a table, from 1.
fn title(column: usize, names: &[String]) -> String {
    let name = names.get(column).map_or("", String::as_str);
    format!("{} ({name:?})", column + 1)
}

/// The label's column, or what is wrong with the header.
fn find_label(names: &[String], label: &str, delimiter: u8) -> Result<usize, String> {
    let label = label.trim();
    let mut found = (0..names.len()).filter(|&k| names[k] == label);
    let Some(first) = found.next() else {
        let listed: Vec<_> = names.iter().take(LISTED).map(|n| format!("{n:?}")).collect();
        let more = match names.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let problem = format!("no column {label:?}; name one of {}{more}", listed.join(", "));
        return Err(problem + &delimiter_hint(names, delimiter));
    };
    if let Some(second) = found.next() {
        let (first, second) = (first + 1, second + 1);
        return Err(format!(
            "two columns, {first} and {second}, are called {label:?}; rename the one that does not hold the labels"
        ));
    }
    if names.len() == 1 {
        return Err(format!(
            "the label {label:?} is the only column; add at least one column of coordinates"
        ));
    }
    Ok(first)
}

/// A header of one column that holds a usual delimiter was most likely cut with the wrong one.
fn delimiter_hint(names: &[String], delimiter: u8) -> String {
    let [only] = names else {
        return String::new();
    };
    let usual = b";,\t|".iter().copied();
    match usual
        .filter(|&c| c != delimiter)
        .find(|&c| only.contains(char::from(c)))
    {
        None => String::new(),
        Some(c) => format!(
            "; the header is a single column that holds '{0}': if that is the delimiter, use \
             `Dataset::from_csv_with(reader, label_column, b'{0}')`",
            c.escape_ascii()
        ),
    }
}

/// A field as a finite number, or what is wrong with it.
fn number<T: Float>(field: &[u8]) -> Result<T, String> {
    let Ok(text) = std::str::from_utf8(field) else {
        return Err("is not UTF-8 text; save the file as UTF-8".into());
    };
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty; fill the number in, or leave the row out".into());
    }
    let quoted = excerpt(text);
    let Ok(value) = text.parse::<f64>() else {
        let decimal_comma = text.replacen(',', ".", 1).parse::<f64>().is_ok();
        return Err(if decimal_comma {
            format!("holds {quoted}; write the decimals after a point, not a comma")
        } else {
            format!("holds {quoted}, which is not a number; replace it with one, or remove the row")
        });
    };
    let number = T::lit(value);
    if number.is_finite() {
        Ok(number)
    } else if text.bytes().any(|b| b.is_ascii_digit()) {
        let range = T::NAME;
        Err(format!(
            "holds {quoted}, beyond the range of {range}; scale the column down"
        ))
    } else {
        Err(format!(
            "holds {quoted}, not a finite number; fill one in, or leave the row out"
        ))
    }
}

/// `text` in quotes, cut where an unclosed quote swallowed half of the file.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(LISTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

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

/// The number of column names that an error message lists in full.
const MAX_LISTED: usize = 40;

/// The number of characters of a field that an error message quotes.
const MAX_QUOTED: usize = 40;

impl<T: Float> Dataset<T> {
    /// Reads comma-separated text: a header, then one sample per line. The column `label_column` holds
    /// the labels; all other columns are coordinates, named as in the header.
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
        let bytes = read_all(reader, "reading the CSV data")?;
        parse(&bytes, label_column, delimiter)
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

fn parse<T: Float>(bytes: &[u8], label_column: &str, delimiter: u8) -> Result<Dataset<T>, Error> {
    check_delimiter(delimiter)?;
    check_encoding(bytes)?;
    let mut rows = Rows::new(bytes, delimiter);
    if !rows.advance()? {
        return Err(Error::Empty {
            what: "the CSV data",
            remedy: "give a header line and at least one row of numbers",
        });
    }
    let mut names = rows.header()?;
    check_first_line(&names, delimiter).map_err(|e| rows.error(e))?;
    let label = find_label(&names, label_column, delimiter).map_err(|e| rows.error(e))?;
    check_header(&names).map_err(|e| rows.error(e))?;

    let (mut values, mut labels) = (Vec::new(), Vec::new());
    while rows.advance()? {
        rows.check_length(&names)?;
        for (k, field) in rows.record.iter().enumerate() {
            let value =
                parse_number(field).map_err(|problem| rows.error(format!("column {} {problem}", title(k, &names))))?;
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
    let reserved = delimiter.is_ascii_alphanumeric() || b"+-.\"\r\n".contains(&delimiter);
    if delimiter.is_ascii() && !reserved {
        return Ok(());
    }
    Err(Error::Setting {
        setting: "`delimiter` of `Dataset::from_csv_with`",
        value: format!("b'{}'", delimiter.escape_ascii()),
        expected: "an ASCII character other than a quote or line break that cannot occur in a number, \
                   such as b',', b';' or b'\\t'",
    })
}

/// The non-blank rows of a text, with their positions.
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
            // Rows of the wrong length get a message of their own.
            .flexible(true)
            .from_reader(bytes);
        Self {
            bytes,
            reader,
            record: ByteRecord::new(),
        }
    }

    /// Advances to the next non-blank row. Returns false at the end.
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
        // The reader counts the line breaks in front of a row as part of it; its line starts after them.
        let rest = self.bytes[at..].iter();
        let start = at + rest.take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let before = &self.bytes[..start];
        let crlfs = before.windows(2).filter(|two| two == b"\r\n").count();
        let breaks = before.iter().filter(|b| matches!(b, b'\r' | b'\n')).count();
        Error::Csv {
            line: (1 + breaks - crlfs) as u64,
            problem,
        }
    }

    /// The current row as column names.
    fn header(&self) -> Result<Vec<String>, Error> {
        let name = |(k, field)| match std::str::from_utf8(field) {
            Ok(name) => Ok(name.trim().to_owned()),
            Err(_) => Err(self.error(format!(
                "the name of column {} is not valid UTF-8; save the file as UTF-8",
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
                "the row ends before column {}: complete it, or remove it",
                title(found, names)
            ),
            Ordering::Greater
                if self
                    .record
                    .iter()
                    .skip(expected)
                    .all(|field| field.trim_ascii().is_empty()) =>
            {
                "the line ends in a delimiter; remove it from the end of every line".into()
            }
            Ordering::Greater => "remove the surplus fields, or quote a field that contains the delimiter".into(),
        };
        let problem = format!("{found} fields under a header of {expected}; {remedy}");
        Err(self.error(problem))
    }
}

/// `11 ("alcohol")`, counted from 1 as in a spreadsheet.
fn title(column: usize, names: &[String]) -> String {
    let name = names.get(column).map_or("", String::as_str);
    format!("{} ({name:?})", column + 1)
}

/// The index of the label column, or what is wrong with the header.
fn find_label(names: &[String], label: &str, delimiter: u8) -> Result<usize, String> {
    let label = label.trim();
    let mut found = (0..names.len()).filter(|&k| names[k] == label);
    let Some(first) = found.next() else {
        let listed: Vec<_> = names.iter().take(MAX_LISTED).map(|n| format!("{n:?}")).collect();
        let more = match names.len().saturating_sub(MAX_LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let problem = format!(
            "there is no column {label:?}; choose one of {}{more}",
            listed.join(", ")
        );
        return Err(problem + &delimiter_hint(names, delimiter));
    };
    if let Some(second) = found.next() {
        let (first, second) = (first + 1, second + 1);
        return Err(format!(
            "columns {first} and {second} are both called {label:?}; rename the one that does not hold the labels"
        ));
    }
    if names.len() == 1 {
        return Err(format!(
            "the label column {label:?} is the only column; add at least one column of coordinates"
        ));
    }
    Ok(first)
}

/// Refuses UTF-16, as spreadsheets write it, whose bytes are no readable text.
fn check_encoding(bytes: &[u8]) -> Result<(), Error> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Error::Csv {
            line: 1,
            problem: "the text is UTF-16; save the file as UTF-8".into(),
        });
    }
    Ok(())
}

/// Checks that the first line can be a header.
fn check_first_line(names: &[String], delimiter: u8) -> Result<(), String> {
    if let Some(separator) = names[0].strip_prefix("sep=") {
        return Err(format!(
            "the line \"sep={0}\" is for spreadsheets; remove it, and read the rest with `Dataset::from_csv_with(reader, \
             label_column, b'{0}')`",
            separator.bytes().next().unwrap_or(delimiter).escape_ascii()
        ));
    }
    let is_number = |name: &String| name.parse::<f64>().is_ok();
    if names.iter().all(is_number) {
        return Err(format!(
            "the first line holds numbers ({:?}, ..) where the names of the columns should be; add a header line",
            names[0]
        ));
    }
    Ok(())
}

/// Checks that every column has a name, and each another one.
fn check_header(names: &[String]) -> Result<(), String> {
    if names.len() > 1 && names[names.len() - 1].is_empty() {
        return Err(format!(
            "column {}, the last one, has no name: the line ends in a delimiter; remove it from the end of every line",
            names.len()
        ));
    }
    if let Some(k) = names.iter().position(String::is_empty) {
        return Err(format!(
            "column {} has no name; if it is an index, as pandas writes it, leave it out; otherwise name it",
            k + 1
        ));
    }
    for (second, name) in names.iter().enumerate() {
        if let Some(first) = names[..second].iter().position(|other| other == name) {
            return Err(format!(
                "columns {} and {} are both called {name:?}; rename or remove one of them",
                first + 1,
                second + 1
            ));
        }
    }
    Ok(())
}

/// A one-column header that contains a common delimiter was most likely split at the wrong one.
fn delimiter_hint(names: &[String], delimiter: u8) -> String {
    let [only] = names else {
        return String::new();
    };
    let common = b";,\t|".iter().copied();
    match common
        .filter(|&c| c != delimiter)
        .find(|&c| only.contains(char::from(c)))
    {
        None => String::new(),
        Some(c) => format!(
            "; the header is a single column that contains '{0}': if that is the delimiter, use \
             `Dataset::from_csv_with(reader, label_column, b'{0}')`",
            c.escape_ascii()
        ),
    }
}

/// Parses a field as a finite number, or says what is wrong with it.
fn parse_number<T: Float>(field: &[u8]) -> Result<T, String> {
    let Ok(text) = std::str::from_utf8(field) else {
        return Err("is not valid UTF-8; save the file as UTF-8".into());
    };
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty; fill in a number, or remove the row".into());
    }
    let quoted = excerpt(text);
    let Ok(value) = text.parse::<f64>() else {
        let is_number = |text: String| text.parse::<f64>().is_ok();
        return Err(if is_grouped(text) {
            format!("is {quoted}; remove the commas if they separate thousands, or use a decimal point instead of one")
        } else if is_number(text.replacen(',', ".", 1)) {
            format!("is {quoted}; use a decimal point instead of a comma")
        } else if is_number(text.replace(['\u{2212}', '\u{2013}'], "-")) {
            format!("is {quoted}, with a typographic minus sign; replace it with the ASCII character '-'")
        } else {
            format!("is {quoted}, which is not a number; replace it with one, or remove the row")
        });
    };
    let number = T::lit(value);
    if number.is_finite() {
        Ok(number)
    } else if text.bytes().any(|b| b.is_ascii_digit()) {
        let dtype = T::NAME;
        Err(format!(
            "is {quoted}, which is out of range for {dtype}; scale the column down"
        ))
    } else {
        Err(format!(
            "is {quoted}, which is not a finite number; replace it with one, or remove the row"
        ))
    }
}

/// Whether commas stand where they would separate thousands.
fn is_grouped(text: &str) -> bool {
    let whole = text
        .trim_start_matches(['-', '+'])
        .split('.')
        .next()
        .unwrap_or_default();
    let mut groups = whole.split(',');
    let all_digits = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().is_some_and(|group| all_digits(group) && group.len() <= 3);
    let mut rest = groups.peekable();
    first && rest.peek().is_some() && rest.all(|group| all_digits(group) && group.len() == 3)
}

/// `text` in quotes, truncated: an unclosed quote may have swallowed half of the file.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

//! The names of the columns.

use super::options::CsvOptions;
use super::rows::Rows;
use crate::error::Error;

/// The number of names that an error message lists in full.
const MAX_LISTED: usize = 40;

/// The number of characters of a field that an error message quotes.
const MAX_QUOTED: usize = 40;

/// The columns of a file.
pub(super) struct Header {
    pub names: Vec<String>,
    pub line: u64,
}

impl Header {
    /// Reads the header, or names the columns by their numbers if there is none.
    pub fn read(rows: &mut Rows, options: &CsvOptions) -> Result<Self, Error> {
        if !rows.advance()? {
            return Err(Error::Empty {
                what: "the CSV data",
                remedy: if options.header {
                    "give a header line and at least one row of numbers"
                } else {
                    "give at least one row of numbers"
                },
            });
        }
        let first = first_line(rows)?;
        check_separator(&first, options.delimiter).map_err(|e| rows.error(e))?;
        let names = if options.header {
            check_not_numbers(&first).map_err(|e| rows.error(e))?;
            first
        } else {
            rows.repeat();
            (1..=first.len()).map(|k| format!("column {k}")).collect()
        };
        let line = rows.line();
        Ok(Self { names, line })
    }

    /// An error about the header.
    pub fn error(&self, problem: String) -> Error {
        Error::Csv {
            line: self.line,
            problem,
        }
    }

    /// The index of the only column of that name; `None` if there is none.
    pub fn find(&self, name: &str) -> Result<Option<usize>, Error> {
        let mut found = (0..self.names.len()).filter(|&k| self.names[k] == name);
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(self.error(format!(
                "columns {} and {} are both called {name:?}; rename or remove one of them",
                first + 1,
                second + 1
            ))),
            (first, _) => Ok(first),
        }
    }

    /// The index of the label column.
    pub fn find_label(&self, label: &str, options: &CsvOptions) -> Result<usize, Error> {
        let mut found = (0..self.names.len()).filter(|&k| self.names[k] == label);
        let Some(first) = found.next() else {
            let problem = format!(
                "there is no column {label:?}; choose one of {}{}",
                listed(&self.names),
                delimiter_hint(&self.names, options)
            );
            return Err(self.error(problem));
        };
        if let Some(second) = found.next() {
            let (first, second) = (first + 1, second + 1);
            return Err(self.error(format!(
                "columns {first} and {second} are both called {label:?}; rename the one that does not hold the labels"
            )));
        }
        Ok(first)
    }

    /// Checks that the columns `used` (indices in ascending order) have names that no other column has.
    pub fn check_names(&self, used: &[usize]) -> Result<(), Error> {
        let count = self.names.len();
        let unnamed = |&&k: &&usize| self.names[k].is_empty();
        if count > 1 && used.last().filter(unnamed) == Some(&(count - 1)) {
            return Err(self.error(format!(
                "column {count}, the last one, has no name: the line ends in a delimiter; remove it from the end of every \
                 line"
            )));
        }
        if let Some(k) = used.iter().find(unnamed) {
            return Err(self.error(format!(
                "column {} has no name; if it is an index, as pandas writes it, leave it out; otherwise name it",
                k + 1
            )));
        }
        used.iter().try_for_each(|&k| self.find(&self.names[k]).map(drop))
    }
}

fn first_line(rows: &Rows) -> Result<Vec<String>, Error> {
    let name = |(k, field)| match std::str::from_utf8(field) {
        Ok(name) => Ok(name.trim().to_owned()),
        Err(_) => Err(rows.error(format!(
            "the name of column {} is not valid UTF-8; save the file as UTF-8",
            k + 1
        ))),
    };
    rows.record.iter().enumerate().map(name).collect()
}

/// Refuses the line that tells spreadsheets the delimiter.
fn check_separator(first: &[String], delimiter: u8) -> Result<(), String> {
    let Some(separator) = first[0].strip_prefix("sep=") else {
        return Ok(());
    };
    let separator = separator.bytes().next().unwrap_or(delimiter);
    Err(format!(
        "the line \"sep={0}\" is for spreadsheets; remove it, and read the rest with {1}",
        separator.escape_ascii(),
        with_delimiter(separator)
    ))
}

fn check_not_numbers(first: &[String]) -> Result<(), String> {
    if first.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(format!(
            "the first line holds numbers ({:?}, ..) where the names of the columns should be; add a header line, or read \
             with `CsvOptions::header(false)`",
            first[0]
        ));
    }
    Ok(())
}

/// A one-column header that contains a common delimiter was most likely split at the wrong one.
pub(super) fn delimiter_hint(names: &[String], options: &CsvOptions) -> String {
    let ([only], true) = (names, options.header) else {
        return String::new();
    };
    let mut common = b";,\t|".iter().copied();
    let other = common.find(|&c| (options.blank_aligned || c != options.delimiter) && only.contains(char::from(c)));
    let (delimiter, remedy) = match other {
        Some(c) => (c, with_delimiter(c)),
        None if !options.blank_aligned && only.contains(' ') => (b' ', "`CsvOptions::blank_aligned(true)`".into()),
        None => return String::new(),
    };
    format!(
        "; the header is a single column that contains '{}': if that is the delimiter, use {remedy}",
        delimiter.escape_ascii()
    )
}

fn with_delimiter(delimiter: u8) -> String {
    format!(
        "`Dataset::from_csv_with(reader, label_column, b'{0}')` or `CsvOptions::delimiter(b'{0}')`",
        delimiter.escape_ascii()
    )
}

/// `11 ("alcohol")`, counted from 1 as in a spreadsheet.
pub(super) fn title(column: usize, names: &[String]) -> String {
    let name = names.get(column).map_or("", String::as_str);
    format!("{} ({name:?})", column + 1)
}

/// The first `MAX_LISTED` of `names` in quotes, and the number of the others.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let names = names.iter().map(AsRef::as_ref);
    let quoted: Vec<_> = names.clone().take(MAX_LISTED).map(|name| format!("{name:?}")).collect();
    let more = match names.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    quoted.join(", ") + &more
}

/// `text` in quotes, truncated: an unclosed quote may have swallowed half of the file.
pub(super) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

//! The rows of a text, with their line numbers.

use super::blanks::Blanks;
use super::header::title;
use super::numbers::is_missing;
use super::options::CsvOptions;
use crate::error::Error;
use ::csv::{ByteRecord, ReaderBuilder};
use std::cmp::Ordering;

/// The non-blank rows of a text, with their positions.
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    source: Source<'a>,
    pub record: ByteRecord,
    /// The current record is to be returned once more.
    again: bool,
    has_header: bool,
}

enum Source<'a> {
    Delimited(::csv::Reader<&'a [u8]>),
    Aligned(Blanks<'a>),
}

impl<'a> Rows<'a> {
    pub fn new(bytes: &'a [u8], options: &CsvOptions) -> Result<Self, Error> {
        check_encoding(bytes)?;
        let source = if options.blank_aligned {
            Source::Aligned(Blanks::new(bytes))
        } else {
            let reader = ReaderBuilder::new()
                .delimiter(options.delimiter)
                .has_headers(false)
                // Rows of the wrong length get a message of their own.
                .flexible(true)
                .from_reader(bytes);
            Source::Delimited(reader)
        };
        Ok(Self {
            bytes,
            source,
            record: ByteRecord::new(),
            again: false,
            has_header: options.header,
        })
    }

    /// Advances to the next non-blank row. Returns false at the end.
    pub fn advance(&mut self) -> Result<bool, Error> {
        if std::mem::take(&mut self.again) {
            return Ok(true);
        }
        loop {
            let read = match &mut self.source {
                Source::Delimited(reader) => reader.read_byte_record(&mut self.record),
                Source::Aligned(blanks) => Ok(blanks.read(&mut self.record)),
            };
            match read {
                Ok(true) if self.record.len() == 1 && self.record[0].trim_ascii().is_empty() => {}
                Ok(more) => return Ok(more),
                Err(e) => return Err(self.error(e.to_string())),
            }
        }
    }

    /// Makes the next [`advance`](Self::advance) return the current row.
    pub fn repeat(&mut self) {
        self.again = true;
    }

    /// The line of the current row, from 1.
    pub fn line(&self) -> u64 {
        let at = match &self.source {
            Source::Delimited(_) => {
                let at = self.record.position().map_or(0, ::csv::Position::byte);
                usize::try_from(at).map_or(self.bytes.len(), |at| at.min(self.bytes.len()))
            }
            Source::Aligned(blanks) => blanks.start(),
        };
        // The reader counts the line breaks in front of a row as part of it; its line starts after them.
        let rest = self.bytes[at..].iter();
        let start = at + rest.take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let before = &self.bytes[..start];
        let crlfs = before.windows(2).filter(|two| two == b"\r\n").count();
        let breaks = before.iter().filter(|b| matches!(b, b'\r' | b'\n')).count();
        (1 + breaks - crlfs) as u64
    }

    /// An error about the current row.
    pub fn error(&self, problem: String) -> Error {
        Error::Csv {
            line: self.line(),
            problem,
        }
    }

    /// Whether the current row has a missing value in one of these columns.
    pub fn has_missing(&self, mut columns: impl Iterator<Item = usize>) -> bool {
        columns.any(|k| is_missing(&self.record[k]))
    }

    /// Checks that the current row has one field per column of the file.
    pub fn check_length(&self, names: &[String]) -> Result<(), Error> {
        let (expected, found) = (names.len(), self.record.len());
        let surplus = || self.record.iter().skip(expected);
        let remedy = match found.cmp(&expected) {
            Ordering::Equal => return Ok(()),
            Ordering::Less => format!(
                "the row ends before column {}: complete it, or remove it",
                title(found, names)
            ),
            Ordering::Greater if surplus().all(|field| field.trim_ascii().is_empty()) => {
                "the line ends in a delimiter; remove it from the end of every line".into()
            }
            Ordering::Greater => "remove the surplus fields, or quote a field that contains the delimiter".into(),
        };
        let problem = if self.has_header {
            format!("{found} fields under a header of {expected}; {remedy}")
        } else {
            format!("{found} fields where the first row has {expected}; {remedy}")
        };
        Err(self.error(problem))
    }
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

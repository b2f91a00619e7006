//! From rows of fields to points and labels.

use super::columns::{Coding, Column, CsvColumns};
use super::header::{Header, delimiter_hint, excerpt, listed, title};
use super::numbers::{is_missing, parse_number, text};
use super::options::{Missing, UnknownCategory};
use super::rows::Rows;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// The positions of the columns in a file.
struct Layout {
    /// The index of each column that becomes coordinates.
    columns: Vec<usize>,
    /// The index of the label column; `None` if no labels are read.
    label: Option<usize>,
}

/// The contents of a file: the coordinates point by point, and the labels.
struct Table<T> {
    values: Vec<T>,
    labels: Vec<T>,
    rows: usize,
}

impl CsvColumns {
    pub(super) fn read_dataset<T: Float>(&self, bytes: &[u8]) -> Result<Dataset<T>, Error> {
        let table = self.read_table(bytes, true)?;
        let points = DMatrix::from_vec(self.dimension(), table.rows, table.values);
        Dataset::checked(points, DVector::from_vec(table.labels), Some(self.names()))
    }

    pub(super) fn read_points<T: Float>(&self, bytes: &[u8]) -> Result<DMatrix<T>, Error> {
        let table = self.read_table(bytes, false)?;
        Ok(DMatrix::from_vec(self.dimension(), table.rows, table.values))
    }

    fn read_table<T: Float>(&self, bytes: &[u8], with_labels: bool) -> Result<Table<T>, Error> {
        let mut rows = Rows::new(bytes, &self.options)?;
        let mut header = Header::read(&mut rows, &self.options)?;
        let layout = self.layout(&mut header, with_labels)?;
        let mut table = Table {
            values: Vec::new(),
            labels: Vec::new(),
            rows: 0,
        };
        let mut dropped = false;
        while rows.advance()? {
            rows.check_length(&header.names)?;
            if self.drops(&rows, &layout) {
                dropped = true;
                continue;
            }
            reserve(&mut table.values, self.dimension())?;
            self.read_row(&rows, &layout, &mut table)
                .map_err(|(k, problem)| rows.error(format!("column {} {problem}", title(k, &header.names))))?;
            table.rows += 1;
        }
        if table.rows > 0 {
            return Ok(table);
        }
        Err(Error::Empty {
            what: if dropped {
                "the CSV data without the rows that have missing values"
            } else {
                "the CSV data below its header"
            },
            remedy: "give at least one row of numbers",
        })
    }

    /// Finds the columns in a file.
    fn layout(&self, header: &mut Header, with_labels: bool) -> Result<Layout, Error> {
        if !self.options.header {
            self.name_by_number(header, with_labels)?;
        }
        let header = &*header;
        let find = |column: &Column| {
            header.find(&column.name)?.ok_or_else(|| {
                header.error(format!(
                    "there is no column {:?}, which the training data has; add it to {}{}",
                    column.name,
                    listed(&header.names),
                    delimiter_hint(&header.names, &self.options)
                ))
            })
        };
        let label = with_labels.then(|| header.find_label(&self.label, &self.options));
        Ok(Layout {
            label: label.transpose()?,
            columns: self.columns.iter().map(find).collect::<Result<_, _>>()?,
        })
    }

    /// Names the columns of a file without a header like those of the training data; the label column may be absent.
    fn name_by_number(&self, header: &mut Header, with_labels: bool) -> Result<(), Error> {
        let (expected, found) = (self.in_file, header.names.len());
        if found == expected {
            return Ok(());
        }
        if with_labels || found + 1 != expected {
            return Err(header.error(format!(
                "{found} columns where the training data has {expected}; without a header, give the same columns in the \
                 same order (points may lack the label column, and only that)"
            )));
        }
        header.names = (1..=expected).map(|k| format!("column {k}")).collect();
        header.names.retain(|name| *name != self.label);
        Ok(())
    }

    /// Whether the current row is dropped because of a missing value.
    fn drops(&self, rows: &Rows, layout: &Layout) -> bool {
        let Some(label) = layout.label.filter(|_| self.options.missing == Missing::DropRow) else {
            return false;
        };
        rows.has_missing(layout.columns.iter().copied().chain([label]))
    }

    /// Appends the current row. An error holds the index of the column in the file and the problem.
    fn read_row<T: Float>(&self, rows: &Rows, layout: &Layout, table: &mut Table<T>) -> Result<(), (usize, String)> {
        for (column, &k) in self.columns.iter().zip(&layout.columns) {
            let read = self.read_field(column, &rows.record[k], &mut table.values);
            read.map_err(|problem| (k, problem))?;
        }
        if let Some(k) = layout.label {
            let label = self.read_label(&rows.record[k]).map_err(|problem| (k, problem))?;
            table.labels.push(label);
        }
        Ok(())
    }

    fn read_field<T: Float>(&self, column: &Column, field: &[u8], values: &mut Vec<T>) -> Result<(), String> {
        match &column.coding {
            Coding::Number { mean } => {
                let value = match parse_number::<T>(field) {
                    Ok(value) => value,
                    Err(problem) if is_missing(field) => self.replacement::<T>(field, *mean, problem)?,
                    Err(problem) => return Err(problem + one_hot_hint(field)),
                };
                values.push(T::lit(value));
            }
            Coding::OneHot { categories } => {
                let hot = self.category(field, categories)?;
                values.extend((0..categories.len()).map(|k| if hot == Some(k) { T::one() } else { T::zero() }));
            }
        }
        Ok(())
    }

    /// The number that replaces a missing one. `problem` is what is wrong with `field` if nothing does.
    fn replacement<T: Float>(&self, field: &[u8], mean: Option<f64>, problem: String) -> Result<f64, String> {
        match (self.options.missing, mean) {
            (Missing::Error, _) => Err(problem),
            (Missing::DropRow, _) => Err(cannot_drop(field)),
            (Missing::Mean, Some(mean)) if T::lit(mean).is_finite() => Ok(mean),
            (Missing::Mean, Some(mean)) => Err(format!(
                "{}, and its mean {mean:e} is out of range for {}; fill in a number, or use f64",
                quoted(field),
                T::NAME
            )),
            (Missing::Mean, None) => Err(format!(
                "{}, and no row has a number whose mean could replace it; leave the column out (`CsvOptions::drop`)",
                quoted(field)
            )),
        }
    }

    fn read_label<T: Float>(&self, field: &[u8]) -> Result<T, String> {
        if self.options.missing == Missing::Mean && is_missing(field) {
            return Err(format!(
                "{}, and a label is not replaced by a mean; fill in a number, remove the row, or read with \
                 `Missing::DropRow`",
                quoted(field)
            ));
        }
        parse_number::<T>(field).map(T::lit)
    }

    /// The index of a category; `None` for one that is unknown.
    fn category(&self, field: &[u8], categories: &[String]) -> Result<Option<usize>, String> {
        let category = text(field)?;
        if is_missing(field) {
            let quoted = quoted(field);
            return Err(match self.options.missing {
                Missing::Error => {
                    format!("{quoted}; fill in a category, remove the row, or read with `CsvOptions::missing`")
                }
                Missing::DropRow => cannot_drop(field),
                Missing::Mean => format!(
                    "{quoted}, and a category has no mean; fill in a category, remove the row, or read with \
                     `Missing::DropRow`"
                ),
            });
        }
        match categories.binary_search_by(|known| known.as_str().cmp(category)) {
            Ok(k) => Ok(Some(k)),
            Err(_) if self.options.unknown_category == UnknownCategory::Zero => Ok(None),
            Err(_) => Err(format!(
                "is {}, which is none of the categories of the training data ({}); correct it, remove the row, or read with \
                 `CsvOptions::unknown_category`",
                excerpt(category),
                listed(categories)
            )),
        }
    }
}

/// `is empty`, or `is "NA"`.
fn quoted(field: &[u8]) -> String {
    match text(field) {
        Ok(text) if !text.is_empty() => format!("is {}", excerpt(text)),
        _ => "is empty".into(),
    }
}

/// A remedy for words in a column of numbers.
fn one_hot_hint(field: &[u8]) -> &'static str {
    let word = text(field).is_ok_and(|text| text.starts_with(char::is_alphabetic) && text.parse::<f64>().is_err());
    if word {
        "; if the column holds categories, read it with `CsvOptions::one_hot`"
    } else {
        ""
    }
}

fn cannot_drop(field: &[u8]) -> String {
    format!(
        "{}, and rows of points are not dropped, so that each gets its prediction; fill in the value, or remove the row",
        quoted(field)
    )
}

fn reserve<T>(values: &mut Vec<T>, more: usize) -> Result<(), Error> {
    let numbers = values.len().saturating_add(more);
    values.try_reserve(more).map_err(|_| Error::OutOfMemory {
        what: "a table of CSV data",
        numbers,
        remedy: "read fewer rows, or leave out text columns of many categories (`CsvOptions::drop`)",
    })
}

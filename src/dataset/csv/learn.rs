//! What is learnt from the training data: its columns, their categories and their means.

use super::columns::{Coding, Column, CsvColumns};
use super::header::{Header, listed};
use super::numbers::{is_missing, parse_number, text};
use super::options::{CsvOptions, Missing};
use super::rows::Rows;
use crate::error::Error;
use std::collections::BTreeSet;

/// The columns of the file `bytes`.
pub(super) fn columns(options: &CsvOptions, bytes: &[u8], label: &str) -> Result<CsvColumns, Error> {
    let mut rows = Rows::new(bytes, options)?;
    let header = Header::read(&mut rows, options)?;
    let at = header.find_label(label, options)?;
    let chosen = choose(options, &header, at)?;
    header.check_names(&chosen)?;

    let mut learners: Vec<_> = chosen
        .into_iter()
        .map(|k| Learner::new(k, &header.names[k], options))
        .collect();
    if learners.iter().any(|learner| !matches!(learner.what, Learnt::Nothing)) {
        learn(&mut rows, &header, options, at, &mut learners)?;
    }
    let columns = CsvColumns {
        options: options.clone(),
        label: label.to_owned(),
        in_file: header.names.len(),
        columns: learners.into_iter().map(Learner::finish).collect(),
    };
    columns.check_distinct().map_err(|problem| header.error(problem))?;
    Ok(columns)
}

/// The indices of the columns that become coordinates, in the order of the file.
fn choose(options: &CsvOptions, header: &Header, label: usize) -> Result<Vec<usize>, Error> {
    let name = &header.names[label];
    if header.names.len() == 1 {
        return Err(header.error(format!(
            "the label column {name:?} is the only column; add at least one column of coordinates"
        )));
    }
    let keep = options.keep.as_deref();
    for (setting, names) in [
        ("keep", keep.unwrap_or_default()),
        ("drop", &options.drop),
        ("one_hot", &options.one_hot),
    ] {
        check_setting(setting, names, header)?;
    }
    let contradiction = |column: &String, problem| Err(header.error(format!("column {column:?} {problem}")));
    if options.drop.contains(name) {
        return contradiction(name, "holds the labels; remove it from `CsvOptions::drop`");
    }
    if options.one_hot.contains(name) {
        return contradiction(
            name,
            "holds the labels, which are numbers; remove it from `CsvOptions::one_hot`",
        );
    }
    if let Some(both) = options
        .drop
        .iter()
        .find(|name| keep.is_some_and(|keep| keep.contains(name)))
    {
        return contradiction(
            both,
            "is in `CsvOptions::keep` and in `CsvOptions::drop`; remove it from one of them",
        );
    }
    let chosen = |name: &String| keep.is_none_or(|keep| keep.contains(name)) && !options.drop.contains(name);
    if let Some(unread) = options.one_hot.iter().find(|name| !chosen(name)) {
        return contradiction(
            unread,
            "of `CsvOptions::one_hot` is not read; add it to `CsvOptions::keep`, remove it from `CsvOptions::drop`, or \
             remove it from `CsvOptions::one_hot`",
        );
    }
    let found: Vec<_> = (0..header.names.len())
        .filter(|&k| k != label && chosen(&header.names[k]))
        .collect();
    if found.is_empty() {
        let problem = "is the only column left; keep at least one column of coordinates (`CsvOptions::keep`, \
                       `CsvOptions::drop`)";
        return Err(header.error(format!("the label column {name:?} {problem}")));
    }
    Ok(found)
}

/// Checks that the columns `names` of a setting exist and are listed once.
fn check_setting(setting: &str, names: &[String], header: &Header) -> Result<(), Error> {
    for (k, name) in names.iter().enumerate() {
        if !header.names.contains(name) {
            return Err(header.error(format!(
                "there is no column {name:?}, which `CsvOptions::{setting}` lists; choose from {}",
                listed(&header.names)
            )));
        }
        if names[..k].contains(name) {
            return Err(header.error(format!(
                "`CsvOptions::{setting}` lists the column {name:?} twice; list it once"
            )));
        }
    }
    Ok(())
}

/// Learns about one column.
struct Learner {
    /// The index of the column in the file.
    at: usize,
    name: String,
    what: Learnt,
}

enum Learnt {
    Nothing,
    Categories(BTreeSet<String>),
    Mean(Mean),
}

impl Learner {
    fn new(at: usize, name: &str, options: &CsvOptions) -> Self {
        let what = if options.one_hot.iter().any(|column| column == name) {
            Learnt::Categories(BTreeSet::new())
        } else if options.missing == Missing::Mean {
            Learnt::Mean(Mean::default())
        } else {
            Learnt::Nothing
        };
        Self {
            at,
            name: name.to_owned(),
            what,
        }
    }

    /// Skips invalid fields: the second pass over the rows refuses them.
    fn add(&mut self, field: &[u8]) {
        match &mut self.what {
            Learnt::Nothing => {}
            Learnt::Categories(categories) => {
                if let Some(category) = text(field).ok().filter(|category| !categories.contains(*category)) {
                    categories.insert(category.to_owned());
                }
            }
            Learnt::Mean(mean) => {
                if let Ok(value) = parse_number::<f64>(field) {
                    mean.add(value);
                }
            }
        }
    }

    fn finish(self) -> Column {
        Column {
            name: self.name,
            coding: match self.what {
                Learnt::Nothing => Coding::Number { mean: None },
                Learnt::Mean(mean) => Coding::Number { mean: mean.get() },
                Learnt::Categories(categories) => Coding::OneHot {
                    categories: categories.into_iter().collect(),
                },
            },
        }
    }
}

fn learn(
    rows: &mut Rows,
    header: &Header,
    options: &CsvOptions,
    label: usize,
    learners: &mut [Learner],
) -> Result<(), Error> {
    while rows.advance()? {
        rows.check_length(&header.names)?;
        let used = learners.iter().map(|learner| learner.at).chain([label]);
        if options.missing == Missing::DropRow && rows.has_missing(used) {
            continue;
        }
        for learner in &mut *learners {
            let field = &rows.record[learner.at];
            if !is_missing(field) {
                learner.add(field);
            }
        }
    }
    Ok(())
}

/// A mean that is finite even if the sum is not.
#[derive(Default)]
struct Mean {
    count: f64,
    sum: f64,
    /// Less accurate than the sum, but within the range of the values.
    running: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.running += value / self.count - self.running / self.count;
    }

    fn get(&self) -> Option<f64> {
        let mean = if self.sum.is_finite() {
            self.sum / self.count
        } else {
            self.running
        };
        (self.count > 0.0).then_some(mean)
    }
}

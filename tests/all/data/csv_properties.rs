//! CSV files of random tables, and of random bytes.

use crate::support::cases;
use expnet::{CsvColumns, CsvOptions, Dataset, Error, Missing};
use nalgebra::DMatrix;
use proptest::prelude::*;
use std::fmt::Write;

fn options() -> CsvOptions {
    CsvOptions::default()
}

fn read(options: &CsvOptions, text: &str) -> Result<(Dataset<f64>, CsvColumns), Error> {
    options.read(text.as_bytes(), "quality")
}

/// A table as CSV, with the columns in the given order; categories are `None` for a missing value.
fn written(points: &DMatrix<f64>, labels: &[f64], categories: &[Option<usize>], reverse: bool, with: &str) -> String {
    let mut text = String::new();
    let mut line = |mut fields: Vec<String>| {
        if reverse {
            fields.reverse();
        }
        writeln!(text, "{}", fields.join(with)).unwrap();
    };
    let names = (0..points.nrows()).map(|k| format!("x{k}"));
    line(names.chain(["kind".into(), "quality".into()]).collect());
    for (i, point) in points.column_iter().enumerate() {
        let numbers = point
            .iter()
            .map(|x| if x.is_nan() { "?".into() } else { format!("{x:?}") });
        let kind = categories[i].map_or("NA".into(), |kind| format!("\"kind {kind}\""));
        line(numbers.chain([kind, format!("{:?}", labels[i])]).collect());
    }
    text
}

/// Points, labels and a category each.
fn table() -> impl Strategy<Value = (DMatrix<f64>, Vec<f64>, Vec<Option<usize>>)> {
    let number = || prop_oneof![-1e3..1e3, any::<f64>().prop_filter("finite", |x| x.is_finite())];
    (1..5_usize, 1..20_usize).prop_flat_map(move |(d, n)| {
        let numbers = prop::collection::vec(number(), d * n);
        let labels = prop::collection::vec(number(), n);
        let categories = prop::collection::vec((0..12_usize).prop_map(Some), n);
        (
            numbers.prop_map(move |x| DMatrix::from_vec(d, n, x)),
            labels,
            categories,
        )
    })
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn what_was_written_is_read((points, labels, categories) in table(), reverse in any::<bool>(), layout in 0..3_usize) {
        let (with, options) = [
            (",", options()),
            (";", options().delimiter(b';')),
            (" \t ", options().blank_aligned(true)),
        ][layout].clone();
        let options = options.one_hot(&["kind"]);
        let text = written(&points, &labels, &categories, reverse, with);
        let (data, columns) = read(&options, &text).unwrap();
        let names = data.names().unwrap();
        prop_assert_eq!(data.labels().as_slice(), &labels[..]);
        for i in 0..labels.len() {
            for (k, name) in names.iter().enumerate() {
                let expected = match name.strip_prefix('x') {
                    Some(number) => points[(number.parse::<usize>().unwrap(), i)],
                    None => f64::from(u8::from(*name == format!("kind=kind {}", categories[i].unwrap()))),
                };
                prop_assert_eq!(data.points()[(k, i)].to_bits(), expected.to_bits());
            }
        }
        prop_assert_eq!(names[0] == "x0", !reverse, "coordinates follow the file");

        let again = written(&points, &labels, &categories, !reverse, with);
        prop_assert_eq!(&columns.points::<f64>(again.as_bytes()).unwrap(), data.points());
        prop_assert_eq!(columns.dataset::<f64>(again.as_bytes()).unwrap(), data);
    }

    #[test]
    fn missing_values_are_those_of_no_other_row(
        (mut points, labels, categories) in table(), holes in prop::collection::vec(any::<prop::sample::Index>(), 1..6)
    ) {
        for hole in holes {
            let at = hole.index(points.len());
            points[at] = f64::NAN;
        }
        let text = written(&points, &labels, &categories, false, ",");
        let whole: Vec<usize> = (0..labels.len()).filter(|&i| points.column(i).iter().all(|x| x.is_finite())).collect();
        let options = options().drop(&["kind"]);
        match read(&options.clone().missing(Missing::DropRow), &text) {
            Ok((data, _)) => {
                prop_assert_eq!(data.points(), &points.select_columns(&whole));
                let labels: Vec<f64> = whole.iter().map(|&i| labels[i]).collect();
                prop_assert_eq!(data.labels().as_slice(), &labels[..]);
            }
            Err(error) => prop_assert!(whole.is_empty(), "{error}"),
        }
        match read(&options.missing(Missing::Mean), &text) {
            Ok((data, columns)) => {
                for (read, x) in data.points().iter().zip(&points) {
                    prop_assert!(read == x || x.is_nan());
                }
                prop_assert_eq!(&columns.points::<f64>(text.as_bytes()).unwrap(), data.points());
                for (k, row) in points.row_iter().enumerate() {
                    let known = || row.iter().copied().filter(|x| x.is_finite());
                    let mean = columns.mean(&format!("x{k}")).unwrap();
                    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
                    let slack = 1e-14 * high.abs().max(low.abs());
                    prop_assert!(low - slack <= mean && mean <= high + slack, "{mean} for {low} to {high}");
                }
            }
            Err(error) => {
                prop_assert!(points.row_iter().any(|row| row.iter().all(|x| x.is_nan())), "{error}");
            }
        }
    }

    #[test]
    fn no_text_panics(bytes in prop::collection::vec(prop::sample::select(&b"a1,.\"\n\r \t?;=-\xff"[..]), 0..40), layout in 0..8_u8) {
        let options = options()
            .blank_aligned(layout & 1 > 0)
            .header(layout & 2 > 0)
            .missing(if layout & 4 > 0 { Missing::Mean } else { Missing::DropRow });
        for label in ["a", "column 1"] {
            if let Ok((data, columns)) = options.read::<f64>(&bytes[..], label) {
                prop_assert_eq!(&columns.dataset::<f64>(&bytes[..]).unwrap(), &data);
            }
        }
    }
}

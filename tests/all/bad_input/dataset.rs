//! Data sets.

use super::two;
use crate::support::refused;
use expnet::{Dataset, Float};
use nalgebra::{DMatrix, DVector};

#[test]
fn no_points() {
    refused(
        Dataset::<f64>::new(DMatrix::zeros(3, 0), DVector::zeros(0)),
        &["points", "empty", "at least one"],
    );
}

#[test]
fn no_rows() {
    refused(Dataset::<f64>::from_rows(&[] as &[Vec<f64>], &[]), &["points", "empty"]);
}

#[test]
fn no_coordinates() {
    refused(
        Dataset::<f64>::from_rows(&[[], []], &[1.0, 2.0]),
        &["point", "empty", "at least one coordinate"],
    );
}

#[test]
fn a_label_short() {
    let words = ["labels", "expected 2", "found 1", "one label per row"];
    refused(Dataset::from_rows(&[[1.0], [2.0]], &[1.0]), &words);
}

#[test]
fn a_transposed_matrix() {
    let result = Dataset::new(DMatrix::<f64>::zeros(5, 2), DVector::zeros(5));
    refused(result, &["expected 2", "found 5", "points are the columns"]);
}

#[test]
fn a_ragged_row() {
    let result = Dataset::from_rows(&[vec![1.0, 2.0], vec![1.0]], &[1.0, 2.0]);
    refused(result, &["row 1", "expected 2", "found 1"]);
}

fn a_coordinate_that_is_not_finite<T: Float>() {
    for (value, word) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let rows = [[1.0, 2.0], [3.0, value]].map(|row| row.map(T::lit));
        refused(
            Dataset::from_rows(&rows, &[T::one(); 2]),
            &[word, "point 1, coordinate 1", "finite"],
        );
    }
}

#[test]
fn a_coordinate_that_is_not_finite_in_either_type() {
    a_coordinate_that_is_not_finite::<f64>();
    a_coordinate_that_is_not_finite::<f32>();
}

#[test]
fn a_label_that_is_not_finite() {
    let words = ["label", "NaN", "point 1", "finite"];
    refused(Dataset::from_rows(&[[1.0], [2.0]], &[0.0, f64::NAN]), &words);
}

#[test]
fn a_name_too_few() {
    refused(
        two::<f64>().with_names(vec!["a".into()]),
        &["names", "expected 2", "found 1"],
    );
}

#[test]
fn a_fraction_that_is_none() {
    for (fraction, word) in [
        (f64::NAN, "NaN"),
        (0.0, "is 0;"),
        (1.0, "is 1;"),
        (-0.5, "-0.5"),
        (f64::INFINITY, "inf"),
    ] {
        refused(
            two::<f64>().split(fraction, 0),
            &["fraction", word, "above 0 and below 1"],
        );
    }
}

#[test]
fn a_part_without_points() {
    refused(
        two::<f64>().split(0.9, 0),
        &["0.9", "2 points into 2 and 0", "both parts"],
    );
    refused(
        two::<f64>().split(1e-9, 0),
        &["1e-9", "2 points into 0 and 2", "both parts"],
    );
    let one = two::<f64>().select(&[0]).unwrap();
    refused(one.split(0.5, 0), &["1 points into", "two or more"]);
}

#[test]
fn folds_that_are_too_few_or_too_many() {
    for k in [0, 1, 3, usize::MAX] {
        let words = [
            "`k` of `Dataset::k_fold`",
            &format!("is {k} "),
            "2 points",
            "at least 2",
        ];
        refused(two::<f64>().k_fold(k, 0), &words);
    }
    let one = two::<f64>().select(&[0]).unwrap();
    refused(one.k_fold(2, 0), &["1 points", "at most the number of points"]);
}

#[test]
fn an_index_out_of_range() {
    refused(two::<f64>().select(&[0, 2]), &["index", "is 2", "entry 1", "2 points"]);
}

#[test]
fn no_indices() {
    refused(two::<f64>().select(&[]), &["indices", "empty"]);
}

#[test]
fn a_cast_that_overflows() {
    let data = Dataset::from_rows(&[[1.0, 2.0], [3.0, -1e300]], &[1.0, 2.0]).unwrap();
    refused(data.cast::<f32>(), &["-1e300", "point 1, coordinate 1", "Scaling"]);
    let data = data.with_names(vec!["pH".into(), "alcohol".into()]).unwrap();
    refused(data.cast::<f32>(), &["point 1, coordinate 1 (\"alcohol\")"]);
    let data = Dataset::from_rows(&[[1.0]], &[1e39]).unwrap();
    refused(data.cast::<f32>(), &["1e39", "label of point 0"]);
}

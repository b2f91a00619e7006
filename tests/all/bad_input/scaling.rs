//! Scaling.

use super::two;
use crate::support::refused;
use expnet::{Dataset, ExpRegressor, Initializer, Scaling};
use nalgebra::DMatrix;
use serde_json::{Value, json};

fn named(names: &[&str]) -> Dataset<f64> {
    let rows: Vec<Vec<f64>> = (0..3)
        .map(|i| (0..names.len()).map(|k| f64::from(i) + k as f64).collect())
        .collect();
    let data = Dataset::from_rows(&rows, &[1.0, 2.0, 4.0]).unwrap();
    data.with_names(names.iter().map(ToString::to_string).collect())
        .unwrap()
}

#[test]
fn columns_that_are_all_constant_without_a_bias() {
    let data = Dataset::from_rows(&[[1.0, 7.0], [1.0, 7.0]], &[5.0, 6.0]).unwrap();
    let unbiased = Scaling::options().bias(false);
    let words = ["every column", "constant", "no coordinate is left", "`bias`"];
    refused(unbiased.fit(&data), &words);
    refused(unbiased.fit(&two::<f64>().select(&[0]).unwrap()), &words);
    refused(ExpRegressor::options().scaling(unbiased).fit(&data), &words);
    assert!(unbiased.standardise(false).fit(&data).is_ok());
}

#[test]
fn dropped_columns_are_checked_too() {
    let data = Dataset::from_rows(&[[1.0, 7.0], [2.0, 7.0]], &[5.0, 6.0]).unwrap();
    let data = data.with_names(vec!["pH".into(), "alcohol".into()]).unwrap();
    let scaling = Scaling::fit(&data).unwrap();
    assert_eq!(scaling.dropped(), [1]);
    let points = |x, y| DMatrix::from_column_slice(2, 1, &[x, y]);
    let words = ["NaN", "point 0, coordinate 1 (\"alcohol\")"];
    refused(scaling.apply_points(&points(1.0, f64::NAN)), &words);
    refused(
        scaling.apply_points(&DMatrix::<f64>::zeros(1, 1)),
        &["expected 2", "found 1"],
    );
    refused(
        scaling.apply(&data.clone().with_names(vec!["pH".into(), "sugar".into()]).unwrap()),
        &["\"alcohol\"", "missing"],
    );
    // A coordinate that overflows is named by its raw column.
    let small = Dataset::from_rows(&[[7.0, 0.0], [7.0, 1e-30_f32]], &[0.0, 1.0]).unwrap();
    let scaling = Scaling::options().clip(None).unit_sphere(false).fit(&small).unwrap();
    refused(
        scaling.apply_points(&DMatrix::from_element(2, 1, 1e30_f32)),
        &["inf", "point 0, coordinate 1"],
    );
}

#[test]
fn points_of_another_dimension() {
    let scaling = Scaling::fit(&two::<f64>()).unwrap();
    let scaled = scaling.apply(&two::<f64>()).unwrap();
    refused(scaling.apply(&scaled), &["dimension", "expected 2", "found 3", "raw"]);
    refused(
        scaling.apply_points(&DMatrix::<f64>::zeros(1, 4)),
        &["expected 2", "found 1"],
    );
    let net = Initializer::new(3, 4).build().unwrap();
    refused(scaling.predict(&net, scaled.points()), &["expected 2", "found 3"]);
}

#[test]
fn no_points() {
    let scaling = Scaling::fit(&two::<f64>()).unwrap();
    refused(scaling.apply_points(&DMatrix::<f64>::zeros(2, 0)), &["points", "empty"]);
}

#[test]
fn points_that_are_not_finite() {
    let scaling = Scaling::fit(&named(&["pH", "alcohol"])).unwrap();
    let mut points = DMatrix::zeros(2, 3);
    points[(1, 2)] = f64::NAN;
    let words = ["NaN", "point 2, coordinate 1 (\"alcohol\")"];
    refused(scaling.apply_points(&points), &words);
    let net = Initializer::new(3, 4).build().unwrap();
    refused(scaling.predict(&net, &points), &words);
}

#[test]
fn points_that_overflow() {
    let train = Dataset::from_rows(&[[0.0], [1e-30_f32]], &[0.0, 1.0]).unwrap();
    let scaling = Scaling::options().clip(None).unit_sphere(false).fit(&train).unwrap();
    refused(
        scaling.apply_points(&DMatrix::from_element(1, 1, 1e30_f32)),
        &["inf", "point 0, coordinate 0"],
    );
}

#[test]
fn a_missing_column() {
    let scaling = Scaling::fit(&named(&["pH", "alcohol"])).unwrap();
    refused(scaling.apply(&named(&["pH"])), &["\"alcohol\"", "missing"]);
    refused(scaling.apply(&named(&["pH", "sugar"])), &["\"alcohol\"", "missing"]);
}

#[test]
fn columns_in_another_order() {
    let scaling = Scaling::fit(&named(&["pH", "alcohol"])).unwrap();
    refused(
        scaling.apply(&named(&["alcohol", "pH"])),
        &["column \"alcohol\"", "\"pH\"", "order"],
    );
}

#[test]
fn a_column_too_many() {
    let scaling = Scaling::fit(&named(&["pH", "alcohol"])).unwrap();
    refused(
        scaling.apply(&named(&["pH", "alcohol", "sugar"])),
        &["expected 2", "found 3"],
    );
}

#[test]
fn a_zero_point_on_the_sphere() {
    let data = Dataset::from_rows(&[[1.0, 2.0], [0.0, 0.0]], &[1.0, 2.0]).unwrap();
    let scaling = Scaling::options().standardise(false).bias(false).fit(&data).unwrap();
    refused(scaling.apply(&data), &["unit_sphere", "point 1", "bias(true)"]);
}

#[test]
fn bad_lengths() {
    let scaling = Scaling::fit(&two::<f64>()).unwrap();
    for lengths in [&[1.0][..], &[1.0; 3]] {
        let found = format!("found {}", lengths.len());
        let words = ["number of length scales", "expected 2", &found];
        refused(scaling.clone().with_lengths(lengths), &words);
    }
    for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY] {
        let value = format!("{bad:?} for column 1; it must be positive and finite");
        refused(
            scaling.clone().with_lengths(&[1.0, bad]),
            &["`lengths` of `Scaling`", &value],
        );
    }
}

#[test]
fn bad_options() {
    let data = two::<f64>();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(Scaling::options().beta(bad).fit(&data), &["`ScalingOptions::beta`"]);
        refused(Scaling::options().clip(bad).fit(&data), &["`ScalingOptions::clip`"]);
    }
}

/// What `fit` and `with_lengths` refuse is refused in JSON.
#[test]
fn bad_scalings_in_json() {
    let scaling = Scaling::options().bias(false).fit(&two::<f64>()).unwrap();
    let json = serde_json::to_value(&scaling).unwrap();
    let not_read = |pointers: &[&str], value: Value, words: &str| {
        let mut json = json.clone();
        for pointer in pointers {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        let error = serde_json::from_value::<Scaling>(json).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    not_read(&["/lengths"], json!([1.0]), "number of length scales");
    not_read(&["/lengths/1"], json!(-1.0), "-1.0 for column 1");
    not_read(&["/options/beta"], json!(0.0), "`ScalingOptions::beta`");
    let deviations = ["/columns/0/std_dev", "/columns/1/std_dev"];
    not_read(&deviations, json!(0.0), "no coordinate is left");
    assert_eq!(serde_json::from_value::<Scaling>(json.clone()).unwrap(), scaling);
}

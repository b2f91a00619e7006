//! Names of columns are compared wherever a data set comes in.

use super::net;
use crate::support::refused;
use expnet::{Dataset, ExpRegressor, Trainer};
use nalgebra::{DMatrix, DVector};

fn named(names: [&str; 2]) -> Dataset<f64> {
    let points = DMatrix::from_fn(2, 40, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
    let labels: DVector<f64> = DVector::from_fn(40, |i, _| points[(0, i)]);
    let data = Dataset::new(points, labels).unwrap();
    data.with_names(names.map(String::from).to_vec()).unwrap()
}

#[test]
fn a05_the_score_of_swapped_columns_is_refused() {
    let model = ExpRegressor::options()
        .width(32)
        .max_steps(20)
        .fit(&named(["a", "b"]))
        .unwrap();
    assert!(model.score(&named(["a", "b"])).is_ok());
    refused(model.score(&named(["b", "a"])), &["column \"b\"", "\"a\""]);
    refused(model.score(&named(["c", "d"])), &["column \"a\"", "missing"]);
}

#[test]
fn a05_validation_data_with_other_columns_are_refused() {
    let (data, other) = (named(["a", "b"]), named(["b", "a"]));
    let mut net = net(2, 16);
    let run = Trainer::new(1e-3).validation(&other, 5).fit(&mut net, &data);
    refused(run, &["validation data", "\"b\"", "\"a\""]);
}

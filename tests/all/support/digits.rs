//! Inputs and outputs of 60 digits: tests/data/README.md says how they were computed.

use expnet::{ExpNetwork, Float};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

/// A number, or a string of its digits.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(digits) => digits.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub fn vector<T: Float>(value: &Value) -> DVector<T> {
    DVector::from_vec(numbers(value).into_iter().map(T::lit).collect())
}

/// Rows of the file are points or neurons, which are columns here.
pub fn columns<T: Float>(value: &Value) -> DMatrix<T> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    DMatrix::from_fn(rows[0].len(), rows.len(), |k, r| T::lit(rows[r][k]))
}

/// The cases of golden.json.
pub fn golden() -> Vec<Value> {
    let text = include_str!("../../data/golden.json");
    let mut file: Value = serde_json::from_str(text).unwrap();
    let Value::Array(cases) = file["cases"].take() else {
        panic!("the cases are no list");
    };
    assert_eq!(cases.len(), 14);
    cases
}

/// The network of a case.
pub fn network<T: Float>(case: &Value) -> ExpNetwork<T> {
    ExpNetwork::from_parts(columns(&case["w"]), vector(&case["a"])).unwrap()
}

//! What was accepted without a word.

#![cfg(feature = "csv")]

use crate::support::refused;
use expnet::Dataset;

#[test]
fn a10_two_columns_of_the_same_name_are_refused() {
    refused(
        Dataset::<f64>::from_csv("a,a,y\n1,2,3\n".as_bytes(), "y"),
        &["line 1", "\"a\"", "columns 1 and 2"],
    );
}

#[test]
fn a10_an_unnamed_index_column_is_refused() {
    let text = ",x,y\n0,1.5,3\n1,2.5,4\n2,3.5,4\n";
    refused(
        Dataset::<f64>::from_csv(text.as_bytes(), "y"),
        &["line 1", "column 1", "no name", "index"],
    );
}

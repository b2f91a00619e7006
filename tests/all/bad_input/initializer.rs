//! Random networks.

use crate::support::refused;
use expnet::{Error, Initializer};

fn build(recipe: Initializer) -> Result<(), Error> {
    recipe.build::<f64>().map(drop)
}

#[test]
fn dimension_0() {
    refused(
        build(Initializer::new(0, 4)),
        &["`dimension` of `Initializer::new` is 0", "at least 1"],
    );
}

#[test]
fn width_0() {
    refused(
        build(Initializer::new(4, 0)),
        &["`width` of `Initializer::new` is 0", "at least 1"],
    );
}

#[test]
fn width_beyond_memory() {
    for dimension in [1, 3, usize::MAX] {
        for width in [usize::MAX / 2, usize::MAX / 8, 1 << 50] {
            let numbers = dimension.saturating_mul(width).to_string();
            let words = ["weight", &numbers, "memory", "smaller width"];
            refused(build(Initializer::new(dimension, width)), &words);
        }
    }
    refused(
        build(Initializer::new(1, usize::MAX - 1).antisymmetric(true)),
        &["memory"],
    );
}

#[test]
fn odd_width_of_pairs() {
    refused(
        build(Initializer::new(3, 63).antisymmetric(true)),
        &["width", "64", "63", "pairs"],
    );
    refused(
        build(Initializer::new(3, usize::MAX).antisymmetric(true)),
        &["width", "pairs"],
    );
}

#[test]
fn odd_first_neuron_of_pairs() {
    let recipe = Initializer::new(3, 4).antisymmetric(true).first_neuron(3);
    refused(build(recipe), &["`Initializer::first_neuron` is 3", "even", "pair"]);
}

#[test]
fn first_neuron_past_the_last_number() {
    let words = ["first_neuron", "18446744073709551614", "usize"];
    refused(build(Initializer::new(3, 4).first_neuron(usize::MAX - 1)), &words);
}

#[test]
fn std_dev_that_is_none() {
    for (value, word) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-1.0, "is -1;")] {
        refused(
            build(Initializer::new(3, 4).std_dev(value)),
            &["std_dev", word, "at least 0"],
        );
    }
}

#[test]
fn std_dev_beyond_the_type() {
    let result = Initializer::new(3, 4).std_dev(1e39).build::<f32>();
    refused(result, &["`Initializer::std_dev` is 1e39", "small"]);
    refused(
        build(Initializer::new(30, 40).std_dev(1e308)),
        &["`Initializer::std_dev` is 1e308", "small"],
    );
}

#[test]
fn output_scale_that_is_none() {
    for (value, word) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-1.0, "-1.0"), (0.0, "0.0")] {
        refused(
            build(Initializer::new(3, 4).output_scale(value)),
            &["output_scale", word, "positive and finite"],
        );
    }
}

#[test]
fn output_scale_beyond_the_type() {
    for scale in [1e-60, 1e39] {
        let result = Initializer::new(3, 4).output_scale(scale).build::<f32>();
        refused(result, &["output_scale", "f32", "positive and finite"]);
    }
}

//! Metrics of regression: the numbers of scikit-learn, their invariances, and labels of any size.

use crate::support::{cases, on_both, refused};
use approx::assert_relative_eq;
use expnet::metrics::{mae, r2, rmse};
use expnet::{Error, Float};
use nalgebra::{DVector, dvector};
use proptest::collection::vec;
use proptest::prelude::*;

/// A metric of labels and predictions.
type Metric<T> = fn(&DVector<T>, &DVector<T>) -> Result<T, Error>;

fn all<T: Float>() -> [Metric<T>; 3] {
    [r2, rmse, mae]
}

/// The example of scikit-learn's documentation.
fn numbers_of_scikit_learn<T: Float>() {
    let labels = dvector![3.0, -0.5, 2.0, 7.0].map(T::lit);
    let predictions = dvector![2.5, 0.0, 2.0, 8.0].map(T::lit);
    let expected = [0.9486081370449679, 0.6123724356957945, 0.5];
    for (metric, expected) in all::<T>().into_iter().zip(expected) {
        let found = metric(&labels, &predictions).unwrap().as_f64();
        assert_relative_eq!(found, expected, max_relative = 2.0 * T::EPSILON.as_f64());
    }
    assert_eq!(
        all().map(|metric| metric(&labels, &labels).unwrap()),
        [1.0, 0.0, 0.0].map(T::lit)
    );
}

/// Up to the ends of the range, where squares and differences overflow or vanish.
fn labels_of_any_size<T: Float>() {
    let (smallest, largest) = if T::NAME == "f32" {
        (f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX))
    } else {
        (f64::MIN_POSITIVE, f64::MAX)
    };
    for unit in [smallest, 1e-30, 1e30, largest / 4.0] {
        let labels = dvector![3.0, -0.5, 2.0, -4.0].map(|y| T::lit(y * unit));
        let predictions = dvector![2.5, 0.0, 1.5, -3.5].map(|p| T::lit(p * unit));
        let [r2, rmse, mae] = all().map(|metric| metric(&labels, &predictions).unwrap().as_f64());
        let small = 4.0 * T::EPSILON.as_f64();
        assert_relative_eq!(rmse, 0.5 * unit, max_relative = small);
        assert_relative_eq!(mae, 0.5 * unit, max_relative = small);
        // The labels' mean is 0.125.
        assert_relative_eq!(r2, 1.0 - 1.0 / 29.1875, max_relative = small);
    }
    let far = dvector![largest, -largest].map(T::lit);
    assert_relative_eq!(r2(&far, &-&far).unwrap().as_f64(), -3.0, max_relative = 1e-15);
    for metric in [rmse, mae] {
        assert!(metric(&far, &-&far).unwrap().as_f64().is_infinite());
        assert_eq!(metric(&far, &DVector::zeros(2)).unwrap(), T::lit(largest));
    }
}

fn bad_input_is_refused<T: Float>() {
    let (two, three) = (dvector![1.0, 2.0].map(T::lit), dvector![1.0, 2.0, 3.0].map(T::lit));
    let not_finite = dvector![1.0, f64::NAN].map(T::lit);
    for metric in all::<T>() {
        refused(metric(&two, &three), &["predictions", "expected 2, found 3"]);
        refused(metric(&DVector::zeros(0), &DVector::zeros(0)), &["labels", "empty"]);
        refused(metric(&not_finite, &two), &["a label is NaN", "sample 1"]);
        refused(metric(&two, &not_finite), &["a prediction is NaN", "sample 1"]);
    }
    let equal = DVector::repeat(3, T::lit(0.1));
    refused(r2(&equal, &three), &["constant", "R² is undefined"]);
    assert!(rmse(&equal, &three).is_ok() && mae(&equal, &three).is_ok());
}

on_both!(numbers_of_scikit_learn, labels_of_any_size, bad_input_is_refused);

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn invariances(
        pairs in vec((-10.0..10.0_f64, -10.0..10.0_f64), 2..40),
        (shift, factor, power) in (-100.0..100.0_f64, 0.1..10.0_f64, -300..300_i32),
    ) {
        let (labels, predictions): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        prop_assume!(labels.iter().any(|y| (y - labels[0]).abs() > 1e-3));
        let (labels, predictions) = (DVector::from(labels), DVector::from(predictions));
        let of = |labels: &DVector<f64>, predictions: &DVector<f64>| all().map(|m| m(labels, predictions).unwrap());
        let [r2, rmse, mae] = of(&labels, &predictions);
        prop_assert!(r2 <= 1.0 && mae >= 0.0);
        let largest = (&predictions - &labels).amax();
        prop_assert!(rmse >= mae * (1.0 - 1e-14) && rmse <= largest * (1.0 + 1e-14));

        let close = |found: [f64; 3], expected: [f64; 3]| {
            found.iter().zip(expected).all(|(x, y)| (x - y).abs() <= 1e-9 * (y.abs() + (1.0 - r2)))
        };
        // A shift changes nothing, a factor only the unit, and the order of samples nothing.
        let shifted = of(&labels.add_scalar(shift), &predictions.add_scalar(shift));
        prop_assert!(close(shifted, [r2, rmse, mae]), "{shifted:?}");
        let scaled = of(&(&labels * -factor), &(&predictions * -factor));
        prop_assert!(close(scaled, [r2, factor * rmse, factor * mae]), "{scaled:?}");
        let reversed = |v: &DVector<f64>| DVector::from_iterator(v.len(), v.iter().rev().copied());
        prop_assert!(close(of(&reversed(&labels), &reversed(&predictions)), [r2, rmse, mae]));
        // A power of two scales exactly.
        let unit = 2.0_f64.powi(power);
        prop_assert_eq!(of(&(&labels * unit), &(&predictions * unit)), [r2, rmse * unit, mae * unit]);
        // Errors of labels and predictions are the same.
        prop_assert_eq!(of(&predictions, &labels)[1..].to_vec(), vec![rmse, mae]);
    }

    #[test]
    fn the_mean_scores_0(labels in vec(-10.0..10.0_f64, 2..40), exponent in -300..300_i32) {
        prop_assume!(labels.iter().any(|y| (y - labels[0]).abs() > 1e-3));
        let labels = DVector::from(labels) * 10_f64.powi(exponent);
        let mean = DVector::repeat(labels.len(), labels.mean());
        let score = r2(&labels, &mean).unwrap();
        prop_assert!(score.abs() < 1e-9, "{score}");
        // The root mean squared error of the mean is the standard deviation.
        let deviation = labels.add_scalar(-labels.mean()) / labels.amax();
        let expected = deviation.norm() / (labels.len() as f64).sqrt() * labels.amax();
        prop_assert!((rmse(&labels, &mean).unwrap() / expected - 1.0).abs() < 1e-12);
    }
}

//! `Scaling`: each of its steps, and predictions in raw units.

use crate::support::{on_both, refused};
use expnet::{Dataset, ExpNetwork, Float, Initializer, Scaling, ScalingOptions};
use nalgebra::{DMatrix, DVector};

/// 40 points of 3 coordinates on very different scales.
fn raw<T: Float>() -> Dataset<T> {
    let points = DMatrix::from_fn(3, 40, |k, i| {
        T::lit((((7 * i + 13 * k) as f64).sin() + k as f64) * [1e-3, 1.0, 1e4][k])
    });
    Dataset::new(points, DVector::from_fn(40, |i, _| T::lit(5.0 + (i as f64).cos()))).unwrap()
}

fn only() -> ScalingOptions {
    Scaling::options()
        .standardise(false)
        .bias(false)
        .unit_sphere(false)
        .labels(false)
}

fn mean_and_std_dev(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

fn standardised_columns_have_mean_0_and_deviation_1<T: Float>() {
    let data = raw::<T>();
    let scaled = only()
        .standardise(true)
        .labels(true)
        .fit(&data)
        .unwrap()
        .apply(&data)
        .unwrap();
    let rows = scaled
        .points()
        .row_iter()
        .map(|row| row.iter().copied().collect::<Vec<T>>());
    for column in rows.chain([scaled.labels().as_slice().to_vec()]) {
        let (mean, std_dev) = mean_and_std_dev(column.iter().map(|x| x.as_f64()));
        let small = 4.0 * T::EPSILON.as_f64();
        assert!(mean.abs() < small && (std_dev - 1.0).abs() < small, "{mean} {std_dev}");
    }
}

#[test]
fn standardised_columns_have_mean_0_and_deviation_1_f64() {
    standardised_columns_have_mean_0_and_deviation_1::<f64>();
}

#[test]
fn standardised_columns_have_mean_0_and_deviation_1_f32() {
    standardised_columns_have_mean_0_and_deviation_1::<f32>();
}

fn all_steps_put_points_on_the_sphere<T: Float>() {
    let data = raw::<T>();
    let scaled = Scaling::fit(&data).unwrap().apply(&data).unwrap();
    assert_eq!((scaled.dimension(), scaled.samples()), (4, 40));
    let steps = Scaling::options()
        .unit_sphere(false)
        .fit(&data)
        .unwrap()
        .apply(&data)
        .unwrap();
    // beta sqrt(d) for three columns and beta 1.
    let bias = T::lit(3.0_f64.sqrt());
    for (point, before) in scaled.points().column_iter().zip(steps.points().column_iter()) {
        assert!((point.norm() - T::one()).abs() < T::lit(4.0) * T::EPSILON);
        assert_eq!(before[3], bias);
        // The bias is appended before the point is normalised: both keep their ratio.
        assert!((point[0] * bias - before[0] * point[3]).abs() < T::lit(4.0) * T::EPSILON);
    }
}

#[test]
fn all_steps_put_points_on_the_sphere_f64() {
    all_steps_put_points_on_the_sphere::<f64>();
}

#[test]
fn all_steps_put_points_on_the_sphere_f32() {
    all_steps_put_points_on_the_sphere::<f32>();
}

#[test]
fn no_step_changes_nothing() {
    let data = raw::<f64>();
    let scaling = only().fit(&data).unwrap();
    assert_eq!(scaling.apply(&data).unwrap(), data);
    assert_eq!(&scaling.unscale_labels(data.labels()), data.labels());
}

#[test]
fn every_step_works_alone() {
    let data = raw::<f64>();
    let scale = |options: ScalingOptions| options.fit(&data).unwrap().apply(&data).unwrap();
    let biased = scale(only().bias(true));
    assert_eq!(biased.points().rows(0, 3), data.points().rows(0, 3));
    assert_eq!(biased.points().row(3), DMatrix::from_element(1, 40, 3.0_f64.sqrt()));
    let twice = scale(only().bias(true).beta(2.0));
    assert_eq!(twice.points().row(3), biased.points().row(3) * 2.0);
    let sphere = scale(only().unit_sphere(true));
    assert!((sphere.points()[(1, 2)] - data.points()[(1, 2)] / data.points().column(2).norm()).abs() < 1e-15);
    assert_eq!(sphere.labels(), data.labels());
    let labels = scale(only().labels(true));
    assert_eq!(labels.points(), data.points());
    assert_ne!(labels.labels(), data.labels());
}

#[test]
fn other_data_is_scaled_by_the_training_data() {
    let train = Dataset::from_rows(&[[0.0], [2.0]], &[10.0, 30.0]).unwrap();
    let test = Dataset::from_rows(&[[4.0]], &[20.0]).unwrap();
    let scaling = Scaling::options().unit_sphere(false).fit(&train).unwrap();
    let scaled = scaling.apply(&test).unwrap();
    assert_eq!(
        (scaled.points().as_slice(), scaled.labels().as_slice()),
        (&[3.0, 1.0][..], &[0.0][..])
    );
}

#[test]
fn names_are_kept_and_the_bias_gets_one() {
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let data = raw::<f64>().with_names(names).unwrap();
    let scaled = Scaling::fit(&data).unwrap().apply(&data).unwrap();
    assert_eq!(scaled.names().unwrap(), ["a", "b", "c", "bias"]);
    // Data without names is taken by position.
    assert!(
        Scaling::fit(&data)
            .unwrap()
            .apply(&raw::<f64>())
            .unwrap()
            .names()
            .is_none()
    );
}

/// 40 points: a column, a constant one, and a second column.
fn with_a_constant<T: Float>(constant: &[f64]) -> Dataset<T> {
    let raw = raw::<T>();
    let points = DMatrix::from_fn(3, 40, |k, i| match k {
        0 => raw.points()[(1, i)],
        1 => T::lit(constant[i % constant.len()]),
        _ => raw.points()[(2, i)],
    });
    let data = Dataset::new(points, raw.labels().clone()).unwrap();
    data.with_names(["a", "constant", "b"].map(String::from).to_vec())
        .unwrap()
}

/// The bits are those of a scaling that has never seen them.
fn constant_columns_are_dropped<T: Float>() {
    let without = with_a_constant::<T>(&[0.0]);
    let without = Dataset::new(without.points().clone().remove_row(1), without.labels().clone()).unwrap();
    // 0.1 + 0.2 is not 0.3, but what parts them is rounding.
    for constant in [&[0.0][..], &[7.0], &[0.3, 0.1 + 0.2], &[-1e30], &[5e-324, 0.0]] {
        let data = with_a_constant::<T>(constant);
        for options in [Scaling::options(), Scaling::options().bias(false).unit_sphere(false)] {
            let (scaling, fewer) = (options.fit(&data).unwrap(), options.fit(&without).unwrap());
            assert_eq!((scaling.dropped(), fewer.dropped()), (vec![1], vec![]), "{constant:?}");
            let (scaled, expected) = (scaling.apply(&data).unwrap(), fewer.apply(&without).unwrap());
            assert_eq!(
                (scaled.points(), scaled.labels()),
                (expected.points(), expected.labels())
            );
            assert_eq!(scaled.names().unwrap()[..2], ["a", "b"]);
            // Other points may have any value there.
            let other = with_a_constant::<T>(&[8.5]);
            assert_eq!(&scaling.apply_points(other.points()).unwrap(), expected.points());
        }
        let all = only().bias(true).labels(true).fit(&data).unwrap();
        assert!(all.dropped().is_empty());
        assert_eq!(all.apply_points(data.points()).unwrap().rows(0, 3), *data.points());
    }
}

#[test]
fn a_million_equal_values_are_constant() {
    let rows = vec![[0.1]; 1_000_000];
    let data = Dataset::from_rows(&rows, &vec![0.1; rows.len()]).unwrap();
    let scaling = Scaling::fit(&data).unwrap();
    assert_eq!(scaling.dropped(), [0]);
    let scaled = scaling.apply(&data).unwrap();
    assert_eq!((scaled.dimension(), scaled.points().amax()), (1, 1.0), "the bias");
    assert_eq!(scaled.labels().amax(), 0.0);
}

/// A standard deviation of 1: the scaled labels are 0, and come back to the bit.
fn constant_labels_become_0<T: Float>() {
    let points = raw::<T>().points().clone();
    let largest = if T::NAME == "f32" {
        f64::from(f32::MAX)
    } else {
        f64::MAX
    };
    for label in [0.0, 0.1, -7.0, 1e-40, 1e30, largest] {
        let labels = DVector::repeat(40, T::lit(label));
        let data = Dataset::new(points.clone(), labels.clone()).unwrap();
        let scaling = Scaling::fit(&data).unwrap();
        let scaled = scaling.apply(&data).unwrap();
        assert_eq!(scaled.labels(), &DVector::zeros(40), "{label}");
        assert_eq!(scaling.unscale_labels(scaled.labels()), labels);
    }
    let data = Dataset::new(points, DVector::repeat(40, T::lit(2.0))).unwrap();
    let other = Dataset::new(data.points().clone(), DVector::repeat(40, T::lit(5.0))).unwrap();
    let scaled = Scaling::fit(&data).unwrap().apply(&other).unwrap();
    assert_eq!(scaled.labels(), &DVector::repeat(40, T::lit(3.0)));
}

/// Labels that differ by rounding are close to 0, whatever their size: nothing that a fit would follow.
#[test]
fn labels_constant_up_to_rounding_become_almost_0() {
    for unit in [1e-300, 1.0, 1e300] {
        let labels = [0.3, 0.1 + 0.2, 0.3].map(|y| y * unit);
        let data = Dataset::from_rows(&[[1.0], [2.0], [3.0]], &labels).unwrap();
        let scaling = Scaling::fit(&data).unwrap();
        let scaled = scaling.apply(&data).unwrap();
        assert!(scaled.labels().amax() < 1e-15, "{scaled:?}");
        let back = scaling.unscale_labels(&DVector::<f64>::zeros(3));
        assert!((back[0] / unit - 0.3).abs() < 1e-15);
    }
}

on_both!(constant_columns_are_dropped, constant_labels_become_0);

/// A small spread about a large mean, and numbers near the end of the range.
#[test]
fn extreme_columns_are_standardised_to_full_precision() {
    for (centre, spread) in [(1e9, 1e-3), (0.0, 1e-300), (0.0, 1e308), (-1e6, 2.0), (1e300, 1e290)] {
        let rows: Vec<[f64; 1]> = [-1.0, 1.0, 1.0, -1.0_f64].map(|s| [centre + s * spread]).to_vec();
        let data = Dataset::from_rows(&rows, &[0.0, 1.0, 2.0, 3.0]).unwrap();
        let scaled = only().standardise(true).fit(&data).unwrap().apply(&data).unwrap();
        for (x, sign) in scaled.points().iter().zip([-1.0, 1.0, 1.0, -1.0]) {
            assert!((x - sign).abs() < 1e-12, "{centre} {spread}: {x}");
        }
    }
}

#[test]
fn outliers_are_clipped_at_3_deviations_unless_told_otherwise() {
    let data = Dataset::from_rows(&[[-1.0], [1.0]], &[0.0, 1.0]).unwrap();
    let options = Scaling::options().bias(false).unit_sphere(false);
    let far = DMatrix::from_row_slice(1, 4, &[-9.0, -3.5, 0.25, 9.0]);
    let clipped = |options: ScalingOptions| options.fit(&data).unwrap().apply_points(&far).unwrap();
    assert_eq!(clipped(options).as_slice(), [-3.0, -3.0, 0.25, 3.0]);
    assert_eq!(clipped(options.clip(5.0)).as_slice(), [-5.0, -3.5, 0.25, 5.0]);
    assert_eq!(clipped(options.clip(None)), far);
    assert_eq!(clipped(options.standardise(false)), far);
}

/// The mean of 1 and 1 + 9 roundings lies halfway between two numbers, and the deviation about it is 4.5 roundings.
#[test]
fn a_spread_of_a_few_roundings_is_exact_or_none() {
    for (roundings, dropped) in [(9, false), (8, true), (7, true), (0, true)] {
        let other = 1.0 + f64::from(roundings) * f64::EPSILON;
        let data = Dataset::from_rows(&[[1.0], [other], [other], [1.0]], &[0.0, 1.0, 2.0, 3.0]).unwrap();
        let scaling = only().bias(true).standardise(true).fit(&data).unwrap();
        assert_eq!(scaling.dropped().is_empty(), !dropped, "{roundings}");
        if !dropped {
            let points = scaling.apply(&data).unwrap().points().clone();
            assert!((points[(0, 1)] - points[(0, 0)] - 2.0).abs() < 1e-14, "{points}");
        }
    }
}

#[test]
fn settings_and_lengths_are_kept() {
    let data = raw::<f64>();
    let options = Scaling::options().labels(false).beta(2.0).clip(1.5);
    let scaling = options.fit(&data).unwrap();
    assert_eq!((scaling.settings(), scaling.lengths()), (options, &[1.0; 3][..]));
    let scaling = scaling.with_lengths(&[0.5, 1.0, 4.0]).unwrap();
    assert_eq!((scaling.settings(), scaling.lengths()), (options, &[0.5, 1.0, 4.0][..]));
    assert_ne!(options, Scaling::options());
}

#[test]
fn long_points_reach_the_sphere() {
    for size in [1e200, 1e-200] {
        let data = Dataset::from_rows(&[[3.0_f64 * size, 4.0 * size]], &[0.0]).unwrap();
        let scaled = only().unit_sphere(true).fit(&data).unwrap().apply(&data).unwrap();
        assert!((scaled.points()[0] - 0.6).abs() < 1e-15 && (scaled.points()[1] - 0.8).abs() < 1e-15);
    }
}

fn predictions_are_in_raw_units<T: Float>() {
    let data = raw::<T>();
    let scaling = Scaling::fit(&data).unwrap();
    // F = 0 everywhere: the prediction is the mean label.
    let net: ExpNetwork<T> = Initializer::new(4, 6).antisymmetric(true).build().unwrap();
    let mean = data.labels().iter().map(|y| y.as_f64()).sum::<f64>() / 40.0;
    for y in scaling.predict(&net, data.points()).unwrap().iter() {
        assert!((y.as_f64() - mean).abs() < 8.0 * T::EPSILON.as_f64() * mean);
    }
    let net: ExpNetwork<T> = Initializer::new(4, 7).seed(3).build().unwrap();
    let by_hand = net.forward(scaling.apply(&data).unwrap().points()).unwrap();
    assert_eq!(
        scaling.predict(&net, data.points()).unwrap(),
        scaling.unscale_labels(&by_hand)
    );
}

#[test]
fn predictions_are_in_raw_units_f64() {
    predictions_are_in_raw_units::<f64>();
}

#[test]
fn predictions_are_in_raw_units_f32() {
    predictions_are_in_raw_units::<f32>();
}

fn labels_come_back<T: Float>() {
    let data = raw::<T>();
    let scaling = Scaling::fit(&data).unwrap();
    let back = scaling.unscale_labels(scaling.apply(&data).unwrap().labels());
    for (y, back) in data.labels().iter().zip(back.iter()) {
        assert!((*y - *back).abs() <= T::lit(2.0) * T::EPSILON * y.abs());
    }
}

#[test]
fn labels_come_back_f64() {
    labels_come_back::<f64>();
}

#[test]
fn labels_come_back_f32() {
    labels_come_back::<f32>();
}

#[test]
fn a_point_that_cannot_be_scaled_is_named() {
    let narrow = Dataset::from_rows(&[[0.0_f64, 0.0], [1.0, 1e-300]], &[0.0, 1.0]).unwrap();
    let scaling = only().standardise(true).clip(None).fit(&narrow).unwrap();
    let far = DMatrix::from_column_slice(2, 3, &[0.0, 0.0, 1.0, 0.0, 1.0, 1e300]);
    refused(scaling.apply_points(&far), &["point 2, coordinate 1", "inf"]);
}

#[test]
fn means_are_accurate_to_the_last_digits() {
    // One 0 and 10^5 times 0.1: a plain sum is off by 1e-12.
    let n = 100_001;
    let labels = DVector::from_fn(n, |i, _| if i == 0 { 0.0 } else { 0.1 });
    let data = Dataset::new(DMatrix::from_fn(1, n, |_, i| i as f64), labels).unwrap();
    let mean = Scaling::fit(&data).unwrap().unscale_labels(&DVector::<f64>::zeros(1))[0];
    let exact = 0.1 * 1e5 / 100_001.0;
    assert!((mean - exact).abs() <= 4.0 * f64::EPSILON * exact, "{mean} {exact}");
}

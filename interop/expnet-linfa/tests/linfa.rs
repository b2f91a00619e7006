//! The traits of linfa, and that they give what the crate gives.

use expnet::{KernelOptions, RegressorOptions, Training};
use expnet_linfa::{Error, ExpParams, ExpRegressor, KernelParams, KernelRegressor};
use linfa::prelude::*;
use ndarray::{Array1, Array2, Axis};

/// 60 samples of y = x0^2 + sin(x1).
fn smooth() -> Dataset<f64, f64, ndarray::Ix1> {
    let records = Array2::from_shape_fn((60, 2), |(i, k)| ((1 + i) as f64 * (0.7 + k as f64)).sin());
    let targets = records.map_axis(Axis(1), |x| x[0] * x[0] + x[1].sin());
    Dataset::new(records, targets)
}

/// The same, by way of rows.
fn converted(data: &Dataset<f64, f64, ndarray::Ix1>) -> expnet::Dataset<f64> {
    let rows: Vec<Vec<f64>> = data.records().rows().into_iter().map(|row| row.to_vec()).collect();
    expnet::Dataset::from_rows(&rows, &data.targets().to_vec()).unwrap()
}

#[test]
fn fits_are_those_of_the_crate() {
    let data = smooth();
    let model = ExpRegressor::params().width(64).seed(3).fit(&data).unwrap();
    let expected = RegressorOptions::default()
        .width(64)
        .seed(3)
        .fit(&converted(&data))
        .unwrap();
    let predicted = model.predict(&data);
    assert_eq!(
        predicted.as_slice().unwrap(),
        expected.predict(&converted(&data)).unwrap().as_slice()
    );
    assert!(predicted.r2(&data).unwrap() > 0.99);
    assert_eq!(model.inner().network().width(), 64);

    let model = KernelRegressor::params().lambda(1e-3).fit(&data).unwrap();
    let expected = KernelOptions::default().lambda(1e-3).fit(&converted(&data)).unwrap();
    let (mean, std_dev) = model.predict_with_std(data.records()).unwrap();
    let (expected_mean, expected_std) = expected.predict_with_std(&converted(&data)).unwrap();
    assert_eq!(mean.as_slice().unwrap(), expected_mean.as_slice());
    assert_eq!(std_dev.as_slice().unwrap(), expected_std.as_slice());
}

#[test]
fn views_and_other_layouts_are_the_same_data() {
    let data = smooth();
    let model = KernelRegressor::params().fit(&data.view()).unwrap();
    let columns = data.records().t().as_standard_layout().into_owned();
    let transposed = Dataset::new(columns.reversed_axes(), data.targets().clone());
    let other = KernelRegressor::params().fit(&transposed).unwrap();
    assert_eq!(model.predict(data.records()), other.predict(transposed.records()));
    assert_eq!(model.predict(data.records().view()).targets, model.predict(&data));
}

#[test]
fn weights_count() {
    let data = smooth();
    let weights = Array1::from_shape_fn(60, |i| if i < 30 { 1.0_f32 } else { 0.0 });
    let params = KernelRegressor::params().lambda(1e-2).length_scales(false);
    let weighted = params.fit(&data.clone().with_weights(weights.clone())).unwrap();
    let all = params.fit(&data).unwrap();
    let doubles = expnet::nalgebra::DVector::from_iterator(60, weights.iter().map(|&weight| f64::from(weight)));
    let expected = KernelOptions::default().lambda(1e-2).length_scales(false);
    let expected = expected.fit(&converted(&data).with_weights(doubles).unwrap()).unwrap();
    let predicted = weighted.predict(data.records());
    assert_eq!(
        predicted.as_slice().unwrap(),
        expected.predict(&converted(&data)).unwrap().as_slice()
    );
    assert_ne!(predicted, all.predict(data.records()));
    let error = params.fit(&data.with_weights(Array1::from_elem(60, -1.0))).unwrap_err();
    assert!(error.to_string().contains("weights"), "{error}");
}

#[test]
fn parameters_are_checked() {
    assert!(ExpRegressor::params().check().is_ok());
    for (params, word) in [
        (ExpRegressor::params().std_dev(0.0), "std_dev"),
        (ExpRegressor::params().lambda(f64::NAN), "lambda"),
        (ExpRegressor::params().validation(1.0), "validation"),
        (ExpRegressor::params().patience(3), "patience"),
        (
            ExpRegressor::params().training(Training::EarlyStopping).lambda(1.0),
            "lambda",
        ),
    ] {
        let error = params.check_ref().unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        let error = params.fit(&smooth()).unwrap_err();
        assert!(
            matches!(error, Error::Expnet(_)) && error.to_string().contains(word),
            "{error}"
        );
    }
    assert!(
        KernelParams::from(KernelOptions::default().std_dev(-1.0))
            .check()
            .is_err()
    );
    let options = RegressorOptions::default().width(12);
    assert_eq!(ExpParams::from(options).check().unwrap().options(), options);
}

#[test]
#[allow(clippy::cast_possible_truncation)] // that is what single precision is
fn single_precision() {
    let data = smooth();
    let single = Dataset::new(data.records().mapv(|x| x as f32), data.targets().mapv(|y| y as f32));
    let model = ExpRegressor::params().width(64).fit(&single).unwrap();
    assert!(model.predict(&single).r2(&single).unwrap() > 0.99);
}

#[test]
fn bad_data_are_errors() {
    let data = smooth();
    let mut records = data.records().clone();
    records[[7, 1]] = f64::NAN;
    let error = KernelRegressor::params()
        .fit(&Dataset::new(records, data.targets().clone()))
        .unwrap_err();
    assert!(error.to_string().contains('7'), "{error}");

    let model = KernelRegressor::params().fit(&data).unwrap();
    let narrow = data.records().slice_axis(Axis(1), (..1).into());
    assert!(
        model
            .try_predict(&narrow)
            .unwrap_err()
            .to_string()
            .contains("expected 2, found 1")
    );
    let nothing = model.predict(narrow.to_owned()).targets;
    assert_eq!(nothing.len(), 60);
    assert!(nothing.iter().all(|target| target.is_nan()));
}

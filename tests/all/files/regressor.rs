//! Saved regressors are loaded whole, and a damaged scaling or report is refused.

use super::{awkward, fitted, problem, put, unchecked};
use crate::support::{Folder, refused};
use expnet::{ExpRegressor, Float, Initializer, Scaling};
use serde_json::{Value, json};
use std::fs;

fn a_regressor_comes_back<T: Float>() {
    let folder = Folder::new(&format!("regressor-{}", T::NAME));
    let path = folder.join("model");
    let all = Scaling::options();
    for (options, names) in [
        (all, true),
        (all.bias(false), false),
        (all.labels(false).unit_sphere(false), true),
    ] {
        let (model, data) = fitted::<T>(options, names);
        model.save(&path).unwrap();
        let loaded = ExpRegressor::<T>::load(&path).unwrap();
        assert_eq!(loaded.network(), model.network());
        assert_eq!(loaded.scaling(), model.scaling());
        assert_eq!(loaded.report(), model.report());
        assert_eq!(
            loaded.predict(data.points()).unwrap(),
            model.predict(data.points()).unwrap()
        );
        let first = fs::read(&path).unwrap();
        model.save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first, "the same bytes each time");
    }
}

#[test]
fn parts_make_the_same_regressor() {
    let folder = Folder::new("parts");
    let (model, data) = fitted::<f64>(Scaling::options(), true);
    let predicted = model.predict(data.points()).unwrap();
    let (network, scaling, report) = model.into_parts();
    let other = Initializer::new(network.dimension() + 1, 4).build().unwrap();
    let refusal = ExpRegressor::from_parts(other, scaling.clone(), report.clone());
    refused(refusal.map(drop), &["dimension of the network", "`Scaling::apply`"]);
    let model = ExpRegressor::from_parts(network, scaling, report).unwrap();
    model.save(folder.join("model")).unwrap();
    let loaded = ExpRegressor::<f64>::load(folder.join("model")).unwrap();
    assert_eq!(loaded.predict(data.points()).unwrap(), predicted);
}

#[test]
fn a_regressor_comes_back_whole() {
    a_regressor_comes_back::<f32>();
    a_regressor_comes_back::<f64>();
}

#[test]
fn networks_and_regressors_are_not_mistaken_for_each_other() {
    let folder = Folder::new("kinds");
    let path = folder.join("model");
    awkward::<f64>().save(&path).unwrap();
    let refusal = "it holds a network, not a regressor: load it with `ExpNetwork::load`";
    let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
    assert!(error.ends_with(refusal), "{error}");
    fitted::<f64>(Scaling::options(), false).0.save(&path).unwrap();
    let refusal = "it holds a regressor, not a network: load it with `ExpRegressor::load`";
    assert_eq!(problem::<f64>(&path), refusal);
}

#[test]
fn a_damaged_scaling_or_report_is_refused() {
    let folder = Folder::new("scaling");
    let path = folder.join("model");
    fitted::<f64>(Scaling::options(), true).0.save(&path).unwrap();
    let (header, numbers) = unchecked(&path);
    let text = header["__metadata__"]["expnet"].as_str().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let cases: &[(&str, Value, &str)] = &[
        (
            "/scaling/label_std_dev",
            json!(0.0),
            "and 0.0 for the labels; it must be finite, with a positive `std_dev`",
        ),
        ("/scaling/label_mean", Value::Null, "its metadata is damaged"),
        (
            "/scaling/columns",
            json!(["one"]),
            "its scaling is invalid: the number of column names: expected 3, found 1",
        ),
        (
            "/scaling/options/standardise",
            json!(false),
            "or 0 and 1 if that step is off",
        ),
        (
            "/scaling/label_std_dev",
            json!(-1.0),
            "and -1.0 for the labels; it must be finite, with a positive `std_dev`",
        ),
        (
            "/scaling/options/bias",
            json!(false),
            "its scaling produces points of dimension 3, but its network has dimension 4",
        ),
        ("/scaling/options/unit_sphere", json!("yes"), "its metadata is damaged"),
        ("/scaling/options/clip", json!(-1.0), "`ScalingOptions::clip` is -1"),
        (
            "/report/termination",
            json!("bored"),
            "its metadata is damaged: unknown variant `bored`",
        ),
        (
            "/report/loss",
            json!("much"),
            "its metadata is damaged: \"much\" is not a number",
        ),
        (
            "/report/seconds",
            json!(-1.0),
            "its metadata is damaged: cannot convert",
        ),
        (
            "/report/validation",
            json!({"loss": 0.5}),
            "its metadata is damaged: missing field `step`",
        ),
        ("/report/steps", json!(-1), "its metadata is damaged"),
        ("/report", json!({}), "its metadata is damaged: missing field"),
    ];
    for (place, value, expected) in cases {
        let (mut header, mut document) = (header.clone(), document.clone());
        *document.pointer_mut(place).unwrap() = value.clone();
        header["__metadata__"]["expnet"] = json!(document.to_string());
        put(&path, &header, &numbers);
        let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{place} = {value}: {error}");
    }
    // The standard deviations of the three columns follow their means.
    let (mut negative, mut constant) = (numbers.clone(), numbers.clone());
    negative[32..40].copy_from_slice(&(-1.0_f64).to_le_bytes());
    put(&path, &header, &negative);
    let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("and -1.0 for column 1; it must be finite, with a `std_dev` that is positive (or 0"),
        "{error}"
    );
    constant[32..40].copy_from_slice(&0.0_f64.to_le_bytes());
    put(&path, &header, &constant);
    let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("its scaling produces points of dimension 3, but its network has dimension 4"),
        "{error}"
    );
    let mut numbers = numbers;
    numbers[..8].copy_from_slice(&f64::INFINITY.to_le_bytes());
    put(&path, &header, &numbers);
    let error = ExpRegressor::<f64>::load(&path).unwrap_err().to_string();
    assert!(error.contains("for column 0; it must be finite"), "{error}");
    assert!(
        error.contains("its scaling is invalid: `mean` and `std_dev` of `Scaling` is inf and"),
        "{error}"
    );
}

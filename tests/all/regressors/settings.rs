//! Settings that decide on data and training, and the deviations of the regressor of infinite width.

use super::noisy;
use crate::support::problems::plane_at;
use crate::support::refused;
use expnet::kernel::{limit_cross_kernel, limit_kernel};
use expnet::observer::Progress;
use expnet::{Dataset, ExpRegressor, KernelOptions, KernelRegressor, RegressorOptions, Scaling, Training};
use nalgebra::{DMatrix, DVector};
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::Mutex;

/// 0.15 of three samples are none.
#[test]
fn early_stopping_sets_samples_aside_from_four_on() {
    let early = ExpRegressor::options()
        .width(16)
        .training(Training::EarlyStopping)
        .max_steps(5);
    for (samples, aside) in [(1, false), (3, false), (4, true), (20, true)] {
        let model = early.fit(&plane_at::<f64>(samples)).unwrap();
        assert_eq!(model.report().validation_loss().is_some(), aside, "{samples}");
    }
}

/// The defaults are those of the tables in the documentation.
#[test]
fn defaults() {
    let scaling = json!({
        "standardise": true, "bias": true, "beta": null, "clip": 3.0, "unit_sphere": true, "labels": true,
    });
    assert_eq!(
        serde_json::to_value(KernelRegressor::options()).unwrap(),
        json!({"std_dev": 1.0, "lambda": null, "length_scales": true, "seed": 0, "scaling": scaling})
    );
    assert_eq!(
        serde_json::to_value(ExpRegressor::options()).unwrap(),
        json!({
            "width": 1024, "std_dev": 1.0, "seed": 0, "training": "Ridge", "lambda": null, "length_scales": null,
            "validation": null, "patience": null, "max_steps": null, "max_time": null, "scaling": scaling,
        })
    );
}

/// Each setting reaches the start, the choice or the training.
#[test]
fn settings_of_the_network_regressor_matter() {
    let data = noisy::<f64>(50);
    let options = ExpRegressor::options().width(64).max_steps(0);
    let fit = |options: RegressorOptions| options.fit(&data).unwrap();
    let start = fit(options);
    let weights = |model: &ExpRegressor<f64>| model.network().weights().clone();
    assert_eq!(weights(&fit(options)), weights(&start));
    assert_ne!(weights(&fit(options.seed(1))), weights(&start));
    // Before the first step the weights are those of the initialiser, in proportion to their standard deviation.
    assert!((weights(&fit(options.std_dev(0.25))) * 4.0 - weights(&start)).amax() < 1e-15);

    let equal = [1.0, 1.0];
    assert_ne!(start.scaling().lengths(), equal);
    assert_eq!(fit(options.length_scales(false)).scaling().lengths(), equal);
    let early = options.training(Training::EarlyStopping);
    assert_eq!(fit(early).scaling().lengths(), equal);
    assert!(fit(early).selection().chosen().is_none());
    assert_ne!(fit(early.length_scales(true)).scaling().lengths(), equal);

    assert_eq!(fit(options.lambda(0.3)).selection().lambda(), 0.3);
    let strong = options.max_steps(8);
    let [weak, strong] = [1e-3, 1e3].map(|lambda| fit(strong.lambda(lambda)).score(&data).unwrap());
    assert!(weak > 0.9 && strong < 0.5, "{weak} {strong}");

    // Of two samples, half are one.
    let model = options.validation(0.5).fit(&plane_at::<f64>(2)).unwrap();
    assert!(model.selection().to_string().starts_with("validation errors"));
}

/// Also where an earlier model makes it of no consequence.
#[test]
fn a_bad_setting_is_refused_before_anything_begins() {
    let data = noisy::<f64>(30);
    let options = ExpRegressor::options().width(16).max_steps(1);
    let model = options.fit(&data).unwrap();
    let bad = options.scaling(Scaling::options().clip(0.0));
    refused(bad.on(&data).warm_start(&model).fit(), &["`ScalingOptions::clip` is 0"]);
}

#[test]
fn an_observer_may_be_given_away() {
    let (data, seen) = (noisy::<f64>(30), Mutex::new(Vec::new()));
    let options = ExpRegressor::options().width(16).max_steps(2);
    let note = |progress: &Progress<'_, f64>| {
        seen.lock().unwrap().push(progress.steps());
        ControlFlow::Continue(())
    };
    let model = options.on(&data).observe(note).fit().unwrap();
    assert_eq!(seen.into_inner().unwrap().last(), Some(&model.report().steps()));
}

/// Nothing was chosen, and nothing pretends to have been.
#[test]
fn a_regressor_from_parts_has_an_empty_selection() {
    let (network, scaling, report) = ExpRegressor::options()
        .width(16)
        .fit(&noisy::<f64>(30))
        .unwrap()
        .into_parts();
    let model = ExpRegressor::from_parts(network, scaling, report).unwrap();
    let selection = model.selection();
    assert_eq!(selection.to_string(), "no settings were chosen: they were given");
    let empty = json!({
        "candidates": [], "chosen": 0, "samples": 0, "part": 0, "validated": false, "lambda": 0.0,
    });
    assert_eq!(serde_json::to_value(selection).unwrap(), empty);
}

#[test]
fn settings_of_the_kernel_regressor_come_back() {
    let default = KernelRegressor::options();
    let scaling = Scaling::options().bias(false).clip(2.0);
    let settings = [
        (default.std_dev(0.5), "std_dev"),
        (default.lambda(0.25), "lambda"),
        (default.length_scales(false), "length_scales"),
        (default.seed(7), "seed"),
        (default.scaling(scaling), "scaling"),
    ];
    for (options, name) in settings {
        let json = serde_json::to_value(options).unwrap();
        assert_ne!(json[name], serde_json::to_value(default).unwrap()[name], "{name}");
        assert_eq!(serde_json::from_value::<KernelOptions>(json).unwrap(), options);
    }
    let json = serde_json::to_value(default.seed(7).lambda(0.25)).unwrap();
    assert_eq!((json["seed"].as_u64(), json["lambda"].as_f64()), (Some(7), Some(0.25)));
}

/// The variance of a label under a Gaussian process, scaled by the errors at samples that are left out.
#[test]
fn deviations_are_those_of_the_formula() {
    let options = KernelRegressor::options().std_dev(0.8);
    for options in [options, options.lambda(1e-3), options.lambda(0.1), options.lambda(10.0)] {
        deviations_are_those_of(options);
    }
}

fn deviations_are_those_of(options: KernelOptions) {
    let data = noisy::<f64>(60);
    let sigma = 0.8;
    let model = options.fit(&data).unwrap();
    let lambda = model.selection().lambda();
    let scaled = model.scaling().apply(&data).unwrap();
    let raw = DMatrix::from_fn(2, 7, |k, i| (i as f64 - 3.0) * (1.0 + k as f64));
    let points = model.scaling().apply_points(&raw).unwrap();

    let kernel = limit_kernel(scaled.points(), sigma).unwrap();
    let inverse = (kernel + DMatrix::identity(60, 60) * lambda).try_inverse().unwrap();
    let dual = &inverse * scaled.labels();
    let unit = dual.map(|c| c * c).component_div(&inverse.diagonal()).mean();
    let cross = limit_cross_kernel(scaled.points(), &points, sigma).unwrap();
    let prior = limit_kernel(&points, sigma).unwrap().diagonal();
    let posterior = prior - (cross.transpose() * inverse * cross).diagonal();
    let labels = data.labels().add_scalar(-data.labels().mean()).norm() / 60.0_f64.sqrt();
    let expected = posterior.map(|variance| labels * (unit * (lambda + variance)).sqrt());
    let found = model.predict_with_std(&raw).unwrap().1;
    assert!(
        (found.component_div(&expected)).add_scalar(-1.0).amax() < 1e-8,
        "{found} {expected}"
    );
}

/// A kernel of zeros: nothing but the mean label is left to predict.
#[test]
fn points_that_are_all_0_predict_the_mean() {
    let scaling = Scaling::options().standardise(false).bias(false).unit_sphere(false);
    let data = Dataset::new(DMatrix::zeros(2, 5), DVector::from_fn(5, |i, _| i as f64)).unwrap();
    let model = KernelRegressor::options().scaling(scaling).fit(&data).unwrap();
    assert_eq!(model.predict(&data).unwrap(), DVector::repeat(5, 2.0));
}

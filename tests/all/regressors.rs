//! Regressors that choose their settings: what is chosen, and every way to fit and predict.

mod selection;
mod settings;

use crate::support::problems::plane;
use crate::support::{on_both, refused};
use expnet::kernel::Predictor;
use expnet::observer::History;
use expnet::{Dataset, ExpRegressor, Float, KernelRegressor, RegressorOptions, Scaling, Termination, Training};
use nalgebra::{DMatrix, DVector};
use std::time::Duration;

/// y = sin(2 x0) + noise, and a column that does not matter.
fn noisy<T: Float>(samples: usize) -> Dataset<T> {
    let points = DMatrix::from_fn(2, samples, |k, i| T::lit(((1 + i) as f64 * (0.7 + k as f64)).sin()));
    let noise = |i: usize| 0.2 * ((i * i) as f64 * 1.7).sin();
    let labels = DVector::from_fn(samples, |i, _| T::lit((2.0 * points[(0, i)].as_f64()).sin() + noise(i)));
    Dataset::new(points, labels).unwrap()
}

fn every_way_to_predict_agrees<T: Float>() {
    let data = noisy::<T>(60).with_names(vec!["a".into(), "b".into()]).unwrap();
    let (network, kernel) = (ExpRegressor::fit(&data).unwrap(), KernelRegressor::fit(&data).unwrap());
    let rows: Vec<Vec<T>> = data
        .points()
        .column_iter()
        .map(|x| x.iter().copied().collect())
        .collect();
    let (a, b) = (network.predict(&data).unwrap(), kernel.predict(&data).unwrap());
    assert_eq!(network.predict(data.points()).unwrap(), a);
    assert_eq!(network.predict_rows(&rows).unwrap(), a);
    assert_eq!(kernel.predict(data.points()).unwrap(), b);
    assert_eq!(kernel.predict_rows(&rows).unwrap(), b);
    assert_eq!(kernel.predict_with_std(&data).unwrap().0, b);
    assert_eq!(
        kernel.predict_with_std_rows(&rows).unwrap(),
        kernel.predict_with_std(&data).unwrap()
    );
    let close = |x: T, y: T| (x - y).abs() <= T::lit(64.0) * T::EPSILON;
    assert!(close(network.predict_row(&rows[3]).unwrap(), a[3]) && close(kernel.predict_row(&rows[3]).unwrap(), b[3]));

    let swapped = data.clone().with_names(vec!["b".into(), "a".into()]).unwrap();
    refused(network.predict(&swapped), &["\"a\"", "\"b\""]);
    refused(kernel.score(&swapped), &["\"a\"", "\"b\""]);
    refused(kernel.predict_with_std(&swapped), &["\"a\"", "\"b\""]);
    refused(network.predict_row(&[T::one()]), &["expected 2", "found 1"]);
    refused(kernel.predict_rows(&[vec![T::one(); 2], vec![T::one()]]), &["row 1"]);
    refused(kernel.predict_rows::<Vec<T>>(&[]), &["empty"]);
    refused(
        network.predict_row(&[T::one(), T::lit(f64::NAN)]),
        &["NaN", "coordinate 1"],
    );
}

/// The kernel regressor is ridge regression with the chosen settings.
fn the_kernel_regressor_is_its_parts<T: Float>() {
    let (train, test) = noisy::<T>(80).split(0.75, 2).unwrap();
    let model = KernelRegressor::fit(&train).unwrap();
    let scaled = model.scaling().apply(&train).unwrap();
    let fit = Predictor::new(&scaled, 1.0)
        .unwrap()
        .ridge(model.selection().lambda())
        .unwrap();
    let expected = model.scaling().predict(&fit, test.points()).unwrap();
    let found = model.predict(&test).unwrap();
    assert!((found - &expected).amax() <= T::lit(1e3) * T::EPSILON * expected.amax());
    assert!(model.score(&test).unwrap().as_f64() > 0.85);
}

/// The network approaches the kernel regressor, whatever its seed.
fn networks_of_any_seed_agree_with_the_kernel<T: Float>() {
    let (train, test) = noisy::<T>(120).split(0.75, 2).unwrap();
    let kernel = KernelRegressor::fit(&train).unwrap().score(&test).unwrap().as_f64();
    for seed in 0..4 {
        let model = ExpRegressor::options().seed(seed).fit(&train).unwrap();
        let score = model.score(&test).unwrap().as_f64();
        assert!((score - kernel).abs() < 0.03, "{seed}: {score} {kernel}");
        assert!(model.report().steps() <= 5, "{}", model.report());
        assert!(model.report().problems().is_empty());
    }
}

/// The column that does not matter gets a long length scale, and the error never rises.
fn length_scales_find_the_columns_that_matter<T: Float>() {
    let data = noisy::<T>(90);
    let model = KernelRegressor::fit(&data).unwrap();
    let lengths = model.scaling().lengths();
    assert!(lengths[1] > 4.0 * lengths[0], "{lengths:?}");
    let selection = model.selection();
    let (chosen, all) = (selection.chosen().unwrap(), selection.candidates());
    assert!(
        all.iter()
            .all(|candidate| candidate.mean_square() >= chosen.mean_square())
    );
    assert!(chosen.round() > 0 && chosen.lambda() > 0.0);
    assert!(
        selection
            .to_string()
            .contains("leave-one-out errors of kernel ridge regression on 90 of 90 samples")
    );
    let equal = KernelRegressor::options().length_scales(false).fit(&data).unwrap();
    assert_eq!(equal.scaling().lengths(), [1.0, 1.0]);
    assert!(
        all.iter()
            .any(|candidate| candidate.mean_square() == equal.selection().chosen().unwrap().mean_square())
    );
}

/// A weight of 2 counts like a sample that is there twice, and a weight of 0 like none.
fn weights_count_like_copies<T: Float>() {
    let data = noisy::<T>(40);
    let counts: Vec<usize> = (0..40).map(|i| [1, 2, 0, 1][i % 4]).collect();
    let copied: Vec<usize> = (0..40).flat_map(|i| std::iter::repeat_n(i, counts[i])).collect();
    let copies = data.select(&copied).unwrap();
    let weights = DVector::from_iterator(40, counts.iter().map(|&count| T::lit(count as f64)));
    let weighted = data.clone().with_weights(weights).unwrap();
    // Standardising takes no weights, so that it is off here.
    let scaling = Scaling::options().standardise(false).labels(false).beta(1.0);
    let options = KernelRegressor::options()
        .scaling(scaling)
        .length_scales(false)
        .lambda(0.1);
    let (a, b) = (options.fit(&weighted).unwrap(), options.fit(&copies).unwrap());
    let (a, b) = (a.predict(&data).unwrap(), b.predict(&data).unwrap());
    assert!((&a - &b).amax().as_f64() < 1e-4 * b.amax().as_f64());
    let options = ExpRegressor::options()
        .width(64)
        .scaling(scaling)
        .length_scales(false)
        .lambda(0.1);
    let (a, b) = (options.fit(&weighted).unwrap(), options.fit(&copies).unwrap());
    let (a, b) = (a.predict(&data).unwrap(), b.predict(&data).unwrap());
    assert!((&a - &b).amax().as_f64() < 1e-3 * b.amax().as_f64());
}

on_both!(
    every_way_to_predict_agrees,
    the_kernel_regressor_is_its_parts,
    networks_of_any_seed_agree_with_the_kernel,
    length_scales_find_the_columns_that_matter,
    weights_count_like_copies
);

#[test]
fn predicted_deviations_match_the_errors() {
    let (train, test) = noisy::<f64>(600).split(0.5, 4).unwrap();
    let model = KernelRegressor::fit(&train).unwrap();
    let (mean, std_dev) = model.predict_with_std(&test).unwrap();
    let within = |k: f64| {
        let inside = |&i: &usize| (mean[i] - test.labels()[i]).abs() <= k * std_dev[i];
        (0..test.samples()).filter(inside).count() as f64 / test.samples() as f64
    };
    // The noise is a sine, with standard deviation 0.2 / sqrt(2) and never beyond sqrt(2) of it.
    assert!(
        (std_dev.mean() / (0.2 / 2.0_f64.sqrt()) - 1.0).abs() < 0.15,
        "{}",
        std_dev.mean()
    );
    let (most, few) = (within(1.645), within(0.3));
    assert!(most > 0.9 && few < 0.3, "{most} {few}");
    let far = model.predict_with_std_rows(&[[50.0, -50.0]]).unwrap().1[0];
    assert!(far > 2.0 * std_dev.max());
}

#[test]
fn many_samples_take_the_paths_of_bounded_memory() {
    let (train, test) = noisy::<f64>(5500).split(0.8, 1).unwrap();
    let kernel = KernelRegressor::fit(&train).unwrap();
    assert_eq!(
        (kernel.selection().compared(), kernel.solution().coefficients().len()),
        (1400, 4400)
    );
    // On a part, lambda was chosen once and for all.
    assert_eq!(
        kernel.selection().lambda(),
        kernel.selection().chosen().unwrap().lambda()
    );
    assert!(kernel.score(&test).unwrap() > 0.94);
    let (_, std_dev) = kernel.predict_with_std(&test).unwrap();
    assert!((std_dev.mean() / (0.2 / 2.0_f64.sqrt()) - 1.0).abs() < 0.15);
    let network = ExpRegressor::options().width(128).fit(&train).unwrap();
    assert!(network.score(&test).unwrap() > 0.94, "{}", network.report());
}

#[test]
fn many_samples_of_many_columns_are_fitted_by_centres() {
    let data = noisy::<f64>(5500);
    let (d, n) = data.points().shape();
    let beside = |k: usize, i: usize| ((1 + i) as f64 * (0.37 + k as f64).sqrt()).sin();
    let wide = DMatrix::from_fn(
        d + 3,
        n,
        |k, i| if k < d { data.points()[(k, i)] } else { beside(k, i) },
    );
    let (train, test) = Dataset::new(wide, data.labels().clone())
        .unwrap()
        .split(0.8, 1)
        .unwrap();
    let kernel = KernelRegressor::fit(&train).unwrap();
    assert_eq!(kernel.solution().coefficients().len(), 1024);
    assert!(kernel.score(&test).unwrap() > 0.9);
}

#[test]
fn validation_data_of_your_own_decide() {
    let (train, validation) = noisy::<f64>(100).split(0.7, 3).unwrap();
    let model = ExpRegressor::options()
        .width(64)
        .on(&train)
        .validation(&validation)
        .fit()
        .unwrap();
    let text = model.selection().to_string();
    assert!(
        text.starts_with("validation errors of kernel ridge regression on 70 of 70 samples"),
        "{text}"
    );
    let wrong = Dataset::from_rows(&[[1.0]], &[1.0]).unwrap();
    refused(
        ExpRegressor::options().on(&train).validation(&wrong).fit(),
        &["expected 2", "found 1"],
    );
    let early = ExpRegressor::options().training(Training::EarlyStopping).max_steps(300);
    let model = early.on(&train).validation(&validation).fit().unwrap();
    assert!(model.report().best_step().is_some() && model.selection().chosen().is_none());
}

/// In the choice, a validation sample of weight 2 counts like one that is there twice, and one of weight 0 like none.
#[test]
fn weights_of_validation_data_count_like_copies() {
    let (train, validation) = noisy::<f64>(100).split(0.7, 3).unwrap();
    let counts: Vec<usize> = (0..30).map(|i| [1, 2, 0, 5][i % 4]).collect();
    let copied: Vec<usize> = (0..30).flat_map(|i| std::iter::repeat_n(i, counts[i])).collect();
    let copies = validation.select(&copied).unwrap();
    let weighted = |least: f64| {
        let weights = DVector::from_fn(30, |i, _| least.max(counts[i] as f64));
        validation.clone().with_weights(weights).unwrap()
    };
    let choice = |validation: &Dataset<f64>| {
        let options = ExpRegressor::options().width(16).max_steps(0);
        let model = options.on(&train).validation(validation).fit().unwrap();
        let chosen = model.selection().chosen().unwrap();
        (chosen.beta(), chosen.round(), chosen.lambda(), chosen.mean_square())
    };
    let (beta, round, lambda, mean_square) = choice(&copies);
    for least in [0.0, 1e-12] {
        let found = choice(&weighted(least));
        assert_eq!((found.0, found.1), (beta, round));
        assert!((found.2 / lambda - 1.0).abs() < 1e-6, "{found:?} {lambda}");
        assert!((found.3 / mean_square - 1.0).abs() < 1e-9, "{found:?} {mean_square}");
    }
    assert!(
        (choice(&validation).3 / mean_square - 1.0).abs() > 1e-3,
        "weights make a difference"
    );
}

#[test]
fn observers_limits_and_warm_starts() {
    let data = plane::<f64>();
    let mut history = History::default();
    let options = ExpRegressor::options().width(64);
    let model = options.on(&data).observe_mut(&mut history).fit().unwrap();
    assert_eq!(history.steps().last(), Some(&model.report().steps()));
    let none = options.max_time(Duration::ZERO).fit(&data).unwrap();
    assert_eq!(none.report().termination(), Termination::MaxTime);
    let short = options.max_steps(1).fit(&data).unwrap();
    let problem = &short.report().problems()[0];
    assert!(
        problem.contains("cut short after step 1,") && problem.contains("`RegressorOptions::max_steps`"),
        "{problem}"
    );
    assert!(short.report().to_string().contains(problem), "{}", short.report());
    let warm = options.on(&data).warm_start(&short).fit().unwrap();
    assert_eq!(warm.scaling(), short.scaling());
    assert!(warm.report().initial_loss() <= short.report().loss() * 1.000_001);
    assert!(warm.score(&data).unwrap() >= short.score(&data).unwrap() - 1e-9);
    // Settings that are kept leave nothing for validation data to decide.
    let run = || options.on(&data).warm_start(&short);
    refused(
        run().validation(&data).fit(),
        &["`RegressorRun::warm_start`", "train on all data"],
    );
    refused(
        options.validation(0.2).on(&data).warm_start(&short).fit(),
        &["`RegressorRun::warm_start`", "train on all data"],
    );
    let other = Dataset::from_rows(&[[1.0], [2.0]], &[1.0, 2.0]).unwrap();
    refused(options.on(&other).warm_start(&short).fit(), &["expected 2", "found 1"]);
}

#[test]
fn settings_of_the_kernel_regressor_are_checked() {
    let data = plane::<f64>();
    let options = KernelRegressor::options();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(options.std_dev(bad).fit(&data), &["`KernelOptions::std_dev`"]);
        refused(options.lambda(bad).fit(&data), &["`KernelOptions::lambda`"]);
        refused(
            options.scaling(Scaling::options().beta(bad)).fit(&data),
            &["`ScalingOptions::beta`"],
        );
        refused(
            options.scaling(Scaling::options().clip(bad)).fit(&data),
            &["`ScalingOptions::clip`"],
        );
    }
    refused(options.std_dev(1e200).fit(&data), &["limit kernel", "std_dev"]);
    for tiny in [5e-324, 1e-308, 1e-100] {
        let _ = options.lambda(tiny).fit(&data).map(|model| model.predict(&data));
        let _ = options.std_dev(tiny).fit(&data).map(|model| model.predict(&data));
        let _ = options.scaling(Scaling::options().beta(tiny)).fit(&data);
        let _ = options.scaling(Scaling::options().clip(tiny)).fit(&data);
    }
}

/// Without a ridge to keep, a warm start would follow the noise.
#[test]
fn a_warm_start_from_a_model_without_ridge_needs_a_lambda() {
    let data = noisy::<f64>(60);
    let options = ExpRegressor::options().width(64);
    let early = options.training(Training::EarlyStopping).max_steps(5);
    let earlier = early.fit(&data).unwrap();
    let warm = |options: RegressorOptions| options.on(&data).warm_start(&earlier).fit();
    refused(warm(options), &["without ridge", "give `RegressorOptions::lambda`"]);
    assert_eq!(warm(options.lambda(0.3)).unwrap().selection().lambda(), 0.3);
    assert!(warm(early).is_ok());
}

/// Only the ratios of weights matter: 1 / sigma^2 of measurements may be of any size.
#[test]
fn lambda_is_chosen_in_units_of_the_weights() {
    let data = noisy::<f64>(80);
    let of = |scale: f64| {
        let weights = DVector::from_fn(80, |i, _| scale * (1.0 + (i % 3) as f64));
        KernelRegressor::fit(&data.clone().with_weights(weights).unwrap()).unwrap()
    };
    let one = of(1.0);
    for scale in [1e-4, 1e6] {
        let other = of(scale);
        let ratio = other.selection().lambda() / one.selection().lambda() / scale;
        assert!((ratio - 1.0).abs() < 1e-6, "{scale}: {ratio}");
        let change = one.predict(&data).unwrap() - other.predict(&data).unwrap();
        assert!(change.amax() < 1e-6, "{scale}: {change}");
    }
}

/// Copies of samples are left out together: one of them says nothing about noise.
#[test]
fn copies_do_not_hide_noise() {
    let data = noisy::<f64>(50);
    let twice: Vec<usize> = (0..50).chain(0..50).collect();
    let (once, copied) = (KernelRegressor::fit(&data).unwrap(), data.select(&twice).unwrap());
    let copied = KernelRegressor::fit(&copied).unwrap();
    let errors = [&once, &copied].map(|model| model.selection().chosen().unwrap().mean_square());
    assert!((errors[1] / errors[0] - 1.0).abs() < 0.05, "{errors:?}");
}

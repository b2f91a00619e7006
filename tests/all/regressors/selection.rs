//! What a regressor chooses: the error of each candidate by plain linear algebra, the order of the search, its table.

use super::noisy;
use crate::support::problems::{plane_at, sines};
use expnet::kernel::{Predictor, limit_kernel};
use expnet::{Candidate, Dataset, ExpRegressor, KernelRegressor, Scaling, Selection};
use nalgebra::{DMatrix, DVector};
use serde_json::json;

/// The mean squared error of fits to all samples but one.
fn leave_one_out(scaled: &Dataset<f64>, lambda: f64) -> f64 {
    let kernel = limit_kernel(scaled.points(), 1.0).unwrap();
    let n = scaled.samples();
    let inverse = (kernel + DMatrix::identity(n, n) * lambda)
        .cholesky()
        .unwrap()
        .inverse();
    let dual = &inverse * scaled.labels();
    dual.component_div(&inverse.diagonal()).norm_squared() / n as f64
}

/// The data of every candidate with equal length scales.
fn scaled_with(beta: f64, data: &Dataset<f64>) -> Dataset<f64> {
    Scaling::options().beta(beta).fit(data).unwrap().apply(data).unwrap()
}

#[test]
fn errors_are_those_of_leave_one_out() {
    let data = noisy::<f64>(60);
    let model = KernelRegressor::fit(&data).unwrap();
    let scaled = model.scaling().apply(&data).unwrap();
    let selection = model.selection();
    let chosen = selection.chosen().unwrap();
    assert!(chosen.round() > 0 && selection.candidates().len() > 3);
    let equal = selection.candidates().iter().filter(|candidate| candidate.round() == 0);
    let equal = equal.map(|candidate| (*candidate, scaled_with(candidate.beta(), &data)));
    for (candidate, scaled) in equal.chain([(chosen, scaled.clone())]) {
        let expected = leave_one_out(&scaled, candidate.lambda());
        assert!(
            (candidate.mean_square() / expected - 1.0).abs() < 1e-8,
            "{candidate:?} {expected}"
        );
        for factor in [0.5, 0.8, 1.25, 2.0] {
            let other = leave_one_out(&scaled, factor * candidate.lambda());
            assert!(other > 0.995 * expected, "{candidate:?}: {factor} {other}");
        }
    }
    // The ridge of the final fit is sought with more care.
    let error = |factor: f64| leave_one_out(&scaled, factor * selection.lambda());
    assert!(
        [0.5, 0.8, 1.25, 2.0]
            .iter()
            .all(|&factor| error(factor) > 0.999 * error(1.0))
    );
}

#[test]
fn the_final_ridge_is_chosen_on_all_samples() {
    let data = noisy::<f64>(500);
    let options = KernelRegressor::options()
        .length_scales(false)
        .scaling(Scaling::options().beta(1.0));
    let model = options.fit(&data).unwrap();
    let (chosen, lambda) = (model.selection().chosen().unwrap(), model.selection().lambda());
    assert_eq!(model.selection().compared(), 300 + 500 / 4);
    assert_ne!(lambda, chosen.lambda());
    let scaled = scaled_with(1.0, &data);
    let [best, other] = [lambda, chosen.lambda()].map(|lambda| leave_one_out(&scaled, lambda));
    assert!(best < other, "{best} {other}");
    assert_ne!(chosen.mean_square(), other, "of a part");
    let few = options.fit(&noisy::<f64>(400)).unwrap();
    assert_eq!(few.selection().compared(), 400);
}

/// The betas that were tried with equal length scales, and the largest round.
fn tried(selection: &Selection) -> (Vec<f64>, usize) {
    let all = selection.candidates();
    let equal = all.iter().filter(|candidate| candidate.round() == 0);
    let rounds = all.iter().map(Candidate::round);
    (equal.map(Candidate::beta).collect(), rounds.max().unwrap())
}

/// Betas, and then rounds of length scales, each until the error rises; each from the best so far.
#[test]
fn the_search_goes_on_while_the_error_falls() {
    let problems = [noisy::<f64>(90), plane_at(60), sines(80, 3), noisy(40), sines(50, 2)];
    let mut ways = Vec::new();
    for data in &problems {
        let model = KernelRegressor::fit(data).unwrap();
        let selection = model.selection();
        let (betas, rounds) = tried(selection);
        assert!([1.0, 2.0, 4.0].starts_with(&betas), "{selection}");
        let all = selection.candidates();
        let (equal, learnt) = all.split_at(betas.len());
        assert!(learnt.iter().map(Candidate::round).eq(1..=rounds));
        let mut best = equal[0];
        for (stage, last) in [(&equal[1..], betas.len() == 3), (learnt, rounds == 4)] {
            for (i, candidate) in stage.iter().enumerate() {
                let falls = candidate.mean_square() < best.mean_square();
                assert_eq!(falls, i + 1 < stage.len() || (last && falls), "{selection}");
                assert!(candidate.round() == 0 || candidate.beta() == best.beta(), "{selection}");
                best = if falls { *candidate } else { best };
            }
        }
        assert_eq!(selection.chosen(), Some(best), "{selection}");
        assert_eq!(model.scaling().settings(), Scaling::options().beta(best.beta()));
        ways.push((betas.len(), best.round() > 1));
    }
    for way in [(2, true), (3, false), (3, true)] {
        assert!(ways.contains(&way), "{way:?} is not in {ways:?}");
    }
}

#[test]
fn what_is_given_is_not_chosen() {
    let data = noisy::<f64>(50);
    let choose = |scaling, length_scales| {
        let options = KernelRegressor::options().scaling(scaling).length_scales(length_scales);
        options.fit(&data).unwrap().selection().clone()
    };
    let all = Scaling::options();
    let given = choose(all.beta(3.0), true);
    assert!(given.candidates().len() > 1);
    assert!(given.candidates().iter().all(|candidate| candidate.beta() == 3.0));
    assert_eq!(tried(&choose(all, false)).1, 0);
    assert_eq!(tried(&choose(all.bias(false), false)), (vec![1.0], 0));
    assert!(tried(&choose(all.bias(false), true)).1 > 0);
    let model = KernelRegressor::options().lambda(0.3).fit(&data).unwrap();
    assert_eq!(model.selection().lambda(), 0.3);
    assert!(
        model
            .selection()
            .candidates()
            .iter()
            .all(|candidate| candidate.lambda() == 0.3)
    );

    // A length scale means nothing to one column alone, nor beta to none.
    let one = Dataset::new(data.points().rows(0, 1).into_owned(), data.labels().clone()).unwrap();
    let model = KernelRegressor::fit(&one).unwrap();
    assert_eq!((tried(model.selection()).1, model.scaling().lengths()), (0, &[1.0][..]));
    let none = Dataset::new(DMatrix::repeat(1, 50, 7.0), data.labels().clone()).unwrap();
    let model = KernelRegressor::fit(&none).unwrap();
    assert_eq!(tried(model.selection()), (vec![1.0], 0));
    assert_eq!(model.problems(), ["coordinate 0 (from 0) is constant and was left out"]);
}

/// Another beta, and other length scales, fit it no better.
#[test]
fn a_constant_is_fitted_with_the_first_settings() {
    let data = plane_at::<f64>(30);
    let data = Dataset::new(data.points().clone(), DVector::repeat(30, 5.0)).unwrap();
    let model = KernelRegressor::fit(&data).unwrap();
    assert_eq!(tried(model.selection()), (vec![1.0, 2.0], 0));
    let chosen = model.selection().chosen().unwrap();
    assert_eq!((chosen.beta(), chosen.mean_square()), (1.0, 0.0));
    assert_eq!(model.predict(&data).unwrap(), *data.labels());
}

/// Inverse lengths have a mean square of 1, and a column fades out but so far.
#[test]
fn length_scales_are_bounded() {
    // Without noise, the second column fades out by far.
    let noisy = noisy::<f64>(90);
    let clean = noisy.points().row(0).map(|x| (2.0 * x).sin()).transpose();
    let clean = Dataset::new(noisy.points().clone(), clean).unwrap();
    for (data, extreme) in [(clean, true), (noisy, false)] {
        let model = KernelRegressor::fit(&data).unwrap();
        let lengths = DVector::from_column_slice(model.scaling().lengths());
        let mean_square = lengths.map(|length| 1.0 / (length * length)).mean();
        assert!((mean_square - 1.0).abs() < 1e-12, "{lengths}");
        let ratio = lengths[1] / lengths[0];
        assert_eq!((ratio / 1e4 - 1.0).abs() < 1e-12, extreme, "{lengths}");
    }
}

#[test]
fn validation_errors_are_those_of_ridge_regression() {
    let (train, validation) = noisy::<f64>(100).split(0.7, 3).unwrap();
    let options = ExpRegressor::options().width(16).max_steps(0);
    let model = options.on(&train).validation(&validation).fit().unwrap();
    let problems = model.report().problems();
    assert!(problems.is_empty(), "no step is what was asked for: {problems:?}");
    let selection = model.selection();
    assert!(selection.to_string().starts_with("validation errors"));
    let equal = selection.candidates().iter().filter(|candidate| candidate.round() == 0);
    for candidate in equal {
        let scaling = Scaling::options().beta(candidate.beta()).fit(&train).unwrap();
        let [train, validation] = [&train, &validation].map(|data| scaling.apply(data).unwrap());
        let fit = Predictor::new(&train, 1.0).unwrap().ridge(candidate.lambda()).unwrap();
        let missed = fit.predict(validation.points()).unwrap() - validation.labels();
        let expected = missed.norm_squared() / 30.0;
        assert!(
            (candidate.mean_square() / expected - 1.0).abs() < 1e-8,
            "{candidate:?} {expected}"
        );
    }
}

#[test]
fn the_table_says_what_was_tried() {
    let candidate = |beta: f64, round: usize, lambda: f64, mean_square: f64| json!({"beta": beta, "round": round, "lambda": lambda, "mean_square": mean_square});
    let json = json!({
        "candidates": [candidate(1.0, 0, 0.5, 0.25), candidate(2.5, 0, 1e-3, 0.0625), candidate(2.5, 1, 7.25, 1.21)],
        "chosen": 1, "samples": 70, "part": 50, "validated": false, "lambda": 0.0125,
    });
    let selection: Selection = serde_json::from_value(json.clone()).unwrap();
    let expected = "\
leave-one-out errors of kernel ridge regression on 50 of 70 samples
   beta  length scales     lambda  RMSE/std       R²
      1  equal            5.00e-1    0.5000   0.7500
*   2.5  equal            1.00e-3    0.2500   0.9375
    2.5  round 1           7.25e0    1.1000  -0.2100
final fit with lambda 1.25e-2";
    assert_eq!(selection.to_string(), expected);
    assert_eq!((selection.compared(), selection.lambda()), (50, 0.0125));
    assert_eq!(selection.chosen(), Some(selection.candidates()[1]));
    let last = selection.candidates()[2];
    assert_eq!(
        (last.beta(), last.round(), last.lambda(), last.mean_square()),
        (2.5, 1, 7.25, 1.21)
    );
    assert_eq!(serde_json::to_value(&selection).unwrap(), json);
}

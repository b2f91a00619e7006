//! Weights that are none, and what is not defined with weights.

use super::problem;
use crate::support::problems::{data, net};
use crate::support::{Folder, refused};
use expnet::certificate::{self, NarrowestSearch};
use expnet::kernel::Predictor;
use expnet::metrics::{mae_weighted, r2_weighted, rmse_weighted};
use expnet::schedule::{Certified, Schedule};
use expnet::{Dataset, Float, Initializer, Trainer};
use nalgebra::{DVector, dmatrix, dvector};

fn with<T: Float>(weights: &[f64]) -> Result<Dataset<T>, expnet::Error> {
    let weights = weights.iter().map(|&s| T::lit(s)).collect::<Vec<_>>();
    data(3, 2, 1).with_weights(weights.into())
}

fn hostile<T: Float>() {
    for (value, word) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        refused(
            with::<T>(&[1.0, value, 1.0]),
            &["sample weight", word, "sample 1", "or 0 to leave the sample out"],
        );
    }
    for value in [-1.0, -1e-30, -1e30] {
        let words = [
            "Dataset::with_weights",
            "at sample 2",
            "at least 0",
            "0 to leave a sample out",
        ];
        refused(with::<T>(&[1.0, 0.0, value]), &words);
    }
    refused(
        with::<T>(&[1.0, 2.0]),
        &["weights", "expected 3", "found 2", "one weight per sample"],
    );
    refused(with::<T>(&[1.0; 4]), &["expected 3", "found 4"]);
    refused(with::<T>(&[]), &["expected 3", "found 0"]);
    for zero in [0.0, -0.0] {
        refused(with::<T>(&[zero; 3]), &["0 at all 3 samples", "above 0"]);
    }
    // The sign of a zero is no difference between two runs.
    let data = with::<T>(&[-0.0, 1.0, 0.0]).unwrap();
    assert!(data.weights().unwrap().iter().all(|s| s.as_f64().is_sign_positive()));
}

#[test]
fn hostile_weights_in_f64() {
    hostile::<f64>();
}

#[test]
fn hostile_weights_in_f32() {
    hostile::<f32>();
}

/// Valid numbers, with which the loss is out of range: refused by name before the first step, or harmless.
#[test]
fn a_loss_out_of_range_is_blamed_on_the_weights() {
    let fit = |scale: f64| {
        let data = data::<f64>(6, 3, 1)
            .with_weights(DVector::from_element(6, scale))
            .unwrap();
        let start = Initializer::new(3, 200)
            .std_dev(0.5)
            .antisymmetric(true)
            .build()
            .unwrap();
        let mut trained = start.clone();
        let result = Trainer::default().max_steps(5).fit(&mut trained, &data);
        assert!(result.is_ok() || trained == start);
        result
    };
    let words = [
        "largest weight of `Dataset::with_weights`",
        "divide all weights by the largest",
    ];
    for scale in [1.7e308, 1e308] {
        refused(
            fit(scale),
            &[words[0], words[1], "so large that the loss overflows in f64"],
        );
    }
    refused(
        fit(5e-324),
        &[words[0], words[1], "so small that the loss vanishes in f64"],
    );
    for scale in [1e200, 1e150, 1e-200] {
        let report = fit(scale).unwrap();
        assert!(report.loss() < report.initial_loss(), "{report}");
    }
    let single = data::<f32>(6, 3, 1)
        .with_weights(DVector::from_element(6, 3e38))
        .unwrap();
    refused(
        Trainer::default().fit(&mut net::<f32>(3, 20, 1), &single),
        &[words[0], "overflows in f32"],
    );
    let single = data::<f32>(6, 3, 1)
        .with_weights(DVector::from_element(6, 1e-45))
        .unwrap();
    refused(
        Trainer::default().fit(&mut net::<f32>(3, 20, 1), &single),
        &[words[0], "vanishes in f32"],
    );
}

#[test]
fn large_labels_are_not_blamed_on_the_weights() {
    let data = Dataset::from_rows(&[[1.0], [0.5]], &[1e200, 1.0]).unwrap();
    let data = data.with_weights(dvector![1.0, 1.0]).unwrap();
    refused(
        Trainer::default().fit(&mut net::<f64>(1, 4, 1), &data),
        &["the labels reach 1.000e200"],
    );
}

#[test]
fn weights_beyond_the_kernel_are_refused() {
    let data = Dataset::from_rows(&[[1.0], [20.0]], &[1.0, 2.0])
        .unwrap()
        .with_weights(dvector![1.0, 1e300])
        .unwrap();
    let words = ["a weight of `Dataset::with_weights`", "sample 1", "divide all weights"];
    refused(Predictor::new(&data, 0.2), &words);

    // In range by itself, but not for the labels minus initial outputs.
    let data = data.with_weights(dvector![1.0, 1e200]).unwrap();
    let predictor = Predictor::new(&data, 0.2).unwrap();
    refused(predictor.initial_outputs(&dvector![0.0, 1e300]), &words);
}

#[test]
fn a_part_without_weight_is_refused() {
    let data = with::<f64>(&[0.0, 0.0, 1.0]).unwrap();
    let words = ["0 at all 2 samples of a part", "above 0"];
    refused(data.select(&[1, 0]), &words);
    refused(data.k_fold(3, 0), &["of a part of the data"]);
    let tiny = data.without_weights().with_weights(dvector![1e-60, 0.0, 0.0]).unwrap();
    refused(tiny.cast::<f32>(), &["0 at all 3 samples"]);
    let large = tiny.without_weights().with_weights(dvector![1.0, 0.0, 1e60]).unwrap();
    refused(large.cast::<f32>(), &["sample weight", "inf", "sample 2"]);
}

#[test]
fn certificates_are_refused_by_name() {
    let plain = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5]).unwrap();
    let data = plain.clone().with_weights(dvector![1.0, 2.0]).unwrap();
    let net = Initializer::new(2, 512)
        .antisymmetric(true)
        .seed(3)
        .build::<f64>()
        .unwrap();
    let words = ["sample weights", "without_weights"];
    refused(
        certificate::certify(&net, &data),
        &["`certificate::certify`", words[0], words[1]],
    );
    refused(
        certificate::sufficient_width(&data, 0.5, 0.1),
        &["`certificate::sufficient_width`", words[0], words[1]],
    );
    refused(
        NarrowestSearch::default().search(&data),
        &["`NarrowestSearch`", words[0], words[1]],
    );
    let proved = certificate::certify(&net, &plain).unwrap();
    let certified = || Certified::new(&proved).unwrap();
    let schedules: [Box<dyn Schedule<f64>>; 2] = [Box::new(certified()), Box::new(certified().warmup(3))];
    for schedule in schedules {
        let mut trained = net.clone();
        refused(
            Trainer::new(schedule).fit(&mut trained, &data),
            &["`Certified`", words[0], "`KernelStable`"],
        );
        assert_eq!(trained, net);
    }
    assert!(
        Trainer::new(certified())
            .max_steps(2)
            .fit(&mut net.clone(), &plain)
            .is_ok()
    );
}

#[test]
fn metrics_refuse_the_same_weights() {
    let (labels, predictions) = (dvector![1.0, 2.0], dvector![1.5, 2.5]);
    for metric in [r2_weighted, rmse_weighted, mae_weighted] {
        let with = |weights: DVector<f64>| metric(&labels, &predictions, Some(&weights));
        refused(with(dvector![1.0]), &["sample weights", "expected 2", "found 1"]);
        refused(with(dvector![1.0, f64::NAN]), &["NaN", "sample 1"]);
        refused(with(dvector![1.0, -1.0]), &["-1.0 at sample 1"]);
        refused(with(dvector![0.0, 0.0]), &["0 at all 2 samples"]);
    }
    refused(
        r2_weighted(&labels, &predictions, Some(&dvector![1.0, 0.0])),
        &["constant", "R²"],
    );
}

#[test]
fn a_run_is_not_resumed_with_other_weights() {
    let folder = Folder::new("weights");
    let path = folder.join("run");
    let (data, _, start) = problem::<f64>(3, 40);
    let others = [
        data.clone().without_weights(),
        data.clone().with_weights(data.weights().unwrap() * 2.0).unwrap(),
    ];
    let fit = |data: &Dataset<f64>, steps: usize, validation: &Dataset<f64>, resume: bool| {
        let trainer = Trainer::new(1e-4).max_steps(steps).validation(validation, 100);
        let trainer = if resume {
            trainer.resume(&path)
        } else {
            trainer.checkpoint(&path, 1)
        };
        trainer.fit(&mut start.clone(), data)
    };
    fit(&data, 3, &data, false).unwrap();
    fit(&data, 5, &data, true).unwrap();
    let words = "`fingerprint of the sample weights` of ";
    for other in &others {
        refused(fit(other, 5, &data, true), &[words, "`data set`"]);
        refused(fit(&data, 5, other, true), &[words, "`validation data`"]);
    }
    refused(fit(&others[0], 5, &data, true), &["\"none\" here"]);
    fit(&others[0], 3, &others[0], false).unwrap();
    refused(fit(&data, 5, &others[0], true), &[words, "\"none\" in the record"]);
}

#[test]
fn points_that_overflow_are_an_error_at_weight_0_too() {
    let points = dmatrix![0.5, 1e6];
    let data = Dataset::new(points, dvector![1.0, 1.0])
        .unwrap()
        .with_weights(dvector![1.0, 0.0])
        .unwrap();
    refused(
        Trainer::default().fit(&mut net::<f64>(1, 8, 1), &data),
        &["sample 1", "Scaling"],
    );
}

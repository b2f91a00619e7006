//! Passes by expansion, which cost n + m instead of n m, against direct ones.

use crate::resume::methods::methods;
use crate::resume::schedules::schedules;
use crate::support::on_threads;
use crate::support::problems::{data, net, sines};
use crate::support::refused;
use expnet::schedule::{Backtracking, KernelStable};
use expnet::{Dataset, ExpNetwork, FitReport, Float, Initializer, Pass, Trainer, check};
use nalgebra::{DMatrix, DVector};

fn start<T: Float>(d: usize) -> ExpNetwork<T> {
    Initializer::new(d, 150).std_dev(0.5).seed(3).build().unwrap()
}

/// The same run by both kinds of passes.
fn both<'a, T: Float>(
    trainer: impl Fn() -> Trainer<'a, T>,
    net: &ExpNetwork<T>,
    data: &Dataset<T>,
) -> [(ExpNetwork<T>, FitReport<T>); 2] {
    [Pass::Direct, Pass::Expansion].map(|pass| {
        let mut net = net.clone();
        let report = trainer().pass(pass).fit(&mut net, data).unwrap();
        (net, report)
    })
}

/// Runs of nine steps agree to rounding, whose part of the loss differs between f32 and f64.
fn assert_alike<'a, T: Float>(name: &str, trainer: impl Fn() -> Trainer<'a, T>, d: usize) {
    let (data, net) = (sines(30, d), start(d));
    let tolerance = if T::NAME == "f64" { 1e-9 } else { 2e-3 };
    let [(direct, by_pairs), (expanded, by_monomials)] = both(|| trainer().max_steps(9), &net, &data);
    assert_eq!(by_pairs.expanded_passes(), 0, "{name}");
    assert!(by_monomials.expanded_passes() > 9, "{name}: {by_monomials}");
    assert_eq!(by_pairs.steps(), by_monomials.steps(), "{name}");
    let (a, b) = (by_pairs.loss().as_f64(), by_monomials.loss().as_f64());
    assert!((a - b).abs() <= tolerance * (a + 1e-3), "{name}, d = {d}: {a:e} {b:e}");
    let apart = (direct.weights() - expanded.weights()).map(Float::as_f64).amax();
    assert!(apart <= tolerance, "{name}, d = {d}: {apart:e}");
}

fn every_schedule<T: Float>() {
    for (name, make) in schedules::<T>() {
        for d in 1..=4 {
            assert_alike(name, || Trainer::new(make()), d);
        }
    }
}

#[test]
fn every_schedule_takes_the_same_steps_in_f64() {
    every_schedule::<f64>();
}

#[test]
fn every_schedule_takes_the_same_steps_in_f32() {
    every_schedule::<f32>();
}

fn every_method<T: Float>() {
    for (name, make) in methods::<T>() {
        // G in f32 is singular to rounding with so many samples in so few coordinates.
        if T::NAME == "f32" && name.contains("GaussNewton") && !name.contains("ridge") {
            continue;
        }
        let size = if name.contains("GaussNewton") { 0.5 } else { 2e-3 };
        for d in [2, 3] {
            let validation = sines(7, d);
            assert_alike(
                name,
                || Trainer::new(size).method(make()).validation(&validation, 50),
                d,
            );
        }
    }
}

#[test]
fn every_method_takes_the_same_steps_in_f64() {
    every_method::<f64>();
}

#[test]
fn every_method_takes_the_same_steps_in_f32() {
    every_method::<f32>();
}

#[test]
fn sample_weights_and_reduced_coordinates_count_as_in_direct_passes() {
    // Points of 30 coordinates in a plane, and validation points that leave it.
    let plane = DMatrix::from_fn(30, 2, |k, j| ((1 + k + 7 * j) as f64).sin() / 5.0);
    let flat = sines::<f64>(40, 2);
    let weights = DVector::from_fn(40, |i, _| 0.5 + (i % 3) as f64);
    let data = Dataset::new(&plane * flat.points(), flat.labels().clone()).unwrap();
    let data = data.with_weights(weights).unwrap();
    let beyond = DMatrix::from_fn(30, 1, |k, _| ((2 + 3 * k) as f64).cos() / 5.0);
    let mut outside = &plane * sines::<f64>(6, 2).points();
    outside.column_iter_mut().for_each(|mut x| x += &beyond);
    let validation = Dataset::new(outside, DVector::from_element(6, 0.3)).unwrap();
    let trainer = || {
        Trainer::new(KernelStable::default())
            .validation(&validation, 50)
            .max_steps(12)
    };
    let [(direct, by_pairs), (expanded, by_monomials)] = both(trainer, &start(30), &data);
    assert_eq!(by_monomials.expanded_passes(), by_monomials.passes());
    assert!((direct.weights() - expanded.weights()).amax() < 1e-10);
    assert!((by_pairs.loss() - by_monomials.loss()).abs() < 1e-10 * by_pairs.loss());
    let [a, b] = [by_pairs, by_monomials].map(|report| report.validation_loss().unwrap());
    assert!((a - b).abs() < 1e-10 * a, "{a:e} {b:e}");
}

#[test]
fn large_problems_are_expanded_without_being_asked() {
    let (data, start) = (data::<f64>(2000, 2, 3), net::<f64>(2, 3000, 3));
    let run = |pass, threads| {
        let mut net = start.clone();
        let report = on_threads(threads, || {
            let trainer = Trainer::new(KernelStable::default()).pass(pass).max_steps(5);
            trainer.fit(&mut net, &data).unwrap()
        });
        (net, report)
    };
    let (net, report) = run(Pass::Auto, 1);
    assert_eq!(report.expanded_passes(), report.passes());
    assert!(report.to_string().contains("of them by expansion (degree"), "{report}");
    for threads in [2, 3] {
        let (other, others) = run(Pass::Auto, threads);
        assert_eq!((&net, report.loss()), (&other, others.loss()), "{threads} threads");
    }
    let (_, direct) = run(Pass::Direct, 2);
    assert!((direct.loss() - report.loss()).abs() < 1e-10 * direct.loss());
    // Small ones are not.
    let small = Trainer::new(1e-3)
        .max_steps(2)
        .fit(&mut self::start::<f64>(2), &sines(12, 2))
        .unwrap();
    assert_eq!(small.expanded_passes(), 0);
}

/// Line searches that try steps beyond the reach of an expansion, weights that grow out of it, and some that start there.
#[test]
fn runs_resume_where_they_change_the_kind_of_pass() {
    let data = sines::<f64>(25, 2);
    let far = Dataset::new(data.points().clone(), data.labels() * 3e3).unwrap();
    let mut kinds = Vec::new();
    for std_dev in [0.8, 1.6, 2.0, 3.0] {
        let net = Initializer::new(2, 100)
            .std_dev(std_dev)
            .seed(3)
            .build::<f64>()
            .unwrap();
        let trainer = || Trainer::new(Backtracking::default().initial(1e-6)).pass(Pass::Expansion);
        let report = check::resume(trainer, &net, &far, 12).unwrap();
        assert!(report.agrees(), "{std_dev}: {report}");
        let report = trainer().max_steps(12).fit(&mut net.clone(), &far).unwrap();
        kinds.push((report.expanded_passes(), report.passes()));
    }
    let mixed = |(expanded, all): &(usize, usize)| *expanded > 0 && expanded < all;
    assert!(kinds.iter().any(mixed), "{kinds:?}");
    assert!(kinds[0].0 == kinds[0].1 && kinds[3].0 == 0, "{kinds:?}");
}

#[test]
fn an_expansion_in_five_coordinates_is_refused() {
    let data = data::<f64>(20, 5, 3);
    let asked = Trainer::new(1e-3).pass(Pass::Expansion).fit(&mut net(5, 20, 3), &data);
    refused(
        asked,
        &[
            "`Trainer::pass`",
            "more than four dimensions",
            "`Pass::Auto` or `Pass::Direct`",
        ],
    );
}

//! Integers and floats at the ends of their ranges.

use super::scaled;
use crate::support::{cases, refused};
use expnet::kernel::{ConjugateGradient, Predictor, Solver};
use expnet::schedule::{
    Constant, Cosine, Cyclic, ExponentialDecay, InverseTime, OneCycle, Polynomial, Schedule, StepDecay,
};
use expnet::{Dataset, Initializer, Trainer};
use proptest::prelude::*;

#[test]
fn a08_integers_at_the_end_of_their_range() {
    let wave = Cyclic::new(0.0, 1.0, 1).unwrap().down(usize::MAX);
    for step in [0, 1, 2, usize::MAX] {
        assert!((0.0..=1.0).contains(&wave.at(step)), "{step}");
    }
    let data = scaled::<f64>(10);
    let twice = Constant::new(1e-3).unwrap().warmup(usize::MAX).warmup(usize::MAX);
    let mut net = super::net(data.dimension(), 16);
    assert!(Trainer::new(twice).max_steps(3).fit(&mut net, &data).is_ok());
    let then = Constant::new(1e-3)
        .unwrap()
        .then(usize::MAX, 1e-4)
        .warmup(usize::MAX)
        .then(usize::MAX, 1e-3);
    assert!(Trainer::new(then).max_steps(3).fit(&mut net, &data).is_ok());
}

/// Small, large and largest.
fn integer() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0),
        Just(1),
        2..100_usize,
        Just(usize::MAX / 2),
        Just(usize::MAX - 1),
        Just(usize::MAX)
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        Just(1e-300),
        1e-6..10.0_f64,
        Just(1.0),
        Just(1e308),
        Just(f64::INFINITY),
        Just(f64::NAN),
        Just(-1.0)
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a08_every_schedule_is_finite_or_refused(
        (a, b) in (float(), float()), k in integer(), l in integer(), step in integer(), restarts in any::<bool>()
    ) {
        let sizes = [
            InverseTime::new(a, b).map(|s| s.steps(k.max(1)).at(step)),
            StepDecay::new(a, b.min(1.0), k).map(|s| s.at(step)),
            ExponentialDecay::new(a, b.min(1.0), k).map(|s| s.begin(l).at(step)),
            Polynomial::new(a, b, k).map(|s| s.begin(l).at(step)),
            Cosine::new(a, k).map(|s| if restarts { s.restarts(l) } else { s }.at(step)),
            OneCycle::new(a, k).map(|s| s.at(step)),
            Cyclic::new(a, b, k).map(|s| s.down(l).at(step)),
            Cyclic::new(a, b, k).map(|s| s.halving().at(step)),
            Cyclic::new(a, b, k).map(|s| s.decay(0.99).at(step)),
        ];
        for (i, size) in sizes.into_iter().enumerate() {
            if let Ok(size) = size {
                prop_assert!(size.is_finite() && size >= 0.0, "schedule {i}: {size}");
            }
        }
    }
}

#[test]
fn a09_conjugate_gradients_do_not_depend_on_the_size_of_the_labels() {
    let data = scaled::<f64>(30);
    let solver = Solver::ConjugateGradient(ConjugateGradient::default());
    let predict = |factor: f64| {
        let labels = data.labels() * factor;
        let scaled = Dataset::new(data.points().clone(), labels).unwrap();
        let predictor = Predictor::new(&scaled, 0.5).unwrap().solver(solver);
        let fit = predictor.ridge(1e-2).unwrap();
        fit.predict(data.points()).unwrap() / factor
    };
    let expected = predict(1.0);
    for factor in [1e170, 1e-170, 1e-300, 1e300] {
        approx::assert_relative_eq!(predict(factor), expected, epsilon = 1e-10);
    }
}

#[test]
fn a09_labels_whose_squares_vanish_are_refused() {
    let data = scaled::<f64>(20);
    let labels = data.labels() * 1e-200;
    let data = Dataset::new(data.points().clone(), labels).unwrap();
    let mut net = super::net::<f64>(data.dimension(), 16);
    refused(Trainer::default().fit(&mut net, &data), &["labels", "f64", "`Scaling`"]);
    let labels = scaled::<f32>(20).labels() * 1e-25;
    let data = Dataset::new(scaled::<f32>(20).points().clone(), labels).unwrap();
    let mut net = super::net::<f32>(data.dimension(), 16);
    refused(Trainer::default().fit(&mut net, &data), &["labels", "f32", "`Scaling`"]);
}

#[test]
fn a09_a_step_size_that_vanishes_in_f32_is_refused() {
    let data = scaled::<f32>(20);
    let mut net = Initializer::new(data.dimension(), 16)
        .antisymmetric(true)
        .build::<f32>()
        .unwrap();
    refused(Trainer::new(1e-50).fit(&mut net, &data), &["1e-50", "f32"]);
    refused(
        Trainer::new(Constant::new(1e-50).unwrap()).fit(&mut net, &data),
        &["1e-50", "f32"],
    );
    refused(Trainer::new(1e50).fit(&mut net, &data), &["1e50", "f32"]);
}

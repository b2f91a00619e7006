//! `Initializer`: the random network of a seed.

use crate::support::cases;
use crate::support::problems::{data, shapes};
use expnet::{ExpNetwork, Float, Initializer};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

fn build<T: Float>(recipe: Initializer) -> ExpNetwork<T> {
    recipe.build().unwrap()
}

fn widened<T: Float>() {
    for antisymmetric in [false, true] {
        let recipe = |width| Initializer::new(5, width).seed(9).antisymmetric(antisymmetric);
        let (narrow, wide) = (build::<T>(recipe(64)), build::<T>(recipe(128)));
        assert_eq!(wide.weights().columns(0, 64), narrow.weights().columns(0, 64));
        assert_eq!(wide.output_weights().rows(0, 64), narrow.output_weights().rows(0, 64));
    }
}

#[test]
fn widening_keeps_neurons_f64() {
    widened::<f64>();
}

#[test]
fn widening_keeps_neurons_f32() {
    widened::<f32>();
}

#[test]
fn shards_make_the_whole() {
    for antisymmetric in [false, true] {
        let recipe = |width| Initializer::new(3, width).seed(4).antisymmetric(antisymmetric);
        let whole = build::<f64>(recipe(20));
        for (first, width) in [(0, 6), (6, 10), (16, 4)] {
            let part = build::<f64>(recipe(width).first_neuron(first));
            assert_eq!(part.weights(), &whole.weights().columns(first, width));
            assert_eq!(part.output_weights(), &whole.output_weights().rows(first, width));
        }
    }
}

#[test]
fn pairs_cancel_exactly() {
    let net = build::<f64>(Initializer::new(3, 10).antisymmetric(true).output_scale(0.3).seed(2));
    let single = build::<f64>(Initializer::new(3, 5).seed(2));
    for p in 0..5 {
        assert_eq!(net.weights().column(2 * p), net.weights().column(2 * p + 1));
        assert_eq!(net.weights().column(2 * p), single.weights().column(p));
        assert_eq!(
            (net.output_weights()[2 * p], net.output_weights()[2 * p + 1]),
            (0.3, -0.3)
        );
    }
    let points = DMatrix::from_fn(3, 7, |k, i| ((3 * i + k) as f64).sin());
    assert!(net.forward(&points).unwrap().iter().all(|&f| f == 0.0));
}

#[test]
fn an_f32_network_is_the_rounded_f64_network() {
    let recipe = Initializer::new(4, 100).std_dev(0.3).output_scale(0.1).seed(11);
    let (single, double) = (build::<f32>(recipe), build::<f64>(recipe));
    assert_eq!(single.weights(), &double.weights().map(f32::lit));
    assert_eq!(single.output_weights(), &double.output_weights().map(f32::lit));
}

#[test]
fn settings_scale_the_same_draws() {
    let plain = build::<f64>(Initializer::new(2, 50).seed(3));
    let scaled = build::<f64>(Initializer::new(2, 50).seed(3).std_dev(0.25).output_scale(2.0));
    assert_eq!(scaled.weights(), &(plain.weights() * 0.25));
    assert_eq!(scaled.output_weights(), &(plain.output_weights() * 2.0));
    let zero = build::<f64>(Initializer::new(2, 50).std_dev(0.0));
    assert!(zero.weights().iter().all(|&w| w == 0.0));
    let other = build::<f64>(Initializer::new(2, 50).seed(4));
    assert_ne!(other.weights(), plain.weights());
    assert_eq!(
        build::<f64>(Initializer::new(2, 50)),
        build(Initializer::new(2, 50).seed(0))
    );
}

#[test]
fn draws_have_the_moments_of_their_law() {
    let net = build::<f64>(Initializer::new(4, 25_000).std_dev(0.5).seed(1));
    let n = 1e5;
    let mean = net.weights().iter().sum::<f64>() / n;
    let variance = net.weights().iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n;
    assert!(mean.abs() < 5.0 * 0.5 / n.sqrt(), "mean {mean}");
    assert!(
        (variance / 0.25 - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
        "variance {variance}"
    );
    let signs = net.output_weights().iter().sum::<f64>();
    assert!(signs.abs() < 5.0 * 25_000_f64.sqrt(), "sum of signs {signs}");
    assert!(net.output_weights().iter().all(|a| [1.0, -1.0].contains(a)));
}

#[test]
fn networks_from_a_generator_follow_its_state() {
    let draw = |rng: &mut StdRng| ExpNetwork::<f64>::gaussian(3, 8, rng).unwrap();
    let (mut one, mut two) = (StdRng::seed_from_u64(7), StdRng::seed_from_u64(7));
    let first = draw(&mut one);
    assert_eq!(first.weights(), draw(&mut two).weights());
    assert_ne!(first.weights(), draw(&mut one).weights());
    let pairs = ExpNetwork::<f64>::antisymmetric(3, 8, &mut two).unwrap();
    assert_eq!(pairs.weights().column(6), pairs.weights().column(7));
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn antisymmetric_start_is_exactly_zero((n, d, m, seed) in shapes(), std_dev in 0.01..3.0_f64) {
        fn outputs<T: Float>(n: usize, d: usize, width: usize, std_dev: f64, seed: u64) -> DVector<T> {
            let start = Initializer::new(d, width).std_dev(std_dev).antisymmetric(true).seed(seed);
            let net: ExpNetwork<T> = start.build().unwrap();
            net.forward(data::<T>(n, d, seed).points()).unwrap()
        }
        // Widths 2 to 80: most are odd numbers of pairs, and no multiple of a lane count.
        prop_assert!(outputs::<f64>(n, d, 2 * m, std_dev, seed).iter().all(|f| *f == 0.0));
        prop_assert!(outputs::<f32>(n, d, 2 * m, std_dev, seed).iter().all(|f| *f == 0.0));
    }

    #[test]
    fn widening_keeps_neurons((_, d, m, seed) in shapes(), more in 1..40_usize) {
        for antisymmetric in [false, true] {
            let of = |width: usize| {
                let start = Initializer::new(d, 2 * width).antisymmetric(antisymmetric).seed(seed);
                start.build::<f64>().unwrap()
            };
            let (narrow, wide) = (of(m), of(m + more));
            prop_assert_eq!(narrow.weights(), &wide.weights().columns(0, 2 * m));
            prop_assert_eq!(narrow.output_weights(), &wide.output_weights().rows(0, 2 * m));
        }
    }
}

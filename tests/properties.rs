//! What holds for every network and every data set.

use approx::assert_relative_eq;
use expnet::{Dataset, ExpNetwork, Float, Initializer, Trainer, check};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// A problem of any small shape, weights and points of size about 1.
fn problem() -> impl Strategy<Value = (ExpNetwork<f64>, Dataset<f64>)> {
    (1usize..40, 1usize..12, 1usize..40).prop_flat_map(|(n, d, m)| {
        let entries = |len| prop::collection::vec(-1.0..1.0_f64, len);
        let signs = prop::collection::vec(prop::bool::ANY, m);
        (entries(n * d), entries(n), entries(m * d), signs).prop_map(move |(x, y, w, a)| {
            let scale = 1.0 / (d as f64).sqrt();
            let data = Dataset::new(DMatrix::from_vec(d, n, x) * scale, DVector::from_vec(y)).unwrap();
            let a = DVector::from_iterator(m, a.into_iter().map(|up| if up { 1.0 } else { -1.0 }));
            (ExpNetwork::from_parts(DMatrix::from_vec(d, m, w), a).unwrap(), data)
        })
    })
}

/// The scale of rounding in F: sum_r |a_r| exp(<w_r, x>), at most.
fn scale(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> f64 {
    let positive = ExpNetwork::from_parts(net.weights().clone(), net.output_weights().abs()).unwrap();
    positive.forward(data.points()).unwrap().max()
}

fn permuted(matrix: &DMatrix<f64>, order: &[usize]) -> DMatrix<f64> {
    matrix.select_columns(order)
}

/// A permutation of 0..len: turned halfway, then reversed.
fn order(len: usize) -> Vec<usize> {
    (0..len).map(|i| (i + len / 2) % len).rev().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn gradient_agrees_with_central_differences((net, data) in problem()) {
        let report = check::gradient(&net, &data).unwrap();
        prop_assert!(report.agrees(), "{report}");
        let report = check::gradient(&net.cast::<f32>().unwrap(), &data.cast::<f32>().unwrap()).unwrap();
        prop_assert!(report.agrees(), "{report}");
    }

    /// Central differences of the loss itself, which share nothing with the library's checker.
    #[test]
    fn gradient_is_the_slope_of_the_loss((net, data) in problem(), k in 0usize..12, r in 0usize..40) {
        let (k, r) = (k % net.dimension(), r % net.width());
        let h = 1e-5;
        let loss_at = |h: f64| {
            let mut weights = net.weights().clone();
            weights[(k, r)] += h;
            ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap().loss(&data).unwrap()
        };
        let numerical = (loss_at(h) - loss_at(-h)) / (2.0 * h);
        let analytic = net.gradient(&data).unwrap()[(k, r)];
        let size = scale(&net, &data);
        let bound = 1e-6 * (1.0 + size * size * data.samples() as f64);
        prop_assert!((numerical - analytic).abs() <= bound, "{numerical} {analytic}");
    }

    /// F(W / c, c X) = F(W, X), and scaling a scales F.
    #[test]
    fn scaling_identities((net, data) in problem(), c in 0.3..3.0_f64) {
        let forward = net.forward(data.points()).unwrap();
        let size = scale(&net, &data);
        let moved = ExpNetwork::from_parts(net.weights() / c, net.output_weights().clone()).unwrap();
        let there = moved.forward(&(data.points() * c)).unwrap();
        prop_assert!((&there - &forward).amax() <= 1e-13 * size);
        let scaled = ExpNetwork::from_parts(net.weights().clone(), net.output_weights() * c).unwrap();
        prop_assert!((scaled.forward(data.points()).unwrap() - &forward * c).amax() <= 1e-13 * size * c.max(1.0));
        let labels = Dataset::new(data.points().clone(), data.labels() * c).unwrap();
        let (loss, expected) = (scaled.loss(&labels).unwrap(), net.loss(&data).unwrap() * c * c);
        prop_assert!((loss - expected).abs() <= 1e-12 * (expected + size * size));
    }

    #[test]
    fn order_does_not_matter((net, data) in problem()) {
        let (samples, neurons) = (order(data.samples()), order(net.width()));
        let size = scale(&net, &data);
        let shuffled = data.select(&samples).unwrap();
        let a = DVector::from_iterator(net.width(), neurons.iter().map(|&r| net.output_weights()[r]));
        let turned = ExpNetwork::from_parts(permuted(net.weights(), &neurons), a).unwrap();
        let forward = net.forward(data.points()).unwrap();
        for (i, f) in samples.iter().zip(turned.forward(shuffled.points()).unwrap().iter()) {
            prop_assert!((forward[*i] - f).abs() <= 1e-13 * size);
        }
        let gradient = permuted(&net.gradient(&data).unwrap(), &neurons);
        let bound = 1e-12 * (1.0 + size * size * data.samples() as f64);
        prop_assert!((turned.gradient(&shuffled).unwrap() - gradient).amax() <= bound);
    }

    #[test]
    fn two_halves_add_up((net, data) in problem(), at in 1usize..39) {
        prop_assume!(at < net.width());
        let part = |from: usize, len: usize| {
            let weights = net.weights().columns(from, len).into_owned();
            ExpNetwork::from_parts(weights, net.output_weights().rows(from, len).into_owned()).unwrap()
        };
        let sum = part(0, at).forward(data.points()).unwrap() + part(at, net.width() - at).forward(data.points()).unwrap();
        prop_assert!((sum - net.forward(data.points()).unwrap()).amax() <= 1e-13 * scale(&net, &data));
    }

    #[test]
    fn a_small_step_descends((net, data) in problem()) {
        let slope = net.gradient(&data).unwrap().norm_squared();
        prop_assume!(slope > 1e-6);
        let mut net = net;
        let eta = 1e-3 / (1.0 + scale(&net, &data).powi(2) * data.samples() as f64);
        let before = net.step(&data, eta).unwrap();
        prop_assert!(net.loss(&data).unwrap() < before);
    }

    #[test]
    fn step_is_one_step_of_fit((net, data) in problem()) {
        let (mut stepped, mut fitted) = (net.clone(), net.clone());
        let before = stepped.step(&data, 1e-4).unwrap();
        let report = Trainer::new(1e-4).max_steps(1).fit(&mut fitted, &data).unwrap();
        prop_assert!((stepped.weights() - fitted.weights()).amax() <= 1e-13 * (1.0 + fitted.weights().amax()));
        assert_relative_eq!(report.initial_loss(), before, max_relative = 1e-12);
    }
}

fn antisymmetric_starts_at_zero<T: Float>() {
    for (n, d, m) in [(1, 1, 2), (7, 3, 10), (20, 5, 258), (3, 30, 1000)] {
        let points = DMatrix::from_fn(d, n, |k, i| T::lit(((k + 3 * i) as f64).sin()));
        for seed in 0..5 {
            let net = Initializer::new(d, m)
                .antisymmetric(true)
                .output_scale(0.7)
                .seed(seed)
                .build::<T>()
                .unwrap();
            let forward = net.forward(&points).unwrap();
            assert!(forward.iter().all(|f| *f == T::zero()), "{n} {d} {m} {}", T::NAME);
        }
    }
}

#[test]
fn an_antisymmetric_start_is_exactly_zero() {
    antisymmetric_starts_at_zero::<f32>();
    antisymmetric_starts_at_zero::<f64>();
}

#[test]
fn widening_keeps_neurons_and_their_outputs() {
    let points = DMatrix::from_fn(3, 8, |k, i| ((k + 3 * i) as f64).sin());
    let recipe = |width, first| {
        Initializer::new(3, width)
            .seed(5)
            .first_neuron(first)
            .build::<f64>()
            .unwrap()
    };
    let (narrow, rest, wide) = (recipe(100, 0), recipe(156, 100), recipe(256, 0));
    assert_eq!(wide.weights().columns(0, 100), narrow.weights().columns(0, 100));
    let sum = narrow.forward(&points).unwrap() + rest.forward(&points).unwrap();
    assert_relative_eq!(
        sum,
        wide.forward(&points).unwrap(),
        max_relative = 1e-11,
        epsilon = 1e-11
    );
}

/// A million points must not need a million activations a neuron at once: the blocks of `forward` agree with single points.
#[test]
fn forward_does_not_depend_on_its_blocks() {
    let net = Initializer::new(2, 33).seed(2).build::<f64>().unwrap();
    let points = DMatrix::from_fn(2, 5000, |k, i| ((k * 7 + i) as f64).sin());
    let all = net.forward(&points).unwrap();
    for i in [0, 1, 1023, 1024, 1025, 4999] {
        let one = net.forward(&points.columns(i, 1).into_owned()).unwrap();
        assert_relative_eq!(one[0], all[i], max_relative = 1e-12, epsilon = 1e-12);
    }
}

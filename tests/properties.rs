//! What holds for every network and every data set, over random shapes.

mod common;

use common::{data, net, scale, small_step};
use expnet::{Dataset, ExpNetwork, Float, Initializer, Trainer, check};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// n, d, m and a seed.
fn problem() -> impl Strategy<Value = (usize, usize, usize, u64)> {
    (1..=40_usize, 1..=40_usize, 1..=40_usize, any::<u64>())
}

/// Rounding that may be expected of outputs of this scale.
fn close(found: f64, expected: f64, scale: f64) -> Result<(), TestCaseError> {
    prop_assert!(
        (found - expected).abs() <= 1e-12 * scale,
        "{found:e}, not {expected:e} (scale {scale:e})"
    );
    Ok(())
}

/// A rearrangement of 0..n.
fn order(n: usize, seed: u64) -> Vec<usize> {
    use rand::{SeedableRng, seq::SliceRandom};
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
    order
}

proptest! {
    #![proptest_config(config(64))]

    /// Along a random direction D: <grad L, D> = (L(W + hD) - L(W - hD)) / 2h.
    #[test]
    fn gradient_is_the_slope_of_the_loss((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let direction = common::net::<f64>(d, m, seed ^ 1).weights().normalize();
        let h = 1e-5;
        let loss = |h: f64| {
            let weights = net.weights() + &direction * h;
            ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap().loss(&data).unwrap()
        };
        let slope = (loss(h) - loss(-h)) / (2.0 * h);
        let gradient = net.gradient(&data).unwrap();
        let s = scale(&net, data.points());
        // Truncation ~ h^2 L''', rounding ~ EPSILON L / h; both far below any wrong factor.
        let size = gradient.norm() + s * s * n as f64;
        prop_assert!((gradient.dot(&direction) - slope).abs() <= 1e-8 * size, "{} {slope}", gradient.dot(&direction));
    }

    #[test]
    fn gradient_agrees_with_the_checker((n, d, m, seed) in problem()) {
        let report = check::gradient(&net::<f64>(d, m, seed), &data(n, d, seed)).unwrap();
        prop_assert!(report.agrees() && report.compared == d * m, "{report}");
        prop_assert!(report.relative_error() < 1e-7, "{report}");
        let report = check::gradient(&net::<f32>(d, m, seed), &data(n, d, seed)).unwrap();
        prop_assert!(report.agrees(), "{report}");
    }

    /// Output weights s a and labels s y: outputs s F, loss s^2 L, gradient s^2 grad L.
    #[test]
    fn output_scaling((n, d, m, seed) in problem(), s in 0.01..100.0_f64) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let scaled = ExpNetwork::from_parts(net.weights().clone(), net.output_weights() * s).unwrap();
        let scaled_data = Dataset::new(data.points().clone(), data.labels() * s).unwrap();
        let size = scale(&net, data.points()) + 1.0;
        let (f, g) = (net.forward(data.points()).unwrap(), scaled.forward(data.points()).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, s * f, s * size)?;
        }
        let loss_size = s * s * size * size * n as f64;
        close(scaled.loss(&scaled_data).unwrap(), s * s * net.loss(&data).unwrap(), loss_size)?;
        let (f, g) = (net.gradient(&data).unwrap(), scaled.gradient(&scaled_data).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, s * s * f, loss_size)?;
        }
    }

    /// Points c x and weights w / c: the same outputs, the gradient times c.
    #[test]
    fn input_scaling((n, d, m, seed) in problem(), c in 0.1..10.0_f64) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let scaled = ExpNetwork::from_parts(net.weights() / c, net.output_weights().clone()).unwrap();
        let scaled_data = Dataset::new(data.points() * c, data.labels().clone()).unwrap();
        let size = scale(&net, data.points()) + 1.0;
        let (f, g) = (net.forward(data.points()).unwrap(), scaled.forward(scaled_data.points()).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, *f, size)?;
        }
        let (f, g) = (net.gradient(&data).unwrap(), scaled.gradient(&scaled_data).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, c * f, c * size * size * n as f64)?;
        }
    }

    /// A coordinate that is 1 for every point with weights b multiplies each activation by exp(b_r).
    #[test]
    fn bias_coordinate((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let bias = common::net::<f64>(1, m, seed ^ 2).weights().row(0).into_owned();
        let mut weights = net.weights().clone().insert_row(d, 0.0);
        weights.set_row(d, &bias);
        let with_bias = ExpNetwork::from_parts(weights, net.output_weights().clone()).unwrap();
        let output_weights = DVector::from_fn(m, |r, _| net.output_weights()[r] * bias[r].exp());
        let folded = ExpNetwork::from_parts(net.weights().clone(), output_weights).unwrap();
        let size = scale(&folded, data.points());
        let f = folded.forward(data.points()).unwrap();
        let g = with_bias.forward(&data.points().clone().insert_row(d, 1.0)).unwrap();
        for (f, g) in f.iter().zip(&g) {
            close(*g, *f, size)?;
        }
    }

    #[test]
    fn order_of_neurons_does_not_matter((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let order = order(m, seed);
        let mixed = ExpNetwork::from_parts(
            net.weights().select_columns(&order),
            net.output_weights().select_rows(&order),
        ).unwrap();
        let size = scale(&net, data.points()) + 1.0;
        let (f, g) = (net.forward(data.points()).unwrap(), mixed.forward(data.points()).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, *f, size)?;
        }
        let (f, g) = (net.gradient(&data).unwrap(), mixed.gradient(&data).unwrap());
        for (f, g) in f.select_columns(&order).iter().zip(&g) {
            close(*g, *f, size * size * n as f64)?;
        }
    }

    #[test]
    fn order_of_samples_does_not_matter((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let order = order(n, seed);
        let mixed = Dataset::new(data.points().select_columns(&order), data.labels().select_rows(&order)).unwrap();
        let size = scale(&net, data.points()) + 1.0;
        close(net.loss(&mixed).unwrap(), net.loss(&data).unwrap(), size * size * n as f64)?;
        let (f, g) = (net.forward(data.points()).unwrap(), net.forward(mixed.points()).unwrap());
        for (f, g) in f.select_rows(&order).iter().zip(&g) {
            close(*g, *f, size)?;
        }
        let (f, g) = (net.gradient(&data).unwrap(), net.gradient(&mixed).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, *f, size * size * n as f64)?;
        }
    }

    /// A sample that comes twice counts twice.
    #[test]
    fn duplicated_samples_count_twice((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let twice: Vec<usize> = (0..n).chain(0..n).collect();
        let doubled = Dataset::new(data.points().select_columns(&twice), data.labels().select_rows(&twice)).unwrap();
        let size = (scale(&net, data.points()) + 1.0).powi(2) * n as f64;
        close(net.loss(&doubled).unwrap(), 2.0 * net.loss(&data).unwrap(), size)?;
        let (f, g) = (net.gradient(&data).unwrap(), net.gradient(&doubled).unwrap());
        for (f, g) in f.iter().zip(&g) {
            close(*g, 2.0 * f, size)?;
        }
    }

    #[test]
    fn split_neurons_add_their_outputs((n, d, m, seed) in problem(), cut in any::<prop::sample::Index>()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m + 1, seed));
        let first = 1 + cut.index(m);
        let of = |from: usize, count: usize| ExpNetwork::from_parts(
            net.weights().columns(from, count).into_owned(),
            net.output_weights().rows(from, count).into_owned(),
        ).unwrap().forward(data.points()).unwrap();
        let whole = net.forward(data.points()).unwrap();
        let sum = of(0, first) + of(first, m + 1 - first);
        for (f, g) in whole.iter().zip(&sum) {
            close(*g, *f, scale(&net, data.points()))?;
        }
    }

    /// Points evaluated together or one by one give the same outputs.
    #[test]
    fn points_do_not_mix((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let together = net.forward(data.points()).unwrap();
        for i in 0..n {
            let alone = net.forward(&data.points().columns(i, 1).into_owned()).unwrap();
            close(alone[0], together[i], scale(&net, data.points()))?;
        }
    }

    #[test]
    fn antisymmetric_start_is_exactly_zero((n, d, m, seed) in problem(), std_dev in 0.01..3.0_f64) {
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
    fn small_step_descends((n, d, m, seed) in problem()) {
        let (data, mut net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let size = small_step(&net, &data, 1e-3);
        let slope = net.gradient(&data).unwrap().norm_squared();
        let before = net.step(&data, size).unwrap();
        let after = net.loss(&data).unwrap();
        prop_assert!(after <= before - 0.9 * size * slope + 1e-13 * before, "{before:e} -> {after:e}");
    }

    #[test]
    fn step_is_one_step_of_fit((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let size = small_step(&net, &data, 0.5);
        let (mut stepped, mut fitted) = (net.clone(), net.clone());
        let before = stepped.step(&data, size).unwrap();
        let report = Trainer::new(size).max_steps(1).fit(&mut fitted, &data).unwrap();
        let s = (scale(&net, data.points()) + 1.0).powi(2) * n as f64;
        close(report.initial_loss(), before, s)?;
        close(report.loss(), stepped.loss(&data).unwrap(), s)?;
        for (v, w) in fitted.weights().iter().zip(stepped.weights()) {
            close(*v, *w, 2.0 + size * s)?;
        }
    }

    #[test]
    fn widening_keeps_neurons((_, d, m, seed) in problem(), more in 1..40_usize) {
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

    /// An `f32` network is its `f64` cast, up to `f32` rounding.
    #[test]
    fn scalar_types_agree((n, d, m, seed) in problem()) {
        let (data, net) = (data::<f32>(n, d, seed), net::<f32>(d, m, seed));
        let wide = net.cast::<f64>().unwrap();
        let points: DMatrix<f64> = data.points().map(f64::from);
        let size = scale(&wide, &points);
        let (f, g) = (net.forward(data.points()).unwrap(), wide.forward(&points).unwrap());
        for (f, g) in f.iter().zip(&g) {
            prop_assert!((f64::from(*f) - g).abs() <= 1e-5 * size, "{f} {g}");
        }
        prop_assert_eq!(wide.cast::<f32>().unwrap(), net);
    }
}

#[test]
fn checker_looks_at_an_even_spread_of_a_wide_network() {
    let (data, net) = (data::<f64>(3, 6, 1), net::<f64>(6, 3000, 1));
    let report = check::gradient(&net, &data).unwrap();
    assert!(report.agrees(), "{report}");
    assert!((2000..=4096).contains(&report.compared), "{report}");
    assert!(report.to_string().contains("at 4096 coordinates"), "{report}");
}

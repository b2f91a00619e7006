//! The loss as a function of flat weights: values, derivatives and products, against the network and plain formulas.

use crate::support::oracle::jacobian;
use crate::support::problems::{data, net, scale, sines};
use crate::support::{cases, on_both, on_threads, refused};
use approx::assert_relative_eq;
use expnet::{Dataset, Error, ExpNetwork, Float, Initializer, Objective};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// A data set with sample weights, one of them 0.
fn weighted(data: Dataset<f64>) -> Dataset<f64> {
    let weights = DVector::from_fn(data.samples(), |i, _| (i % 4 + usize::from(i == 0)) as f64 * 0.7);
    data.with_weights(weights).unwrap()
}

/// sqrt(s_i) J and sqrt(s_i) (F - y).
fn linearized(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> (DMatrix<f64>, DVector<f64>) {
    let roots = data
        .weights()
        .map_or(DVector::from_element(data.samples(), 1.0), |s| s.map(f64::sqrt));
    let jacobian = DMatrix::from_diagonal(&roots) * jacobian(net, data.points());
    (jacobian, net.residual(data).unwrap().component_mul(&roots))
}

/// A direction without pattern, d m numbers.
fn direction(len: usize, seed: u64) -> Vec<f64> {
    let phase = (seed % 100) as f64;
    (0..len).map(|at| (1.0 + phase + at as f64 * 1.7).sin()).collect()
}

/// What an error of F makes of a gradient: the largest activation sum, times the longest residual and point.
fn sizes(net: &ExpNetwork<f64>, data: &Dataset<f64>) -> f64 {
    let longest = data.points().column_iter().map(|x| x.norm()).fold(0.0, f64::max);
    let largest = data.weights().map_or(1.0, |s| s.max());
    let outputs = scale(net, data.points());
    largest * outputs * (outputs + data.labels().amax()) * longest * data.samples() as f64
}

#[track_caller]
fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= tolerance,
            "{what}, entry {at}: {f} instead of {e}, {tolerance:e}"
        );
    }
}

/// Everything at other weights than those of the start, against the network and plain formulas.
fn check_all(start: &ExpNetwork<f64>, data: &Dataset<f64>, seed: u64) {
    let (d, m) = start.weights().shape();
    let moved = start.weights() * 0.8;
    let mut net = start.clone();
    net.set_weights(moved.clone()).unwrap();
    let (j, e) = linearized(&net, data);
    let tolerance = 1e-13 * sizes(&net, data);

    let mut objective = Objective::new(start, data).unwrap();
    assert_eq!(
        (objective.dimension(), objective.width(), objective.samples()),
        (d, m, data.samples())
    );
    let mut gradient = vec![f64::NAN; d * m];
    let value = objective.value_and_gradient(moved.as_slice(), &mut gradient).unwrap();
    assert_relative_eq!(
        value,
        net.loss(data).unwrap(),
        max_relative = 1e-12,
        epsilon = tolerance
    );
    assert_close("gradient", &gradient, net.gradient(data).unwrap().as_slice(), tolerance);
    assert_close("residual", objective.residual().unwrap(), e.as_slice(), tolerance);
    assert_eq!(objective.point(), moved.as_slice());

    let u = direction(d * m, seed);
    let mut forward = vec![f64::NAN; data.samples()];
    objective.jacobian_product(&u, &mut forward).unwrap();
    let pushed = &j * DVector::from_column_slice(&u);
    let tolerance = (d * m) as f64 * tolerance;
    assert_close("J u", &forward, pushed.as_slice(), tolerance);

    let v = direction(data.samples(), !seed);
    let mut back = vec![f64::NAN; d * m];
    objective.transpose_product(&v, &mut back).unwrap();
    assert_close(
        "J^T v",
        &back,
        (j.tr_mul(&DVector::from_column_slice(&v))).as_slice(),
        tolerance,
    );
    let [left, right] = [(&forward, &v), (&back, &u)].map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>());
    assert!(
        (left - right).abs() <= tolerance,
        "<J u, v> = {left}, <J^T v, u> = {right}"
    );

    let (mut gauss_newton, mut hessian) = (vec![f64::NAN; d * m], vec![f64::NAN; d * m]);
    objective.gauss_newton_product(&u, &mut gauss_newton).unwrap();
    let squared = j.tr_mul(&pushed);
    let tolerance = tolerance * (1.0 + j.amax());
    assert_close("J^T J u", &gauss_newton, squared.as_slice(), tolerance);
    objective.hessian_product(&u, &mut hessian).unwrap();
    assert_close("H u", &hessian, (squared + bent(&net, data, &u)).as_slice(), tolerance);
}

/// a_r sum_i s_i (F(x_i) - y_i) exp(<w_r, x_i>) <x_i, u_r> x_i, neuron by neuron.
fn bent(net: &ExpNetwork<f64>, data: &Dataset<f64>, u: &[f64]) -> DVector<f64> {
    let (d, m) = net.weights().shape();
    let residual = net.residual(data).unwrap();
    let mut product = DMatrix::zeros(d, m);
    for (r, mut column) in product.column_iter_mut().enumerate() {
        let u = DVector::from_column_slice(&u[r * d..(r + 1) * d]);
        for (i, x) in data.points().column_iter().enumerate() {
            let weight = data.weights().map_or(1.0, |s| s[i]);
            let slope = net.output_weights()[r] * net.weights().column(r).dot(&x).exp() * x.dot(&u);
            column += x * (weight * residual[i] * slope);
        }
    }
    DVector::from_column_slice(product.as_slice())
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn everything_agrees_with_plain_formulas(
        (n, d, m) in (1..=30_usize, 1..=12_usize, 1..=70_usize), seed in any::<u64>()
    ) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        check_all(&net, &data, seed);
        check_all(&net, &weighted(data), seed);
    }
}

/// Where passes by expansion pay.
#[test]
fn few_coordinates_agree_with_plain_formulas() {
    for d in 1..=4 {
        let net = Initializer::new(d, 300).std_dev(0.3).seed(5).build::<f64>().unwrap();
        check_all(&net, &sines(500, d), 3);
        check_all(&net, &weighted(sines(500, d)), 3);
    }
}

/// More samples than a group, more weights than one thread packs.
#[test]
fn large_problems_agree_with_the_network() {
    let (data, net) = (sines::<f64>(300, 16), net::<f64>(16, 7000, 3));
    let mut objective = Objective::new(&net, &data).unwrap();
    let mut gradient = vec![0.0; 16 * 7000];
    let w = net.weights() * 0.5;
    objective.value_and_gradient(w.as_slice(), &mut gradient).unwrap();
    let mut moved = net.clone();
    moved.set_weights(w).unwrap();
    let expected = moved.gradient(&data).unwrap();
    assert_close("gradient", &gradient, expected.as_slice(), 1e-13 * expected.amax());
}

/// Against the differences of the gradient along a direction, in both types.
fn products_are_derivatives<T: Float>() {
    for (d, m) in [(2, 40), (6, 33)] {
        let (data, net) = (sines::<f64>(20, d), net::<f64>(d, m, 9));
        let u = direction(d * m, 1);
        let start = net.weights().as_slice();
        let mut exact = Objective::new(&net, &data).unwrap();
        let mut at = |step: f64| {
            let moved: Vec<f64> = start.iter().zip(&u).map(|(w, u)| w + step * u).collect();
            let mut gradient = vec![0.0; d * m];
            exact.value_and_gradient(&moved, &mut gradient).unwrap();
            (exact.residual().unwrap().to_vec(), gradient)
        };
        let ((e0, g0), (e1, g1)) = (at(-1e-5), at(1e-5));
        let slope = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| (b - a) / 2e-5).collect() };

        let mut objective = Objective::new(&net.cast::<T>().unwrap(), &data.cast::<T>().unwrap()).unwrap();
        let u: Vec<T> = u.iter().map(|&u| T::lit(u)).collect();
        let (mut product, mut images) = (vec![T::zero(); d * m], vec![T::zero(); 20]);
        objective.jacobian_product(&u, &mut images).unwrap();
        objective.hessian_product(&u, &mut product).unwrap();
        for (found, expected) in [(images, slope(&e0, &e1)), (product, slope(&g0, &g1))] {
            let found: Vec<f64> = found.iter().map(|x| x.as_f64()).collect();
            let size = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            let tolerance = (1e-7_f64).max(1e3 * T::EPSILON.as_f64()) * size;
            assert_close("product", &found, &expected, tolerance);
        }
    }
}

fn values_agree_with_the_network<T: Float>() {
    for d in [1, 3, 7] {
        let (data, net) = (sines::<T>(40, d), net::<T>(d, 100, 4));
        let mut objective = Objective::new(&net, &data).unwrap();
        let mut gradient = vec![T::zero(); d * 100];
        let value = objective
            .value_and_gradient(net.weights().as_slice(), &mut gradient)
            .unwrap();
        let loss = net.loss(&data).unwrap().as_f64();
        let unit = 1e3 * T::EPSILON.as_f64();
        assert_relative_eq!(value.as_f64(), loss, max_relative = unit);
        let expected = net.gradient(&data).unwrap().map(|g| g.as_f64());
        let gradient: Vec<f64> = gradient.iter().map(|g| g.as_f64()).collect();
        assert_close("gradient", &gradient, expected.as_slice(), unit * expected.amax());
    }
}

/// The value is infinite, the gradient NaN, products an error; and the next point is evaluated as if nothing had happened.
fn overflow_is_infinite<T: Float>() {
    for d in [2, 6] {
        let (data, net) = (sines::<T>(9, d), net::<T>(d, 20, 4));
        let mut objective = Objective::new(&net, &data).unwrap();
        let start = net.weights().as_slice();
        let (mut before, mut after) = (vec![T::zero(); d * 20], vec![T::zero(); d * 20]);
        let value = objective.value_and_gradient(start, &mut before).unwrap();
        for far in [1e5, 1e30] {
            let far: Vec<T> = start.iter().map(|&w| w * T::lit(far)).collect();
            assert_eq!(objective.value(&far).unwrap().as_f64(), f64::INFINITY);
            assert_eq!(
                objective.value_and_gradient(&far, &mut after).unwrap().as_f64(),
                f64::INFINITY
            );
            assert!(after.iter().all(|g| g.as_f64().is_nan()));
            refused(
                objective.hessian_product(start, &mut after),
                &["the network's output at sample", "out of range for"],
            );
            refused(objective.residual().map(<[T]>::len), &["sample", T::NAME]);
        }
        assert_eq!(objective.value_and_gradient(start, &mut after).unwrap(), value);
        assert_eq!(before, after);
    }
}

on_both!(
    products_are_derivatives,
    values_agree_with_the_network,
    overflow_is_infinite
);

#[test]
fn a_gradient_out_of_range_of_a_finite_loss_is_an_error() {
    // e = 1e150, a x = 1e200.
    let net = ExpNetwork::from_parts(DMatrix::zeros(1, 1), DVector::from_element(1, 1e150)).unwrap();
    let data = Dataset::new(DMatrix::from_element(1, 1, 1e200), DVector::zeros(1)).unwrap();
    let mut objective = Objective::new(&net, &data).unwrap();
    let words = ["neuron 0, coordinate 0, in the gradient", "inf", "f64"];
    refused(objective.value_and_gradient(&[0.0], &mut [0.0]), &words);
    refused(
        objective.jacobian_product(&[1.0], &mut [0.0]),
        &["sample 0", "in the product"],
    );
}

#[test]
fn wrong_lengths_and_numbers_are_refused_and_change_nothing() {
    let (data, net) = (data::<f64>(3, 2, 1), net::<f64>(2, 4, 1));
    let mut objective = Objective::new(&net, &data).unwrap();
    let start = net.weights().as_slice().to_vec();
    let value = objective.value(&start).unwrap();
    let (mut g, mut f) = ([0.0; 8], [0.0; 3]);
    let long = ["expected 8, found 7", "d m numbers", "ExpNetwork::weights"];
    refused(
        objective.value(&start[1..]),
        &[&["number of weights"], &long[..]].concat(),
    );
    let short = &mut g[1..];
    refused(
        objective.value_and_gradient(&start, short),
        &[&["entries of the gradient"], &long[..]].concat(),
    );
    refused(
        objective.gauss_newton_product(&start, short),
        &[&["entries of the product"], &long[..]].concat(),
    );
    refused(objective.hessian_product(&start, short), &long);
    refused(objective.transpose_product(&f, short), &long);
    let words = &[&["components of the direction"], &long[..]].concat();
    refused(objective.jacobian_product(&start[1..], &mut f), words);
    refused(objective.gauss_newton_product(&start[1..], &mut g), words);
    refused(objective.hessian_product(&start[1..], &mut g), words);
    let per_sample = ["expected 3, found 2", "one number per sample"];
    refused(objective.jacobian_product(&start, &mut f[1..]), &per_sample);
    refused(objective.transpose_product(&f[1..], &mut g), &per_sample);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut w = start.clone();
        w[5] = bad;
        let shown = format!("{bad:?}");
        let words = [shown.as_str(), "neuron 2, coordinate 1", "finite"];
        refused(objective.value(&w), &[&["a weight is"], &words[..]].concat());
        refused(objective.value_and_gradient(&w, &mut g), &words);
        refused(
            objective.jacobian_product(&w, &mut f),
            &[&["a component of the direction"], &words[..]].concat(),
        );
        refused(objective.hessian_product(&w, &mut g), &words);
        refused(
            objective.transpose_product(&[0.0, bad, 0.0], &mut g),
            &[shown.as_str(), "sample 1", "finite"],
        );
        assert_eq!(objective.point(), start);
        assert_eq!(objective.value(&start).unwrap(), value);
    }
    let other = Objective::new(&net, &sines(5, 3)).map(|objective| objective.samples());
    assert!(matches!(
        other,
        Err(Error::Shape {
            expected: 2,
            found: 3,
            ..
        })
    ));
}

/// The same answers whatever was asked before.
#[test]
fn answers_do_not_depend_on_what_was_asked_before() {
    for d in [2, 9] {
        let (data, net) = (sines::<f64>(60, d), net::<f64>(d, 50, 2));
        let w = (net.weights() * 0.7).as_slice().to_vec();
        let u = direction(d * 50, 4);
        let ask = |before: &dyn Fn(&mut Objective<f64>)| {
            let mut objective = Objective::new(&net, &data).unwrap();
            before(&mut objective);
            let (mut g, mut h) = (vec![0.0; d * 50], vec![0.0; d * 50]);
            let value = objective.value_and_gradient(&w, &mut g).unwrap();
            objective.hessian_product(&u, &mut h).unwrap();
            (value.to_bits(), g, h)
        };
        let at_once = ask(&|_| {});
        let moves = ask(&|objective| {
            objective.value(&w).unwrap();
            objective.gauss_newton_product(&u, &mut vec![0.0; d * 50]).unwrap();
            objective
                .transpose_product(&vec![1.0; 60], &mut vec![0.0; d * 50])
                .unwrap();
        });
        assert_eq!(at_once, moves);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (n, d, m) in [(37, 5, 4099), (300, 3, 2000), (60, 26, 4000)] {
        let (data, net) = (data::<f64>(n, d, 3), net::<f64>(d, m, 3));
        let run = |threads| {
            on_threads(threads, || {
                let mut objective = Objective::new(&net, &data).unwrap();
                let w = (net.weights() * 0.6).as_slice().to_vec();
                let (mut g, mut h) = (vec![0.0; d * m], vec![0.0; d * m]);
                let value = objective.value_and_gradient(&w, &mut g).unwrap();
                objective.hessian_product(&direction(d * m, 2), &mut h).unwrap();
                (value.to_bits(), g, h)
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3), "({n}, {d}, {m})");
    }
}

//! Invariances of every network and every data set, over random shapes.

use super::close;
use crate::support::cases;
use crate::support::problems::{self, data, net, order, scale, shapes};
use expnet::{Dataset, ExpNetwork};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(64))]

    /// Output weights s a and labels s y: outputs s F, loss s^2 L, gradient s^2 grad L.
    #[test]
    fn output_scaling((n, d, m, seed) in shapes(), s in 0.01..100.0_f64) {
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
    fn input_scaling((n, d, m, seed) in shapes(), c in 0.1..10.0_f64) {
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
    fn bias_coordinate((n, d, m, seed) in shapes()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let bias = problems::net::<f64>(1, m, seed ^ 2).weights().row(0).into_owned();
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
    fn order_of_neurons_does_not_matter((n, d, m, seed) in shapes()) {
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
    fn order_of_samples_does_not_matter((n, d, m, seed) in shapes()) {
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
    fn duplicated_samples_count_twice((n, d, m, seed) in shapes()) {
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
    fn split_neurons_add_their_outputs((n, d, m, seed) in shapes(), cut in any::<prop::sample::Index>()) {
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
    fn points_do_not_mix((n, d, m, seed) in shapes()) {
        let (data, net) = (data::<f64>(n, d, seed), net::<f64>(d, m, seed));
        let together = net.forward(data.points()).unwrap();
        for i in 0..n {
            let alone = net.forward(&data.points().columns(i, 1).into_owned()).unwrap();
            close(alone[0], together[i], scale(&net, data.points()))?;
        }
    }

    /// An `f32` network is its `f64` cast, up to `f32` rounding.
    #[test]
    fn scalar_types_agree((n, d, m, seed) in shapes()) {
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

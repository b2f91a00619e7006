//! Kernels, their spectra, and the infinitely wide network that they describe.

mod conjugate;
mod cross;
mod ensemble;
mod entries;
mod files;
mod given;
mod limit;
mod linearized;
mod posterior;
mod predictor;
mod properties;
mod spectrum;
mod starts;
mod steps;
mod training_data;

use crate::support::problems::{data, table_points};
use expnet::kernel::{Fit, Predictor, limit_kernel};
use expnet::{Dataset, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};

/// Points on the unit sphere in 3 dimensions and smooth labels: some eigenvalues are large and most are tiny.
fn smooth(n: usize) -> Dataset<f64> {
    let mut points = data::<f64>(n, 3, 5).points().clone();
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    let labels: Vec<f64> = points.column_iter().map(|x| (3.0 * x[0]).sin() + x[1] * x[2]).collect();
    Dataset::new(points, labels.into()).unwrap()
}

/// How far antisymmetric networks of this width are from a fit in the limit, at training and at other points, relative:
/// root mean square over seeds. `plan` says for the limit and its kernel what the step size times the width is, how many
/// steps are taken, and where the limit then is.
fn distance(width: usize, seeds: u64, plan: impl Fn(&Predictor, &DMatrix<f64>) -> (f64, usize, Fit)) -> [f64; 2] {
    let (n, d, std_dev) = (6, 4, 0.5);
    let points = table_points(n + 4, d);
    let (train, test) = (points.columns(0, n).into_owned(), points.columns(n, 4).into_owned());
    let labels = DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -0.5 });
    let data = Dataset::new(train.clone(), labels).unwrap();
    let predictor = Predictor::new(&data, std_dev).unwrap();
    let (eta, steps, fit) = plan(&predictor, &limit_kernel(&train, std_dev).unwrap());
    let limits = [&train, &test].map(|points| fit.predict(points).unwrap());
    let mut squares = [0.0; 2];
    for seed in 0..seeds {
        let start = Initializer::new(d, width)
            .std_dev(std_dev)
            .antisymmetric(true)
            .seed(seed);
        let mut net = start.build::<f64>().unwrap();
        Trainer::new(eta / width as f64)
            .max_steps(steps)
            .fit(&mut net, &data)
            .unwrap();
        for ((square, points), limit) in squares.iter_mut().zip([&train, &test]).zip(&limits) {
            *square += (net.forward(points).unwrap() - limit).norm_squared() / limit.norm_squared();
        }
    }
    squares.map(|sum| (sum / seeds as f64).sqrt())
}

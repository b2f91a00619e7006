//! Kernel ridge regression with the limit kernel against networks of finite width, on the wine data.
//!
//!     cargo run --release --example wine_kernel_ridge # prints a table
//!
//! Every model gets the same points: 68% of the wines for training, 12% for validation and 20% for testing. The
//! validation data chooses the ridge parameter, separately for the kernel and the network, and when the network stops.

mod common;

use expnet::kernel::Predictor;
use expnet::method::GaussNewton;
use expnet::{Dataset, ExpNetwork, Initializer, Scaling, Trainer};
use nalgebra::DVector;
use std::error::Error;
use std::fs::File;

/// The number of random splits of the data.
const SPLITS: u64 = 3;
/// The number of neurons.
const WIDTH: usize = 512;
/// The standard deviation of the initial weights and of the limit kernel.
const STD_DEV: f64 = 0.5;

/// One split, scaled with the parameters of the training data, and two of its parts unscaled.
struct Split {
    raw_train: Dataset<f64>,
    raw_test: Dataset<f64>,
    train: Dataset<f64>,
    validation: Dataset<f64>,
    test: Dataset<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/winequality-red.csv"
    ))?;
    let wines = Dataset::<f64>::from_csv(file, "quality")?;

    let mut rows = Vec::new();
    let mut scores = Vec::new();
    for seed in 1..=SPLITS {
        let split = split(&wines, seed)?;
        let (kernel_lambda, kernel) = kernel_ridge(&split)?;
        let (lambda, ridge) = network_with_ridge(&split, seed)?;
        let score = [
            r_squared(&least_squares(&split)?, &split.raw_test),
            r_squared(&kernel, &split.test),
            r_squared(&early_stopping(&split, seed)?, &split.test),
            r_squared(&ridge, &split.test),
        ];
        let lambdas = [kernel_lambda, lambda].map(|lambda| format!(" ({lambda:.2})"));
        rows.push(row(&format!("split {seed}"), &score, &lambdas));
        scores.push(score);
    }
    let mean: [f64; 4] = std::array::from_fn(|k| scores.iter().map(|score| score[k]).sum::<f64>() / SPLITS as f64);
    rows.push(row("mean", &mean, &[String::new(), String::new()]));
    let header = [
        "",
        "least squares",
        "kernel ridge (λ)",
        "network, early stopping",
        "network with ridge (λ)",
    ];
    common::print_table(&common::cells(header), &rows);

    let [linear, kernel, stopped, ridge] = mean;
    println!(
        "\nOn the wine data, averaged over three splits, test R² is {linear:.3} for least squares, {stopped:.3} for a network \
         with early stopping, {ridge:.3} for a network with ridge and {kernel:.3} at infinite width."
    );
    Ok(())
}

fn row(name: &str, [linear, kernel, stopped, ridge]: &[f64; 4], [kernel_lambda, lambda]: &[String; 2]) -> Vec<String> {
    vec![
        name.into(),
        format!("{linear:.3}"),
        format!("{kernel:.3}{kernel_lambda}"),
        format!("{stopped:.3}"),
        format!("{ridge:.3}{lambda}"),
    ]
}

fn split(wines: &Dataset<f64>, seed: u64) -> Result<Split, expnet::Error> {
    let (train, test) = wines.split(0.8, seed)?;
    let (train, validation) = train.split(0.85, seed)?;
    let scaling = Scaling::fit(&train)?;
    Ok(Split {
        train: scaling.apply(&train)?,
        validation: scaling.apply(&validation)?,
        test: scaling.apply(&test)?,
        raw_train: train,
        raw_test: test,
    })
}

/// The candidates for lambda: 0.01 to 100 in steps of sqrt(10).
fn lambdas() -> impl Iterator<Item = f64> {
    (-4..=4).map(|step| 10.0_f64.powf(f64::from(step) / 2.0))
}

/// The lambda with the lowest validation error, and its predictions for the test data.
fn choose<E>(split: &Split, predict: impl Fn(f64) -> Result<[DVector<f64>; 2], E>) -> Result<(f64, DVector<f64>), E> {
    let mut best = (f64::INFINITY, 0.0, DVector::zeros(0));
    for lambda in lambdas() {
        let [validation, test] = predict(lambda)?;
        let error = (validation - split.validation.labels()).norm();
        if error < best.0 {
            best = (error, lambda, test);
        }
    }
    Ok((best.1, best.2))
}

fn kernel_ridge(split: &Split) -> Result<(f64, DVector<f64>), expnet::Error> {
    let predictor = Predictor::new(&split.train, STD_DEV)?;
    choose(split, |lambda| {
        let fit = predictor.ridge(lambda)?;
        Ok([
            fit.predict(split.validation.points())?,
            fit.predict(split.test.points())?,
        ])
    })
}

fn start(split: &Split, seed: u64) -> Result<ExpNetwork<f64>, expnet::Error> {
    let start = Initializer::new(split.train.dimension(), WIDTH).std_dev(STD_DEV);
    start.antisymmetric(true).seed(seed).build()
}

/// Gradient descent until the validation loss has not improved for 100 steps.
fn early_stopping(split: &Split, seed: u64) -> Result<DVector<f64>, expnet::Error> {
    let mut net = start(split, seed)?;
    Trainer::default()
        .max_steps(3000)
        .validation(&split.validation, 100)
        .fit(&mut net, &split.train)?;
    net.forward(split.test.points())
}

/// Gauss-Newton on 1/2 ||F - y||^2 + lambda m / 2 ||W - W_0||^2, which converges to kernel ridge regression with lambda
/// as m tends to infinity.
fn network_with_ridge(split: &Split, seed: u64) -> Result<(f64, DVector<f64>), expnet::Error> {
    choose(split, |lambda| {
        let mut net = start(split, seed)?;
        Trainer::default()
            .method(GaussNewton::default().ridge(lambda * WIDTH as f64))
            .max_steps(5)
            .fit(&mut net, &split.train)?;
        Ok([
            net.forward(split.validation.points())?,
            net.forward(split.test.points())?,
        ])
    })
}

/// Predictions of the least-squares linear model with intercept.
fn least_squares(split: &Split) -> Result<DVector<f64>, &'static str> {
    let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
    let coefficients = design(&split.raw_train)
        .svd(true, true)
        .solve(split.raw_train.labels(), 1e-12)?;
    Ok(design(&split.raw_test) * &coefficients)
}

fn r_squared(predicted: &DVector<f64>, data: &Dataset<f64>) -> f64 {
    let labels = data.labels();
    1.0 - (predicted - labels).norm_squared() / labels.add_scalar(-labels.mean()).norm_squared()
}

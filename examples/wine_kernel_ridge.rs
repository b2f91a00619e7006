//! Kernel ridge regression with the limit kernel against networks of finite width, on the wine data.
//!
//!     cargo run --release --example wine_kernel_ridge            # three splits; prints a table
//!     cargo run --release --example wine_kernel_ridge -- --small # one split and a small network
//!
//! Every model gets the same points: 68% of the wines for training, 12% for validation and 20% for testing. The
//! validation data chooses the ridge parameter, separately for the kernel and the network, and when the network stops.

use expnet::kernel::Predictor;
use expnet::method::GaussNewton;
use expnet::{Dataset, ExpNetwork, Initializer, Scaling, Trainer};
use nalgebra::DVector;
use std::error::Error;
use std::fs::File;

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
    let small = std::env::args().any(|argument| argument == "--small");
    let (splits, width) = if small { (1, 64) } else { (3, 512) };
    let file = File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/winequality-red.csv"
    ))?;
    let wines = Dataset::<f64>::from_csv(file, "quality")?;

    println!(
        "R² on the test wines   least squares   kernel ridge (lambda)   early stopping   network with ridge (lambda)"
    );
    let mut rows = Vec::new();
    for seed in 1..=splits {
        let split = split(&wines, seed)?;
        let (kernel_lambda, kernel) = kernel_ridge(&split)?;
        let (lambda, ridge) = network_with_ridge(&split, width, seed)?;
        let row = [
            r_squared(&least_squares(&split)?, &split.raw_test),
            r_squared(&kernel, &split.test),
            r_squared(&early_stopping(&split, width, seed)?, &split.test),
            r_squared(&ridge, &split.test),
        ];
        print_row(
            &format!("split {seed}"),
            &row,
            &[kernel_lambda, lambda].map(|lambda| format!("({lambda:.2})")),
        );
        rows.push(row);
    }
    let mean: [f64; 4] = std::array::from_fn(|k| rows.iter().map(|row| row[k]).sum::<f64>() / rows.len() as f64);
    print_row("mean", &mean, &[String::new(), String::new()]);
    println!("\n{width} neurons, sigma = {STD_DEV}; lambda between 0.01 and 100, chosen by the validation loss");
    Ok(())
}

fn print_row(name: &str, [linear, kernel, stopped, ridge]: &[f64; 4], [kernel_lambda, lambda]: &[String; 2]) {
    println!("{name:<20}   {linear:13.3}   {kernel:12.3} {kernel_lambda:<8}   {stopped:14.3}   {ridge:18.3} {lambda}");
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

fn start(split: &Split, width: usize, seed: u64) -> Result<ExpNetwork<f64>, expnet::Error> {
    let start = Initializer::new(split.train.dimension(), width).std_dev(STD_DEV);
    start.antisymmetric(true).seed(seed).build()
}

/// Gradient descent until the validation loss has not improved for 100 steps.
fn early_stopping(split: &Split, width: usize, seed: u64) -> Result<DVector<f64>, expnet::Error> {
    let mut net = start(split, width, seed)?;
    Trainer::default()
        .max_steps(3000)
        .validation(&split.validation, 100)
        .fit(&mut net, &split.train)?;
    net.forward(split.test.points())
}

/// Gauss-Newton on 1/2 ||F - y||^2 + lambda m / 2 ||W - W_0||^2, which converges to kernel ridge regression with lambda
/// as m tends to infinity.
fn network_with_ridge(split: &Split, width: usize, seed: u64) -> Result<(f64, DVector<f64>), expnet::Error> {
    choose(split, |lambda| {
        let mut net = start(split, width, seed)?;
        Trainer::default()
            .method(GaussNewton::default().ridge(lambda * width as f64))
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

//! The wine data by kernel ridge regression with the limit kernel, and by networks of finite width.
//!
//!     cargo run --release --example wine_kernel_ridge            # three splits, prints a table
//!     cargo run --release --example wine_kernel_ridge -- --small # one split and a small network
//!
//! Every model gets the same points: 68% of the wines to fit, 12% held out to choose by, 20% to test on. What is chosen on
//! the held-out part is the ridge parameter, by the kernel and by the network each for itself, and when the network stops.

use expnet::kernel::Predictor;
use expnet::method::GaussNewton;
use expnet::{Dataset, ExpNetwork, Initializer, Scaling, Trainer};
use nalgebra::DVector;
use std::error::Error;
use std::fs::File;

/// Of the initial weights, and of the limit kernel.
const STD_DEV: f64 = 0.5;

/// One split, scaled by what is known of the part to fit; and two parts as they were.
struct Split {
    raw_fitted: Dataset<f64>,
    raw_test: Dataset<f64>,
    fitted: Dataset<f64>,
    held_out: Dataset<f64>,
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
    println!("\n{width} neurons, sigma = {STD_DEV}; lambda, from 0.01 to 100, by the loss on the held-out wines");
    Ok(())
}

fn print_row(name: &str, [plane, kernel, stopped, ridge]: &[f64; 4], [kernel_lambda, lambda]: &[String; 2]) {
    println!("{name:<20}   {plane:13.3}   {kernel:12.3} {kernel_lambda:<8}   {stopped:14.3}   {ridge:18.3} {lambda}");
}

fn split(wines: &Dataset<f64>, seed: u64) -> Result<Split, expnet::Error> {
    let (train, test) = wines.split(0.8, seed)?;
    let (fitted, held_out) = train.split(0.85, seed)?;
    let scaling = Scaling::fit(&fitted)?;
    Ok(Split {
        fitted: scaling.apply(&fitted)?,
        held_out: scaling.apply(&held_out)?,
        test: scaling.apply(&test)?,
        raw_fitted: fitted,
        raw_test: test,
    })
}

/// The candidates for lambda: 0.01 to 100 in steps of sqrt(10).
fn lambdas() -> impl Iterator<Item = f64> {
    (-4..=4).map(|step| 10.0_f64.powf(f64::from(step) / 2.0))
}

/// The lambda whose prediction of the held-out part is best, and its prediction of the test part.
fn choose<E>(split: &Split, predict: impl Fn(f64) -> Result<[DVector<f64>; 2], E>) -> Result<(f64, DVector<f64>), E> {
    let mut best = (f64::INFINITY, 0.0, DVector::zeros(0));
    for lambda in lambdas() {
        let [held_out, test] = predict(lambda)?;
        let missed = (held_out - split.held_out.labels()).norm();
        if missed < best.0 {
            best = (missed, lambda, test);
        }
    }
    Ok((best.1, best.2))
}

fn kernel_ridge(split: &Split) -> Result<(f64, DVector<f64>), expnet::Error> {
    let predictor = Predictor::new(&split.fitted, STD_DEV)?;
    choose(split, |lambda| {
        let fit = predictor.ridge(lambda)?;
        Ok([fit.predict(split.held_out.points())?, fit.predict(split.test.points())?])
    })
}

fn start(split: &Split, width: usize, seed: u64) -> Result<ExpNetwork<f64>, expnet::Error> {
    let start = Initializer::new(split.fitted.dimension(), width).std_dev(STD_DEV);
    start.antisymmetric(true).seed(seed).build()
}

/// Gradient descent until the held-out part has not been predicted better for 100 steps.
fn early_stopping(split: &Split, width: usize, seed: u64) -> Result<DVector<f64>, expnet::Error> {
    let mut net = start(split, width, seed)?;
    Trainer::default()
        .max_steps(3000)
        .validation(&split.held_out, 100)
        .fit(&mut net, &split.fitted)?;
    net.forward(split.test.points())
}

/// Gauss-Newton on 1/2 ||F - y||^2 + lambda m / 2 ||W - W_0||^2, whose limit for m to infinity is kernel ridge with lambda.
fn network_with_ridge(split: &Split, width: usize, seed: u64) -> Result<(f64, DVector<f64>), expnet::Error> {
    choose(split, |lambda| {
        let mut net = start(split, width, seed)?;
        Trainer::default()
            .method(GaussNewton::default().ridge(lambda * width as f64))
            .max_steps(5)
            .fit(&mut net, &split.fitted)?;
        Ok([net.forward(split.held_out.points())?, net.forward(split.test.points())?])
    })
}

/// The linear model with an intercept that fits best.
fn least_squares(split: &Split) -> Result<DVector<f64>, &'static str> {
    let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
    let coefficients = design(&split.raw_fitted)
        .svd(true, true)
        .solve(split.raw_fitted.labels(), 1e-12)?;
    Ok(design(&split.raw_test) * &coefficients)
}

fn r_squared(predicted: &DVector<f64>, data: &Dataset<f64>) -> f64 {
    let labels = data.labels();
    1.0 - (predicted - labels).norm_squared() / labels.add_scalar(-labels.mean()).norm_squared()
}

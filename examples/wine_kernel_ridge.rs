//! Kernel ridge regression with the limit kernel against networks of finite width, on the wine data.
//!
//!     cargo run --release --example wine_kernel_ridge # prints two tables
//!
//! Every model gets the same 80% of the wines. Closed-form leave-one-out chooses the scaling and the ridge parameter λ, for
//! the limit kernel and the networks alike; early stopping sets aside 15% of them to decide when to stop.

mod common;

use expnet::{Dataset, ExpRegressor, KernelRegressor, RegressorOptions, Training, metrics};
use std::error::Error;
use std::fs::File;

/// The number of random splits of the data.
const SPLITS: u64 = 3;
/// The widths whose distance from the limit is printed.
const WIDTHS: [usize; 4] = [64, 256, 1024, 4096];

fn main() -> Result<(), Box<dyn Error>> {
    let file = File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/winequality-red.csv"
    ))?;
    let wines = Dataset::<f64>::from_csv(file, "quality")?;

    let mut rows = Vec::new();
    let mut scores = Vec::new();
    let mut far = [0.0; WIDTHS.len()];
    for seed in 1..=SPLITS {
        let (train, test) = wines.split(0.8, seed)?;
        let options = ExpRegressor::options().seed(seed);
        let stopped = options.training(Training::EarlyStopping).fit(&train)?;
        let ridge = options.fit(&train)?;
        let kernel = KernelRegressor::options().seed(seed).fit(&train)?;
        let score = [
            least_squares(&train, &test)?,
            stopped.score(&test)?,
            ridge.score(&test)?,
            kernel.score(&test)?,
        ];
        let lambda = kernel.selection().lambda();
        rows.push(row(&format!("split {seed}"), &score, &format!("{lambda:.2}")));
        scores.push(score);
        for (sum, distance) in far.iter_mut().zip(distances(options, &kernel, &train, &test)?) {
            *sum += distance;
        }
    }
    let mean: [f64; 4] = std::array::from_fn(|k| scores.iter().map(|score| score[k]).sum::<f64>() / SPLITS as f64);
    rows.push(row("mean", &mean, ""));
    let header = [
        "",
        "least squares",
        "network, early stopping",
        "network with ridge",
        "infinite width",
        "λ",
    ];
    common::print_table(&common::cells(header), &rows);

    let [linear, stopped, ridge, kernel] = mean;
    println!(
        "\nOn the wine data, averaged over three splits, test R² is {linear:.3} for least squares, {stopped:.3} for a network \
         with early stopping, {ridge:.3} for a network with ridge and {kernel:.3} at infinite width."
    );

    let header = std::iter::once("neurons".to_string()).chain(WIDTHS.map(|width| width.to_string()));
    let mut cells = common::cells(["distance from infinite width"]);
    cells.extend(far.iter().map(|sum| format!("{:.3}", sum / SPLITS as f64)));
    common::print_table(&header.collect::<Vec<_>>(), &[cells]);
    Ok(())
}

fn row(name: &str, scores: &[f64], lambda: &str) -> Vec<String> {
    let scores = scores.iter().map(|score| format!("{score:.3}"));
    let name = std::iter::once(name.to_string());
    name.chain(scores).chain([lambda.to_string()]).collect()
}

/// The root mean square difference between the predictions of networks and those of `limit`, relative to the spread of the
/// latter, for each of [`WIDTHS`].
///
/// Gauss-Newton minimises 1/2 ||F - y||^2 + lambda / 2 sum_r a_r^2 ||W - W_0||^2, which converges to kernel ridge
/// regression with lambda as m tends to infinity.
fn distances(
    options: RegressorOptions,
    limit: &KernelRegressor<f64>,
    train: &Dataset<f64>,
    test: &Dataset<f64>,
) -> Result<Vec<f64>, expnet::Error> {
    let predicted = limit.predict(test)?;
    let spread = predicted.add_scalar(-predicted.mean()).norm();
    let distance = |width| {
        let network = options.width(width).fit(train)?;
        Ok((network.predict(test)? - &predicted).norm() / spread)
    };
    WIDTHS.into_iter().map(distance).collect()
}

/// R² on `test` of the least-squares linear model with intercept.
fn least_squares(train: &Dataset<f64>, test: &Dataset<f64>) -> Result<f64, Box<dyn Error>> {
    let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
    let coefficients = design(train).svd(true, true).solve(train.labels(), 1e-12)?;
    Ok(metrics::r2(test.labels(), &(design(test) * coefficients))?)
}

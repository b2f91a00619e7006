//! Fits a real data set: the quality of wines as judged by tasters, from eleven measurements.
//!
//!     cargo run --release --example quickstart # prints a table, draws target/quickstart.png

mod common;

use common::{BLUE, GREY, ORANGE, line};
use expnet::observer::{History, ProgressBar};
use expnet::schedule::KernelStable;
use expnet::{Dataset, Initializer, Scaling, Trainer};
use kuva::prelude::*;
use nalgebra::DVector;
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    // 1,599 wines: 80% for training, of which 15% serve as validation data, and 20% for testing.
    let file = File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/winequality-red.csv"
    ))?;
    let wines = Dataset::<f64>::from_csv(file, "quality")?;
    let (all_train, test) = wines.split(0.8, 1)?;
    let (train, validation) = all_train.split(0.85, 1)?;
    println!(
        "{} wines, {} measurements each: {} for training, {} for validation, {} for testing",
        wines.samples(),
        wines.dimension(),
        train.samples(),
        validation.samples(),
        test.samples()
    );

    // Standardise, append a bias coordinate, put each wine on the unit sphere.
    let scaling = Scaling::fit(&train)?;
    let (train, validation) = (scaling.apply(&train)?, scaling.apply(&validation)?);

    // Pairs of neurons that cancel, so that the network starts at F = 0.
    let mut net = Initializer::new(train.dimension(), 512)
        .std_dev(0.5)
        .antisymmetric(true)
        .seed(1)
        .build()?;

    let mut history = History::default();
    let report = Trainer::new(KernelStable::default())
        .max_steps(1000)
        .validation(&validation, 100)
        .observe(ProgressBar::default())
        .observe(&mut history)
        .fit(&mut net, &train)?;
    println!("\n{report}");

    let predict = |data: &Dataset<f64>| scaling.predict(&net, data.points());
    print_scores(&all_train, &test, predict)?;

    let best = report.best_step().unwrap_or(report.steps());
    let samples = (train.samples(), validation.samples());
    let losses = loss_panel(&history, samples, best);
    let quality = quality_panel(&predict(&test)?, test.labels());
    let figure = common::figure(vec![losses, quality], 2, (520.0, 420.0), Vec::new());
    common::save("quickstart", &figure)
}

/// Prints R² of the network and of least squares.
fn print_scores(
    train: &Dataset<f64>,
    test: &Dataset<f64>,
    network: impl Fn(&Dataset<f64>) -> Result<DVector<f64>, expnet::Error>,
) -> Result<(), Box<dyn Error>> {
    let linear = least_squares(train)?;
    let row = |name: &str, on_train: &DVector<f64>, on_test: &DVector<f64>| {
        let score = |predicted, data: &Dataset<f64>| format!("{:.3}", r_squared(predicted, data.labels()));
        vec![name.to_string(), score(on_train, train), score(on_test, test)]
    };
    let rows = [
        row("exponential network", &network(train)?, &network(test)?),
        row("least squares", &linear(train), &linear(test)),
    ];
    common::print_table(&common::cells(["R²", "train", "test"]), &rows);
    Ok(())
}

/// The least-squares linear model with intercept, as a baseline.
fn least_squares(data: &Dataset<f64>) -> Result<impl Fn(&Dataset<f64>) -> DVector<f64>, &'static str> {
    let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
    let coefficients = design(data).svd(true, true).solve(data.labels(), 1e-12)?;
    Ok(move |data: &Dataset<f64>| design(data) * &coefficients)
}

fn r_squared(predicted: &DVector<f64>, actual: &DVector<f64>) -> f64 {
    1.0 - (predicted - actual).norm_squared() / actual.add_scalar(-actual.mean()).norm_squared()
}

/// The training and validation loss by step.
fn loss_panel(history: &History, samples: (usize, usize), best: usize) -> (Vec<Plot>, Layout) {
    // L = 1/2 ||e||^2, so 2 L / n is the mean squared error, which can be compared between data of different sizes.
    let mean_squared = |losses: &mut dyn Iterator<Item = f64>, n: usize| -> Vec<(f64, f64)> {
        let curve = history.steps().iter().zip(losses).skip(1);
        curve
            .map(|(&step, loss)| (step as f64, 2.0 * loss / n as f64))
            .collect()
    };
    let train = mean_squared(&mut history.losses().iter().copied(), samples.0);
    let validation = mean_squared(&mut history.validation_losses().iter().flatten().copied(), samples.1);
    let plots = vec![
        Plot::Line(line(train, BLUE).with_legend("training wines")),
        Plot::Line(line(validation, ORANGE).with_legend("validation wines")),
    ];
    let layout = Layout::auto_from_plots(&plots)
        .with_title(format!("Training (best at step {best})"))
        .with_x_label("step")
        .with_y_label("mean squared error, scaled")
        .with_log_scale()
        .with_clamp_axis()
        .with_y_axis_min(0.4)
        .with_y_axis_max(1.0)
        .with_y_tick_format(TickFormat::Fixed(1))
        .with_minor_ticks(5)
        .with_reference_line(ReferenceLine::vertical(best as f64).with_color(GREY))
        .with_legend_position(LegendPosition::InsideBottomLeft);
    (plots, layout)
}

/// Predicted against actual quality of the test wines.
fn quality_panel(predicted: &DVector<f64>, actual: &DVector<f64>) -> (Vec<Plot>, Layout) {
    // Quality is a whole number; horizontal jitter keeps the points apart.
    let jitter = |i: usize| 0.3 * ((0.618_034 * i as f64).fract() - 0.5);
    let points = actual.iter().zip(predicted).enumerate();
    let points: Vec<(f64, f64)> = points.map(|(i, (&y, &p))| (y + jitter(i), p)).collect();
    let dots = ScatterPlot::new()
        .with_data(points)
        .with_color(BLUE)
        .with_size(3.5)
        .with_marker_opacity(0.45);
    let ideal = line(vec![(3.0, 3.0), (8.0, 8.0)], GREY);
    let plots = vec![
        Plot::Scatter(dots.with_legend("test wines")),
        Plot::Line(ideal.with_stroke_width(1.5).with_legend("predicted = actual")),
    ];
    let layout = Layout::auto_from_plots(&plots)
        .with_title("Prediction")
        .with_x_label("actual quality")
        .with_y_label("predicted quality")
        .with_clamp_axis()
        .with_x_axis_min(2.5)
        .with_x_axis_max(8.5)
        .with_x_tick_step(1.0)
        .with_legend_position(LegendPosition::InsideTopLeft);
    (plots, layout)
}

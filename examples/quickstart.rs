//! Fits a real data set: how tasters judge a wine, from eleven measurements.
//!
//!     cargo run --release --example quickstart            # fits, prints a table, draws target/quickstart.png
//!     cargo run --release --example quickstart -- --small # the same with a small network, in a second

mod common;

use common::{BLUE, GREY, ORANGE, line};
use expnet::observer::{History, ProgressBar};
use expnet::schedule::KernelStable;
use expnet::{Dataset, Initializer, Scaling, Trainer};
use kuva::prelude::*;
use kuva::render::render::Scene;
use nalgebra::DVector;
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let small = std::env::args().any(|argument| argument == "--small");
    let (width, max_steps) = if small { (64, 200) } else { (512, 1000) };

    // 1,599 wines: 80% to train on, of which 15% decide when to stop; 20% to test on.
    let file = File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/winequality-red.csv"
    ))?;
    let wines = Dataset::<f64>::from_csv(file, "quality")?;
    let (train, test) = wines.split(0.8, 1)?;
    let (fitted, held_out) = train.split(0.85, 1)?;
    println!(
        "{} wines, {} measurements each: {} to fit, {} to decide when to stop, {} to test",
        wines.samples(),
        wines.dimension(),
        fitted.samples(),
        held_out.samples(),
        test.samples()
    );

    // Standardise, append a bias coordinate, put each wine on the unit sphere.
    let scaling = Scaling::fit(&fitted)?;
    let (scaled, scaled_held_out) = (scaling.apply(&fitted)?, scaling.apply(&held_out)?);

    // Pairs of neurons that cancel: the network starts at F = 0.
    let mut net = Initializer::new(scaled.dimension(), width)
        .std_dev(0.5)
        .antisymmetric(true)
        .seed(1)
        .build()?;

    let mut history = History::default();
    let report = Trainer::new(KernelStable::default())
        .max_steps(max_steps)
        .validation(&scaled_held_out, 100)
        .observe(ProgressBar::default())
        .observe(&mut history)
        .fit(&mut net, &scaled)?;
    println!("\n{report}\n");

    let predict = |data: &Dataset<f64>| scaling.predict(&net, data.points());
    let plane = least_squares(&train)?;
    println!("R²                     train    test");
    println!(
        "exponential network   {:6.3}  {:6.3}",
        r_squared(&predict(&train)?, train.labels()),
        r_squared(&predict(&test)?, test.labels())
    );
    println!(
        "least squares         {:6.3}  {:6.3}",
        r_squared(&plane(&train), train.labels()),
        r_squared(&plane(&test), test.labels())
    );

    let best = report.best_step().unwrap_or(report.steps());
    let figure = draw(
        &history,
        (scaled.samples(), scaled_held_out.samples()),
        best,
        &predict(&test)?,
        test.labels(),
    );
    common::save("quickstart", &figure)
}

/// The linear model with an intercept that fits `data` best, to compare with.
fn least_squares(data: &Dataset<f64>) -> Result<impl Fn(&Dataset<f64>) -> DVector<f64>, &'static str> {
    let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
    let coefficients = design(data).svd(true, true).solve(data.labels(), 1e-12)?;
    Ok(move |data: &Dataset<f64>| design(data) * &coefficients)
}

fn r_squared(predicted: &DVector<f64>, actual: &DVector<f64>) -> f64 {
    1.0 - (predicted - actual).norm_squared() / actual.add_scalar(-actual.mean()).norm_squared()
}

/// Two panels: the loss curves, and predicted against actual quality of the test wines.
fn draw(
    history: &History,
    samples: (usize, usize),
    best: usize,
    predicted: &DVector<f64>,
    actual: &DVector<f64>,
) -> Scene {
    // L = 1/2 ||e||^2, so 2 L / n is the mean squared error, which compares across sizes.
    let mean_square = |losses: &mut dyn Iterator<Item = f64>, n: usize| -> Vec<(f64, f64)> {
        let curve = history.steps().iter().zip(losses).skip(1);
        curve
            .map(|(&step, loss)| (step as f64, 2.0 * loss / n as f64))
            .collect()
    };
    let fitted = mean_square(&mut history.losses().iter().copied(), samples.0);
    let held_out = mean_square(&mut history.validation_losses().iter().flatten().copied(), samples.1);
    let losses = vec![
        Plot::Line(line(fitted, BLUE).with_legend("fitted wines")),
        Plot::Line(line(held_out, ORANGE).with_legend("held-out wines")),
    ];
    let loss_layout = Layout::auto_from_plots(&losses)
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

    // Quality is a whole number: the points are moved sideways a little, so as to be seen.
    let beside = |i: usize| 0.3 * ((0.618_034 * i as f64).fract() - 0.5);
    let points = actual.iter().zip(predicted).enumerate();
    let points: Vec<(f64, f64)> = points.map(|(i, (&y, &p))| (y + beside(i), p)).collect();
    let dots = ScatterPlot::new()
        .with_data(points)
        .with_color(BLUE)
        .with_size(3.5)
        .with_marker_opacity(0.45);
    let ideal = line(vec![(3.0, 3.0), (8.0, 8.0)], GREY);
    let qualities = vec![
        Plot::Scatter(dots.with_legend("test wines")),
        Plot::Line(ideal.with_stroke_width(1.5).with_legend("predicted = actual")),
    ];
    let quality_layout = Layout::auto_from_plots(&qualities)
        .with_title("Prediction")
        .with_x_label("actual quality")
        .with_y_label("predicted quality")
        .with_clamp_axis()
        .with_x_axis_min(2.5)
        .with_x_axis_max(8.5)
        .with_x_tick_step(1.0)
        .with_legend_position(LegendPosition::InsideTopLeft);

    let panels = vec![(losses, loss_layout), (qualities, quality_layout)];
    common::figure(panels, 2, (520.0, 420.0), Vec::new())
}

//! Fits a real data set: the quality of wines as judged by tasters, from eleven measurements.
//!
//!     cargo run --release --example quickstart # prints a table, draws target/quickstart.png

mod common;

use common::{BLUE, GREY, LIGHT_BLUE, ORANGE, dots, line};
use expnet::{Dataset, ExpRegressor, KernelRegressor, Selection, metrics};
use kuva::prelude::*;
use nalgebra::DVector;
use std::error::Error;
use std::fs::File;
use std::sync::Arc;

/// A normal variable is within this many standard deviations of its mean in 90% of all cases.
const NINETY_PERCENT: f64 = 1.645;
/// One test wine in so many is drawn with its error bar.
const DRAWN: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let file = File::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/data/winequality-red.csv"
    ))?;
    let wines = Dataset::<f64>::from_csv(file, "quality")?;
    let (train, test) = wines.split(0.8, 1)?;
    println!(
        "{} wines, {} measurements each: {} for training, {} for testing",
        wines.samples(),
        wines.dimension(),
        train.samples(),
        test.samples()
    );

    // Scales the data, chooses all settings by leave-one-out, and trains a network of 1024 neurons.
    let model = ExpRegressor::fit(&train)?;
    println!("\n{}\n\n{}", model.selection(), model.report());

    // The same for the network of infinite width, which also says how certain it is of each prediction.
    let infinite = KernelRegressor::fit(&train)?;
    let (predicted, std_dev) = infinite.predict_with_std(&test)?;

    let linear = least_squares(&train)?;
    let row = |name: &str, scores: [f64; 2]| {
        let [on_train, on_test] = scores.map(|score| format!("{score:.3}"));
        vec![name.to_string(), on_train, on_test]
    };
    let rows = [
        row("exponential network", [model.score(&train)?, model.score(&test)?]),
        row("infinite width", [infinite.score(&train)?, infinite.score(&test)?]),
        row("least squares", [linear(&train)?, linear(&test)?]),
    ];
    common::print_table(&common::cells(["R²", "train", "test"]), &rows);

    let panels = vec![
        selection_panel(model.selection()),
        quality_panel(&predicted, &std_dev, test.labels()),
    ];
    common::save("quickstart", &common::figure(panels, 2, (520.0, 420.0), Vec::new()))
}

/// R² of the least-squares linear model with intercept, as a baseline.
fn least_squares(train: &Dataset<f64>) -> Result<impl Fn(&Dataset<f64>) -> Result<f64, expnet::Error>, &'static str> {
    let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
    let coefficients = design(train).svd(true, true).solve(train.labels(), 1e-12)?;
    Ok(move |data: &Dataset<f64>| metrics::r2(data.labels(), &(design(data) * &coefficients)))
}

/// The leave-one-out error of each candidate, in the order in which they were tried.
fn selection_panel(selection: &Selection) -> (Vec<Plot>, Layout) {
    let candidates = selection.candidates();
    let errors = candidates.iter().map(|candidate| candidate.mean_square().sqrt());
    let curve: Vec<(f64, f64)> = (0..).map(f64::from).zip(errors).collect();
    let best = selection.chosen().map(|chosen| chosen.mean_square().sqrt());
    let (chosen, others): (Vec<_>, Vec<_>) = curve.iter().partition(|(_, error)| Some(*error) == best);

    let names: Vec<String> = candidates
        .iter()
        .map(|candidate| match candidate.round() {
            0 => format!("β = {}", candidate.beta()),
            round => format!("lengths {round}"),
        })
        .collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a small whole number
    let name = move |tick: f64| names.get(tick.round() as usize).cloned().unwrap_or_default();

    let last = candidates.len() as f64 - 1.0;
    let plots = vec![
        Plot::Line(line(curve, LIGHT_BLUE)),
        Plot::Scatter(dots(others, BLUE).with_size(6.0).with_legend("tried")),
        Plot::Scatter(dots(chosen, ORANGE).with_size(8.0).with_legend("chosen")),
    ];
    let layout = Layout::auto_from_plots(&plots)
        .with_title("Choice of settings")
        .with_x_label("bias β, then rounds of learning length scales")
        .with_y_label("leave-one-out RMSE / std of quality")
        .with_x_axis_min(-0.4)
        .with_x_axis_max(last + 0.4)
        .with_x_tick_step(1.0)
        .with_x_tick_format(TickFormat::Custom(Arc::new(name)))
        .with_y_tick_format(TickFormat::Fixed(3))
        .with_legend_position(LegendPosition::InsideTopRight);
    (plots, layout)
}

/// Predicted against actual quality of some test wines, with 90% intervals.
fn quality_panel(predicted: &DVector<f64>, std_dev: &DVector<f64>, actual: &DVector<f64>) -> (Vec<Plot>, Layout) {
    // Quality is a whole number; places next to it, in turn, keep the wines apart.
    let mut seen = [0_u32; 11];
    let mut points = Vec::new();
    let mut bars = Vec::new();
    for i in (0..actual.len()).step_by(DRAWN) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 3 to 8
        let place = &mut seen[actual[i] as usize];
        let offset = 0.8 * ((0.618_034 * f64::from(*place) + 0.5).fract() - 0.5);
        *place += 1;
        points.push((actual[i] + offset, predicted[i]));
        bars.push(NINETY_PERCENT * std_dev[i]);
    }
    let intervals = dots(points.clone(), LIGHT_BLUE).with_size(0.1).with_y_err(bars);
    let wines = dots(points, BLUE).with_size(3.5);
    let ideal = line(vec![(3.0, 3.0), (8.0, 8.0)], GREY).with_stroke_width(1.5);
    let plots = vec![
        Plot::Scatter(intervals),
        Plot::Scatter(wines.with_legend("test wines, 90% intervals")),
        Plot::Line(ideal.with_legend("predicted = actual")),
    ];
    let layout = Layout::auto_from_plots(&plots)
        .with_title("Prediction at infinite width")
        .with_x_label("actual quality")
        .with_y_label("predicted quality")
        .with_clamp_axis()
        .with_x_axis_min(2.5)
        .with_x_axis_max(8.5)
        .with_x_tick_step(1.0)
        .with_y_axis_min(2.0)
        .with_y_axis_max(8.5)
        .with_y_tick_step(1.0)
        .with_legend_position(LegendPosition::InsideBottomRight);
    (plots, layout)
}

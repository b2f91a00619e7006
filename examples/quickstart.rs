//! Fits a real data set: the quality of 1,599 red wines from eleven measurements.
//!
//! `cargo run --release --example quickstart` prints R² on held-out wines beside least squares, and draws the run in
//! `target/quickstart.png`. `-- SEED` chooses another split.
//!
//! Data: Cortez, Cerdeira, Almeida, Matos, Reis, *Modeling wine preferences by data mining from physicochemical
//! properties*, Decision Support Systems 47 (2009), CC BY 4.0.

use expnet::method::GradientDescent;
use expnet::observer::{History, ProgressBar};
use expnet::{Dataset, Initializer, Scaling, Trainer};
use kuva::prelude::*;
use nalgebra::DVector;
use std::error::Error;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/winequality-red.csv");
const PICTURE: &str = "target/quickstart.png";

fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let wines = Dataset::<f64>::from_csv_path(DATA, "quality")?;
    println!("{} wines, {} measurements each", wines.samples(), wines.dimension());

    // A quarter is set aside for the table, and a fifth of the rest decides when to stop.
    let (rest, test) = wines.split(0.75, seed)?;
    let (train, validation) = rest.split(0.8, seed)?;
    let scaling = Scaling::fit(&train)?;
    let (points, held_out) = (scaling.apply(&train)?, scaling.apply(&validation)?);

    let mut net = Initializer::new(points.dimension(), 2048)
        .antisymmetric(true)
        .seed(seed)
        .build::<f64>()?;
    let mut history = History::default().movement(false);
    let report = Trainer::default() // the step size that the tangent kernel allows
        .method(GradientDescent::default().nesterov(0.9))
        .max_steps(2000)
        .validation(&held_out, 100)
        .observe(ProgressBar::default())
        .observe(&mut history)
        .fit(&mut net, &points)?;
    println!("{report}\n");

    let predict = |data: &Dataset<f64>| scaling.predict(&net, data.points());
    let linear = LeastSquares::fit(&rest)?;
    println!("R²               train    test");
    println!(
        "expnet          {:6.3}  {:6.3}",
        r2(&rest, &predict(&rest)?),
        r2(&test, &predict(&test)?)
    );
    println!(
        "least squares   {:6.3}  {:6.3}",
        r2(&rest, &linear.predict(&rest)),
        r2(&test, &linear.predict(&test))
    );

    draw(
        &history,
        (points.samples(), held_out.samples()),
        &test,
        &predict(&test)?,
    )?;
    println!("\nThe run and its predictions are drawn in {PICTURE}");
    Ok(())
}

/// 1 - sum (y - prediction)² / sum (y - mean)².
fn r2(data: &Dataset<f64>, prediction: &DVector<f64>) -> f64 {
    let labels = data.labels();
    1.0 - (labels - prediction).norm_squared() / labels.add_scalar(-labels.mean()).norm_squared()
}

/// What the network is compared with: a line, fitted to the training and the validation wines together.
struct LeastSquares(DVector<f64>);

impl LeastSquares {
    fn fit(data: &Dataset<f64>) -> Result<Self, &'static str> {
        let design = data.points().transpose().insert_column(0, 1.0);
        Ok(Self(design.svd(true, true).solve(data.labels(), 1e-12)?))
    }

    fn predict(&self, data: &Dataset<f64>) -> DVector<f64> {
        data.points().transpose().insert_column(0, 1.0) * &self.0
    }
}

/// Losses a wine on the left, predicted against actual quality on the right.
fn draw(
    history: &History,
    (train, held_out): (usize, usize),
    test: &Dataset<f64>,
    prediction: &DVector<f64>,
) -> Result<(), Box<dyn Error>> {
    let steps = history.steps().iter().map(|&step| step as f64);
    let losses: Vec<_> = steps
        .clone()
        .zip(history.losses().iter().map(|loss| loss / train as f64))
        .collect();
    let validation = history
        .validation_losses()
        .iter()
        .map(|loss| loss.unwrap_or(f64::NAN) / held_out as f64);
    let validation: Vec<_> = steps.zip(validation).collect();
    let line = |points, color: &str, name: &str| -> Plot {
        LinePlot::new()
            .with_data(points)
            .with_color(color)
            .with_stroke_width(2.0)
            .with_legend(name)
            .into()
    };
    let run = vec![
        line(losses, "#1f77b4", "training"),
        line(validation, "#d62728", "validation"),
    ];
    // Qualities are whole numbers: spread sideways, so that wines do not hide each other.
    let spread = |i: usize| 0.3 * (i as f64 * 0.618_034).fract() - 0.15;
    let wines = test
        .labels()
        .iter()
        .zip(prediction)
        .enumerate()
        .map(|(i, (y, p))| (y + spread(i), *p));
    let wines = ScatterPlot::new()
        .with_data(wines)
        .with_color("#1f77b4")
        .with_size(3.0)
        .with_marker_opacity(0.45);
    let diagonal = LinePlot::new()
        .with_data(vec![(3.0, 3.0), (8.0, 8.0)])
        .with_color("#888888");
    let right: Vec<Plot> = vec![diagonal.into(), wines.into()];

    let left_layout = Layout::auto_from_plots(&run)
        .with_title("Loss a wine")
        .with_x_label("step")
        .with_y_label("½ (F − y)², scaled labels")
        .with_log_y()
        .with_legend_position(LegendPosition::InsideTopRight);
    let right_layout = Layout::auto_from_plots(&right)
        .with_title("Wines never seen")
        .with_x_label("actual quality")
        .with_x_axis_min(2.5)
        .with_x_axis_max(8.5)
        .with_x_tick_step(1.0)
        .with_y_label("predicted quality");
    let scene = Figure::new(1, 2)
        .with_plots(vec![run, right])
        .with_layouts(vec![left_layout, right_layout])
        .with_cell_size(480.0, 380.0)
        .render();
    std::fs::create_dir_all("target")?;
    std::fs::write(PICTURE, PngBackend::new().with_scale(2.0).render_scene(&scene)?)?;
    Ok(())
}

//! Shared by the examples: arguments, random problems, tables, and plots in a common style.
#![allow(dead_code)] // Each example uses only part of it.

use expnet::{Dataset, Error, Initializer};
use kuva::prelude::*;
use kuva::render::render::Scene;
use std::fs;
use std::sync::Arc;

pub const BLUE: &str = "#1f77b4";
pub const ORANGE: &str = "#ff7f0e";
pub const GREEN: &str = "#2ca02c";
pub const RED: &str = "#d62728";
pub const PURPLE: &str = "#9467bd";
pub const BROWN: &str = "#8c564b";
pub const PINK: &str = "#e377c2";
pub const BLACK: &str = "#000000";
pub const GREY: &str = "#555555";
pub const LIGHT_BLUE: &str = "#9ecae1";
pub const LIGHT_ORANGE: &str = "#ffbb78";
pub const LIGHT_GREEN: &str = "#a1d99b";

/// Points (x, y), sorted by x.
pub type Curve = Vec<(f64, f64)>;

/// Whether the command line asks for the long version, `--full`.
pub fn full() -> Result<bool, String> {
    std::env::args()
        .skip(1)
        .try_fold(false, |_, argument| match argument.as_str() {
            "--full" => Ok(true),
            other => Err(format!("unknown argument {other}; use --full")),
        })
}

/// n points, uniform on the unit sphere of R^d, with random labels +1 or -1.
///
/// Point i is the direction of neuron i of a random network, a Gaussian vector; its label is the sign of that neuron.
pub fn sphere(n: usize, d: usize, seed: u64) -> Result<Dataset<f64>, Error> {
    let draws = Initializer::new(d, n).seed(seed).build::<f64>()?;
    let mut points = draws.weights().clone();
    points.column_iter_mut().for_each(|mut x| x /= x.norm());
    Dataset::new(points, draws.output_weights().clone())
}

/// w_r ~ N(0, I) with random signs or in pairs that cancel. Independent of [`sphere`] with the same seed.
pub fn start(d: usize, m: usize, antisymmetric: bool, seed: u64) -> Initializer {
    Initializer::new(d, m).antisymmetric(antisymmetric).seed(!seed)
}

/// The last width that [`smallest_width`] tries is [`width`] of this.
const LAST_ROW: usize = 24;

/// 2^(row / 2), rounded to an even number.
pub fn width(row: usize) -> usize {
    (1_usize << row).isqrt().div_ceil(2) * 2
}

/// The smallest even width that passes, bracketed by increasing factors of sqrt 2 from 2 to 4096, then bisected to 8%.
pub fn smallest_width(
    mut passes: impl FnMut(usize) -> Result<bool, Box<dyn std::error::Error>>,
) -> Result<usize, Box<dyn std::error::Error>> {
    let mut row = 2;
    while !passes(width(row))? {
        row += 1;
        if row > LAST_ROW {
            return Err(format!("no width up to {} passes", width(LAST_ROW)).into());
        }
    }
    let (mut failing, mut passing) = (width(row - 1), width(row));
    while passing - failing > 2 && 100 * passing > 108 * failing {
        let between = 2 * ((failing + passing) / 4);
        *(if passes(between)? { &mut passing } else { &mut failing }) = between;
    }
    Ok(passing)
}

/// The `q`-quantile of `values`, which are sorted in place; NaN if there are none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and the last index
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = q * last as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    below + place.fract() * (above - below)
}

/// The slope of the least-squares line through (ln x, ln y).
pub fn slope(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let logarithms: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = logarithms.iter().map(|(x, _)| x).sum::<f64>() / logarithms.len() as f64;
    let covariance: f64 = logarithms.iter().map(|(x, y)| (x - mean) * y).sum();
    let variance: f64 = logarithms.iter().map(|(x, _)| (x - mean).powi(2)).sum();
    covariance / variance
}

/// Prints a table in Markdown, as it stands in the docs.
pub fn print_table(header: &[String], rows: &[Vec<String>]) {
    println!();
    print_row(header);
    println!("|{}", "---|".repeat(header.len()));
    for row in rows {
        print_row(row);
    }
}

fn print_row(cells: &[String]) {
    for cell in cells {
        print!("|{}{cell} ", if cell.is_empty() { "" } else { " " });
    }
    println!("|");
}

/// Owned cells of a table.
pub fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).to_vec()
}

pub fn line(points: Curve, colour: &str) -> LinePlot {
    LinePlot::new()
        .with_data(points)
        .with_color(colour)
        .with_stroke_width(2.0)
}

pub fn dots(points: Curve, colour: &str) -> ScatterPlot {
    ScatterPlot::new().with_data(points).with_color(colour)
}

/// Points for a logarithmic y axis, as powers of ten, because kuva's own logarithmic axis ends at 10⁻¹⁰. Omits zeros.
pub fn logarithms(points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
    let positive = points.into_iter().filter(|point| point.1 > 0.0);
    positive.map(|(x, y)| (x, y.log10())).collect()
}

/// Labels the y axis with powers of ten, with a tick every `decades` of them.
pub fn with_powers_of_ten(layout: Layout, decades: f64) -> Layout {
    let format = |exponent: f64| match exponent {
        0.0 => "1".into(),
        1.0 => "10".into(),
        2.0 => "100".into(),
        _ => format!("10{}", superscript(exponent)),
    };
    layout
        .with_y_tick_step(decades)
        .with_y_tick_format(TickFormat::Custom(Arc::new(format)))
}

fn superscript(exponent: f64) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| c.to_digit(10).map_or('⁻', |digit| digits[digit as usize]);
    format!("{exponent:.0}").chars().map(raised).collect()
}

/// A legend entry.
pub fn key(label: &str, colour: &str) -> LegendEntry {
    LegendEntry {
        label: label.into(),
        color: colour.into(),
        shape: LegendShape::Line,
        dasharray: None,
    }
}

/// A figure with `columns` panels per row, and one legend below them unless it is empty.
pub fn figure(panels: Vec<(Vec<Plot>, Layout)>, columns: usize, cell: (f64, f64), legend: Vec<LegendEntry>) -> Scene {
    let rows = panels.len().div_ceil(columns);
    let mut places: Vec<Vec<usize>> = (0..panels.len()).map(|i| vec![i]).collect();
    let (mut plots, mut layouts): (Vec<_>, Vec<_>) = panels.into_iter().unzip();
    let height = if legend.is_empty() {
        0.0
    } else {
        30.0 + 22.0 * legend.len().div_ceil(3) as f64
    };
    if !legend.is_empty() {
        places.push((rows * columns..(rows + 1) * columns).collect());
        plots.push(vec![Plot::LegendPlot(
            LegendPlot::from_entries(legend).with_cols(3).without_box(),
        )]);
        layouts.push(Layout::new((0.0, 1.0), (0.0, 1.0)));
    }
    Figure::new(rows + usize::from(height > 0.0), columns)
        .with_structure(places)
        .with_plots(plots)
        .with_layouts(layouts)
        .with_cell_size(cell.0, cell.1)
        .with_row_height(rows, height)
        .render()
}

/// Writes target/NAME.png, at twice the size of the scene but at most 2000 pixels wide.
#[allow(clippy::cast_possible_truncation)] // the scale is of order 1
pub fn save(name: &str, picture: &Scene) -> Result<(), Box<dyn std::error::Error>> {
    let path = format!("target/{name}.png");
    let scale = (2000.0 / picture.width).min(2.0);
    fs::create_dir_all("target")?;
    fs::write(&path, PngBackend::new().with_scale(scale as f32).render_scene(picture)?)?;
    println!("\nsaved {path}");
    Ok(())
}

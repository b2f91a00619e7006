//! A run with proved convergence: the residual, its certified bound, and the prediction of linear theory.
//!
//!     cargo run --release --example certificate_in_action            # draws target/certificate_in_action.png
//!     cargo run --release --example certificate_in_action -- --full  # four times as many points
//!
//! x uniform on the unit sphere, y = +-1, and the narrowest antisymmetric start with a certificate, trained with the
//! largest step size that the certificate allows. Linear theory keeps the kernel fixed: e_t = (I - eta G_0)^t e_0.

mod common;

use common::{BLACK, BLUE, Curve, GREEN, ORANGE, PURPLE, RED, dots, line, logarithms};
use expnet::certificate::{Certificate, NarrowestSearch};
use expnet::kernel::{Spectrum, empirical_kernel};
use expnet::observer::Progress;
use expnet::{Dataset, Error, ExpNetwork, Trainer};
use kuva::prelude::*;
use kuva::render::render::Scene;
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;

const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (n, d) = if common::full()? { (64, 16) } else { (16, 8) };
    let data = common::sphere(n, d, SEED)?;
    let (net, certificate) = NarrowestSearch::default().seed(!SEED).search(&data)?;
    println!("{certificate}");

    // Until the certificate guarantees a hundredth of the initial residual.
    let initial = data.labels().norm();
    let steps = usize::try_from(certificate.steps_to(0.01 * initial))?;
    let run = Run::new(&net, &data, certificate.max_step_size(), steps)?;
    let bound = |t: f64| initial * (1.0 - certificate.rate()).powf(t);
    let bound: Curve = (0..=steps).map(|t| (t as f64, bound(t as f64))).collect();
    print_summary(&run, &bound, &certificate);

    let mut gaps = Vec::new();
    for (narrower, wider) in [(16, 1), (4, 1), (1, 1), (1, 16)] {
        // More or fewer neurons of the same random stream, with the same product of step size and width.
        let width = net.width() * wider / narrower / 2 * 2;
        let other = common::start(d, width, true, SEED).build()?;
        let size = certificate.max_step_size() * net.width() as f64 / width as f64;
        gaps.push((width, Run::new(&other, &data, size, steps)?.gap()));
    }
    print_gaps(&gaps);
    common::save("certificate_in_action", &draw(&run, bound, &certificate, gaps))
}

/// e_t at each step, actual and predicted by linear theory, and how far the neurons have moved.
struct Run {
    residuals: Vec<DVector<f64>>,
    linear: Vec<DVector<f64>>,
    /// The largest distance of a neuron from its start.
    movements: Vec<f64>,
    /// The eigenvectors of G_0, largest eigenvalue first.
    directions: DMatrix<f64>,
}

impl Run {
    fn new(net: &ExpNetwork<f64>, data: &Dataset<f64>, step_size: f64, steps: usize) -> Result<Self, Error> {
        let start = net.residual(data)?;
        let (mut residuals, mut movements) = (vec![start.clone()], vec![0.0]);
        let observer = |progress: &Progress<'_, f64>| {
            residuals.push(DVector::from_column_slice(progress.residual()));
            movements.push(progress.movement().largest);
            ControlFlow::Continue(())
        };
        Trainer::new(step_size)
            .max_steps(steps)
            .observe(observer)
            .fit(&mut net.clone(), data)?;

        // e_t = sum_k (1 - eta lambda_k)^t <v_k, e_0> v_k over the eigenpairs of G_0 = m H_0.
        let kernel = empirical_kernel(net, data.points())? * net.width() as f64;
        let spectrum = Spectrum::with_eigenvectors(&kernel)?;
        let directions = spectrum
            .eigenvectors()
            .cloned()
            .expect("the spectrum was computed with eigenvectors");
        let factors = spectrum.eigenvalues().map(|eigenvalue| 1.0 - step_size * eigenvalue);
        let mut components = directions.tr_mul(&start);
        let mut linear = vec![start];
        for _ in 0..steps {
            components.component_mul_assign(&factors);
            linear.push(&directions * &components);
        }
        Ok(Self {
            residuals,
            linear,
            movements,
            directions,
        })
    }

    /// ||e_t - linear prediction|| / ||e_0||.
    fn gap(&self) -> Curve {
        let initial = self.residuals[0].norm();
        let pairs = self.residuals.iter().zip(&self.linear);
        by_step(pairs.map(|(residual, linear)| (residual - linear).norm() / initial))
    }
}

/// A curve of values at the steps 0, 1, ….
fn by_step(values: impl Iterator<Item = f64>) -> Curve {
    values.enumerate().map(|(t, value)| (t as f64, value)).collect()
}

/// Prints how the run compares with its certificate.
fn print_summary(run: &Run, bound: &Curve, certificate: &Certificate) {
    let norms: Vec<f64> = run.residuals.iter().map(DVector::norm).collect();
    let fractions = bound.iter().zip(&norms).skip(1).map(|((_, bound), norm)| norm / bound);
    let last = norms.len() - 1;
    let size = format!("{:.2e}", certificate.max_step_size());
    let end = format!("‖e‖ after {last} steps, from {:.2}", norms[0]);
    let farthest = run.movements.iter().copied().fold(0.0, f64::max);
    let row = |name: &str, certified: &str, observed: &str| common::cells([name, certified, observed]);
    let rows = [
        row("step size", &format!("≤ {size}"), &size),
        row(
            &end,
            &format!("≤ {:.2e}", bound[last].1),
            &format!("{:.2e}", norms[last]),
        ),
        row(
            "largest ‖e‖ / bound in a step",
            "≤ 1",
            &format!("{:.3}", fractions.fold(0.0, f64::max)),
        ),
        row(
            "largest movement of a neuron",
            &format!("≤ {:.2e}", certificate.radius()),
            &format!("{farthest:.2e}"),
        ),
    ];
    common::print_table(&common::cells(["", "certified", "observed"]), &rows);
}

/// Prints the largest distance from linear theory for each width.
fn print_gaps(gaps: &[(usize, Curve)]) {
    let largest = |gap: &Curve| gap.iter().map(|point| point.1).fold(0.0, f64::max);
    let largest: Vec<(f64, f64)> = gaps.iter().map(|(width, gap)| (*width as f64, largest(gap))).collect();
    let row = |name: &str, values: &mut dyn Iterator<Item = String>, slope: &str| -> Vec<String> {
        std::iter::once(name.into())
            .chain(values)
            .chain([slope.into()])
            .collect()
    };
    let header = row(
        "m",
        &mut largest.iter().map(|(width, _)| width.to_string()),
        "slope of ln distance on ln m",
    );
    let slope = format!("{:.2}", common::slope(largest.iter().copied())).replace('-', "−");
    let distances = &mut largest.iter().map(|(_, gap)| format!("{gap:.2e}"));
    common::print_table(&header, &[row("largest distance / ‖e₀‖", distances, &slope)]);
}

/// Four panels: the residual, its components, the movement, and the distance from linear theory.
fn draw(run: &Run, bound: Curve, certificate: &Certificate, gaps: Vec<(usize, Curve)>) -> Scene {
    let shades = [RED, ORANGE, GREEN, BLUE];
    let gaps = gaps.into_iter().zip(shades);
    let gaps = gaps.map(|((width, gap), colour)| curve(gap, colour, &format!("m = {width}")));
    let (gaps, layout) = panel(
        gaps.collect(),
        "distance from linear theory",
        "fraction of the initial residual",
        LegendPosition::InsideTopRight,
        2.0,
    );
    let gaps = (gaps, layout.with_y_axis_max(0.0));
    let panels = vec![
        residual_panel(run, bound),
        component_panel(run),
        movement_panel(run, certificate),
        gaps,
    ];
    common::figure(panels, 2, (560.0, 400.0), Vec::new())
}

fn residual_panel(run: &Run, bound: Curve) -> (Vec<Plot>, Layout) {
    let linear = by_step(run.linear.iter().map(DVector::norm));
    let plots = vec![
        curve(bound, RED, "certified bound"),
        curve(
            by_step(run.residuals.iter().map(DVector::norm)),
            BLUE,
            "gradient descent",
        ),
        Plot::Scatter(some_dots(linear, BLACK).with_legend("linear theory")),
    ];
    panel(plots, "residual", "norm of e", LegendPosition::InsideBottomLeft, 1.0)
}

fn component_panel(run: &Run) -> (Vec<Plot>, Layout) {
    let n = run.directions.ncols();
    let mut plots = Vec::new();
    for (k, colour) in [(0, PURPLE), (n / 4, GREEN), (n / 2, ORANGE), (n - 1, BLUE)] {
        let along = |e: &DVector<f64>| run.directions.column(k).dot(e).abs();
        let label = format!("eigenvalue {}", k + 1);
        plots.push(curve(by_step(run.residuals.iter().map(along)), colour, &label));
        let predicted = by_step(run.linear.iter().map(along));
        let visible = predicted.into_iter().filter(|point| point.1 > 1e-13);
        plots.push(Plot::Scatter(some_dots(visible.collect(), colour)));
    }
    let title = "along eigenvectors of G₀; dots: linear theory";
    let (plots, layout) = panel(plots, title, "component of e", LegendPosition::InsideTopRight, 2.0);
    (plots, layout.with_y_axis_max(4.0))
}

fn movement_panel(run: &Run, certificate: &Certificate) -> (Vec<Plot>, Layout) {
    let last = (run.movements.len() - 1) as f64;
    let radius = vec![(0.0, certificate.radius()), (last, certificate.radius())];
    let plots = vec![
        curve(radius, RED, "certified radius"),
        curve(by_step(run.movements.iter().copied()), BLUE, "gradient descent"),
    ];
    let title = "largest movement of a neuron";
    let (plots, layout) = panel(
        plots,
        title,
        "distance from its start",
        LegendPosition::InsideBottomRight,
        1.0,
    );
    (plots, layout.with_y_axis_min(-3.0))
}

fn curve(points: Curve, colour: &str, label: &str) -> Plot {
    Plot::Line(line(logarithms(points), colour).with_legend(label))
}

/// A panel of curves by step, on a logarithmic scale with ticks every `decades` powers of ten.
fn panel(plots: Vec<Plot>, title: &str, label: &str, legend: LegendPosition, decades: f64) -> (Vec<Plot>, Layout) {
    let layout = Layout::auto_from_plots(&plots)
        .with_title(title)
        .with_x_label("step")
        .with_y_label(label)
        .with_legend_position(legend);
    (plots, common::with_powers_of_ten(layout, decades))
}

/// Dots at no more than 25 of the steps.
fn some_dots(curve: Curve, colour: &str) -> ScatterPlot {
    let every = curve.len().div_ceil(25);
    dots(logarithms(curve.into_iter().step_by(every)), colour).with_size(3.0)
}

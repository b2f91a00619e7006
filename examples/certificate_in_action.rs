//! Runs with proved convergence: a narrow network, proved along its run, and a wide one, proved at its start.
//!
//!     cargo run --release --example certificate_in_action            # draws target/certificate_in_action.png
//!     cargo run --release --example certificate_in_action -- --full  # twice the dimension, four times as many points
//!
//! x uniform on the unit sphere, y = +-1, antisymmetric starts. The narrow network takes steps of 1 / lambda_max(G_0), and
//! the trainer looks for a proof every 25 steps. The wide one has four times the smallest width at which a start was
//! certified, and takes steps of 1 / lambda_max(G_0) too. Linear theory keeps the kernel fixed: e_t = (I - eta G_0)^t e_0.

mod common;

use common::{BLACK, BLUE, Curve, GREEN, GREY, ORANGE, PURPLE, RED, dots, line, logarithms};
use expnet::certificate::{self, Certificate, NarrowestSearch};
use expnet::kernel::{Spectrum, empirical_kernel};
use expnet::observer::Progress;
use expnet::schedule::KernelStable;
use expnet::{Dataset, Error, ExpNetwork, Trainer};
use kuva::prelude::*;
use kuva::render::render::Scene;
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;

const SEED: u64 = 1;

/// How often the narrow run is looked at.
const EVERY: usize = 25;

/// Colours of the looks at it that are drawn.
const LOOKS: [&str; 3] = [RED, ORANGE, GREEN];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let full = common::full()?;
    let narrow = Narrow::new(if full { (32, 8, 64) } else { (8, 4, 16) })?;
    narrow.print();

    let (n, d) = if full { (64, 16) } else { (16, 8) };
    let data = common::sphere(n, d, SEED)?;
    let (narrowest, _) = NarrowestSearch::default().seed(!SEED).search(&data)?;
    let net = common::start(d, 4 * narrowest.width(), true, SEED).build()?;
    let lambda_max = certificate::certify(&net, &data)?.lambda_max() * net.width() as f64;
    let certificate = certificate::certify_at(&net, &data, 1.0 / lambda_max)?;
    println!("\nthe narrowest certified start has m = {}", narrowest.width());
    println!("{certificate}");

    // Until the certificate guarantees a thousandth of the initial residual.
    let initial = data.labels().norm();
    let steps = usize::try_from(certificate.steps_to(0.001 * initial))?;
    let run = Run::new(&net, &data, certificate.step_size(), steps)?;
    let bound: Curve = (0..=steps).map(|t| (t as f64, certificate.residual_bound(t))).collect();
    print_summary(&run, &bound, &certificate);

    let mut gaps = Vec::new();
    for (narrower, wider) in [(4, 1), (1, 1), (1, 4), (1, 64)] {
        // More or fewer neurons of the same random stream, with the same product of step size and width.
        let width = net.width() * wider / narrower;
        let other = common::start(d, width, true, SEED).build()?;
        let size = certificate.step_size() * net.width() as f64 / width as f64;
        gaps.push((width, Run::new(&other, &data, size, steps)?.gap()));
    }
    print_gaps(&gaps);
    common::save("certificate_in_action", &draw(&narrow, &run, bound, gaps))
}

/// A run of a narrow network that is proved along the way.
struct Narrow {
    width: usize,
    /// ||e_t||.
    residuals: Vec<f64>,
    /// The factor by which e_t could be larger, or would have to be smaller, for a proof.
    margins: Curve,
    /// Certificates: the one that the trainer found, and later ones.
    looks: Vec<Look>,
}

/// A certificate of the narrow network after some steps.
struct Look {
    step: usize,
    certificate: Certificate,
    /// The largest distance of a neuron from where it was then, at each step from then on.
    movements: Vec<f64>,
}

impl Narrow {
    fn new((n, d, width): (usize, usize, usize)) -> Result<Self, Box<dyn std::error::Error>> {
        let data = common::sphere(n, d, SEED)?;
        let start = common::start(d, width, true, SEED).build()?;
        let trainer = || Trainer::new(KernelStable::default()).certify(EVERY);
        let report = trainer()
            .stop_when_proved(true)
            .max_steps(100_000)
            .fit(&mut start.clone(), &data)?;
        let proof = report.proof().ok_or("the run is not proved")?;
        println!("{proof}");

        // The same run, without stopping.
        let (mut residuals, mut weights) = (vec![start.residual(&data)?.norm()], vec![start.weights().clone()]);
        let observer = |progress: &Progress<'_, f64>| {
            residuals.push(progress.residual_norm());
            weights.extend(progress.weights());
            ControlFlow::Continue(())
        };
        trainer()
            .max_steps(100_000)
            .tolerance(1e-4)
            .observe(observer)
            .fit(&mut start.clone(), &data)?;

        let certify = |t: usize| {
            let net = ExpNetwork::from_parts(weights[t].clone(), start.output_weights().clone())?;
            certificate::certify_at(&net, &data, proof.step_size())
        };
        let mut margins = Vec::new();
        for t in (0..=proof.step() * 6 / 5).step_by(EVERY / 5) {
            margins.push((t as f64, certify(t)?.spare()));
        }
        let mut looks = Vec::new();
        for step in [1, 4, 16].map(|factor| factor * proof.step()) {
            let farthest = |now: &DMatrix<f64>| {
                (now - &weights[step])
                    .column_iter()
                    .map(|w| w.norm())
                    .fold(0.0, f64::max)
            };
            looks.push(Look {
                step,
                certificate: certify(step)?,
                movements: weights[step..].iter().map(farthest).collect(),
            });
        }
        Ok(Self {
            width,
            residuals,
            margins,
            looks,
        })
    }

    /// Prints what was proved at each look, and what happened.
    fn print(&self) {
        let row = |name: &str, cell: &dyn Fn(&Look) -> String| -> Vec<String> {
            std::iter::once(name.into())
                .chain(self.looks.iter().map(cell))
                .collect()
        };
        let target = 1e-3;
        let needed = |look: &Look| self.residuals[look.step..].iter().position(|&e| e <= target);
        let largest = |look: &Look| {
            let bounds = (0..).map(|t| look.certificate.residual_bound(t));
            self.residuals[look.step..]
                .iter()
                .zip(bounds)
                .map(|(e, bound)| e / bound)
                .fold(0.0, f64::max)
        };
        let rows = [
            row("‖e‖", &|look| format!("{:.3}", self.residuals[look.step])),
            row("steps to ‖e‖ ≤ 1e-3, proved", &|look| {
                look.certificate.steps_to(target).to_string()
            }),
            row("steps to ‖e‖ ≤ 1e-3, observed", &|look| {
                needed(look).map_or("-".into(), |t| t.to_string())
            }),
            row("largest ‖e‖ / proved bound", &|look| {
                format!("{:.3}", largest(look))
            }),
            row("largest movement of a neuron, proved", &|look| {
                format!("{:.3}", look.certificate.radius())
            }),
            row("largest movement of a neuron, observed", &|look| {
                format!("{:.3}", look.movements.iter().copied().fold(0.0, f64::max))
            }),
        ];
        common::print_table(
            &row(&format!("m = {}, from step", self.width), &|look| look.step.to_string()),
            &rows,
        );
    }
}

/// e_t at each step, actual and predicted by linear theory, and how far the neurons have moved.
struct Run {
    width: usize,
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
            width: net.width(),
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
    let size = format!("{:.2e}", certificate.step_size());
    let end = format!("‖e‖ after {last} steps, from {:.2}", norms[0]);
    let farthest = run.movements.iter().copied().fold(0.0, f64::max);
    let row = |name: &str, certified: &str, observed: &str| common::cells([name, certified, observed]);
    let rows = [
        row("step size", &size, &size),
        row(
            &end,
            &format!("≤ {:.2e}", bound[last].1),
            &format!("{:.2e}", norms[last]),
        ),
        row(
            "largest ‖e‖ / bound",
            "≤ 1",
            &format!("{:.3}", fractions.fold(0.0, f64::max)),
        ),
        row(
            "largest movement of a neuron",
            &format!("≤ {:.2e}", certificate.radius()),
            &format!("{farthest:.2e}"),
        ),
    ];
    let header = format!("m = {}, from the start", certificate.width());
    common::print_table(&common::cells([&header, "proved", "observed"]), &rows);
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

/// Above, the narrow run: the residual, what a proof lacks, the movement. Below, the wide one: the residual, its components,
/// the distance from linear theory.
fn draw(narrow: &Narrow, run: &Run, bound: Curve, gaps: Vec<(usize, Curve)>) -> Scene {
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
        narrow.residual_panel(),
        narrow.margin_panel(),
        narrow.movement_panel(),
        residual_panel(run, bound),
        component_panel(run),
        gaps,
    ];
    common::figure(panels, 3, (480.0, 380.0), Vec::new())
}

impl Narrow {
    fn residual_panel(&self) -> (Vec<Plot>, Layout) {
        let mut plots = vec![curve(by_step(self.residuals.iter().copied()), BLUE, "gradient descent")];
        for (look, colour) in self.looks.iter().zip(LOOKS) {
            let steps = look.step..self.residuals.len();
            let bound = steps.map(|t| (t as f64, look.certificate.residual_bound(t - look.step)));
            plots.push(curve(bound.collect(), colour, &format!("proved at step {}", look.step)));
        }
        let found = vec![(self.looks[0].step as f64, self.residuals[self.looks[0].step])];
        plots.push(Plot::Scatter(dots(logarithms(found), BLACK)));
        let title = format!("m = {}: residual, and bounds from some steps on", self.width);
        panel(plots, &title, "norm of e", LegendPosition::InsideBottomLeft, 1.0)
    }

    fn margin_panel(&self) -> (Vec<Plot>, Layout) {
        let last = self.margins.last().map_or(0.0, |point| point.0);
        let highest = self.margins.iter().map(|point| point.1).fold(0.0, f64::max);
        let found = self.looks[0].step as f64;
        let plots = vec![
            Plot::Line(line(self.margins.clone(), BLUE).with_legend("allowed / actual")),
            Plot::Line(line(vec![(0.0, 1.0), (last, 1.0)], BLACK).with_legend("proved above this line")),
            Plot::Line(
                line(vec![(found, 0.0), (found, highest)], GREY)
                    .with_dashed()
                    .with_legend("found by the trainer"),
            ),
        ];
        let layout = Layout::auto_from_plots(&plots)
            .with_title(format!("m = {}: how large the residual may be", self.width))
            .with_x_label("step")
            .with_y_label("allowed / actual norm of e")
            .with_y_axis_min(0.0)
            .with_y_axis_max(1.5)
            .with_legend_position(LegendPosition::InsideTopLeft);
        (plots, layout)
    }

    fn movement_panel(&self) -> (Vec<Plot>, Layout) {
        let mut plots = Vec::new();
        for (look, colour) in self.looks.iter().zip(LOOKS) {
            let at = |t: usize| (look.step + t) as f64;
            let moved = look.movements.iter().enumerate().map(|(t, &moved)| (at(t), moved));
            plots.push(curve(moved.collect(), colour, &format!("since step {}", look.step)));
            let radius = [0, look.movements.len() - 1].map(|t| (at(t), look.certificate.radius()));
            plots.push(Plot::Line(line(logarithms(radius), colour).with_dashed()));
        }
        let title = format!("m = {}: largest movement; dashed: proved", self.width);
        let label = "distance of a neuron";
        let (plots, layout) = panel(plots, &title, label, LegendPosition::InsideBottomRight, 1.0);
        (plots, layout.with_y_axis_min(-4.0))
    }
}

fn residual_panel(run: &Run, bound: Curve) -> (Vec<Plot>, Layout) {
    let linear = by_step(run.linear.iter().map(DVector::norm));
    let plots = vec![
        curve(bound, RED, "proved bound"),
        curve(
            by_step(run.residuals.iter().map(DVector::norm)),
            BLUE,
            "gradient descent",
        ),
        Plot::Scatter(some_dots(linear, BLACK).with_legend("linear theory")),
    ];
    let title = format!("m = {}: residual", run.width);
    panel(plots, &title, "norm of e", LegendPosition::InsideBottomLeft, 1.0)
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
    let title = format!("m = {}: along eigenvectors of G₀", run.width);
    let (plots, layout) = panel(plots, &title, "component of e", LegendPosition::InsideTopRight, 2.0);
    (plots, layout.with_y_axis_max(4.0))
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

//! A run whose convergence is proved: the residual, the certified bound above it, and what linear theory predicts.
//!
//!     cargo run --release --example certificate_in_action            # draws target/certificate_in_action.png
//!     cargo run --release --example certificate_in_action -- --full  # four times as many points
//!     cargo run --release --example certificate_in_action -- --small # four points
//!
//! x uniform on the unit sphere, y = +-1, and the narrowest antisymmetric start with a certificate, trained with the largest step
//! size that it allows. Linear theory holds the kernel fixed: e_t = (I - eta G_0)^t e_0.

mod common;

use common::{BLACK, BLUE, Curve, Effort, GREEN, ORANGE, PURPLE, RED, dots, line, logarithms};
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
    let (n, d) = Effort::from_arguments()?.pick((4, 4), (16, 8), (64, 16));
    let data = common::sphere(n, d, SEED)?;
    let (net, certificate) = NarrowestSearch::default().seed(!SEED).search(&data)?;
    println!("n = {n}, d = {d}, m = {}\n{certificate}\n", net.width());

    // As long as the certificate takes to a hundredth of the first residual.
    let first = data.labels().norm();
    let steps = usize::try_from(certificate.steps_to(0.01 * first))?;
    let run = Run::new(&net, &data, certificate.max_step_size(), steps)?;
    let bound = |t: f64| first * (1.0 - certificate.rate()).powf(t);
    let bound: Curve = (0..=steps).map(|t| (t as f64, bound(t as f64))).collect();
    report(&run, &bound, &certificate);

    let mut gaps = Vec::new();
    for (narrower, wider) in [(16, 1), (4, 1), (1, 1), (1, 16)] {
        // The same stream of neurons, more or fewer of them, and the same step size times width.
        let width = net.width() * wider / narrower / 2 * 2;
        let other = common::start(d, width, true, SEED).build()?;
        let size = certificate.max_step_size() * net.width() as f64 / width as f64;
        let gap = Run::new(&other, &data, size, steps)?.gap();
        let largest = gap.iter().map(|point| point.1).fold(0.0, f64::max);
        println!("m = {width:>6}: at most {largest:.1e} ||e_0|| from linear theory");
        gaps.push((width, gap));
    }
    common::save("certificate_in_action", &draw(&run, bound, &certificate, gaps))
}

/// e_t at each step, as it was and as linear theory has it, and how far the neurons had moved.
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
        let watch = |progress: &Progress<'_, f64>| {
            residuals.push(DVector::from_column_slice(progress.residual()));
            movements.push(progress.movement().largest);
            ControlFlow::Continue(())
        };
        Trainer::new(step_size)
            .max_steps(steps)
            .observe(watch)
            .fit(&mut net.clone(), data)?;

        // e_t = sum_k (1 - eta lambda_k)^t <v_k, e_0> v_k over the eigenpairs of G_0 = m H_0.
        let kernel = empirical_kernel(net, data.points())? * net.width() as f64;
        let spectrum = Spectrum::with_eigenvectors(&kernel)?;
        let directions = spectrum.eigenvectors().cloned().expect("they were asked for");
        let factors = spectrum.eigenvalues().map(|eigenvalue| 1.0 - step_size * eigenvalue);
        let mut parts = directions.tr_mul(&start);
        let mut linear = vec![start];
        for _ in 0..steps {
            parts.component_mul_assign(&factors);
            linear.push(&directions * &parts);
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
        let first = self.residuals[0].norm();
        let pairs = self.residuals.iter().zip(&self.linear);
        steps(pairs.map(|(residual, linear)| (residual - linear).norm() / first))
    }
}

/// Values against the steps 0, 1, ….
fn steps(values: impl Iterator<Item = f64>) -> Curve {
    values.enumerate().map(|(t, value)| (t as f64, value)).collect()
}

/// How the promises were kept.
fn report(run: &Run, bound: &Curve, certificate: &Certificate) {
    let shares = bound
        .iter()
        .zip(&run.residuals)
        .skip(1)
        .map(|((_, bound), residual)| residual.norm() / bound);
    let last = run.residuals.len() - 1;
    println!(
        "{last} steps: ||e_t|| is at most {:.3} of its bound, at every step",
        shares.fold(0.0, f64::max)
    );
    println!(
        "in the end {:.2e}, {:.2e} by linear theory, at most {:.2e} as certified",
        run.residuals[last].norm(),
        run.linear[last].norm(),
        bound[last].1
    );
    let farthest = run.movements.iter().copied().fold(0.0, f64::max);
    println!(
        "no neuron moved farther than {farthest:.2e}, {:.2} of the certified radius\n",
        farthest / certificate.radius()
    );
}

/// Four panels: the residual, its parts, the movement, and the distance from linear theory.
fn draw(run: &Run, bound: Curve, certificate: &Certificate, gaps: Vec<(usize, Curve)>) -> Scene {
    let curve = |points: Curve, colour, label: &str| Plot::Line(line(logarithms(points), colour).with_legend(label));
    let panel = |plots: Vec<Plot>, title: &str, label: &str, legend, step| {
        let layout = Layout::auto_from_plots(&plots)
            .with_title(title)
            .with_x_label("step")
            .with_y_label(label)
            .with_legend_position(legend);
        (plots, common::with_powers_of_ten(layout, step))
    };

    let residuals = vec![
        curve(bound, RED, "certified bound"),
        curve(steps(run.residuals.iter().map(DVector::norm)), BLUE, "gradient descent"),
        Plot::Scatter(few(steps(run.linear.iter().map(DVector::norm)), BLACK).with_legend("linear theory")),
    ];
    let first = panel(
        residuals,
        "residual",
        "norm of e",
        LegendPosition::InsideBottomLeft,
        1.0,
    );

    let n = run.directions.ncols();
    let mut parts = Vec::new();
    for (k, colour) in [(0, PURPLE), (n / 4, GREEN), (n / 2, ORANGE), (n - 1, BLUE)] {
        let along = |e: &DVector<f64>| run.directions.column(k).dot(e).abs();
        parts.push(curve(
            steps(run.residuals.iter().map(along)),
            colour,
            &format!("eigenvalue {}", k + 1),
        ));
        let predicted = steps(run.linear.iter().map(along))
            .into_iter()
            .filter(|point| point.1 > 1e-13);
        parts.push(Plot::Scatter(few(predicted.collect(), colour)));
    }
    let title = "its parts along eigenvectors of G₀; dots: linear theory";
    let (parts, layout) = panel(parts, title, "part of e", LegendPosition::InsideTopRight, 2.0);
    let second = (parts, layout.with_y_axis_max(4.0));

    let radius = vec![
        (0.0, certificate.radius()),
        ((run.movements.len() - 1) as f64, certificate.radius()),
    ];
    let movements = vec![
        curve(radius, RED, "certified radius"),
        curve(steps(run.movements.iter().copied()), BLUE, "gradient descent"),
    ];
    let title = "the neuron that moved farthest";
    let (movements, layout) = panel(
        movements,
        title,
        "distance from its start",
        LegendPosition::InsideBottomRight,
        1.0,
    );
    let third = (movements, layout.with_y_axis_min(-3.0));

    let shades = [RED, ORANGE, GREEN, BLUE];
    let gaps = gaps.into_iter().zip(shades);
    let gaps = gaps.map(|((width, gap), colour)| curve(gap, colour, &format!("m = {width}")));
    let title = "distance from linear theory";
    let (gaps, layout) = panel(
        gaps.collect(),
        title,
        "share of the first residual",
        LegendPosition::InsideTopRight,
        2.0,
    );
    let fourth = (gaps, layout.with_y_axis_max(0.0));
    common::figure(vec![first, second, third, fourth], 2, (560.0, 400.0), Vec::new())
}

/// Dots at 25 of the steps.
fn few(curve: Curve, colour: &str) -> ScatterPlot {
    let every = curve.len().div_ceil(25);
    dots(logarithms(curve.into_iter().step_by(every)), colour).with_size(3.0)
}

//! Six ways to the same minimum: the residual against passes over the neurons and against time.
//!
//!     cargo run --release --example gauss_newton_vs_gradient_descent            # draws target/gauss_newton_vs_gradient_descent.png
//!     cargo run --release --example gauss_newton_vs_gradient_descent -- --full  # ten times the steps
//!
//! x uniform on the unit sphere, y = +-1, antisymmetric start. Top: a wide network and a moderately conditioned kernel.
//! Bottom: many points in few dimensions, where the kernel is singular up to rounding. A pass is one evaluation over
//! all neurons; forming G takes n^2 m multiply-adds, which count in seconds but not as a pass.

mod common;

use common::{BLUE, BROWN, Curve, GREEN, GREY, ORANGE, RED};
use expnet::kernel::{Spectrum, empirical_kernel};
use expnet::method::{GaussNewton, GradientDescent};
use expnet::observer::{Observer, Progress};
use expnet::schedule::{Backtracking, BarzilaiBorwein, KernelStable};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Trainer};
use kuva::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The residuals in the table. A run stops at the last one.
const TARGETS: [f64; 2] = [1e-3, 1e-9];

/// (n, d, m) of the two problems.
const SHAPES: [(usize, usize, usize); 2] = [(128, 16, 16384), (300, 4, 2000)];

/// A name, a colour and a trainer.
type Contender = (&'static str, &'static str, fn() -> Trainer<'static, f64>);

const CONTENDERS: [Contender; 6] = [
    ("gradient descent, KernelStable", GREY, || {
        Trainer::new(KernelStable::default())
    }),
    ("the same with momentum 0.9", BROWN, || {
        Trainer::new(KernelStable::default()).method(GradientDescent::default().momentum(0.9))
    }),
    ("Backtracking", BLUE, || Trainer::new(Backtracking::default())),
    ("BarzilaiBorwein", GREEN, || Trainer::new(BarzilaiBorwein::default())),
    ("Levenberg-Marquardt", RED, || {
        Trainer::default().method(GaussNewton::default())
    }),
    ("Gauss-Newton, frozen", ORANGE, || {
        Trainer::default().method(GaussNewton::frozen())
    }),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = if common::full()? { 30_000 } else { 3000 };
    let mut panels = Vec::new();
    for (n, d, m) in SHAPES {
        let data = common::sphere(n, d, 1)?;
        let net = common::start(d, m, true, 1).build()?;
        let condition = Spectrum::new(&empirical_kernel(&net, data.points())?)?.condition();
        let condition = if condition < 1e4 {
            format!("{condition:.1}")
        } else {
            format!("{condition:.2e}")
        };
        println!("\nAt (n, d, m) = ({n}, {d}, {m}), the kernel has condition number {condition}.");
        let (mut traces, mut rows) = (Vec::new(), Vec::new());
        for (name, colour, trainer) in CONTENDERS {
            let (report, trace) = train(trainer().max_steps(steps), &net, &data)?;
            println!(
                "{name}: residual {:.1e} after {} steps",
                report.residual_norm(),
                report.steps()
            );
            rows.push(trace.row(name));
            traces.push((colour, trace));
        }
        print(&format!("({n}, {d}, {m})"), &rows);
        let title = format!("n = {n}, d = {d}, m = {m}");
        panels.push(panel(&title, "passes", &traces, |point| point.passes as f64));
        panels.push(panel(&title, "seconds", &traces, |point| point.seconds));
    }
    let legend = CONTENDERS.map(|(name, colour, _)| common::key(name, colour));
    let picture = common::figure(panels, 2, (620.0, 400.0), legend.to_vec());
    common::save("gauss_newton_vs_gradient_descent", &picture)
}

fn print(shape: &str, rows: &[Vec<String>]) {
    let mut header = common::cells([shape, "steps"]);
    for target in TARGETS {
        header.extend([format!("to {target:e}: passes"), "seconds".into()]);
    }
    common::print_table(&header, rows);
}

fn train(
    trainer: Trainer<'_, f64>,
    start: &ExpNetwork<f64>,
    data: &Dataset<f64>,
) -> Result<(FitReport<f64>, Trace), Error> {
    let mut trace = Trace::default();
    let report = trainer
        .tolerance(TARGETS[1])
        .observe(&mut trace as &mut dyn Observer<f64>)
        .fit(&mut start.clone(), data)?;
    Ok((report, trace))
}

/// A custom observer, which is also called at the start.
#[derive(Default)]
struct Trace(Vec<Point>);

impl Trace {
    /// A row of the table: the steps of the whole run, and what each target took.
    fn row(&self, name: &str) -> Vec<String> {
        let mut cells = vec![name.to_string(), (self.0.len() - 1).to_string()];
        for target in TARGETS {
            cells.extend(match self.0.iter().find(|point| point.residual <= target) {
                Some(point) => [point.passes.to_string(), format!("{:.3}", point.seconds)],
                None => ["-".into(), "-".into()],
            });
        }
        cells
    }
}

struct Point {
    passes: usize,
    seconds: f64,
    residual: f64,
}

impl Observer<f64> for Trace {
    fn start(&mut self, progress: &Progress<'_, f64>) -> ControlFlow<()> {
        self.step(progress)
    }

    fn step(&mut self, progress: &Progress<'_, f64>) -> ControlFlow<()> {
        self.0.push(Point {
            passes: progress.passes(),
            seconds: progress.elapsed().as_secs_f64(),
            residual: progress.residual_norm(),
        });
        ControlFlow::Continue(())
    }
}

fn panel(title: &str, label: &str, traces: &[(&str, Trace)], x: fn(&Point) -> f64) -> (Vec<Plot>, Layout) {
    // Drawn in reverse order, so that the first ones are on top.
    let lines = traces.iter().rev().map(|(colour, trace)| {
        let points: Curve = trace.0.iter().map(|point| (x(point), point.residual)).collect();
        Plot::Line(common::line(common::logarithms(points), colour))
    });
    let plots: Vec<Plot> = lines.collect();
    let layout = Layout::auto_from_plots(&plots)
        .with_title(title)
        .with_x_label(label)
        .with_y_label("‖F(W, X) − y‖")
        .with_log_x()
        .with_x_tick_format(TickFormat::Custom(Arc::new(|x| format!("{}", (1e6 * x).round() / 1e6))));
    (plots, common::with_powers_of_ten(layout, 2.0))
}

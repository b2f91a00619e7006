//! A step-size schedule of one's own, as a closure and as a struct, against three of the crate's.
//!
//! `cargo run --release --example custom_schedule` draws the residual of each run in `target/custom_schedule.png`.

use expnet::observer::History;
use expnet::schedule::{Backtracking, BarzilaiBorwein, KernelStable, Schedule, StepState};
use expnet::{Dataset, Float, Initializer, Trainer};
use kuva::prelude::*;
use nalgebra::{DMatrix, DVector};
use std::error::Error;

const PICTURE: &str = "target/custom_schedule.png";
const STEPS: usize = 300;

/// Grows the step by a tenth while the loss falls, and quarters it when it has risen ("bold driver").
struct BoldDriver {
    size: f64,
    last_loss: f64,
}

impl<T: Float> Schedule<T> for BoldDriver {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let loss = state.loss().as_f64();
        self.size *= if loss > self.last_loss { 0.25 } else { 1.1 };
        self.last_loss = loss;
        T::lit(self.size)
    }
}

/// Takes the parabola through the loss, its slope and one trial, and steps to its lowest point.
fn parabola(state: &mut StepState<'_, f64>) -> f64 {
    let trial = match state.last_step_size() {
        Some(size) => size,
        None => 1.0 / state.largest_kernel_eigenvalue(),
    };
    let rise = state.loss_at(trial) - state.loss() - trial * state.slope();
    let lowest = -state.slope() * trial * trial / (2.0 * rise);
    if rise > 0.0 { lowest.min(4.0 * trial) } else { trial }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Sixty points on the unit sphere in eight dimensions.
    let mut points = DMatrix::from_fn(8, 60, |k, i| {
        (1.0 + 0.7 * i as f64 + 1.3 * k as f64 + 0.37 * (i * k) as f64).sin()
    });
    for mut x in points.column_iter_mut() {
        x.normalize_mut();
    }
    let data = Dataset::new(points, DVector::from_fn(60, |i, _| (0.3 * i as f64).cos()))?;

    let schedules: [(&str, &str, Box<dyn Schedule<f64>>); 5] = [
        ("KernelStable", "#1f77b4", Box::new(KernelStable::default())),
        ("Backtracking", "#2ca02c", Box::new(Backtracking::default())),
        ("BarzilaiBorwein", "#9467bd", Box::new(BarzilaiBorwein::default())),
        (
            "a struct: bold driver",
            "#d62728",
            Box::new(BoldDriver {
                size: 1e-5,
                last_loss: f64::INFINITY,
            }),
        ),
        ("a closure: parabola", "#ff7f0e", Box::new(parabola)),
    ];
    let mut lines: Vec<Plot> = Vec::new();
    println!("schedule                steps   passes   residual norm");
    for (name, color, schedule) in schedules {
        let mut net = Initializer::new(8, 2048).antisymmetric(true).seed(1).build::<f64>()?;
        let mut history = History::default().movement(false);
        let trainer = Trainer::new(schedule)
            .max_steps(STEPS)
            .tolerance(1e-9)
            .observe(&mut history);
        let report = trainer.fit(&mut net, &data)?;
        println!(
            "{name:22} {:6} {:8} {:15.3e}",
            report.steps(),
            report.passes(),
            report.residual_norm()
        );
        let norms = history
            .steps()
            .iter()
            .zip(history.losses())
            .map(|(&t, loss)| (t as f64, (2.0 * loss).sqrt()));
        let norms: Vec<_> = norms.filter(|(_, norm)| *norm > 0.0).collect();
        let line = LinePlot::new()
            .with_data(norms)
            .with_color(color)
            .with_stroke_width(2.0);
        lines.push(line.with_legend(name).into());
    }
    let layout = Layout::auto_from_plots(&lines)
        .with_title("Five ways to choose the step size")
        .with_x_label("step")
        .with_y_label("‖F − y‖")
        .with_log_y()
        .with_width(800.0)
        .with_height(460.0);
    std::fs::create_dir_all("target")?;
    let scene = render_multiple(lines, layout);
    std::fs::write(PICTURE, PngBackend::new().with_scale(2.0).render_scene(&scene)?)?;
    println!("\ndrawn in {PICTURE}");
    Ok(())
}

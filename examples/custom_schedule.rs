//! Custom step-size schedules, as a closure and as a struct, against three built-in ones.
//!
//!     cargo run --release --example custom_schedule # draws target/custom_schedule.png

mod common;

use common::{BLUE, GREEN, ORANGE, PURPLE, RED};
use expnet::observer::Progress;
use expnet::schedule::{self, Backtracking, BarzilaiBorwein, KernelStable, Schedule, StepState};
use expnet::{Dataset, Initializer, Scaling, Trainer};
use kuva::prelude::*;
use nalgebra::DMatrix;
use std::error::Error;
use std::ops::ControlFlow;

const COLOURS: [&str; 5] = [BLUE, GREEN, PURPLE, ORANGE, RED];

/// The "bold driver": increases the step size while the loss falls, and halves it after the loss has risen.
struct BoldDriver {
    size: f64,
    last_loss: f64,
}

impl Schedule<f64> for BoldDriver {
    fn step_size(&mut self, state: &mut StepState<'_, f64>) -> f64 {
        if state.iteration() == 0 {
            // The stable step size by the tangent kernel, which costs a few passes over the neurons once.
            self.size = 1.0 / state.largest_kernel_eigenvalue();
        } else if state.loss() > self.last_loss {
            self.size *= 0.5;
        } else {
            self.size *= 1.05;
        }
        self.last_loss = state.loss();
        self.size
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let data = smooth_function()?;
    let start = Initializer::new(data.dimension(), 1024).antisymmetric(true).build()?;

    let mut lines = Vec::new();
    println!("{:<27} {:>12} {:>7} {:>9}", "schedule", "loss", "passes", "time");
    for ((name, schedule), colour) in schedules().into_iter().zip(COLOURS) {
        let mut curve = Vec::new();
        let report = Trainer::new(schedule)
            .max_steps(1000)
            .observe(|progress: &Progress<'_, f64>| {
                curve.push((progress.steps() as f64, progress.loss()));
                ControlFlow::Continue(())
            })
            .fit(&mut start.clone(), &data)?;
        println!(
            "{name:<27} {:>12.3e} {:>7} {:>9.1?}",
            report.loss(),
            report.passes(),
            report.elapsed()
        );
        lines.push(Plot::Line(common::line(curve, colour).with_legend(name)));
    }

    let layout = Layout::auto_from_plots(&lines)
        .with_title("Built-in and custom step-size schedules")
        .with_x_label("step")
        .with_y_label("loss")
        .with_log_scale()
        .with_width(800.0)
        .with_height(500.0)
        .with_force_margins(72.0, 24.0) // room for the last label on the x axis
        .with_legend_position(LegendPosition::InsideBottomLeft);
    common::save("custom_schedule", &render_multiple(lines, layout))
}

fn schedules() -> Vec<(&'static str, Box<dyn Schedule<f64>>)> {
    // Silver steps: mostly short ones, with ever longer ones at steps 1, 3, 7, 15, … (counted from 0). The long
    // steps are larger than a single step may be, but their product contracts faster (Altschuler and Parrilo,
    // arXiv 2309.16530). Here the longest ones are left out.
    let mut unit = 0.0;
    let silver = schedule::from_fn(move |state| {
        if state.iteration() == 0 {
            unit = 1.0 / state.largest_kernel_eigenvalue();
        }
        let level = (state.iteration() + 1).trailing_zeros().min(5);
        unit * (1.0 + (1.0 + 2.0_f64.sqrt()).powf(f64::from(level) - 1.0))
    });
    let bold_driver = BoldDriver {
        size: 0.0,
        last_loss: f64::INFINITY,
    };
    vec![
        ("KernelStable", Box::new(KernelStable::default())),
        ("Backtracking", Box::new(Backtracking::default())),
        (
            "BarzilaiBorwein, short",
            Box::new(BarzilaiBorwein::default().short(true)),
        ),
        ("closure: silver steps", Box::new(silver)),
        ("struct: bold driver", Box::new(bold_driver)),
    ]
}

/// 64 points of a smooth function of two variables, scaled.
fn smooth_function() -> Result<Dataset<f64>, expnet::Error> {
    let points = DMatrix::from_fn(2, 64, |k, i| (0.7 * (i + 1) as f64 * (k + 1) as f64).sin());
    let labels = points.column_iter().map(|x| (2.0 * x[0]).sin() + x[1] * x[1]);
    let labels = labels.collect::<Vec<_>>().into();
    let data = Dataset::new(points, labels)?;
    Scaling::fit(&data)?.apply(&data)
}

//! A progress bar on stderr.

use super::forecast::{Forecast, Goal, Mark, Outlook};
use super::{Observer, Progress};
use crate::float::Float;
use crate::report::FitReport;
use indicatif::{FormattedDuration, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A new text is formatted at most this often.
const REFRESH: Duration = Duration::from_millis(100);

/// A bar with the steps taken and their speed, the loss, the step size, the rate at which the residual norm falls, and
/// the time left. Silent where stderr is no terminal, and on all ranks of a distributed run but
/// the first.
///
/// The time left is that to the tolerance, if the residual norm goes on falling as it did in the last third of the run,
/// and never more than the remaining steps take. With minibatches it is a guess from noisy batches.
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer, observer::ProgressBar};
/// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// Trainer::new(1e-3).max_steps(50).observe(ProgressBar::default()).fit(&mut net, &data)?;
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Debug)]
pub struct ProgressBar {
    bar: indicatif::ProgressBar,
    drawn: Option<Instant>,
    forecast: Forecast,
    certified: Option<u64>,
}

impl Default for ProgressBar {
    fn default() -> Self {
        Self {
            bar: indicatif::ProgressBar::no_length(),
            drawn: None,
            forecast: Forecast::default(),
            certified: None,
        }
    }
}

impl ProgressBar {
    /// The number of steps after which a certificate promises the tolerance: the time left is then never more than
    /// these steps take.
    pub fn certified_steps(mut self, steps: u64) -> Self {
        self.certified = Some(steps);
        self
    }

    fn draw<T: Float>(&mut self, progress: &Progress<'_, T>) {
        let now = Mark {
            seconds: progress.elapsed().as_secs_f64(),
            steps: progress.steps(),
            residual_norm: progress.residual_norm().as_f64(),
        };
        let goal = Goal {
            tolerance: progress.tolerance(),
            max_steps: progress.max_steps(),
            certified: self.certified,
        };
        self.bar.set_message(text(progress, self.forecast.look(now, goal)));
        self.bar.set_position(progress.steps() as u64);
        self.drawn = Some(Instant::now());
    }
}

fn text<T: Float>(progress: &Progress<'_, T>, outlook: Outlook) -> String {
    let mut text = format!("loss {:.4e}", progress.loss());
    // Writing to a String does not fail.
    let _ = progress
        .validation_loss()
        .map(|loss| write!(text, ", validation {loss:.4e}"));
    let _ = progress.step_size().map(|size| write!(text, ", step size {size:.2e}"));
    let _ = outlook.rate.map(|rate| write!(text, ", residual x {rate:.6} a step"));
    let _ = outlook
        .left
        .map(|left| write!(text, ", {} left", FormattedDuration(left)));
    text
}

impl<T: Float> Observer<T> for ProgressBar {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        if progress.rank() > 0 {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.bar.reset();
        let template = if progress.max_steps() == usize::MAX {
            self.bar.unset_length();
            "{spinner} {pos} steps, {per_sec}, {msg}"
        } else {
            self.bar.set_length(progress.max_steps() as u64);
            "{bar:30} {pos}/{len} steps, {per_sec}, {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.forecast = Forecast::default();
        self.draw(progress);
        ControlFlow::Continue(())
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        if !self.bar.is_hidden() && self.drawn.is_none_or(|drawn| drawn.elapsed() >= REFRESH) {
            self.draw(progress);
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, report: &FitReport<T>) {
        self.bar.set_position(report.steps() as u64);
        self.bar
            .abandon_with_message(format!("loss {:.4e}: {}", report.loss(), report.termination()));
    }
}

impl Drop for ProgressBar {
    /// Leaves the terminal in order where a run ended in an error.
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

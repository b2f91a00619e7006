//! A progress bar on stderr.

use super::{Observer, Progress};
use crate::float::Float;
use crate::report::FitReport;
use indicatif::{ProgressDrawTarget, ProgressStyle};
use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The minimum time between two updates of the text.
const REFRESH: Duration = Duration::from_millis(100);

/// Shows a progress bar with the number of steps, steps per second, time remaining, loss, validation loss and step
/// size. Silent if stderr is not a terminal, and on all ranks of a distributed run but the first.
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer, observer::ProgressBar};
/// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// Trainer::new(1e-3).max_steps(50).observe(ProgressBar::default()).fit(&mut net, &data)?;
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct ProgressBar {
    bar: indicatif::ProgressBar,
    last_draw: Option<Instant>,
    certified_steps: Option<u64>,
}

impl Default for ProgressBar {
    fn default() -> Self {
        Self {
            bar: indicatif::ProgressBar::no_length(),
            last_draw: None,
            certified_steps: None,
        }
    }
}

impl ProgressBar {
    /// The number of steps after which a certificate guarantees the tolerance. The bar is full after this many steps,
    /// or after the maximum number of steps of the run if that is smaller.
    pub fn certified_steps(mut self, steps: u64) -> Self {
        self.certified_steps = Some(steps);
        self
    }

    fn draw<T: Float>(&mut self, progress: &Progress<'_, T>) {
        self.bar.set_message(text(progress));
        self.bar.set_position(progress.steps() as u64);
        self.last_draw = Some(Instant::now());
    }
}

fn text<T: Float>(progress: &Progress<'_, T>) -> String {
    let mut text = format!("loss {:.4e}", progress.loss());
    // Writing to a String cannot fail.
    let _ = progress
        .validation_loss()
        .map(|loss| write!(text, ", validation {loss:.4e}"));
    let _ = progress.step_size().map(|size| write!(text, ", step size {size:.2e}"));
    text
}

impl<T: Float> Observer<T> for ProgressBar {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        if progress.rank() > 0 {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.bar.reset();
        let length = self
            .certified_steps
            .unwrap_or(u64::MAX)
            .min(progress.max_steps() as u64);
        let template = if length == u64::MAX {
            self.bar.unset_length();
            "{spinner} {pos} steps, {per_sec}, {msg}"
        } else {
            self.bar.set_length(length);
            "{bar:30} {pos}/{len} steps, {per_sec}, {eta} left, {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.draw(progress);
        ControlFlow::Continue(())
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        if !self.bar.is_hidden() && self.last_draw.is_none_or(|time| time.elapsed() >= REFRESH) {
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
    /// Leaves the terminal in order if the run ends in an error.
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

//! A progress bar on stderr.

use super::{Observer, Progress};
use crate::float::Float;
use crate::report::FitReport;
use indicatif::{ProgressDrawTarget, ProgressStyle};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A new text is formatted at most this often.
const REFRESH: Duration = Duration::from_millis(100);

/// A bar with the steps taken, the loss, the step size and the rate. Silent where stderr is no terminal, and on
/// all ranks of a distributed run but the first.
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
}

impl Default for ProgressBar {
    fn default() -> Self {
        let bar = indicatif::ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {per_sec}, {msg}") {
            bar.set_style(style);
        }
        Self { bar, drawn: None }
    }
}

impl<T: Float> Observer<T> for ProgressBar {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        if progress.rank() > 0 {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.bar.reset();
        self.bar.set_length(progress.max_steps() as u64);
        ControlFlow::Continue(())
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        if !self.bar.is_hidden() && self.drawn.is_none_or(|drawn| drawn.elapsed() >= REFRESH) {
            let size = progress.step_size().unwrap_or(T::zero());
            let validation = progress
                .validation_loss()
                .map_or(String::new(), |loss| format!(", validation {loss:.4e}"));
            self.bar.set_message(format!(
                "loss {:.4e}{validation}, step size {size:.2e}",
                progress.loss()
            ));
            self.bar.set_position(progress.steps() as u64);
            self.drawn = Some(Instant::now());
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

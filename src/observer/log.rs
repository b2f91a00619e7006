//! Logs of a run, line by line while it goes on.

use super::{Observer, Progress};
use crate::error::Error;
use crate::float::Float;
use crate::report::FitReport;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The writer is flushed this often: a killed run loses no more.
const FLUSH: Duration = Duration::from_millis(100);

/// Writes a table in CSV while the run goes on: a header, then a line at the start and after each
/// [`every`](Self::every)-th step.
///
/// The columns are `step`, `loss`, `residual_norm`, `step_size`, `validation_loss`, `seconds`; what is unknown is left
/// empty. Each line is one write, and the writer is flushed ten times a second and at the end: a file that is not
/// buffered loses nothing when the run is killed. A line costs a few microseconds.
///
/// A log that cannot be written does not end the run. It ends the log, and the report says so
/// ([`FitReport::problems`]), as does [`finish`](Self::finish).
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer, observer::CsvLog};
/// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let mut log = CsvLog::new(Vec::new()).every(10); // or a `File`, or `std::io::stderr()`
/// let report = Trainer::new(1e-3).max_steps(50).observe(&mut log).fit(&mut net, &data)?;
/// assert!(report.problems().is_empty());
/// let text = String::from_utf8(log.finish()?).unwrap();
/// assert!(text.starts_with("step,loss,residual_norm,step_size,validation_loss,seconds\n0,2.5e-1,"));
/// assert_eq!(text.lines().count(), 7);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Debug)]
pub struct CsvLog<W> {
    lines: Lines<W>,
    header: bool,
}

/// Writes a JSON object a line while the run goes on, at the start and after each [`every`](Self::every)-th step.
///
/// The keys are those of [`CsvLog`]'s columns, and what is said there holds here; what is unknown, or not finite, is null.
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer, observer::JsonLog};
/// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let mut log = JsonLog::new(Vec::new()).every(10);
/// Trainer::new(1e-3).max_steps(50).observe(&mut log).fit(&mut net, &data)?;
/// let text = String::from_utf8(log.finish()?).unwrap();
/// assert!(text.starts_with(r#"{"step":0,"loss":2.5e-1,"residual_norm":"#));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonLog<W> {
    lines: Lines<W>,
}

/// The writer, and what became of it.
#[derive(Debug)]
struct Lines<W> {
    writer: W,
    every: usize,
    /// The line in the making: kept, so that a step allocates nothing.
    line: String,
    flushed: Option<Instant>,
    /// Why the log ended, and after which step.
    failure: Option<(usize, io::Error)>,
}

impl<W: Write> Lines<W> {
    fn new(writer: W) -> Self {
        Self {
            writer,
            every: 1,
            line: String::new(),
            flushed: None,
            failure: None,
        }
    }

    /// Writes the line. After a failure nothing more: a log with a hole would mislead.
    fn put(&mut self, step: usize) {
        if self.failure.is_none() {
            let due = self.flushed.is_none_or(|flushed| flushed.elapsed() >= FLUSH);
            let mut written = self.writer.write_all(self.line.as_bytes());
            if due {
                written = written.and_then(|()| self.writer.flush());
                self.flushed = Some(Instant::now());
            }
            self.failure = written.err().map(|error| (step, error));
        }
        self.line.clear();
    }

    fn flush(&mut self, step: usize) {
        if self.failure.is_none() {
            self.failure = self.writer.flush().err().map(|error| (step, error));
        }
    }

    fn problem(&self) -> Option<String> {
        let (step, error) = self.failure.as_ref()?;
        Some(format!(
            "the log ends at step {step}, where it could not be written: {error}"
        ))
    }

    fn finish(mut self) -> Result<W, Error> {
        match self.failure {
            None => self.writer.flush().map(|()| self.writer).map_err(|source| Error::Io {
                action: "writing the end of the log".into(),
                source,
            }),
            Some((step, source)) => Err(Error::Io {
                action: format!("writing the log, which ends at step {step}"),
                source,
            }),
        }
    }
}

impl<W: Write> CsvLog<W> {
    fn head(&mut self, step: usize) {
        if self.header {
            self.lines
                .line
                .push_str("step,loss,residual_norm,step_size,validation_loss,seconds\n");
            self.lines.put(step);
        }
    }

    fn record<T: Float>(&mut self, progress: &Progress<'_, T>) {
        let line = &mut self.lines.line;
        // Writing to a String does not fail.
        let _ = write!(
            line,
            "{},{:e},{:e},",
            progress.steps(),
            progress.loss(),
            progress.residual_norm()
        );
        for number in [progress.step_size(), progress.validation_loss()] {
            let _ = number.map_or(Ok(()), |x| write!(line, "{x:e}"));
            line.push(',');
        }
        let _ = writeln!(line, "{:.6}", progress.elapsed().as_secs_f64());
        self.lines.put(progress.steps());
    }

    /// Whether to write the header: yes by default. Say no where the writer appends to an earlier log.
    pub fn header(mut self, write: bool) -> Self {
        self.header = write;
        self
    }
}

impl<W: Write> JsonLog<W> {
    #[allow(clippy::unused_self)]
    fn head(&mut self, _: usize) {}

    fn record<T: Float>(&mut self, progress: &Progress<'_, T>) {
        let line = &mut self.lines.line;
        // Writing to a String does not fail.
        let _ = write!(line, "{{\"step\":{}", progress.steps());
        for (name, number) in [
            ("loss", Some(progress.loss())),
            ("residual_norm", Some(progress.residual_norm())),
            ("step_size", progress.step_size()),
            ("validation_loss", progress.validation_loss()),
        ] {
            let _ = match number {
                Some(x) if x.is_finite() => write!(line, ",\"{name}\":{x:e}"),
                _ => write!(line, ",\"{name}\":null"),
            };
        }
        let _ = writeln!(line, ",\"seconds\":{:.6}}}", progress.elapsed().as_secs_f64());
        self.lines.put(progress.steps());
    }
}

macro_rules! log {
    ($name:ident { $($field:ident: $value:expr),* }) => {
        impl<W: Write> $name<W> {
            /// A log to this writer, of every step.
            pub fn new(writer: W) -> Self {
                Self {
                    lines: Lines::new(writer),
                    $($field: $value),*
                }
            }

            /// A line at the start and every so many steps; 1 by default, 0 for the start only.
            pub fn every(mut self, steps: usize) -> Self {
                self.lines.every = steps;
                self
            }

            /// The writer, flushed.
            ///
            /// Errors: [`Error::Io`] where a line could not be written; the log ends before it.
            pub fn finish(self) -> Result<W, Error> {
                self.lines.finish()
            }
        }

        impl<T: Float, W: Write> Observer<T> for $name<W> {
            fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                self.head(progress.steps());
                self.record(progress);
                ControlFlow::Continue(())
            }

            fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                self.record(progress);
                ControlFlow::Continue(())
            }

            fn end(&mut self, report: &FitReport<T>) {
                self.lines.flush(report.steps());
            }

            fn problem(&self) -> Option<String> {
                self.lines.problem()
            }

            fn every(&self) -> usize {
                self.lines.every
            }
        }

        /// Lent to a trainer, to be finished after the run.
        impl<T: Float, W: Write> Observer<T> for &mut $name<W> {
            fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                Observer::start(*self, progress)
            }

            fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                Observer::step(*self, progress)
            }

            fn end(&mut self, report: &FitReport<T>) {
                Observer::end(*self, report);
            }

            fn problem(&self) -> Option<String> {
                self.lines.problem()
            }

            fn every(&self) -> usize {
                self.lines.every
            }
        }
    };
}
log!(CsvLog { header: true });
log!(JsonLog {});

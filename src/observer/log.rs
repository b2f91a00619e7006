//! Logs of a run, line by line while it goes on.

use super::{Observer, Progress};
use crate::error::Error;
use crate::float::Float;
use crate::report::FitReport;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A line that comes so soon after the last write waits for the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// Lines of fast steps are written once they take this many bytes.
const FULL: usize = 1 << 14;

/// Bytes of a line, at least.
const SHORTEST: usize = 16;

/// And at most.
const LONGEST: usize = 256;

/// Writes a table in CSV while the run goes on: a header, then a line at the start and after each
/// [`every`](Self::every)-th step.
///
/// The columns are `step`, `loss`, `residual_norm`, `step_size`, `validation_loss`, `seconds`; what is unknown is left
/// empty. Lines are written, whole, and flushed ten times a second and at the end: those of steps that follow each other faster
/// wait for the next, and are lost where the run is killed meanwhile. Each line of slower steps is written at once. A line costs
/// about a microsecond, so the writer needs no buffer of its own.
///
/// A run that is resumed begins with a line of the step it goes on from: in a log that is appended to, lines of steps that
/// were taken after the checkpoint stand twice, and the later one holds.
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
pub struct CsvLog<W: Write> {
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
pub struct JsonLog<W: Write> {
    lines: Lines<W>,
}

/// The writer, and what became of it.
#[derive(Debug)]
struct Lines<W: Write> {
    /// None once it was given back.
    writer: Option<W>,
    every: usize,
    /// What is not written yet. A step allocates nothing.
    pending: String,
    /// The steps of its lines, and where each ends.
    steps: Vec<(usize, usize)>,
    written: Option<Instant>,
    /// Why the log ended, and at which step.
    failure: Option<(usize, io::Error)>,
}

impl<W: Write> Lines<W> {
    fn new(writer: W) -> Self {
        Self {
            writer: Some(writer),
            every: 1,
            pending: String::with_capacity(FULL + LONGEST),
            steps: Vec::with_capacity(FULL / SHORTEST),
            written: None,
            failure: None,
        }
    }

    /// Takes up the line of this step, which is pending.
    fn put(&mut self, step: usize) {
        self.steps.push((step, self.pending.len()));
        if self.pending.len() >= FULL || self.written.is_none_or(|written| written.elapsed() >= INTERVAL) {
            self.write();
        }
    }

    /// Writes what is pending. After a failure nothing more: a log with a hole would mislead.
    fn write(&mut self) {
        if let (Some(writer), Some(&(last, _)), None) = (&mut self.writer, self.steps.last(), &self.failure)
            && let Err((bytes, error)) = write_all(writer, self.pending.as_bytes())
        {
            let cut = self.steps.iter().find(|(_, end)| *end > bytes);
            self.failure = Some((cut.map_or(last, |(step, _)| *step), error));
        }
        self.pending.clear();
        self.steps.clear();
        self.written = Some(Instant::now());
    }

    fn problem(&self) -> Option<String> {
        let (step, error) = self.failure.as_ref()?;
        Some(format!(
            "the log ends at step {step}, where it could not be written: {error}"
        ))
    }

    fn finish(mut self) -> Result<W, Error> {
        self.write();
        match (self.failure.take(), self.writer.take()) {
            (None, Some(writer)) => Ok(writer),
            (failure, _) => {
                let (step, source) = failure.unwrap_or_else(|| (0, io::ErrorKind::NotFound.into()));
                Err(Error::Io {
                    action: format!("writing the log, which ends at step {step}"),
                    source,
                })
            }
        }
    }
}

/// Writes and flushes; on failure it says how many bytes were taken.
fn write_all(writer: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut taken = 0;
    while taken < bytes.len() {
        match writer.write(&bytes[taken..]) {
            Ok(0) => return Err((taken, io::ErrorKind::WriteZero.into())),
            Ok(more) => taken += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((taken, error)),
        }
    }
    writer.flush().map_err(|error| (taken, error))
}

/// A log that is dropped has written what it could.
impl<W: Write> Drop for Lines<W> {
    fn drop(&mut self) {
        self.write();
    }
}

impl<W: Write> CsvLog<W> {
    fn head(&mut self) {
        if self.header {
            let header = "step,loss,residual_norm,step_size,validation_loss,seconds\n";
            self.lines.pending.push_str(header);
        }
    }

    fn record<T: Float>(&mut self, progress: &Progress<'_, T>) {
        let line = &mut self.lines.pending;
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
    fn head(&mut self) {}

    fn record<T: Float>(&mut self, progress: &Progress<'_, T>) {
        let line = &mut self.lines.pending;
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
                self.head();
                self.record(progress);
                ControlFlow::Continue(())
            }

            fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                self.record(progress);
                ControlFlow::Continue(())
            }

            fn end(&mut self, _: &FitReport<T>) {
                self.lines.write();
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

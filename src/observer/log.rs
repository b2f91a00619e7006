//! Logging a run line by line while it is in progress.

use super::{Observer, Progress};
use crate::error::Error;
use crate::float::Float;
use crate::report::FitReport;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A line that comes sooner than this after the last write is held back.
const INTERVAL: Duration = Duration::from_millis(100);

/// The number of pending bytes at which lines are written in any case.
const CAPACITY: usize = 1 << 14;

/// The minimum and maximum number of bytes of a line.
const MIN_LINE: usize = 16;
const MAX_LINE: usize = 256;

/// Logs a line in a [`Format`] at the start of the run, after every [`every`](Self::every)-th step and after the last.
///
/// Lines are written whole and flushed at most ten times per second, and at the end of the run. If steps are faster
/// than that, their lines are held back until the next flush and are lost if the run is killed before it; if steps are
/// slower, each line is written immediately. A line costs about a microsecond, and the writer needs no buffering of its
/// own.
///
/// A resumed run starts with a line for the step it resumes from. In a log that is appended to, steps taken after the
/// checkpoint therefore have two lines, of which the later one is valid.
///
/// If the log cannot be written, the run continues without it, and the error is reported by [`FitReport::problems`] and
/// by [`finish`](Self::finish).
///
/// ```
/// # use expnet::{Dataset, Initializer, Trainer, observer::{CsvLog, JsonLog}};
/// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let mut log = CsvLog::new(Vec::new()).every(10); // or a `File`, or `std::io::stderr()`
/// let mut lines = JsonLog::new(Vec::new()).every(10);
/// let report = Trainer::new(1e-3).max_steps(50).observe(&mut log).observe(&mut lines).fit(&mut net, &data)?;
/// assert!(report.problems().is_empty());
///
/// let text = String::from_utf8(log.finish()?).unwrap();
/// assert!(text.starts_with("step,loss,residual_norm,step_size,validation_loss,seconds\n0,2.5e-1,"));
/// assert_eq!(text.lines().count(), 7);
/// let text = String::from_utf8(lines.finish()?).unwrap();
/// assert!(text.starts_with(r#"{"step":0,"loss":2.5e-1,"residual_norm":"#));
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Log<W: Write, F> {
    format: F,
    /// `None` once [`finish`](Self::finish) has returned it.
    writer: Option<W>,
    every: usize,
    /// Lines not yet written. Its capacity suffices, so that steps do not allocate.
    pending: String,
    /// The step of each pending line, and where the line ends.
    steps: Vec<(usize, usize)>,
    last_write: Option<Instant>,
    /// The step at which the log ends, and why.
    failure: Option<(usize, io::Error)>,
}

/// A log as a CSV table with the columns `step`, `loss`, `residual_norm`, `step_size`, `validation_loss` and `seconds`.
/// Unknown values are left empty.
pub type CsvLog<W> = Log<W, Csv>;

/// A log with one JSON object per line. The keys are the columns of [`CsvLog`]; values that are unknown or not finite
/// are null.
pub type JsonLog<W> = Log<W, JsonLines>;

/// The format of the lines of a [`Log`].
pub trait Format {
    /// Appends what comes before the first line. Nothing by default.
    fn head(&self, text: &mut String) {
        let _ = text;
    }

    /// Appends one line, including the line break.
    fn line<T: Float>(&self, progress: &Progress<'_, T>, text: &mut String);
}

/// The format of [`CsvLog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csv {
    header: bool,
}

impl Default for Csv {
    fn default() -> Self {
        Self { header: true }
    }
}

/// The format of [`JsonLog`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonLines;

impl Format for Csv {
    fn head(&self, text: &mut String) {
        if self.header {
            text.push_str("step,loss,residual_norm,step_size,validation_loss,seconds\n");
        }
    }

    fn line<T: Float>(&self, progress: &Progress<'_, T>, text: &mut String) {
        let (loss, norm) = (progress.loss(), progress.residual_norm());
        // Writing to a String cannot fail.
        let _ = write!(text, "{},{loss:e},{norm:e},", progress.steps());
        for number in [progress.step_size(), progress.validation_loss()] {
            let _ = number.map_or(Ok(()), |x| write!(text, "{x:e}"));
            text.push(',');
        }
        let _ = writeln!(text, "{:.6}", progress.elapsed().as_secs_f64());
    }
}

impl Format for JsonLines {
    fn line<T: Float>(&self, progress: &Progress<'_, T>, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{{\"step\":{}", progress.steps());
        for (name, number) in [
            ("loss", Some(progress.loss())),
            ("residual_norm", Some(progress.residual_norm())),
            ("step_size", progress.step_size()),
            ("validation_loss", progress.validation_loss()),
        ] {
            let _ = match number {
                Some(x) if x.is_finite() => write!(text, ",\"{name}\":{x:e}"),
                _ => write!(text, ",\"{name}\":null"),
            };
        }
        let _ = writeln!(text, ",\"seconds\":{:.6}}}", progress.elapsed().as_secs_f64());
    }
}

impl<W: Write> Log<W, Csv> {
    /// Whether to write the header. Defaults to `true`; use `false` if the writer appends to an earlier log.
    pub fn header(mut self, on: bool) -> Self {
        self.format.header = on;
        self
    }
}

impl<W: Write, F: Format + Default> Log<W, F> {
    /// Creates a log of every step.
    pub fn new(writer: W) -> Self {
        Self {
            format: F::default(),
            writer: Some(writer),
            every: 1,
            pending: String::with_capacity(CAPACITY + MAX_LINE),
            steps: Vec::with_capacity(CAPACITY / MIN_LINE),
            last_write: None,
            failure: None,
        }
    }
}

impl<W: Write, F> Log<W, F> {
    /// The number of steps between two lines; the last step has a line in any case. Defaults to 1; with 0 there is only
    /// a line at the start.
    pub fn every(mut self, steps: usize) -> Self {
        self.every = steps;
        self
    }

    /// Flushes the log and returns its writer.
    ///
    /// Errors: [`Error::Io`] if a line could not be written. The log ends before that line.
    pub fn finish(mut self) -> Result<W, Error> {
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

    /// Writes pending lines. Does nothing after a failure, because a log with a gap would mislead.
    fn write(&mut self) {
        if let (Some(writer), Some(&(last, _)), None) = (&mut self.writer, self.steps.last(), &self.failure)
            && let Err((bytes, error)) = write_all(writer, self.pending.as_bytes())
        {
            let cut = self.steps.iter().find(|(_, end)| *end > bytes);
            self.failure = Some((cut.map_or(last, |(step, _)| *step), error));
        }
        self.pending.clear();
        self.steps.clear();
        self.last_write = Some(Instant::now());
    }
}

/// Writes and flushes. On failure, also returns how many bytes were written.
fn write_all(writer: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match writer.write(&bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    writer.flush().map_err(|error| (written, error))
}

impl<T: Float, W: Write, F: Format> Observer<T> for Log<W, F> {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.format.head(&mut self.pending);
        self.step(progress)
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.format.line(progress, &mut self.pending);
        self.steps.push((progress.steps(), self.pending.len()));
        if self.pending.len() >= CAPACITY || self.last_write.is_none_or(|time| time.elapsed() >= INTERVAL) {
            self.write();
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, _: &FitReport<T>) {
        self.write();
    }

    fn problem(&self) -> Option<String> {
        let (step, error) = self.failure.as_ref()?;
        Some(format!("the log ends at step {step}, where writing it failed: {error}"))
    }

    fn every(&self) -> usize {
        self.every
    }
}

/// Writes pending lines.
impl<W: Write, F> Drop for Log<W, F> {
    fn drop(&mut self) {
        self.write();
    }
}

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

/// Bytes of a line, at least and at most.
const SHORTEST: usize = 16;
const LONGEST: usize = 256;

/// Writes a line at the start of the run and after each [`every`](Self::every)-th step, in a [`Format`].
///
/// Lines are written whole, and flushed ten times per second and at the end: those of steps that follow each other faster
/// wait for the next, and are lost where the run is killed meanwhile. Each line of slower steps is written at once. A line
/// costs about a microsecond, so the writer needs no buffer of its own.
///
/// A run that is resumed begins with a line of the step it continues from: in a log that is appended to, steps that
/// were taken after the checkpoint have two lines, of which the later one holds.
///
/// A log that cannot be written does not end the run. It ends the log, and the report says so
/// ([`FitReport::problems`]), as does [`finish`](Self::finish).
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

/// A table in CSV: the columns are `step`, `loss`, `residual_norm`, `step_size`, `validation_loss`, `seconds`; what is unknown
/// is left empty.
pub type CsvLog<W> = Log<W, Csv>;

/// One JSON object per line: the keys are the columns of [`CsvLog`]; what is unknown or not finite is null.
pub type JsonLog<W> = Log<W, JsonLines>;

/// How a [`Log`] writes a record.
pub trait Format {
    /// Appends what comes before the first line.
    fn head(&self, text: &mut String) {
        let _ = text;
    }

    /// Appends one line, with its end.
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
        // Writing to a String does not fail.
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
        // Writing to a String does not fail.
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
    /// Whether to write the header: yes by default. Say no where the writer appends to an earlier log.
    pub fn header(mut self, write: bool) -> Self {
        self.format.header = write;
        self
    }
}

impl<W: Write, F: Format + Default> Log<W, F> {
    /// A log of every step.
    pub fn new(writer: W) -> Self {
        Self {
            format: F::default(),
            writer: Some(writer),
            every: 1,
            pending: String::with_capacity(FULL + LONGEST),
            steps: Vec::with_capacity(FULL / SHORTEST),
            written: None,
            failure: None,
        }
    }
}

impl<W: Write, F> Log<W, F> {
    /// The number of steps between two lines; 1 by default, 0 for a line at the start only.
    pub fn every(mut self, steps: usize) -> Self {
        self.every = steps;
        self
    }

    /// The writer, flushed.
    ///
    /// Errors: [`Error::Io`] where a line could not be written; the log ends before it.
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

impl<T: Float, W: Write, F: Format> Observer<T> for Log<W, F> {
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.format.head(&mut self.pending);
        self.step(progress)
    }

    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.format.line(progress, &mut self.pending);
        self.steps.push((progress.steps(), self.pending.len()));
        if self.pending.len() >= FULL || self.written.is_none_or(|written| written.elapsed() >= INTERVAL) {
            self.write();
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, _: &FitReport<T>) {
        self.write();
    }

    fn problem(&self) -> Option<String> {
        let (step, error) = self.failure.as_ref()?;
        Some(format!(
            "the log ends at step {step}, where it could not be written: {error}"
        ))
    }

    fn every(&self) -> usize {
        self.every
    }
}

/// A log that is dropped has written what it could.
impl<W: Write, F> Drop for Log<W, F> {
    fn drop(&mut self) {
        self.write();
    }
}

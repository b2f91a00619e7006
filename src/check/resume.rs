//! Whether a run resumes from a checkpoint as if it had never stopped.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::report::FitReport;
use crate::trainer::Trainer;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The result of [`resume`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResumeReport {
    /// The number of steps of the uninterrupted run.
    pub steps: usize,
    /// The number of resumed runs that were compared with it.
    pub compared: usize,
    /// For each resumed run that differs: the step at which it was resumed, and what differs.
    pub differences: Vec<(usize, String)>,
}

impl ResumeReport {
    /// Whether every resumed run gave the same bits as the uninterrupted one.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for ResumeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, compared, .. } = self;
        match self.differences.first() {
            None => write!(
                f,
                "a run of {steps} steps gives the same bits in all of {compared} resumed runs"
            ),
            Some((step, what)) => write!(
                f,
                "a run of {steps} steps differs in {} of {compared} resumed runs: resumed at step {step}, {what}",
                self.differences.len()
            ),
        }
    }
}

/// Checks that runs resume bit for bit, for instance with your own schedule or method.
///
/// Trains `net` for `steps` steps without interruption, then again with one interruption at each step from 0 to the
/// last, then once more with an interruption at every step. Compares weights and reports to the last bit.
///
/// `trainer` must make the same trainer each time, and the trainer must neither resume nor keep checkpoints itself. The
/// checkpoints are kept in a temporary folder.
///
/// ```
/// use expnet::schedule::{self, BarzilaiBorwein, Schedule};
/// use expnet::{Dataset, Initializer, Trainer, check};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.1]], &[0.5, -0.5])?;
/// let net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = check::resume(|| Trainer::new(BarzilaiBorwein::default().scale(0.9)), &net, &data, 6)?;
/// assert!(report.agrees(), "{report}");
///
/// let custom = schedule::stateless(|state| 1e-3 / (1.0 + state.iteration() as f64));
/// let report = check::resume(|| Trainer::new(custom), &net, &data, 6)?;
/// assert!(report.agrees(), "{report}");
/// # Ok::<(), expnet::Error>(())
/// ```
///
/// Costs about `steps`^2 steps.
///
/// Errors: those of [`Trainer::fit`] and of its checkpoints, including a schedule or method whose `save` returns
/// `None`.
pub fn resume<'a, T: Float>(
    trainer: impl Fn() -> Trainer<'a, T>,
    net: &ExpNetwork<T>,
    data: &Dataset<T>,
    steps: usize,
) -> Result<ResumeReport, Error> {
    compare_runs(&trainer, net, data, steps)
}

fn compare_runs<'a, T: Float>(
    trainer: &dyn Fn() -> Trainer<'a, T>,
    net: &ExpNetwork<T>,
    data: &Dataset<T>,
    steps: usize,
) -> Result<ResumeReport, Error> {
    let folder = Folder::new()?;
    let path = folder.0.join("run.checkpoint");
    let run = |net: &mut ExpNetwork<T>, steps: usize, resume: Option<&Path>, keep: bool| {
        let mut trainer = trainer().max_steps(steps);
        if keep {
            trainer = trainer.checkpoint(&path, usize::MAX);
        }
        if let Some(path) = resume {
            trainer = trainer.resume(path);
        }
        trainer.fit(net, data)
    };
    let mut whole = net.clone();
    let expected = run(&mut whole, steps, None, false)?;
    let mut report = ResumeReport {
        steps: expected.steps(),
        compared: 0,
        differences: Vec::new(),
    };
    let mut compare = |step: usize, parts: &ExpNetwork<T>, found: &FitReport<T>| {
        report.compared += 1;
        if let Some(what) = difference(&whole, parts, &expected, found) {
            report.differences.push((step, what));
        }
    };
    for stop in 0..=expected.steps() {
        let mut parts = net.clone();
        run(&mut parts, stop, None, true)?;
        let found = run(&mut parts, steps, Some(&path), false)?;
        compare(stop, &parts, &found);
    }
    let mut parts = net.clone();
    let mut found = run(&mut parts, 0, None, true)?;
    for stop in 1..=steps {
        found = run(&mut parts, stop, Some(&path), true)?;
    }
    compare(found.steps(), &parts, &found);
    Ok(report)
}

/// The first difference between two runs, to the last bit; times are not compared.
fn difference<T: Float>(
    whole: &ExpNetwork<T>,
    parts: &ExpNetwork<T>,
    expected: &FitReport<T>,
    found: &FitReport<T>,
) -> Option<String> {
    let bits = |x: T| x.as_f64().to_bits();
    let pairs = || whole.weights().iter().zip(parts.weights());
    if let Some(at) = pairs().position(|(&a, &b)| bits(a) != bits(b)) {
        let (k, r) = (at % whole.dimension(), at / whole.dimension());
        let (a, b) = (whole.weights()[at], parts.weights()[at]);
        return Some(format!("coordinate {k} of neuron {r} is {b:e} instead of {a:e}"));
    }
    let of = |report: &FitReport<T>| {
        let numbers = |x: Option<T>| x.map(bits);
        [
            ("the termination", format!("{:?}", report.termination())),
            ("the number of steps", report.steps().to_string()),
            ("the number of passes", report.passes().to_string()),
            ("the number of trial steps", report.trial_steps().to_string()),
            ("the number of undone steps", report.undone_steps().to_string()),
            ("the initial loss", format!("{:?}", bits(report.initial_loss()))),
            ("the loss", format!("{:?}", bits(report.loss()))),
            ("the last step size", format!("{:?}", numbers(report.last_step_size()))),
            ("the best step", format!("{:?}", report.best_step())),
            (
                "the validation loss",
                format!("{:?}", numbers(report.validation_loss())),
            ),
        ]
    };
    let differs = of(expected).into_iter().zip(of(found)).find(|(a, b)| a != b);
    differs.map(|((what, a), (_, b))| format!("{what} is {b} instead of {a}"))
}

/// A temporary folder, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Error> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "expnet-check-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|source| Error::Io {
            action: format!("creating the folder {}", path.display()),
            source,
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // If this fails, the system clears its temporary folder sometime.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

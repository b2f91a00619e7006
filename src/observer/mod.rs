//! Observing a run: the [`Observer`] trait and its implementations.
//!
//! ```
//! use expnet::observer::{History, Progress};
//! use expnet::{Dataset, Initializer, Termination, Trainer};
//! use std::ops::ControlFlow;
//!
//! let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
//! let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
//! let mut history = History::default();
//! let report = Trainer::new(1e-3)
//!     .observe(&mut history)
//!     .observe(|progress: &Progress<'_, f64>| match progress.steps() {
//!         30 => ControlFlow::Break(()), // a closure may stop the run
//!         _ => ControlFlow::Continue(()),
//!     })
//!     .fit(&mut net, &data)?;
//! assert_eq!(report.termination(), Termination::Stopped);
//! assert_eq!(history.losses().len(), 31); // the start and 30 steps
//! # Ok::<(), expnet::Error>(())
//! ```

mod history;
mod log;
#[cfg(feature = "progress")]
mod progress_bar;

pub use history::History;
pub use log::{Csv, CsvLog, Format, JsonLines, JsonLog, Log};
#[cfg(feature = "progress")]
pub use progress_bar::ProgressBar;

use crate::engine;
use crate::error::Error;
use crate::exact;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::report::FitReport;
use crate::step::Position;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::time::Duration;

/// Watches a run and may stop it.
pub trait Observer<T: Float> {
    /// Called after every [`every`](Self::every)-th step, and after the last. `Break` stops the run with
    /// [`Termination::Stopped`](crate::Termination::Stopped); after the last step it has no effect.
    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()>;

    /// Called once, before the first step (in a resumed run, at the step it resumes from). Does nothing by default.
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }

    /// Called once, after the last step and after the best weights have been restored, unless the run ends in an error.
    /// Does nothing by default.
    fn end(&mut self, report: &FitReport<T>) {
        let _ = report;
    }

    /// What went wrong in the observer, for [`FitReport::problems`]: a run does not stop because it could not be
    /// logged, but its report says so. Called once, after [`end`](Self::end). Returns `None` by default.
    fn problem(&self) -> Option<String> {
        None
    }

    /// The number of steps between two calls of [`step`](Self::step). 1 by default; 0 for never.
    ///
    /// Unless it is 0, the last step of a run is shown as well, even if the number of steps is not a multiple of it:
    /// before [`end`](Self::end), and while the weights are still those of the last step.
    fn every(&self) -> usize {
        1
    }
}

/// A closure is called after every step but not at the start: it sees steps 1, 2, ...
impl<T: Float, F: FnMut(&Progress<'_, T>) -> ControlFlow<()>> Observer<T> for F {
    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self(progress)
    }
}

/// Returns `f` unchanged, but lets the compiler infer the type of its argument, so that a closure needs no annotation.
///
/// ```
/// use expnet::{Trainer, observer};
/// use std::ops::ControlFlow;
///
/// let trainer = Trainer::<f64>::new(1e-3).observe(observer::from_fn(|progress| {
///     println!("{}", progress.loss());
///     ControlFlow::Continue(())
/// }));
/// ```
pub fn from_fn<T: Float, F: FnMut(&Progress<'_, T>) -> ControlFlow<()>>(f: F) -> F {
    f
}

/// Implements [`Observer`] for references to observers and boxes of them.
macro_rules! forward_impls {
    ($({$($generics:tt)*} $pointer:ty),* $(,)?) => {$(
        impl<T: Float, $($generics)*> Observer<T> for $pointer {
            fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                (**self).step(progress)
            }

            fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
                (**self).start(progress)
            }

            fn end(&mut self, report: &FitReport<T>) {
                (**self).end(report);
            }

            fn problem(&self) -> Option<String> {
                Observer::<T>::problem(&**self)
            }

            fn every(&self) -> usize {
                Observer::<T>::every(&**self)
            }
        }
    )*};
}
forward_impls!(
    {} &mut (dyn Observer<T> + '_),
    {} Box<dyn Observer<T> + '_>,
    {} &mut History,
    { W: std::io::Write, F: Format } &mut Log<W, F>,
);

/// A read-only view of a run between two steps.
#[derive(Debug)]
pub struct Progress<'a, T: Float> {
    pub(crate) position: &'a Position<T>,
    /// Holds the initial weights.
    pub(crate) network: &'a ExpNetwork<T>,
    pub(crate) validation_loss: Option<T>,
    pub(crate) max_steps: usize,
    pub(crate) tolerance: f64,
    pub(crate) elapsed: Duration,
}

impl<T: Float> Progress<'_, T> {
    /// The number of steps taken so far.
    pub fn steps(&self) -> usize {
        self.position.at().iteration()
    }

    /// The number of passes so far, as in [`FitReport::passes`].
    pub fn passes(&self) -> usize {
        self.position.engine().passes().all
    }

    /// The maximum number of steps of the run.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// The tolerance on ||e||_2 at which the run stops; 0 if none was set.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// The loss at the current weights (with minibatches, on the next batch).
    pub fn loss(&self) -> T {
        T::lit(self.position.at().loss())
    }

    /// ||e||_2 at the current weights, the square root of twice the loss.
    pub fn residual_norm(&self) -> T {
        T::lit((2.0 * self.position.at().loss()).sqrt())
    }

    /// The residual F - y at the current weights (with minibatches, on the next batch), whatever the sample weights: these
    /// enter [`loss`](Self::loss) and [`residual_norm`](Self::residual_norm).
    pub fn residual(&self) -> &[T] {
        self.position.at().difference()
    }

    /// The size of the step just taken; `None` before the first.
    pub fn step_size(&self) -> Option<T> {
        self.position.last_step_size().map(T::lit)
    }

    /// The last validation loss, if there is validation data.
    pub fn validation_loss(&self) -> Option<T> {
        self.validation_loss
    }

    /// The time since the start of the run, including set-up.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The index of this rank in a distributed run, and 0 in any other run.
    pub fn rank(&self) -> usize {
        self.position.engine().link().rank()
    }

    /// How far the weights have moved from the initial weights. Costs O(d m).
    ///
    /// In a distributed run this covers all ranks, and all of them must call it. NaN if another rank has failed.
    pub fn movement(&self) -> Movement {
        let moved = self.position.engine().movement(self.network.weights());
        // The error itself surfaces in the run's next exchange.
        moved.map_or(
            Movement {
                largest: f64::NAN,
                frobenius: f64::NAN,
            },
            |engine::Movement { largest, frobenius }| Movement { largest, frobenius },
        )
    }

    /// The current weights, d x m, or those of this rank's share in a distributed run. Costs a copy.
    ///
    /// Errors: not enough memory for the copy.
    pub fn weights(&self) -> Result<DMatrix<T>, Error> {
        let mut weights = self.network.weights().clone();
        self.position.engine().advance(&mut weights)?;
        Ok(weights)
    }

    /// Evaluates F at each column of `points` (d x k) with the current weights; in a distributed run, with this rank's
    /// share only. Costs a copy of the weights and a forward pass, O(k d m).
    ///
    /// Errors: those of [`ExpNetwork::forward`].
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, Trainer, observer};
    /// use std::ops::ControlFlow;
    ///
    /// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
    /// let mut outputs = Vec::new();
    /// let look = observer::from_fn(|progress| {
    ///     outputs.push(progress.forward(data.points()).map(|f| f[0]));
    ///     ControlFlow::Continue(())
    /// });
    /// Trainer::new(1e-3).max_steps(3).observe(look).fit(&mut net, &data)?;
    /// assert_eq!(outputs.pop().unwrap()?, net.forward(data.points())?[0]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn forward(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        let output_weights = self.network.output_weights().clone();
        ExpNetwork::from_parts(self.weights()?, output_weights)?.forward(points)
    }
}

/// How far the weights are from the initial weights: a little in lazy training, a lot in feature learning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Movement {
    /// The maximum over all neurons of ||w_r - w_r(0)||_2.
    #[serde(with = "exact::number")]
    pub largest: f64,
    /// The Frobenius norm ||W - W_0||_F.
    #[serde(with = "exact::number")]
    pub frobenius: f64,
}

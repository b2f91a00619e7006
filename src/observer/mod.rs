//! Watching a run: the [`Observer`] trait and the observers of the crate.
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
//!         30 => ControlFlow::Break(()), // a closure may end the run
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
    /// Called after each [`every`](Self::every)-th step. `Break` ends the run with
    /// [`Termination::Stopped`](crate::Termination::Stopped).
    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()>;

    /// Called once, before the first step (of a resumed run: at the step it continues from). Does nothing by default.
    fn start(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }

    /// Called once, after the last step and after the best weights have been put back; not when the run ends
    /// in an error. Does nothing by default.
    fn end(&mut self, report: &FitReport<T>) {
        let _ = report;
    }

    /// What went wrong while watching, for the report ([`FitReport::problems`]): a run does not end because it could not
    /// be logged, but its report says so. Asked once, after [`end`](Self::end); nothing by default.
    fn problem(&self) -> Option<String> {
        None
    }

    /// The number of steps between two calls of [`step`](Self::step): 1 by default, 0 for never.
    fn every(&self) -> usize {
        1
    }
}

/// A closure is called after every step, and not at the start: it sees steps 1, 2, ...
impl<T: Float, F: FnMut(&Progress<'_, T>) -> ControlFlow<()>> Observer<T> for F {
    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self(progress)
    }
}

/// `f`, with its argument's type inferred: a closure can then be written without annotations.
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

/// Observers that are lent or boxed are observers.
macro_rules! pass_on {
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
pass_on!(
    {} &mut (dyn Observer<T> + '_),
    {} Box<dyn Observer<T> + '_>,
    {} &mut History,
    { W: std::io::Write, F: Format } &mut Log<W, F>,
);

/// A read-only view of a run between two steps.
#[derive(Debug)]
pub struct Progress<'a, T: Float> {
    pub(crate) position: &'a Position<T>,
    /// Still with the initial weights.
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

    /// The number of sweeps over all neurons so far, as in [`FitReport::passes`].
    pub fn passes(&self) -> usize {
        self.position.engine().passes()
    }

    /// The number of steps after which the run ends at the latest.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// The bound on ||e||_2 at which the run ends; 0 where none was set.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// The loss at the current weights (on the coming batch, with minibatches).
    pub fn loss(&self) -> T {
        T::lit(self.position.at().loss())
    }

    /// ||e||_2 at the current weights.
    pub fn residual_norm(&self) -> T {
        T::lit((2.0 * self.position.at().loss()).sqrt())
    }

    /// The residual e at the current weights.
    pub fn residual(&self) -> &[T] {
        self.position.at().residual()
    }

    /// The size of the step just taken; `None` before the first.
    pub fn step_size(&self) -> Option<T> {
        self.position.last_step_size().map(T::lit)
    }

    /// The last validation loss, where validation was asked for.
    pub fn validation_loss(&self) -> Option<T> {
        self.validation_loss
    }

    /// The time since the run began, set-up included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The number of this rank in a distributed run, 0 in any other.
    pub fn rank(&self) -> usize {
        self.position.engine().link().rank()
    }

    /// How far the weights have moved from the initial ones. Costs O(d m).
    ///
    /// In a distributed run this is over all ranks, and all of them must ask; NaN where another rank has failed.
    pub fn movement(&self) -> Movement {
        let moved = self.position.engine().movement(self.network.weights());
        // The run itself meets the error in its next exchange.
        moved.map_or(
            Movement {
                largest: f64::NAN,
                frobenius: f64::NAN,
            },
            |engine::Movement { largest, frobenius }| Movement { largest, frobenius },
        )
    }

    /// The current weights, d x m; in a distributed run those of this rank's share. Costs a copy.
    ///
    /// Errors: no memory for it.
    pub fn weights(&self) -> Result<DMatrix<T>, Error> {
        let mut weights = self.network.weights().clone();
        self.position.engine().advance(&mut weights)?;
        Ok(weights)
    }

    /// F at each column of `points` (d x k) with the current weights; in a distributed run that of this rank's share alone.
    /// Costs a copy of the weights and a forward pass, O(k d m).
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

/// How far the weights are from the initial ones: little in lazy training, much in feature learning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Movement {
    /// max over neurons of ||w_r - w_r(0)||_2.
    pub largest: f64,
    /// ||W - W_0||, Frobenius.
    pub frobenius: f64,
}

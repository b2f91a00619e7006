//! The one loop that everything runs in.

mod session;

pub use session::Session;

use crate::dataset::Dataset;
use crate::engine::Memory;
use crate::error::Error;
use crate::float::Float;
use crate::method::{GradientDescent, Kind, Method};
use crate::network::ExpNetwork;
use crate::observer::Observer;
use crate::report::FitReport;
use crate::schedule::{KernelStable, Schedule};
use std::time::Duration;

/// Trains a network: which way by a [`Method`], how far by a [`Schedule`].
///
/// ```
/// use expnet::method::GradientDescent;
/// use expnet::schedule::{Constant, Schedule};
/// use expnet::{Dataset, Initializer, Trainer};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::new(Constant::new(1e-3)?.warmup(10))
///     .method(GradientDescent::default().momentum(0.9))
///     .max_steps(500)
///     .tolerance(1e-3)
///     .fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-3);
/// # Ok::<(), expnet::Error>(())
/// ```
pub struct Trainer<'a, T: Float> {
    /// `None` is the method's natural schedule.
    schedule: Option<Box<dyn Schedule<T> + 'a>>,
    method: Box<dyn Method<T> + 'a>,
    observers: Vec<Box<dyn Observer<T> + 'a>>,
    validation: Option<(&'a Dataset<T>, usize)>,
    max_steps: usize,
    tolerance: f64,
    max_time: Option<Duration>,
    stall: Option<(usize, f64)>,
    memory: Memory,
}

impl<T: Float> Default for Trainer<'_, T> {
    /// Gradient descent with the step size that the tangent kernel allows ([`KernelStable`]).
    fn default() -> Self {
        Self {
            schedule: None,
            method: Box::new(GradientDescent::default()),
            observers: Vec::new(),
            validation: None,
            max_steps: 1000,
            tolerance: 0.0,
            max_time: None,
            stall: None,
            memory: Memory::default(),
        }
    }
}

impl<'a, T: Float> Trainer<'a, T> {
    /// Gradient descent with the given schedule: a number, a closure, or one of [`schedule`](crate::schedule).
    pub fn new(schedule: impl Schedule<T> + 'a) -> Self {
        Self {
            schedule: Some(Box::new(schedule)),
            ..Self::default()
        }
    }

    /// Which way to step; gradient descent by default.
    pub fn method(mut self, method: impl Method<T> + 'a) -> Self {
        self.method = Box::new(method);
        self
    }

    /// The run ends after this many steps; 1000 by default, 0 is allowed.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }

    /// The run ends when ||F - y||_2 over all samples is at most `tolerance`; 0 by default.
    ///
    /// Tested before each step and after the last; with minibatches once an epoch.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The run ends once this time has passed, looked at after each step; unlimited by default.
    pub fn max_time(mut self, limit: Duration) -> Self {
        self.max_time = Some(limit);
        self
    }

    /// Early stopping: the run ends when the loss on `data` has not improved for `patience` steps, and
    /// the weights that were best on `data` are put back, whatever ends the run.
    ///
    /// With minibatches the loss is looked at once an epoch. Costs 2 k d m flops a step for k points.
    pub fn validation(mut self, data: &'a Dataset<T>, patience: usize) -> Self {
        self.validation = Some((data, patience));
        self
    }

    /// The run ends when the loss has not fallen by the fraction `relative` within `window` steps; off by default.
    pub fn stall(mut self, window: usize, relative: f64) -> Self {
        self.stall = Some((window, relative));
        self
    }

    /// Whether activations (n m numbers) are stored from pass to pass or computed again.
    pub fn memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// Adds an observer; they are called in this order.
    pub fn observe(mut self, observer: impl Observer<T> + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Trains `net` on `data`: [`start`](Self::start), [`step`](Session::step) to the end, [`finish`](Session::finish).
    ///
    /// A step costs 4 n d m flops and n m exponentials. The same inputs give the same bits on any
    /// number of threads.
    ///
    /// Errors: data of another dimension than the network, a bad setting, a schedule that makes no
    /// sense for the method, a bad step size, divergence. The network then holds the last weights at
    /// which the loss was finite.
    pub fn fit(self, net: &mut ExpNetwork<T>, data: &Dataset<T>) -> Result<FitReport<T>, Error> {
        let mut session = self.start(net, data)?;
        while session.step()?.is_none() {}
        session.finish()
    }

    /// Starts a run to be driven by hand, at the same speed.
    ///
    /// ```
    /// # use expnet::{Dataset, Initializer, Trainer};
    /// # let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// # let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
    /// let mut session = Trainer::new(1e-3).max_steps(3).start(&mut net, &data)?;
    /// while session.step()?.is_none() {
    ///     println!("{}", session.loss());
    /// }
    /// let report = session.finish()?;
    /// assert_eq!(report.steps(), 3);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn start<'s>(self, net: &'s mut ExpNetwork<T>, data: &Dataset<T>) -> Result<Session<'s, 'a, T>, Error> {
        Session::new(self, net, data)
    }

    fn check(&mut self, net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Kind, Error> {
        net.check_dimension(data.points())?;
        if let Some((validation, _)) = self.validation {
            net.check_dimension_of("the validation points", validation.points())?;
        }
        let sound = |holds, setting, value: f64, expected| {
            if holds {
                Ok(())
            } else {
                Err(Error::Setting {
                    setting,
                    value: value.to_string(),
                    expected,
                })
            }
        };
        let tolerance = self.tolerance;
        sound(
            tolerance.is_finite() && tolerance >= 0.0,
            "`Trainer::tolerance`",
            tolerance,
            "finite and at least 0",
        )?;
        if let Some((window, relative)) = self.stall {
            sound(window > 0, "the window of `Trainer::stall`", 0.0, "at least 1 step")?;
            sound(
                (0.0..1.0).contains(&relative),
                "the fraction of `Trainer::stall`",
                relative,
                "at least 0 and below 1",
            )?;
        }
        if let Some((_, 0)) = self.validation {
            sound(false, "the patience of `Trainer::validation`", 0.0, "at least 1 step")?;
        }
        let kind = self.method.prepare(data.samples())?;
        let schedule = self.schedule.get_or_insert_with(|| match kind {
            Kind::Dual | Kind::Penalized => Box::new(1.0),
            _ => Box::new(KernelStable::default()),
        });
        schedule.check(kind)?;
        Ok(kind)
    }
}

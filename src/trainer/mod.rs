//! The one loop that everything runs in.

mod session;

pub use session::Session;

use crate::communicator::{Communicator, Solo};
use crate::dataset::Dataset;
use crate::engine::Memory;
use crate::error::Error;
use crate::float::Float;
use crate::method::{GradientDescent, Kind, Method};
use crate::network::ExpNetwork;
use crate::observer::Observer;
use crate::report::FitReport;
use crate::schedule::{KernelStable, Schedule};
use std::any::type_name_of_val;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Records within each other that a checkpoint can hold: JSON is read to 128 levels, two a record.
const DEEPEST: usize = 48;

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
    communicator: Box<dyn Communicator>,
    checkpoint: Option<(PathBuf, usize)>,
    resume: Option<PathBuf>,
    /// The types of schedule and method, for errors.
    names: [&'static str; 2],
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
            communicator: Box::new(Solo),
            checkpoint: None,
            resume: None,
            names: ["the natural schedule", "gradient descent"],
        }
    }
}

impl<'a, T: Float> Trainer<'a, T> {
    /// Gradient descent with the given schedule: a number, a closure, or one of [`schedule`](crate::schedule).
    pub fn new(schedule: impl Schedule<T> + 'a) -> Self {
        let mut trainer = Self::default();
        trainer.names[0] = type_name_of_val(&schedule);
        trainer.schedule = Some(Box::new(schedule));
        trainer
    }

    /// Which way to step; gradient descent by default.
    pub fn method(mut self, method: impl Method<T> + 'a) -> Self {
        self.names[1] = type_name_of_val(&method);
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
    /// Tested before each step and after the last; with minibatches at the start and once an epoch.
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

    /// Keeps the whole state of the run in the file at `path`: after each `every`-th step (at least 1), and when the run
    /// is finished, whatever ends it but an error. [`resume`](Self::resume) goes on from there.
    ///
    /// The file is replaced whole or not at all, so that a kill at any moment leaves the last checkpoint or the new
    /// one. A step without one costs nothing more. Writing takes the current weights, the initial ones, and where there are
    /// some the velocity, the best weights and the last gradient, each of d m numbers at most (k m for d > n, where the run
    /// needs k coordinates only): 2 to 5 copies of the weights.
    ///
    /// On several ranks all ask for it, with the same interval, and rank 0 writes the file: that of the whole network, which any
    /// number of ranks can take up. The numbers pass rank 0 a message at a time, so that no rank holds more than its
    /// share. Costs an exchange of all that is written.
    ///
    /// Errors, before the first step: a schedule or method whose `save` gives nothing. Later: [`Error::Io`] where the file
    /// cannot be written ([`Error::Ranks`] on the ranks that don't write); the run then ends, the last checkpoint is still whole,
    /// and the network gets its weights.
    pub fn checkpoint(mut self, path: impl AsRef<Path>, every: usize) -> Self {
        self.checkpoint = Some((path.as_ref().to_path_buf(), every));
        self
    }

    /// Goes on from the checkpoint at `path`, to the same bits as if the run had never stopped.
    ///
    /// Give the same schedule, method, data, validation data and output weights as then; others are refused by name. What may
    /// be others: the limits (steps, time, tolerance, stall, patience), the observers, [`memory`](Self::memory), the number
    /// of threads, and that of ranks. On another SIMD level the run goes on from the same weights with the rounding of that level. The weights
    /// of the network that is given to [`fit`](Self::fit) are not looked at: the checkpoint has the current ones, and the initial
    /// ones, which movement and pull are measured from.
    ///
    /// On several ranks each reads its own neurons from the file, which all have to see. On as many ranks as before, with the
    /// same shares, the bits are the same; on another number, sums over neurons are rounded otherwise.
    ///
    /// Steps, passes and time are counted on from where they were, and observers are told to start at the step reached.
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, Trainer, schedule::KernelStable};
    ///
    /// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// let start = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
    /// let trainer = |steps| Trainer::new(KernelStable::default()).max_steps(steps);
    /// # let folder = std::env::temp_dir().join(format!("expnet-resume-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("run.checkpoint");
    ///
    /// let (mut whole, mut parts) = (start.clone(), start.clone());
    /// trainer(8).fit(&mut whole, &data)?;
    /// trainer(3).checkpoint(&path, 100).fit(&mut parts, &data)?;
    /// let report = trainer(8).resume(&path).fit(&mut parts, &data)?;
    /// assert_eq!(report.steps(), 8);
    /// assert!(whole.weights() == parts.weights());
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors, before the first step: no such file, one that is damaged or of another kind or version, another run's.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Self {
        self.resume = Some(path.as_ref().to_path_buf());
        self
    }

    /// The network is this rank's share of one that is spread over the ranks of `world`, see
    /// [`communicator`](crate::communicator); a whole network by default.
    ///
    /// Losses, step sizes and movements are those of the whole network, the same on every rank; weights are those of the
    /// share. A step exchanges one message of n + O(1) numbers (n^2 for a Gram matrix); clocks and observers, where any
    /// rank has them, add a small one.
    ///
    /// Every rank makes the same calls. An error on one rank is an error on all of them.
    pub fn communicator(mut self, world: impl Communicator + 'static) -> Self {
        self.communicator = Box::new(world);
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
        self.check_checkpoint()?;
        Ok(kind)
    }

    /// That a checkpoint can be kept, where one is asked for.
    fn check_checkpoint(&self) -> Result<(), Error> {
        let Some((_, every)) = self.checkpoint else {
            return Ok(());
        };
        if every == 0 {
            return Err(Error::Setting {
                setting: "the interval of `Trainer::checkpoint`",
                value: "0".into(),
                expected: "at least 1 step",
            });
        }
        let states = [
            (
                self.schedule.as_ref().map(Schedule::save),
                "this schedule's `save` gives no state to resume from; implement `Schedule::save` and `restore`, \
                 or put a function of the state alone into `schedule::stateless`",
            ),
            (
                Some(self.method.save()),
                "this method's `save` gives no state to resume from; implement `Method::save` and `restore`",
            ),
        ];
        for ((state, unknown), with) in states.into_iter().zip(self.names) {
            let reason = match state {
                Some(None) => unknown,
                Some(Some(record)) if record.depth() > DEEPEST => {
                    "its state is nested more than 48 records deep, which a checkpoint cannot hold: a schedule of one's \
                     own can do what so many combinators do"
                }
                _ => continue,
            };
            let what = "`Trainer::checkpoint`";
            return Err(Error::Incompatible { what, with, reason });
        }
        Ok(())
    }

    /// The validation data.
    fn watched(&self) -> Option<&'a Dataset<T>> {
        self.validation.map(|(data, _)| data)
    }

    /// What every rank must have been told alike.
    fn settings(&self) -> [u64; 8] {
        let (window, relative) = self.stall.unwrap_or((0, 0.0));
        let patience = self.validation.map_or(0, |(_, patience)| patience);
        [
            self.max_steps as u64,
            self.tolerance.to_bits(),
            window as u64,
            relative.to_bits(),
            patience as u64,
            u64::from(self.validation.is_some()),
            self.checkpoint.as_ref().map_or(0, |(_, every)| *every as u64),
            u64::from(self.resume.is_some()),
        ]
    }
}

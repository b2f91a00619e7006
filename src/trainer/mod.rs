//! The training loop.

mod feasible;
mod limits;
mod observers;
mod proving;
mod saving;
mod session;
mod start;
mod state;
mod validation;

pub use session::Session;

use crate::certificate::Effort;
use crate::communicator::{Communicator, Solo};
use crate::dataset::{Dataset, check_names};
use crate::engine::{Memory, Pass};
use crate::error::Error;
use crate::float::Float;
use crate::method::{DirectionKind, GradientDescent, Method};
use crate::network::ExpNetwork;
use crate::observer::Observer;
use crate::report::FitReport;
use crate::schedule::{KernelStable, Schedule, StrongWolfe};
use crate::setting::at_least_one;
use limits::{Limits, Stall};
use proving::Looks;
use std::any::type_name_of_val;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use validation::Validation;

/// Trains a network: a [`Method`] says which way to step, a [`Schedule`] how far.
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
#[must_use]
pub struct Trainer<'a, T: Float> {
    /// `None` for the method's natural schedule.
    schedule: Option<Box<dyn Schedule<T> + 'a>>,
    method: Box<dyn Method<T> + 'a>,
    observers: Vec<Box<dyn Observer<T> + 'a>>,
    validation: Option<Validation<'a, T>>,
    limits: Limits,
    memory: Memory,
    pass: Pass,
    communicator: Box<dyn Communicator>,
    checkpoint: Option<(PathBuf, usize)>,
    resume: Option<PathBuf>,
    looks: Option<Looks>,
    names: Names,
}

/// The schedule of a run and when to look for a proof, both checked.
type Checked<'a, T> = (Box<dyn Schedule<T> + 'a>, Looks);

/// The types of schedule and method, for error messages.
#[derive(Clone, Copy, Debug)]
struct Names {
    schedule: &'static str,
    method: &'static str,
}

impl<T: Float> Default for Trainer<'_, T> {
    /// Gradient descent with step size 1 / lambda_max of the tangent kernel, half the largest stable one ([`KernelStable`]). With
    /// another method the schedule is the natural one: 1 for Gauss-Newton, [`StrongWolfe`] for L-BFGS, 1e-3 for Adam.
    fn default() -> Self {
        Self {
            schedule: None,
            method: Box::new(GradientDescent::default()),
            observers: Vec::new(),
            validation: None,
            limits: Limits::default(),
            memory: Memory::default(),
            pass: Pass::default(),
            communicator: Box::new(Solo),
            checkpoint: None,
            resume: None,
            looks: None,
            names: Names {
                schedule: "the natural schedule",
                method: "gradient descent",
            },
        }
    }
}

impl<'a, T: Float> Trainer<'a, T> {
    /// Gradient descent with the given schedule: a number, a closure, or a type of [`schedule`](crate::schedule).
    pub fn new(schedule: impl Schedule<T> + 'a) -> Self {
        let mut trainer = Self::default();
        trainer.names.schedule = type_name_of_val(&schedule);
        trainer.schedule = Some(Box::new(schedule));
        trainer
    }

    /// Sets the method, which chooses the direction of each step; gradient descent by default.
    pub fn method(mut self, method: impl Method<T> + 'a) -> Self {
        self.names.method = type_name_of_val(&method);
        self.method = Box::new(method);
        self
    }

    /// Stops the run after this many steps; 1000 by default, 0 is allowed.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.limits.max_steps = steps;
        self
    }

    /// Stops the run once ||F - y||_2 over all samples, the square root of twice the loss (with sample weights too), is at
    /// most `tolerance`; 0 by default.
    ///
    /// Tested before each step and after the last one; with minibatches, at the start and once per epoch.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.limits.tolerance = tolerance;
        self
    }

    /// Stops the run once this much time has passed; tested after each step, unlimited by default.
    pub fn max_time(mut self, limit: Duration) -> Self {
        self.limits.max_time = Some(limit);
        self
    }

    /// Early stopping: stops the run when the loss on `data` has not improved for `patience` steps, and
    /// restores the weights with the smallest loss on `data`, whatever stops the run.
    ///
    /// The sample weights of `data` count, if it has any: those of the training data do not apply.
    ///
    /// With minibatches the loss is evaluated once per epoch, and `patience` counts epochs. Steps of size 0, as at the start of
    /// a warm-up, do not count. Costs 2 k d m flops per step for k points.
    pub fn validation(mut self, data: &'a Dataset<T>, patience: usize) -> Self {
        let best = None;
        self.validation = Some(Validation { data, patience, best });
        self
    }

    /// Stops the run when the loss has not fallen by the fraction `relative` within `window` steps (epochs, with minibatches; a
    /// step of size 0 does not count); off by default.
    pub fn stall(mut self, window: usize, relative: f64) -> Self {
        self.limits.stall = Some(Stall { window, relative });
        self
    }

    /// Whether activations (n m numbers) are stored between passes or recomputed; [`Memory::Auto`] by default.
    pub fn memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// How passes are computed; [`Pass::Auto`] by default. [`FitReport::expanded_passes`] says what was done.
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, Pass, Trainer};
    ///
    /// let rows: Vec<[f64; 2]> = (0..200).map(|i| (0.03 * f64::from(i)).sin_cos().into()).collect();
    /// let data = Dataset::from_rows(&rows, &vec![1.0; 200])?;
    /// let start = Initializer::new(2, 500).std_dev(0.5).antisymmetric(true).build::<f64>()?;
    /// let run = |pass| Trainer::new(1e-6).pass(pass).max_steps(5).fit(&mut start.clone(), &data);
    ///
    /// let (direct, expanded) = (run(Pass::Direct)?, run(Pass::Expansion)?);
    /// assert_eq!((direct.expanded_passes(), expanded.expanded_passes()), (0, 6));
    /// assert!((direct.loss() - expanded.loss()).abs() < 1e-12 * direct.loss());
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors of [`fit`](Self::fit): [`Pass::Expansion`] for points that span more than four dimensions.
    pub fn pass(mut self, pass: Pass) -> Self {
        self.pass = pass;
        self
    }

    /// Saves the complete state of the run in the file at `path`: every `every` steps (at least 1), and at the end of the
    /// run unless that is an error. [`resume`](Self::resume) continues from there.
    ///
    /// The file is replaced atomically: a kill at any moment leaves either the previous checkpoint or the new one. Steps in
    /// between cost nothing extra. The file holds the current and the initial weights and, in runs that have
    /// them, the velocity, the best weights and the last gradient, each of at most d m numbers (all but the initial weights only
    /// k m, where the run is reduced to the k dimensions that the points span): 2 to 5 copies of the weights.
    ///
    /// The format is that of [`ExpNetwork::save`](crate::ExpNetwork::save), with `kind` `checkpoint`.
    /// `tensor_checksums` has the CRC-64/XZ of each tensor, which [`resume`](Self::resume) and other programs can verify.
    ///
    /// On several ranks every rank must ask for it, with the same interval. Rank 0 then writes one file for the whole network,
    /// from which any number of ranks can resume. The numbers pass through rank 0 one message at a time, so that no rank holds
    /// more than its share. Costs an exchange of everything that is written.
    ///
    /// Errors, before the first step: a schedule or method whose `save` returns `None`; a folder in which no file can be
    /// written, or a file that must not be replaced. Later: [`Error::Io`] if the file
    /// cannot be written ([`Error::Ranks`] on the ranks that do not write). The run then stops, the previous checkpoint is
    /// intact, and the network holds the best weights if there is validation data, and the current ones otherwise.
    pub fn checkpoint(mut self, path: impl AsRef<Path>, every: usize) -> Self {
        self.checkpoint = Some((path.as_ref().to_path_buf(), every));
        self
    }

    /// Resumes from the checkpoint at `path`, to the same bits as if the run had never stopped.
    ///
    /// Schedule, method, data (with sample weights), validation data and output weights must be the same as before; others are refused by name.
    /// What may change: the limits (steps, time, tolerance, stall, patience), the observers, [`memory`](Self::memory), and the
    /// numbers of threads and ranks. On another SIMD level the run continues from the same weights with the rounding of that
    /// level. The weights of the network passed to [`fit`](Self::fit) do not matter: the checkpoint holds the current ones
    /// and the initial ones, from which movement and ridge are measured.
    ///
    /// On several ranks each reads its own neurons from the file, which all must be able to open. On as many ranks as before,
    /// with the same shares, the bits are the same; on another number of ranks, sums over neurons are rounded differently.
    ///
    /// Steps, passes and time continue to count from where they were; observers start at the step that was reached.
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
    /// Errors, before the first step: a file that is missing, damaged, of another kind or version, or from another run.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Self {
        self.resume = Some(path.as_ref().to_path_buf());
        self
    }

    /// Looks for a proof that the run converges, at every step number that is a multiple of `every` (at least 1), once the
    /// residual has fallen by a fifth since the last look, and at the end. The last look also tells how far the residual
    /// must fall at least; looks that cannot succeed are skipped. Once convergence is proved there are no more looks, and
    /// [`FitReport::proof`] has the [`Proof`](crate::certificate::Proof).
    ///
    /// What is proved: exact gradient descent with the step size of the run, from the weights of that step, converges to
    /// weights that fit the data exactly, at a certain rate. Networks far too narrow to be certified at the start are
    /// certified along the way. Where it costs little (n m (n + d^2) up to 2 * 10^5, without the reduction of
    /// coordinates that d > n/2 or so brings), the rounding of every step is counted as well, and the proof extends to the
    /// weights that were drawn ([`Proof::from_start`](crate::certificate::Proof::from_start)).
    ///
    /// For plain gradient descent with a step size that is constant from some step on: a number, [`Constant`],
    /// [`KernelStable`], [`Certified`], these after a warm-up, or a schedule of yours that implements
    /// [`Schedule::outlook`]. Does not change the run. On several ranks every rank must ask for it, and holds all weights
    /// during a look.
    ///
    /// A look costs O(n^2 m + n^3), and more for small problems: see [`Effort`](crate::certificate::Effort) and
    /// [`certify_effort`](Self::certify_effort).
    ///
    /// ```
    /// use expnet::{Dataset, Initializer, Trainer};
    ///
    /// let rows = [[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6], [0.0, -1.0]];
    /// let data = Dataset::from_rows(&rows, &[0.5, -0.5, 0.5, -0.5])?;
    /// let mut net = Initializer::new(2, 8).antisymmetric(true).seed(1).build::<f64>()?;
    /// let report = Trainer::default().certify(25).fit(&mut net, &data)?;
    /// let proof = report.proof().expect("a run that converges is proved in the end");
    /// println!("{proof}");
    /// assert!(proof.certificate().holds() && proof.from_start());
    /// # Ok::<(), expnet::Error>(())
    /// ```
    ///
    /// Errors, before the first step: `every` = 0; any other method; a schedule whose step sizes may always change; sample
    /// weights. Later: those of [`certificate::certify`](crate::certificate::certify()).
    ///
    /// [`Constant`]: crate::schedule::Constant
    /// [`Certified`]: crate::schedule::Certified
    pub fn certify(mut self, every: usize) -> Self {
        self.looks.get_or_insert_default().every = every;
        self
    }

    /// How much work [`certify`](Self::certify) may do: [`Effort::Auto`](crate::certificate::Effort::Auto) by default. With
    /// [`Effort::Full`](crate::certificate::Effort::Full) the rounding of every step is counted, with
    /// [`Effort::Basic`](crate::certificate::Effort::Basic) of none.
    pub fn certify_effort(mut self, effort: Effort) -> Self {
        self.looks.get_or_insert_default().effort = effort;
        self
    }

    /// Whether the run stops, as [`Termination::Proved`](crate::Termination::Proved), once [`certify`](Self::certify) has
    /// found a proof; false by default.
    pub fn stop_when_proved(mut self, stop: bool) -> Self {
        self.looks.get_or_insert_default().stop = stop;
        self
    }

    /// Trains a network that is spread over the ranks of `world`, of which the one passed to [`fit`](Self::fit) is this
    /// rank's share; see [`communicator`](crate::communicator). A whole network by default.
    ///
    /// Losses, step sizes and movements are those of the whole network, the same on every rank; weights are those of the
    /// share. A step exchanges one message of n + O(1) numbers (n^2 for a Gram matrix), and a small one more if any rank has a
    /// time limit or observers.
    ///
    /// Every rank must make the same calls. An error on one rank is an error on all of them.
    pub fn communicator(mut self, world: impl Communicator + 'static) -> Self {
        self.communicator = Box::new(world);
        self
    }

    /// Adds an observer. Observers are called in the order in which they were added.
    pub fn observe(mut self, observer: impl Observer<T> + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Adds an observer by reference, so that you can read it after the run.
    ///
    /// ```
    /// use expnet::observer::{Observer, Progress};
    /// use expnet::{Dataset, Initializer, Trainer};
    /// use std::ops::ControlFlow;
    ///
    /// #[derive(Default)]
    /// struct Losses(Vec<f64>);
    /// impl Observer<f64> for Losses {
    ///     fn step(&mut self, progress: &Progress<'_, f64>) -> ControlFlow<()> {
    ///         self.0.push(progress.loss());
    ///         ControlFlow::Continue(())
    ///     }
    /// }
    /// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
    /// let mut net = Initializer::new(2, 64).build()?;
    /// let mut losses = Losses::default();
    /// Trainer::new(1e-3).max_steps(5).observe_mut(&mut losses).fit(&mut net, &data)?;
    /// assert_eq!(losses.0.len(), 5);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn observe_mut(self, observer: &'a mut (impl Observer<T> + 'a)) -> Self {
        self.observe(observer as &mut (dyn Observer<T> + 'a))
    }

    /// Trains `net` on `data`: [`start`](Self::start), [`step`](Session::step) until the run is over, [`finish`](Session::finish).
    ///
    /// A step costs 4 n d m flops and n m exponentials, or far less in few coordinates (see [`Pass`]). The same inputs give the same bits on any
    /// number of threads.
    ///
    /// A trainer is neither `Send` nor `Sync`, so that schedules, methods and observers may share an `Rc` or a `Cell` with
    /// your code: build it on the thread on which it runs.
    ///
    /// Errors: data whose dimension is not the network's, an invalid setting, a schedule that does not fit
    /// the method, an invalid step size, divergence. The network then holds the last weights at
    /// which the loss was finite.
    pub fn fit(self, net: &mut ExpNetwork<T>, data: &Dataset<T>) -> Result<FitReport<T>, Error> {
        let mut session = self.start(net, data)?;
        while session.step()?.is_none() {}
        session.finish()
    }

    /// Starts a run that you step yourself, at the same speed.
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

    /// Checks everything that can be checked before the first step, and returns the schedule of the run.
    fn check(&mut self, net: &ExpNetwork<T>, data: &Dataset<T>, ranks: usize) -> Result<Checked<'a, T>, Error> {
        net.check_dimension(data.points())?;
        self.limits.check()?;
        let names = data.names();
        if let Some(Validation { data, patience, .. }) = self.validation {
            net.check_dimension_of("the validation points", data.points())?;
            check_names(names, data.names(), "the validation data")?;
            at_least_one("`patience` of `Trainer::validation`", patience)?;
        }
        self.method.prepare(data.samples())?;
        let kind = self.method.kind();
        if kind.is_in_weights() && ranks > 1 {
            return Err(Error::Incompatible {
                what: self.names.method,
                with: "several ranks",
                reason: "its directions in weight space are sums over all weights, of which a rank holds a share; use \
                         `GradientDescent`, `Minibatch` or `GaussNewton`",
            });
        }
        let schedule = self.schedule.take().unwrap_or_else(|| natural(kind));
        schedule.check(kind)?;
        if let Some((_, every)) = self.checkpoint {
            at_least_one("`every` of `Trainer::checkpoint`", every)?;
            saving::check(&*schedule, &*self.method, self.names)?;
        }
        let looks = proving::check(self.looks)?;
        if looks.every > 0 {
            proving::check_subject(&*schedule, kind, data, self.names)?;
        }
        Ok((schedule, looks))
    }

    /// The settings that must be the same on every rank.
    fn settings(&self) -> [u64; 12] {
        let Limits { stall, .. } = self.limits;
        let Stall { window, relative } = stall.unwrap_or(Stall {
            window: 0,
            relative: 0.0,
        });
        let looks = self.looks.unwrap_or_default();
        let patience = self.validation.as_ref().map_or(0, |validation| validation.patience);
        [
            self.limits.max_steps as u64,
            self.limits.tolerance.to_bits(),
            window as u64,
            relative.to_bits(),
            patience as u64,
            u64::from(self.validation.is_some()),
            self.checkpoint.as_ref().map_or(0, |(_, every)| *every as u64),
            u64::from(self.resume.is_some()),
            looks.every as u64,
            looks.effort as u64,
            u64::from(looks.stop),
            self.pass as u64,
        ]
    }
}

/// The schedule of a method without one.
fn natural<'a, T: Float>(kind: DirectionKind) -> Box<dyn Schedule<T> + 'a> {
    match kind {
        DirectionKind::Weights => Box::new(StrongWolfe::default()),
        DirectionKind::ScaledGradient => Box::new(1e-3),
        kind if kind.is_dual() => Box::new(1.0),
        _ => Box::new(KernelStable::default()),
    }
}

impl<T: Float> fmt::Debug for Trainer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("schedule", &self.names.schedule)
            .field("method", &self.names.method)
            .field("observers", &self.observers.len())
            .field("limits", &self.limits)
            .field("memory", &self.memory)
            .field("pass", &self.pass)
            .field("checkpoint", &self.checkpoint)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

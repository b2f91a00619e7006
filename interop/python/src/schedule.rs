//! Step sizes: numbers, callables, and the crate's schedules by name.

use crate::bridge::{Callable, Line};
use crate::error::{exception, refused};
use crate::setters::with;
use expnet::schedule as built_in;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;

/// A schedule of the crate, ready to run.
type Built<'a> = Box<dyn built_in::Schedule<f64> + 'a>;

/// What a schedule is made of, so that any number of runs can each have their own.
#[derive(Clone)]
pub enum Plan {
    /// A schedule of the crate.
    Leaf(Arc<dyn Fn() -> Built<'static> + Send + Sync>, String),
    /// A callable of Python's.
    Callable(Callable),
    /// A linear warmup before a schedule.
    Warmup(Arc<Plan>, usize),
    /// A schedule between two bounds.
    Clamp(Arc<Plan>, f64, f64),
    /// A multiple of a schedule.
    Scale(Arc<Plan>, f64),
    /// One schedule for some steps, then another.
    Then(Arc<Plan>, usize, Arc<Plan>),
}

impl Plan {
    fn leaf(schedule: impl built_in::Schedule<f64> + Clone + Debug + Send + Sync + 'static) -> Self {
        let text = format!("{schedule:?}");
        Self::Leaf(Arc::new(move || Box::new(schedule.clone())), text)
    }

    /// A schedule in its first state; callables are reached by `line`.
    pub fn build<'a>(&self, line: &'a Line<'_>) -> Built<'a> {
        use built_in::Schedule;
        match self {
            Self::Leaf(make, _) => make(),
            Self::Callable(callable) => Box::new(line.schedule(callable.clone())),
            Self::Warmup(inner, steps) => Box::new(inner.build(line).warmup(*steps)),
            Self::Clamp(inner, low, high) => Box::new(inner.build(line).clamp(*low, *high)),
            Self::Scale(inner, factor) => Box::new(inner.build(line).scale(*factor)),
            Self::Then(first, steps, next) => Box::new(first.build(line).then(*steps, next.build(line))),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Leaf(_, text) => text.clone(),
            Self::Callable(_) => "a callable".into(),
            Self::Warmup(inner, steps) => format!("{}.warmup({steps})", inner.text()),
            Self::Clamp(inner, low, high) => format!("{}.clamp({low}, {high})", inner.text()),
            Self::Scale(inner, factor) => format!("{}.scale({factor})", inner.text()),
            Self::Then(first, steps, next) => format!("{}.then({steps}, {})", first.text(), next.text()),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Plan {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(schedule) = object.cast::<Schedule>() {
            return Ok(schedule.get().plan.clone());
        }
        if object.is_callable() {
            return Ok(Self::Callable(Arc::new(object.to_owned().unbind())));
        }
        match object.extract::<f64>() {
            Ok(size) => Ok(Self::leaf(size)),
            Err(_) => Err(PyTypeError::new_err(format!(
                "a schedule is a number, a callable, or one of `expnet.schedules`; found {}",
                object.get_type().name()?
            ))),
        }
    }
}

/// How far to step: made by the functions of `expnet.schedules`.
#[pyclass(frozen, module = "expnet")]
pub struct Schedule {
    plan: Plan,
}

impl Schedule {
    fn of(schedule: impl built_in::Schedule<f64> + Clone + Debug + Send + Sync + 'static) -> Self {
        let plan = Plan::leaf(schedule);
        Self { plan }
    }

    fn shared(&self) -> Arc<Plan> {
        Arc::new(self.plan.clone())
    }
}

#[pymethods]
impl Schedule {
    /// A schedule from a number or a callable, so that it has the methods below.
    #[new]
    fn new(schedule: Plan) -> Self {
        Self { plan: schedule }
    }

    /// Precedes this schedule with a linear warmup from 0 over this many steps.
    fn warmup(&self, steps: usize) -> Self {
        let plan = Plan::Warmup(self.shared(), steps);
        Self { plan }
    }

    /// Clamps every size to low..high. The bounds are checked when a run starts.
    fn clamp(&self, low: f64, high: f64) -> Self {
        let plan = Plan::Clamp(self.shared(), low, high);
        Self { plan }
    }

    /// Multiplies every size by a positive factor, which is checked when a run starts.
    fn scale(&self, factor: f64) -> Self {
        let plan = Plan::Scale(self.shared(), factor);
        Self { plan }
    }

    /// Uses this schedule for some steps, then `next`, which counts from its own step 0.
    fn then(&self, steps: usize, next: Plan) -> Self {
        let plan = Plan::Then(self.shared(), steps, Arc::new(next));
        Self { plan }
    }

    fn __repr__(&self) -> String {
        format!("<expnet.Schedule {}>", self.plan.text())
    }
}

/// Defines a function of Python's per schedule: its name, what makes the schedule, and its arguments.
macro_rules! schedules {
    ($(#[doc = $doc:literal])* $name:ident($($arg:ident: $type:ty),*; $($option:ident: $option_type:ty),*) = $new:expr; $($rest:tt)*) => {
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = ($($arg,)* $($option = None),*))]
        pub fn $name($($arg: $type,)* $($option: Option<$option_type>),*) -> PyResult<Schedule> {
            let schedule = $new;
            Ok(Schedule::of(with!(schedule $(, $option($option))*)))
        }
        schedules! { $($rest)* }
    };
    () => {};
}

schedules! {
    /// A constant size.
    constant(size: f64;) = built_in::Constant::new(size).map_err(exception)?;
    /// initial / (1 + rate t / steps).
    inverse_time(initial: f64, rate: f64; steps: usize, staircase: bool) =
        built_in::InverseTime::new(initial, rate).map_err(exception)?;
    /// initial factor^floor(t / every).
    step_decay(initial: f64, factor: f64, every: usize;) =
        built_in::StepDecay::new(initial, factor, every).map_err(exception)?;
    /// initial rate^(t / steps).
    exponential_decay(initial: f64, rate: f64, steps: usize; begin: usize, staircase: bool, end: f64) =
        built_in::ExponentialDecay::new(initial, rate, steps).map_err(exception)?;
    /// (initial - end) (1 - t / steps)^power + end.
    polynomial(initial: f64, end: f64, steps: usize; power: f64, begin: usize) =
        built_in::Polynomial::new(initial, end, steps).map_err(exception)?;
    /// Half a cosine from `initial` to alpha times it; `restarts` multiplies the length of each cycle.
    cosine(initial: f64, steps: usize; alpha: f64, exponent: f64, restarts: usize) =
        built_in::Cosine::new(initial, steps).map_err(exception)?;
    /// Rises to `peak` once, then falls, along half a cosine each.
    one_cycle(peak: f64, steps: usize; start_share: f64, div_factor: f64, final_div_factor: f64) =
        built_in::OneCycle::new(peak, steps).map_err(exception)?;
    /// Reduced by a factor whenever the loss stops falling.
    reduce_on_plateau(initial: f64; factor: f64, patience: usize, threshold: f64, cooldown: usize, min_size: f64) =
        built_in::ReduceOnPlateau::new(initial).map_err(exception)?;
    /// factor / lambda_max of the tangent Gram matrix, found again every `refresh` steps: the default of gradient descent.
    kernel_stable(; factor: f64, refresh: usize) = built_in::KernelStable::default();
    /// Armijo's line search; the accepted trial becomes the step.
    backtracking(; initial: f64, armijo: f64, shrink: f64, grow: f64, max: f64) = built_in::Backtracking::default();
    /// Line search with the strong Wolfe conditions, for every method without a penalty: the default of L-BFGS.
    strong_wolfe(; initial: f64, armijo: f64, curvature: f64) = built_in::StrongWolfe::default();
    /// scaling (L - minimum) / (||grad L||^2 + eps), at most `max`.
    polyak(; scaling: f64, max: f64, minimum: f64, eps: f64) = built_in::Polyak::default();
    /// The inverse curvature along the last step, with safeguards.
    barzilai_borwein(; initial: f64, short: bool) = built_in::BarzilaiBorwein::default();
    /// Grows while the gradient keeps its direction, shrinks when it reverses.
    delta_bar_delta(; initial: f64, growth: f64, shrink: f64) = built_in::DeltaBarDelta::default();
}

/// A triangle wave from `base` to `peak`: `up` steps up, `down` steps down. Peaks may halve from cycle to cycle, or decay
/// like decay^t.
#[pyfunction]
#[pyo3(signature = (base, peak, up, down = None, halving = false, decay = None))]
pub fn cyclic(
    base: f64,
    peak: f64,
    up: usize,
    down: Option<usize>,
    halving: bool,
    decay: Option<f64>,
) -> PyResult<Schedule> {
    let schedule = with!(built_in::Cyclic::new(base, peak, up).map_err(exception)?, down(down));
    match (halving, decay) {
        (false, None) => Ok(Schedule::of(schedule)),
        (true, None) => Ok(Schedule::of(schedule.halving())),
        (false, Some(gamma)) => Ok(Schedule::of(schedule.decay(gamma))),
        (true, Some(_)) => Err(refused(
            "`halving` cannot be combined with `decay`: give one of the two",
        )),
    }
}

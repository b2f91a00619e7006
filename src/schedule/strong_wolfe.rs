//! Line search with the strong Wolfe conditions.

use super::{Schedule, StepState};
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::record::Record;
use crate::setting::{checked_serde, positive, representable, require, within_unit};
use serde::{Deserialize, Serialize};

/// Trials before a step is given up.
const TRIALS: usize = 40;
/// The factor from a trial that is too short to the next.
const GROW: f64 = 2.0;
/// A trial keeps this share of the bracket away from its ends.
const MARGIN: f64 = 0.1;

/// Line search for a size s that satisfies the strong Wolfe conditions, in which L(s) is the loss after a step of size s and
/// L'(s) its derivative with respect to s:
///
/// ```text
/// L(s) <= L(0) + armijo s L'(0),      |L'(s)| <= curvature |L'(0)|
/// first trial     1 for directions in weight space, or `initial`
///                 otherwise s_before L'_before(0) / L'(0), for the size and slope of the step before
/// ```
///
/// The second condition makes the curvature along the step positive, which [`Lbfgs`](crate::method::Lbfgs) needs to learn from
/// it. Trials double until they bracket such a size; then they are the minimisers of parabolas through the last two, kept
/// away from the ends of the bracket. If forty trials are not enough, the best size that satisfies the first condition is
/// taken, and if there is none (the loss can no longer fall measurably), it stalls: see [`StepState::stall`].
///
/// Each trial costs a pass, and one more for L'(s) if the loss has fallen enough; the step reuses the last one.
/// Works with every method without a penalty.
///
/// Reference: J. Nocedal, S. J. Wright, *Numerical Optimization*, 2006, algorithms 3.5 and 3.6.
///
/// ```
/// use expnet::method::Lbfgs;
/// use expnet::{Dataset, Initializer, Trainer, schedule::StrongWolfe};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.1]], &[0.5, -0.5])?;
/// let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
/// let trainer = Trainer::new(StrongWolfe::default().curvature(0.5)).method(Lbfgs::default());
/// let report = trainer.tolerance(1e-9).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-9 && report.steps() < 30);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct StrongWolfe {
    initial: Option<f64>,
    armijo: f64,
    curvature: f64,
    /// The size of the last step, and the slope before it.
    #[serde(skip)]
    last: Option<[f64; 2]>,
}

impl Default for StrongWolfe {
    fn default() -> Self {
        Self {
            initial: None,
            armijo: 1e-4,
            curvature: 0.9,
            last: None,
        }
    }
}

/// A size that was tried: the loss and its slope there.
#[derive(Clone, Copy, Debug)]
struct Trial {
    size: f64,
    loss: f64,
    slope: f64,
}

impl StrongWolfe {
    /// The first trial of the first step, positive, and of every step of a direction in weight space; by default 1 for
    /// these, and 1 / `lambda_max` of the tangent Gram matrix for others, which costs a few passes.
    pub fn initial(mut self, size: f64) -> Self {
        self.initial = Some(size);
        self
    }

    /// c1, the required fraction of the predicted decrease, above 0 and below 1; 1e-4 by default.
    pub fn armijo(mut self, share: f64) -> Self {
        self.armijo = share;
        self
    }

    /// c2, the largest fraction of the slope that may be left, above c1 and below 1; 0.9 by default, which suits
    /// quasi-Newton directions. 0.1 makes every step a nearly exact minimisation.
    pub fn curvature(mut self, share: f64) -> Self {
        self.curvature = share;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        positive("`StrongWolfe::initial`", self.initial.unwrap_or(1.0))?;
        within_unit("`StrongWolfe::armijo`", self.armijo)?;
        within_unit("`StrongWolfe::curvature`", self.curvature)?;
        let above = self.curvature > self.armijo;
        require(
            above,
            "`StrongWolfe::curvature`",
            self.curvature,
            "above `StrongWolfe::armijo`",
        )
    }

    /// The first trial of a step from a slope.
    fn first<T: Float>(&self, state: &mut StepState<'_, T>, slope: f64) -> f64 {
        if state.moves_in_weights() {
            return self.initial.unwrap_or(1.0);
        }
        match (self.last, self.initial) {
            (Some([size, before]), _) if slope != 0.0 => size * (before / slope),
            (_, Some(initial)) => initial,
            (_, None) => super::natural_size(state),
        }
    }

    /// A size that satisfies both conditions, or the first one only if trials run out; `None` if there is none.
    fn search<T: Float>(&self, state: &mut StepState<'_, T>, start: Trial, first: f64) -> Option<T> {
        let mut low = start;
        let mut high: Option<Trial> = None;
        let mut size = T::lit(first);
        for _ in 0..TRIALS {
            let mut trial = Trial {
                size: size.as_f64(),
                loss: state.loss_at(size).as_f64(),
                slope: f64::NAN,
            };
            let enough = trial.loss <= start.loss + self.armijo * trial.size * start.slope;
            // NaN is not enough.
            if enough && (low.size == 0.0 || trial.loss < low.loss) {
                trial.slope = state.slope_at(size).as_f64();
                if trial.slope.abs() <= self.curvature * start.slope.abs() {
                    return Some(size);
                }
                let towards = high.map_or(1.0, |high| high.size - low.size);
                if trial.slope * towards >= 0.0 {
                    high = Some(low);
                }
                low = trial;
            } else {
                high = Some(trial);
            }
            let next = T::lit(match high {
                Some(high) => between(low, high),
                None => GROW * low.size,
            });
            if next == size || next.as_f64() == low.size || high.is_some_and(|high| next.as_f64() == high.size) {
                break;
            }
            size = next;
        }
        (low.size > 0.0).then(|| T::lit(low.size))
    }
}

/// The minimiser of the parabola with the loss and the slope of `low` and the loss of `high`, away from both ends; the middle
/// if there is no such parabola.
fn between(low: Trial, high: Trial) -> f64 {
    let width = high.size - low.size;
    let bend = high.loss - low.loss - low.slope * width;
    let share = -low.slope * width / (2.0 * bend);
    let share = if bend > 0.0 && share.is_finite() { share } else { 0.5 };
    low.size + width * share.clamp(MARGIN, 1.0 - MARGIN)
}

checked_serde!(StrongWolfe);

impl<T: Float> Schedule<T> for StrongWolfe {
    fn step_size(&mut self, state: &mut StepState<'_, T>) -> T {
        let start = Trial {
            size: 0.0,
            loss: state.loss().as_f64(),
            slope: state.slope().as_f64(),
        };
        let first = self.first(state, start.slope);
        let usable = start.slope < 0.0 && first.is_finite() && first > 0.0;
        let found = if usable { self.search(state, start, first) } else { None };
        if let Some(size) = found {
            self.last = Some([size.as_f64(), start.slope]);
            return size;
        }
        state.stall(if start.slope < 0.0 {
            format!("`StrongWolfe` found no size at which the loss falls enough, from {first:e} on")
        } else {
            format!(
                "`StrongWolfe` was given a direction in which the loss does not fall: its slope is {:e}",
                start.slope
            )
        })
    }

    fn check(&self, kind: DirectionKind) -> Result<(), Error> {
        super::unpenalized_only("`StrongWolfe`", kind)?;
        self.check_settings()?;
        representable::<T>("`StrongWolfe::initial`", self.initial.unwrap_or(1.0))
    }

    fn save(&self) -> Option<Record> {
        Some(Record::of("StrongWolfe", self).with("last", self.last))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on("StrongWolfe", self)?;
        self.last = record.get("last")?;
        Ok(())
    }
}

//! Gauss-Newton in the dual: Levenberg-Marquardt, a frozen kernel, ridge, and a variant without matrices.

mod factor;
mod krylov;
mod model;

use super::{Direction, Evaluation, Kind, Method, Outcome, Verdict};
use crate::error::Error;
use crate::float::Float;
use crate::record::Record;
use crate::serial::serialised;
use factor::Dense;
use krylov::{Krylov, Solution};
use model::{Damping, Model};
use nalgebra::DVector;

/// A frozen G serves while steps keep this share of what it promises: with a fifth of the residual left, 0.96 of the loss is gone.
const SATISFIED: f64 = 0.96;

/// Gauss-Newton: the step at which the linear model of the outputs is best.
///
/// ```text
/// minimise over the step d    1/2 ||e + J d||^2 + ridge / 2 ||W + d - W_0||^2 + mu / 2 ||d||^2
///
/// (G + (mu + ridge) I) v = e - p J (W - W_0),   p = ridge / (mu + ridge),   G = J J^T        (n x n)
/// W <- W - eta (J^T v + p (W - W_0)),           eta = 1 by nature
/// ```
///
/// The same step as that of the primal equations in d m unknowns, from n of them. All work of size n x n is in `f64`, also for
/// networks in `f32`.
///
/// | constructor | G | cost beside the step's own pass |
/// |---|---|---|
/// | [`default`](Self::default) | formed anew each step | n^2 m + n^3 / 3 multiply-adds, 2 n^2 numbers |
/// | [`frozen`](Self::frozen) | kept while it serves | n^2; the same as `default` where it is renewed |
/// | [`matrix_free`](Self::matrix_free) | never formed | a pass for each product with G, n numbers each |
///
/// The damping mu is Levenberg's and Marquardt's: it starts at a share of the mean eigenvalue trace(G) / n and follows the gain
/// ratio, actual over promised reduction of the objective. A step at which the objective does not fall is taken back and
/// damped more, for the price of one pass: G stays. So a run never ends above where it began, and ends as
/// [`Stalled`](crate::Termination::Stalled) where the objective cannot fall measurably any more. A matrix
/// that rounding alone keeps from being singular (points twice, n > d m) is damped as well, whatever the settings.
///
/// ```
/// use expnet::method::GaussNewton;
/// use expnet::{Dataset, Initializer, Trainer};
///
/// let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5, 2.0])?;
/// let mut net = Initializer::new(2, 512).antisymmetric(true).build::<f64>()?;
/// let report = Trainer::default().method(GaussNewton::frozen()).tolerance(1e-9).fit(&mut net, &data)?;
/// assert!(report.residual_norm() <= 1e-9 && report.steps() <= 5);
/// # Ok::<(), expnet::Error>(())
/// ```
///
/// The factor is nalgebra's, or with the feature `faer` that library's, which matters from n = 1000 on.
///
/// Goes with a constant step size and with [`Backtracking`](crate::schedule::Backtracking) (without ridge); schedules that are
/// derived from the gradient are refused.
///
/// Reference: K. Madsen, H. B. Nielsen, O. Tingleff, *Methods for non-linear least squares problems*, 2004, section 3.2.
#[derive(Clone, Debug)]
pub struct GaussNewton {
    plan: Plan,
    ridge: f64,
    initial_damping: f64,
    fixed_damping: Option<f64>,
    accuracy: f64,
    most_products: usize,
    state: State,
}

/// The kind of its record.
const KIND: &str = "GaussNewton";

/// Where G comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Plan {
    Anew,
    Frozen,
    MatrixFree,
}

/// What a run has learnt.
#[derive(Clone, Debug, Default)]
struct State {
    samples: usize,
    damping: Option<Damping>,
    /// ||W - W_0||^2.
    movement: f64,
    /// J (W - W_0) at the current weights.
    moved: Option<DVector<f64>>,
    /// G has to be formed again.
    renew: bool,
    /// Steps since G was formed: 0 where it is that of the current weights.
    age: usize,
    dense: Dense,
    krylov: Krylov,
    model: Model,
}

impl Default for GaussNewton {
    /// Levenberg-Marquardt.
    fn default() -> Self {
        Self::new(Plan::Anew)
    }
}

impl GaussNewton {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            ridge: 0.0,
            initial_damping: 1e-8,
            fixed_damping: None,
            accuracy: 0.01,
            most_products: 100,
            state: State::default(),
        }
    }

    /// G is formed and factored once, and again when a step leaves more than a fifth of the residual that it promised to remove: a
    /// step costs what a gradient step costs. At large width G hardly moves, and one factor serves a whole run.
    pub fn frozen() -> Self {
        Self::new(Plan::Frozen)
    }

    /// Conjugate gradients on products with G, for n too large for an n x n factor.
    pub fn matrix_free() -> Self {
        Self::new(Plan::MatrixFree)
    }

    /// Pulls towards the initial weights, for noisy data: minimises 1/2 ||e||^2 + lambda / 2 ||W - W_0||_F^2. At least 0;
    /// 0, the default, is none.
    ///
    /// Costs a pass more a step (J (W - W_0)) and a copy of the weights.
    pub fn ridge(mut self, lambda: f64) -> Self {
        self.ridge = lambda;
        self
    }

    /// Where the damping starts, as a share of trace(G) / n (without matrices: of the curvature e^T G e / ||e||^2); positive,
    /// 1e-8 by default. Larger values are more careful with the first steps.
    pub fn initial_damping(mut self, share: f64) -> Self {
        self.initial_damping = share;
        self
    }

    /// A damping mu that stays as it is, at least 0; no step is then taken back. Off by default.
    pub fn damping(mut self, mu: f64) -> Self {
        self.fixed_damping = Some(mu);
        self
    }

    /// Without matrices: the residual, relative to the right-hand side, at which conjugate gradients stop. Above 0 and below
    /// 1; 0.01 by default.
    pub fn accuracy(mut self, share: f64) -> Self {
        self.accuracy = share;
        self
    }

    /// Without matrices: products with G for a step at most, at least 1; 100 by default. Each keeps n numbers.
    pub fn most_products(mut self, count: usize) -> Self {
        self.most_products = count;
        self
    }

    fn settings(&self) -> Record {
        Record::new(KIND)
            .with("plan", format!("{:?}", self.plan))
            .with("ridge", self.ridge)
            .with("initial_damping", self.initial_damping)
            .with("fixed_damping", self.fixed_damping)
            .with("accuracy", self.accuracy)
            .with("most_products", self.most_products)
    }

    fn agree(&self, record: &Record) -> Result<(), Error> {
        record.agree("plan", format!("{:?}", self.plan))?;
        record.agree("ridge", self.ridge)?;
        record.agree("initial_damping", self.initial_damping)?;
        record.agree("fixed_damping", self.fixed_damping)?;
        record.agree("accuracy", self.accuracy)?;
        record.agree("most_products", self.most_products)
    }

    fn check(&self) -> Result<(), Error> {
        let sound = |holds: bool, setting, value: String, expected| {
            if holds {
                Ok(())
            } else {
                Err(Error::Setting {
                    setting,
                    value,
                    expected,
                })
            }
        };
        let (ridge, share, accuracy) = (self.ridge, self.initial_damping, self.accuracy);
        sound(
            ridge.is_finite() && ridge >= 0.0,
            "`GaussNewton::ridge`",
            ridge.to_string(),
            "finite and at least 0",
        )?;
        sound(
            share.is_finite() && share > 0.0,
            "`GaussNewton::initial_damping`",
            share.to_string(),
            "positive and finite",
        )?;
        if let Some(mu) = self.fixed_damping {
            sound(
                mu.is_finite() && mu >= 0.0,
                "`GaussNewton::damping`",
                mu.to_string(),
                "finite and at least 0",
            )?;
        }
        sound(
            accuracy > 0.0 && accuracy < 1.0,
            "`GaussNewton::accuracy`",
            accuracy.to_string(),
            "above 0 and below 1",
        )?;
        sound(
            self.most_products > 0,
            "`GaussNewton::most_products`",
            "0".into(),
            "at least 1",
        )
    }

    /// The damping of the next step; `mean_eigenvalue` is asked for its scale, once.
    fn mu(&mut self, mean_eigenvalue: f64) -> f64 {
        let start = || Damping::new(self.initial_damping, mean_eigenvalue);
        self.fixed_damping
            .unwrap_or_else(|| self.state.damping.get_or_insert_with(start).mu)
    }

    /// v, G v and the pull, from the factor of G.
    fn solve_dense<T: Float>(
        &mut self,
        evaluation: &mut Evaluation<'_, T>,
        residual: &DVector<f64>,
        moved: Option<&DVector<f64>>,
    ) -> Result<(Solution, f64), Error> {
        if self.state.renew {
            self.state.dense.set(evaluation.tangent_gram()?)?;
            (self.state.renew, self.state.age) = (false, 0);
        }
        let mean = self.state.dense.mean_eigenvalue();
        // A frozen factor is kept with the damping that it was made with.
        let wanted = match self.state.dense.shift() {
            Some(shift) if self.state.age > 0 => shift,
            _ => self.mu(mean) + self.ridge,
        };
        if wanted + mean == 0.0 {
            return Ok((Solution::zeros(residual.len()), 0.0));
        }
        let shift = self.state.dense.factor(wanted);
        if shift > wanted
            && let Some(damping) = &mut self.state.damping
        {
            damping.mu = shift - self.ridge;
        }
        let pull = share(self.ridge, shift);
        let rhs = right_hand_side(residual, moved, pull);
        let mut dual = rhs.clone();
        self.state.dense.solve(&mut dual);
        let solution = Solution {
            product: rhs - shift * &dual,
            dual,
            reached: true,
        };
        Ok((solution, pull))
    }

    /// The same from products with G.
    fn solve_matrix_free<T: Float>(
        &mut self,
        evaluation: &mut Evaluation<'_, T>,
        residual: &DVector<f64>,
        moved: Option<&DVector<f64>>,
    ) -> Result<(Solution, f64), Error> {
        let mut krylov = std::mem::take(&mut self.state.krylov);
        if self.state.renew {
            krylov.clear();
            (self.state.renew, self.state.age) = (false, 0);
        }
        let curvature = match (self.state.damping, self.fixed_damping) {
            (None, None) => krylov.curvature(residual, |v| evaluation.tangent_product(v))?,
            _ => 0.0,
        };
        let (accuracy, most) = (self.accuracy, self.most_products);
        loop {
            let shift = self.mu(curvature) + self.ridge;
            let pull = share(self.ridge, shift);
            let rhs = right_hand_side(residual, moved, pull);
            let solution = krylov.solve(&rhs, shift, accuracy, most, |v| evaluation.tangent_product(v))?;
            match &mut self.state.damping {
                // The same space solves for more damping, unless the ridge changes the right-hand side with it.
                Some(damping) if !solution.reached && self.ridge == 0.0 => damping.refused(),
                _ => {
                    self.state.krylov = krylov;
                    return Ok((solution, pull));
                }
            }
        }
    }
}

/// ridge / shift, 0 without ridge.
fn share(ridge: f64, shift: f64) -> f64 {
    if ridge > 0.0 { ridge / shift } else { 0.0 }
}

/// e - pull J (W - W_0).
fn right_hand_side(residual: &DVector<f64>, moved: Option<&DVector<f64>>, pull: f64) -> DVector<f64> {
    moved.map_or_else(|| residual.clone(), |moved| residual - pull * moved)
}

impl<T: Float> Method<T> for GaussNewton {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        let residual = DVector::from_iterator(
            evaluation.residual().len(),
            evaluation.residual().iter().map(|e| e.as_f64()),
        );
        let moved = match self.state.moved.take() {
            Some(moved) => Some(moved),
            None if self.ridge > 0.0 => Some(DVector::from_vec(evaluation.movement_product()?)),
            None => None,
        };
        let (solution, pull) = match self.plan {
            Plan::MatrixFree => self.solve_matrix_free(evaluation, &residual, moved.as_ref())?,
            Plan::Anew | Plan::Frozen => self.solve_dense(evaluation, &residual, moved.as_ref())?,
        };
        let Solution { dual, product, .. } = solution;
        let dual_square = dual.dot(&product);
        let dual_moved = moved.as_ref().map_or(0.0, |moved| dual.dot(moved));
        let change = moved
            .as_ref()
            .map_or_else(|| product.clone(), |moved| &product + pull * moved);
        self.state.model = Model {
            along: residual.dot(&change),
            square: change.norm_squared(),
            dual_square,
            dual_moved,
            pull,
            ridge: self.ridge,
        };
        self.state.moved = moved;
        direction.pull = pull;
        for (to, v) in direction.dual.iter_mut().zip(&dual) {
            *to = T::lit(*v);
        }
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        let state = &mut self.state;
        if outcome.step_size == 0.0 {
            // Nothing has moved. A line search that found no size may blame an old G.
            state.renew = state.age > 0 || self.plan == Plan::MatrixFree;
            // What is not in a checkpoint is found again, in a run that is resumed and in one that is not.
            state.moved = None;
            return Verdict::Keep;
        }
        let movement = outcome.movement.unwrap_or(0.0);
        let before = outcome.loss_before + 0.5 * self.ridge * state.movement;
        let after = outcome.loss_after + 0.5 * self.ridge * movement;
        let promised = state.model.reduction(outcome.step_size, state.movement);
        let gain = (before - after) / promised;
        if self.fixed_damping.is_none() {
            let falls = after < before;
            match &mut state.damping {
                _ if !falls && state.age > 0 => {
                    state.renew = true;
                    return Verdict::Undo;
                }
                // The step is lost in rounding, and more damping promises still less.
                _ if !falls && (after == before || promised.abs() <= 8.0 * f64::EPSILON * before) => {
                    return Verdict::GiveUp;
                }
                Some(damping) if !falls => {
                    damping.refused();
                    return Verdict::Undo;
                }
                Some(damping) if state.age == 0 => damping.kept(gain),
                _ => {}
            }
        }
        state.movement = movement;
        state.moved = None;
        state.renew = self.plan != Plan::Frozen || gain.is_nan() || gain < SATISFIED;
        state.age += 1;
        Verdict::Keep
    }

    fn prepare(&mut self, samples: usize) -> Result<Kind, Error> {
        self.check()?;
        self.state = State {
            samples,
            renew: true,
            ..State::default()
        };
        Ok(if self.ridge > 0.0 { Kind::Penalized } else { Kind::Dual })
    }

    fn save(&self) -> Option<Record> {
        let State { dense, renew, .. } = &self.state;
        // Where G is renewed before the next step, it need not be kept.
        let kept = dense.shift().filter(|_| !renew);
        let gram = kept.map(|_| dense.lower_triangle());
        let record = self.settings().with("damping", self.state.damping);
        let record = record.with("movement", self.state.movement).with("age", self.state.age);
        Some(record.with("gram", gram).with("shift", kept))
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on_kind(KIND)?;
        self.agree(record)?;
        let n = self.state.samples;
        self.state.damping = record.get("damping")?;
        self.state.movement = record.get("movement")?;
        self.state.age = record.get("age")?;
        if let (Some(gram), Some(shift)) = (record.get::<Option<Vec<f64>>>("gram")?, record.get("shift")?) {
            if gram.len() != n * (n + 1) / 2 {
                return Err(record.bad("gram", &format!("has {} numbers, not those of {n} samples", gram.len())));
            }
            self.state.dense.restore(n, &gram, shift)?;
            self.state.renew = false;
        }
        Ok(())
    }
}

serialised!(GaussNewton {
    plan: Plan,
    ridge: f64,
    initial_damping: f64,
    fixed_damping: Option<f64>,
    accuracy: f64,
    most_products: usize,
} => Ok(Self { plan, ridge, initial_damping, fixed_damping, accuracy, most_products, state: State::default() }));

//! Gauss-Newton in the dual: Levenberg-Marquardt, a frozen kernel, ridge, and a matrix-free variant.

mod dense;
mod model;
#[cfg(test)]
mod tests;

use super::{Direction, DirectionKind, Evaluation, Method, Outcome, Verdict};
use crate::error::Error;
use crate::float::Float;
use crate::linalg::{Krylov, Solution};
use crate::record::Record;
use crate::setting::{at_least_one, checked_serde, not_negative, positive, within_unit};
use dense::Dense;
use model::{Damping, Model};
use nalgebra::DVector;
use serde::{Deserialize, Serialize};

/// A frozen G is kept while the gain ratio is at least this: a fifth of the residual left means 0.96 of the loss gone.
const SUFFICIENT_GAIN: f64 = 0.96;

/// Gauss-Newton: each step minimises the objective of the linearised outputs.
///
/// ```text
/// minimise over the step d     1/2 ||e + J d||^2 + ridge / 2 ||W + d - W_0||^2 + mu / 2 ||d||^2
///
/// (G + (mu + ridge) I) v = e - p J (W - W_0),   p = ridge / (mu + ridge),   G = J J^T        (n x n)
/// W <- W - eta (J^T v + p (W - W_0)),           natural step size eta = 1
/// ```
///
/// This is the step of the primal equations in d m unknowns, computed from n dual ones. All work of size n x n is in
/// `f64`, also for `f32` networks.
///
/// | constructor | G | cost in addition to the step's own pass |
/// |---|---|---|
/// | [`default`](Self::default) | formed in each step | n^2 m + n^3 / 3 flops, 2 n^2 numbers |
/// | [`frozen`](Self::frozen) | kept while its steps do well | n^2; that of `default` when G is formed again |
/// | [`matrix_free`](Self::matrix_free) | never formed | one pass and n numbers per product with G |
///
/// The damping mu is that of Levenberg and Marquardt: it starts at a fraction of the mean eigenvalue trace(G) / n and
/// adapts to the gain ratio, the actual over the predicted reduction of the objective. A step that does not reduce the
/// objective is undone and repeated with more damping, at the cost of one pass, since G is kept. A run therefore never
/// ends above its initial objective, and stops as [`Stalled`](crate::Termination::Stalled) when the objective can no
/// longer fall measurably. A matrix that is singular up to rounding (repeated points, n > d m) is damped too, whatever
/// the settings.
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
/// Works with a constant step size, schedules of the step number alone and, without ridge, the line searches
/// [`Backtracking`](crate::schedule::Backtracking) and [`StrongWolfe`](crate::schedule::StrongWolfe). Schedules
/// that assume a gradient are refused.
///
/// Reference: K. Madsen, H. B. Nielsen, O. Tingleff, *Methods for non-linear least squares problems*, 2004,
/// section 3.2.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[must_use]
pub struct GaussNewton {
    gram: Gram,
    ridge: f64,
    initial_damping: f64,
    fixed_damping: Option<f64>,
    accuracy: f64,
    max_products: usize,
    #[serde(skip)]
    run: Run,
}

/// The kind of the method's record.
const KIND: &str = "GaussNewton";

/// Where G comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Gram {
    Anew,
    Frozen,
    MatrixFree,
}

/// The state of a run.
#[derive(Clone, Debug, Default)]
struct Run {
    samples: usize,
    damping: Option<Damping>,
    /// ||W - W_0||^2.
    movement: f64,
    /// J (W - W_0) at the current weights.
    moved: Option<DVector<f64>>,
    /// Whether G must be formed again.
    renew: bool,
    /// Steps since G was formed: 0 if it is that of the current weights.
    age: usize,
    dense: Dense,
    krylov: Krylov,
    model: Model,
}

impl Default for GaussNewton {
    /// Levenberg-Marquardt.
    fn default() -> Self {
        Self::new(Gram::Anew)
    }
}

impl GaussNewton {
    fn new(gram: Gram) -> Self {
        Self {
            gram,
            ridge: 0.0,
            initial_damping: 1e-8,
            fixed_damping: None,
            accuracy: 0.01,
            max_products: 100,
            run: Run::default(),
        }
    }

    /// Forms and factors G once, and again only after a step that leaves more than a fifth of the residual that it
    /// should have removed; any other step costs as much as a gradient step. At large width G hardly changes, and one
    /// factor lasts a whole run.
    pub fn frozen() -> Self {
        Self::new(Gram::Frozen)
    }

    /// Uses conjugate gradients with products with G, for n too large for an n x n factor.
    pub fn matrix_free() -> Self {
        Self::new(Gram::MatrixFree)
    }

    /// Ridge regularisation towards the initial weights, for noisy data: minimises
    /// 1/2 ||e||^2 + lambda / 2 ||W - W_0||_F^2. At least 0; 0, the default, means none.
    ///
    /// Costs one more pass per step (J (W - W_0)) and a copy of the weights.
    pub fn ridge(mut self, lambda: f64) -> Self {
        self.ridge = lambda;
        self
    }

    /// The initial damping, as a fraction of trace(G) / n (matrix-free: of the curvature e^T G e / ||e||^2); positive,
    /// 1e-8 by default. Larger values make the first steps more cautious.
    pub fn initial_damping(mut self, share: f64) -> Self {
        self.initial_damping = share;
        self
    }

    /// Fixes the damping mu, at least 0; no step is then undone. Off by default.
    pub fn damping(mut self, mu: f64) -> Self {
        self.fixed_damping = Some(mu);
        self
    }

    /// Matrix-free only: the residual, relative to the right-hand side, at which conjugate gradients stop; above 0 and
    /// below 1, 0.01 by default.
    pub fn accuracy(mut self, share: f64) -> Self {
        self.accuracy = share;
        self
    }

    /// Matrix-free only: the largest number of products with G per step, at least 1; 100 by default. Each takes n
    /// numbers of memory.
    pub fn max_products(mut self, count: usize) -> Self {
        self.max_products = count;
        self
    }

    fn check_settings(&self) -> Result<(), Error> {
        not_negative("`GaussNewton::ridge`", self.ridge)?;
        positive("`GaussNewton::initial_damping`", self.initial_damping)?;
        not_negative("`GaussNewton::damping`", self.fixed_damping.unwrap_or(0.0))?;
        within_unit("`GaussNewton::accuracy`", self.accuracy)?;
        at_least_one("`GaussNewton::max_products`", self.max_products)
    }

    /// The damping of the next step; `mean_eigenvalue` is asked for its scale, once.
    fn mu(&mut self, mean_eigenvalue: f64) -> f64 {
        let start = || Damping::new(self.initial_damping, mean_eigenvalue);
        self.fixed_damping
            .unwrap_or_else(|| self.run.damping.get_or_insert_with(start).mu)
    }

    /// v, G v and the pull, by a factor of G.
    fn solve_dense<T: Float>(
        &mut self,
        evaluation: &mut Evaluation<'_, T>,
        residual: &DVector<f64>,
        moved: Option<&DVector<f64>>,
    ) -> Result<(Solution, f64), Error> {
        if self.run.renew {
            self.run.dense.set(evaluation.tangent_gram()?)?;
            (self.run.renew, self.run.age) = (false, 0);
        }
        let mean = self.run.dense.mean_eigenvalue();
        // A frozen factor keeps the damping with which it was computed.
        let wanted = match self.run.dense.shift() {
            Some(shift) if self.run.age > 0 => shift,
            _ => self.mu(mean) + self.ridge,
        };
        if wanted + mean == 0.0 {
            return Ok((Solution::zeros(residual.len()), 0.0));
        }
        let shift = self.run.dense.factor(wanted)?;
        if shift > wanted
            && let Some(damping) = &mut self.run.damping
        {
            damping.mu = shift - self.ridge;
        }
        let pull = pull_of(self.ridge, shift);
        let rhs = right_hand_side(residual, moved, pull);
        let dual = self.run.dense.solve(&rhs);
        let solution = Solution {
            product: rhs - shift * &dual,
            dual,
            reached: true,
        };
        Ok((solution, pull))
    }

    /// The same, by products with G.
    fn solve_matrix_free<T: Float>(
        &mut self,
        evaluation: &mut Evaluation<'_, T>,
        residual: &DVector<f64>,
        moved: Option<&DVector<f64>>,
    ) -> Result<(Solution, f64), Error> {
        let mut krylov = std::mem::take(&mut self.run.krylov);
        if self.run.renew {
            krylov.clear();
            (self.run.renew, self.run.age) = (false, 0);
        }
        let curvature = match (self.run.damping, self.fixed_damping) {
            (None, None) => krylov.curvature(residual, |v| evaluation.tangent_product(v))?,
            _ => 0.0,
        };
        let (accuracy, limit) = (self.accuracy, self.max_products);
        loop {
            let shift = self.mu(curvature) + self.ridge;
            let pull = pull_of(self.ridge, shift);
            let rhs = right_hand_side(residual, moved, pull);
            let solution = krylov.solve(&rhs, shift, accuracy, limit, |v| evaluation.tangent_product(v))?;
            match &mut self.run.damping {
                // The same Krylov space serves more damping, unless a ridge changes the right-hand side with it.
                Some(damping) if !solution.reached && self.ridge == 0.0 && damping.can_grow() => damping.rejected(),
                _ => {
                    self.run.krylov = krylov;
                    return Ok((solution, pull));
                }
            }
        }
    }
}

/// ridge / shift, or 0 without ridge.
fn pull_of(ridge: f64, shift: f64) -> f64 {
    if ridge > 0.0 { ridge / shift } else { 0.0 }
}

/// e - pull J (W - W_0).
fn right_hand_side(residual: &DVector<f64>, moved: Option<&DVector<f64>>, pull: f64) -> DVector<f64> {
    moved.map_or_else(|| residual.clone(), |moved| residual - pull * moved)
}

checked_serde!(GaussNewton);

impl<T: Float> Method<T> for GaussNewton {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        let residual = DVector::from_iterator(
            evaluation.residual().len(),
            evaluation.residual().iter().map(|e| e.as_f64()),
        );
        let moved = match self.run.moved.take() {
            Some(moved) => Some(moved),
            None if self.ridge > 0.0 => Some(DVector::from_vec(evaluation.movement_product()?)),
            None => None,
        };
        let (solution, pull) = match self.gram {
            Gram::MatrixFree => self.solve_matrix_free(evaluation, &residual, moved.as_ref())?,
            Gram::Anew | Gram::Frozen => self.solve_dense(evaluation, &residual, moved.as_ref())?,
        };
        let Solution { dual, product, .. } = solution;
        let dual_square = dual.dot(&product);
        let dual_moved = moved.as_ref().map_or(0.0, |moved| dual.dot(moved));
        let change = moved
            .as_ref()
            .map_or_else(|| product.clone(), |moved| &product + pull * moved);
        self.run.model = Model {
            along: residual.dot(&change),
            square: change.norm_squared(),
            dual_square,
            dual_moved,
            pull,
            ridge: self.ridge,
        };
        self.run.moved = moved;
        direction.pull = pull;
        for (to, v) in direction.dual.iter_mut().zip(&dual) {
            *to = T::lit(*v);
        }
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        let run = &mut self.run;
        if outcome.step_size == 0.0 {
            // Nothing has moved. If a line search found no size, an outdated G may be the reason.
            run.renew = run.age > 0 || self.gram == Gram::MatrixFree;
            // Not part of a checkpoint: computed again in every run, resumed or not.
            run.moved = None;
            return Verdict::Keep;
        }
        let movement = outcome.movement.unwrap_or(0.0);
        let before = outcome.loss_before + 0.5 * self.ridge * run.movement;
        let after = outcome.loss_after + 0.5 * self.ridge * movement;
        let predicted = run.model.reduction(outcome.step_size, run.movement);
        let gain = (before - after) / predicted;
        if self.fixed_damping.is_none() {
            let falls = after < before;
            match &mut run.damping {
                _ if !falls && run.age > 0 => {
                    run.renew = true;
                    return Verdict::Undo;
                }
                // The step is lost in rounding, and more damping would reduce the objective even less.
                _ if !falls && (after == before || predicted.abs() <= 8.0 * f64::EPSILON * before) => {
                    return Verdict::GiveUp;
                }
                Some(damping) if !falls => {
                    damping.rejected();
                    return Verdict::Undo;
                }
                Some(damping) if run.age == 0 => damping.accepted(gain),
                _ => {}
            }
        }
        run.movement = movement;
        run.moved = None;
        run.renew = self.gram != Gram::Frozen || gain.is_nan() || gain < SUFFICIENT_GAIN;
        run.age += 1;
        Verdict::Keep
    }

    fn kind(&self) -> DirectionKind {
        if self.ridge > 0.0 {
            DirectionKind::Penalized
        } else {
            DirectionKind::Dual
        }
    }

    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
        self.check_settings()?;
        self.run = Run {
            samples,
            renew: true,
            ..Run::default()
        };
        Ok(())
    }

    fn save(&self) -> Option<Record> {
        let Run { dense, renew, .. } = &self.run;
        let damping = self.run.damping.map(Damping::to_array);
        let record = Record::of(KIND, self).with("damping", damping);
        let record = record.with("movement", self.run.movement).with("age", self.run.age);
        // If the next step forms G again, this one need not be stored.
        let kept = dense.shift().filter(|_| !renew);
        let record = record.with("shift", kept);
        Some(match kept {
            Some(_) => record.with_list("gram", dense.lower_triangle()),
            None => record,
        })
    }

    fn restore(&mut self, record: &Record) -> Result<(), Error> {
        record.agree_on(KIND, self)?;
        let n = self.run.samples;
        self.run.damping = record.get::<Option<_>>("damping")?.map(Damping::from_array);
        self.run.movement = record.get("movement")?;
        self.run.age = record.count("age")?;
        if let (Some(gram), Some(shift)) = (record.list("gram"), record.get("shift")?) {
            if gram.len() != n * (n + 1) / 2 {
                return Err(record.damaged(
                    "gram",
                    &format!("has {} numbers, which do not fit {n} samples", gram.len()),
                ));
            }
            self.run.dense.restore(n, gram, shift)?;
            self.run.renew = false;
        }
        Ok(())
    }
}

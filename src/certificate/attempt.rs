//! A theorem applied to a start: its inequalities, and what it promises.

use crate::exact;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The theorems, named as in [`theory`](super::theory).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Theorem {
    /// One radius for all neurons.
    A,
    /// A': one radius per neuron.
    APrime,
    /// A'': one radius per neuron, from its share of the kernel.
    ADoublePrime,
    /// A''(gamma, theta): A'' with a free ball and step sizes up to 2 / lambda_max.
    Ball,
    /// G, basic form: in coordinates in which the kernel is the identity, from traces.
    GBasic,
    /// G, full form: along the path of linear theory, from operator norms.
    GFull,
    /// Full Gauss-Newton.
    N,
    /// Frozen Gauss-Newton.
    F,
    /// A priori, from second moments.
    B,
    /// A priori, from matrix Bernstein inequalities and theorem A.
    C,
    /// A priori, from matrix Bernstein inequalities and theorem A''.
    D,
}

impl fmt::Display for Theorem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::APrime => "A'",
            Self::ADoublePrime => "A''",
            Self::Ball => "A''(gamma, theta)",
            Self::GBasic => "G (basic)",
            Self::GFull => "G (full)",
            Self::N => "N",
            Self::F => "F",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        })
    }
}

/// A hypothesis left <= right of a theorem, evaluated for one problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Inequality {
    statement: Cow<'static, str>,
    #[serde(with = "exact::number")]
    left: f64,
    #[serde(with = "exact::number")]
    right: f64,
}

impl Inequality {
    /// Increases `left` by the relative `guard` against rounding.
    pub(super) fn new(statement: &'static str, left: f64, right: f64, guard: f64) -> Self {
        Self {
            statement: Cow::Borrowed(statement),
            left: left * (1.0 + guard),
            right,
        }
    }

    /// The inequality in the symbols of [`theory`](super::theory).
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// The value of the left side.
    pub fn left(&self) -> f64 {
        self.left
    }

    /// The value of the right side.
    pub fn right(&self) -> f64 {
        self.right
    }

    /// Whether left <= right.
    pub fn holds(&self) -> bool {
        self.left <= self.right
    }

    /// left / right: at most 1 if the inequality holds, otherwise the factor by which it fails; infinite if right is
    /// not positive.
    pub fn factor(&self) -> f64 {
        if self.right > 0.0 && !self.left.is_nan() {
            self.left / self.right
        } else {
            f64::INFINITY
        }
    }
}

impl fmt::Display for Inequality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { statement, left, right } = self;
        if self.holds() {
            write!(f, "{statement} holds ({left:.4e} <= {right:.4e})")
        } else {
            let factor = self.factor();
            write!(
                f,
                "{statement} fails by a factor of {factor:.4} ({left:.4e} > {right:.4e})"
            )
        }
    }
}

/// Stands in for the inequalities of an attempt without any, which only a damaged file has.
pub(super) static NONE: Inequality = Inequality {
    statement: Cow::Borrowed("no inequality"),
    left: f64::INFINITY,
    right: 0.0,
};

/// What a theorem promises of gradient descent with one step size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Promise {
    #[serde(with = "exact::number")]
    pub step_size: f64,
    /// The largest step size for which the theorem was found to hold.
    #[serde(with = "exact::number")]
    pub max_step_size: f64,
    /// ||e_t|| <= amplitude (1 - rate)^t.
    #[serde(with = "exact::number")]
    pub rate: f64,
    #[serde(with = "exact::number")]
    pub amplitude: f64,
    /// How far any neuron moves.
    #[serde(with = "exact::number")]
    pub radius: f64,
    /// How far all weights move together, ||W_t - W_0||_F.
    #[serde(with = "exact::number")]
    pub distance: f64,
    /// lambda_min(G_t) >= `kernel_share` lambda_min(G_0).
    #[serde(with = "exact::number")]
    pub kernel_share: f64,
}

impl Promise {
    /// Steps to a thousandth of `residual_norm`: what makes one promise better than another.
    pub fn cost(&self, residual_norm: f64) -> u64 {
        self.steps_to(1e-3 * residual_norm)
    }

    fn steps_to(&self, tolerance: f64) -> u64 {
        // (1 - rate)^t = exp(-t (-ln(1 - rate))).
        steps(self.amplitude, tolerance, -(-self.rate).ln_1p())
    }
}

/// One theorem applied to one start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Attempt {
    theorem: Theorem,
    /// If all inequalities hold.
    promise: Option<Promise>,
    inequalities: Vec<Inequality>,
}

impl Attempt {
    /// `promise` counts only if all inequalities hold.
    pub(super) fn new(theorem: Theorem, inequalities: Vec<Inequality>, promise: Promise) -> Self {
        let holds = inequalities.iter().all(Inequality::holds);
        Self {
            theorem,
            promise: holds.then_some(promise),
            inequalities,
        }
    }

    /// A theorem whose first hypothesis fails.
    pub(super) fn failed(theorem: Theorem, hypothesis: Inequality) -> Self {
        Self {
            theorem,
            promise: None,
            inequalities: vec![hypothesis],
        }
    }

    pub(super) fn promise(&self) -> Option<&Promise> {
        self.promise.as_ref()
    }

    /// Records that the theorem holds up to this step size too.
    pub(super) fn allow(&mut self, step_size: f64) {
        if let Some(promise) = &mut self.promise {
            promise.max_step_size = promise.max_step_size.max(step_size);
        }
    }

    /// The theorem that was tried.
    pub fn theorem(&self) -> Theorem {
        self.theorem
    }

    /// Whether all its inequalities hold.
    pub fn holds(&self) -> bool {
        self.promise.is_some()
    }

    /// The inequalities. One that is meaningless unless an earlier one holds is left out if the earlier one fails.
    pub fn inequalities(&self) -> &[Inequality] {
        &self.inequalities
    }

    /// The inequality that fails by the largest factor or, if all hold, the one with the smallest margin.
    pub fn tightest(&self) -> &Inequality {
        // The first of equals.
        let by_factor = |one: &&Inequality, other: &&Inequality| one.factor().total_cmp(&other.factor());
        self.inequalities.iter().rev().max_by(by_factor).unwrap_or(&NONE)
    }

    /// The step size that the promises are about; 0 if the theorem does not hold.
    pub fn step_size(&self) -> f64 {
        self.promise.map_or(0.0, |promise| promise.step_size)
    }

    /// The largest step size for which the theorem was found to hold, perhaps with a lower rate; 0 if there is none.
    pub fn max_step_size(&self) -> f64 {
        self.promise.map_or(0.0, |promise| promise.max_step_size)
    }

    /// The share of the bound on ||e|| that each step removes; 0 if the theorem does not hold.
    pub fn rate(&self) -> f64 {
        self.promise.map_or(0.0, |promise| promise.rate)
    }

    /// A bound on ||e_t|| after `t` steps; infinite if the theorem does not hold.
    pub fn residual_bound(&self, t: usize) -> f64 {
        self.promise.map_or(f64::INFINITY, |promise| {
            // ln_1p, since 1 - rate may round to 1.
            promise.amplitude * (t as f64 * (-promise.rate).ln_1p() * (1.0 - 1e-12)).exp()
        })
    }

    /// The number of steps after which ||e|| <= `tolerance` is guaranteed; `u64::MAX` if there is none.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        self.promise.map_or(u64::MAX, |promise| promise.steps_to(tolerance))
    }

    /// A bound on how far any neuron moves; 0 if the theorem does not hold.
    pub fn radius(&self) -> f64 {
        self.promise.map_or(0.0, |promise| promise.radius)
    }

    /// A bound on ||W_t - W_0||_F for all t; 0 if the theorem does not hold.
    pub fn distance(&self) -> f64 {
        self.promise.map_or(0.0, |promise| promise.distance)
    }

    /// The share of lambda_min(H_0) that the kernel keeps; 0 if the theorem does not hold.
    pub fn kernel_share(&self) -> f64 {
        self.promise.map_or(0.0, |promise| promise.kernel_share)
    }
}

/// The smallest t with exp(-rate t) `start` <= `tolerance`, saturating.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn steps(start: f64, tolerance: f64, rate: f64) -> u64 {
    if !(tolerance > 0.0 && rate > 0.0) {
        return u64::MAX;
    }
    if tolerance >= start {
        return 0;
    }
    // Logarithms, since start / tolerance is infinite for a subnormal tolerance. Their rounding remains where they cancel.
    let (from, to) = (start.ln(), tolerance.ln());
    let difference = from - to + 2.0 * f64::EPSILON * (from.abs() + to.abs());
    // `as` saturates.
    ((difference / rate * (1.0 + 4.0 * f64::EPSILON)).ceil() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_saturate() {
        assert_eq!(steps(1.0, 0.5, 0.1), 7);
        assert_eq!(steps(1.0, 1.0, 0.1), 0);
        assert_eq!(steps(1.0, 2.0, 0.1), 0);
        for (tolerance, rate) in [(0.0, 0.1), (-1.0, 0.1), (f64::NAN, 0.1), (0.5, 0.0), (1e-9, 1e-300)] {
            assert_eq!(steps(1.0, tolerance, rate), u64::MAX);
        }
        assert!(steps(1.0, 5e-324, 0.5) < 2000);
        assert_eq!(steps(1000.0, 1000.0_f64.next_down(), 0.5), 1);
    }
}

//! The certificate and its parts.

use crate::exact;
use serde::Serialize;
use std::fmt;

/// The theorems, named as in [`theory`](super::theory).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Theorem {
    /// One radius for all neurons.
    A,
    /// A': one radius per neuron.
    APrime,
    /// A'': one radius per neuron, from its share of the kernel.
    ADoublePrime,
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
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        })
    }
}

/// A hypothesis left <= right of a theorem, evaluated for one problem.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Inequality {
    statement: &'static str,
    #[serde(with = "exact::number")]
    left: f64,
    #[serde(with = "exact::number")]
    right: f64,
}

impl Inequality {
    /// Increases `left` by the relative `guard` against rounding.
    pub(super) fn new(statement: &'static str, left: f64, right: f64, guard: f64) -> Self {
        Self {
            statement,
            left: left * (1.0 + guard),
            right,
        }
    }

    /// The inequality in the symbols of [`theory`](super::theory).
    pub fn statement(&self) -> &'static str {
        self.statement
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

/// One theorem applied to one start.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Attempt {
    theorem: Theorem,
    #[serde(with = "exact::number")]
    radius: f64,
    inequalities: Vec<Inequality>,
}

impl Attempt {
    /// `radius` counts only if all inequalities hold.
    pub(super) fn new(theorem: Theorem, inequalities: Vec<Inequality>, radius: f64) -> Self {
        let holds = inequalities.iter().all(Inequality::holds);
        Self {
            theorem,
            radius: if holds { radius } else { 0.0 },
            inequalities,
        }
    }

    /// The theorem that was tried.
    pub fn theorem(&self) -> Theorem {
        self.theorem
    }

    /// Whether all its inequalities hold.
    pub fn holds(&self) -> bool {
        self.inequalities.iter().all(Inequality::holds)
    }

    /// The inequalities. One that is meaningless unless an earlier one holds is left out if the earlier one fails.
    pub fn inequalities(&self) -> &[Inequality] {
        &self.inequalities
    }

    /// The inequality that fails by the largest factor or, if all hold, the one with the smallest margin.
    pub fn tightest(&self) -> &Inequality {
        let mut tightest = &self.inequalities[0];
        for inequality in &self.inequalities[1..] {
            if inequality.factor() > tightest.factor() {
                tightest = inequality;
            }
        }
        tightest
    }

    /// A bound on how far any neuron moves; 0 if the theorem does not hold.
    pub fn radius(&self) -> f64 {
        self.radius
    }
}

/// The result of [`certify`](super::certify). `Display` prints a readable summary.
///
/// If it [`holds`](Self::holds), gradient descent on all samples, from the certified network and with any constant step
/// size eta up to [`max_step_size`](Self::max_step_size) eta_max, keeps three promises at every step t, in exact
/// arithmetic:
///
/// 1. ||e_t|| <= (1 - rate eta / eta_max)^t ||e_0||, where [`rate`](Self::rate) is that of eta_max;
/// 2. every neuron stays within [`radius`](Self::radius) of its start;
/// 3. lambda_min(H_t) >= lambda_min(H_0) / 2: the kernel stays as good as it was, up to a factor.
///
/// Serialises with every number exact: theorems by name, as in `"a_double_prime"`, and numbers that JSON lacks as text,
/// as in `"inf"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct Certificate {
    pub(super) samples: usize,
    pub(super) dimension: usize,
    pub(super) width: usize,
    /// One of the attempts.
    pub(super) theorem: Option<Theorem>,
    #[serde(with = "exact::number")]
    pub(super) max_step_size: f64,
    #[serde(with = "exact::number")]
    pub(super) rate: f64,
    #[serde(with = "exact::number")]
    pub(super) residual_norm: f64,
    #[serde(with = "exact::number")]
    pub(super) lambda_min: f64,
    #[serde(with = "exact::number")]
    pub(super) lambda_max: f64,
    pub(super) attempts: Vec<Attempt>,
}

impl Certificate {
    /// Whether convergence is proved.
    pub fn holds(&self) -> bool {
        self.theorem.is_some()
    }

    /// The theorem that proves convergence: of those that hold, the one with the largest margin.
    pub fn theorem(&self) -> Option<Theorem> {
        self.theorem
    }

    /// All three theorems: which inequality of each holds or fails, and by what factor.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The decisive inequality: the [tightest](Attempt::tightest) of the theorem that proves convergence or, if none
    /// does, of the theorem that comes closest.
    pub fn decisive(&self) -> &Inequality {
        self.closest().tightest()
    }

    /// The margin, 1 / the factor of the decisive inequality: how many times larger its left side could be. At least 1
    /// if the certificate holds, infinite for a network that already fits exactly.
    pub fn spare(&self) -> f64 {
        1.0 / self.decisive().factor()
    }

    /// A bound on how far any neuron moves from its start; 0 if nothing is proved.
    pub fn radius(&self) -> f64 {
        self.proof().map_or(0.0, Attempt::radius)
    }

    /// The share of ||e|| that each step of size [`max_step_size`](Self::max_step_size) is sure to remove; a smaller
    /// step removes proportionally less. 0 if nothing is proved.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The largest step size for which convergence is proved; 0 if nothing is proved.
    pub fn max_step_size(&self) -> f64 {
        self.max_step_size
    }

    /// The number of steps of size [`max_step_size`](Self::max_step_size) after which ||e|| <= `tolerance` is
    /// guaranteed: `ceil(ln(||e_0|| / tolerance) / rate)`. `u64::MAX` if nothing is proved, if the tolerance is not
    /// positive, or if the number is out of range.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        steps(self.residual_norm, tolerance, self.rate)
    }

    /// ||e_0|| at the start, rounded up.
    pub fn residual_norm(&self) -> f64 {
        self.residual_norm
    }

    /// A proven lower bound on lambda_min(H_0): the computed eigenvalue minus any possible rounding error. Not positive
    /// if the kernel is too close to singular.
    pub fn lambda_min(&self) -> f64 {
        self.lambda_min
    }

    /// A proven upper bound on lambda_max(H_0).
    pub fn lambda_max(&self) -> f64 {
        self.lambda_max
    }

    /// The width m of the certified network.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The attempt that proves convergence.
    fn proof(&self) -> Option<&Attempt> {
        let theorem = self.theorem?;
        self.attempts.iter().find(|attempt| attempt.theorem == theorem)
    }

    fn closest(&self) -> &Attempt {
        let factor = |attempt: &Attempt| attempt.tightest().factor();
        let closer = |one: &&Attempt, other: &&Attempt| factor(one).total_cmp(&factor(other));
        let closest = || self.attempts.iter().min_by(closer).unwrap_or(&self.attempts[0]);
        self.proof().unwrap_or_else(closest)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, m) = (self.samples, self.dimension, self.width);
        let verdict = match self.theorem {
            Some(theorem) => format!(
                "convergence is proved by theorem {theorem}, with a factor of {} to spare",
                three_digits(self.spare())
            ),
            None => "convergence is not proved".into(),
        };
        writeln!(f, "{verdict} (n = {n}, d = {d}, m = {m})")?;
        writeln!(
            f,
            "  ||e_0|| = {:.4e}, lambda_min(H_0) >= {:.4e}, lambda_max(H_0) <= {:.4e}",
            self.residual_norm, self.lambda_min, self.lambda_max
        )?;
        if self.holds() {
            writeln!(
                f,
                "  step sizes up to {:.4e}; the largest removes at least {:.4e} of ||e|| per step: {} steps to 1e-3",
                self.max_step_size,
                self.rate,
                self.steps_to(1e-3)
            )?;
            return write!(
                f,
                "  no neuron moves farther than {:.4e}, and lambda_min(H) keeps at least half its value",
                self.radius()
            );
        }
        for (k, attempt) in self.attempts.iter().enumerate() {
            let end = if k + 1 < self.attempts.len() { "\n" } else { "" };
            write!(f, "  theorem {}: {}{end}", attempt.theorem, attempt.tightest())?;
        }
        Ok(())
    }
}

/// Three digits, with an exponent only where it reads better.
fn three_digits(x: f64) -> String {
    if (0.01..1e4).contains(&x) {
        format!("{x:.3}")
    } else {
        format!("{x:.2e}")
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
    // `as` saturates. Logarithms, since start / tolerance is infinite for a subnormal tolerance.
    ((start.ln() - tolerance.ln()) / rate * (1.0 + 4.0 * f64::EPSILON)).ceil() as u64
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
    }
}

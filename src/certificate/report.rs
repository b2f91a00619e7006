//! What a certificate says.

use std::fmt;

/// The theorems, by their names in [`theory`](super::theory).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Theorem {
    /// One radius for all neurons.
    A,
    /// A', neuron by neuron.
    APrime,
    /// A'', by each neuron's share in the kernel.
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

/// A hypothesis left <= right of a theorem, with the numbers of one problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Inequality {
    statement: &'static str,
    left: f64,
    right: f64,
}

impl Inequality {
    /// `left` is increased by the relative `guard` for rounding.
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

    /// The value of its left side.
    pub fn left(&self) -> f64 {
        self.left
    }

    /// The value of its right side.
    pub fn right(&self) -> f64 {
        self.right
    }

    /// left <= right.
    pub fn holds(&self) -> bool {
        self.left <= self.right
    }

    /// left / right: at most 1 where it holds, otherwise the factor by which it fails; infinite where right is not positive.
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
        let Self {
            statement, left, right, ..
        } = self;
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

/// One theorem put to one start.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    theorem: Theorem,
    inequalities: Vec<Inequality>,
    radius: f64,
}

impl Attempt {
    pub(super) fn new(theorem: Theorem, inequalities: Vec<Inequality>, radius: f64) -> Self {
        Self {
            theorem,
            inequalities,
            radius,
        }
    }

    /// Which theorem.
    pub fn theorem(&self) -> Theorem {
        self.theorem
    }

    /// Whether all its inequalities hold.
    pub fn holds(&self) -> bool {
        self.inequalities.iter().all(Inequality::holds)
    }

    /// Its inequalities. One that makes no sense unless an earlier one holds is left out where that fails.
    pub fn inequalities(&self) -> &[Inequality] {
        &self.inequalities
    }

    /// The inequality that fails by the largest factor, or holds with the least to spare.
    pub fn tightest(&self) -> &Inequality {
        let mut tightest = &self.inequalities[0];
        for inequality in &self.inequalities[1..] {
            if inequality.factor() > tightest.factor() {
                tightest = inequality;
            }
        }
        tightest
    }

    /// How far each neuron may move, the largest over neurons; 0 where the theorem does not hold.
    pub fn radius(&self) -> f64 {
        if self.holds() { self.radius } else { 0.0 }
    }
}

/// What [`certify`](super::certify) found. `Display` tells it in words.
///
/// Where it [`holds`](Self::holds), gradient descent on all samples with any constant step size up to
/// [`max_step_size`](Self::max_step_size), from the network that was certified, does three things at every step t, in exact
/// arithmetic:
///
/// 1. ||e_t|| <= (1 - rate eta / eta_max)^t ||e_0||, the [`rate`](Self::rate) being that of the largest step size eta_max;
/// 2. every neuron stays within [`radius`](Self::radius) of its start;
/// 3. lambda_min(H_t) >= lambda_min(H_0) / 2: the kernel stays as good as it was, up to a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    pub(super) shape: (usize, usize, usize),
    pub(super) residual_norm: f64,
    pub(super) lambda_min: f64,
    pub(super) lambda_max: f64,
    pub(super) attempts: Vec<Attempt>,
    pub(super) chosen: Option<usize>,
    pub(super) max_step_size: f64,
    pub(super) rate: f64,
}

impl Certificate {
    /// Whether convergence is proved.
    pub fn holds(&self) -> bool {
        self.chosen.is_some()
    }

    /// The theorem that proves it, of those that hold the one with most to spare.
    pub fn theorem(&self) -> Option<Theorem> {
        self.chosen.map(|k| self.attempts[k].theorem)
    }

    /// All three theorems: which inequality of each holds or fails, and by what factor.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The inequality that decides: the [tightest](Attempt::tightest) of the theorem that holds or, where none does, of
    /// the one that comes nearest to it.
    pub fn decisive(&self) -> &Inequality {
        self.nearest().tightest()
    }

    /// How many times larger the left side of the decisive inequality could be: 1 / its factor. At least 1 where the
    /// certificate holds, infinite for a network that already fits exactly.
    pub fn spare(&self) -> f64 {
        1.0 / self.decisive().factor()
    }

    /// How far any neuron moves from its start, at most; 0 where nothing is proved.
    pub fn radius(&self) -> f64 {
        self.chosen.map_or(0.0, |k| self.attempts[k].radius)
    }

    /// The share of ||e|| that each step removes at least, at [`max_step_size`](Self::max_step_size); a smaller step size
    /// removes in proportion. 0 where nothing is proved.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The largest step size for which convergence is proved; 0 where nothing is.
    pub fn max_step_size(&self) -> f64 {
        self.max_step_size
    }

    /// Steps of [`max_step_size`](Self::max_step_size) after which ||e|| <= `tolerance`, at most: `ceil(ln(||e_0|| / tolerance) / rate)`.
    /// `u64::MAX` where nothing is proved, for a tolerance that is not positive, and beyond the range.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        steps(self.residual_norm, tolerance, self.rate)
    }

    /// ||e_0|| of the start, at least.
    pub fn residual_norm(&self) -> f64 {
        self.residual_norm
    }

    /// A proven lower bound of lambda_min(H_0): the eigenvalue less all that rounding may have done. Not positive where the
    /// kernel is too near to singular.
    pub fn lambda_min(&self) -> f64 {
        self.lambda_min
    }

    /// A proven upper bound of lambda_max(H_0).
    pub fn lambda_max(&self) -> f64 {
        self.lambda_max
    }

    /// The width m that was certified.
    pub fn width(&self) -> usize {
        self.shape.2
    }

    fn nearest(&self) -> &Attempt {
        let nearer = |k: &usize, j: &usize| {
            let factor = |k: &usize| self.attempts[*k].tightest().factor();
            factor(k).total_cmp(&factor(j))
        };
        let k = (0..self.attempts.len()).min_by(nearer).unwrap_or(0);
        &self.attempts[self.chosen.unwrap_or(k)]
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, m) = self.shape;
        let verdict = match self.theorem() {
            Some(theorem) => format!(
                "convergence is proved by theorem {theorem}, {} times to spare",
                short(self.spare())
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
                "  step sizes up to {:.4e}; there each step removes at least {:.4e} of ||e||: {} steps to 1e-3",
                self.max_step_size,
                self.rate,
                self.steps_to(1e-3)
            )?;
            return write!(
                f,
                "  no neuron moves further than {:.4e}, and lambda_min(H) keeps at least half",
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

/// Three digits, without an exponent where it can be read without.
fn short(x: f64) -> String {
    if (0.01..1e4).contains(&x) {
        format!("{x:.3}")
    } else {
        format!("{x:.2e}")
    }
}

/// The least t with exp(-rate t) `start` <= `tolerance`, saturating.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn steps(start: f64, tolerance: f64, rate: f64) -> u64 {
    if !(tolerance > 0.0 && rate > 0.0) {
        return u64::MAX;
    }
    if tolerance >= start {
        return 0;
    }
    // `as` saturates. The quotient may be infinite where the tolerance is subnormal.
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

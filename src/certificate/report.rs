//! The certificate: all attempts, and the best of them.

use super::attempt::{Attempt, Inequality, NONE, Theorem};
use crate::exact;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The result of [`certify`](super::certify). `Display` prints a readable summary.
///
/// If it [`holds`](Self::holds), gradient descent on all samples, from the certified network and with the constant step
/// size [`step_size`](Self::step_size), keeps three promises at every step t, in exact arithmetic:
///
/// 1. ||e_t|| <= [`residual_bound`](Self::residual_bound)(t), which falls by the factor 1 - [`rate`](Self::rate) in each
///    step;
/// 2. every neuron stays within [`radius`](Self::radius) of its start, and all weights within
///    [`distance`](Self::distance);
/// 3. lambda_min(H_t) >= [`kernel_share`](Self::kernel_share) lambda_min(H_0).
///
/// Theorems A, A' and A'' promise the same for every smaller step size, with a rate proportional to it.
///
/// Serialises with every number exact: theorems by name, as in `"a_double_prime"`, and numbers that JSON lacks as text,
/// as in `"inf"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Certificate {
    pub(super) samples: usize,
    pub(super) dimension: usize,
    pub(super) width: usize,
    /// The attempt that proves convergence or, if none does, the closest.
    pub(super) best: Attempt,
    #[serde(with = "exact::number")]
    pub(super) residual_norm: f64,
    #[serde(with = "exact::number")]
    pub(super) lambda_min: f64,
    #[serde(with = "exact::number")]
    pub(super) lambda_max: f64,
    pub(super) attempts: Vec<Attempt>,
}

impl Certificate {
    /// Chooses the best of `attempts`: the one that promises to be first at a thousandth of ||e_0|| or, if none promises
    /// anything, the one closest to holding.
    pub(super) fn new(
        (samples, dimension, width): (usize, usize, usize),
        (residual_norm, lambda_min, lambda_max): (f64, f64, f64),
        attempts: Vec<Attempt>,
    ) -> Self {
        let cost = |attempt: &Attempt| attempt.promise().map(|promise| promise.cost(residual_norm));
        let factor = |attempt: &Attempt| attempt.tightest().factor();
        let better = |one: &&Attempt, other: &&Attempt| {
            let by_cost = cost(one).unwrap_or(u64::MAX).cmp(&cost(other).unwrap_or(u64::MAX));
            let by_holding = other.holds().cmp(&one.holds());
            by_holding
                .then(by_cost)
                .then_with(|| factor(one).total_cmp(&factor(other)))
        };
        let none = || Attempt::failed(Theorem::A, NONE.clone());
        let best = attempts.iter().min_by(better).cloned().unwrap_or_else(none);
        Self {
            samples,
            dimension,
            width,
            best,
            residual_norm,
            lambda_min,
            lambda_max,
            attempts,
        }
    }

    /// Whether convergence is proved.
    pub fn holds(&self) -> bool {
        self.best.holds()
    }

    /// The theorem that proves convergence: of those that hold, the one that promises the fastest. If none holds, the one
    /// that comes closest.
    pub fn theorem(&self) -> Theorem {
        self.best.theorem()
    }

    /// The attempt that all numbers here are from: that of [`theorem`](Self::theorem).
    pub fn best(&self) -> &Attempt {
        &self.best
    }

    /// All theorems that were tried: which inequality of each holds or fails, and by what factor.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The decisive inequality: the [tightest](Attempt::tightest) of the theorem that proves convergence or, if none
    /// does, of the theorem that comes closest.
    pub fn decisive(&self) -> &Inequality {
        self.best.tightest()
    }

    /// The margin, 1 / the factor of the decisive inequality: how many times larger its left side could be. At least 1
    /// if the certificate holds, infinite for a network that already fits exactly. For theorem G: how many times larger
    /// ||e_0|| could be, within 0.2%, perhaps with a lower rate.
    pub fn spare(&self) -> f64 {
        1.0 / self.decisive().factor()
    }

    /// The step size that all promises are about; 0 if nothing is proved.
    pub fn step_size(&self) -> f64 {
        self.best.step_size()
    }

    /// The largest step size for which the same theorem was found to hold, perhaps with a lower rate; 0 if nothing is
    /// proved.
    pub fn max_step_size(&self) -> f64 {
        self.best.max_step_size()
    }

    /// The share of the bound on ||e|| that each step removes; 0 if nothing is proved.
    pub fn rate(&self) -> f64 {
        self.best.rate()
    }

    /// A bound on ||e_t|| after `t` steps of size [`step_size`](Self::step_size); infinite if nothing is proved.
    pub fn residual_bound(&self, t: usize) -> f64 {
        self.best.residual_bound(t)
    }

    /// A bound on how far any neuron moves from its start; 0 if nothing is proved.
    pub fn radius(&self) -> f64 {
        self.best.radius()
    }

    /// A bound on ||W_t - W_0||_F, how far all weights move together; 0 if nothing is proved.
    pub fn distance(&self) -> f64 {
        self.best.distance()
    }

    /// The share of lambda_min(H_0) that the kernel keeps throughout the run; 0 if nothing is proved.
    pub fn kernel_share(&self) -> f64 {
        self.best.kernel_share()
    }

    /// The number of steps of size [`step_size`](Self::step_size) after which ||e|| <= `tolerance` is guaranteed.
    /// `u64::MAX` if nothing is proved, if the tolerance is not positive, or if the number is out of range.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        self.best.steps_to(tolerance)
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
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, m) = (self.samples, self.dimension, self.width);
        let verdict = if self.holds() {
            let (theorem, spare) = (self.theorem(), three_digits(self.spare()));
            format!("convergence is proved by theorem {theorem}, with a factor of {spare} to spare")
        } else {
            "convergence is not proved".into()
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
                "  steps of size {:.4e} (the largest found to be allowed: {:.4e}) each remove at least {:.4e} of the bound on ||e||: {} steps to 1e-3",
                self.step_size(),
                self.max_step_size(),
                self.rate(),
                self.steps_to(1e-3)
            )?;
            return write!(
                f,
                "  no neuron moves farther than {:.4e}, and lambda_min(H) keeps at least {:.3} of its value",
                self.radius(),
                self.kernel_share()
            );
        }
        for (k, attempt) in self.attempts.iter().enumerate() {
            let end = if k + 1 < self.attempts.len() { "\n" } else { "" };
            write!(f, "  theorem {}: {}{end}", attempt.theorem(), attempt.tightest())?;
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

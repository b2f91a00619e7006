//! What theorems N and F prove of Gauss-Newton.

use super::attempt::{Inequality, Theorem};
use super::frozen::{Frozen, Unreached};
use super::newton::{Escaped, Newton};
use super::search;
use super::start::Start;
use super::whitened::{UP, Whitened};
use crate::exact;
use serde::Serialize;
use std::fmt;

/// No run that converges takes more steps to any positive number: its bound falls by half in 2^11 steps, if at all.
const LONGEST: u64 = 1 << 53;

/// The result of [`certify_gauss_newton`](super::certify_gauss_newton) and [`certify_frozen`](super::certify_frozen).
/// `Display` prints a readable summary.
///
/// If it [`holds`](Self::holds), there are weights within [`radius`](Self::radius) of the certified ones with which the
/// network fits the data exactly, and undamped Gauss-Newton with step size 1 (theorem N: with the Jacobian of the current
/// weights; theorem F: with that of the start) converges to such weights in exact arithmetic, with
/// ||e_t|| <= [`residual_bound`](Self::residual_bound)(t). Nothing is said about gradient descent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct NewtonCertificate {
    theorem: Theorem,
    samples: usize,
    dimension: usize,
    width: usize,
    #[serde(with = "exact::number")]
    residual_norm: f64,
    bounds: Option<Bounds>,
    decisive: Inequality,
}

/// What is proved.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Bounds {
    #[serde(with = "exact::number")]
    radius: f64,
    /// sqrt(lam_n), by which ||e|| <= scale ||P e||.
    #[serde(with = "exact::number")]
    scale: f64,
    decay: Decay,
}

/// Bounds on ||P e_t||.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Decay {
    /// initial factor^t.
    Linear { initial: f64, factor: f64 },
    /// Those of the first steps, then step (curvature step / 2)^(2^j - 1).
    Quadratic(Vec<f64>),
}

/// Bounds kept of a quadratic decay: the next would vanish.
const KEPT: usize = 80;

impl NewtonCertificate {
    pub(super) fn not_definite(theorem: Theorem, start: &Start<'_>) -> Self {
        Self::new(theorem, start, None, search::not_definite(start))
    }

    pub(super) fn full(whitened: &Whitened<'_>, found: Result<Newton, Escaped>) -> Self {
        let statement = "Om(D) < 1 at every step until the lengths of steps square";
        let scale = whitened.whitening.largest().sqrt();
        let (bounds, nu) = match found {
            Ok(newton) => {
                let mut residuals: Vec<f64> = (0..KEPT).map(|t| newton.residual(t)).collect();
                let vanished = residuals.iter().position(|&residual| residual == 0.0);
                residuals.truncate(vanished.map_or(KEPT, |t| t + 1));
                // Each holds by itself, and need not be below the one before: a step is enough if all later ones are.
                for t in (1..residuals.len()).rev() {
                    residuals[t - 1] = residuals[t - 1].max(residuals[t]);
                }
                let bounds = Bounds {
                    radius: newton.distance,
                    scale,
                    decay: Decay::Quadratic(residuals),
                };
                (Some(bounds), newton.step * newton.curvature)
            }
            Err(Escaped { nu }) => (None, nu),
        };
        let decisive = match &bounds {
            Some(_) => Inequality::new("p Lq <= 1/2", nu, 0.5, 0.0),
            None => Inequality::new(statement, nu.max(1.0), 1.0 - 1e-12, 0.0),
        };
        Self::new(Theorem::N, whitened.start, bounds, decisive)
    }

    pub(super) fn frozen(whitened: &Whitened<'_>, found: [Result<Frozen, Unreached>; 2]) -> Self {
        let statement = "s_0 + g(s) <= s and g'(s) < 1 for some s";
        let holding = found.iter().filter_map(|found| found.as_ref().ok());
        let best = holding.min_by(|one, other| one.factor.total_cmp(&other.factor));
        if let Some(&Frozen { distance, factor }) = best {
            let bounds = Bounds {
                radius: distance,
                scale: whitened.whitening.largest().sqrt(),
                decay: Decay::Linear {
                    initial: whitened.signal.norm,
                    factor,
                },
            };
            let decisive = Inequality::new(statement, factor, 1.0, 0.0);
            return Self::new(Theorem::F, whitened.start, Some(bounds), decisive);
        }
        let factor = |found: &Result<Frozen, Unreached>| found.as_ref().err().map_or(1.0, |unreached| unreached.factor);
        let factor = found.iter().map(factor).fold(f64::INFINITY, f64::min);
        Self::new(
            Theorem::F,
            whitened.start,
            None,
            Inequality::new(statement, factor, 1.0, 1e-12),
        )
    }

    fn new(theorem: Theorem, start: &Start<'_>, bounds: Option<Bounds>, decisive: Inequality) -> Self {
        Self {
            theorem,
            samples: start.points.ncols(),
            dimension: start.points.nrows(),
            width: start.neurons.width(),
            residual_norm: start.residual_norm,
            bounds,
            decisive,
        }
    }

    /// Whether convergence is proved.
    pub fn holds(&self) -> bool {
        self.bounds.is_some()
    }

    /// The theorem: N for full, F for frozen Gauss-Newton.
    pub fn theorem(&self) -> Theorem {
        self.theorem
    }

    /// The inequality that decides; if nothing is proved, it fails.
    pub fn decisive(&self) -> &Inequality {
        &self.decisive
    }

    /// A bound on ||W_t - W_0||_F for all t, and hence on how far any neuron moves; 0 if nothing is proved. An exact
    /// interpolant lies within it.
    pub fn radius(&self) -> f64 {
        self.bounds.as_ref().map_or(0.0, |bounds| bounds.radius)
    }

    /// A bound on ||e_t|| after `t` steps; infinite if nothing is proved.
    pub fn residual_bound(&self, t: usize) -> f64 {
        let Some(bounds) = &self.bounds else {
            return f64::INFINITY;
        };
        let whitened = match &bounds.decay {
            Decay::Linear { initial, factor } => initial * factor.powf(t as f64),
            Decay::Quadratic(residuals) => residuals.get(t).or(residuals.last()).copied().unwrap_or(0.0),
        };
        let first = if t == 0 { self.residual_norm } else { f64::INFINITY };
        (bounds.scale * whitened * UP).min(first)
    }

    /// The number of steps after which ||e|| <= `tolerance` is guaranteed. `u64::MAX` if nothing is proved, if the
    /// tolerance is not positive, or if the number is out of range.
    pub fn steps_to(&self, tolerance: f64) -> u64 {
        if !self.holds() || tolerance.is_nan() || tolerance <= 0.0 {
            return u64::MAX;
        }
        // The bounds fall: the first step at which they suffice, by doubling and bisection.
        let suffices = |t: u64| usize::try_from(t).is_ok_and(|t| self.residual_bound(t) <= tolerance);
        let mut high = 1;
        while !suffices(high) {
            high *= 2;
            if high > LONGEST {
                return u64::MAX;
            }
        }
        let mut low = 0;
        if suffices(low) {
            return 0;
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            *(if suffices(middle) { &mut high } else { &mut low }) = middle;
        }
        high
    }

    /// ||e_0|| at the start, rounded up.
    pub fn residual_norm(&self) -> f64 {
        self.residual_norm
    }

    /// The width m of the certified network.
    pub fn width(&self) -> usize {
        self.width
    }
}

impl fmt::Display for NewtonCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, m, theorem) = (self.samples, self.dimension, self.width, self.theorem);
        let method = if theorem == Theorem::F { "frozen" } else { "full" };
        if !self.holds() {
            writeln!(
                f,
                "convergence of {method} Gauss-Newton is not proved (n = {n}, d = {d}, m = {m})"
            )?;
            return write!(f, "  theorem {theorem}: {}", self.decisive);
        }
        writeln!(
            f,
            "convergence of {method} Gauss-Newton is proved by theorem {theorem} (n = {n}, d = {d}, m = {m})"
        )?;
        write!(
            f,
            "  ||e_0|| = {:.4e}; an exact interpolant lies within ||W - W_0||_F <= {:.4e}; {} steps to 1e-9",
            self.residual_norm,
            self.radius(),
            self.steps_to(1e-9)
        )
    }
}

//! Theorem G: gradient descent W <- W - eta J^T e, from any weights, with a step size 0 < eta < 2/lam_n.
//!
//! In whitened coordinates phi_{t+1} = (I - eta Lambda) phi_t - eta M_t q_t with q = Lambda phi and
//! ||M|| <= 2 nu_U + nu^2. If the clock p = sum eta rho^-t ||q_t||, which is y0 for the linear run, cannot pass a y with
//! y0 + Gam f(y) <= y, then ||P e_t|| <= rho^t (s0 + f/rho) for all t, the weights stay within D, and they converge to an
//! exact interpolant.

mod decay;
mod march;
mod path;
#[cfg(test)]
mod rounding;
#[cfg(test)]
mod tests;

use super::operators::Operators;
use super::whitened::{Growth, Signal, UP, Whitened};
use crate::error::Error;
use decay::Decay;
use march::{Point, Problem};
use path::{Path, PathGrowth};

/// How far the search goes for the factor by which ||e_0|| may grow.
const BISECTIONS: usize = 24;

/// Theorem G for one start, step size and rate, with what does not depend on the size of e_0.
#[derive(Debug)]
pub(super) struct Descent<'a> {
    whitened: &'a Whitened<'a>,
    decay: Decay,
    growth: Growth,
    /// For the full form: the suprema, and the norms they came from.
    full: Option<(Path, &'a Operators)>,
}

/// What theorem G proves of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proved {
    pub step_size: f64,
    /// rho.
    pub factor: f64,
    /// ||e_t|| <= amplitude rho^t.
    pub amplitude: f64,
    /// A bound on how far any neuron moves.
    pub radius: f64,
    /// D, a bound on ||W_t - W_0||_F.
    pub distance: f64,
    /// nu: lambda_min(G_t) >= (1 - nu)^2 lambda_min(G_0) if nu < 1.
    pub nu: f64,
}

impl<'a> Descent<'a> {
    /// The basic form, from traces: `None` if eta is out of range.
    pub fn basic(whitened: &'a Whitened<'a>, step_size: f64, share: f64) -> Option<Self> {
        Some(Self {
            decay: Decay::new(&whitened.whitening, step_size, share)?,
            growth: whitened.growth,
            whitened,
            full: None,
        })
    }

    /// The full form. Costs n^2 m + n^3 for each of some hundred nodes.
    ///
    /// Errors: an eigenvalue iteration that does not converge.
    pub fn with_path(self, operators: &'a Operators) -> Result<Self, Error> {
        let path = Path::new(self.whitened, operators, &self.decay, &self.whitened.signal)?;
        Ok(Self {
            growth: Growth {
                l1: operators.l1,
                ..self.growth
            },
            full: Some((path, operators)),
            ..self
        })
    }

    /// The same step size at another rate. Where linear theory leads does not depend on that, nor do the suprema along it.
    pub fn with_share(&self, share: f64) -> Option<Self> {
        Some(Self {
            decay: Decay::new(&self.whitened.whitening, self.decay.step_size, share)?,
            growth: self.growth,
            whitened: self.whitened,
            full: self.full.clone(),
        })
    }

    /// The march for `factor` e_0, where the computed weights are within `drift` of the exact ones.
    fn march(&self, signal: &Signal, factor: f64, drift: f64) -> Option<(Point, f64)> {
        let path = self.full.as_ref().map(|(path, operators)| {
            let path = path.times(factor);
            let growth = PathGrowth::new(&path, self.whitened, operators);
            (path, growth)
        });
        let problem = Problem {
            residual: signal.norm,
            path_length: self.decay.path_length(signal),
            gain: self.decay.gain,
            overshoot: self.decay.overshoot,
            rounding: self.whitened.whitening.e2,
            growth: &self.growth,
            path: path.as_ref().map(|(_, growth)| growth),
            drift,
        };
        let point = problem.march()?;
        let along = path.map(|(path, _)| path.movements.iter().copied().fold(0.0, f64::max) + point.deviation);
        Some((point, along.map_or(point.distance, |along| along.min(point.distance))))
    }

    /// Theorem G from weights within `drift` of these; with a drift, nu <= 1 is required as theorem H(b) does.
    pub fn prove(&self, drift: f64) -> Option<Proved> {
        let signal = &self.whitened.signal;
        let (point, radius) = self.march(signal, 1.0, drift)?;
        if drift > 0.0 && point.nu > 1.0 {
            return None;
        }
        let rho = self.decay.rho;
        let amplitude = self.whitened.whitening.largest().sqrt() * (signal.norm + point.feedback / rho) * UP;
        Some(Proved {
            step_size: self.decay.step_size,
            factor: rho,
            amplitude,
            radius: radius * UP,
            distance: point.distance * UP,
            nu: point.nu,
        })
    }

    /// The largest factor by which e_0 could grow, within 0.2%; 0 if there is none above 1e-9.
    pub fn spare(&self) -> f64 {
        let holds = |factor: f64| {
            let signal = self.whitened.signal.times(factor);
            self.march(&signal, factor, 0.0).is_some()
        };
        if self.whitened.signal.norm == 0.0 {
            return f64::INFINITY;
        }
        let (mut low, mut high) = if holds(1.0) { (1.0, 4.0) } else { (1e-9, 1.0) };
        while low >= 1.0 && high < 1e9 && holds(high) {
            (low, high) = (high, 4.0 * high);
        }
        if low < 1.0 && !holds(low) {
            return 0.0;
        }
        for _ in 0..BISECTIONS {
            if high <= 1.002 * low {
                break;
            }
            let middle = (low * high).sqrt();
            *(if holds(middle) { &mut low } else { &mut high }) = middle;
        }
        low
    }
}

//! Theorem N: full Gauss-Newton, W <- W - J^T G^-1 e with J and G at the current W, converges quadratically.
//!
//! As long as nu = Om(D) < 1, a step from distance D is at most p = ||P e||/(1 - nu) long, and leaves ||P e|| below
//! L1 p^2/2 and a rest of higher order. Once p Lq <= 1/2, with Lq = Om'/(1 - Om) at D + 2 p, the lengths of all further
//! steps are below (2/Lq)(Lq p/2)^(2^j).

use super::whitened::{Growth, UP, Whitened};

/// Steps after which the residual of a run that converges is long below any number.
const STEPS: usize = 60;

/// The quantities of theorem N.
#[derive(Clone, Debug)]
pub(super) struct Newton {
    /// Bounds on ||P e_s|| for s = 0, …, t.
    pub residuals: Vec<f64>,
    /// p_t, the length of step t, from which on lengths square.
    pub step: f64,
    /// Lq.
    pub curvature: f64,
    /// D^: all iterates stay within it.
    pub distance: f64,
}

/// Why theorem N does not hold: a nu_s that is not below 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped {
    pub nu: f64,
}

impl Newton {
    /// Theorem N for a start with ||P e_0|| <= `residual`; `tensor` is b2, if it is known.
    pub fn new(residual: f64, growth: &Growth, tensor: Option<f64>) -> Result<Self, Escaped> {
        let (mut distance, mut last) = (0.0, residual);
        let mut residuals = vec![residual];
        for _ in 0..=STEPS {
            let nu = growth.om(distance) * UP;
            if nu.is_nan() || nu >= 1.0 {
                return Err(Escaped { nu });
            }
            let length = last / (1.0 - nu) * UP;
            if let Some((curvature, distance)) = squares_from(distance, length, growth) {
                return Ok(Self {
                    residuals,
                    step: length,
                    curvature,
                    distance,
                });
            }
            let next = (distance + length) * UP;
            last = residual_after(length, nu, (distance, next), growth, tensor);
            residuals.push(last);
            distance = next;
        }
        Err(Escaped {
            nu: growth.om(distance),
        })
    }

    pub fn of(whitened: &Whitened<'_>, l1: f64, tensor: Option<f64>) -> Result<Self, Escaped> {
        Self::new(whitened.signal.norm, &Growth { l1, ..whitened.growth }, tensor)
    }

    /// A bound on ||P e_s|| after any number of steps.
    pub fn residual(&self, steps: usize) -> f64 {
        let known = self.residuals.len() - 1;
        if steps <= known {
            return self.residuals[steps];
        }
        // Beyond 2^11 any number below 1/4 has vanished.
        let squarings = i32::try_from((steps - known).min(12)).unwrap_or(12);
        let ratio = self.curvature * self.step / 2.0;
        if ratio == 0.0 {
            return 0.0;
        }
        2.0 / self.curvature * ratio.powi(1 << squarings) * UP
    }
}

/// The stop condition: Lq and D^, if p Lq <= 1/2 within D + 2 p.
fn squares_from(distance: f64, length: f64, growth: &Growth) -> Option<(f64, f64)> {
    let reach = distance + 2.0 * length;
    let nu = growth.om(reach) * UP;
    if growth.kappa * reach > 600.0 || nu.is_nan() || nu >= 1.0 {
        return None;
    }
    let curvature = growth.om_slope(reach) / (1.0 - nu) * UP;
    let holds = length * curvature <= 0.5 * (1.0 - 1e-12);
    holds.then(|| (curvature, (distance + 4.0 * length / 3.0) * UP))
}

/// A bound on ||P e|| after a step of length p from D to D'.
fn residual_after(p: f64, nu: f64, (from, to): (f64, f64), growth: &Growth, tensor: Option<f64>) -> f64 {
    let l1 = growth.l1;
    let by_tensor = tensor.map_or(f64::INFINITY, |b2| {
        (b2 + 2.0 * l1 * nu + l1 * nu * nu) / (1.0 - nu).powi(2)
    });
    // Each of the two is exact to within some twelve units.
    let rest = (growth.om2(to) - growth.om2(from)).max(0.0) + 4e-15 * growth.om2(to);
    (p * p / 2.0 * l1.min(by_tensor) + p / 2.0 * rest) * UP
}

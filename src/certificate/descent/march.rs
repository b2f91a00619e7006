//! The clock y of theorem G: the smallest y found with y0 + Gam f(y) <= y, where
//!
//! ```text
//! df/dp = 2 nu_U + nu^2,    dI/dp = nu,    f(0) = I(0) = 0
//! ```
//!
//! f and I are replaced by upper bounds: implicit Euler steps, whose slopes are taken at the right end and at the new state,
//! lie above the solution since all slopes increase.

use super::path::PathGrowth;
use crate::certificate::whitened::{Growth, UP, h2};

/// Steps per y0.
const RESOLUTION: f64 = 64.0;

/// Rounds of the fixed-point iteration in a step.
const ROUNDS: usize = 500;

/// Steps, so that the march ends.
const STEPS: usize = 1 << 16;

/// What the march depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem<'a> {
    /// s0, y0, Gam and th.
    pub residual: f64,
    pub path_length: f64,
    pub gain: f64,
    pub overshoot: f64,
    /// e2, for the rounding of the eigenvalues.
    pub rounding: f64,
    pub growth: &'a Growth,
    /// For the full form.
    pub path: Option<&'a PathGrowth>,
    /// delta, the distance of the exact weights from the computed ones.
    pub drift: f64,
}

/// A point of the march.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    /// p, and in the end y.
    pub clock: f64,
    /// f and I.
    pub feedback: f64,
    pub excess: f64,
    pub nu: f64,
    pub nu_u: f64,
    /// D, and th f + I.
    pub distance: f64,
    pub deviation: f64,
}

impl Problem<'_> {
    /// nu, nu_U, D and th f + I at (p, f, I).
    fn at(&self, clock: f64, feedback: f64, excess: f64) -> Point {
        let Growth { l1, .. } = *self.growth;
        let signal = clock.min(self.overshoot * (self.residual + feedback));
        let distance = signal + excess;
        let deviation = self.overshoot * feedback + excess;
        let all = self.growth.om(distance);
        let (mut nu, mut nu_u) = (all, all);
        if let Some(path) = self.path {
            let rest = path.k2 * h2(self.growth.kappa * deviation) / self.growth.kappa;
            nu = all.min(path.q1 + path.q2 + path.k1 * deviation + rest);
            let bilinear = (path.b2 * signal).min(path.b1 + path.b2 * self.overshoot * feedback);
            let beyond = self.growth.om2(distance).min(path.q2 + path.k1_rest * deviation + rest);
            nu_u = nu.min(bilinear + l1 * excess + beyond);
        }
        Point {
            clock,
            feedback,
            excess,
            nu,
            nu_u,
            distance,
            deviation,
        }
    }

    /// df/dp at a point.
    fn slope(&self, point: &Point) -> f64 {
        (2.0 * point.nu_u + point.nu * point.nu + self.rounding) * UP
    }

    /// The first point of the grid at which y0 + Gam f(y) <= y; `None` if there is none.
    pub fn march(&self) -> Option<Point> {
        let begin = self.at(0.0, 2.0 * self.drift, self.drift);
        let floor = self.path_length + self.gain * begin.feedback;
        if floor.is_nan() || floor == 0.0 {
            return (floor == 0.0).then_some(begin);
        }
        let stride = floor / RESOLUTION;
        let mut last = begin;
        for k in 1..=STEPS {
            let point = self.step(&last, stride * k as f64, stride)?;
            let reached = (self.path_length + self.gain * point.feedback) * UP;
            if reached <= (1.0 - self.rounding) * point.clock {
                return Some(point);
            }
            let hopeless = point.clock >= self.path_length && self.gain * self.slope(&point) >= 1.0;
            if hopeless || self.growth.kappa * point.distance > 600.0 {
                return None;
            }
            last = point;
        }
        None
    }

    /// An implicit Euler step to `clock`, rounded up; `None` if it does not settle.
    fn step(&self, last: &Point, clock: f64, stride: f64) -> Option<Point> {
        let (mut feedback, mut excess) = (last.feedback, last.excess);
        for _ in 0..ROUNDS {
            let point = self.at(clock, feedback, excess);
            let next = (
                last.feedback + stride * self.slope(&point),
                last.excess + stride * point.nu * UP,
            );
            let change = (next.0 - feedback).abs() + (next.1 - excess).abs();
            (feedback, excess) = next;
            if !change.is_finite() {
                return None;
            }
            if change <= 1e-15 * (feedback + excess) + f64::MIN_POSITIVE {
                let (up, across) = (feedback * UP, excess * UP);
                let point = self.at(clock, up, across);
                let above =
                    last.feedback + stride * self.slope(&point) <= up && last.excess + stride * point.nu <= across;
                if above {
                    return Some(point);
                }
            }
        }
        None
    }
}

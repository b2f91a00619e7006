//! Whether an expansion is exact enough and faster, and its degree: functions of the weights, so that a run that is resumed, or
//! that undoes a step, chooses as before.
//!
//! ```text
//! remainder      |exp(t) - sum_{k <= p} t^k / k!| <= z^(p+1) / (p+1)! max(1, e^t),     |t| = |<w, x>| <= z = max ||w_r|| max ||x_i||
//!                on a circle 2 sum_{k > p} I_k(z), where I_k(z) <= (z/2)^k / k! e^(z^2 / (4 (k+1)))
//! cancellation   terms add up to |a_r| e^||w_r|| ||x_i||, results to |a_r| e^<w_r, x_i>, of which the mean over r is at least
//!                (sum |a_r| / m) e^<w, x_i> for the mean w of the weights, by Jensen's inequality
//! ```
//!
//! The remainder of derivatives is that of degree p - 1, some ten times larger for the longest weights and points, and still far
//! below the promise.

use super::monomials::{MOST_COORDINATES, rank};
use crate::float::Float;

/// The largest ratio of terms to results. Three digits fewer than the arithmetic leave 1e-12 in `f64`.
const CANCELLATION: f64 = 1e3;

/// The same for networks in `f32`, whose sums are in `f64` and whose promise is 1e-5.
const CANCELLATION_F32: f64 = 1e7;

/// The same for networks in `f64` and points on a sphere, where terms add up to e^(sqrt(3) z) at most, and to much less but
/// for a few.
const CANCELLATION_ON_SPHERE: f64 = 1e4;

/// More than digits allow: z is at most the logarithm of the cancellation.
const HIGHEST_DEGREE: usize = 100;

/// Of which functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// Monomials.
    #[default]
    Anywhere,
    /// Monomials, fewer of them for points.
    Sphere,
    /// Harmonics.
    Circle,
}

/// Which expansion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Order {
    pub degree: usize,
    pub kind: Kind,
}

/// How far the weights reach.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct Reach {
    /// The largest ||w_r||.
    pub largest: f64,
    /// sum_r |a_r| w_r.
    pub weighted: [f64; MOST_COORDINATES],
}

impl Reach {
    pub fn join(&mut self, other: &Self) {
        self.largest = self.largest.max(other.largest);
        for (sum, other) in self.weighted.iter_mut().zip(&other.weighted) {
            *sum += other;
        }
    }
}

/// What does not change during a run.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Facts {
    pub dimension: usize,
    pub width: usize,
    /// sum_r |a_r|.
    pub total: f64,
    /// The largest |a_r|.
    pub largest: f64,
    /// The largest ||x_i||, of samples and validation points.
    pub radius: f64,
    /// Whether all of them have this length.
    pub on_sphere: bool,
    /// Lanes of a vector of the network's type, and of `f64`.
    pub lanes: (usize, usize),
}

impl Facts {
    /// The expansion for weights of this reach; `None` if digits would cancel.
    pub fn order<T: Float>(&self, reach: &Reach) -> Option<Order> {
        let z = reach.largest * self.radius;
        let mean = reach
            .weighted
            .iter()
            .map(|w| (w / self.total).powi(2))
            .sum::<f64>()
            .sqrt();
        let uneven = self.largest * self.width as f64 / self.total;
        let loss = mean * self.radius + uneven.ln();
        let single = T::NAME == "f32";
        let (limit, on_sphere, unit) = if single {
            (CANCELLATION_F32, CANCELLATION_F32, f64::from(f32::EPSILON) / 8.0)
        } else {
            (CANCELLATION, CANCELLATION_ON_SPHERE, f64::EPSILON / 2.0)
        };
        // NaN does not fit.
        let fits = z + loss <= limit.ln();
        if !fits {
            return None;
        }
        // The remainder is relative to max(1, e^t), the results may be as small as the mean's.
        let unit = unit * (-mean * self.radius).exp();
        let kind = self.kind();
        let by_monomials = 3f64.sqrt() * z + loss <= on_sphere.ln();
        let kind = if kind == Kind::Sphere && !by_monomials {
            Kind::Anywhere
        } else {
            kind
        };
        let degree = if kind == Kind::Circle {
            // (z/2)^(p+1) / (p+1)! e^(z^2 / (4 (p+2))), four times, is more than 2 sum_{k > p} I_k(z), where it is small.
            let rest = |degree: usize| 4.0 * (0.25 * z * z / (degree + 2) as f64).exp();
            lowest_degree(0.5 * z, |degree, term| term <= unit && rest(degree) * term <= unit)
        } else {
            lowest_degree(z, |_, term| term <= unit)
        };
        degree.map(|degree| Order { degree, kind })
    }

    /// The kind that suits where the points lie, if not too many digits cancel.
    pub fn kind(&self) -> Kind {
        match (self.on_sphere, self.dimension) {
            (true, 2) => Kind::Circle,
            (true, _) => Kind::Sphere,
            (false, _) => Kind::Anywhere,
        }
    }

    /// Whether this expansion is faster at `samples` points than the direct sweep.
    pub fn pays(&self, order: Order, samples: usize) -> bool {
        let (lanes, wide) = (self.lanes.0 as f64, self.lanes.1 as f64);
        let (n, m) = (samples as f64, self.width as f64);
        let direct = n * m * (EXPONENTIAL + 2.0 * self.dimension as f64) / lanes;
        let all = PADDED * rank(self.dimension, order.degree) as f64;
        let harmonics = (order.degree + 1) as f64;
        let (of_neurons, of_points, coefficients) = match order.kind {
            Kind::Anywhere => (3.0 * all, 2.0 * all, all),
            Kind::Sphere => {
                let flat = self.dimension - 1;
                let kept = (rank(flat, order.degree) + rank(flat, order.degree - 1)) as f64;
                (3.0 * all, 2.0 * SPHERE * kept, all)
            }
            Kind::Circle => (HARMONIC[0] * harmonics, HARMONIC[1] * harmonics, 2.0 * harmonics),
        };
        let expanded = (m * of_neurons + n * of_points) * MONOMIAL / wide + FIXED + LANES * coefficients;
        expanded < direct
    }
}

/// The lowest degree p for which z^(p+1) / (p+1)!, of which the remainder is at most max(1, e^t) times, is small enough.
fn lowest_degree(z: f64, is_small: impl Fn(usize, f64) -> bool) -> Option<usize> {
    let mut term = z;
    (1..=HIGHEST_DEGREE).find(|&degree| {
        term *= z / (degree + 1) as f64;
        is_small(degree, term)
    })
}

/// The costs of both sweeps, in multiply-adds of a vector: of an exponential with its sums, of a multiply-add of a monomial, of
/// what does not depend on the size, and of a coefficient.
const EXPONENTIAL: f64 = 16.0;
const MONOMIAL: f64 = 1.5;
const FIXED: f64 = 10_000.0;
const LANES: f64 = 150.0;

/// The cost of a monomial on the sphere in those of others: there, tables cost as much as sums.
const SPHERE: f64 = 2.0;

/// Multiply-adds per harmonic: those of a neuron and of a point.
const HARMONIC: [f64; 2] = [24.0, 12.0];

/// Coefficients for each monomial, with the padding of the tiles.
const PADDED: f64 = 1.15;

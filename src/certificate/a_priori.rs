//! Theorems B, C and D: a width that suffices, known before anything is drawn. For statements and proofs see
//! [`theory`](super::theory).

use super::attempt::Theorem;
use super::deterministic::{C, largest_eigenvalue};
use super::moments::Moments;
use crate::exact;
use serde::{Serialize, Serializer};

/// Nothing is claimed for larger widths: the range of u64.
const WIDEST: f64 = 1.8e19;

/// Relative margin for the rounding of the formulas.
const MARGIN: f64 = 1e-12;

/// An upper bound on tau / (c beta), for every chi <= 1 / (1 + c).
const LEVERAGE: f64 = 5.2693;

/// A width that a theorem proves to be sufficient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Sufficient {
    pub theorem: Theorem,
    /// Even; infinite if out of range.
    #[serde(serialize_with = "whole")]
    pub width: f64,
    /// At this width.
    #[serde(with = "exact::number")]
    pub max_step_size: f64,
    /// A lower bound on the share of ||e|| that each step of size `max_step_size` removes.
    #[serde(with = "exact::number")]
    pub rate: f64,
}

impl Sufficient {
    fn new(theorem: Theorem, width: f64, largest_eigenvalue: f64, rate: f64) -> Self {
        let proved = width <= WIDEST;
        Self {
            theorem,
            width: if proved { width } else { f64::INFINITY },
            max_step_size: if proved {
                1.0 / (width * largest_eigenvalue)
            } else {
                0.0
            },
            rate: if proved { rate / largest_eigenvalue } else { 0.0 },
        }
    }
}

/// `u64::MAX` for a width that is out of range.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn saturating(width: f64) -> u64 {
    width as u64
}

/// Serialises a width as an integer unless it is out of range.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde requires this signature
fn whole<S: Serializer>(width: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if width.is_finite() {
        serializer.serialize_u64(saturating(*width))
    } else {
        exact::number::serialize(width, serializer)
    }
}

/// Theorem B: m1 from second moments, m2 from theorem A.
pub(super) struct TheoremB<'a> {
    moments: &'a Moments,
    radius: f64,
}

impl<'a> TheoremB<'a> {
    pub fn new(moments: &'a Moments) -> Self {
        let lam = moments.lambda_min;
        let trace = moments.trace + moments.samples.sqrt() * lam / 4.0;
        let radius = (C * (0.75 * lam / trace).sqrt()).ln_1p() / moments.kappa;
        Self { moments, radius }
    }

    /// R.
    #[cfg(test)]
    pub fn radius(&self) -> f64 {
        self.radius
    }

    /// Lam_R = (sqrt(Lam + lam/4) + c sqrt(1.25 lam))^2.
    pub fn largest_eigenvalue(&self) -> f64 {
        let lam = self.moments.lambda_min;
        largest_eigenvalue(self.moments.lambda_max + lam / 4.0, 1.25 * lam)
    }

    /// m1 = 32 V / (lam^2 d1).
    pub fn m1(&self, d1: f64) -> f64 {
        32.0 * self.moments.variance_sum / (self.moments.lambda_min.powi(2) * d1)
    }

    /// m2, the largest root of m = ||X|| e^{B + kappa R} ||y|| / (0.33 lam R); 0 if there is no root and thus no
    /// constraint.
    pub fn m2(&self, d2: f64) -> f64 {
        let Moments {
            points_norm,
            label_norm,
            kappa,
            lambda_min,
            ..
        } = *self.moments;
        let a = (points_norm * label_norm / (0.33 * lambda_min * self.radius)).ln() + kappa * self.radius;
        largest_root(
            a,
            self.moments.std_dev * kappa,
            (self.moments.samples / (2.0 * d2)).ln(),
        )
    }

    /// The smallest width over all d1 + d2 = delta.
    pub fn smallest(&self, delta: f64) -> Sufficient {
        // As d1 grows, m1 falls and m2 rises: their maximum is smallest where they cross.
        let (mut low, mut high) = (0.0, delta);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if self.m1(middle) > self.m2(delta - middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let at = |d1: f64| {
            if d1 > 0.0 && d1 < delta {
                self.m1(d1).max(self.m2(delta - d1))
            } else {
                f64::INFINITY
            }
        };
        let width = at(low).min(at(high)).min(at(delta / 2.0));
        // The rate of ||e||^2 is z / 2 and sqrt(1 - z/2) <= 1 - z/4, z = m eta lam.
        Sufficient::new(
            Theorem::B,
            even(width * (1.0 + MARGIN)),
            self.largest_eigenvalue(),
            self.moments.lambda_min / 4.0,
        )
    }
}

/// The largest root m of ln m = a + b sqrt(2 (q + ln m)); 0 if there is none.
///
/// s = sqrt(2 (q + ln m)) solves s^2 - 2 b s - 2 (a + q) = 0. The smaller root is of no use: between the two, the
/// condition m >= … fails.
pub(super) fn largest_root(a: f64, b: f64, q: f64) -> f64 {
    let discriminant = b * b + 2.0 * (a + q);
    // a is -inf for labels of zero.
    if discriminant >= 0.0 {
        (a + b * (b + discriminant.sqrt())).exp()
    } else {
        0.0
    }
}

/// The free parameters of theorems C and D. Together with p they determine the split of delta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Free {
    /// S: the share of lam that may be lost.
    pub loss: f64,
    /// u: the relative growth allowed to Lam and tau.
    pub growth: f64,
    /// db / delta: the share of the failure probability allotted to large activations.
    pub tail: f64,
}

/// Theorems C and D for a failure probability delta.
pub(super) struct TheoremsCAndD<'a> {
    pub moments: &'a Moments,
    pub delta: f64,
}

impl TheoremsCAndD<'_> {
    /// B = sigma kappa sqrt(2 ln(p n / (2 db))).
    fn largest_exponent(&self, free: Free, pairs: f64) -> f64 {
        let tail = pairs * self.moments.samples / (2.0 * free.tail * self.delta);
        self.moments.std_dev * self.moments.kappa * (2.0 * tail.ln().max(0.0)).sqrt()
    }

    /// Conditions (1) to (3), each as the count and the factor of p >= factor ln(count / probability); (3) for theorem
    /// C only.
    fn concentrations(&self, theorem: Theorem, free: Free, exponent: f64) -> [(f64, f64); 3] {
        let m = self.moments;
        let (s, u) = (free.loss, free.growth);
        let (lost, grown) = (s * m.lambda_min, u * m.lambda_max);
        let relative = m.relative.map_or(f64::INFINITY, |v| 2.0 * (v + s / 3.0) / (s * s));
        let central = 2.0 * (m.central + m.lambda_max * lost / 3.0) / (lost * lost);
        let below = relative.min(central).min(2.0 * m.second / (lost * lost));
        let square = (2.0 * exponent).exp();
        let above = 2.0 * m.second / (grown * grown) + 2.0 * square * m.points_norm.powi(2) / (3.0 * grown);
        let grown = u * m.trace;
        let trace = match theorem {
            Theorem::C => 2.0 * m.trace_second / (grown * grown) + 2.0 * square * m.products_trace / (3.0 * grown),
            _ => 0.0,
        };
        [(m.samples, below), (m.samples, above), (1.0, trace)]
    }

    /// The lower bound on p in condition (4) of theorem C or (5) of theorem D.
    fn pairs_for_labels(&self, theorem: Theorem, free: Free, exponent: f64) -> f64 {
        let m = self.moments;
        let l = (1.0 - free.loss) * m.lambda_min;
        let width = if theorem == Theorem::C {
            let kappa_r = (C * (l / ((1.0 + free.growth) * m.trace)).sqrt()).ln_1p();
            m.points_norm * (exponent + kappa_r).exp() * m.label_norm * m.kappa / (0.5 * l * kappa_r)
        } else {
            let root = m.samples.sqrt();
            LEVERAGE * (1.0 + C / root) * m.kappa * m.label_norm * exponent.exp() * root * m.absolute_norm.sqrt() / l
        };
        width / 2.0
    }

    /// Whether `pairs` satisfies every condition, at the largest exponent for that many pairs.
    fn suffices(&self, theorem: Theorem, free: Free, pairs: f64) -> bool {
        let exponent = self.largest_exponent(free, pairs);
        let failure: f64 = self
            .concentrations(theorem, free, exponent)
            .map(|condition| failure(condition, pairs))
            .iter()
            .sum();
        failure <= self.delta * (1.0 - free.tail) && pairs >= self.pairs_for_labels(theorem, free, exponent)
    }

    /// The smallest p that satisfies all conditions; infinite if out of range.
    ///
    /// For a fixed largest exponent, the conditions hold from some p on, and that p grows with the exponent, which in
    /// turn depends on p. So the iteration p <- that p climbs to the smallest whole number that satisfies them all.
    pub fn smallest_pairs(&self, theorem: Theorem, free: Free) -> f64 {
        let budget = self.delta * (1.0 - free.tail);
        let mut pairs = 1.0_f64;
        for round in 0.. {
            let exponent = self.largest_exponent(free, pairs);
            let concentrated = pairs_for_failure(&self.concentrations(theorem, free, exponent), budget);
            let needed = concentrated.max(self.pairs_for_labels(theorem, free, exponent)) * (1.0 + MARGIN);
            if needed.is_nan() || needed > WIDEST {
                break;
            }
            if needed <= pairs {
                return pairs;
            }
            // The climb slows down where the two sides of a condition almost touch.
            let minimum_growth = if round < 60 { 1.0 } else { 1.001 };
            pairs = (needed * (1.0 + MARGIN)).max(pairs * minimum_growth).ceil();
        }
        f64::INFINITY
    }

    /// The smallest width over S, u and the split of delta, searched on finer and finer grids.
    pub fn smallest(&self, theorem: Theorem) -> (Sufficient, Free) {
        // logit S, ln u, logit(db / delta).
        let (low, high) = ([-5.0, -4.0, -14.0], [5.0, 8.0, 5.0]);
        let (mut centre, mut half) = ([0.0, 2.0, -4.5], [5.0, 6.0, 9.5]);
        let mut best = (f64::INFINITY, parameters(centre));
        for _ in 0..14 {
            let mut next = centre;
            for cell in 0..GRID.pow(3) {
                let index = [cell % GRID, cell / GRID % GRID, cell / (GRID * GRID)];
                let point: [f64; 3] = std::array::from_fn(|k| {
                    let offset = 2.0 * index[k] as f64 / (GRID - 1) as f64 - 1.0;
                    (centre[k] + half[k] * offset).clamp(low[k], high[k])
                });
                let free = parameters(point);
                let pairs = self.smallest_pairs(theorem, free);
                if pairs < best.0 {
                    (best, next) = ((pairs, free), point);
                }
            }
            centre = next;
            half = half.map(|h| h * 0.45);
        }
        (self.at(theorem, best.1, best.0), best.1)
    }

    /// What is proved at a width of 2 `pairs`.
    fn at(&self, theorem: Theorem, free: Free, pairs: f64) -> Sufficient {
        let proved = pairs <= WIDEST / 2.0 && self.suffices(theorem, free, pairs);
        let l = (1.0 - free.loss) * self.moments.lambda_min;
        let largest = largest_eigenvalue((1.0 + free.growth) * self.moments.lambda_max, l);
        let width = if proved { 2.0 * pairs } else { f64::INFINITY };
        Sufficient::new(theorem, width, largest, 0.5 * l)
    }
}

/// Grid points in each direction of the search.
const GRID: usize = 7;

/// From the coordinates of the search.
fn parameters([s, u, tail]: [f64; 3]) -> Free {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    Free {
        loss: logistic(s),
        growth: u.exp(),
        tail: logistic(tail),
    }
}

/// The probability for which p >= factor ln(count / probability) is an equality at p = `pairs`.
fn failure((count, factor): (f64, f64), pairs: f64) -> f64 {
    if factor > 0.0 {
        count * (-pairs / factor).exp()
    } else {
        0.0
    }
}

/// The smallest p at which the failure probabilities sum to `budget`, from below and up to rounding. Newton's method
/// from the left on the logarithm of the sum, which is convex and decreasing.
fn pairs_for_failure(conditions: &[(f64, f64); 3], budget: f64) -> f64 {
    let alone = |&(count, factor): &(f64, f64)| factor * (count / budget).ln().max(0.0);
    let mut pairs = conditions.iter().map(alone).fold(0.0, f64::max);
    for _ in 0..50 {
        let (mut sum, mut slope) = (0.0, 0.0);
        for &condition in conditions {
            let probability = failure(condition, pairs);
            sum += probability;
            if probability > 0.0 {
                slope += probability / condition.1;
            }
        }
        let step = (sum / budget).ln() * sum / slope;
        if step.is_nan() || step <= 1e-13 * pairs {
            break;
        }
        pairs += step;
    }
    pairs
}

/// The smallest even number that is at least `x` and at least 2. (From 2^53 on every f64 is even.)
fn even(x: f64) -> f64 {
    (2.0 * (x / 2.0).ceil()).max(2.0)
}

//! Theorems B, C and D: a width that is enough before anything is drawn. Statements and proofs: [`theory`](super::theory).

use super::deterministic::{C, largest_on_the_way};
use super::moments::Moments;
use super::report::Theorem;

/// Widths beyond which nothing is claimed: u64's range.
const WIDEST: f64 = 1.8e19;

/// Relative room for the rounding of the formulas.
const ROOM: f64 = 1e-12;

/// tau / (c beta), at least, whatever chi <= 1 / (1 + c).
const LEVERAGE: f64 = 5.2693;

/// A width that a theorem proves to be enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sufficient {
    pub theorem: Theorem,
    /// Even; infinite where it is beyond the range.
    pub width: f64,
    /// At this width.
    pub max_step_size: f64,
    /// Of ||e||, at least, each step of `max_step_size`.
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
        largest_on_the_way(self.moments.lambda_max + lam / 4.0, 1.25 * lam)
    }

    /// m1 = 32 V / (lam^2 d1).
    pub fn m1(&self, d1: f64) -> f64 {
        32.0 * self.moments.variance_sum / (self.moments.lambda_min.powi(2) * d1)
    }

    /// m2, the largest root of m = ||X|| e^{B + kappa R} ||y|| / (0.33 lam R); 0 where there is no root and so no constraint.
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

    /// The least width over d1 + d2 = delta.
    pub fn least(&self, delta: f64) -> Sufficient {
        // m1 falls in d1 and m2 rises: the larger is least where they cross.
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
            even(width * (1.0 + ROOM)),
            self.largest_eigenvalue(),
            self.moments.lambda_min / 4.0,
        )
    }
}

/// The largest root m of ln m = a + b sqrt(2 (q + ln m)), as exp; 0 where there is none.
///
/// s = sqrt(2 (q + ln m)) solves s^2 - 2 b s - 2 (a + q) = 0. The smaller root is not wanted: between the two the condition m >= … fails.
pub(super) fn largest_root(a: f64, b: f64, q: f64) -> f64 {
    let discriminant = b * b + 2.0 * (a + q);
    // a is -inf for labels of zero.
    if discriminant >= 0.0 {
        (a + b * (b + discriminant.sqrt())).exp()
    } else {
        0.0
    }
}

/// The free parameters of theorems C and D; the split of delta follows from them and p.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Free {
    /// S: how much of lam may be lost, relatively.
    pub loss: f64,
    /// u: how much Lam and tau may grow, relatively.
    pub growth: f64,
    /// db / delta: the share of the failure probability left to large activations.
    pub tail: f64,
}

/// Theorems C and D, for some failure probability delta.
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

    /// Conditions (1) to (3) as p >= ln(count / probability) times a factor: counts and factors, (3) for theorem C alone.
    fn concentrations(&self, theorem: Theorem, free: Free, exponent: f64) -> [(f64, f64); 3] {
        let m = self.moments;
        let (s, u) = (free.loss, free.growth);
        let (lost, grown) = (s * m.lambda_min, u * m.lambda_max);
        let relative = m.relative.map_or(f64::INFINITY, |v| 2.0 * (v + s / 3.0) / (s * s));
        let central = 2.0 * (m.central + m.lambda_max * lost / 3.0) / (lost * lost);
        let below = relative.min(central).min(2.0 * m.second / (lost * lost));
        let square = (2.0 * exponent).exp();
        let above = 2.0 * m.second / (grown * grown) + 2.0 * square * m.points_norm.powi(2) / (3.0 * grown);
        let trace = u * m.trace;
        let of_trace = match theorem {
            Theorem::C => 2.0 * m.trace_second / (trace * trace) + 2.0 * square * m.products_trace / (3.0 * trace),
            _ => 0.0,
        };
        [(m.samples, below), (m.samples, above), (1.0, of_trace)]
    }

    /// Condition (4) of theorem C or (5) of theorem D: p at least.
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

    /// Whether `pairs` satisfies every condition, at the largest exponent of that many pairs.
    fn suffices(&self, theorem: Theorem, free: Free, pairs: f64) -> bool {
        let exponent = self.largest_exponent(free, pairs);
        let failure: f64 = self
            .concentrations(theorem, free, exponent)
            .map(|of| failure(of, pairs))
            .iter()
            .sum();
        failure <= self.delta * (1.0 - free.tail) && pairs >= self.pairs_for_labels(theorem, free, exponent)
    }

    /// The least p that satisfies the conditions; infinite beyond the range.
    ///
    /// With the largest exponent held, the conditions hold from some p on, which grows with the exponent. So p <- that p climbs
    /// to the least whole number that satisfies them all, itself deciding the exponent.
    pub fn least_pairs(&self, theorem: Theorem, free: Free) -> f64 {
        let budget = self.delta * (1.0 - free.tail);
        let mut pairs = 1.0_f64;
        for round in 0.. {
            let exponent = self.largest_exponent(free, pairs);
            let concentrated = least_for_failure(&self.concentrations(theorem, free, exponent), budget);
            let needed = concentrated.max(self.pairs_for_labels(theorem, free, exponent)) * (1.0 + ROOM);
            if needed.is_nan() || needed > WIDEST {
                break;
            }
            if needed <= pairs {
                return pairs;
            }
            // The climb slows down where the conditions only just touch.
            let hurry = if round < 60 { 1.0 } else { 1.001 };
            pairs = (needed * (1.0 + ROOM)).max(pairs * hurry).ceil();
        }
        f64::INFINITY
    }

    /// The least width over S, u and the split of delta, by a search on ever finer grids.
    pub fn least(&self, theorem: Theorem) -> (Sufficient, Free) {
        // logit S, ln u, logit(db / delta).
        let (low, high) = ([-5.0, -4.0, -14.0], [5.0, 8.0, 5.0]);
        let (mut centre, mut half) = ([0.0, 2.0, -4.5], [5.0, 6.0, 9.5]);
        let mut best = (f64::INFINITY, free_of(centre));
        for _ in 0..14 {
            let mut next = centre;
            for cell in 0..GRID.pow(3) {
                let index = [cell % GRID, cell / GRID % GRID, cell / (GRID * GRID)];
                let point: [f64; 3] = std::array::from_fn(|k| {
                    let offset = 2.0 * index[k] as f64 / (GRID - 1) as f64 - 1.0;
                    (centre[k] + half[k] * offset).clamp(low[k], high[k])
                });
                let free = free_of(point);
                let pairs = self.least_pairs(theorem, free);
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
        let largest = largest_on_the_way((1.0 + free.growth) * self.moments.lambda_max, l);
        let width = if proved { 2.0 * pairs } else { f64::INFINITY };
        Sufficient::new(theorem, width, largest, 0.5 * l)
    }
}

/// Points of the search in each direction.
const GRID: usize = 7;

fn free_of([s, u, tail]: [f64; 3]) -> Free {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    Free {
        loss: logistic(s),
        growth: u.exp(),
        tail: logistic(tail),
    }
}

/// The probability that the condition p >= ln(count / probability) factor leaves, at p = `pairs`.
fn failure((count, factor): (f64, f64), pairs: f64) -> f64 {
    if factor > 0.0 {
        count * (-pairs / factor).exp()
    } else {
        0.0
    }
}

/// The least p at which the failures add up to `budget`, from below to rounding: Newton's method on the logarithm of the sum,
/// which is convex and falls, from the left.
fn least_for_failure(conditions: &[(f64, f64); 3], budget: f64) -> f64 {
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

/// The least even number of at least `x`, and of at least 2. (From 2^53 on all numbers are even.)
fn even(x: f64) -> f64 {
    (2.0 * (x / 2.0).ceil()).max(2.0)
}

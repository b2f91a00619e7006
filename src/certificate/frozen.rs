//! Theorem F: frozen Gauss-Newton, W <- W - J_0^T G_0^-1 e(W), converges, and an exact interpolant exists nearby.
//!
//! All iterates are W_0 - U^T s_t, with s_{t+1} = T(s_t), T(s) = s + P e(W_0 - U^T s). The derivative of T is at most
//! g'(s) = b2 s + ||P| psi(s)|, psi_i(s) = sum_r E_ri t_ri h2(t_ri s), on the ball ||s|| <= s. If s0 + g(s*) <= s* and
//! q = g'(s*) < 1, with g the integral of g', then T maps the ball s* to itself and contracts by q.

use super::operators::Operators;
use super::whitened::{UP, Whitened};
use nalgebra::{DMatrix, DVector};

/// Panels of the trapezoidal rule for g, which lies above g since g' is convex.
const PANELS: u32 = 32;

/// Bisections, enough for every digit.
const BISECTIONS: usize = 60;

/// The series for h2 ends with this power.
const DEGREE: usize = 40;

/// The quantities of theorem F.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frozen {
    /// s*, a bound on ||W_t - W_0||_F.
    pub distance: f64,
    /// q, the factor by which ||P e|| falls in each step.
    pub factor: f64,
}

/// Why theorem F does not hold: (s0 + g(s))/s > 1 for the largest s with g'(s) < 1, or g'(s) >= 1 at s0 or s*.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreached {
    pub factor: f64,
}

/// g' for one choice of norm.
struct Slope<'a> {
    curvature: f64,
    /// Coefficient k - 2 of psi_i(s): (sum_r E_ri t_ri^(k+1) / k!) s^k.
    moments: &'a [DVector<f64>],
    largest_reach: f64,
    norm: Norm<'a>,
}

/// A bound on ||P v|| for v >= 0.
enum Norm<'a> {
    /// || |P| v ||, P as computed, and the slack e1 ||P||_F.
    Entries(&'a DMatrix<f64>, f64),
    /// ||v|| / sqrt(lam_1): the divisor.
    Eigenvalue(f64),
}

impl Slope<'_> {
    fn at(&self, s: f64) -> f64 {
        let largest = self.largest_reach * s;
        if largest.is_nan() || largest > 0.8 * DEGREE as f64 {
            return f64::INFINITY;
        }
        let mut psi = DVector::zeros(self.moments[0].len());
        // Horner, from a last term that stands for all further ones: a geometric series.
        let tail = 1.0 / (1.0 - largest / (DEGREE as f64 + 1.0));
        for (k, moments) in self.moments.iter().enumerate().rev() {
            let factor = if k + 1 == self.moments.len() { tail } else { 1.0 };
            psi *= s;
            psi.axpy(factor, moments, 1.0);
        }
        psi *= s * s;
        let norm = match &self.norm {
            Norm::Entries(size, slack) => (*size * &psi).norm() + slack * psi.norm(),
            Norm::Eigenvalue(root) => psi.norm() / root,
        };
        (self.curvature * s + norm) * UP
    }

    /// g(s) by the trapezoidal rule.
    fn integral(&self, s: f64) -> f64 {
        let inner: f64 = (1..PANELS).map(|k| self.at(s * f64::from(k) / f64::from(PANELS))).sum();
        (inner + f64::midpoint(self.at(0.0), self.at(s))) * s / f64::from(PANELS) * UP
    }

    /// The smallest s* with s0 + g(s*) <= s*, if g'(s*) < 1 there.
    fn fixed_point(&self, s0: f64) -> Result<Frozen, Unreached> {
        let unreached = |factor| Err(Unreached { factor });
        if self.at(s0) >= 1.0 {
            return unreached(self.at(s0));
        }
        if s0 == 0.0 {
            return Ok(Frozen {
                distance: 0.0,
                factor: 0.0,
            });
        }
        let mut outside = 2.0 * s0;
        while self.at(outside) < 1.0 {
            outside *= 2.0;
            if outside > 1e300 {
                break;
            }
        }
        let widest = bisect(s0, outside, |s| self.at(s) < 1.0).0;
        let reached = |s: f64| s0 + self.integral(s) <= s * (1.0 - 1e-15);
        if !reached(widest) {
            return unreached((s0 + self.integral(widest)) / widest);
        }
        let distance = bisect(s0, widest, |s| !reached(s)).1 * UP;
        let factor = self.at(distance);
        if factor.is_nan() || factor >= 1.0 {
            return unreached(factor);
        }
        Ok(Frozen { distance, factor })
    }
}

/// Narrows `low`, at which `holds`, and `high`, at which it does not.
fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> (f64, f64) {
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        *(if holds(middle) { &mut low } else { &mut high }) = middle;
    }
    (low, high)
}

impl Frozen {
    /// Theorem F, with operator norms if there are any, in both norms of psi: [by entries, by the smallest eigenvalue].
    pub fn both(whitened: &Whitened<'_>, operators: Option<&Operators>) -> [Result<Self, Unreached>; 2] {
        for_both_norms(whitened, operators, |slope| slope.fixed_point(whitened.signal.norm))
    }
}

/// g'(s) in both norms of psi.
#[cfg(test)]
pub(super) fn slopes_at(whitened: &Whitened<'_>, operators: &Operators, s: f64) -> [f64; 2] {
    for_both_norms(whitened, Some(operators), |slope| slope.at(s))
}

fn for_both_norms<R>(
    whitened: &Whitened<'_>,
    operators: Option<&Operators>,
    visit: impl Fn(&Slope<'_>) -> R,
) -> [R; 2] {
    let (moments, largest_reach) = moments(whitened, operators);
    let curvature = match operators {
        Some(operators) => operators.curvature,
        None if whitened.is_paired() => 0.0,
        None => whitened.growth.l1,
    };
    let size = whitened.whitening.matrix.abs();
    let slack = whitened.whitening.e1 * size.norm();
    let smallest = whitened.whitening.smallest().sqrt();
    [Norm::Entries(&size, slack), Norm::Eigenvalue(smallest)].map(|norm| {
        visit(&Slope {
            curvature,
            moments: &moments,
            largest_reach,
            norm,
        })
    })
}

/// The moments of psi, and the largest `t_ri`. Without operator norms, `t_ri` <= `ell_r` ||x_i||.
fn moments(whitened: &Whitened<'_>, operators: Option<&Operators>) -> (Vec<DVector<f64>>, f64) {
    let start = whitened.start;
    let leverages = operators.is_none().then(|| whitened.leverages());
    let factor = (1.0 + whitened.activation_error) * start.neurons.copies() as f64 * UP;
    let mut moments = vec![DVector::zeros(whitened.samples()); DEGREE - 1];
    let mut largest = 0.0_f64;
    start.neurons.for_each_block(&mut |first, block| {
        for (r, column) in block.column_iter().enumerate() {
            for (i, e) in column.iter().enumerate() {
                let t = match (operators, &leverages) {
                    (Some(operators), _) => operators.reach[(i, first + r)],
                    (None, Some(leverages)) => leverages[first + r] * start.norms[i],
                    (None, None) => f64::INFINITY,
                };
                largest = largest.max(t);
                let mut term = factor * e * t * t / 2.0 * t;
                for (k, moments) in moments.iter_mut().enumerate() {
                    moments[i] += term;
                    term *= t / (k + 3) as f64;
                }
            }
        }
    });
    (moments, largest)
}

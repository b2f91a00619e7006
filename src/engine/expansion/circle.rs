//! On a circle, exp(<w, x>) is expanded into harmonics instead of monomials: 2 p + 1 functions of a neuron, not p^2 / 2.
//!
//! With x = R e^(i phi) and w = ||w|| e^(i theta) as complex numbers, r = R ||w||, and the modified Bessel functions I_k,
//!
//! ```text
//! exp(<w, x>) = I_0(r) + 2 sum_{k >= 1} I_k(r) cos(k (theta - phi))                     the generating function of I_k
//!             = B_0 + 2 sum_k Re(B_k conj(X^k)),      B_k = I_k(r) e^(i k theta),  X = x / R
//!
//! forward     M_k = sum_r a_r B_k(w_r)                F_i = M_0 + 2 sum_k Re(conj(M_k) X_i^k)
//! backward    V_k = sum_i v_i X_i^k                   Phi(w) = V_0 B_0 + 2 sum_k Re(B_k conj(V_k))
//!             grad Phi = R [sum_{k >= 1} B_k conj(V_{k-1}) + sum_{k >= 0} conj(B_k) V_{k+1}]
//! tangent     dB_k = upsilon B_{k-1} + conj(upsilon) B_{k+1},  upsilon = R u / 2,       by I_k' = (I_{k-1} + I_{k+1}) / 2
//! ```
//!
//! Terms add up to e^r, as those of the power series do.

use super::super::kernels::expansion::{Group, group_len, store, zero};
use super::super::kernels::harmonics;
use super::basis::Block;
use super::monomials::MOST_COORDINATES;
use super::workspace::Tables;
use fearless_simd::prelude::*;

/// More than any power series needs.
const MOST_TERMS: usize = 100;

/// The harmonics of degree at most p on a circle.
#[derive(Clone, Debug)]
pub(in super::super) struct Circle {
    pub degree: usize,
    /// R.
    radius: f64,
    /// The power series of I_k(r) / (r / 2)^k in r^2 / 4 for k = p + 1 and p, highest powers first.
    start: [Vec<f64>; 2],
}

impl Circle {
    pub fn new(degree: usize, radius: f64) -> Self {
        Self {
            degree,
            radius,
            start: [degree + 1, degree].map(|k| bessel_series(k, degree)),
        }
    }

    /// Real and imaginary parts of all harmonics.
    pub fn len(&self) -> usize {
        2 * (self.degree + 1)
    }

    /// For each k, the factors of Re B_k and Im B_k in the two coordinates of grad Phi.
    pub fn slopes(&self, potential: &[f64], slopes: &mut Vec<f64>) {
        let harmonic = |k: Option<usize>| {
            let pair = k.and_then(|k| Some((potential.get(2 * k)?, potential.get(2 * k + 1)?)));
            pair.map_or((0.0, 0.0), |(re, im)| (self.radius * re, self.radius * im))
        };
        slopes.clear();
        for k in 0..=self.degree {
            let (below, above) = (harmonic(k.checked_sub(1)), harmonic(Some(k + 1)));
            slopes.extend([
                above.0 + below.0,
                above.1 + below.1,
                above.1 - below.1,
                below.0 - above.0,
            ]);
        }
    }

    #[inline(always)]
    pub(super) fn fill_neurons<S: Simd>(&self, s: S, neurons: Block<'_>, seed: &[f64], tables: &mut Tables) {
        let (coordinates, groups) = (plane(neurons), neurons.groups);
        let (factor, table) = (0.5 * self.radius, tables.rows.get_mut());
        let start = [&self.start[0][..], &self.start[1][..]];
        harmonics::fill_powers(s, coordinates, factor, seed, self.degree, groups, table);
        harmonics::scale_powers(s, coordinates, factor, start, self.degree, groups, table);
    }

    #[inline(always)]
    pub(super) fn fill_points<S: Simd>(&self, s: S, points: Block<'_>, dual: &[f64], tables: &mut Tables) {
        let (coordinates, factor) = (plane(points), 1.0 / self.radius);
        let table = tables.rows.get_mut();
        harmonics::fill_powers(s, coordinates, factor, dual, self.degree, points.groups, table);
    }

    #[inline(always)]
    pub(super) fn gradient<S: Simd>(
        &self,
        s: S,
        slopes: &[f64],
        group: usize,
        tables: &Tables,
    ) -> [Group<S>; MOST_COORDINATES] {
        let stride = self.len() * group_len::<S>();
        let table = &tables.rows.get()[group * stride..][..stride];
        let [x, y] = harmonics::slopes(s, slopes, table);
        [x, y, zero(s), zero(s)]
    }

    #[inline(always)]
    pub(super) fn add_sums<S: Simd>(&self, s: S, groups: usize, table: &[f64], sums: &mut [f64]) {
        harmonics::add_entries(s, self.len(), groups, table, sums);
    }

    #[inline(always)]
    pub(super) fn add_tangent<S: Simd>(
        &self,
        s: S,
        directions: Block<'_>,
        scale: f64,
        tables: &mut Tables,
        sums: &mut [f64],
    ) {
        let Tables { rows, moved_rows, .. } = tables;
        let (groups, factor, moved) = (directions.groups, 0.5 * self.radius * scale, moved_rows.get_mut());
        harmonics::derive(s, plane(directions), factor, self.degree, groups, rows.get(), moved);
        self.add_sums(s, groups, moved, sums);
    }

    #[inline(always)]
    pub(super) fn values<S: Simd>(&self, s: S, points: Block<'_>, moments: &[f64], values: &mut [f64]) {
        let (coordinates, factor) = (plane(points), 1.0 / self.radius);
        for (g, values) in values.chunks_exact_mut(group_len::<S>()).enumerate() {
            store::<S>(harmonics::evaluate(s, coordinates, factor, moments, g), values);
        }
    }
}

/// Multiplies M_k by 2 for k > 0, as F wants it.
pub(super) fn double(moments: &mut [f64]) {
    moments.iter_mut().skip(2).for_each(|m| *m *= 2.0);
}

#[inline(always)]
fn plane(block: Block<'_>) -> [&[f64]; 2] {
    [block.coordinates[0], block.coordinates[1]]
}

/// The coefficients 1 / (q! (q + k)!) of I_k(r) / (r / 2)^k in z = r^2 / 4, highest powers first, as many as matter for the
/// weights that `degree` suffices for.
fn bessel_series(k: usize, degree: usize) -> Vec<f64> {
    // Those have z^((p + 1) / 2) / (p + 1)! below the least precise unit of rounding.
    let power = (degree + 1) as f64;
    let factorial: f64 = (1..=degree + 1).map(|i| i as f64).product();
    let largest = (f64::from(f32::EPSILON) * factorial).powf(2.0 / power);
    let mut coefficient = (1..=k).fold(1.0, |product, i| product / i as f64);
    let (mut series, mut term) = (vec![coefficient], 1.0);
    for q in 1..=MOST_TERMS {
        let factor = 1.0 / (q as f64 * (q + k) as f64);
        coefficient *= factor;
        term *= largest * factor;
        series.push(coefficient);
        if term < 0.25 * f64::EPSILON {
            break;
        }
    }
    series.reverse();
    series
}

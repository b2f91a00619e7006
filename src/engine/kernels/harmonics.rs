//! The kernels of the expansion into circular harmonics, all in `f64`.
//!
//! ```text
//! table     [group][entry][V][lanes]       entries 2 k and 2 k + 1: real and imaginary part of harmonic k
//! sums      [entry][lanes]
//! ```

use super::expansion::{Group, Lanes, VECTORS, group_len, load, multiply_add, store, zero};
use fearless_simd::prelude::*;

/// A complex number in each lane.
type Complex<S> = [Group<S>; 2];

#[inline(always)]
fn splat<S: Simd>(s: S, x: f64) -> Group<S> {
    [Lanes::<S>::splat(s, x); VECTORS]
}

#[inline(always)]
fn negative<S: Simd>(x: Group<S>) -> Group<S> {
    [-x[0], -x[1], -x[2]]
}

#[inline(always)]
fn product<S: Simd>(a: Group<S>, b: Group<S>) -> Group<S> {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

#[inline(always)]
fn sum<S: Simd>(a: Group<S>, b: Group<S>) -> Group<S> {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// sum + a b.
#[inline(always)]
fn complex_multiply_add<S: Simd>(a: Complex<S>, b: Complex<S>, sum: Complex<S>) -> Complex<S> {
    let minus = negative::<S>(a[1]);
    [
        multiply_add::<S>(minus, b[1], multiply_add::<S>(a[0], b[0], sum[0])),
        multiply_add::<S>(a[1], b[0], multiply_add::<S>(a[0], b[1], sum[1])),
    ]
}

#[inline(always)]
fn load_pair<S: Simd>(s: S, from: &[f64]) -> Complex<S> {
    let (re, im) = from.split_at(group_len::<S>());
    [load(s, re), load(s, im)]
}

#[inline(always)]
fn store_pair<S: Simd>([re, im]: Complex<S>, to: &mut [f64]) {
    let (to_re, to_im) = to.split_at_mut(group_len::<S>());
    store::<S>(re, to_re);
    store::<S>(im, to_im);
}

/// The complex numbers x + i y of a group, times `factor`.
#[inline(always)]
fn read<S: Simd>(s: S, [x, y]: [&[f64]; 2], factor: f64, group: usize) -> Complex<S> {
    let (at, factor) = (group * group_len::<S>(), splat(s, factor));
    [
        product::<S>(load(s, &x[at..]), factor),
        product::<S>(load(s, &y[at..]), factor),
    ]
}

/// The table of seed (factor (x + i y))^k for k = 0 to `degree`.
///
/// Group by group within a power, so that the chains of products overlap.
#[inline(always)]
pub fn fill_powers<S: Simd>(
    s: S,
    coordinates: [&[f64]; 2],
    factor: f64,
    seed: &[f64],
    degree: usize,
    groups: usize,
    table: &mut [f64],
) {
    let pair = 2 * group_len::<S>();
    let stride = (degree + 1) * pair;
    let tables = &mut table[..groups * stride];
    for (table, seed) in tables.chunks_exact_mut(stride).zip(seed.chunks_exact(pair / 2)) {
        store_pair::<S>([load(s, seed), zero(s)], table);
    }
    for k in 0..degree {
        for (g, table) in tables.chunks_exact_mut(stride).enumerate() {
            let point = read(s, coordinates, factor, g);
            let power = load_pair(s, &table[k * pair..]);
            let [re, im] = power;
            let minus = negative::<S>(im);
            let next = [
                multiply_add::<S>(minus, point[1], product::<S>(re, point[0])),
                multiply_add::<S>(im, point[0], product::<S>(re, point[1])),
            ];
            store_pair::<S>(next, &mut table[(k + 1) * pair..]);
        }
    }
}

/// Turns the powers of zeta, |zeta| = r / 2, into harmonics I_k(r) e^(i k theta) = g_k zeta^k.
///
/// g_{k-1} = k g_k + |zeta|^2 g_{k+1}, downwards, where all terms are positive. `start` holds the power series of the two
/// highest g in |zeta|^2, highest powers first.
#[inline(always)]
pub fn scale_powers<S: Simd>(
    s: S,
    coordinates: [&[f64]; 2],
    factor: f64,
    start: [&[f64]; 2],
    degree: usize,
    groups: usize,
    table: &mut [f64],
) {
    let pair = 2 * group_len::<S>();
    let stride = (degree + 1) * pair;
    for (g, table) in table.chunks_exact_mut(stride).take(groups).enumerate() {
        let [x, y] = read(s, coordinates, factor, g);
        let square = multiply_add::<S>(x, x, product::<S>(y, y));
        let mut above = polynomial(s, start[0], square);
        let mut here = polynomial(s, start[1], square);
        let mut order = degree as f64;
        for power in table.chunks_exact_mut(pair).rev() {
            let [re, im] = load_pair(s, power);
            store_pair::<S>([product::<S>(re, here), product::<S>(im, here)], power);
            let below = multiply_add::<S>(splat(s, order), here, product::<S>(square, above));
            (above, here) = (here, below);
            order -= 1.0;
        }
    }
}

/// The polynomial with these coefficients, highest powers first.
#[inline(always)]
fn polynomial<S: Simd>(s: S, coefficients: &[f64], at: Group<S>) -> Group<S> {
    let mut sum = zero(s);
    for c in coefficients {
        sum = multiply_add::<S>(sum, at, splat(s, *c));
    }
    sum
}

/// Adds each entry of all tables to its lanes in `sums`.
#[inline(always)]
pub fn add_entries<S: Simd>(s: S, entries: usize, groups: usize, table: &[f64], sums: &mut [f64]) {
    let (len, lanes) = (group_len::<S>(), Lanes::<S>::LEN);
    let stride = entries * len;
    for (e, to) in sums.chunks_exact_mut(lanes).take(entries).enumerate() {
        let mut total = zero(s);
        for g in 0..groups {
            total = sum::<S>(total, load(s, &table[g * stride + e * len..]));
        }
        let known = Lanes::<S>::from_slice(s, to);
        (known + (total[0] + total[1] + total[2])).store_slice(to);
    }
}

/// sum_k (c_0 re_k + c_1 im_k, c_2 re_k + c_3 im_k) over the harmonics of a table.
#[inline(always)]
pub fn slopes<S: Simd>(s: S, coefficients: &[f64], table: &[f64]) -> [Group<S>; 2] {
    // Four chains of sums, not two that are twice as long.
    let mut sums = [zero(s); 4];
    let pairs = table.chunks_exact(2 * group_len::<S>());
    for (c, pair) in coefficients.as_chunks::<4>().0.iter().zip(pairs) {
        let [re, im] = load_pair(s, pair);
        sums = [
            multiply_add::<S>(re, splat(s, c[0]), sums[0]),
            multiply_add::<S>(im, splat(s, c[1]), sums[1]),
            multiply_add::<S>(re, splat(s, c[2]), sums[2]),
            multiply_add::<S>(im, splat(s, c[3]), sums[3]),
        ];
    }
    [sum::<S>(sums[0], sums[1]), sum::<S>(sums[2], sums[3])]
}

/// The derivatives of harmonics along factor (u + i v): upsilon B_{k-1} + conj(upsilon) B_{k+1}, without the last of these.
#[inline(always)]
pub fn derive<S: Simd>(
    s: S,
    direction: [&[f64]; 2],
    factor: f64,
    degree: usize,
    groups: usize,
    table: &[f64],
    derivative: &mut [f64],
) {
    let pair = 2 * group_len::<S>();
    let stride = (degree + 1) * pair;
    let tables = table.chunks_exact(stride).zip(derivative.chunks_exact_mut(stride));
    for (g, (table, derivative)) in tables.take(groups).enumerate() {
        let up = read(s, direction, factor, g);
        let down = [up[0], negative::<S>(up[1])];
        let mut here = load_pair(s, table);
        let mut above = harmonic(s, table, 1);
        let mut below = [above[0], negative::<S>(above[1])];
        for (k, to) in derivative.chunks_exact_mut(pair).enumerate() {
            let next = complex_multiply_add::<S>(down, above, [zero(s); 2]);
            store_pair::<S>(complex_multiply_add::<S>(up, below, next), to);
            (below, here, above) = (here, above, harmonic(s, table, k + 2));
        }
    }
}

/// Harmonic k of a group's table; 0 beyond its degree.
#[inline(always)]
fn harmonic<S: Simd>(s: S, table: &[f64], k: usize) -> Complex<S> {
    let pair = 2 * group_len::<S>();
    if (k + 1) * pair <= table.len() {
        load_pair(s, &table[k * pair..])
    } else {
        [zero(s); 2]
    }
}

/// The real part of sum_k conj(c_k) (factor (x + i y))^k, by Horner's rule; c_k are pairs.
#[inline(always)]
pub fn evaluate<S: Simd>(s: S, coordinates: [&[f64]; 2], factor: f64, coefficients: &[f64], group: usize) -> Group<S> {
    let point = read(s, coordinates, factor, group);
    let mut sum = [zero(s); 2];
    for [re, im] in coefficients.as_chunks::<2>().0.iter().rev() {
        sum = complex_multiply_add::<S>(point, sum, [splat(s, *re), splat(s, -im)]);
    }
    sum[0]
}

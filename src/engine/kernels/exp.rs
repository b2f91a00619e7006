//! 2^z for a vector: the only elementary function in the kernels.
//!
//! The points are multiplied by log2(e) when they are packed, so that exp(<w, x>) = 2^z with z = <w, log2(e) x>. Since
//! z - round(z) is exact, there is no argument reduction. Without AVX-512, z has to be clamped first, unless |w| |log2(e) x|
//! shows that it is within reach of the exponent bits, as it does nearly always.
//!
//! ```text
//! portable    z = n + r,       |r| <= 1/2     2^z = 2^n (1 + r q(r)),       n added to the exponent bits
//! AVX-512     z = n + j/16 + r, |r| <= 1/32   2^z = scale(t + t r q(r), n), t = 2^(j/16) by permutation
//! ```
//!
//! Wherever 2^z is a normal number, the error is below 1 ulp plus the final rounding (1.5 ulp in all): the tests
//! measure 1.24 ulp for the portable code without fused multiply-add, 1.14 with it, and 1.03 with the table. The result
//! is `inf` above the largest number, and 0 below the smallest number; where 2^z is subnormal, the portable code gives something
//! between 0 and 2^z. It is NaN for a NaN that arithmetic made from other numbers, whose low bits are 0: those of another might be
//! taken for n. The coefficients of q come from the Remez algorithm: `tests/data/exp2.py`.

// The numbers are the output of the Remez algorithm, digit for digit.
#![allow(clippy::approx_constant, clippy::excessive_precision, clippy::wildcard_imports)]

use super::microkernel::{Pair, load};
use crate::float::Float;
use fearless_simd::prelude::*;
use std::any::Any;

/// q in 2^r = 1 + r q(r) on [-1/2, 1/2], constant term first, with relative error 3.4e-18.
const Q64: [f64; 11] = [
    0.693_147_180_559_945_3,
    0.240_226_506_959_101_3,
    0.055_504_108_664_820_084,
    0.009_618_129_107_594_12,
    0.001_333_355_814_677_462,
    0.000_154_035_304_571_120_9,
    1.525_273_349_312_748_9e-5,
    1.321_543_528_230_848_8e-6,
    1.017_819_957_184_213_8e-7,
    7.073_783_248_503_134e-9,
    4.434_771_298_200_377e-10,
];

/// The same for `f32`, with relative error 2e-9.
const Q32: [f64; 6] = [
    0.693_147_202_855_031_6,
    0.240_226_479_136_368_52,
    0.055_503_324_711_908_573,
    0.009_618_437_356_957_42,
    0.001_339_887_439_398_139,
    0.000_153_533_620_688_584_9,
];

/// Up to this |z|, [`pow2`] needs no [`clamp`]: less than the exponents of T by 2% in `f64` and 5% in `f32`, since the bound on |z| is
/// rounded. In `f32` that is enough for some 10^5 coordinates.
fn reach<T: Float>() -> f64 {
    if size_of::<T>() == 8 { 1000.0 } else { 120.0 }
}

/// Whether there is an instruction that rounds to integers.
#[inline(always)]
fn rounds<S: Simd>(s: S) -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return s.level().as_sse4_2().is_some();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    return !s.level().is_fallback();
}

/// Whether `pow2` takes every z as it is.
#[inline(always)]
fn needs_no_clamp<S: Simd>(s: S) -> bool {
    #[cfg(target_arch = "x86_64")]
    return s.level().as_avx512().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = s;
        false
    }
}

/// Whether |z| <= |w| |x| is within [`reach`] in every lane of a panel, for the largest |x|^2 of the packed points, which are
/// multiplied by log2(e); false for NaN.
#[inline(always)]
pub fn within_reach<S: Simd, T: Float>(s: S, largest_square: T, weights: &[T]) -> bool {
    if needs_no_clamp(s) {
        return true;
    }
    let panel = 2 * T::Native::<S>::LEN;
    let zero = T::Native::<S>::splat(s, T::zero());
    // Two sums per lane, so that fewer additions wait for another.
    let mut squares = [[zero; 2]; 2];
    let pairs = weights.chunks_exact(2 * panel);
    let last = pairs.remainder().chunks_exact(panel);
    for rows in pairs.map(|pair| pair.split_at(panel)) {
        for (row, squares) in [rows.0, rows.1].into_iter().zip(&mut squares) {
            let w = load::<S, T>(s, row);
            *squares = [w[0].mul_add(w[0], squares[0]), w[1].mul_add(w[1], squares[1])];
        }
    }
    let [mut first, second] = squares;
    for row in last {
        let w = load::<S, T>(s, row);
        first = [w[0].mul_add(w[0], first[0]), w[1].mul_add(w[1], first[1])];
    }
    let largest = T::Native::<S>::splat(s, largest_square);
    let reach = T::Native::<S>::splat(s, T::lit(reach::<T>().powi(2)));
    let within = |v: usize| ((first[v] + second[v]) * largest).simd_lt(reach);
    (within(0) & within(1)).all_true()
}

/// 2^z in every lane of two vectors, within [`reach`] or after [`clamp`].
#[inline(always)]
pub fn pow2<S: Simd, T: Float>(s: S, z: Pair<S, T>) -> Pair<S, T> {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx512) = s.level().as_avx512() {
        let zero = T::Native::<S>::splat(s, T::zero());
        let mut powers = [zero; 2];
        for (power, z) in powers.iter_mut().zip(z) {
            if let Some(z) = same::<_, fearless_simd::f64x8<S>>(z) {
                let p: fearless_simd::f64x8<S> = avx512::pow2_f64(avx512, z.into()).simd_into(s);
                *power = same(p).unwrap_or(zero);
            } else if let Some(z) = same::<_, fearless_simd::f32x16<S>>(z) {
                let p: fearless_simd::f32x16<S> = avx512::pow2_f32(avx512, z.into()).simd_into(s);
                *power = same(p).unwrap_or(zero);
            }
        }
        return powers;
    }
    portable::<S, T>(s, z)
}

/// `a`, if A and B are the same type. Resolved at compile time.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn same<A: Copy + 'static, B: Copy + 'static>(a: A) -> Option<B> {
    (&a as &dyn Any).downcast_ref::<B>().copied()
}

/// Both vectors in step. The schedulers hold only a few vectors at a time, so it matters as much how many operations wait for
/// another as how many there are: hence Estrin's scheme for the longer polynomial, and z rounded twice.
#[inline(always)]
fn portable<S: Simd, T: Float>(s: S, z: Pair<S, T>) -> Pair<S, T> {
    let splat = |x: f64| T::Native::<S>::splat(s, T::lit(x));
    // Adding 1.5 * 2^(mantissa bits) rounds to an integer, which is then in the low bits.
    let (magic, mantissa) = if size_of::<T>() == 8 {
        (splat(6_755_399_441_055_744.0), 52)
    } else {
        (splat(12_582_912.0), 23)
    };
    let shifted = [z[0] + magic, z[1] + magic];
    let nearest = if rounds(s) {
        // The same as below, without waiting for the sums.
        [z[0].round_ties_even(), z[1].round_ties_even()]
    } else {
        [shifted[0] - magic, shifted[1] - magic]
    };
    let r = [z[0] - nearest[0], z[1] - nearest[1]];
    let q = if size_of::<T>() == 8 {
        q64::<S, T>(s, r)
    } else {
        q32::<S, T>(s, r)
    };
    let mut p = multiply_add::<S, T>(q, r, [splat(1.0); 2]);
    for (p, shifted) in p.iter_mut().zip(shifted) {
        *p = <T::Native<S> as SimdFloat<S>>::from_bits(p.to_bits() + (shifted.to_bits() << mantissa));
    }
    p
}

/// z, moved into the range where [`pow2`] is valid; NaN stays NaN.
///
/// At the least z, n makes the bits of 1 those of 0, and at the largest those of inf.
#[inline(always)]
pub fn clamp<S: Simd, T: Float>(s: S, z: Pair<S, T>) -> Pair<S, T> {
    if needs_no_clamp(s) {
        return z;
    }
    let (least, largest) = if size_of::<T>() == 8 {
        (-1023.0, 1024.0)
    } else {
        (-127.0, 128.0)
    };
    let least = T::Native::<S>::splat(s, T::lit(least));
    let largest = T::Native::<S>::splat(s, T::lit(largest));
    if s.level().is_fallback() {
        // `f64::max` drops a NaN.
        let z = [
            z[0].simd_lt(least).select(least, z[0]),
            z[1].simd_lt(least).select(least, z[1]),
        ];
        return [
            z[0].simd_gt(largest).select(largest, z[0]),
            z[1].simd_gt(largest).select(largest, z[1]),
        ];
    }
    // x86 returns the second number if either is NaN, and NEON returns NaN.
    [largest.min(least.max(z[0])), largest.min(least.max(z[1]))]
}

#[inline(always)]
fn q64<S: Simd, T: Float>(s: S, r: Pair<S, T>) -> Pair<S, T> {
    let square = [r[0] * r[0], r[1] * r[1]];
    let fourth = [square[0] * square[0], square[1] * square[1]];
    let last = [T::Native::<S>::splat(s, T::lit(Q64[10])); 2];
    let third = multiply_add::<S, T>(last, square, terms::<S, T>(s, &Q64, 8, r));
    let second = multiply_add::<S, T>(terms::<S, T>(s, &Q64, 6, r), square, terms::<S, T>(s, &Q64, 4, r));
    let first = multiply_add::<S, T>(terms::<S, T>(s, &Q64, 2, r), square, terms::<S, T>(s, &Q64, 0, r));
    multiply_add::<S, T>(multiply_add::<S, T>(third, fourth, second), fourth, first)
}

#[inline(always)]
fn q32<S: Simd, T: Float>(s: S, r: Pair<S, T>) -> Pair<S, T> {
    // By Horner's scheme.
    let mut q = [T::Native::<S>::splat(s, T::lit(Q32[5])); 2];
    for i in [4, 3, 2, 1, 0] {
        q = multiply_add::<S, T>(q, r, [T::Native::<S>::splat(s, T::lit(Q32[i])); 2]);
    }
    q
}

/// Two terms of a polynomial, from term `i` on.
#[inline(always)]
fn terms<S: Simd, T: Float>(s: S, coefficients: &[f64], i: usize, r: Pair<S, T>) -> Pair<S, T> {
    let constant = [T::Native::<S>::splat(s, T::lit(coefficients[i])); 2];
    let slope = [T::Native::<S>::splat(s, T::lit(coefficients[i + 1])); 2];
    multiply_add::<S, T>(slope, r, constant)
}

/// a b + c.
#[inline(always)]
fn multiply_add<S: Simd, T: Float>(a: Pair<S, T>, b: Pair<S, T>, c: Pair<S, T>) -> Pair<S, T> {
    [a[0].mul_add(b[0], c[0]), a[1].mul_add(b[1], c[1])]
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    fearless_simd::kernel!(
        #[inline]
        pub(super) fn pow2_f64(_token: Avx512, z: __m512d) -> __m512d {
            // 2^(j/16) for j = 0, ..., 15.
            let low = _mm512_setr_pd(
                1.0,
                1.0442737824274138,
                1.0905077326652577,
                1.1387886347566916,
                1.189207115002721,
                1.241857812073484,
                1.2968395546510096,
                1.3542555469368927,
            );
            let high = _mm512_setr_pd(
                1.4142135623730951,
                1.4768261459394993,
                1.5422108254079407,
                1.6104903319492543,
                1.681792830507429,
                1.7562521603732995,
                1.8340080864093424,
                1.9152065613971474,
            );
            // Adding 1.5 * 2^48 rounds to sixteenths, whose number is then in the low bits.
            let magic = _mm512_set1_pd(422_212_465_065_984.0);
            let shifted = _mm512_add_pd(z, magic);
            let n = _mm512_sub_pd(shifted, magic);
            // z - n, and 0 for an infinite z. If z is too large for `magic`, n is so far out of range that `scalef`
            // gives 0 or inf. So z need not be clamped, which would occupy the ports of the multipliers.
            let r = _mm512_reduce_pd::<0x40>(z);
            let t = _mm512_permutex2var_pd(low, _mm512_castpd_si512(shifted), high);
            // Estrin's scheme: the schedulers hold only a few vectors at a time, so the length of the dependency chain
            // matters, not the number of operations.
            let square = _mm512_mul_pd(r, r);
            let q0 = _mm512_fmadd_pd(
                _mm512_set1_pd(0.24022650695909906),
                r,
                _mm512_set1_pd(0.6931471805599468),
            );
            let q2 = _mm512_fmadd_pd(
                _mm512_set1_pd(0.00961812911219207),
                r,
                _mm512_set1_pd(0.055504108652133566),
            );
            let q4 = _mm512_fmadd_pd(
                _mm512_set1_pd(0.00015403348281360884),
                r,
                _mm512_set1_pd(0.0013333818526483619),
            );
            let q = _mm512_fmadd_pd(_mm512_fmadd_pd(q4, square, q2), square, q0);
            _mm512_scalef_pd(_mm512_fmadd_pd(_mm512_mul_pd(t, r), q, t), n)
        }
    );

    fearless_simd::kernel!(
        #[inline]
        pub(super) fn pow2_f32(_token: Avx512, z: __m512) -> __m512 {
            let table = _mm512_setr_ps(
                1.0,
                1.0442737824274138,
                1.0905077326652577,
                1.1387886347566916,
                1.189207115002721,
                1.241857812073484,
                1.2968395546510096,
                1.3542555469368927,
                1.4142135623730951,
                1.4768261459394993,
                1.5422108254079407,
                1.6104903319492543,
                1.681792830507429,
                1.7562521603732995,
                1.8340080864093424,
                1.9152065613971474,
            );
            // 1.5 * 2^19.
            let magic = _mm512_set1_ps(786_432.0);
            let shifted = _mm512_add_ps(z, magic);
            let n = _mm512_sub_ps(shifted, magic);
            let r = _mm512_reduce_ps::<0x40>(z);
            let t = _mm512_permutexvar_ps(_mm512_castps_si512(shifted), table);
            let q = _mm512_set1_ps(0.05550213650253032);
            let q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.2402342880139463));
            let q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.6931471826666297));
            _mm512_scalef_ps(_mm512_fmadd_ps(_mm512_mul_ps(t, r), q, t), n)
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::microkernel::{self, store};
    use crate::engine::plan::levels;
    use fearless_simd::{Level, dispatch};

    fn evaluate<T: Float>(level: Level, z: &[T]) -> Vec<T> {
        #[inline(always)]
        fn all<S: Simd, T: Float>(s: S, z: &[T]) -> Vec<T> {
            let lanes = 2 * T::Native::<S>::LEN;
            let mut padded = z.to_vec();
            padded.resize(z.len().next_multiple_of(lanes), T::zero());
            for chunk in padded.chunks_exact_mut(lanes) {
                store::<S, T>(pow2::<S, T>(s, clamp::<S, T>(s, load::<S, T>(s, chunk))), chunk);
            }
            padded.truncate(z.len());
            padded
        }
        dispatch!(level, s => all(s, z))
    }

    /// z, and 2^z as the sum of two doubles, from 60-digit arithmetic.
    fn exact() -> Vec<[f64; 3]> {
        let rows = include_str!("../../../tests/data/exp2.csv").lines();
        rows.map(|row| {
            let mut fields = row.split(',').map(|x| x.parse().unwrap());
            std::array::from_fn(|_| fields.next().unwrap())
        })
        .collect()
    }

    #[test]
    fn f64_is_within_one_and_a_half_ulp_over_the_whole_range() {
        let exact = exact();
        let z: Vec<f64> = exact.iter().map(|row| row[0]).collect();
        for level in levels() {
            let mut worst = 0.0_f64;
            for (p, [z, high, low]) in evaluate(level, &z).iter().zip(&exact) {
                let ulp = high.next_up() - high;
                let error = (((p - high) - low) / ulp).abs();
                assert!(error <= 1.5, "{level:?}: 2^{z} = {p}, off by {error} ulp");
                worst = worst.max(error);
            }
            println!("{level:?}: f64 within {worst:.3} ulp");
        }
    }

    #[test]
    #[allow(clippy::cast_possible_truncation)]
    fn f32_is_within_one_and_a_half_ulp_over_the_whole_range() {
        let z: Vec<f32> = (-126 * 4096..128 * 4096).map(|i| i as f32 / 4096.0 + 1e-5).collect();
        for level in levels() {
            let mut worst = 0.0_f64;
            for (p, &z) in evaluate(level, &z).iter().zip(&z) {
                let exact = f64::from(z).exp2();
                let ulp = f64::from((exact as f32).next_up() - exact as f32);
                let error = ((f64::from(*p) - exact) / ulp).abs();
                assert!(error <= 1.5, "{level:?}: 2^{z} = {p}, off by {error} ulp");
                worst = worst.max(error);
            }
            println!("{level:?}: f32 within {worst:.3} ulp");
        }
    }

    #[test]
    fn leaves_the_range_as_documented() {
        fn check<T: Float>(level: Level, lowest: f64, highest: f64) {
            let of = |z: f64| evaluate(level, &[T::lit(z)])[0];
            for z in [highest, highest + 0.6, 1e5, 1e30, f64::MAX, f64::INFINITY] {
                assert_eq!(of(z).as_f64(), f64::INFINITY, "{level:?}: 2^{z}");
            }
            for z in [lowest - 60.0, lowest - 1000.0, -1e5, -1e30, f64::MIN, f64::NEG_INFINITY] {
                assert_eq!(of(z).as_f64(), 0.0, "{level:?}: 2^{z}");
            }
            assert!(of(f64::NAN).as_f64().is_nan(), "{level:?}");
            for z in [0.0, -0.0, 1e-300] {
                assert_eq!(of(z).as_f64(), 1.0, "{level:?}");
            }
            for z in (1..64).map(|i| lowest - f64::from(i) / 64.0) {
                let (found, exact) = (of(z).as_f64(), z.exp2());
                assert!(found >= 0.0 && found <= 1.001 * exact, "{level:?}: 2^{z} = {found}");
            }
        }
        for level in levels() {
            check::<f64>(level, -1022.0, 1024.0);
            check::<f32>(level, -126.0, 128.0);
        }
    }

    #[test]
    fn the_reach_counts_every_weight_of_a_panel() {
        #[inline(always)]
        fn within<S: Simd, T: Float>(s: S, square: f64, weights: &[T]) -> bool {
            within_reach::<S, T>(s, T::lit(square), weights)
        }
        fn check<T: Float>(level: Level) {
            let is_within = |square: f64, weights: &[T]| dispatch!(level, s => within(s, square, weights));
            let lanes = microkernel::lanes::<T>(level);
            let reach = reach::<T>();
            for rows in 1..=5 {
                // Just inside, in every lane.
                let inside = T::lit(0.99 * reach / f64::from(rows).sqrt());
                let weights = vec![inside; lanes * usize::try_from(rows).unwrap()];
                assert!(is_within(1.0, &weights), "{level:?} {rows}");
                for at in 0..weights.len() {
                    for outside in [1.1 * reach, -1.1 * reach, f64::INFINITY, f64::NAN] {
                        let mut weights = weights.clone();
                        weights[at] = T::lit(outside);
                        assert!(!is_within(1.0, &weights), "{level:?} {rows} {at} {outside}");
                    }
                }
            }
            let weights = vec![T::lit(2.0); lanes];
            for (square, expected) in [(0.0, true), (0.24 * reach.powi(2), true), (0.26 * reach.powi(2), false)] {
                assert_eq!(is_within(square, &weights), expected, "{level:?} {square}");
            }
            // Infinite times 0.
            let zeros = vec![T::zero(); lanes];
            assert!(!is_within(f64::INFINITY, &zeros), "{level:?}");
        }
        for level in levels().into_iter().filter(|level| level_needs_clamp(*level)) {
            check::<f64>(level);
            check::<f32>(level);
        }
    }

    fn level_needs_clamp(level: Level) -> bool {
        dispatch!(level, s => !needs_no_clamp(s))
    }
}

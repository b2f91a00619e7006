//! The microkernel: `acc[R][2] += splat(a[t][R]) * b[t][2 vectors]`, where a row of `b` is loaded once for R numbers of
//! `a`.

use crate::float::Float;
use fearless_simd::{Level, dispatch, prelude::*};

/// Two vectors side by side.
pub type Pair<S, T> = [<T as SimdFloatElement>::Native<S>; 2];

/// The number of lanes of a pair of vectors: P.
pub fn lanes<T: Float>(level: Level) -> usize {
    #[inline(always)]
    fn lanes<S: Simd, T: Float>(_: S) -> usize {
        T::Native::<S>::LEN
    }
    2 * dispatch!(level, s => lanes::<_, T>(s))
}

/// Whether there are enough registers for 24 accumulators: AVX-512 and NEON have 32, the other levels 16.
#[inline(always)]
pub fn has_32_registers(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return level.as_avx512().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64") && !level.is_fallback();
}

#[inline(always)]
pub fn load<S: Simd, T: Float>(s: S, from: &[T]) -> Pair<S, T> {
    let n = T::Native::<S>::LEN;
    [
        T::Native::<S>::from_slice(s, &from[..n]),
        T::Native::<S>::from_slice(s, &from[n..2 * n]),
    ]
}

#[inline(always)]
pub fn store<S: Simd, T: Float>(pair: Pair<S, T>, to: &mut [T]) {
    let n = T::Native::<S>::LEN;
    pair[0].store_slice(&mut to[..n]);
    pair[1].store_slice(&mut to[n..2 * n]);
}

/// out[r] = sum over t of a[t][r] b[t], for the R rows of P numbers with which `out` begins; with `onto`, adds to them.
#[inline(always)]
pub fn multiply<'a, S: Simd, T: Float, const R: usize>(
    s: S,
    a: impl Iterator<Item = &'a [T; R]>,
    b: &[T],
    out: &mut [T],
    onto: bool,
) {
    let panel = 2 * T::Native::<S>::LEN;
    let out = &mut out[..R * panel];
    let mut acc = [[T::Native::<S>::splat(s, T::zero()); 2]; R];
    if onto {
        for (acc, out) in acc.iter_mut().zip(out.chunks_exact(panel)) {
            *acc = load::<S, T>(s, out);
        }
    }
    for (a, b) in a.zip(b.chunks_exact(panel)) {
        let [b0, b1] = load::<S, T>(s, b);
        for r in 0..R {
            let v = T::Native::<S>::splat(s, a[r]);
            acc[r][0] = v.mul_add(b0, acc[r][0]);
            acc[r][1] = v.mul_add(b1, acc[r][1]);
        }
    }
    for (acc, out) in acc.into_iter().zip(out.chunks_exact_mut(panel)) {
        store::<S, T>(acc, out);
    }
}

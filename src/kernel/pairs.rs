//! Kernels in closed form, between all pairs of points.

use super::{check_cross_entries, check_entries, times_exp};
use crate::engine;
use crate::error::Error;
use crate::memory;
use fearless_simd::dispatch;
use nalgebra::{DMatrix, DVectorView};
use rayon::prelude::*;

/// Entries of a column computed at a time: their sums fit in L1.
const BLOCK: usize = 64;
/// As in nalgebra, a dot product is eight partial sums, by k modulo 8, which are added at the end.
const SUMS: usize = 8;

/// A kernel whose entries depend on <x, y> and sigma^2 ||x + y||^2 alone.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClosedForm {
    /// Hcts: <x, y> exp(sigma^2 ||x + y||^2 / 2).
    Tangent,
    /// C: exp(sigma^2 ||x + y||^2 / 2).
    Conjugate,
}

impl ClosedForm {
    fn name(self) -> &'static str {
        match self {
            Self::Tangent => "the limit kernel",
            Self::Conjugate => "the conjugate kernel",
        }
    }
}

/// The kernel of `points` (d x n), on and below the diagonal. Loops run along the block and thus vectorise; the bits are
/// the same on every SIMD level, because nothing is fused.
///
/// Errors: an entry outside the range of `f64`; a matrix that does not fit in memory.
pub(super) fn lower_triangle(form: ClosedForm, points: &DMatrix<f64>, std_dev: f64) -> Result<DMatrix<f64>, Error> {
    let (n, level) = (points.ncols(), engine::level()?);
    let rows = points.transpose();
    let mut kernel = memory::square(form.name(), n)?;
    let columns = kernel.as_mut_slice().par_chunks_mut(n).enumerate();
    let finite = columns.map(|(j, column)| {
        let y = points.column(j);
        for (entries, first) in column[j..].chunks_mut(BLOCK).zip((j..).step_by(BLOCK)) {
            dispatch!(level, _s => block(form, &rows, first, y, std_dev, entries));
        }
        column.iter().all(|entry| entry.is_finite())
    });
    // Checked per column while it is in the cache; only after a failure is the entry looked up.
    if !finite.reduce(|| true, |one, other| one & other) {
        check_entries(form.name(), &kernel)?;
    }
    Ok(kernel)
}

/// The kernel between `points` (d x n) and `others` (d x k), n x k. Each entry has the bits of the same pair in
/// [`lower_triangle`].
///
/// Errors: an entry outside the range of `f64`; a matrix that does not fit in memory.
pub(super) fn rectangle(
    form: ClosedForm,
    points: &DMatrix<f64>,
    others: &DMatrix<f64>,
    std_dev: f64,
) -> Result<DMatrix<f64>, Error> {
    let (n, level) = (points.ncols(), engine::level()?);
    let rows = points.transpose();
    let mut kernel = memory::matrix(form.name(), memory::FEWER_POINTS, (n, others.ncols()))?;
    let columns = kernel.as_mut_slice().par_chunks_mut(n).enumerate();
    columns.for_each(|(j, column)| {
        let y = others.column(j);
        for (entries, first) in column.chunks_mut(BLOCK).zip((0..).step_by(BLOCK)) {
            dispatch!(level, _s => block(form, &rows, first, y, std_dev, entries));
        }
    });
    check_cross_entries(form.name(), &kernel)?;
    Ok(kernel)
}

/// The kernel between y and the points from `first` on.
#[inline(always)]
fn block(
    form: ClosedForm,
    rows: &DMatrix<f64>,
    first: usize,
    y: DVectorView<'_, f64>,
    std_dev: f64,
    entries: &mut [f64],
) {
    let size = entries.len();
    let (mut squares, mut sums) = ([0.0; BLOCK], [[0.0; BLOCK]; SUMS]);
    let whole = y.len() / SUMS * SUMS;
    for (k, y) in y.iter().enumerate() {
        let row = rows.column(k);
        let x = &row.as_slice()[first..first + size];
        for (square, x) in squares.iter_mut().zip(x) {
            let scaled = std_dev * (x + y);
            *square += scaled * scaled;
        }
        if k == whole {
            reduce(&mut sums);
        }
        let sum = if k < whole { k % SUMS } else { 0 };
        for (sum, x) in sums[sum].iter_mut().zip(x) {
            *sum += x * y;
        }
    }
    if whole == y.len() {
        reduce(&mut sums);
    }
    match form {
        ClosedForm::Tangent => {
            for ((entry, square), product) in entries.iter_mut().zip(&squares).zip(&sums[0]) {
                *entry = times_exp(*product, square / 2.0);
            }
        }
        ClosedForm::Conjugate => {
            for (entry, square) in entries.iter_mut().zip(&squares) {
                *entry = (square / 2.0).exp();
            }
        }
    }
}

/// Adds all partial sums into the first.
#[inline(always)]
fn reduce(sums: &mut [[f64; BLOCK]; SUMS]) {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
    for i in 0..BLOCK {
        s0[i] = (s0[i] + s4[i]) + (s1[i] + s5[i]) + (s2[i] + s6[i]) + (s3[i] + s7[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_of_each_pair_alone() {
        for d in [1, 7, 8, 17] {
            let points = DMatrix::from_fn(d, 130, |k, i| ((3 * i + 5 * k + i * k) as f64).sin());
            let kernel = lower_triangle(ClosedForm::Tangent, &points, 0.7).unwrap();
            for j in 0..130 {
                for i in j..130 {
                    let (x, y) = (points.column(i), points.column(j));
                    let squares: f64 = x.iter().zip(&y).map(|(x, y)| (0.7 * (x + y)).powi(2)).sum();
                    assert_eq!(kernel[(i, j)], times_exp(x.dot(&y), squares / 2.0), "{d} {i} {j}");
                }
            }
        }
    }
}

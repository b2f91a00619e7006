//! Symmetric tridiagonal matrices, given by their `diagonal` and `off_diagonal`.

use rayon::prelude::*;

/// Eigenvalues bisected side by side, so that their divisions overlap.
const LANES: usize = 8;

/// Bisections: from Gershgorin's interval down to a quarter of the rounding error of its larger end.
const BISECTIONS: usize = 56;

/// The most steps of Newton's method: of some 2000 matrices with up to 200 rows, up to 4 rows took 9, 200 rows 128.
const NEWTON_STEPS: usize = 1000;

/// All n >= 1 eigenvalues by bisection, largest first, with an error of the order of the rounding of the largest one.
/// The squares of the off-diagonal entries must be finite. Costs O(n^2).
#[cfg_attr(feature = "faer", allow(dead_code))]
pub(super) fn eigenvalues(diagonal: &[f64], off_diagonal: &[f64]) -> Vec<f64> {
    let n = diagonal.len();
    let squares: Vec<f64> = off_diagonal.iter().map(|b| b * b).collect();
    let (smallest, largest) = gershgorin(diagonal, off_diagonal);
    let mut eigenvalues = vec![0.0; n];
    let in_lanes = |(chunk, eigenvalues): (usize, &mut [f64])| {
        // The number of eigenvalues smaller than that of lane l.
        let smaller: [usize; LANES] = std::array::from_fn(|l| n.saturating_sub(1 + chunk * LANES + l));
        let (mut low, mut high) = ([smallest; LANES], [largest; LANES]);
        for _ in 0..BISECTIONS {
            let middle = std::array::from_fn(|l| low[l] + 0.5 * (high[l] - low[l]));
            let below = count_below(diagonal, &squares, &middle);
            for l in 0..LANES {
                if below[l] > smaller[l] {
                    high[l] = middle[l];
                } else {
                    low[l] = middle[l];
                }
            }
        }
        for (l, eigenvalue) in eigenvalues.iter_mut().enumerate() {
            *eigenvalue = low[l] + 0.5 * (high[l] - low[l]);
        }
    };
    eigenvalues.par_chunks_mut(LANES).enumerate().for_each(in_lanes);
    eigenvalues
}

/// An interval that contains every eigenvalue.
fn gershgorin(diagonal: &[f64], off_diagonal: &[f64]) -> (f64, f64) {
    let side = |i: Option<usize>| i.and_then(|i| off_diagonal.get(i)).map_or(0.0, |b| b.abs());
    let discs = diagonal
        .iter()
        .enumerate()
        .map(|(i, &centre)| (centre, side(i.checked_sub(1)) + side(Some(i))));
    discs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (centre, radius)| {
        (low.min(centre - radius), high.max(centre + radius))
    })
}

/// The number of eigenvalues below each of `x`, from the signs of the pivots of T - x I (Sturm, Sylvester).
fn count_below(diagonal: &[f64], squares: &[f64], x: &[f64; LANES]) -> [usize; LANES] {
    let mut below = [0; LANES];
    let mut pivot = [1.0; LANES];
    for (i, &centre) in diagonal.iter().enumerate() {
        let square = if i == 0 { 0.0 } else { squares[i - 1] };
        for l in 0..LANES {
            // A pivot of 0 counts as a tiny negative number, as if x were larger by less than its rounding error.
            let safe = if pivot[l] == 0.0 { -f64::MIN_POSITIVE } else { pivot[l] };
            pivot[l] = centre - x[l] - square / safe;
            below[l] += usize::from(pivot[l] <= 0.0);
        }
    }
    below
}

/// The largest eigenvalue of a positive semidefinite tridiagonal matrix and its unit eigenvector; NaN if an entry is not finite. A
/// further entry of `off_diagonal` leads out of the matrix.
///
/// The eigenvector comes from inverse iteration on e_1, to which no eigenvector is orthogonal if there are no zeros next to the
/// diagonal: its error is that of rounding over its first component.
pub(super) fn leading_pair(diagonal: &[f64], off_diagonal: &[f64]) -> (f64, Vec<f64>) {
    let k = diagonal.len();
    let inner = &off_diagonal[..k.saturating_sub(1)];
    if diagonal.iter().chain(inner).any(|x| !x.is_finite()) {
        return (f64::NAN, vec![f64::NAN; k]);
    }
    let unit = gershgorin(diagonal, inner).1;
    if unit <= 0.0 {
        let first = |i: usize| f64::from(u8::from(i == 0));
        return (0.0, (0..k).map(first).collect());
    }
    // -T, with no eigenvalue below -1.
    let scaled = |numbers: &[f64]| numbers.iter().map(|x| -x / unit).chain([0.0]).collect::<Vec<f64>>();
    let (diagonal, off_diagonal) = (&scaled(diagonal)[..k], scaled(inner));
    let shift = smallest_shift(diagonal, &off_diagonal);
    let mut vector = solve(diagonal, &off_diagonal, shift, 1.0);
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    for x in &mut vector {
        *x /= norm;
    }
    (shift * unit, vector)
}

/// The smallest x >= 0 for which T + x I has no negative eigenvalue, if 1 is large enough: by Newton's method on its determinant p
/// from 1, which descends to the largest root without passing it. p'/p is the sum of those of the pivots, all positive above.
fn smallest_shift(diagonal: &[f64], off_diagonal: &[f64]) -> f64 {
    let mut x = 1.0;
    for _ in 0..NEWTON_STEPS {
        let (mut pivot, mut slope, mut sum) = (f64::INFINITY, 0.0, 0.0);
        let before = [0.0].iter().chain(off_diagonal);
        for (centre, b) in diagonal.iter().zip(before) {
            let ratio = b / pivot;
            slope = 1.0 + ratio * ratio * slope;
            pivot = centre + x - ratio * b;
            if pivot <= 0.0 {
                return x;
            }
            sum += slope / pivot;
        }
        let next = f64::max(x - 1.0 / sum, 0.0);
        if next >= x {
            return x;
        }
        x = next;
    }
    x
}

/// Entry k of T y, where T has one row more than columns: the last `off_diagonal` leads out of the Krylov space.
pub(super) fn row(diagonal: &[f64], off_diagonal: &[f64], k: usize, y: &[f64]) -> f64 {
    let at = |k: usize| y.get(k).copied().unwrap_or(0.0);
    let own = diagonal.get(k).map_or(0.0, |d| d * at(k));
    let before = k.checked_sub(1).map_or(0.0, |j| off_diagonal[j] * at(j));
    let after = off_diagonal.get(k).map_or(0.0, |b| b * at(k + 1));
    own + before + after
}

/// Solves (T + shift I) y = norm e_1 for a tridiagonal T that is positive semidefinite up to rounding: pivots lost in
/// rounding are raised to a safe minimum.
pub(super) fn solve(diagonal: &[f64], off_diagonal: &[f64], shift: f64, norm: f64) -> Vec<f64> {
    let size = |(d, b): (&f64, &f64)| d.abs() + b.abs();
    let largest = diagonal.iter().zip(off_diagonal).map(size).fold(0.0, f64::max);
    if largest + shift == 0.0 {
        return vec![0.0; diagonal.len()];
    }
    let smallest = (diagonal.len() as f64 * f64::EPSILON * largest).max(f64::MIN_POSITIVE);
    let mut pivots: Vec<f64> = Vec::with_capacity(diagonal.len());
    let mut y: Vec<f64> = Vec::with_capacity(diagonal.len());
    for (k, d) in diagonal.iter().enumerate() {
        let (pivot, right) = match k.checked_sub(1) {
            None => (d + shift, norm),
            Some(j) => {
                let factor = off_diagonal[j] / pivots[j];
                (d + shift - factor * off_diagonal[j], -factor * y[j])
            }
        };
        pivots.push(f64::max(pivot, smallest));
        y.push(right);
    }
    for k in (0..diagonal.len()).rev() {
        let after = if k + 1 < diagonal.len() {
            off_diagonal[k] * y[k + 1]
        } else {
            0.0
        };
        y[k] = (y[k] - after) / pivots[k];
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// 2 on the diagonal and -1 next to it: the eigenvalues are 2 - 2 cos(k pi / (n + 1)).
    #[test]
    fn second_difference_matrix() {
        for n in [1, 2, 3, 7, 8, 9, 100] {
            let found = eigenvalues(&vec![2.0; n], &vec![-1.0; n - 1]);
            for (k, found) in found.iter().rev().enumerate() {
                let exact = 2.0 - 2.0 * ((k + 1) as f64 * PI / (n + 1) as f64).cos();
                assert!((found - exact).abs() < 1e-15, "{n} {k}: {found} {exact}");
            }
        }
    }

    #[test]
    fn leading_pairs() {
        for n in [1, 2, 3, 8, 40, 200] {
            let (diagonal, off_diagonal) = (vec![2.0; n], vec![-1.0; n]);
            let (value, vector) = leading_pair(&diagonal, &off_diagonal);
            let angle = n as f64 * PI / (n + 1) as f64;
            let exact = 2.0 - 2.0 * angle.cos();
            assert!((value - exact).abs() < 2e-15, "{n}: {value} {exact}");
            let sines: Vec<f64> = (1..=n).map(|j| (j as f64 * angle).sin()).collect();
            let norm = sines.iter().map(|x| x * x).sum::<f64>().sqrt();
            for (found, exact) in vector.iter().zip(&sines) {
                assert!((found - exact / norm).abs() < 1e-10, "{n}: {found} {}", exact / norm);
            }
        }
    }

    /// A matrix of Lanczos whose start is all but orthogonal to the leading eigenvector, and numbers near the ends of f64.
    #[test]
    fn leading_pairs_of_extreme_matrices() {
        for scale in [1e-300, 1e-150, 1.0, 1e150] {
            let (value, vector) = leading_pair(&[scale, 2.0 * scale], &[1e-9 * scale, 0.0]);
            assert!((value / scale - 2.0).abs() < 1e-15, "{value}");
            // The other eigenvector stays with a share of the rounding error over the start.
            assert!(vector[0].abs() < 2e-6 && (vector[1] - 1.0).abs() < 1e-11, "{vector:?}");
        }
        assert_eq!(leading_pair(&[1e200], &[1e300]), (1e200, vec![1.0]));
        assert_eq!(leading_pair(&[0.0, 0.0], &[0.0, 0.0]), (0.0, vec![1.0, 0.0]));
        assert!(leading_pair(&[1.0, f64::INFINITY], &[0.0, 0.0]).0.is_nan());
    }

    #[test]
    fn zero_pivots_and_decoupled_matrices() {
        // The first bisection is at 0, where the pivots are 0, 1/0, …
        assert_eq!(eigenvalues(&[0.0; 2], &[1.0]), [1.0, -1.0]);
        assert_eq!(eigenvalues(&[0.0; 3], &[0.0; 2]), [0.0; 3]);
        let found = eigenvalues(&[1.0, 0.0, 1e-200], &[1e-200, 1e-200]);
        assert!(
            (found[0] - 1.0).abs() < 1e-16 && found[1].abs() < 1e-16 && found[2].abs() < 1e-16,
            "{found:?}"
        );
    }
}

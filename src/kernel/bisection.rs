//! Eigenvalues of a symmetric tridiagonal matrix by bisection: it ends, and loses nothing to rounding.

use rayon::prelude::*;

/// Eigenvalues that are bisected side by side, so that their divisions overlap.
const LANES: usize = 8;

/// Halvings: from Gershgorin's interval down to a quarter of the rounding of its larger end.
const HALVINGS: usize = 56;

/// All n eigenvalues, largest first, each to within rounding of the largest in size.
///
/// `diagonal` holds n >= 1 numbers and `beside` the n - 1 next to them, whose squares must be finite. O(n^2).
pub(super) fn tridiagonal_eigenvalues(diagonal: &[f64], beside: &[f64]) -> Vec<f64> {
    let n = diagonal.len();
    let squares: Vec<f64> = beside.iter().map(|b| b * b).collect();
    let (least, largest) = gershgorin(diagonal, beside);
    let mut eigenvalues = vec![0.0; n];
    let in_lanes = |(chunk, eigenvalues): (usize, &mut [f64])| {
        // So many eigenvalues are smaller than that of lane l.
        let smaller: [usize; LANES] = std::array::from_fn(|l| n.saturating_sub(1 + chunk * LANES + l));
        let (mut low, mut high) = ([least; LANES], [largest; LANES]);
        for _ in 0..HALVINGS {
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

/// An interval that holds every eigenvalue.
fn gershgorin(diagonal: &[f64], beside: &[f64]) -> (f64, f64) {
    let side = |i: Option<usize>| i.and_then(|i| beside.get(i)).map_or(0.0, |b| b.abs());
    let discs = diagonal
        .iter()
        .enumerate()
        .map(|(i, &centre)| (centre, side(i.checked_sub(1)) + side(Some(i))));
    discs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (centre, radius)| {
        (low.min(centre - radius), high.max(centre + radius))
    })
}

/// How many eigenvalues lie below each of `x`: the signs of the pivots of T - x I (Sturm, Sylvester).
fn count_below(diagonal: &[f64], squares: &[f64], x: &[f64; LANES]) -> [usize; LANES] {
    let mut below = [0; LANES];
    let mut pivot = [1.0; LANES];
    for (i, &centre) in diagonal.iter().enumerate() {
        let square = if i == 0 { 0.0 } else { squares[i - 1] };
        for l in 0..LANES {
            // A pivot of 0 counts as the smallest negative number: as if x were larger by less than rounding.
            let safe = if pivot[l] == 0.0 { -f64::MIN_POSITIVE } else { pivot[l] };
            pivot[l] = centre - x[l] - square / safe;
            below[l] += usize::from(pivot[l] <= 0.0);
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)).
    #[test]
    fn second_difference_matrix() {
        for n in [1, 2, 3, 7, 8, 9, 100] {
            let found = tridiagonal_eigenvalues(&vec![2.0; n], &vec![-1.0; n - 1]);
            for (k, found) in found.iter().rev().enumerate() {
                let exact = 2.0 - 2.0 * ((k + 1) as f64 * PI / (n + 1) as f64).cos();
                assert!((found - exact).abs() < 1e-15, "{n} {k}: {found} {exact}");
            }
        }
    }

    #[test]
    fn pivots_of_zero_and_matrices_that_fall_apart() {
        // The first halving asks at 0, where the pivots are 0, 1/0, …
        assert_eq!(tridiagonal_eigenvalues(&[0.0; 2], &[1.0]), [1.0, -1.0]);
        assert_eq!(tridiagonal_eigenvalues(&[0.0; 3], &[0.0; 2]), [0.0; 3]);
        let found = tridiagonal_eigenvalues(&[1.0, 0.0, 1e-200], &[1e-200, 1e-200]);
        assert!(
            (found[0] - 1.0).abs() < 1e-16 && found[1].abs() < 1e-16 && found[2].abs() < 1e-16,
            "{found:?}"
        );
    }
}

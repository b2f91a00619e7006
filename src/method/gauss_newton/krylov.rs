//! (G + shift I) v = rhs from products with G alone.

use crate::error::Error;
use crate::step::Lanczos;
use nalgebra::DVector;

/// Conjugate gradients in the form of Lanczos: the Krylov space of a right-hand side is the same for every shift, so that a
/// second solve with more damping costs no product.
#[derive(Clone, Debug, Default)]
pub(super) struct Krylov {
    rhs: DVector<f64>,
    norm: f64,
    space: Option<Lanczos>,
}

/// What a solve found.
pub(super) struct Solution {
    pub dual: DVector<f64>,
    /// G times the dual.
    pub product: DVector<f64>,
    /// Whether the residual is as small as was asked for.
    pub reached: bool,
}

impl Solution {
    pub fn zeros(n: usize) -> Self {
        Self {
            dual: DVector::zeros(n),
            product: DVector::zeros(n),
            reached: true,
        }
    }
}

impl Krylov {
    /// Forgets the space: G is another.
    pub fn clear(&mut self) {
        self.space = None;
    }

    /// rhs^T G rhs / ||rhs||^2, the curvature along the right-hand side; 0 where that is 0.
    pub fn curvature(
        &mut self,
        rhs: &DVector<f64>,
        mut multiply: impl FnMut(&[f64]) -> Result<Vec<f64>, Error>,
    ) -> Result<f64, Error> {
        self.enter(rhs);
        match &mut self.space {
            Some(space) if space.diagonal.is_empty() => extend(space, &mut multiply)?,
            _ => {}
        }
        let first = |space: &Lanczos| space.diagonal.first().copied();
        Ok(self.space.as_ref().and_then(first).unwrap_or(0.0))
    }

    /// Solves until the residual is at most `accuracy` ||rhs||, with a space of at most `most` dimensions.
    pub fn solve(
        &mut self,
        rhs: &DVector<f64>,
        shift: f64,
        accuracy: f64,
        most: usize,
        mut multiply: impl FnMut(&[f64]) -> Result<Vec<f64>, Error>,
    ) -> Result<Solution, Error> {
        self.enter(rhs);
        let n = rhs.len();
        let Some(space) = &mut self.space else {
            return Ok(Solution::zeros(n));
        };
        loop {
            let size = space.diagonal.len();
            let weights = solve_tridiagonal(&space.diagonal, &space.beside, shift, self.norm);
            let rest = match (space.beside.last(), weights.last()) {
                (Some(beside), Some(weight)) => beside * weight,
                _ => f64::INFINITY,
            };
            let reached = rest.abs() <= accuracy * self.norm;
            if reached || size >= most.min(n) || (size > 0 && space.basis.len() == size) {
                let mut dual = DVector::zeros(n);
                let mut product = DVector::zeros(n);
                for (k, v) in space.basis.iter().enumerate() {
                    dual.axpy(weights.get(k).copied().unwrap_or(0.0), v, 1.0);
                    product.axpy(tridiagonal_row(&space.diagonal, &space.beside, k, &weights), v, 1.0);
                }
                return Ok(Solution { dual, product, reached });
            }
            extend(space, &mut multiply)?;
        }
    }

    /// Begins a space, unless the one at hand is of this right-hand side.
    fn enter(&mut self, rhs: &DVector<f64>) {
        if self.space.is_none() || self.rhs != *rhs {
            self.norm = rhs.norm();
            self.space = (self.norm > 0.0).then(|| Lanczos::new(rhs / self.norm));
            self.rhs.clone_from(rhs);
        }
    }
}

fn extend(space: &mut Lanczos, multiply: &mut impl FnMut(&[f64]) -> Result<Vec<f64>, Error>) -> Result<(), Error> {
    if let Some(last) = space.basis.last() {
        let product = multiply(last.as_slice())?;
        space.extend(DVector::from_vec(product));
    }
    Ok(())
}

/// Entry k of T y, of which the last leads out of the space.
fn tridiagonal_row(diagonal: &[f64], beside: &[f64], k: usize, y: &[f64]) -> f64 {
    let at = |k: usize| y.get(k).copied().unwrap_or(0.0);
    let own = diagonal.get(k).map_or(0.0, |d| d * at(k));
    let before = k.checked_sub(1).map_or(0.0, |j| beside[j] * at(j));
    let after = beside.get(k).map_or(0.0, |b| b * at(k + 1));
    own + before + after
}

/// (T + shift I) y = norm e_1 for a tridiagonal T that is positive semidefinite but for rounding: pivots that rounding has
/// eaten are damped.
fn solve_tridiagonal(diagonal: &[f64], beside: &[f64], shift: f64, norm: f64) -> Vec<f64> {
    let size = |(d, b): (&f64, &f64)| d.abs() + b.abs();
    let largest = diagonal.iter().zip(beside).map(size).fold(0.0, f64::max);
    if largest + shift == 0.0 {
        return vec![0.0; diagonal.len()];
    }
    let least = (diagonal.len() as f64 * f64::EPSILON * largest).max(f64::MIN_POSITIVE);
    let mut pivots: Vec<f64> = Vec::with_capacity(diagonal.len());
    let mut y: Vec<f64> = Vec::with_capacity(diagonal.len());
    for (k, d) in diagonal.iter().enumerate() {
        let (pivot, right) = match k.checked_sub(1) {
            None => (d + shift, norm),
            Some(j) => {
                let factor = beside[j] / pivots[j];
                (d + shift - factor * beside[j], -factor * y[j])
            }
        };
        pivots.push(f64::max(pivot, least));
        y.push(right);
    }
    for k in (0..diagonal.len()).rev() {
        let after = if k + 1 < diagonal.len() {
            beside[k] * y[k + 1]
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
    use nalgebra::DMatrix;

    fn matrix(n: usize, power: f64) -> DMatrix<f64> {
        let root = DMatrix::from_fn(n, n, |i, j| {
            ((3 * i + 7 * j * j + 5 * i * j + 1) as f64).sin() / ((j + 1) as f64).powf(power)
        });
        &root * root.transpose()
    }

    #[test]
    fn solves_for_several_shifts_with_the_products_of_the_hardest() {
        for (n, power) in [(1, 1.0), (5, 0.5), (40, 2.0)] {
            let g = matrix(n, power);
            let rhs = DVector::from_fn(n, |i, _| (1.0 + i as f64).cos());
            let mut count = 0;
            let mut krylov = Krylov::default();
            let mut counts = Vec::new();
            for shift in [1e-3, 1e-1, 10.0] {
                let product = |v: &[f64]| {
                    count += 1;
                    Ok((&g * DVector::from_column_slice(v)).as_slice().to_vec())
                };
                let found = krylov.solve(&rhs, shift, 1e-10, 100, product).unwrap();
                let rest = &g * &found.dual + shift * &found.dual - &rhs;
                assert!(rest.norm() <= 2e-10 * rhs.norm(), "{n} {shift}: {}", rest.norm());
                assert!((&g * &found.dual - &found.product).norm() <= 1e-9 * rhs.norm());
                counts.push(count);
            }
            assert!(
                counts[0] <= n && counts[1] == counts[0] && counts[2] == counts[0],
                "{counts:?}"
            );
        }
    }

    #[test]
    fn a_short_space_gives_the_best_it_has() {
        let g = matrix(30, 0.2);
        let rhs = DVector::from_element(30, 1.0);
        let product = |v: &[f64]| Ok((&g * DVector::from_column_slice(v)).as_slice().to_vec());
        let mut last = f64::INFINITY;
        for most in 1..8 {
            let found = Krylov::default().solve(&rhs, 1e-2, 0.0, most, product).unwrap();
            // The energy that conjugate gradients minimise.
            let energy =
                0.5 * (found.product.dot(&found.dual) + 1e-2 * found.dual.norm_squared()) - rhs.dot(&found.dual);
            assert!((&g * &found.dual - &found.product).norm() < 1e-10);
            assert!(energy < last);
            last = energy;
        }
    }

    #[test]
    fn nothing_to_solve() {
        let none = Krylov::default().solve(&DVector::zeros(3), 0.0, 1e-3, 10, |_| Ok(vec![0.0; 3]));
        assert_eq!(none.unwrap().dual, DVector::zeros(3));
        let singular = Krylov::default().solve(&DVector::from_element(3, 1.0), 0.0, 1e-3, 10, |_| Ok(vec![0.0; 3]));
        assert_eq!(singular.unwrap().dual, DVector::zeros(3));
    }
}

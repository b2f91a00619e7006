//! Lanczos iteration on a symmetric matrix given by its products, for its leading eigenvalue and for systems with many
//! shifts.

use super::tridiagonal;
use crate::error::Error;
use nalgebra::DVector;

/// The maximum number of iterations; three are usual.
const MAX_ITERATIONS: usize = 200;

/// An orthonormal basis V of the Krylov space of a vector, in which the matrix is tridiagonal:
///
/// ```text
/// A V_k = V_k T_k + off_diagonal_k v_(k+1) e_k^T       T_k: `diagonal` on the diagonal, `off_diagonal` next to it
/// ```
///
/// Full reorthogonalisation costs O(n k) per product.
#[derive(Clone, Debug)]
struct Lanczos {
    /// k + 1 vectors, or k if the space is exhausted.
    basis: Vec<DVector<f64>>,
    /// k numbers.
    diagonal: Vec<f64>,
    /// k numbers, the last of which leads out of the space.
    off_diagonal: Vec<f64>,
}

impl Lanczos {
    /// The Krylov space of `start`, a unit vector.
    fn new(start: DVector<f64>) -> Self {
        Self {
            basis: vec![start],
            diagonal: Vec::new(),
            off_diagonal: Vec::new(),
        }
    }

    /// Adds a dimension. `product` is the matrix times the last basis vector.
    fn extend(&mut self, mut product: DVector<f64>) {
        if let Some(last) = self.basis.last() {
            self.diagonal.push(last.dot(&product));
        }
        // Twice is enough: a single pass leaves components of the order of the rounding error times the matrix.
        for _ in 0..2 {
            for v in &self.basis {
                product.axpy(-v.dot(&product), v, 1.0);
            }
        }
        let rest = product.norm();
        self.off_diagonal.push(rest);
        if rest > 0.0 {
            self.basis.push(product / rest);
        }
    }
}

/// An upper bound on the leading eigenvalue, and a unit vector close to its eigenvector.
pub(crate) struct Leading {
    pub value: f64,
    pub vector: DVector<f64>,
}

/// The largest eigenvalue of a positive semidefinite matrix given by its products: a Ritz value plus its residual norm,
/// as soon as that norm is below `tolerance` times the value. NaN if a product is not finite.
///
/// Costs O(n k^2) flops and k products.
pub(crate) fn leading(
    start: DVector<f64>,
    tolerance: f64,
    mut multiply: impl FnMut(&DVector<f64>) -> Result<DVector<f64>, Error>,
) -> Result<Leading, Error> {
    let n = start.len();
    let mut space = Lanczos::new(start);
    loop {
        let product = space
            .basis
            .last()
            .map_or_else(|| Ok(DVector::zeros(n)), &mut multiply)?;
        space.extend(product);
        let size = space.diagonal.len();
        let rest = space.off_diagonal[size - 1];
        let (value, coefficients) = tridiagonal::leading_pair(&space.diagonal, &space.off_diagonal);
        let bound = rest * coefficients[size - 1].abs();
        if !(value.is_finite() && bound.is_finite()) {
            let value = f64::NAN;
            return Ok(Leading {
                value,
                vector: DVector::zeros(n),
            });
        }
        let exhausted = size >= n.min(MAX_ITERATIONS) || rest <= f64::EPSILON * value;
        if bound <= tolerance * value || exhausted {
            let mut vector = DVector::zeros(n);
            for (v, c) in space.basis.iter().zip(&coefficients) {
                vector.axpy(*c, v, 1.0);
            }
            let value = value + bound.min(tolerance * value);
            return Ok(Leading { value, vector });
        }
    }
}

/// Conjugate gradients in Lanczos form. The Krylov space of a right-hand side is the same for every shift, so that
/// solving again with more damping costs no products.
#[derive(Clone, Debug, Default)]
pub(crate) struct Krylov {
    rhs: DVector<f64>,
    norm: f64,
    space: Option<Lanczos>,
}

/// An approximate solution of (G + shift I) dual = rhs.
pub(crate) struct Solution {
    pub dual: DVector<f64>,
    /// G times the dual.
    pub product: DVector<f64>,
    /// Whether the residual is as small as required.
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
    /// Discards the space, for a new G.
    pub fn clear(&mut self) {
        self.space = None;
    }

    /// rhs^T G rhs / ||rhs||^2, the curvature along the right-hand side; 0 for a right-hand side of 0.
    pub fn curvature(
        &mut self,
        rhs: &DVector<f64>,
        mut multiply: impl FnMut(&[f64]) -> Result<Vec<f64>, Error>,
    ) -> Result<f64, Error> {
        self.prepare(rhs);
        match &mut self.space {
            Some(space) if space.diagonal.is_empty() => extend(space, &mut multiply)?,
            _ => {}
        }
        let first = |space: &Lanczos| space.diagonal.first().copied();
        Ok(self.space.as_ref().and_then(first).unwrap_or(0.0))
    }

    /// Solves (G + shift I) x = rhs until the residual norm is at most `accuracy` ||rhs||, with at most `max_dimension`
    /// dimensions.
    pub fn solve(
        &mut self,
        rhs: &DVector<f64>,
        shift: f64,
        accuracy: f64,
        max_dimension: usize,
        mut multiply: impl FnMut(&[f64]) -> Result<Vec<f64>, Error>,
    ) -> Result<Solution, Error> {
        self.prepare(rhs);
        let n = rhs.len();
        let Some(space) = &mut self.space else {
            return Ok(Solution::zeros(n));
        };
        loop {
            let size = space.diagonal.len();
            let weights = tridiagonal::solve(&space.diagonal, &space.off_diagonal, shift, self.norm);
            let rest = match (space.off_diagonal.last(), weights.last()) {
                (Some(off_diagonal), Some(weight)) => off_diagonal * weight,
                _ => f64::INFINITY,
            };
            let reached = rest.abs() <= accuracy * self.norm;
            if reached || size >= max_dimension.min(n) || (size > 0 && space.basis.len() == size) {
                let mut dual = DVector::zeros(n);
                let mut product = DVector::zeros(n);
                for (k, v) in space.basis.iter().enumerate() {
                    dual.axpy(weights.get(k).copied().unwrap_or(0.0), v, 1.0);
                    product.axpy(
                        tridiagonal::row(&space.diagonal, &space.off_diagonal, k, &weights),
                        v,
                        1.0,
                    );
                }
                return Ok(Solution { dual, product, reached });
            }
            extend(space, &mut multiply)?;
        }
    }

    /// Starts a new space unless the present one belongs to this right-hand side.
    fn prepare(&mut self, rhs: &DVector<f64>) {
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
        if let Some(i) = product.iter().position(|p| !p.is_finite()) {
            return Err(Error::KernelOverflow {
                what: "a product with the tangent kernel",
                place: format!("sample {i}"),
                value: product[i],
            });
        }
        space.extend(DVector::from_vec(product));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, SymmetricEigen};

    fn matrix(n: usize, power: f64) -> DMatrix<f64> {
        let root = DMatrix::from_fn(n, n, |i, j| {
            ((3 * i + 7 * j * j + 5 * i * j + 1) as f64).sin() / ((j + 1) as f64).powf(power)
        });
        &root * root.transpose()
    }

    #[test]
    fn further_shifts_cost_no_products() {
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
    fn each_dimension_lowers_the_energy() {
        let g = matrix(30, 0.2);
        let rhs = DVector::from_element(30, 1.0);
        let product = |v: &[f64]| Ok((&g * DVector::from_column_slice(v)).as_slice().to_vec());
        let mut last = f64::INFINITY;
        for dimension in 1..8 {
            let found = Krylov::default().solve(&rhs, 1e-2, 0.0, dimension, product).unwrap();
            // Conjugate gradients minimise this energy.
            let energy =
                0.5 * (found.product.dot(&found.dual) + 1e-2 * found.dual.norm_squared()) - rhs.dot(&found.dual);
            assert!((&g * &found.dual - &found.product).norm() < 1e-10);
            assert!(energy < last);
            last = energy;
        }
    }

    #[test]
    fn zero_right_hand_sides_and_zero_matrices() {
        let none = Krylov::default().solve(&DVector::zeros(3), 0.0, 1e-3, 10, |_| Ok(vec![0.0; 3]));
        assert_eq!(none.unwrap().dual, DVector::zeros(3));
        let singular = Krylov::default().solve(&DVector::from_element(3, 1.0), 0.0, 1e-3, 10, |_| Ok(vec![0.0; 3]));
        assert_eq!(singular.unwrap().dual, DVector::zeros(3));
    }

    fn leading_value(matrix: &DMatrix<f64>) -> f64 {
        let start = DVector::from_fn(matrix.nrows(), |i, _| 1.0 + 0.3 * ((i * i + 1) as f64).sin()).normalize();
        leading(start, 0.02, |v| Ok(matrix * v)).unwrap().value
    }

    #[test]
    fn is_within_two_percent_from_above() {
        for n in [1, 2, 3, 10, 60] {
            for power in [0.5, 2.0, 6.0] {
                let root = DMatrix::from_fn(n, n, |i, j| {
                    ((3 * i + 7 * j * j) as f64).sin() / ((j + 1) as f64).powf(power)
                });
                let matrix = &root * root.transpose();
                let exact = SymmetricEigen::new(matrix.clone()).eigenvalues.max();
                let found = leading_value(&matrix);
                assert!(
                    found >= exact * (1.0 - 1e-9) && found <= 1.02 * exact,
                    "{n} {power}: {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn zero_and_overflow() {
        assert_eq!(leading_value(&DMatrix::zeros(4, 4)), 0.0);
        assert!(leading_value(&DMatrix::from_element(3, 3, f64::INFINITY)).is_nan());
    }
}

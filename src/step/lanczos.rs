//! Lanczos' iteration on a symmetric matrix known by its products.

use nalgebra::DVector;

/// An orthonormal basis V of the Krylov space of a vector, in which the matrix is tridiagonal:
///
/// ```text
/// A V_k = V_k T_k + beside_k v_(k+1) e_k^T       T_k: `diagonal` on the diagonal, `beside` next to it
/// ```
///
/// Reorthogonalised in full: O(n k) beside each product.
#[derive(Clone, Debug)]
pub(crate) struct Lanczos {
    /// k + 1 vectors; k where the space is exhausted.
    pub basis: Vec<DVector<f64>>,
    /// k numbers.
    pub diagonal: Vec<f64>,
    /// k numbers; the last is what leads out of the space.
    pub beside: Vec<f64>,
}

impl Lanczos {
    /// The space of `start`, a unit vector.
    pub fn new(start: DVector<f64>) -> Self {
        Self {
            basis: vec![start],
            diagonal: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// Adds a dimension: `product` is the matrix times the last vector of the basis.
    pub fn extend(&mut self, mut product: DVector<f64>) {
        if let Some(last) = self.basis.last() {
            self.diagonal.push(last.dot(&product));
        }
        // Twice is enough: once leaves components of the size of the rounding times the matrix.
        for _ in 0..2 {
            for v in &self.basis {
                product.axpy(-v.dot(&product), v, 1.0);
            }
        }
        let rest = product.norm();
        self.beside.push(rest);
        if rest > 0.0 {
            self.basis.push(product / rest);
        }
    }
}

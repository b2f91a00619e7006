//! Operator norms where traces are too coarse, and the second derivative along the row space, the tensor B.
//!
//! ```text
//! ell_r = ||U_r||        t_ri = ||U_r x_i||        lip_r = ||P diag(E_r) (x_i (x) x_i)_i||
//! B_kjl = sum_i P_ki sum_r sgn(a_r) E_ri (U_r x_i)_j (U_r x_i)_l,    ||B(s, s')|| <= b2 ||s|| ||s'||
//! ```
//!
//! Pairs of neurons that cancel have B = 0. Costs O(n^3 m + n^4).

use super::whitened::{UP, Whitened};
use crate::error::Error;
use crate::linalg::{eigenvalues, gamma};
use crate::memory;
use nalgebra::{DMatrix, DVector};

/// What to do where n numbers for each neuron do not fit in memory.
const REMEDY: &str = "certify a narrower network, or use fewer samples";

/// Norms of a start in whitened coordinates, rounded up. "By neuron" means by distinct neuron.
#[derive(Debug)]
pub(super) struct Operators {
    /// E, n x neurons.
    pub activations: DMatrix<f64>,
    /// `ell_r`, by neuron.
    pub ell: Vec<f64>,
    /// `t_ri`, n x neurons.
    pub reach: DMatrix<f64>,
    /// `lip_r`, by neuron, and the largest.
    pub lip: Vec<f64>,
    pub l1: f64,
    /// da_r: errors of the computed norms, by neuron.
    pub errors: Vec<f64>,
    /// B; `None` where it vanishes.
    pub tensor: Option<Tensor>,
    /// b2.
    pub curvature: f64,
    /// ew, the relative error of an entry of P diag(E_r) X.
    pub relative: f64,
}

/// B, by its first index.
#[derive(Debug)]
pub(super) struct Tensor {
    slices: Vec<DMatrix<f64>>,
    /// db, an error bound for ||B(s, s')|| / (||s|| ||s'||).
    pub error: f64,
}

impl Operators {
    /// Errors: no memory; an eigenvalue iteration that does not converge.
    pub fn new(whitened: &Whitened<'_>) -> Result<Self, Error> {
        let start = whitened.start;
        let (dimension, samples) = start.points.shape();
        let width = start.neurons.columns();
        let mut activations = memory::matrix("the activations of a certificate", REMEDY, (samples, width))?;
        start.neurons.for_each_block(&mut |first, block| {
            activations.columns_mut(first, block.ncols()).copy_from(&block);
        });
        let relative = whitened.activation_error + gamma(start.neurons.width() + 2 * samples + dimension + 12);
        let stretch = whitened.whitening.stretch();
        let mut found = Self {
            activations,
            ell: Vec::with_capacity(width),
            reach: memory::matrix("the norms of a certificate", REMEDY, (samples, width))?,
            lip: Vec::with_capacity(width),
            l1: 0.0,
            errors: Vec::with_capacity(width),
            tensor: None,
            curvature: 0.0,
            relative,
        };
        let squares = start.products.component_mul(&start.products);
        let size = whitened.whitening.matrix.abs();
        let mut computed = DMatrix::zeros(samples, width);
        for r in 0..width {
            let e = found.activations.column(r);
            let sized = e.component_mul(&start.norms);
            let error = 1.01 * relative * (&size * &sized).norm();
            let second_size = (&size * sized.component_mul(&start.norms)).norm_squared();
            let mut scaled = whitened.whitening.matrix.clone();
            for (mut column, e) in scaled.column_iter_mut().zip(&e) {
                column *= *e;
            }
            found
                .ell
                .push(stretch * (norm(&(&scaled * start.points.transpose()))? + error) * UP);
            // Formed as a square, it has the errors of a square: where terms cancel, their root is far above db_r.
            let second = largest_eigenvalue(&(&scaled * &squares * scaled.transpose()))?;
            let second = (second + 2.02 * relative * second_size).sqrt();
            found.lip.push((stretch * second * UP).min(whitened.lip[r]));
            let images = &scaled * &start.products;
            for (i, image) in images.column_iter().enumerate() {
                computed[(i, r)] = (image.norm() + error * start.norms[i]) * UP;
                found.reach[(i, r)] = stretch * computed[(i, r)] * UP;
            }
            found.errors.push(error);
        }
        found.l1 = found.lip.iter().copied().fold(0.0, f64::max);
        if let Some(signs) = start.neurons.signs() {
            let tensor = Tensor::new(whitened, &found, &computed, signs)?;
            let b2 = stretch.powi(3) * (tensor.norm()? + tensor.error) * UP;
            found.curvature = b2.min(found.l1);
            found.tensor = Some(tensor);
        }
        Ok(found)
    }

    /// The error of Q1 for ||cbar|| <= 1: 1.01 (sum_r (sum_i p_i ||x_i|| E_ri (da_r ||x_i|| + ew tt_ri))^2)^(1/2).
    pub fn first_order_error(&self, whitened: &Whitened<'_>) -> f64 {
        let norms = &whitened.start.norms;
        let weights = whitened.columns.component_mul(norms);
        let sum: f64 = (self
            .activations
            .column_iter()
            .zip(self.reach.column_iter())
            .zip(&self.errors))
        .map(|((e, reach), error)| {
            let inner = norms.map(|norm| error * norm) + reach * self.relative;
            weights.component_mul(&e).dot(&inner).powi(2)
        })
        .sum();
        1.01 * (sum * whitened.start.neurons.copies() as f64).sqrt() * UP
    }
}

impl Tensor {
    fn new(
        whitened: &Whitened<'_>,
        operators: &Operators,
        reach: &DMatrix<f64>,
        signs: &DVector<f64>,
    ) -> Result<Self, Error> {
        let (e, products) = (&operators.activations, &whitened.start.products);
        let matrix = &whitened.whitening.matrix;
        let n = products.nrows();
        let mut slices = Vec::with_capacity(n);
        for _ in 0..n {
            slices.push(memory::square("a certificate's tensor", n)?);
        }
        let mut error = 0.0;
        for i in 0..n {
            // Column r is sgn(a_r) U_r x_i. (Products of the columns before P is applied would cancel, and cost digits.)
            let mut images = e.clone();
            for mut column in images.column_iter_mut() {
                column.component_mul_assign(&products.column(i));
            }
            let images = matrix * images;
            let mut scaled = images.clone();
            for (r, mut column) in scaled.column_iter_mut().enumerate() {
                column *= signs[r] * e[(i, r)];
            }
            let inner = scaled * images.transpose();
            for (k, slice) in slices.iter_mut().enumerate() {
                *slice += &inner * matrix[(k, i)];
            }
            let term = |r: usize| {
                let (e, t, da) = (e[(i, r)], reach[(i, r)], operators.errors[r]);
                e * (2.0 * t * da * whitened.start.norms[i] + operators.relative * t * t)
            };
            let sum: f64 = (0..e.ncols()).map(term).sum();
            error += 1.01 * whitened.columns[i] * sum;
        }
        Ok(Self {
            slices,
            error: error * UP,
        })
    }

    /// The smaller of the norms of the unfoldings (k | jl) and (j | kl).
    fn norm(&self) -> Result<f64, Error> {
        let n = self.slices.len();
        let outer = DMatrix::from_fn(n, n, |k, l| self.slices[k.max(l)].dot(&self.slices[k.min(l)]));
        let inner = self
            .slices
            .iter()
            .fold(DMatrix::zeros(n, n), |sum, slice| sum + slice * slice.transpose());
        Ok(largest_eigenvalue(&outer)?.min(largest_eigenvalue(&inner)?).sqrt())
    }

    /// ||B(c, .)|| as computed.
    pub fn norm_along(&self, c: &DVector<f64>) -> Result<f64, Error> {
        let n = c.len();
        let mut matrix = DMatrix::zeros(n, n);
        for (k, slice) in self.slices.iter().enumerate() {
            matrix.set_column(k, &(slice * c));
        }
        norm(&matrix)
    }
}

/// The largest eigenvalue of a matrix that is positive semidefinite and symmetric up to rounding.
///
/// Infinite if an entry is not a number: sums of positive terms overflow to that.
pub(super) fn largest_eigenvalue(matrix: &DMatrix<f64>) -> Result<f64, Error> {
    if !matrix.iter().all(|entry| entry.is_finite()) {
        return Ok(f64::INFINITY);
    }
    let mut matrix = matrix.clone();
    matrix.fill_upper_triangle_with_lower_triangle();
    Ok(eigenvalues(&matrix)?[0].max(0.0))
}

/// ||A||, from the smaller of A A^T and A^T A.
fn norm(matrix: &DMatrix<f64>) -> Result<f64, Error> {
    let gram = if matrix.nrows() < matrix.ncols() {
        matrix * matrix.transpose()
    } else {
        matrix.tr_mul(matrix)
    };
    Ok(largest_eigenvalue(&gram)?.sqrt())
}

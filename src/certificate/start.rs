//! What the deterministic theorems need to know about a network and its data, rounded to the safe side.
//!
//! # Output weights
//!
//! The theorems assume a_r = +-1. For other a_r, write a_r exp(<w_r, x>) = sgn(a_r) exp(<w_r, x> + ln |a_r|). The
//! proofs use an activation in two ways: through its value at the start, in G_0 and in the size of a gradient; and
//! through the ratio of its values at w and at w_r(0), exp(<w - w_r(0), x_i>), which lies between exp(-kappa d) and
//! exp(kappa d) for ||w - w_r(0)|| = d. The offset ln |a_r| is part of the value and cancels in the ratio. So every
//! theorem holds verbatim with
//! |a_r| exp(<w_r(0), x_i>) in place of exp(<w_r(0), x_i>). (A neuron with a_r = 0 has zero activation and no gradient, and
//! is left out.)
//!
//! # Rounding
//!
//! Every number here is a bound on the safe side of the exact value. With u = 2^-53, an exponent <w_r, x_i> is computed
//! to within d u ||w_r|| kappa, exp and the products add a few u, and a sum of positive terms over neurons in blocks of
//! b adds a relative error of (b + m / b) u. The `guard` is twice the total; all positive quantities are increased by
//! it. Where terms cancel, it is relative to the sum of their absolute values: ||H - exact|| <= guard tr H, since
//! |H_ij - exact| <= guard ||x_i|| ||x_j|| (E E^T)_ij / m, a positive semidefinite matrix with the trace of H. Numbers
//! below 1e-300 count as 0.

use super::neurons::{BLOCK, Neurons};
use super::verified::{Enclosure, factor_below};
use crate::error::Error;
use crate::memory;
use nalgebra::{DMatrix, DVector, Matrix};
use std::fmt;

/// A network at its start, and the data.
pub(super) struct Start<'a> {
    pub neurons: &'a dyn Neurons,
    /// K, the products x_i.x_j.
    pub products: DMatrix<f64>,
    /// H_0 = G_0 / m.
    pub kernel: DMatrix<f64>,
    /// The sums over r of E_ri E_rj, with G_0 = K o squares.
    pub squares: DMatrix<f64>,
    /// The sums over r of E_ri, by point.
    pub activation_sums: DVector<f64>,
    /// e_0 as computed.
    pub residual: DVector<f64>,
    pub labels: &'a DVector<f64>,
    pub points: &'a DMatrix<f64>,
    /// ||x_i||, rounded up.
    pub norms: DVector<f64>,
    pub spectrum: Enclosure,
    /// An upper bound on T_0 = tr H_0, as are all numbers below.
    pub trace: f64,
    /// ||e_0||.
    pub residual_norm: f64,
    /// kappa = max_i ||x_i||.
    pub kappa: f64,
    /// ||X||_op.
    pub points_norm: f64,
    /// E_r = max_i |a_r| exp(<w_r, x_i>).
    pub largest_activations: Vec<f64>,
    /// T_r = sum_i ||x_i||^2 (|a_r| exp(<w_r, x_i>))^2.
    pub traces: Vec<f64>,
    /// Relative, against rounding.
    pub guard: f64,
}

/// The largest number of n x n matrices at the same time.
const MATRICES: usize = 12;

impl<'a> Start<'a> {
    /// One pass over all neurons, n^2 m flops, and O(n^3) for the spectrum.
    ///
    /// Errors: a kernel that overflows.
    pub fn new(neurons: &'a dyn Neurons, points: &'a DMatrix<f64>, labels: &'a DVector<f64>) -> Result<Self, Error> {
        let (dimension, samples) = points.shape();
        memory::check("a certificate", MATRICES, samples)?;
        let norms = DVector::from_iterator(samples, points.column_iter().map(|x| x.norm()));
        let blocks = neurons.columns().div_ceil(BLOCK);
        let exponents = dimension as f64 * neurons.largest_weight() * norms.max();
        let guard = f64::EPSILON * (2.0 * exponents + (dimension + samples + BLOCK + blocks + 32) as f64);

        let mut sums = Sums::new(samples);
        neurons.for_each_block(&mut |first, block| {
            let signs = neurons.signs().map(|signs| signs.rows(first, block.ncols()));
            sums.add(&block.into_owned(), signs.map(Matrix::into_owned), &norms);
        });
        let products = points.tr_mul(points);
        let kernel = products.component_mul(&sums.squares) / neurons.columns() as f64;
        // If any entry overflows, so does one on the diagonal.
        if let Some(i) = (0..samples).find(|&i| !kernel[(i, i)].is_finite()) {
            return Err(Error::KernelOverflow {
                what: "the empirical kernel",
                place: format!("points {i} and {i}"),
                value: kernel[(i, i)],
            });
        }
        let up = 1.0 + guard;
        let trace = kernel.trace() * up;
        let spectrum = Enclosure::new(&kernel, guard * trace)?;
        // The terms of F cancel: its error is relative to the sum of the activations.
        let output_error = match neurons.signs() {
            Some(_) => guard * sums.sizes.norm(),
            None => 0.0,
        };
        let residual = sums.outputs - labels;
        let copies = neurons.copies() as f64;
        Ok(Self {
            neurons,
            kernel,
            spectrum,
            trace,
            residual_norm: (residual.norm() + output_error) * up,
            residual,
            labels,
            points,
            squares: sums.squares * copies,
            activation_sums: sums.sizes * copies,
            kappa: norms.max() * up,
            norms: norms * up,
            points_norm: operator_norm(points)? * up,
            largest_activations: sums.largest.into_iter().map(|e| e * up).collect(),
            traces: sums.traces.into_iter().map(|t| t * up).collect(),
            products,
            guard,
        })
    }

    /// rho_r = min(||X||_op E_r, sqrt(T_r)), a bound on the norm of X^T D_r.
    pub fn rho(&self) -> Vec<f64> {
        let rho = |(e, t): (&f64, &f64)| (self.points_norm * e).min(t.sqrt());
        self.largest_activations.iter().zip(&self.traces).map(rho).collect()
    }

    /// E_0 = max_{r,i} |a_r| exp(<w_r, x_i>).
    pub fn largest_activation(&self) -> f64 {
        self.largest_activations.iter().copied().fold(0.0, f64::max)
    }

    /// m, as a float.
    pub fn width(&self) -> f64 {
        self.neurons.width() as f64
    }

    /// sum_r w_r T_r over all m neurons.
    pub fn weighted_trace(&self, weights: impl Iterator<Item = f64>) -> f64 {
        let sum: f64 = weights.zip(&self.traces).map(|(w, t)| w * t).sum();
        // Added one by one, not in blocks.
        let guard = self.guard + f64::EPSILON * self.traces.len() as f64;
        sum * self.neurons.copies() as f64 * (1.0 + guard)
    }

    /// Upper bounds on lambda_max(|K| o (E diag(y_r^2) E^T)), one for each slice of y. Costs n^2 m flops per slice.
    pub fn weighted_norms<const S: usize>(&self, weights: [&[f64]; S]) -> [f64; S] {
        let samples = self.products.nrows();
        let mut sums = weights.map(|_| DMatrix::zeros(samples, samples));
        self.neurons.for_each_block(&mut |first, block| {
            for (sum, y) in sums.iter_mut().zip(weights) {
                let mut scaled = block.into_owned();
                for (mut column, y) in scaled.column_iter_mut().zip(&y[first..]) {
                    column *= *y;
                }
                sum.gemm(1.0, &scaled, &scaled.transpose(), 1.0);
            }
        });
        let up = (1.0 + self.guard) * self.neurons.copies() as f64;
        // Each product x_i.x_j is known to within guard ||x_i|| ||x_j||.
        let rounding = self.guard * self.kappa * self.kappa;
        let sizes = self.products.map(|k| k.abs() + rounding);
        sums.map(|sum| super::verified::perron_bound(&sizes.component_mul(&sum)) * up)
    }

    /// Upper bounds on `ell_r^2` = `E_r^T (K o G_0^-1) E_r`, the share of neuron r in the kernel; `None` if `G_0` is
    /// too close to singular. Costs n^2 m + n^3 flops.
    ///
    /// If R^T R <= H_0 (shifted down by all possible rounding), then R^-1 R^-T >= `H_0^-1`, and the Hadamard product
    /// with K preserves the order. The relative error of R^-1 is at most n eps `||R||_F` `||R^-1||_F`.
    pub fn leverages(&self) -> Result<Option<Vec<f64>>, Error> {
        let n = self.products.nrows() as f64;
        // The shift is far below lambda_min, or the leverages would change.
        let Some((_, below)) = factor_below(&self.kernel, 0.0)? else {
            return Ok(None);
        };
        let Some((factor, _)) = factor_below(&self.kernel, 2.0 * below + self.guard * self.trace)? else {
            return Ok(None);
        };
        let lower = factor.into_matrix().lower_triangle();
        let inverse = lower.solve_lower_triangular(&DMatrix::identity(lower.nrows(), lower.nrows()));
        let Some(inverse) = inverse else { return Ok(None) };
        let error = n * f64::EPSILON * lower.norm() * inverse.norm();
        if error > 0.01 {
            return Ok(None);
        }
        let inverse_trace = inverse.norm_squared();
        let rounding = (2.1 * error + (4.0 * n + 4.0) * f64::EPSILON + 2.0 * self.guard) * inverse_trace;
        let form = self.products.component_mul(&inverse.tr_mul(&inverse));
        let mut leverages = Vec::with_capacity(self.traces.len());
        self.neurons.for_each_block(&mut |first, block| {
            let image = &form * block;
            let shares = image.column_iter().zip(block.column_iter()).zip(&self.traces[first..]);
            let bounded =
                shares.map(|((image, e), trace)| image.dot(&e).max(0.0) * (1.0 + self.guard) + rounding * trace);
            leverages.extend(bounded.map(|share| share / self.width()));
        });
        Ok(Some(leverages))
    }
}

/// Sums over all neurons, from one pass.
struct Sums {
    /// E E^T.
    squares: DMatrix<f64>,
    outputs: DVector<f64>,
    /// sum_r |a_r| exp(<w_r, x_i>).
    sizes: DVector<f64>,
    largest: Vec<f64>,
    traces: Vec<f64>,
}

impl Sums {
    fn new(samples: usize) -> Self {
        Self {
            squares: DMatrix::zeros(samples, samples),
            outputs: DVector::zeros(samples),
            sizes: DVector::zeros(samples),
            largest: Vec::new(),
            traces: Vec::new(),
        }
    }

    fn add(&mut self, block: &DMatrix<f64>, signs: Option<DVector<f64>>, norms: &DVector<f64>) {
        self.squares.gemm(1.0, block, &block.transpose(), 1.0);
        if let Some(signs) = signs {
            // Column by column, so that adjacent neurons of opposite signs cancel exactly.
            let mut outputs = DVector::zeros(block.nrows());
            for (column, sign) in block.column_iter().zip(&signs) {
                outputs.axpy(*sign, &column, 1.0);
            }
            self.outputs += outputs;
        }
        self.sizes += block.column_sum();
        for column in block.column_iter() {
            self.largest.push(column.max());
            self.traces.push(column.component_mul(norms).norm_squared());
        }
    }
}

/// An upper bound on ||X||_op, from the largest eigenvalue of the smaller of X X^T and X^T X.
pub(super) fn operator_norm(points: &DMatrix<f64>) -> Result<f64, Error> {
    let gram = if points.nrows() < points.ncols() {
        points * points.transpose()
    } else {
        points.tr_mul(points)
    };
    Ok(Enclosure::new(&gram, 0.0)?.lambda_max.sqrt())
}

impl fmt::Debug for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, samples) = (self.neurons.width(), self.points.ncols());
        f.debug_struct("Start")
            .field("width", &width)
            .field("samples", &samples)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::neurons::OfNetwork;
    use super::*;
    use crate::init::Initializer;

    fn problem(samples: usize, width: usize) -> (DMatrix<f64>, DMatrix<f64>, DVector<f64>) {
        let points = DMatrix::from_fn(3, samples, |k, i| {
            ((1 + i * 3 + k) as f64 + 0.37 * (i * k) as f64).sin()
        });
        let (weights, mut output_weights) = Initializer::new(3, width).seed(2).draw::<f64>().unwrap();
        output_weights[0] = 0.5;
        output_weights[1] = -3.0;
        (points, weights, output_weights)
    }

    /// The Jacobian, n x d m, entry by entry.
    fn jacobian(points: &DMatrix<f64>, weights: &DMatrix<f64>, output_weights: &DVector<f64>) -> DMatrix<f64> {
        let (d, n) = points.shape();
        DMatrix::from_fn(n, d * weights.ncols(), |i, c| {
            let r = c / d;
            output_weights[r] * weights.column(r).dot(&points.column(i)).exp() * points[(c % d, i)]
        })
    }

    #[test]
    fn agrees_with_the_jacobian() {
        let (n, m) = (4, 600);
        let (points, weights, output_weights) = problem(n, m);
        let labels = DVector::from_element(n, 1.0);
        let neurons = OfNetwork::new(&points, &weights, &output_weights);
        let start = Start::new(&neurons, &points, &labels).unwrap();
        let j = jacobian(&points, &weights, &output_weights);
        let gram = &j * j.transpose();
        assert!((&start.kernel * m as f64 - &gram).norm() <= 1e-12 * gram.norm());
        let eigenvalues = gram.symmetric_eigenvalues() / m as f64;
        let near = |bound: f64, exact: f64| bound >= exact * (1.0 - 1e-14) && bound <= exact * (1.0 + 1e-9);
        assert!(
            near(eigenvalues.min(), start.spectrum.lambda_min),
            "{:?}",
            start.spectrum
        );
        assert!(near(start.spectrum.lambda_max, eigenvalues.max()));
        assert!(near(start.trace, gram.trace() / m as f64));
        assert!(near(start.points_norm, points.singular_values().max()));
        let inverse = gram.try_inverse().unwrap();
        let leverages = start.leverages().unwrap().unwrap();
        for (r, &leverage) in leverages.iter().enumerate() {
            let block = j.columns(3 * r, 3);
            let exact = (block.transpose() * &inverse * block).trace();
            assert!(
                leverage >= exact * (1.0 - 1e-12) && leverage <= exact * (1.0 + 1e-6),
                "{leverage} {exact}"
            );
            assert!(near(start.traces[r], block.norm_squared()));
            assert!(start.rho()[r] >= block.singular_values().max() * (1.0 - 1e-14));
        }
        assert!((leverages.iter().sum::<f64>() - n as f64).abs() < 1e-5);
        let e = DVector::from_fn(n, |i, _| {
            let z = weights.tr_mul(&points.column(i));
            z.iter().zip(&output_weights).map(|(z, a)| a * z.exp()).sum::<f64>() - 1.0
        });
        assert!(near(start.residual_norm, e.norm()));
    }

    /// A sum of equal numbers, one by one, drifts by far more than its blocks do.
    #[test]
    fn the_residual_is_bounded_for_wide_networks_without_pairs() {
        let m = 200_000_usize;
        let sum = (0..m).fold(0.0, |sum, _| sum + 0.1);
        let exact = 0.1 * m as f64;
        assert!((sum - exact).abs() > 1e-8);
        let (weights, output_weights) = (DMatrix::zeros(1, m), DVector::from_element(m, 0.1));
        let (points, labels) = (DMatrix::from_element(1, 1, 1.0), DVector::from_element(1, sum));
        let neurons = OfNetwork::new(&points, &weights, &output_weights);
        let start = Start::new(&neurons, &points, &labels).unwrap();
        assert!(
            start.residual_norm >= (sum - exact).abs() * 0.999,
            "{}",
            start.residual_norm
        );
        assert!(start.residual_norm < 1e-6);
    }

    #[test]
    fn weighted_norms_are_the_eigenvalues() {
        let (points, weights, output_weights) = problem(5, 700);
        let neurons = OfNetwork::new(&points, &weights, &output_weights);
        let labels = DVector::zeros(5);
        let start = Start::new(&neurons, &points, &labels).unwrap();
        let y: Vec<f64> = (0..700).map(|r| f64::from(r % 7)).collect();
        let ones = vec![1.0; 700];
        let e = DMatrix::from_fn(5, 700, |i, r| {
            output_weights[r].abs() * weights.column(r).dot(&points.column(i)).exp()
        });
        for (found, y) in start.weighted_norms([&y, &ones]).into_iter().zip([&y, &ones]) {
            let diagonal = DMatrix::from_diagonal(&DVector::from_fn(700, |r, _| y[r] * y[r]));
            let matrix = points
                .tr_mul(&points)
                .abs()
                .component_mul(&(&e * diagonal * e.transpose()));
            let exact = matrix.symmetric_eigenvalues().max();
            assert!(found >= exact && found <= exact * (1.0 + 1e-9), "{found} {exact}");
        }
    }

    #[test]
    fn a_kernel_that_overflows_is_refused() {
        let (points, weights, output_weights) = problem(2, 4);
        let weights = weights * 300.0;
        let neurons = OfNetwork::new(&points, &weights, &output_weights);
        let error = Start::new(&neurons, &points, &DVector::zeros(2))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("the empirical kernel of points "), "{error}");
    }
}

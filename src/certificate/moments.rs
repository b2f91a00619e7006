//! Moments of one neuron's kernel M = D K D over w ~ N(0, sigma^2 I), in closed form.
//!
//! They all follow from E exp(<w, z>) = exp(sigma^2 ||z||^2 / 2). Differences of exponentials are computed as
//! exp(a) (exp(b) - 1) to avoid cancellation.

use super::start::operator_norm;
use super::verified::{Enclosure, perron_bound};
use crate::error::Error;
use crate::kernel;
use crate::linalg::Cholesky;
use crate::memory;
use nalgebra::{DMatrix, DVector};

/// `v_rel`, which takes n^4 flops, is not computed for more points.
const MAX_POINTS: usize = 200;

/// `v_rel` is not computed beyond this condition number: its rounding error grows with the square.
const MAX_CONDITION: f64 = 1e6;

/// What theorems B, C and D need to know about the data, rounded to the safe side.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    pub samples: f64,
    pub std_dev: f64,
    /// ||y||.
    pub label_norm: f64,
    /// kappa = max_i ||x_i||.
    pub kappa: f64,
    /// ||X||_op; its square is k1.
    pub points_norm: f64,
    /// tr K.
    pub products_trace: f64,
    /// k1+ = lambda_max(|K|).
    pub absolute_norm: f64,
    /// A lower bound on lam = lambda_min(Hcts).
    pub lambda_min: f64,
    /// An upper bound on Lam = lambda_max(Hcts).
    pub lambda_max: f64,
    /// tau = tr Hcts.
    pub trace: f64,
    /// V, the sum of the variances of the entries of M.
    pub variance_sum: f64,
    /// v = ||E M^2||.
    pub second: f64,
    /// v_c = ||E M^2 - Hcts^2||.
    pub central: f64,
    /// v_rel = lambda_max(Hcts^-1/2 E[M Hcts^-1 M] Hcts^-1/2) - 1, if it can be trusted.
    pub relative: Option<f64>,
    /// v_T = sum_ij ||x_i||^2 ||x_j||^2 exp(2 sigma^2 ||x_i + x_j||^2).
    pub trace_second: f64,
}

/// The largest number of n x n matrices at the same time.
const MATRICES: usize = 14;

impl Moments {
    /// Costs O(n^3), or O(n^4) for up to 200 points.
    ///
    /// Errors: those of [`kernel::limit_kernel`]; a limit kernel that is not proved to be positive definite.
    pub fn new(points: &DMatrix<f64>, labels: &DVector<f64>, std_dev: f64) -> Result<Self, Error> {
        let (dimension, samples) = points.shape();
        memory::check("the moments of the limit kernel", MATRICES, samples)?;
        let limit = kernel::limit_kernel(points, std_dev)?;
        let products = points.tr_mul(points);
        let scaled = &products * std_dev.powi(2);
        let norms = DVector::from_iterator(samples, points.column_iter().map(|x| x.norm()));
        // As in `start`: relative errors of sums and of exponentials, whose exponents are at most 8 sigma^2 kappa^2.
        let exponents = 8.0 * (std_dev * norms.max()).powi(2);
        let guard = f64::EPSILON * ((dimension + 8) as f64 * (exponents + 1.0) + 4.0 * samples as f64 + 32.0);
        let up = 1.0 + guard;
        let trace = limit.trace() * up;
        let spectrum = Enclosure::new(&limit, guard * trace)?;
        if spectrum.lambda_min <= 0.0 {
            return Err(not_definite(points, &spectrum));
        }
        let (second, central) = second_moments(&products, &scaled);
        let rounding = 2.0 * guard * perron_bound(&second_moments(&products.abs(), &scaled).0);
        Ok(Self {
            samples: samples as f64,
            std_dev,
            label_norm: labels.norm() * up,
            kappa: norms.max() * up,
            points_norm: operator_norm(points)? * up,
            products_trace: products.trace() * up,
            absolute_norm: perron_bound(&products.abs()) * up,
            lambda_min: spectrum.lambda_min,
            lambda_max: spectrum.lambda_max,
            trace,
            variance_sum: variance_sum(&products, &scaled) * up,
            second: norm_bound(&second, rounding)?,
            central: norm_bound(&central, rounding)?,
            relative: relative_moment(&limit, &products, &scaled, &spectrum)?,
            trace_second: trace_second(&norms, &scaled) * up,
        })
    }
}

/// E M^2 and E M^2 - Hcts^2. With `s` = sigma^2 K,
///
/// ```text
/// (E M^2)_ij          = sum_k K_ik K_kj e^{(s_ii + 4 s_kk + s_jj)/2 + 2 s_ik + 2 s_kj + s_ij}
/// (E M^2 - Hcts^2)_ij = sum_k K_ik K_kj e^{(s_ii + 2 s_kk + s_jj)/2 + s_ik + s_kj} (e^{s_kk + s_ik + s_kj + s_ij} - 1)
/// ```
fn second_moments(products: &DMatrix<f64>, s: &DMatrix<f64>) -> (DMatrix<f64>, DMatrix<f64>) {
    let n = products.nrows();
    let (mut second, mut central) = (DMatrix::zeros(n, n), DMatrix::zeros(n, n));
    for j in 0..n {
        for i in 0..=j {
            for k in 0..n {
                let size = products[(i, k)] * products[(k, j)];
                if size == 0.0 {
                    continue;
                }
                // ||x_i + x_k||^2 / 2 + ||x_k + x_j||^2 / 2, and the rest of ||x_i + 2 x_k + x_j||^2 / 2.
                let independent = s[(i, i)].midpoint(s[(j, j)]) + s[(k, k)] + s[(i, k)] + s[(k, j)];
                let joint = s[(k, k)] + s[(i, k)] + s[(k, j)] + s[(i, j)];
                second[(i, j)] += size * (independent + joint).exp();
                central[(i, j)] += size * independent.exp() * joint.exp_m1();
            }
            second[(j, i)] = second[(i, j)];
            central[(j, i)] = central[(i, j)];
        }
    }
    (second, central)
}

/// An upper bound on the 2-norm of a symmetric matrix known to within `rounding`; infinite if an entry has overflowed.
///
/// Each entry of the [`second_moments`] is a sum of terms of both signs, known to within a guard times the sum of their
/// absolute values. These sums form a matrix whose norm bounds the rounding.
fn norm_bound(matrix: &DMatrix<f64>, rounding: f64) -> Result<f64, Error> {
    if !matrix.iter().all(|x| x.is_finite()) {
        return Ok(f64::INFINITY);
    }
    let spectrum = Enclosure::new(matrix, rounding)?;
    Ok(spectrum.lambda_max.max(-spectrum.lambda_min))
}

/// V = sum_ij (x_i.x_j)^2 e^{||x_i + x_j||^2 sigma^2} (e^{||x_i + x_j||^2 sigma^2} - 1).
fn variance_sum(products: &DMatrix<f64>, s: &DMatrix<f64>) -> f64 {
    let n = products.nrows();
    let mut sum = 0.0;
    for j in 0..n {
        for i in 0..n {
            let square = (s[(i, i)] + 2.0 * s[(i, j)] + s[(j, j)]).max(0.0);
            if products[(i, j)] != 0.0 {
                sum += products[(i, j)].powi(2) * square.exp() * square.exp_m1();
            }
        }
    }
    sum
}

/// `v_T`, with 0 for 0 times infinity.
fn trace_second(norms: &DVector<f64>, s: &DMatrix<f64>) -> f64 {
    let n = norms.len();
    let entry = |(i, j): (usize, usize)| {
        let square = (s[(i, i)] + 2.0 * s[(i, j)] + s[(j, j)]).max(0.0);
        let size = (norms[i] * norms[j]).powi(2);
        if size == 0.0 { 0.0 } else { size * (2.0 * square).exp() }
    };
    (0..n).flat_map(|j| (0..n).map(move |i| (i, j))).map(entry).sum()
}

/// An upper bound on `v_rel`, if it can be trusted.
///
/// With P_ab = e^{s_ab} and g_a = e^{s_aa / 2}, the exponential in (E M Q M)_ij is a product over the six pairs of i,
/// k, l, j. So each row i takes one product of n x n matrices and no exponential: n^4 flops in all.
fn relative_moment(
    limit: &DMatrix<f64>,
    products: &DMatrix<f64>,
    s: &DMatrix<f64>,
    spectrum: &Enclosure,
) -> Result<Option<f64>, Error> {
    let n = limit.nrows();
    let condition = spectrum.lambda_max / spectrum.lambda_min;
    if n > MAX_POINTS || condition > MAX_CONDITION {
        return Ok(None);
    }
    let Some(factor) = Cholesky::new(limit.clone())? else {
        return Ok(None);
    };
    let lower = factor.into_matrix().lower_triangle();
    let solve = |right: &DMatrix<f64>| lower.solve_lower_triangular(right);
    let Some(root) = solve(&DMatrix::identity(n, n)) else {
        return Ok(None);
    };
    let pairs = s.map(f64::exp);
    let own = s.diagonal().map(|s| (s / 2.0).exp());
    let inner = root.tr_mul(&root).component_mul(&pairs);
    let weighted = products.component_mul(&pairs);
    let mut moment = DMatrix::zeros(n, n);
    for i in 0..n {
        // Row j of `left`, over k: K_ik P_ik g_k P_kj. Row j of `right`, over l: K_lj P_lj g_l P_il.
        let left = DMatrix::from_fn(n, n, |j, k| weighted[(i, k)] * own[k] * pairs[(k, j)]);
        let right = DMatrix::from_fn(n, n, |j, l| weighted[(l, j)] * own[l] * pairs[(i, l)]);
        let sums = (left * &inner).component_mul(&right);
        for j in 0..n {
            moment[(i, j)] = own[i] * own[j] * pairs[(i, j)] * sums.row(j).sum();
        }
    }
    // L^-1 E[M Q M] L^-T has the eigenvalues of Hcts^-1/2 E[M Q M] Hcts^-1/2.
    let whitened = solve(&moment).and_then(|half| solve(&half.transpose()));
    let Some(whitened) = whitened.filter(|whitened| whitened.iter().all(|x| x.is_finite())) else {
        return Ok(None);
    };
    // In experiments the relative error is about EPSILON / 100 times the square of the condition number.
    let rounding = condition * condition * f64::EPSILON;
    let largest = Enclosure::new(&whitened, 0.0)?.lambda_max;
    Ok(Some(largest * (1.0 + rounding) - 1.0))
}

/// The error for a limit kernel that is singular, or too close to it.
fn not_definite(points: &DMatrix<f64>, spectrum: &Enclosure) -> Error {
    let reason = match kernel::degenerate_points(points).first() {
        Some(degeneracy) => degeneracy.to_string(),
        None => format!(
            "lambda_min of the limit kernel is {:.3e}, with a rounding error of up to {:.3e}",
            spectrum.estimate, spectrum.slack
        ),
    };
    Error::NotProved {
        reason,
        remedy: "remove or merge points that are equal, zero or very close to each other, or give them more coordinates",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(n: usize, d: usize) -> DMatrix<f64> {
        let mut points = DMatrix::from_fn(d, n, |k, i| ((1 + i * d + k) as f64 + 0.37 * (i * k) as f64).sin());
        for mut column in points.column_iter_mut() {
            column.normalize_mut();
        }
        points
    }

    /// Closed forms against their definitions, term by term.
    #[test]
    fn moments_match_their_definitions() {
        let (n, d, sigma) = (5, 3, 0.7);
        let x = points(n, d);
        let labels = DVector::from_element(n, 1.0);
        let found = Moments::new(&x, &labels, sigma).unwrap();
        let k = x.tr_mul(&x);
        let e = |indices: &[usize]| {
            let sum: DVector<f64> = indices.iter().map(|&i| x.column(i).into_owned()).sum();
            (sigma * sigma * sum.norm_squared() / 2.0).exp()
        };
        let limit = DMatrix::from_fn(n, n, |i, j| k[(i, j)] * e(&[i, j]));
        let second = DMatrix::from_fn(n, n, |i, j| {
            (0..n).map(|l| k[(i, l)] * k[(l, j)] * e(&[i, l, l, j])).sum::<f64>()
        });
        let q = limit.clone().try_inverse().unwrap();
        let sandwich = DMatrix::from_fn(n, n, |i, j| {
            (0..n * n)
                .map(|a| (a / n, a % n))
                .map(|(a, b)| k[(i, a)] * q[(a, b)] * k[(b, j)] * e(&[i, a, b, j]))
                .sum::<f64>()
        });
        let near = |found: f64, exact: f64| {
            assert!(
                found >= exact * (1.0 - 1e-12) && found <= exact * (1.0 + 1e-8),
                "{found:e} {exact:e}"
            );
        };
        near(found.second, second.symmetric_eigenvalues().max());
        near(found.central, (&second - &limit * &limit).symmetric_eigenvalues().max());
        let relative = (q * sandwich)
            .complex_eigenvalues()
            .iter()
            .map(|z| z.re)
            .fold(0.0, f64::max)
            - 1.0;
        near(found.relative.unwrap(), relative);
        near(found.trace, limit.trace());
        near(found.lambda_max, limit.symmetric_eigenvalues().max());
        near(limit.symmetric_eigenvalues().min(), found.lambda_min);
        near(found.absolute_norm, k.abs().symmetric_eigenvalues().max());
        let mut variances = 0.0;
        let mut traces = 0.0;
        for i in 0..n {
            for j in 0..n {
                variances += k[(i, j)].powi(2) * (e(&[i, j]).powi(4) - e(&[i, j]).powi(2));
                traces += k[(i, i)] * k[(j, j)] * e(&[i, j]).powi(4);
            }
        }
        near(found.variance_sum, variances);
        near(found.trace_second, traces);
    }

    /// At sigma = 0 the kernel of every neuron is K.
    #[test]
    fn variances_vanish_at_sigma_zero() {
        let x = points(3, 4);
        let found = Moments::new(&x, &DVector::from_element(3, 1.0), 0.0).unwrap();
        assert_eq!(found.variance_sum, 0.0);
        assert!(found.central < 1e-12 && found.relative.unwrap() < 1e-10, "{found:?}");
        let k = x.tr_mul(&x);
        assert!((found.second - k.symmetric_eigenvalues().max().powi(2)).abs() < 1e-12);
    }

    #[test]
    fn an_ill_conditioned_kernel_gives_no_relative_moment() {
        let mut x = points(3, 4);
        let near = x.column(0) + x.column(1) * 1e-4;
        x.set_column(2, &near);
        let found = Moments::new(&x, &DVector::from_element(3, 1.0), 1.0).unwrap();
        assert!(found.lambda_max / found.lambda_min > MAX_CONDITION && found.relative.is_none());
    }
}

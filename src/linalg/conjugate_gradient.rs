//! The conjugate gradient method.

use crate::numbers::power_of_two;
use nalgebra::DVector;

/// Solves A x = `right` for a symmetric positive definite A given by its products, until ||right - A x|| is at most
/// `tolerance` ||right||. Returns x and the number of iterations. `precondition` multiplies by an approximate inverse of A.
///
/// The recursively updated residual is not trusted: when it reaches the goal, the true residual is computed, and if
/// that is still too large, the iteration restarts from it.
///
/// Errors: the goal was not reached in `max_iterations`, or rounding errors dominate; with the number of iterations.
pub(crate) fn conjugate_gradient(
    right: &DVector<f64>,
    tolerance: f64,
    max_iterations: usize,
    product: impl Fn(&DVector<f64>) -> DVector<f64>,
    precondition: impl Fn(&DVector<f64>) -> DVector<f64>,
) -> Result<(DVector<f64>, usize), NotConverged> {
    // Exact, and keeps squares in range.
    let unit = power_of_two(right.amax());
    let right = &(right / unit);
    let goal = tolerance * right.norm();
    // False for NaN.
    let converged = |residual: &DVector<f64>| residual.norm() <= goal;
    let mut solution = DVector::zeros(right.len());
    let mut iterations = 0;
    let mut residual = right.clone();
    while !converged(&residual) {
        let mut direction = precondition(&residual);
        let mut slope = residual.dot(&direction);
        while !converged(&residual) {
            let image = product(&direction);
            let curvature = direction.dot(&image);
            // Not positive, or NaN: rounding errors dominate.
            if iterations == max_iterations || !(curvature > 0.0 && slope > 0.0) {
                return Err(NotConverged { iterations });
            }
            iterations += 1;
            let step = slope / curvature;
            solution.axpy(step, &direction, 1.0);
            residual.axpy(-step, &image, 1.0);
            let preconditioned = precondition(&residual);
            let next = residual.dot(&preconditioned);
            direction = preconditioned + direction * (next / slope);
            slope = next;
        }
        residual = right - product(&solution);
    }
    Ok((solution * unit, iterations))
}

/// The iteration did not reach its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotConverged {
    pub iterations: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::tests::with_spectrum;

    #[test]
    fn solves_to_the_tolerance_and_faster_with_a_preconditioner() {
        let spectrum: Vec<f64> = (0..50).map(|k| 1.0 + 3.0 * f64::from(k * k)).collect();
        let matrix = with_spectrum(&spectrum);
        let x = DVector::from_fn(50, |i, _| (i as f64).sin());
        let right = &matrix * &x;
        let inverse = matrix.clone().try_inverse().unwrap();
        let product = |v: &DVector<f64>| &matrix * v;
        let (found, plain) = conjugate_gradient(&right, 1e-12, 500, product, Clone::clone).unwrap();
        assert!((found - &x).amax() < 1e-9);
        let (found, preconditioned) = conjugate_gradient(&right, 1e-12, 500, product, |v| &inverse * v).unwrap();
        assert!((found - &x).amax() < 1e-9);
        assert!(
            preconditioned <= 3 && preconditioned < plain,
            "{preconditioned} {plain}"
        );
    }

    #[test]
    fn stops_without_a_solution() {
        let right = DVector::from_element(3, 1.0);
        let short = conjugate_gradient(
            &right,
            1e-12,
            1,
            |v| v.component_mul(&DVector::from_vec(vec![1.0, 2.0, 5.0])),
            Clone::clone,
        );
        assert_eq!(short, Err(NotConverged { iterations: 1 }));
        let indefinite = conjugate_gradient(&right, 1e-12, 10, |v| -v, Clone::clone);
        assert_eq!(indefinite, Err(NotConverged { iterations: 0 }));
        let lost = conjugate_gradient(&right, 1e-12, 10, |v| v * f64::NAN, Clone::clone);
        assert_eq!(lost, Err(NotConverged { iterations: 0 }));
        let nothing = conjugate_gradient(&DVector::zeros(3), 1e-12, 10, |v| v * f64::NAN, Clone::clone);
        assert_eq!(nothing, Ok((DVector::zeros(3), 0)));
    }
}

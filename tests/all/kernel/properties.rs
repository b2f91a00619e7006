//! Properties of the kernels, over random shapes.

use crate::support::cases;
use crate::support::oracle::jacobian;
use crate::support::problems::{data, net, order};
use expnet::kernel::{Spectrum, empirical_kernel, limit_kernel};
use nalgebra::SymmetricEigen;
use proptest::prelude::*;

/// The error of a computed eigenvalue, in units of n epsilon lambda_max.
///
/// Rounding adds a matrix to the kernel, and moves no eigenvalue by more than its norm (Weyl). In floating point, a rotation of
/// two rows adds at most sqrt(2) gamma_6 ||A||, or 3 sqrt(2) epsilon ||A|| (Higham, *Accuracy and Stability of Numerical
/// Algorithms*, lemma 19.8). A sweep of QR iteration rotates every row twice and every column twice, and some two sweeps per
/// eigenvalue are needed: 2 * 4 * 3 sqrt(2) = 34. The reflections that make the matrix tridiagonal add less, n of them once.
/// Errors are usually below n epsilon, but for n = 3 they reach 7 epsilon, with nalgebra as with faer, and may add up in the
/// trace.
const ROTATIONS: f64 = 34.0;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn symmetric_semidefinite_and_without_preference(
        (n, d, m, seed) in (1..=24_usize, 1..=12_usize, 1..=60_usize, any::<u64>()),
        std_dev in 0.0..1.5_f64,
    ) {
        let (points, net) = (data::<f64>(n, d, seed).points().clone(), net::<f64>(d, m, seed));
        let order = order(n, seed);
        let permuted = points.select_columns(&order);
        let kernels = [
            (limit_kernel(&points, std_dev).unwrap(), limit_kernel(&permuted, std_dev).unwrap()),
            (empirical_kernel(&net, &points).unwrap(), empirical_kernel(&net, &permuted).unwrap()),
        ];
        for (kernel, permuted) in kernels {
            prop_assert_eq!(&kernel, &kernel.transpose());
            let rearranged = kernel.select_rows(&order).select_columns(&order);
            prop_assert!((&permuted - rearranged).amax() <= 1e-13 * kernel.amax());
            let spectrum = Spectrum::new(&kernel).unwrap();
            prop_assert!(spectrum.lambda_min() >= -spectrum.resolution(), "{spectrum:?}");
            let rounding = ROTATIONS * spectrum.resolution();
            prop_assert!((spectrum.trace() - kernel.trace()).abs() <= rounding * n as f64);
            prop_assert!(spectrum.effective_rank() >= 1.0 - 1e-12 && spectrum.effective_rank() <= n as f64 + 1e-9);
            let oracle = SymmetricEigen::new(kernel).eigenvalues;
            prop_assert!((spectrum.lambda_max() - oracle.max()).abs() <= 2.0 * rounding);
            prop_assert!((spectrum.lambda_min() - oracle.min()).abs() <= 2.0 * rounding);
        }
    }

    /// c sigma on X / c: the exponents are the same, the products c^2 smaller.
    #[test]
    fn scaling_of_std_dev(
        (n, d, seed) in (1..=24_usize, 1..=12_usize, any::<u64>()),
        (std_dev, c) in (0.0..1.5_f64, 0.1..10.0_f64),
    ) {
        let points = data::<f64>(n, d, seed).points().clone();
        let kernel = limit_kernel(&points, std_dev).unwrap();
        let scaled = limit_kernel(&(points / c), c * std_dev).unwrap() * (c * c);
        prop_assert!((&scaled - &kernel).amax() <= 1e-13 * kernel.amax());
    }

    /// The empirical kernel against the definition, in both scalar types.
    #[test]
    fn empirical_kernel_is_the_gram_matrix_of_the_jacobian(
        (n, d, m, seed) in (1..=24_usize, 1..=12_usize, 1..=60_usize, any::<u64>()),
    ) {
        let (points, net) = (data::<f32>(n, d, seed).points().clone(), net::<f32>(d, m, seed));
        let found = empirical_kernel(&net, &points).unwrap();
        let (x, wide) = (points.map(f64::from), net.cast::<f64>().unwrap());
        let j = jacobian(&wide, &x);
        let expected = &j * j.transpose() / m as f64;
        prop_assert!((&found - &expected).amax() <= 1e-12 * expected.amax());
        prop_assert_eq!(found, empirical_kernel(&wide, &x).unwrap());
    }
}

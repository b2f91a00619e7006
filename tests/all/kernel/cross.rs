//! Kernels between two lists of points, over random shapes.

use crate::support::oracle::jacobian;
use crate::support::problems::{data, net};
use crate::support::{cases, on_threads};
use expnet::Initializer;
use expnet::kernel::{
    Predictor, conjugate_cross_kernel, conjugate_kernel, empirical_cross_kernel, empirical_kernel, limit_cross_kernel,
    limit_kernel,
};
use nalgebra::DMatrix;
use proptest::prelude::*;

fn shapes() -> impl Strategy<Value = (usize, usize, usize, u64)> {
    (1..=150_usize, 1..=140_usize, 1..=12_usize, any::<u64>())
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn closed_forms_by_their_definition((n, k, d, seed) in shapes(), sigma in 0.0..1.5_f64) {
        let (points, others) = (data::<f64>(n, d, seed).points().clone(), data::<f64>(k, d, !seed).points().clone());
        let squares = |i: usize, j: usize| (points.column(i) + others.column(j)).norm_squared();
        let conjugate = DMatrix::from_fn(n, k, |i, j| (sigma * sigma * squares(i, j) / 2.0).exp());
        let products = points.tr_mul(&others);
        let found = conjugate_cross_kernel(&points, &others, sigma).unwrap();
        prop_assert!((&found - &conjugate).amax() <= 1e-13 * conjugate.amax());
        let tangent = limit_cross_kernel(&points, &others, sigma).unwrap();
        let exact = products.component_mul(&conjugate);
        prop_assert!((&tangent - &exact).amax() <= 1e-13 * conjugate.amax());
    }

    #[test]
    fn of_a_list_with_itself((n, _, d, seed) in shapes(), sigma in 0.0..1.5_f64) {
        let points = data::<f32>(n, d, seed).points().clone();
        prop_assert_eq!(limit_cross_kernel(&points, &points, sigma).unwrap(), limit_kernel(&points, sigma).unwrap());
        let conjugate = conjugate_kernel(&points, sigma).unwrap();
        prop_assert_eq!(&conjugate, &conjugate.transpose());
        prop_assert_eq!(conjugate_cross_kernel(&points, &points, sigma).unwrap(), conjugate);
    }

    /// The empirical kernel against Jacobians, in both scalar types.
    #[test]
    fn empirical_by_jacobians((n, k, d, seed) in shapes(), m in 1..=60_usize) {
        let (points, others) = (data::<f32>(n, d, seed).points().clone(), data::<f32>(k, d, !seed).points().clone());
        let net = net::<f32>(d, m, seed);
        let found = empirical_cross_kernel(&net, &points, &others).unwrap();
        let (x, z, wide) = (points.map(f64::from), others.map(f64::from), net.cast::<f64>().unwrap());
        let exact = jacobian(&wide, &x) * jacobian(&wide, &z).transpose() / m as f64;
        prop_assert!((&found - &exact).amax() <= 1e-12 * exact.amax());
        prop_assert_eq!(found, empirical_cross_kernel(&wide, &x, &z).unwrap());
        let square = empirical_kernel(&wide, &x).unwrap();
        let own = empirical_cross_kernel(&wide, &x, &x).unwrap();
        prop_assert!((own - &square).amax() <= 1e-13 * square.amax());
    }

    #[test]
    fn predictions_from_the_cross_kernel((n, k, d, seed) in shapes(), sigma in 0.0..1.2_f64) {
        let data = data::<f64>(n, d, seed);
        let others = self::data::<f64>(k, d, !seed).points().clone();
        let fit = Predictor::new(&data, sigma).unwrap().ridge(0.1).unwrap();
        let cross = limit_cross_kernel(data.points(), &others, sigma).unwrap();
        let scale = cross.map(f64::abs).tr_mul(&fit.coefficients().abs()).amax();
        prop_assert!((fit.predict_from(&cross).unwrap() - fit.predict(&others).unwrap()).amax() <= 1e-13 * scale);
    }
}

#[test]
fn a_wide_network_in_blocks_and_on_any_number_of_threads() {
    // More neurons than are converted at a time, and a width that ends inside a block.
    let (d, m) = (3, 40_001);
    let net = Initializer::new(d, m).std_dev(0.4).seed(9).build::<f64>().unwrap();
    let (points, others) = (
        data::<f64>(5, d, 1).points().clone(),
        data::<f64>(130, d, 2).points().clone(),
    );
    let found = on_threads(1, || empirical_cross_kernel(&net, &points, &others).unwrap());
    for threads in [2, 3] {
        assert_eq!(
            on_threads(threads, || empirical_cross_kernel(&net, &points, &others).unwrap()),
            found
        );
    }
    let e = |points: &DMatrix<f64>| points.tr_mul(net.weights()).map(f64::exp);
    let exact = (e(&points) * e(&others).transpose()).component_mul(&points.tr_mul(&others)) / m as f64;
    assert!((&found - &exact).amax() <= 1e-12 * exact.amax());
    let limit = limit_cross_kernel(&points, &others, 0.4).unwrap();
    assert!((&found - &limit).norm() < 0.05 * limit.norm());
}

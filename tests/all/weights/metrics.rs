//! Weighted metrics: values by hand, copies, and numbers near the limits of f64.

use expnet::Error;
use expnet::metrics::{mae, mae_weighted, r2, r2_weighted, rmse, rmse_weighted};
use nalgebra::{DVector, dvector};

type Plain = fn(&DVector<f64>, &DVector<f64>) -> Result<f64, Error>;
type Weighted = fn(&DVector<f64>, &DVector<f64>, Option<&DVector<f64>>) -> Result<f64, Error>;

const PAIRS: [(Plain, Weighted); 3] = [(r2, r2_weighted), (rmse, rmse_weighted), (mae, mae_weighted)];

/// y = 3, -0.5, 2, 7 and p = 2.5, 0, 2, 8 with s = 1, 2, 3, 4: the mean of y is 36 / 10, and
/// sum s (y - 3.6)^2 = 0.36 + 33.62 + 7.68 + 46.24, sum s (p - y)^2 = 0.25 + 0.5 + 0 + 4, sum s |p - y| = 0.5 + 1 + 0 + 4.
#[test]
fn by_hand() {
    let (labels, predictions) = (dvector![3.0, -0.5, 2.0, 7.0], dvector![2.5, 0.0, 2.0, 8.0]);
    let weights = dvector![1.0, 2.0, 3.0, 4.0];
    for scale in [1.0, 1e-300, 4e307] {
        let weights = &weights * scale;
        let exact = [1.0 - 4.75 / 87.9, 0.475_f64.sqrt(), 0.55];
        for ((_, metric), exact) in PAIRS.into_iter().zip(exact) {
            let found = metric(&labels, &predictions, Some(&weights)).unwrap();
            assert!((found - exact).abs() < 1e-15, "{scale:e}: {found} {exact}");
        }
    }
}

#[test]
fn whole_weights_count_copies() {
    let (labels, predictions) = (dvector![3.0, -0.5, 2.0, 7.0], dvector![2.5, 0.3, 1.0, 1e3]);
    let copies = |v: &DVector<f64>| v.select_rows(&[0, 0, 1, 2, 2, 2]);
    let weights = dvector![2.0, 1.0, 3.0, 0.0];
    for (plain, weighted) in PAIRS {
        let exact = plain(&copies(&labels), &copies(&predictions)).unwrap();
        let found = weighted(&labels, &predictions, Some(&weights)).unwrap();
        assert!((found - exact).abs() < 1e-14 * exact.abs(), "{found} {exact}");
        // Without weights, the same bits.
        assert_eq!(
            weighted(&labels, &predictions, None).unwrap(),
            plain(&labels, &predictions).unwrap()
        );
    }
}

//! Formulas written out, to compare results with.

use expnet::ExpNetwork;
use nalgebra::DMatrix;

/// J, n x d m: row i, block r is a_r exp(<w_r, x_i>) x_i.
pub fn jacobian(net: &ExpNetwork<f64>, points: &DMatrix<f64>) -> DMatrix<f64> {
    let (d, m) = net.weights().shape();
    let e = points.tr_mul(net.weights()).map(f64::exp);
    DMatrix::from_fn(points.ncols(), d * m, |i, c| {
        let (r, k) = (c / d, c % d);
        net.output_weights()[r] * e[(i, r)] * points[(k, i)]
    })
}

/// The largest Euclidean norm of a column.
pub fn largest_column(matrix: &DMatrix<f64>) -> f64 {
    matrix.column_iter().map(|column| column.norm()).fold(0.0, f64::max)
}

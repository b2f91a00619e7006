//! Tangent kernels between two lists of points.

use super::check_cross_entries;
use super::pairs::{self, ClosedForm};
use crate::dataset::check_points;
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::memory;
use crate::network::ExpNetwork;
use crate::numbers::check_finite;
use crate::setting::not_negative;
use nalgebra::{DMatrix, DMatrixViewMut, DVector};
use rayon::prelude::*;

/// Columns of the kernel computed at a time.
const BLOCK: usize = 64;

/// The tangent kernel in the limit of infinite width between two lists of points, n x k.
///
/// ```text
/// Hcts(x_i, x'_j) = <x_i, x'_j> exp(sigma^2 ||x_i + x'_j||^2 / 2)
/// ```
///
/// `points` is d x n and `others` is d x k, one point per column. Row i belongs to `points`, and column j to `others`: the
/// layout that [`Fit::predict_from`](super::Fit::predict_from) takes. The kernel of a list with itself is
/// [`limit_kernel`](super::limit_kernel), bit for bit. From Jacot, Gabriel, Hongler, *Neural Tangent Kernel* (2018), for
/// this network; `std_dev` is sigma.
///
/// Errors: an empty list; a point that is not finite; lists of different dimensions; a `std_dev` that is negative or not
/// finite; an entry outside the range of `f64` ([`Error::KernelOverflow`] names the pair); an n x k matrix that does not
/// fit in memory.
///
/// Costs 4 n k d flops and n k exponentials, on all threads.
///
/// ```
/// use expnet::kernel;
/// use nalgebra::dmatrix;
///
/// let cross = kernel::limit_cross_kernel(&dmatrix![1.0, -1.0], &dmatrix![2.0], 1.0)?; // 2 x 1
/// assert_eq!(cross, dmatrix![2.0 * 4.5_f64.exp(); -2.0 * 0.5_f64.exp()]);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn limit_cross_kernel<T: Float>(
    points: &DMatrix<T>,
    others: &DMatrix<T>,
    std_dev: f64,
) -> Result<DMatrix<f64>, Error> {
    check_lists(points, others)?;
    not_negative("`std_dev` of `limit_cross_kernel`", std_dev)?;
    let (points, others) = (points.map(Float::as_f64), others.map(Float::as_f64));
    pairs::rectangle(ClosedForm::Tangent, &points, &others, std_dev)
}

/// The tangent kernel of a network between two lists of points: J J'^T / m, n x k.
///
/// ```text
/// H(x_i, x'_j) = (1/m) sum_r a_r^2 exp(<w_r, x_i>) exp(<w_r, x'_j>) <x_i, x'_j>
/// ```
///
/// `points` is d x n and `others` is d x k, one point per column. Row i belongs to `points`, and column j to `others`.
/// The kernel of a list with itself is [`empirical_kernel`](super::empirical_kernel) up to rounding, because the sums are
/// added in another order. All arithmetic is in `f64`. The bits do not depend on the number of threads. From Jacot,
/// Gabriel, Hongler, *Neural Tangent Kernel* (2018), divided by the width.
///
/// Errors: points whose dimension is not the network's; an empty list; a point that is not finite; an entry outside the
/// range of `f64` ([`Error::KernelOverflow`] names the pair); an n x k matrix that does not fit in memory.
///
/// Costs 2 n k m + 2 (n + k) d m flops and (n + k) m exponentials, on all threads. Memory in addition to the result does
/// not grow with m.
///
/// ```
/// use expnet::{ExpNetwork, kernel};
/// use nalgebra::{dmatrix, dvector};
///
/// let net = ExpNetwork::from_parts(dmatrix![0.0, 1.0], dvector![1.0, -1.0])?;
/// let cross = kernel::empirical_cross_kernel(&net, &dmatrix![1.0, -1.0], &dmatrix![2.0])?; // 2 x 1
/// let e = std::f64::consts::E;
/// assert!((cross[0] - 2.0 * (1.0 + e.powi(3)) / 2.0).abs() < 1e-13);
/// assert!((cross[1] + 2.0 * (1.0 + e) / 2.0).abs() < 1e-13);
/// # Ok::<(), expnet::Error>(())
/// ```
pub fn empirical_cross_kernel<T: Float>(
    net: &ExpNetwork<T>,
    points: &DMatrix<T>,
    others: &DMatrix<T>,
) -> Result<DMatrix<f64>, Error> {
    net.check_dimension(points)?;
    check_lists(points, others)?;
    let (points, others) = (points.map(Float::as_f64), others.map(Float::as_f64));
    let (n, m) = (points.ncols(), net.width());
    let rows = points.transpose();
    let mut kernel = memory::matrix("the empirical kernel", memory::FEWER_POINTS, (n, others.ncols()))?;
    let block = neurons_per_block(n, points.nrows());
    for first in (0..m).step_by(block) {
        let count = block.min(m - first);
        let weights = net.weights().columns(first, count).map(Float::as_f64);
        let output_weights = net.output_weights().rows(first, count).map(Float::as_f64);
        let left = activations(&rows, &weights, &output_weights);
        add_products(&mut kernel, &left, &weights.transpose(), &output_weights, &others);
    }
    let columns = kernel.as_mut_slice().par_chunks_mut(n).enumerate();
    columns.for_each(|(j, column)| {
        for (entry, product) in column.iter_mut().zip(&(&rows * others.column(j))) {
            *entry *= product / m as f64;
        }
    });
    check_cross_entries("the empirical kernel", &kernel)?;
    Ok(kernel)
}

/// a_r exp(<w_r, x_i>), n x b, for points as rows (n x d) and b neurons.
fn activations(rows: &DMatrix<f64>, weights: &DMatrix<f64>, output_weights: &DVector<f64>) -> DMatrix<f64> {
    let n = rows.nrows();
    let mut activations = DMatrix::zeros(n, weights.ncols());
    let blocks = activations.as_mut_slice().par_chunks_mut(n * BLOCK).enumerate();
    blocks.for_each(|(b, block)| {
        let (first, count) = (b * BLOCK, block.len() / n);
        block.copy_from_slice((rows * weights.columns(first, count)).as_slice());
        for (column, a) in block.chunks_mut(n).zip(output_weights.rows(first, count).iter()) {
            for entry in column.iter_mut() {
                *entry = a * entry.exp();
            }
        }
    });
    activations
}

/// Adds sum_r a_r^2 exp(<w_r, x_i>) exp(<w_r, x'_j>) over some neurons, whose activations at the points are `left` (n x b),
/// and whose weights are `neurons` (b x d).
fn add_products(
    kernel: &mut DMatrix<f64>,
    left: &DMatrix<f64>,
    neurons: &DMatrix<f64>,
    output_weights: &DVector<f64>,
    others: &DMatrix<f64>,
) {
    let n = left.nrows();
    let blocks = kernel.as_mut_slice().par_chunks_mut(n * BLOCK).enumerate();
    blocks.for_each(|(b, block)| {
        let count = block.len() / n;
        let mut right = neurons * others.columns(b * BLOCK, count);
        for mut column in right.column_iter_mut() {
            column.zip_apply(output_weights, |entry, a| *entry = a * entry.exp());
        }
        DMatrixViewMut::from_slice(block, n, count).gemm(1.0, left, &right, 1.0);
    });
}

/// Neurons converted to f64 at a time: about 64 MiB. Depends only on the shape, so that the bits do too.
fn neurons_per_block(samples: usize, dimension: usize) -> usize {
    const NUMBERS: usize = 1 << 23;
    (NUMBERS / (2 * dimension + samples + BLOCK)).clamp(16, 1 << 14)
}

/// Checks the points and the others, whose places are named apart.
pub(super) fn check_lists<T: Float>(points: &DMatrix<T>, others: &DMatrix<T>) -> Result<(), Error> {
    check_points(points, None)?;
    if others.ncols() == 0 {
        return Err(Error::Empty {
            what: "the list of other points",
            remedy: "give at least one point",
        });
    }
    check_size(
        "the dimension of the other points",
        others.nrows(),
        points.nrows(),
        "give both lists as matrices with one point per column and the same number of rows",
    )?;
    check_finite("a coordinate", others, "replace it with a finite number", |k, j| {
        format!("other point {j}, coordinate {k}")
    })
}

/// Checks a cross-kernel of n training points with new ones, given by the caller.
pub(super) fn check_cross(cross: &DMatrix<f64>, samples: usize) -> Result<(), Error> {
    check_size(
        "the number of rows of the cross-kernel",
        cross.nrows(),
        samples,
        "give one row per training point and one column per new point",
    )?;
    if cross.ncols() == 0 {
        return Err(Error::Empty {
            what: "the cross-kernel",
            remedy: "give one column per new point, and at least one",
        });
    }
    let place = |i, j| format!("row {i}, column {j}");
    check_finite("an entry of the cross-kernel", cross, "give finite numbers", place)
}

//! The activations |a_r| exp(<w_r, x_i>) behind a certificate, one block of neurons at a time.

use crate::float::Float;
use nalgebra::{DMatrix, DMatrixView, DVector};
use std::borrow::Cow;

/// Neurons per block, whose activations are an n x `BLOCK` matrix. Sums over neurons are sums over blocks.
pub(super) const BLOCK: usize = 512;

/// Neurons, as their activations (n x m, always f64).
pub(super) trait Neurons {
    /// The number of distinct columns.
    fn columns(&self) -> usize;

    /// How many neurons share each column: 2 for pairs that cancel.
    fn copies(&self) -> usize;

    /// max_r ||w_r||, to which the rounding of the exponents is proportional.
    fn largest_weight(&self) -> f64;

    /// The signs of the output weights; `None` if pairs cancel and F is exactly 0.
    fn signs(&self) -> Option<&DVector<f64>>;

    /// Calls `visit` with the index of the first column and the activations of each block.
    fn for_each_block(&self, visit: &mut dyn FnMut(usize, DMatrixView<'_, f64>));

    /// m, including copies.
    fn width(&self) -> usize {
        self.columns() * self.copies()
    }
}

/// The neurons of a network. Every pass recomputes their activations, one block at a time.
pub(super) struct OfNetwork<'a, T: Float> {
    points: &'a DMatrix<f64>,
    weights: Cow<'a, DMatrix<T>>,
    sizes: DVector<f64>,
    /// `None` if the columns stand for pairs that cancel.
    signs: Option<DVector<f64>>,
    largest_weight: f64,
}

impl<'a, T: Float> OfNetwork<'a, T> {
    pub fn new(points: &'a DMatrix<f64>, weights: &'a DMatrix<T>, output_weights: &DVector<T>) -> Self {
        let largest_weight = largest_norm(weights);
        let sizes = output_weights.map(|a| a.as_f64().abs());
        if are_pairs(weights, output_weights) {
            let firsts: Vec<usize> = (0..weights.ncols()).step_by(2).collect();
            return Self {
                points,
                weights: Cow::Owned(weights.select_columns(&firsts)),
                sizes: sizes.select_rows(&firsts),
                signs: None,
                largest_weight,
            };
        }
        Self {
            points,
            weights: Cow::Borrowed(weights),
            sizes,
            signs: Some(output_weights.map(|a| a.as_f64().signum())),
            largest_weight,
        }
    }
}

/// Whether neurons 2 k and 2 k + 1 cancel, for every k: the same weights, opposite output weights.
fn are_pairs<T: Float>(weights: &DMatrix<T>, output_weights: &DVector<T>) -> bool {
    let cancel = |k: usize| {
        output_weights[k] == -output_weights[k + 1] && weights.column(k).iter().eq(weights.column(k + 1).iter())
    };
    weights.ncols().is_multiple_of(2) && (0..weights.ncols()).step_by(2).all(cancel)
}

impl<T: Float> Neurons for OfNetwork<'_, T> {
    fn columns(&self) -> usize {
        self.weights.ncols()
    }

    fn copies(&self) -> usize {
        if self.signs.is_none() { 2 } else { 1 }
    }

    fn largest_weight(&self) -> f64 {
        self.largest_weight
    }

    fn signs(&self) -> Option<&DVector<f64>> {
        self.signs.as_ref()
    }

    fn for_each_block(&self, visit: &mut dyn FnMut(usize, DMatrixView<'_, f64>)) {
        for first in (0..self.columns()).step_by(BLOCK) {
            let count = BLOCK.min(self.columns() - first);
            let mut block = activations(self.points, &self.weights.columns(first, count).into_owned());
            for (mut column, &size) in block.column_iter_mut().zip(self.sizes.rows(first, count).iter()) {
                // The usual |a_r| = 1 changes no bits.
                column *= size;
            }
            visit(first, block.as_view());
        }
    }
}

/// Pairs of opposite signs. Their activations are stored, so that widening a network does not recompute them.
pub(super) struct Pairs {
    samples: usize,
    blocks: Vec<DMatrix<f64>>,
    count: usize,
    largest_weight: f64,
}

impl Pairs {
    pub fn new(samples: usize) -> Self {
        Self {
            samples,
            blocks: Vec::new(),
            count: 0,
            largest_weight: 0.0,
        }
    }

    /// Adds one pair for each column of `weights`.
    pub fn extend<T: Float>(&mut self, points: &DMatrix<f64>, weights: &DMatrix<T>) {
        self.largest_weight = self.largest_weight.max(largest_norm(weights));
        let mut fresh = activations(points, weights);
        let vacant = self
            .blocks
            .last()
            .map_or(0, |block| BLOCK - block.ncols())
            .min(fresh.ncols());
        if let Some(last) = self.blocks.last_mut().filter(|_| vacant > 0) {
            let filled = last.ncols();
            *last = std::mem::take(last).resize_horizontally(filled + vacant, 0.0);
            last.columns_mut(filled, vacant).copy_from(&fresh.columns(0, vacant));
            fresh = fresh.remove_columns(0, vacant);
        }
        for first in (0..fresh.ncols()).step_by(BLOCK) {
            let count = BLOCK.min(fresh.ncols() - first);
            self.blocks.push(fresh.columns(first, count).into_owned());
        }
        self.count += weights.ncols();
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// The first `count` pairs, as a network of twice that width.
    pub fn first(&self, count: usize) -> FirstPairs<'_> {
        FirstPairs { all: self, count }
    }
}

/// The first of the [`Pairs`].
pub(super) struct FirstPairs<'a> {
    all: &'a Pairs,
    count: usize,
}

impl Neurons for FirstPairs<'_> {
    fn columns(&self) -> usize {
        self.count
    }

    fn copies(&self) -> usize {
        2
    }

    fn largest_weight(&self) -> f64 {
        self.all.largest_weight
    }

    fn signs(&self) -> Option<&DVector<f64>> {
        None
    }

    fn for_each_block(&self, visit: &mut dyn FnMut(usize, DMatrixView<'_, f64>)) {
        for (first, block) in (0..self.count).step_by(BLOCK).zip(&self.all.blocks) {
            visit(
                first,
                block.view((0, 0), (self.all.samples, BLOCK.min(self.count - first))),
            );
        }
    }
}

/// exp(<w_r, x_i>): one row per point and one column per neuron.
fn activations<T: Float>(points: &DMatrix<f64>, weights: &DMatrix<T>) -> DMatrix<f64> {
    let weights = weights.map(T::as_f64);
    let mut activations = points.transpose() * weights;
    activations.apply(|z| *z = z.exp());
    activations
}

fn largest_norm<T: Float>(weights: &DMatrix<T>) -> f64 {
    let norm = |w: nalgebra::DVectorView<'_, T>| w.iter().map(|w| w.as_f64().powi(2)).sum::<f64>().sqrt();
    weights.column_iter().map(norm).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Initializer;

    fn all(neurons: &dyn Neurons, samples: usize) -> DMatrix<f64> {
        let mut all = DMatrix::zeros(samples, neurons.columns());
        neurons.for_each_block(&mut |first, block| all.columns_mut(first, block.ncols()).copy_from(&block));
        all
    }

    #[test]
    fn pairs_grown_in_any_portions_are_the_network() {
        let points = DMatrix::from_fn(3, 4, |k, i| ((1 + i * 3 + k) as f64).sin());
        let (weights, output_weights) = Initializer::new(3, 2400)
            .antisymmetric(true)
            .seed(5)
            .draw::<f64>()
            .unwrap();
        let network = OfNetwork::new(&points, &weights, &output_weights);
        let whole = all(&network, 4);
        let distinct = weights.select_columns(&(0..1200).map(|p| 2 * p).collect::<Vec<_>>());
        let mut pairs = Pairs::new(4);
        for (from, to) in [(0, 1), (1, 400), (400, 512), (512, 513), (513, 1200)] {
            pairs.extend(&points, &distinct.columns(from, to - from).into_owned());
            assert_eq!(pairs.len(), to);
            let first = all(&pairs.first(to), 4);
            for p in 0..to {
                // Products of different shapes may round differently.
                assert!((first.column(p) - whole.column(p)).amax() <= 1e-14 * whole.column(p).amax());
            }
        }
        assert_eq!(all(&pairs.first(700), 4), all(&pairs.first(1200), 4).columns(0, 700));
        assert_eq!((pairs.first(700).width(), network.width()), (1400, 2400));
        assert!(network.signs().is_none());
        // One weight off, and they are no pairs.
        let mut unlike = weights.clone();
        unlike[(1, 2399)] += 1e-9;
        let network = OfNetwork::new(&points, &unlike, &output_weights);
        assert_eq!((network.columns(), network.width()), (2400, 2400));
        assert_eq!(network.largest_weight(), pairs.first(1).largest_weight());
    }
}

//! Exact reduction of coordinates.
//!
//! The gradient of a neuron is a combination of the points, so the weights move only within the span of the points.
//! With an orthonormal basis Q of the span (d x k, where k is the rank of the points), training in the k coordinates
//! P = Q^T W gives the same outputs, and W = W_0 + Q (P - P_0). Pivoted Gram-Schmidt also makes the points triangular:
//!
//! ```text
//!                 sample (in pivot order)
//!               . . . . . . . . . .            coordinate 0        every sample
//!                 . . . . . . . . .            coordinate 1        from the second on
//!                   . . . . . . . .
//!                     . . . . . . .            coordinate k - 1    from the k-th on
//! ```
//!
//! Validation points may lie outside the span: they get additional coordinates, along which nothing moves.

use super::plan::fewest_items;
use super::points::Coordinates;
use crate::error::Error;
use crate::float::Float;
use crate::memory;
use nalgebra::{DMatrix, DVector, DVectorView, DVectorViewMut};
use rayon::prelude::*;

/// A remainder shorter than this share of the longest point counts as rounding.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// The share of a step's multiplications that the reduction must save.
const GAIN: f64 = 0.25;

/// What an error calls the largest buffers.
const POINTS: &str = "the points in the coordinates of their span";

const REMEDY: &str = "use fewer samples or fewer columns";

/// Points in the coordinates of their own span.
#[derive(Clone, Debug)]
pub(super) struct Reduction<T> {
    /// Q, d x k, the span of the samples first.
    pub basis: DMatrix<T>,
    /// The pivot order of the samples: row p of the packed points is sample `order[p]`.
    pub order: Vec<usize>,
    pub samples: Coordinates<T>,
    pub validation: Option<Coordinates<T>>,
    /// Coordinates along which weights move.
    pub trained: usize,
}

/// Returns the reduction, if it saves at least a quarter of the work.
pub(super) fn reduce<T: Float>(
    points: &DMatrix<T>,
    validation: Option<&DMatrix<T>>,
) -> Result<Option<Reduction<T>>, Error> {
    let (d, n) = points.shape();
    let mut span = Span::new(d);
    let samples = span.extend(points)?;
    let trained = span.basis.len();
    let expansion = validation.map(|points| span.extend(points)).transpose()?;
    let k = span.basis.len();
    let validated = validation.map_or(0, DMatrix::ncols);
    let direct = 2 * n * d + validated * d;
    let reduced = 2 * (n * trained - trained * trained.saturating_sub(1) / 2) + validated * k;
    if trained == 0 || reduced as f64 > (1.0 - GAIN) * direct as f64 {
        return Ok(None);
    }
    let unchanged: Vec<usize> = (0..validated).collect();
    Ok(Some(Reduction {
        basis: memory::from_fn("the basis of the span of the points", REMEDY, (d, k), |i, l| {
            T::lit(span.basis[l][i])
        })?,
        samples: samples.coordinates(k, &samples.order)?,
        validation: expansion.map(|part| part.coordinates(k, &unchanged)).transpose()?,
        order: samples.order,
        trained,
    }))
}

/// A growing orthonormal basis.
struct Span {
    dimension: usize,
    basis: Vec<DVector<f64>>,
}

/// Points in the coordinates of a span, and their pivot order.
struct Expansion {
    /// Row l: the components along basis vector l.
    components: DMatrix<f64>,
    order: Vec<usize>,
}

impl Span {
    fn new(dimension: usize) -> Self {
        Self {
            dimension,
            basis: Vec::new(),
        }
    }

    /// Adds the directions of these points, the longest remainder first, until only rounding is left.
    fn extend<T: Float>(&mut self, points: &DMatrix<T>) -> Result<Expansion, Error> {
        let new = points.ncols().min(self.dimension - self.basis.len());
        let mut remainders = Remainders::new(points, self.basis.len() + new)?;
        let longest = remainders.rest.column_iter().map(|x| x.norm()).fold(0.0, f64::max);
        for q in &self.basis {
            remainders.remove(q);
        }
        let mut order = Vec::new();
        let mut waiting: Vec<usize> = (0..points.ncols()).collect();
        while self.basis.len() < self.dimension && !waiting.is_empty() {
            let norms = &remainders.norms;
            let at = (0..waiting.len())
                .max_by(|&a, &b| norms[waiting[a]].total_cmp(&norms[waiting[b]]))
                .unwrap_or(0);
            let pivot = waiting[at];
            if norms[pivot] <= ROUNDING * longest {
                break;
            }
            waiting.swap_remove(at);
            order.push(pivot);
            let q = self.orthonormal(remainders.rest.column(pivot));
            // Samples before this one have no component along the new direction: their coordinates are exactly zero.
            remainders.remove(&q);
            remainders.done[pivot] = true;
            self.basis.push(q);
        }
        waiting.sort_unstable();
        order.extend(waiting);
        let components = remainders.components;
        Ok(Expansion { components, order })
    }

    /// `x` orthogonalised against the basis ("twice is enough") and normalised.
    fn orthonormal(&self, x: DVectorView<'_, f64>) -> DVector<f64> {
        let mut q = x.into_owned();
        for _ in 0..2 {
            for b in &self.basis {
                q.axpy(-b.dot(&q), b, 1.0);
            }
        }
        q.normalize()
    }
}

/// What is left of points beyond a span.
struct Remainders {
    rest: DMatrix<f64>,
    /// Of each remainder.
    norms: Vec<f64>,
    /// Points that do not change any more.
    done: Vec<bool>,
    /// Row l: the components along basis vector l.
    components: DMatrix<f64>,
    /// The number of basis vectors so far.
    removed: usize,
}

impl Remainders {
    /// The points themselves, with room for so many components of each.
    fn new<T: Float>(points: &DMatrix<T>, most: usize) -> Result<Self, Error> {
        let mut rest = memory::matrix(POINTS, REMEDY, points.shape())?;
        rest.zip_apply(points, |rest, x| *rest = x.as_f64());
        Ok(Self {
            norms: rest.column_iter().map(norm).collect(),
            done: vec![false; rest.ncols()],
            components: memory::matrix(POINTS, REMEDY, (most, rest.ncols()))?,
            removed: 0,
            rest,
        })
    }

    /// Moves the component along q, the next basis vector, from the remainders to the components.
    fn remove(&mut self, q: &DVector<f64>) {
        let (d, most, l) = (q.len(), self.components.nrows(), self.removed);
        let rest = self.rest.as_mut_slice().par_chunks_mut(d);
        let components = self.components.as_mut_slice().par_chunks_mut(most);
        let points = rest.zip(components).zip(&mut self.norms).zip(&self.done);
        points
            .with_min_len(fewest_items(d))
            .for_each(|(((x, components), length), done)| {
                if !done {
                    let mut x = DVectorViewMut::from_slice(x, d);
                    components[l] = q.dot(&x);
                    x.axpy(-components[l], q, 1.0);
                    *length = norm(x.as_view());
                }
            });
        self.removed += 1;
    }
}

/// nalgebra's `norm` adds one number after the other, its `dot` eight at a time.
fn norm(x: DVectorView<'_, f64>) -> f64 {
    x.dot(&x).sqrt()
}

impl Expansion {
    /// k x n, the points in the given order.
    fn coordinates<T: Float>(&self, k: usize, order: &[usize]) -> Result<Coordinates<T>, Error> {
        let component = |l: usize, p: usize| T::lit(self.components.get((l, order[p])).copied().unwrap_or(0.0));
        memory::from_fn(POINTS, REMEDY, (k, order.len()), component).map(Coordinates::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(d: usize, n: usize, rank: usize) -> DMatrix<f64> {
        let a = DMatrix::from_fn(d, rank, |i, j| ((3 * i + 5 * j + 7 * i * j + 1) as f64).sin());
        let b = DMatrix::from_fn(rank, n, |i, j| ((2 * i + 7 * j + 3 * i * j + 2) as f64 * 1.3).cos());
        a * b
    }

    #[test]
    fn coordinates_reproduce_the_points() {
        for (d, n, rank) in [(40, 10, 10), (40, 30, 5), (100, 60, 60), (9, 3, 1)] {
            let x = points(d, n, rank);
            let validation = points(d, 4, 2);
            let r = reduce(&x, Some(&validation)).unwrap().unwrap();
            assert_eq!(r.trained, rank.min(n));
            let back = &r.basis * &r.samples.matrix;
            for (p, &i) in r.order.iter().enumerate() {
                assert!((back.column(p) - x.column(i)).norm() < 1e-13 * x.norm());
                assert_eq!(r.samples.extent[p], (p + 1).min(r.trained), "triangular");
            }
            let back = &r.basis * &r.validation.unwrap().matrix;
            assert!((back - validation).norm() < 1e-12);
            let k = r.basis.ncols();
            assert!((r.basis.tr_mul(&r.basis) - DMatrix::identity(k, k)).norm() < 1e-13);
        }
    }

    #[test]
    fn near_duplicates_keep_their_difference() {
        let mut x = points(50, 4, 4);
        let shifted = x.column(0) + DVector::from_element(50, 1e-10);
        x.set_column(1, &shifted);
        let r = reduce(&x, None).unwrap().unwrap();
        assert_eq!(r.trained, 4);
        let (a, b) = (
            r.order.iter().position(|&i| i == 0).unwrap(),
            r.order.iter().position(|&i| i == 1).unwrap(),
        );
        let distance = (r.samples.matrix.column(a) - r.samples.matrix.column(b)).norm();
        assert!((distance / (1e-10 * 50f64.sqrt()) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn exact_duplicates_and_zeros_count_once() {
        let mut x = points(50, 6, 3);
        let copy = x.column(0).into_owned();
        x.set_column(5, &copy);
        x.column_mut(2).fill(0.0);
        assert_eq!(reduce(&x, None).unwrap().unwrap().trained, 3);
        assert!(reduce(&DMatrix::<f64>::zeros(5, 3), None).unwrap().is_none());
    }

    #[test]
    fn is_skipped_if_it_saves_little() {
        assert!(reduce(&points(16, 128, 16), None).unwrap().is_none());
        assert!(reduce(&points(16, 128, 2), None).unwrap().is_some());
        assert!(
            reduce(&points(60, 100, 60), None).unwrap().is_some(),
            "triangular samples save 30%"
        );
    }
}

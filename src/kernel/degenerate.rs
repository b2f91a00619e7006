//! Points that make every tangent kernel singular.

use crate::dataset::Dataset;
use crate::float::Float;
use nalgebra::DMatrix;
use std::collections::HashMap;
use std::fmt;

/// Why a point makes every tangent kernel singular. Points are numbered from 0.
///
/// ```
/// use expnet::kernel::Degeneracy;
///
/// let equal = Degeneracy::Coincides { point: 4, with: 1 };
/// assert_eq!(equal.to_string(), "point 4 equals point 1");
/// assert_eq!(Degeneracy::Vanishes { point: 2 }.to_string(), "point 2 is 0 in every coordinate");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degeneracy {
    /// The point is 0 in every coordinate: its row of the kernel is 0, and its output never changes.
    Vanishes {
        /// The point.
        point: usize,
    },
    /// The point equals an earlier one: their rows of the kernel are the same, and so are their outputs.
    Coincides {
        /// The later point.
        point: usize,
        /// The first point equal to it.
        with: usize,
    },
}

impl fmt::Display for Degeneracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanishes { point } => write!(f, "point {point} is 0 in every coordinate"),
            Self::Coincides { point, with } => write!(f, "point {point} equals point {with}"),
        }
    }
}

/// The points (columns of a d x n matrix) that vanish or coincide with an earlier one, in order.
///
/// If there are none, [`limit_kernel`](super::limit_kernel) is positive definite for every sigma > 0, although its
/// smallest eigenvalue may be below the rounding error. Points are equal if all their coordinates are; 0 equals -0.
/// Costs O(n d).
///
/// ```
/// use expnet::kernel::{Degeneracy, degenerate_points};
/// use nalgebra::dmatrix;
///
/// let points = dmatrix![1.0, 0.0, 1.0, -1.0, 2.0;
///                       2.0, 0.0, 2.0, -2.0, 4.0]; // opposite and parallel points are fine
/// let found = degenerate_points(&points);
/// assert_eq!(found, [Degeneracy::Vanishes { point: 1 }, Degeneracy::Coincides { point: 2, with: 0 }]);
/// ```
pub fn degenerate_points<T: Float>(points: &DMatrix<T>) -> Vec<Degeneracy> {
    let mut first_with = HashMap::new();
    let degeneracy = |(point, x): (usize, nalgebra::DVectorView<'_, T>)| {
        if x.iter().all(|&x| x == T::zero()) {
            return Some(Degeneracy::Vanishes { point });
        }
        let with = *first_with.entry(bits(x.iter().copied())).or_insert(point);
        (with != point).then_some(Degeneracy::Coincides { point, with })
    };
    points.column_iter().enumerate().filter_map(degeneracy).collect()
}

/// The groups of samples that are copies of each other: the same point with the same label.
pub(crate) fn copies<T: Float>(data: &Dataset<T>) -> Vec<Vec<usize>> {
    let mut groups: HashMap<Vec<u64>, Vec<usize>> = HashMap::new();
    for (i, (point, label)) in data.iter().enumerate() {
        let sample = point.iter().copied().chain([label]);
        groups.entry(bits(sample)).or_default().push(i);
    }
    let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

/// Equal numbers have equal bits: -0 + 0 is 0.
fn bits<T: Float>(numbers: impl Iterator<Item = T>) -> Vec<u64> {
    numbers.map(|x| (x.as_f64() + 0.0).to_bits()).collect()
}

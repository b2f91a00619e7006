//! Sums over the monomials of many points, for kernels that are power series of inner products.

use super::super::plan::level;
use super::basis::Basis;
use super::monomials::{Monomials, Powers};
use super::points::{FewPoints, Packing};
use super::workspace::Workspaces;
use crate::error::Error;
use crate::float::Float;
use fearless_simd::Level;
use nalgebra::DMatrix;

/// All monomials of degree at most p, and a number for each of them.
#[derive(Clone, Debug)]
pub(crate) struct Polynomial {
    monomials: Monomials,
    numbers: Vec<f64>,
}

impl Polynomial {
    /// The polynomial with these coefficients.
    pub fn new(dimension: usize, degree: usize, coefficient: impl Fn(Powers) -> f64) -> Self {
        let monomials = Monomials::new(dimension, degree);
        let mut numbers = vec![0.0; monomials.by_rows.len];
        for (powers, place) in monomials.places() {
            numbers[place] = coefficient(powers);
        }
        Self { monomials, numbers }
    }

    /// The number of a monomial; 0 for those that it does not have.
    pub fn of(&self, powers: Powers) -> f64 {
        self.monomials.place(powers).map_or(0.0, |place| self.numbers[place])
    }
}

/// Many points of at most four coordinates.
#[derive(Debug)]
pub(crate) struct PointSet {
    points: FewPoints,
    dimension: usize,
    level: Level,
    workspaces: Workspaces,
}

impl PointSet {
    /// The points, d x n with d from 1 to 4, times `scale`.
    pub fn new<T: Float>(points: &DMatrix<T>, scale: f64) -> Result<Self, Error> {
        let mut packed = FewPoints::default();
        packed.pack(points, &[], Packing { scale, length: None })?;
        Ok(Self {
            points: packed,
            dimension: points.nrows(),
            level: level()?,
            workspaces: Workspaces::default(),
        })
    }

    /// sum_i weights_i x_i^alpha for |alpha| <= `degree`. The bits do not depend on the number of threads.
    pub fn moments(&mut self, degree: usize, weights: &[f64]) -> Result<Polynomial, Error> {
        let monomials = Monomials::new(self.dimension, degree);
        let basis = Basis::Monomials(&monomials);
        self.workspaces.make_room(basis, self.level)?;
        self.points.pack_dual(weights);
        let (mut parts, mut numbers) = (Vec::new(), Vec::new());
        self.points
            .potential(self.level, basis, &self.workspaces, &mut parts, &mut numbers, true);
        Ok(Polynomial { monomials, numbers })
    }

    /// The polynomial at every point.
    pub fn values(&mut self, polynomial: &Polynomial) -> Result<Vec<f64>, Error> {
        let Polynomial { monomials, numbers } = polynomial;
        let basis = Basis::Monomials(monomials);
        self.workspaces.make_room(basis, self.level)?;
        let mut values = vec![0.0; self.points.samples()];
        self.points
            .outputs(self.level, basis, &self.workspaces, numbers, &mut values, true);
        Ok(values)
    }
}

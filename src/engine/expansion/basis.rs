//! The functions into which exp(<w, x>) is expanded, and the sums over them for a block of neurons or points.

use super::bilinear;
use super::circle::Circle;
use super::monomials::{MOST_COORDINATES, Monomials};
use super::workspace::Tables;
use fearless_simd::prelude::*;

/// Which functions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Basis<'a> {
    Monomials(&'a Monomials),
    Circle(&'a Circle),
}

/// A block of neurons or points.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// Of its first group on.
    pub coordinates: [&'a [f64]; MOST_COORDINATES],
    pub groups: usize,
}

impl Basis<'_> {
    /// The coefficients, including padding.
    pub fn len(self) -> usize {
        match self {
            Self::Monomials(monomials) => monomials.by_rows.len,
            Self::Circle(circle) => circle.len(),
        }
    }

    /// The entries of a table of rows, and of columns.
    pub fn entries(self) -> [usize; 2] {
        match self {
            Self::Monomials(monomials) => [monomials.rows.entries(), monomials.columns.entries()],
            Self::Circle(circle) => [circle.len(), 0],
        }
    }

    /// What a neuron's gradient needs besides V.
    pub fn derive_potential(self, potential: &[f64], derived: &mut Vec<f64>) {
        match self {
            Self::Monomials(monomials) => monomials.exchange(potential, derived),
            Self::Circle(circle) => circle.slopes(potential, derived),
        }
    }

    /// The functions of neurons, times their output weights.
    #[inline(always)]
    pub(super) fn fill_neurons<S: Simd>(self, s: S, neurons: Block<'_>, seed: &[f64], tables: &mut Tables) {
        match self {
            Self::Monomials(monomials) => bilinear::fill(s, monomials, neurons, Some(seed), true, tables),
            Self::Circle(circle) => circle.fill_neurons(s, neurons, seed, tables),
        }
    }

    /// The functions of points, times v.
    #[inline(always)]
    pub(super) fn fill_points<S: Simd>(self, s: S, points: Block<'_>, dual: &[f64], tables: &mut Tables) {
        match self {
            Self::Monomials(monomials) => bilinear::fill(s, monomials, points, Some(dual), false, tables),
            Self::Circle(circle) => circle.fill_points(s, points, dual, tables),
        }
    }

    /// a grad Phi for each neuron of a group, up to the scale of the weights.
    #[inline(always)]
    pub(super) fn gradient<S: Simd>(
        self,
        s: S,
        potential: [&[f64]; 2],
        group: usize,
        tables: &Tables,
    ) -> [[S::f64s; 3]; MOST_COORDINATES] {
        match self {
            Self::Monomials(monomials) => bilinear::gradient(s, monomials, potential, group, tables),
            Self::Circle(circle) => circle.gradient(s, potential[1], group, tables),
        }
    }

    /// Adds the functions in the tables to the sums.
    #[inline(always)]
    pub(super) fn add_sums<S: Simd>(self, s: S, groups: usize, tables: &Tables, sums: &mut [f64]) {
        match self {
            Self::Monomials(monomials) => {
                bilinear::add_products(s, monomials, groups, [tables.rows.get(), tables.columns.get()], sums);
            }
            Self::Circle(circle) => circle.add_sums(s, groups, tables.rows.get(), sums),
        }
    }

    /// Adds the derivatives of the functions along directions, one for each neuron, times `scale`.
    #[inline(always)]
    pub(super) fn add_tangent<S: Simd>(
        self,
        s: S,
        directions: Block<'_>,
        scale: f64,
        tables: &mut Tables,
        sums: &mut [f64],
    ) {
        match self {
            Self::Monomials(monomials) => bilinear::add_tangent(s, monomials, directions, scale, tables, sums),
            Self::Circle(circle) => circle.add_tangent(s, directions, scale, tables, sums),
        }
    }

    /// The sum with the coefficients `moments` at each point of a block.
    #[inline(always)]
    pub(super) fn values<S: Simd>(
        self,
        s: S,
        points: Block<'_>,
        moments: &[f64],
        tables: &mut Tables,
        values: &mut [f64],
    ) {
        match self {
            Self::Monomials(monomials) => bilinear::values(s, monomials, points, moments, tables, values),
            Self::Circle(circle) => circle.values(s, points, moments, values),
        }
    }
}

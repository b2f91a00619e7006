//! The functions into which exp(<w, x>) is expanded, and the sums over them for a block of neurons or points.

use super::super::kernels::call;
use super::super::kernels::expansion::{Lanes, group_len, store};
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
    #[inline(never)]
    pub(super) fn fill_neurons<S: Simd>(self, s: S, neurons: Block<'_>, seed: &[f64], tables: &mut Tables) {
        call(
            s,
            #[inline(always)]
            move || match self {
                Self::Monomials(monomials) => bilinear::fill(s, monomials, neurons, Some(seed), true, tables),
                Self::Circle(circle) => circle.fill_neurons(s, neurons, seed, tables),
            },
        );
    }

    /// The functions of points, times v.
    #[inline(never)]
    pub(super) fn fill_points<S: Simd>(self, s: S, points: Block<'_>, dual: &[f64], tables: &mut Tables) {
        call(
            s,
            #[inline(always)]
            move || match self {
                Self::Monomials(monomials) => bilinear::fill(s, monomials, points, Some(dual), false, tables),
                Self::Circle(circle) => circle.fill_points(s, points, dual, tables),
            },
        );
    }

    /// a grad Phi times `scale` for each neuron of a block, by coordinate.
    #[inline(never)]
    pub(super) fn gradient<S: Simd>(
        self,
        s: S,
        potential: [&[f64]; 2],
        scale: f64,
        groups: usize,
        tables: &Tables,
        gradient: &mut [f64],
    ) {
        call(
            s,
            #[inline(always)]
            move || {
                let (len, scale) = (group_len::<S>(), Lanes::<S>::splat(s, scale));
                let stride = gradient.len() / MOST_COORDINATES;
                for g in 0..groups {
                    let slopes = match self {
                        Self::Monomials(monomials) => bilinear::gradient(s, monomials, potential, g, tables),
                        Self::Circle(circle) => circle.gradient(s, potential[1], g, tables),
                    };
                    for ([a, b, c], to) in slopes.into_iter().zip(gradient.chunks_exact_mut(stride)) {
                        store::<S>([a * scale, b * scale, c * scale], &mut to[g * len..]);
                    }
                }
            },
        );
    }

    /// Adds the functions in the tables to the sums.
    #[inline(never)]
    pub(super) fn add_sums<S: Simd>(self, s: S, groups: usize, tables: &Tables, sums: &mut [f64]) {
        call(
            s,
            #[inline(always)]
            move || match self {
                Self::Monomials(monomials) => {
                    bilinear::add_products(s, monomials, groups, [tables.rows.get(), tables.columns.get()], sums);
                }
                Self::Circle(circle) => circle.add_sums(s, groups, tables.rows.get(), sums),
            },
        );
    }

    /// Adds the derivatives of the functions along directions, one for each neuron, times `scale`.
    #[inline(never)]
    pub(super) fn add_tangent<S: Simd>(
        self,
        s: S,
        directions: Block<'_>,
        scale: f64,
        tables: &mut Tables,
        sums: &mut [f64],
    ) {
        call(
            s,
            #[inline(always)]
            move || match self {
                Self::Monomials(monomials) => bilinear::add_tangent(s, monomials, directions, scale, tables, sums),
                Self::Circle(circle) => circle.add_tangent(s, directions, scale, tables, sums),
            },
        );
    }

    /// The sum with the coefficients `moments` at each point of a block.
    #[inline(never)]
    pub(super) fn values<S: Simd>(
        self,
        s: S,
        points: Block<'_>,
        moments: &[f64],
        tables: &mut Tables,
        values: &mut [f64],
    ) {
        call(
            s,
            #[inline(always)]
            move || match self {
                Self::Monomials(monomials) => bilinear::values(s, monomials, points, moments, tables, values),
                Self::Circle(circle) => circle.values(s, points, moments, values),
            },
        );
    }
}

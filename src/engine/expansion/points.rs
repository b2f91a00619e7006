//! The two passes over points.
//!
//! ```text
//! potential   V_alpha = sum_i v_i x_i^alpha           as a neuron sees it: J^T v = a grad Phi(w), Phi(w) = sum V w^alpha / alpha!
//! outputs     F_i = sum_alpha M_alpha x_i^alpha
//! ```

use super::super::kernels::expansion::{add_lanes, group_len};
use super::super::memory::Aligned;
use super::basis::{Basis, Block};
use super::monomials::MOST_COORDINATES;
use super::sums::{PARTS, add_parts, for_parts};
use super::workspace::{GROUPS, Workspace, Workspaces, lens};
use crate::error::Error;
use crate::float::Float;
use fearless_simd::{Level, dispatch, prelude::*};
use nalgebra::DMatrix;

/// A multiple of the numbers in a group at every level.
const PADDING: usize = 24;

/// How points are packed.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Packing {
    /// What they are multiplied by.
    pub scale: f64,
    /// The length of all of them, if they are on a sphere: they are brought onto it in `f64`. In `f32` they are off it by
    /// rounding, which cancelling digits would magnify.
    pub length: Option<f64>,
}

/// Points of few coordinates, in `f64`, with the dual.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct FewPoints {
    samples: usize,
    /// [coordinate][point], padded with zeros.
    coordinates: Aligned<f64>,
    /// v, padded with zeros.
    dual: Aligned<f64>,
}

impl FewPoints {
    /// Packs the points `batch` (empty means all).
    pub fn pack<T: Float>(&mut self, from: &DMatrix<T>, batch: &[usize], packing: Packing) -> Result<(), Error> {
        self.samples = if batch.is_empty() { from.ncols() } else { batch.len() };
        let stride = self.stride();
        self.coordinates.set_len(MOST_COORDINATES * stride)?;
        self.dual.set_len(stride)?;
        self.dual.get_mut().fill(0.0);
        let coordinates = self.coordinates.get_mut();
        coordinates.fill(0.0);
        for i in 0..self.samples {
            let x = from.column(batch.get(i).copied().unwrap_or(i));
            let norm = || x.iter().map(|x| x.as_f64().powi(2)).sum::<f64>().sqrt();
            let factor = packing.length.map_or(1.0, |length| length / norm()) * packing.scale;
            for (k, x) in x.iter().enumerate() {
                coordinates[k * stride + i] = x.as_f64() * factor;
            }
        }
        Ok(())
    }

    /// Sets the dual, in the order of the packed points.
    pub fn pack_dual<T: Float>(&mut self, dual: &[T]) {
        for (to, v) in self.dual.get_mut().iter_mut().zip(dual) {
            *to = v.as_f64();
        }
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    fn stride(&self) -> usize {
        self.samples.next_multiple_of(PADDING)
    }

    /// The coordinates of the points from `start` on.
    fn from(&self, start: usize) -> [&[f64]; MOST_COORDINATES] {
        let stride = self.stride();
        std::array::from_fn(|k| &self.coordinates.get()[k * stride + start..(k + 1) * stride])
    }

    /// Points per part: whole blocks.
    fn part(&self, level: Level) -> usize {
        let (_, block) = lens(level);
        self.stride().div_ceil(block).div_ceil(PARTS).max(1) * block
    }

    /// V; `partial` holds the sums of the parts.
    pub(super) fn potential(
        &self,
        level: Level,
        basis: Basis<'_>,
        workspaces: &Workspaces,
        partial: &mut Vec<f64>,
        potential: &mut Vec<f64>,
        parallel: bool,
    ) {
        let (part, len) = (self.part(level), basis.len());
        partial.clear();
        partial.resize(self.stride().div_ceil(part) * len, 0.0);
        for_parts(partial, len, parallel, |p, sums| {
            let range = p * part..((p + 1) * part).min(self.stride());
            let workspace = &mut *workspaces.own();
            dispatch!(level, s => add_potential(s, self, range.clone(), basis, workspace, sums));
        });
        add_parts(partial, len, potential);
    }

    /// F from M, for every point.
    pub(super) fn outputs(
        &self,
        level: Level,
        basis: Basis<'_>,
        workspaces: &Workspaces,
        moments: &[f64],
        outputs: &mut [f64],
        parallel: bool,
    ) {
        let part = self.part(level);
        for_parts(outputs, part, parallel, |p, outputs| {
            let workspace = &mut *workspaces.own();
            dispatch!(level, s => evaluate(s, self, p * part, basis, workspace, moments, outputs));
        });
    }
}

#[inline(always)]
fn add_potential<S: Simd>(
    s: S,
    points: &FewPoints,
    range: std::ops::Range<usize>,
    basis: Basis<'_>,
    work: &mut Workspace,
    potential: &mut [f64],
) {
    let len = group_len::<S>();
    work.sums.get_mut().fill(0.0);
    for start in range.clone().step_by(GROUPS * len) {
        let groups = ((range.end - start) / len).min(GROUPS);
        let coordinates = points.from(start);
        let block = Block { coordinates, groups };
        basis.fill_points(s, block, &points.dual.get()[start..], &mut work.tables);
        basis.add_sums(s, groups, &work.tables, work.sums.get_mut());
    }
    add_lanes(s, work.sums.get(), potential);
}

#[inline(always)]
fn evaluate<S: Simd>(
    s: S,
    points: &FewPoints,
    first: usize,
    basis: Basis<'_>,
    work: &mut Workspace,
    moments: &[f64],
    outputs: &mut [f64],
) {
    let len = group_len::<S>();
    let mut padded = [0.0; GROUPS * PADDING];
    for (b, outputs) in outputs.chunks_mut(GROUPS * len).enumerate() {
        let coordinates = points.from(first + b * GROUPS * len);
        let groups = outputs.len().div_ceil(len);
        let block = Block { coordinates, groups };
        let values = &mut padded[..groups * len];
        basis.values(s, block, moments, &mut work.tables, values);
        outputs.copy_from_slice(&values[..outputs.len()]);
    }
}

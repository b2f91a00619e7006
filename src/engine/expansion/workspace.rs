//! What one thread needs for a block of neurons or points.

use super::super::kernels::expansion::group_len;
use super::super::memory::Aligned;
use super::basis::Basis;
use super::monomials::MOST_COORDINATES;
use crate::error::Error;
use fearless_simd::{Level, dispatch, prelude::*};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Groups in a block: its tables stay in L1 or L2, and the sums are read and written once per block.
pub(super) const GROUPS: usize = 4;

/// The numbers in a group, and in a block.
pub(super) fn lens(level: Level) -> (usize, usize) {
    #[inline(always)]
    fn of<S: Simd>(_: S) -> usize {
        group_len::<S>()
    }
    let group = dispatch!(level, s => of(s));
    (group, GROUPS * group)
}

/// The functions of a block: monomials as rows and columns, or harmonics as rows.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub rows: Aligned<f64>,
    pub columns: Aligned<f64>,
    /// Derivatives of rows and columns along a direction.
    pub moved_rows: Aligned<f64>,
    pub moved_columns: Aligned<f64>,
}

/// Numbers of one block, and sums over blocks. Points and neurons use the same.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// [coordinate][block].
    pub coordinates: Aligned<f64>,
    /// The factor of each neuron or point.
    pub seed: Aligned<f64>,
    /// J^T v of the block, [coordinate][block]; then a direction.
    pub gradient: Aligned<f64>,
    pub tables: Tables,
    /// The lanes of each coefficient.
    pub sums: Aligned<f64>,
    /// The largest ||w||^2, then the sum of |a| w, in lanes: 5 groups.
    pub reach: Aligned<f64>,
}

impl Workspace {
    fn make_room(&mut self, basis: Basis<'_>, (group, block): (usize, usize)) -> Result<(), Error> {
        let [rows, columns] = basis.entries().map(|entries| entries * block);
        for (buffer, len) in [
            (&mut self.coordinates, MOST_COORDINATES * block),
            (&mut self.seed, block),
            (&mut self.gradient, MOST_COORDINATES * block),
            (&mut self.tables.rows, rows),
            (&mut self.tables.columns, columns),
            (&mut self.tables.moved_rows, rows),
            (&mut self.tables.moved_columns, columns),
            (&mut self.sums, basis.len() * group),
            (&mut self.reach, (1 + MOST_COORDINATES) * group),
        ] {
            buffer.set_len(len)?;
        }
        Ok(())
    }
}

/// The coordinates of a block, one slice each.
pub(super) fn by_coordinate(numbers: &[f64]) -> [&[f64]; MOST_COORDINATES] {
    let block = numbers.len() / MOST_COORDINATES;
    std::array::from_fn(|k| &numbers[k * block..(k + 1) * block])
}

/// A workspace for each thread.
#[derive(Debug, Default)]
pub(super) struct Workspaces(Vec<Mutex<Workspace>>);

impl Workspaces {
    /// Makes room for these functions on every thread of the current pool.
    pub fn make_room(&mut self, basis: Basis<'_>, level: Level) -> Result<(), Error> {
        let threads = 1 + rayon::current_num_threads();
        if self.0.len() < threads {
            self.0.resize_with(threads, Mutex::default);
        }
        let lens = lens(level);
        self.0.iter_mut().try_for_each(|workspace| {
            let workspace = workspace.get_mut().unwrap_or_else(PoisonError::into_inner);
            workspace.make_room(basis, lens)
        })
    }

    /// That of this thread, which nobody else uses.
    pub fn own(&self) -> MutexGuard<'_, Workspace> {
        let index = rayon::current_thread_index().map_or(0, |thread| 1 + thread);
        let workspace = &self.0[index.min(self.0.len() - 1)];
        workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

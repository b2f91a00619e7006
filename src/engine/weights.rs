//! Weights on their way into the chunks and out of them.
//!
//! ```text
//! network  W [neuron][coordinate]  --pack-->  [panel][coordinate][P]  --Q^T-->  [panel][reduced coordinate][P]
//!                                  <-unpack-                          <-- W_0 + Q (P - P_0)
//! ```

use super::Movement;
use super::chunk::{Chunk, panels_in_chunk};
use super::compiled;
use super::pack::{Aligned, Coordinates, Points, UNIT, pack_panel, unpack_panel};
use super::path::Path;
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// Weights that one thread packs faster than two.
const SMALL: usize = 100_000;

/// The reduced coordinates, as matrices for the panel kernel.
#[derive(Clone, Debug)]
pub(super) struct Basis<T> {
    /// Q^T: k "points" in d coordinates.
    into: Points<T>,
    /// Q: d "points" in k coordinates.
    out_of: Points<T>,
}

impl<T: Float> Basis<T> {
    pub fn new(basis: &DMatrix<T>, units: usize) -> Result<Self, Error> {
        let (mut into, mut out_of) = (Points::default(), Points::default());
        into.pack_forward(&Coordinates::new(basis.clone()), &[], units, 1.0)?;
        out_of.pack_forward(&Coordinates::new(basis.transpose()), &[], units, 1.0)?;
        Ok(Self { into, out_of })
    }
}

/// Reads the panels of a network one after the other, in the coordinates of the run.
struct Reader<'a, T> {
    path: &'a Path,
    weights: &'a DMatrix<T>,
    basis: Option<&'a Basis<T>>,
    raw: Aligned<T>,
    reduced: Aligned<T>,
}

impl<'a, T: Float> Reader<'a, T> {
    fn new(path: &'a Path, weights: &'a DMatrix<T>, basis: Option<&'a Basis<T>>) -> Result<Self, Error> {
        let reduced = basis.map_or(0, |basis| basis.into.rows() * path.lanes);
        // The way back writes whole blocks of rows: room for padding.
        let raw = weights.nrows().next_multiple_of(UNIT) * path.lanes;
        Ok(Self {
            path,
            weights,
            basis,
            raw: Aligned::zeros(raw)?,
            reduced: Aligned::zeros(reduced)?,
        })
    }

    /// The panel whose first neuron this is: [coordinate][P].
    fn read(&mut self, first: usize) -> &[T] {
        let (d, lanes) = (self.weights.nrows(), self.path.lanes);
        let last = (first + lanes).min(self.weights.ncols());
        let neurons = &self.weights.as_slice()[first * d..last * d];
        pack_panel(neurons, d, self.raw.get_mut(), lanes);
        match self.basis {
            None => self.raw.get(),
            Some(basis) => {
                compiled::project(self.path.level, &basis.into, &self.raw, &mut self.reduced);
                self.reduced.get()
            }
        }
    }
}

/// Chunks with the given weights in `copies` copies.
pub(super) fn pack<T: Float>(
    path: &Path,
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    basis: Option<&Basis<T>>,
    trained: usize,
    copies: usize,
) -> Result<Vec<Chunk<T>>, Error> {
    let lanes = path.lanes;
    let panels = weights.ncols().div_ceil(lanes);
    let per_chunk = panels_in_chunk(panels);
    let dimension = basis.map_or(weights.nrows(), |basis| basis.into.samples);
    let chunk = |first: usize| -> Result<Chunk<T>, Error> {
        let panels = per_chunk.min(panels - first);
        let first_neuron = first * lanes;
        let neurons = (panels * lanes).min(weights.ncols() - first_neuron);
        let mut chunk = Chunk {
            panels,
            first_neuron,
            neurons,
            dimension,
            gradient_rows: trained.next_multiple_of(UNIT),
            lanes,
            ..Chunk::default()
        };
        chunk.output_weights = Aligned::zeros(panels * lanes)?;
        chunk.output_weights.get_mut()[..neurons]
            .copy_from_slice(&output_weights.as_slice()[first_neuron..][..neurons]);
        chunk.scratch = Aligned::zeros((3 * UNIT + chunk.gradient_rows) * lanes)?;
        for copy in &mut chunk.weights[..copies] {
            *copy = Aligned::zeros(panels * dimension * lanes)?;
        }
        let mut reader = Reader::new(path, weights, basis)?;
        for panel in 0..panels {
            let at = panel * dimension * lanes;
            let read = &reader.read(first_neuron + panel * lanes)[..dimension * lanes];
            chunk.weights[0].get_mut()[at..][..dimension * lanes].copy_from_slice(read);
            // Coordinates that never move are written here, and never again.
            for copy in &mut chunk.weights[1..copies] {
                copy.get_mut()[at + trained * lanes..at + dimension * lanes].copy_from_slice(&read[trained * lanes..]);
            }
        }
        Ok(chunk)
    };
    let firsts: Vec<usize> = (0..panels).step_by(per_chunk).collect();
    if weights.len() < SMALL {
        firsts.into_iter().map(chunk).collect()
    } else {
        firsts.into_par_iter().map(chunk).collect()
    }
}

/// Writes a packed copy of the initial weights into every chunk.
pub(super) fn keep_initial<T: Float>(
    path: &Path,
    chunks: &mut [Chunk<T>],
    basis: Option<&Basis<T>>,
    initial: &DMatrix<T>,
) -> Result<(), Error> {
    chunks.par_iter_mut().try_for_each(|chunk| {
        let mut copy = Aligned::zeros(chunk.weights_len())?;
        let mut reader = Reader::new(path, initial, basis)?;
        for (panel, to) in copy
            .get_mut()
            .chunks_exact_mut(chunk.dimension * chunk.lanes)
            .enumerate()
        {
            let read = reader.read(chunk.first_neuron + panel * chunk.lanes);
            to.copy_from_slice(&read[..to.len()]);
        }
        chunk.initial = Some(copy);
        Ok(())
    })
}

/// Turns the initial weights into the weights of copy `role`.
pub(super) fn unpack<T: Float>(
    path: &Path,
    chunks: &[Chunk<T>],
    basis: Option<&Basis<T>>,
    role: usize,
    weights: &mut DMatrix<T>,
) -> Result<(), Error> {
    let d = weights.nrows();
    let per_chunk = chunks.first().map_or(1, |chunk| chunk.panels * chunk.lanes * d);
    let neurons = weights.as_mut_slice().par_chunks_mut(per_chunk);
    chunks.par_iter().zip(neurons).try_for_each(|(chunk, neurons)| {
        let panel_len = chunk.dimension * chunk.lanes;
        let panels = chunk.weights[role].get().chunks_exact(panel_len);
        let mut way_back = basis.map(|basis| WayBack::new(path, basis, d)).transpose()?;
        for (panel, neurons) in panels.zip(neurons.chunks_mut(chunk.lanes * d)) {
            match &mut way_back {
                None => unpack_panel(panel, d, neurons, chunk.lanes),
                Some(way_back) => way_back.write(panel, neurons),
            }
        }
        Ok(())
    })
}

/// The kept gradient in the network's own coordinates, d x m.
pub(super) fn unpack_gradient<T: Float>(chunks: &[Chunk<T>], gradient: &mut DMatrix<T>) {
    let d = gradient.nrows();
    for chunk in chunks {
        let columns = &mut gradient.as_mut_slice()[chunk.first_neuron * d..][..chunk.neurons * d];
        let Some(kept) = &chunk.gradient else { continue };
        let panels = kept.get().chunks_exact(chunk.gradient_rows * chunk.lanes);
        for (panel, neurons) in panels.zip(columns.chunks_mut(chunk.lanes * d)) {
            unpack_panel(panel, d, neurons, chunk.lanes);
        }
    }
}

/// W = W_0 + Q (P - P_0) for a panel at a time.
struct WayBack<'a, T> {
    path: &'a Path,
    basis: &'a Basis<T>,
    dimension: usize,
    raw: Aligned<T>,
    moved: Aligned<T>,
    back: Aligned<T>,
}

impl<'a, T: Float> WayBack<'a, T> {
    fn new(path: &'a Path, basis: &'a Basis<T>, dimension: usize) -> Result<Self, Error> {
        let lanes = path.lanes;
        Ok(Self {
            path,
            basis,
            dimension,
            raw: Aligned::zeros(dimension * lanes)?,
            moved: Aligned::zeros(basis.into.rows() * lanes)?,
            back: Aligned::zeros(basis.out_of.rows() * lanes)?,
        })
    }

    fn write(&mut self, panel: &[T], neurons: &mut [T]) {
        let (d, lanes, level) = (self.dimension, self.path.lanes, self.path.level);
        pack_panel(neurons, d, self.raw.get_mut(), lanes);
        compiled::project(level, &self.basis.into, &self.raw, &mut self.moved);
        for (moved, &now) in self.moved.get_mut().iter_mut().zip(panel) {
            *moved = now - *moved;
        }
        compiled::project(level, &self.basis.out_of, &self.moved, &mut self.back);
        for (raw, &back) in self.raw.get_mut().iter_mut().zip(self.back.get()) {
            *raw += back;
        }
        unpack_panel(self.raw.get(), d, neurons, lanes);
    }
}

/// How far copy `role` is from the initial weights. Lengths are the same in reduced coordinates.
pub(super) fn movement<T: Float>(
    path: &Path,
    chunks: &[Chunk<T>],
    basis: Option<&Basis<T>>,
    role: usize,
    initial: &DMatrix<T>,
) -> Movement {
    let of_chunk = |chunk: &Chunk<T>| -> Movement {
        let mut movement = Movement::default();
        let Ok(mut reader) = Reader::new(path, initial, basis) else {
            return Movement {
                largest: f64::NAN,
                frobenius: f64::NAN,
            };
        };
        let mut squares = vec![0.0; chunk.lanes];
        for (panel, now) in chunk.weights[role]
            .get()
            .chunks_exact(chunk.dimension * chunk.lanes)
            .enumerate()
        {
            let start = reader.read(chunk.first_neuron + panel * chunk.lanes);
            squares.fill(0.0);
            for (now, start) in now.chunks_exact(chunk.lanes).zip(start.chunks_exact(chunk.lanes)) {
                for ((square, now), start) in squares.iter_mut().zip(now).zip(start) {
                    *square += (now.as_f64() - start.as_f64()).powi(2);
                }
            }
            movement.largest = squares.iter().copied().fold(movement.largest, f64::max);
            movement.frobenius += squares.iter().sum::<f64>();
        }
        movement
    };
    let parts: Vec<Movement> = chunks.par_iter().map(of_chunk).collect();
    let largest = parts.iter().map(|part| part.largest).fold(0.0, f64::max);
    let frobenius: f64 = parts.iter().map(|part| part.frobenius).sum();
    Movement {
        largest: largest.sqrt(),
        frobenius: frobenius.sqrt(),
    }
}

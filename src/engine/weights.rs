//! Packs weights into the chunks, and unpacks them.
//!
//! ```text
//! network  W [neuron][coordinate]  --pack-->  [panel][coordinate][P]  --Q^T-->  [panel][reduced coordinate][P]
//!                                  <-unpack-                          <-- W_0 + Q (P - P_0)
//! ```

use super::Movement;
use super::chunk::{Chunk, SCRATCH_ROWS, Shape, panels_in_chunk};
use super::compiled;
use super::memory::Aligned;
use super::plan::{BlockRows, Plan};
use super::points::{Coordinates, Points, UNIT, pack_panel, unpack_panel};
use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// Below this many weights, one thread packs faster than two.
const SMALL: usize = 20_000;

/// The basis Q of the reduced coordinates, packed for the panel kernels.
#[derive(Clone, Debug)]
pub(super) struct Basis<T> {
    /// Q^T: k "points" in d coordinates.
    into: Points<T>,
    /// Q: d "points" in k coordinates.
    out_of: Points<T>,
}

impl<T: Float> Basis<T> {
    pub fn new(basis: &DMatrix<T>, rows: BlockRows) -> Result<Self, Error> {
        let (mut into, mut out_of) = (Points::default(), Points::default());
        into.pack_forward(&Coordinates::new(basis.clone()), &[], rows, 1.0)?;
        out_of.pack_forward(&Coordinates::new(basis.transpose()), &[], rows, 1.0)?;
        Ok(Self { into, out_of })
    }
}

/// The coordinates of a run: those of the network, or reduced ones.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a, T> {
    pub plan: &'a Plan,
    pub basis: Option<&'a Basis<T>>,
}

impl<'a, T> Frame<'a, T> {
    pub fn new(plan: &'a Plan, basis: Option<&'a Basis<T>>) -> Self {
        Self { plan, basis }
    }
}

/// Reads the panels of a network in the coordinates of the run.
struct Reader<'a, T> {
    frame: Frame<'a, T>,
    weights: &'a DMatrix<T>,
    raw: Aligned<T>,
    reduced: Aligned<T>,
}

impl<'a, T: Float> Reader<'a, T> {
    fn new(frame: Frame<'a, T>, weights: &'a DMatrix<T>) -> Result<Self, Error> {
        let lanes = frame.plan.lanes;
        let reduced = frame.basis.map_or(0, |basis| basis.into.rows() * lanes);
        // Room for padding: kernels write whole blocks of rows.
        let raw = weights.nrows().next_multiple_of(UNIT) * lanes;
        Ok(Self {
            frame,
            weights,
            raw: Aligned::zeros(raw)?,
            reduced: Aligned::zeros(reduced)?,
        })
    }

    /// The panel that starts at neuron `first`: [coordinate][P].
    fn read(&mut self, first: usize) -> &[T] {
        let Plan { level, lanes, .. } = *self.frame.plan;
        let d = self.weights.nrows();
        let last = (first + lanes).min(self.weights.ncols());
        let neurons = &self.weights.as_slice()[first * d..last * d];
        pack_panel(neurons, d, self.raw.get_mut(), lanes);
        match self.frame.basis {
            None => self.raw.get(),
            Some(basis) => {
                compiled::project(&basis.into, self.raw.get(), self.reduced.get_mut(), level);
                self.reduced.get()
            }
        }
    }
}

/// Packs the weights into chunks with `copies` copies of them, whose first `trained` coordinates move.
pub(super) fn pack<T: Float>(
    frame: Frame<'_, T>,
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    trained: usize,
    copies: usize,
) -> Result<Vec<Chunk<T>>, Error> {
    let lanes = frame.plan.lanes;
    let panels = weights.ncols().div_ceil(lanes);
    let per_chunk = panels_in_chunk(panels);
    let shape = |first: usize| {
        let panels = per_chunk.min(panels - first);
        let first_neuron = first * lanes;
        Shape {
            panels,
            first_neuron,
            neurons: (panels * lanes).min(weights.ncols() - first_neuron),
            dimension: frame.basis.map_or(weights.nrows(), |basis| basis.into.samples),
            gradient_rows: trained.next_multiple_of(UNIT),
            lanes,
        }
    };
    let chunk = |first| pack_chunk(frame, shape(first), weights, output_weights, trained, copies);
    let firsts: Vec<usize> = (0..panels).step_by(per_chunk).collect();
    if weights.len() < SMALL {
        firsts.into_iter().map(chunk).collect()
    } else {
        firsts.into_par_iter().map(chunk).collect()
    }
}

fn pack_chunk<T: Float>(
    frame: Frame<'_, T>,
    shape: Shape,
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    trained: usize,
    copies: usize,
) -> Result<Chunk<T>, Error> {
    let (lanes, panel_len) = (shape.lanes, shape.dimension * shape.lanes);
    let mut chunk = Chunk {
        shape,
        ..Chunk::default()
    };
    let a = &output_weights.as_slice()[shape.first_neuron..][..shape.neurons];
    chunk.output_weights = Aligned::zeros(shape.panels * lanes)?;
    chunk.output_weights.get_mut()[..shape.neurons].copy_from_slice(a);
    chunk.work.scratch = Aligned::zeros((SCRATCH_ROWS + shape.gradient_rows) * lanes)?;
    for copy in &mut chunk.weights[..copies] {
        *copy = Aligned::zeros(shape.weights_len())?;
    }
    let mut reader = Reader::new(frame, weights)?;
    for panel in 0..shape.panels {
        let at = panel * panel_len;
        let read = &reader.read(shape.first_neuron + panel * lanes)[..panel_len];
        chunk.weights[0].get_mut()[at..][..panel_len].copy_from_slice(read);
        // The other coordinates never move, so they are written only here.
        for copy in &mut chunk.weights[1..copies] {
            copy.get_mut()[at + trained * lanes..at + panel_len].copy_from_slice(&read[trained * lanes..]);
        }
    }
    Ok(chunk)
}

/// Writes a packed copy of the initial weights into every chunk.
pub(super) fn keep_initial<T: Float>(
    frame: Frame<'_, T>,
    chunks: &mut [Chunk<T>],
    initial: &DMatrix<T>,
) -> Result<(), Error> {
    chunks.par_iter_mut().try_for_each(|chunk| {
        let shape = chunk.shape;
        let mut copy = Aligned::zeros(shape.weights_len())?;
        let mut reader = Reader::new(frame, initial)?;
        let panels = copy.get_mut().chunks_exact_mut(shape.dimension * shape.lanes);
        for (panel, to) in panels.enumerate() {
            let read = reader.read(shape.first_neuron + panel * shape.lanes);
            to.copy_from_slice(&read[..to.len()]);
        }
        chunk.initial = Some(copy);
        Ok(())
    })
}

/// Advances `weights` from the initial ones to those of copy `role`.
pub(super) fn unpack<T: Float>(
    frame: Frame<'_, T>,
    chunks: &[Chunk<T>],
    role: usize,
    weights: &mut DMatrix<T>,
) -> Result<(), Error> {
    let d = weights.nrows();
    let per_chunk = |chunk: &Chunk<T>| chunk.shape.panels * chunk.shape.lanes * d;
    let neurons = weights
        .as_mut_slice()
        .par_chunks_mut(chunks.first().map_or(1, per_chunk));
    chunks.par_iter().zip(neurons).try_for_each(|(chunk, neurons)| {
        let Shape { dimension, lanes, .. } = chunk.shape;
        let panels = chunk.weights[role].get().chunks_exact(dimension * lanes);
        let mut unreduce = frame
            .basis
            .map(|basis| Unreduce::new(frame.plan, basis, d))
            .transpose()?;
        for (panel, neurons) in panels.zip(neurons.chunks_mut(lanes * d)) {
            match &mut unreduce {
                None => unpack_panel(panel, d, neurons, lanes),
                Some(unreduce) => unreduce.advance(panel, neurons),
            }
        }
        Ok(())
    })
}

/// Numbers of the network, [neuron][coordinate], that belong to a chunk.
fn numbers_per_chunk<T>(chunks: &[Chunk<T>]) -> usize {
    // Only the last chunk can have fewer.
    chunks.first().map_or(1, |chunk| {
        chunk.shape.panels * chunk.shape.lanes * chunk.shape.dimension
    })
}

/// The kept gradient of chunks without a basis, in the coordinates of the network, d x m.
pub(super) fn unpack_gradient<T: Float>(chunks: &[Chunk<T>], gradient: &mut [T]) {
    unpack_numbers(chunks, Place::Gradient, gradient);
}

/// Copy `role` of the weights of chunks without a basis, d x m.
pub(super) fn unpack_copy<T: Float>(chunks: &[Chunk<T>], role: usize, weights: &mut [T]) {
    unpack_numbers(chunks, Place::Copy(role), weights);
}

fn unpack_numbers<T: Float>(chunks: &[Chunk<T>], from: Place, numbers: &mut [T]) {
    let of_chunk = |(chunk, columns): (&Chunk<T>, &mut [T])| {
        let Shape {
            dimension: d,
            lanes,
            gradient_rows,
            ..
        } = chunk.shape;
        let (packed, rows) = match (from, &chunk.gradient) {
            (Place::Copy(role), _) => (&chunk.weights[role], d),
            (Place::Gradient, Some(kept)) => (kept, gradient_rows),
            (Place::Gradient, None) => return,
        };
        let panels = packed.get().chunks_exact(rows * lanes);
        for (panel, neurons) in panels.zip(columns.chunks_mut(lanes * d)) {
            unpack_panel(panel, d, neurons, lanes);
        }
    };
    let part = numbers_per_chunk(chunks);
    if numbers.len() < SMALL {
        chunks.iter().zip(numbers.chunks_mut(part)).for_each(of_chunk);
    } else {
        chunks.par_iter().zip(numbers.par_chunks_mut(part)).for_each(of_chunk);
    }
}

/// Where numbers of the network lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This copy of the weights.
    Copy(usize),
    /// The kept gradient.
    Gradient,
}

/// Packs numbers of the network, d x m, into chunks without a basis.
pub(super) fn load<T: Float>(chunks: &mut [Chunk<T>], to: Place, numbers: &[T]) {
    let of_chunk = |(chunk, columns): (&mut Chunk<T>, &[T])| {
        let Shape {
            dimension: d,
            lanes,
            gradient_rows,
            ..
        } = chunk.shape;
        let (packed, rows) = match (to, &mut chunk.gradient) {
            (Place::Copy(role), _) => (&mut chunk.weights[role], d),
            (Place::Gradient, Some(kept)) => (kept, gradient_rows),
            (Place::Gradient, None) => return,
        };
        let panels = packed.get_mut().chunks_exact_mut(rows * lanes);
        for (panel, neurons) in panels.zip(columns.chunks(lanes * d)) {
            pack_panel(neurons, d, panel, lanes);
        }
    };
    let part = numbers_per_chunk(chunks);
    if numbers.len() < SMALL {
        chunks.iter_mut().zip(numbers.chunks(part)).for_each(of_chunk);
    } else {
        chunks.par_iter_mut().zip(numbers.par_chunks(part)).for_each(of_chunk);
    }
}

/// From reduced coordinates to those of the network, one panel at a time: W = W_0 + Q (P - P_0).
struct Unreduce<'a, T> {
    plan: &'a Plan,
    basis: &'a Basis<T>,
    dimension: usize,
    raw: Aligned<T>,
    moved: Aligned<T>,
    back: Aligned<T>,
}

impl<'a, T: Float> Unreduce<'a, T> {
    fn new(plan: &'a Plan, basis: &'a Basis<T>, dimension: usize) -> Result<Self, Error> {
        let lanes = plan.lanes;
        Ok(Self {
            plan,
            basis,
            dimension,
            raw: Aligned::zeros(dimension * lanes)?,
            moved: Aligned::zeros(basis.into.rows() * lanes)?,
            back: Aligned::zeros(basis.out_of.rows() * lanes)?,
        })
    }

    fn advance(&mut self, panel: &[T], neurons: &mut [T]) {
        let (d, Plan { level, lanes, .. }) = (self.dimension, *self.plan);
        pack_panel(neurons, d, self.raw.get_mut(), lanes);
        compiled::project(&self.basis.into, self.raw.get(), self.moved.get_mut(), level);
        for (moved, &now) in self.moved.get_mut().iter_mut().zip(panel) {
            *moved = now - *moved;
        }
        compiled::project(&self.basis.out_of, self.moved.get(), self.back.get_mut(), level);
        for (raw, &back) in self.raw.get_mut().iter_mut().zip(self.back.get()) {
            *raw += back;
        }
        unpack_panel(self.raw.get(), d, neurons, lanes);
    }
}

/// How far copy `role` is from the initial weights. Reduced coordinates preserve lengths.
pub(super) fn movement<T: Float>(
    frame: Frame<'_, T>,
    chunks: &[Chunk<T>],
    role: usize,
    initial: &DMatrix<T>,
) -> Result<Movement, Error> {
    // The largest squared distance of a neuron, and the sum of them all.
    let of_chunk = |chunk: &Chunk<T>| -> Result<(f64, f64), Error> {
        let Shape { dimension, lanes, .. } = chunk.shape;
        let mut reader = Reader::new(frame, initial)?;
        let (mut largest, mut sum) = (0.0, 0.0);
        let mut squares = vec![0.0; lanes];
        let panels = chunk.weights[role].get().chunks_exact(dimension * lanes);
        for (panel, now) in panels.enumerate() {
            let start = reader.read(chunk.shape.first_neuron + panel * lanes);
            squares.fill(0.0);
            for (now, start) in now.chunks_exact(lanes).zip(start.chunks_exact(lanes)) {
                for ((square, now), start) in squares.iter_mut().zip(now).zip(start) {
                    *square += (now.as_f64() - start.as_f64()).powi(2);
                }
            }
            largest = squares.iter().copied().fold(largest, f64::max);
            sum += squares.iter().sum::<f64>();
        }
        Ok((largest, sum))
    };
    let parts: Vec<(f64, f64)> = chunks.par_iter().map(of_chunk).collect::<Result<_, _>>()?;
    let largest = parts.iter().map(|part| part.0).fold(0.0, f64::max);
    let sum: f64 = parts.iter().map(|part| part.1).sum();
    Ok(Movement {
        largest: largest.sqrt(),
        frobenius: sum.sqrt(),
    })
}

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

/// The bytes of the panels that are reduced together, so that Q is read less often: they stay in L2.
const TOGETHER: usize = 256 << 10;

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

/// Reads the neurons of a chunk into `panels`, in the coordinates of the run. Beyond the last neuron there are zeros.
fn read<T: Float>(frame: Frame<'_, T>, shape: Shape, weights: &DMatrix<T>, panels: &mut [T]) -> Result<(), Error> {
    let Plan { level, lanes, .. } = *frame.plan;
    let (d, len) = (weights.nrows(), shape.dimension * lanes);
    let mut neurons = weights.as_slice()[shape.first_neuron * d..][..shape.neurons * d].chunks(d * lanes);
    let mut pack = |to: &mut [T]| pack_panel(neurons.next().unwrap_or_default(), d, to, lanes);
    let Some(basis) = frame.basis else {
        panels.chunks_exact_mut(len).for_each(pack);
        return Ok(());
    };
    let together = (TOGETHER / (d * lanes * size_of::<T>())).clamp(1, shape.panels);
    let mut raw = Aligned::zeros(together * d * lanes)?;
    let mut reduced = Aligned::zeros(together * basis.into.rows() * lanes)?;
    for panels in panels.chunks_mut(together * len) {
        raw.get_mut().chunks_exact_mut(d * lanes).for_each(&mut pack);
        compiled::project(&basis.into, raw.get(), reduced.get_mut(), level);
        let rows = reduced.get().chunks_exact(basis.into.rows() * lanes);
        for (to, from) in panels.chunks_exact_mut(len).zip(rows) {
            to.copy_from_slice(&from[..len]);
        }
    }
    Ok(())
}

/// How many chunks one thread takes at least: all of them, if there are few weights.
fn fewest_chunks(weights: usize) -> usize {
    if weights < SMALL { usize::MAX } else { 1 }
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
            trained,
            gradient_rows: trained.next_multiple_of(UNIT),
            lanes,
        }
    };
    let chunk = |first| pack_chunk(frame, shape(first), weights, output_weights, trained, copies);
    let firsts: Vec<usize> = (0..panels).step_by(per_chunk).collect();
    let chunks = firsts.into_par_iter().with_min_len(fewest_chunks(weights.len()));
    chunks.map(chunk).collect()
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
    let [current, others @ ..] = &mut chunk.weights;
    read(frame, shape, weights, current.get_mut())?;
    // The other coordinates never move, so they are written only here.
    for copy in &mut others[..copies - 1] {
        let panels = copy.get_mut().chunks_exact_mut(panel_len);
        for (to, from) in panels.zip(current.get().chunks_exact(panel_len)) {
            to[trained * lanes..].copy_from_slice(&from[trained * lanes..]);
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
    let chunks = chunks.par_iter_mut().with_min_len(fewest_chunks(initial.len()));
    chunks.try_for_each(|chunk| {
        let shape = chunk.shape;
        let mut copy = Aligned::zeros(shape.weights_len())?;
        read(frame, shape, initial, copy.get_mut())?;
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
    let (d, fewest) = (weights.nrows(), fewest_chunks(weights.len()));
    let per_chunk = |chunk: &Chunk<T>| chunk.shape.panels * chunk.shape.lanes * d;
    let neurons = weights
        .as_mut_slice()
        .par_chunks_mut(chunks.first().map_or(1, per_chunk));
    let chunks = chunks.par_iter().with_min_len(fewest);
    chunks.zip(neurons).try_for_each(|(chunk, neurons)| {
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
    let chunks = chunks.par_iter().with_min_len(fewest_chunks(numbers.len()));
    chunks.zip(numbers.par_chunks_mut(part)).for_each(of_chunk);
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
    let chunks = chunks.par_iter_mut().with_min_len(fewest_chunks(numbers.len()));
    chunks.zip(numbers.par_chunks(part)).for_each(of_chunk);
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
        let mut starts = Aligned::zeros(chunk.shape.weights_len())?;
        read(frame, chunk.shape, initial, starts.get_mut())?;
        let (mut largest, mut sum) = (0.0, 0.0);
        let mut squares = vec![0.0; lanes];
        let panels = chunk.weights[role].get().chunks_exact(dimension * lanes);
        for (now, start) in panels.zip(starts.get().chunks_exact(dimension * lanes)) {
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
    let chunks = chunks.par_iter().with_min_len(fewest_chunks(initial.len()));
    let parts: Vec<(f64, f64)> = chunks.map(of_chunk).collect::<Result<_, _>>()?;
    let largest = parts.iter().map(|part| part.0).fold(0.0, f64::max);
    let sum: f64 = parts.iter().map(|part| part.1).sum();
    Ok(Movement {
        largest: largest.sqrt(),
        frobenius: sum.sqrt(),
    })
}

//! The visit of a neuron: gradient, move, and the functions of the new weights, a block of neurons at a time.
//!
//! ```text
//! gradient   J^T v = a grad Phi(w)
//! moments    M_alpha = sum_r a_r w_r^alpha / alpha!
//! tangent    M_alpha = sum_r a_r <u_r, grad w_r^alpha> / alpha!, so that J u is what F is for M
//! ```

use super::super::chunk::Chunk;
use super::super::kernels::expansion::{add_lanes, group_len, load, multiply_add, store, zero};
use super::super::sweep::{Along, Job, Sweep, move_panel, note_gradient};
use super::super::view::{PanelAt, View};
use super::basis::{Basis, Block};
use super::choice::Reach;
use super::monomials::MOST_COORDINATES;
use super::workspace::{GROUPS, Workspace, by_coordinate};
use crate::float::Float;
use fearless_simd::prelude::*;
use std::ops::Range;

/// What to do at each neuron.
pub(in super::super) struct Visit<'a, T> {
    pub sweep: &'a Sweep<'a, T>,
    pub basis: Basis<'a>,
    /// V and what is derived from it, if there is a backward half.
    pub potential: [&'a [f64]; 2],
    /// Weights are multiplied by it, since points were divided.
    pub scale: f64,
}

/// Visits the neurons of some chunks: M into `moments`, by rows, and the reach of the new weights of a step.
#[inline(always)]
pub(super) fn visit<S: Simd, T: Float>(
    s: S,
    chunks: &mut [Chunk<T>],
    visit: &Visit<'_, T>,
    work: &mut Workspace,
    moments: &mut [f64],
    reach: &mut Reach,
) {
    work.sums.get_mut().fill(0.0);
    work.reach.get_mut().fill(0.0);
    for chunk in chunks {
        chunk.partial.reset(0);
        for panels in blocks::<S, T>(chunk) {
            visit_block(s, chunk, visit, work, panels);
        }
    }
    add_lanes(s, work.sums.get(), moments);
    *reach = read_reach(group_len::<S>(), work, visit.scale);
}

/// Measures how far the weights of some chunks reach, in the same order as a visit.
#[inline(always)]
pub(super) fn measure<S: Simd, T: Float>(
    s: S,
    chunks: &[Chunk<T>],
    role: usize,
    scale: f64,
    work: &mut Workspace,
    reach: &mut Reach,
) {
    work.reach.get_mut().fill(0.0);
    for chunk in chunks {
        for panels in blocks::<S, T>(chunk) {
            let groups = read_block::<S, T>(chunk, role, scale, &panels, work);
            add_reach(s, (groups, chunk.shape.dimension), work);
        }
    }
    *reach = read_reach(group_len::<S>(), work, scale);
}

/// The blocks of a chunk, as ranges of panels.
#[inline(always)]
fn blocks<S: Simd, T: Float>(chunk: &Chunk<T>) -> impl Iterator<Item = Range<usize>> + use<S, T> {
    let (block, panels) = (GROUPS * group_len::<S>() / chunk.shape.lanes, chunk.shape.panels);
    (0..panels)
        .step_by(block)
        .map(move |first| first..(first + block).min(panels))
}

#[inline(always)]
fn visit_block<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    visit: &Visit<'_, T>,
    work: &mut Workspace,
    panels: Range<usize>,
) {
    let Sweep { job, roles, .. } = *visit.sweep;
    let mut groups = 0;
    let backward = job.goes_backward();
    if backward || matches!(job, Job::Forward | Job::Product(_)) {
        groups = read_block::<S, T>(chunk, roles.current, visit.scale, &panels, work);
        fill(s, visit.basis, groups, work);
    }
    if backward {
        let (tables, gradient) = (&work.tables, work.gradient.get_mut());
        visit
            .basis
            .gradient(s, visit.potential, visit.scale, groups, tables, gradient);
    }
    let Some(mut view) = chunk.view(roles) else { return };
    for (p, panel) in panels.clone().enumerate() {
        let at = PanelAt::new(view.shape, panel);
        if backward {
            let from = p * view.shape.lanes;
            write_gradient(s, &mut view, visit, &at, from, work);
        }
        if let Job::Step { update, .. } = job {
            move_panel(s, &mut view, visit.sweep, update, &at);
        }
    }
    match job {
        Job::Forward => add_sums(s, visit.basis, groups, work),
        // The second is always direct.
        Job::Gradient | Job::Curvature => {}
        Job::Product(along) => {
            match along {
                Along::Gradient => {}
                Along::Movement => read_movement(chunk, roles.current, &panels, work),
                Along::Kept => read_kept(chunk, &panels, work),
            }
            let coordinates = by_coordinate(work.gradient.get());
            let directions = Block { coordinates, groups };
            let sums = work.sums.get_mut();
            visit
                .basis
                .add_tangent(s, directions, visit.scale, &mut work.tables, sums);
        }
        Job::Step { .. } => {
            let groups = read_block::<S, T>(chunk, roles.next, visit.scale, &panels, work);
            add_reach(s, (groups, chunk.shape.dimension), work);
            if visit.sweep.ahead.is_some() {
                fill(s, visit.basis, groups, work);
                add_sums(s, visit.basis, groups, work);
            }
        }
    }
}

/// The functions of a block, times the output weights.
#[inline(always)]
fn fill<S: Simd>(s: S, basis: Basis<'_>, groups: usize, work: &mut Workspace) {
    let coordinates = by_coordinate(work.coordinates.get());
    let neurons = Block { coordinates, groups };
    basis.fill_neurons(s, neurons, work.seed.get(), &mut work.tables);
}

#[inline(always)]
fn add_sums<S: Simd>(s: S, basis: Basis<'_>, groups: usize, work: &mut Workspace) {
    basis.add_sums(s, groups, &work.tables, work.sums.get_mut());
}

/// Reads weights and output weights of some panels into the workspace. Returns the number of groups.
#[inline(always)]
fn read_block<S: Simd, T: Float>(
    chunk: &Chunk<T>,
    role: usize,
    scale: f64,
    panels: &Range<usize>,
    work: &mut Workspace,
) -> usize {
    let (lanes, dimension) = (chunk.shape.lanes, chunk.shape.dimension);
    let weights = &chunk.weights[role].get()[panels.start * dimension * lanes..panels.end * dimension * lanes];
    let a = &chunk.output_weights.get()[panels.start * lanes..panels.end * lanes];
    let coordinates = work.coordinates.get_mut();
    let block = coordinates.len() / MOST_COORDINATES;
    for (k, to) in coordinates.chunks_exact_mut(block).take(dimension).enumerate() {
        read_row(weights, (k, dimension), lanes, scale, to);
    }
    read_row(a, (0, 1), lanes, 1.0, work.seed.get_mut());
    (panels.len() * lanes).div_ceil(group_len::<S>())
}

/// Row `k` of some panels, [panel][row][P], times `scale`, padded with zeros.
#[inline(always)]
fn read_row<T: Float>(panels: &[T], (k, rows): (usize, usize), lanes: usize, scale: f64, to: &mut [f64]) {
    let mut parts = to.chunks_exact_mut(lanes);
    for (panel, part) in panels.chunks_exact(rows * lanes).zip(&mut parts) {
        for (to, x) in part.iter_mut().zip(&panel[k * lanes..(k + 1) * lanes]) {
            *to = x.as_f64() * scale;
        }
    }
    parts.for_each(|part| part.fill(0.0));
}

/// Writes J^T v of the block where a step looks for it, panel by panel, and notes its sums.
///
/// The scratch memory holds that of one panel, so a step moves each panel at once.
#[inline(always)]
fn write_gradient<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    visit: &Visit<'_, T>,
    at: &PanelAt,
    from: usize,
    work: &Workspace,
) {
    let (lanes, trained) = (view.shape.lanes, view.shape.trained);
    let block = work.gradient.get().len() / MOST_COORDINATES;
    let keep = visit.sweep.keeps_gradient();
    let to = view.gradient.of_mut(keep, at);
    for (k, row) in to.chunks_exact_mut(lanes).enumerate() {
        if k < trained {
            let from = &work.gradient.get()[k * block + from..][..lanes];
            row.iter_mut().zip(from).for_each(|(to, g)| *to = T::lit(*g));
        } else {
            row.fill(T::zero());
        }
    }
    note_gradient(s, view, keep, at);
}

/// W - W_0 of some panels, into the gradient of the workspace.
#[inline(always)]
fn read_movement<T: Float>(chunk: &Chunk<T>, role: usize, panels: &Range<usize>, work: &mut Workspace) {
    let (lanes, dimension) = (chunk.shape.lanes, chunk.shape.dimension);
    let range = panels.start * dimension * lanes..panels.end * dimension * lanes;
    let now = &chunk.weights[role].get()[range.clone()];
    let gradient = work.gradient.get_mut();
    let block = gradient.len() / MOST_COORDINATES;
    for (k, to) in gradient.chunks_exact_mut(block).take(dimension).enumerate() {
        read_row(now, (k, dimension), lanes, 1.0, to);
        let Some(initial) = &chunk.initial else { continue };
        let initial = initial.get()[range.clone()].chunks_exact(dimension * lanes);
        for (panel, to) in initial.zip(to.chunks_exact_mut(lanes)) {
            for (to, x) in to.iter_mut().zip(&panel[k * lanes..]) {
                *to -= x.as_f64();
            }
        }
    }
}

/// The kept gradient of some panels, into the gradient of the workspace.
#[inline(always)]
fn read_kept<T: Float>(chunk: &Chunk<T>, panels: &Range<usize>, work: &mut Workspace) {
    let (lanes, rows) = (chunk.shape.lanes, chunk.shape.gradient_rows);
    let Some(kept) = &chunk.gradient else { return };
    let kept = &kept.get()[panels.start * rows * lanes..panels.end * rows * lanes];
    let gradient = work.gradient.get_mut();
    let block = gradient.len() / MOST_COORDINATES;
    for (k, to) in gradient.chunks_exact_mut(block).take(chunk.shape.dimension).enumerate() {
        read_row(kept, (k, rows), lanes, 1.0, to);
    }
}

/// Takes note of the weights in the workspace.
#[inline(always)]
fn add_reach<S: Simd>(s: S, (groups, dimension): (usize, usize), work: &mut Workspace) {
    let len = group_len::<S>();
    let coordinates = by_coordinate(work.coordinates.get());
    let (largest, sums) = work.reach.get_mut().split_at_mut(len);
    for g in 0..groups {
        let mut square = zero(s);
        let a = load(s, &work.seed.get()[g * len..]);
        for (x, sum) in coordinates.iter().take(dimension).zip(sums.chunks_exact_mut(len)) {
            let x = load(s, &x[g * len..]);
            square = multiply_add::<S>(x, x, square);
            let sizes = [a[0].abs(), a[1].abs(), a[2].abs()];
            store::<S>(multiply_add::<S>(sizes, x, load(s, sum)), sum);
        }
        let known = load(s, largest);
        let larger = [
            known[0].max(square[0]),
            known[1].max(square[1]),
            known[2].max(square[2]),
        ];
        store::<S>(larger, largest);
    }
}

/// The reach in the workspace, in the units of the weights.
fn read_reach(len: usize, work: &Workspace, scale: f64) -> Reach {
    let (largest, sums) = work.reach.get().split_at(len);
    let mut reach = Reach {
        largest: largest.iter().copied().fold(0.0, f64::max).sqrt() / scale,
        ..Reach::default()
    };
    for (to, lanes) in reach.weighted.iter_mut().zip(sums.chunks_exact(len)) {
        *to = lanes.iter().sum::<f64>() / scale;
    }
    reach
}

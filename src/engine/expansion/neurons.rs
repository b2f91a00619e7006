//! The visit of a neuron: gradient, move, and the monomials of the new weights, a block of neurons at a time.
//!
//! ```text
//! gradient   J^T v = a grad Phi(w)                            along a coordinate of the rows:
//!                                                             sum_beta  (w^beta / beta!)_k  (V columns)_beta
//! moments    M_alpha = sum_r a_r w_r^alpha / alpha!
//! tangent    M_alpha = sum_r a_r <u_r, grad w_r^alpha> / alpha!, so that J u is what F is for M
//! ```

use super::super::chunk::{Chunk, SCRATCH_ROWS};
use super::super::kernels::expansion::{Group, accumulate, add_lanes, fill_table, load, multiply_add, rows_of_tile};
use super::super::kernels::expansion::{Lanes, ROWS, VECTORS, group_len, store, zero};
use super::super::sweep::{Along, Job, PanelAt, Sweep, move_panel, note_gradient};
use super::choice::Reach;
use super::monomials::{MOST_COORDINATES, Monomials, Part, Staircase};
use super::workspace::{GROUPS, Workspace, by_coordinate};
use crate::float::Float;
use fearless_simd::prelude::*;
use std::ops::Range;

/// What to do at each neuron.
pub(in super::super) struct Visit<'a, T> {
    pub sweep: &'a Sweep<'a, T>,
    pub monomials: &'a Monomials,
    /// V by rows and by columns, if there is a backward half.
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
        fill(s, visit.monomials, groups, work);
    }
    if backward {
        gradient(s, visit, groups, work);
    }
    let moves = matches!(job, Job::Step { .. });
    if backward || moves {
        for (p, panel) in panels.clone().enumerate() {
            if backward {
                write_gradient(s, chunk, visit, panel, p * chunk.shape.lanes, work);
            }
            if let Job::Step { update, .. } = job {
                let at = PanelAt::new(&chunk.shape, panel);
                move_panel(s, chunk, visit.sweep, update, &at);
            }
        }
    }
    match job {
        Job::Forward => add_monomials(s, visit.monomials, groups, work),
        Job::Gradient => {}
        Job::Product(along) => {
            if along == Along::Movement {
                read_movement(chunk, roles.current, &panels, work);
            }
            add_tangent(s, visit.monomials, visit.scale, groups, work);
        }
        Job::Step { .. } => {
            let groups = read_block::<S, T>(chunk, roles.next, visit.scale, &panels, work);
            add_reach(s, (groups, chunk.shape.dimension), work);
            if visit.sweep.ahead.is_some() {
                fill(s, visit.monomials, groups, work);
                add_monomials(s, visit.monomials, groups, work);
            }
        }
    }
}

/// Adds the monomials in the tables of the workspace to its sums.
#[inline(always)]
pub(super) fn add_monomials<S: Simd>(s: S, monomials: &Monomials, groups: usize, work: &mut Workspace) {
    let tables = (work.rows.get(), work.columns.get());
    add_products(s, monomials, groups, tables, work.sums.get_mut());
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

/// The tables of a block, of which that of the rows is multiplied by the output weights.
#[inline(always)]
fn fill<S: Simd>(s: S, monomials: &Monomials, groups: usize, work: &mut Workspace) {
    let coordinates = by_coordinate(work.coordinates.get());
    let (seed, rows) = (Some(work.seed.get()), work.rows.get_mut());
    fill_table(s, &monomials.rows, coordinates, seed, true, groups, rows);
    let columns = work.columns.get_mut();
    fill_table(s, &monomials.columns, coordinates, None, true, groups, columns);
}

/// J^T v of a block, into the workspace.
#[inline(always)]
fn gradient<S: Simd, T: Float>(s: S, visit: &Visit<'_, T>, groups: usize, work: &mut Workspace) {
    let Monomials {
        rows,
        columns,
        by_rows,
        by_columns,
        ..
    } = visit.monomials;
    let block = work.gradient.get().len() / MOST_COORDINATES;
    let len = group_len::<S>();
    for g in 0..groups {
        let row_table = &work.rows.get()[g * rows.entries() * len..][..rows.entries() * len];
        let column_table = &work.columns.get()[g * columns.entries() * len..][..columns.entries() * len];
        let along_rows = slopes(s, by_rows, visit.potential[0], rows, row_table, column_table);
        let along_columns = if columns.coordinates.is_empty() {
            [zero(s); 2]
        } else {
            slopes(s, by_columns, visit.potential[1], columns, column_table, row_table)
        };
        let gradient = work.gradient.get_mut();
        for (part, slopes) in [(rows, along_rows), (columns, along_columns)] {
            for (k, [a, b, c]) in part.coordinates.clone().zip(slopes) {
                let scale = Lanes::<S>::splat(s, visit.scale);
                store::<S>([a * scale, b * scale, c * scale], &mut gradient[k * block + g * len..]);
            }
        }
    }
}

/// The derivatives of the bilinear form along the coordinates of the rows.
#[inline(always)]
fn slopes<S: Simd>(
    s: S,
    staircase: &Staircase,
    potential: &[f64],
    rows: &Part,
    row_table: &[f64],
    column_table: &[f64],
) -> [Group<S>; 2] {
    let len = group_len::<S>();
    let mut slopes = [zero(s); 2];
    for (tile, terms) in staircase.tiles.iter().zip(rows.terms.chunks_exact(ROWS)) {
        let coefficients = &potential[tile.offset..tile.offset + ROWS * tile.extent];
        let inner = rows_of_tile(s, coefficients, &column_table[len..]);
        for (inner, term) in inner.into_iter().zip(terms) {
            let lower = load(s, &row_table[term.lower[0] * len..]);
            slopes[0] = multiply_add::<S>(lower, inner, slopes[0]);
            if rows.coordinates.len() > 1 {
                let lower = load(s, &row_table[term.lower[1] * len..]);
                slopes[1] = multiply_add::<S>(lower, inner, slopes[1]);
            }
        }
    }
    slopes
}

/// Writes J^T v of the block where a step looks for it, panel by panel, and notes its sums.
///
/// The scratch memory holds that of one panel, so a step moves each panel at once.
#[inline(always)]
fn write_gradient<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    visit: &Visit<'_, T>,
    panel: usize,
    from: usize,
    work: &Workspace,
) {
    let at = PanelAt::new(&chunk.shape, panel);
    let lanes = chunk.shape.lanes;
    let block = work.gradient.get().len() / MOST_COORDINATES;
    let keep = visit.sweep.keeps_gradient();
    let to = match &mut chunk.gradient {
        Some(kept) if keep => &mut kept.get_mut()[at.gradient.clone()],
        _ => &mut chunk.work.scratch.get_mut()[SCRATCH_ROWS * lanes..],
    };
    for (k, row) in to.chunks_exact_mut(lanes).enumerate() {
        if k < visit.monomials.dimension {
            let from = &work.gradient.get()[k * block + from..][..lanes];
            row.iter_mut().zip(from).for_each(|(to, g)| *to = T::lit(*g));
        } else {
            row.fill(T::zero());
        }
    }
    note_gradient(s, chunk, keep, &at);
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

/// Adds the derivative of the monomials along the direction in the gradient of the workspace.
#[inline(always)]
fn add_tangent<S: Simd>(s: S, monomials: &Monomials, scale: f64, groups: usize, work: &mut Workspace) {
    let Workspace {
        gradient,
        rows,
        columns,
        moved_rows,
        moved_columns,
        sums,
        ..
    } = work;
    let direction = by_coordinate(gradient.get());
    derive(
        s,
        &monomials.rows,
        direction,
        scale,
        groups,
        rows.get(),
        moved_rows.get_mut(),
    );
    derive(
        s,
        &monomials.columns,
        direction,
        scale,
        groups,
        columns.get(),
        moved_columns.get_mut(),
    );
    add_products(s, monomials, groups, (moved_rows.get(), columns.get()), sums.get_mut());
    add_products(s, monomials, groups, (rows.get(), moved_columns.get()), sums.get_mut());
}

/// The derivative of a table along a direction.
#[inline(always)]
fn derive<S: Simd>(
    s: S,
    part: &Part,
    direction: [&[f64]; MOST_COORDINATES],
    scale: f64,
    groups: usize,
    table: &[f64],
    derivative: &mut [f64],
) {
    let len = group_len::<S>();
    let stride = part.entries() * len;
    let scale = [Lanes::<S>::splat(s, scale); VECTORS];
    let tables = table.chunks_exact(stride).zip(derivative.chunks_exact_mut(stride));
    for (g, (table, derivative)) in tables.take(groups).enumerate() {
        store::<S>(zero(s), derivative);
        for (term, to) in part.terms.iter().zip(derivative[len..].chunks_exact_mut(len)) {
            let mut sum = zero(s);
            for (k, lower) in part.coordinates.clone().zip(term.lower) {
                let u = multiply_add::<S>(load(s, &direction[k][g * len..]), scale, zero(s));
                sum = multiply_add::<S>(u, load(s, &table[lower * len..]), sum);
            }
            store::<S>(sum, to);
        }
    }
}

/// Adds the products of rows and columns to the sums.
#[inline(always)]
fn add_products<S: Simd>(
    s: S,
    monomials: &Monomials,
    groups: usize,
    (rows, columns): (&[f64], &[f64]),
    sums: &mut [f64],
) {
    let len = groups * group_len::<S>();
    let (of_rows, of_columns) = (monomials.rows.entries(), monomials.columns.entries());
    let rows = (&rows[..of_rows * len], of_rows);
    let columns = (&columns[..of_columns * len], of_columns);
    accumulate(s, &monomials.by_rows, rows, columns, sums);
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

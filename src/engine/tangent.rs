//! Products with the Jacobian and the Hessian, panel by panel.

use super::chunk::{Chunk, SCRATCH_ROWS};
use super::kernels::microkernel::load;
use super::kernels::panel;
use super::sweep::{Along, PanelAt, Sweep, groups};
use crate::float::Float;
use fearless_simd::prelude::*;

/// Computes J times a direction, into the sums; a direction J^T v comes from the backward half before. Leaves the
/// activations of the samples, if they are stored.
#[inline(always)]
pub(super) fn tangent_product<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    along: Along,
    at: &PanelAt,
) {
    let (lanes, kept) = (chunk.shape.lanes, chunk.activations);
    let one_group = kept.stored || sweep.samples.groups.len() == 1;
    // If all activations are available after the backward half, the loop below need not recompute them.
    let activated = if along == Along::Gradient {
        one_group
    } else {
        sweep.activated
    };
    let a = load::<S, T>(s, &chunk.output_weights.get()[at.panel * lanes..]);
    let (scratch, direction) = chunk.work.scratch.get_mut().split_at_mut(SCRATCH_ROWS * lanes);
    let w = &chunk.weights[sweep.roles.current].get()[at.weights.clone()];
    match (along, &chunk.initial, &chunk.gradient) {
        (Along::Movement, Some(initial), _) => subtract(w, &initial.get()[at.weights.clone()], direction),
        (Along::Kept, _, Some(kept)) => direction.copy_from_slice(&kept.get()[at.gradient.clone()]),
        _ => {}
    }
    let activations = &mut activations[kept.start(at.panel, lanes)..];
    for (blocks, _, from) in groups(sweep.samples, kept.stored, lanes) {
        let len = if kept.stored {
            kept.rows * lanes
        } else {
            activations.len()
        };
        let (activations, ahead) = activations.split_at_mut(len);
        let activations = &mut activations[from..];
        let ahead = ahead.get(from..).unwrap_or(&[]);
        if !activated {
            panel::activate(s, sweep.samples, blocks.clone(), w, activations, scratch);
        }
        let sums = chunk.work.sums.get_mut();
        panel::tangent(
            s,
            sweep.samples,
            blocks,
            direction,
            activations,
            a,
            scratch,
            sums,
            ahead,
        );
    }
}

/// Replaces the direction u in the kept gradient by a sum_i E_i (v_i + e_i <x_i, u>) x_i. Leaves the activations of the
/// samples, if they are stored.
#[inline(always)]
pub(super) fn curvature<S: Simd, T: Float>(
    s: S,
    chunk: &mut Chunk<T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    at: &PanelAt,
) {
    let (lanes, kept) = (chunk.shape.lanes, chunk.activations);
    let a = load::<S, T>(s, &chunk.output_weights.get()[at.panel * lanes..]);
    let (scratch, direction) = chunk.work.scratch.get_mut().split_at_mut(SCRATCH_ROWS * lanes);
    let Some(gradient) = &mut chunk.gradient else { return };
    let gradient = &mut gradient.get_mut()[at.gradient.clone()];
    direction.copy_from_slice(gradient);
    let w = &chunk.weights[sweep.roles.current].get()[at.weights.clone()];
    let bent = chunk.work.bent.get_mut();
    let activations = &mut activations[kept.start(at.panel, lanes)..];
    for (blocks, range, from) in groups(sweep.samples, kept.stored, lanes) {
        let activations = &mut activations[from..];
        if !sweep.activated {
            panel::activate(s, sweep.samples, blocks.clone(), w, activations, scratch);
        }
        panel::bend(s, sweep.samples, blocks, direction, activations, scratch, bent);
        panel::backward(s, sweep.samples, range, bent, a, gradient);
    }
}

/// difference = a - b, padded with zeros or truncated to its length.
#[inline(always)]
fn subtract<T: Float>(a: &[T], b: &[T], difference: &mut [T]) {
    let (within, beyond) = difference.split_at_mut(difference.len().min(a.len()));
    beyond.fill(T::zero());
    for ((d, &a), &b) in within.iter_mut().zip(a).zip(b) {
        *d = a - b;
    }
}

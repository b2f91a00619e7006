//! Products with the Jacobian and the Hessian, panel by panel.

use super::kernels::microkernel::load;
use super::kernels::panel;
use super::sweep::{Along, Sweep};
use super::view::{PanelAt, View, WorkView};
use crate::float::Float;
use fearless_simd::prelude::*;

/// Computes J times a direction, into the sums; a direction J^T v comes from the backward half before. Leaves the
/// activations of the samples, if they are stored.
#[inline(always)]
pub(super) fn tangent_product<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    along: Along,
    at: &PanelAt,
) {
    let (lanes, kept) = (view.shape.lanes, view.activations);
    let one_group = kept.stored || sweep.samples.groups.len() == 1;
    // If all activations are available after the backward half, the loop below need not recompute them.
    let activated = if along == Along::Gradient {
        one_group
    } else {
        sweep.activated
    };
    let a = load::<S, T>(s, &view.output_weights[at.panel * lanes..]);
    let (work, direction) = (&mut view.work, &mut *view.gradient.own);
    let w = &view.current[at.weights.clone()];
    match along {
        Along::Gradient => {}
        Along::Movement => subtract(w, &view.initial[at.weights.clone()], direction),
        Along::Kept => direction.copy_from_slice(&view.gradient.kept[at.gradient.clone()]),
    }
    let activations = &mut activations[kept.start(at.panel, lanes)..];
    for group in &sweep.samples.groups {
        let (blocks, from) = (group.blocks.clone(), kept.offset(group, lanes));
        let len = if kept.stored {
            kept.rows * lanes
        } else {
            activations.len()
        };
        let (activations, ahead) = activations.split_at_mut(len);
        let activations = &mut activations[from..];
        let ahead = ahead.get(from..).unwrap_or(&[]);
        if !activated {
            panel::activate(s, sweep.samples, blocks.clone(), w, activations, work.scratch);
        }
        panel::tangent(
            s,
            sweep.samples,
            blocks,
            direction,
            activations,
            a,
            work.scratch,
            work.sums,
            ahead,
        );
    }
}

/// Replaces the direction u in the kept gradient by a sum_i E_i (v_i + e_i <x_i, u>) x_i. Leaves the activations of the
/// samples, if they are stored.
#[inline(always)]
pub(super) fn curvature<S: Simd, T: Float>(
    s: S,
    view: &mut View<'_, T>,
    activations: &mut [T],
    sweep: &Sweep<'_, T>,
    at: &PanelAt,
) {
    let (lanes, kept) = (view.shape.lanes, view.activations);
    let a = load::<S, T>(s, &view.output_weights[at.panel * lanes..]);
    let WorkView { scratch, bent, .. } = &mut view.work;
    let direction = &mut *view.gradient.own;
    let gradient = &mut view.gradient.kept[at.gradient.clone()];
    direction.copy_from_slice(gradient);
    let w = &view.current[at.weights.clone()];
    let activations = &mut activations[kept.start(at.panel, lanes)..];
    for group in &sweep.samples.groups {
        let activations = &mut activations[kept.offset(group, lanes)..];
        if !sweep.activated {
            panel::activate(s, sweep.samples, group.blocks.clone(), w, activations, scratch);
        }
        let blocks = group.blocks.clone();
        panel::bend(s, sweep.samples, blocks, direction, activations, scratch, bent);
        panel::backward(s, sweep.samples, group.samples.clone(), bent, a, gradient);
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

//! The sweeps in `f32` and `f64`, compiled in this crate.
//!
//! Generic code is compiled where it is used: each crate that trains a network would compile the kernels for every SIMD
//! level again, and at its own level of optimisation. The functions here that end in a type's name are not generic, so
//! that they are compiled once, with this crate; the generic ones only find the one to call.

use super::chunk::{self, Chunk, Sweep};
use super::gram::{self, Column, SamplePanels, Slab};
use super::kernel;
use super::kernel::Update;
use super::moments::{self, Moments};
use super::pack::{Aligned, Points};
use super::pages::Pages;
use crate::float::Float;
use fearless_simd::{Level, dispatch};
use std::any::Any;

/// A sweep over all chunks: see `chunk::run`.
pub(super) fn run<T: Float>(
    level: Level,
    chunks: &mut Vec<Chunk<T>>,
    activations: &mut Pages<T>,
    sweep: &Sweep<'_, T>,
    work: usize,
) {
    if let (Some(chunks), Some(activations), Some(sweep)) =
        (same_mut::<_, Vec<_>>(chunks), same_mut(activations), same_sweep(sweep))
    {
        return run_f64(level, chunks, activations, &sweep, work);
    }
    if let (Some(chunks), Some(activations), Some(sweep)) =
        (same_mut::<_, Vec<_>>(chunks), same_mut(activations), same_sweep(sweep))
    {
        run_f32(level, chunks, activations, &sweep, work);
    }
}

#[inline(never)]
fn run_f64(level: Level, chunks: &mut [Chunk<f64>], activations: &mut Pages<f64>, sweep: &Sweep<'_, f64>, work: usize) {
    chunk::run(level, chunks, activations.get_mut(), sweep, work);
}

#[inline(never)]
fn run_f32(level: Level, chunks: &mut [Chunk<f32>], activations: &mut Pages<f32>, sweep: &Sweep<'_, f32>, work: usize) {
    chunk::run(level, chunks, activations.get_mut(), sweep, work);
}

/// <x_i, w> for every point and the neurons of a panel: see `kernel::project`.
pub(super) fn project<T: Float>(level: Level, points: &Points<T>, weights: &Aligned<T>, out: &mut Aligned<T>) {
    if let (Some(points), Some(weights), Some(out)) = (same(points), same(weights), same_mut(out)) {
        return project_f64(level, points, weights, out);
    }
    if let (Some(points), Some(weights), Some(out)) = (same(points), same(weights), same_mut(out)) {
        project_f32(level, points, weights, out);
    }
}

#[inline(never)]
fn project_f64(level: Level, points: &Points<f64>, weights: &Aligned<f64>, out: &mut Aligned<f64>) {
    dispatch!(level, s => kernel::project(s, points, weights.get(), out.get_mut()));
}

#[inline(never)]
fn project_f32(level: Level, points: &Points<f32>, weights: &Aligned<f32>, out: &mut Aligned<f32>) {
    dispatch!(level, s => kernel::project(s, points, weights.get(), out.get_mut()));
}

/// Activations of a panel of neurons, with a sample a lane: see `gram::fill_activations`.
pub(super) fn fill_activations<T: Float>(
    samples: &SamplePanels<T>,
    chunk: &Chunk<T>,
    at: (usize, usize),
    scratch: &mut Aligned<T>,
    to: &mut [f64],
    row: usize,
) {
    if let (Some(samples), Some(chunk), Some(scratch)) = (same(samples), same(chunk), same_mut(scratch)) {
        return fill_activations_f64(samples, chunk, at, scratch, to, row);
    }
    if let (Some(samples), Some(chunk), Some(scratch)) = (same(samples), same(chunk), same_mut(scratch)) {
        fill_activations_f32(samples, chunk, at, scratch, to, row);
    }
}

#[inline(never)]
fn fill_activations_f64(
    samples: &SamplePanels<f64>,
    chunk: &Chunk<f64>,
    at: (usize, usize),
    scratch: &mut Aligned<f64>,
    to: &mut [f64],
    row: usize,
) {
    dispatch!(samples.level, s => gram::fill_activations(s, samples, chunk, at, scratch.get_mut(), to, row));
}

#[inline(never)]
fn fill_activations_f32(
    samples: &SamplePanels<f32>,
    chunk: &Chunk<f32>,
    at: (usize, usize),
    scratch: &mut Aligned<f32>,
    to: &mut [f64],
    row: usize,
) {
    dispatch!(samples.level, s => gram::fill_activations(s, samples, chunk, at, scratch.get_mut(), to, row));
}

/// A slab's share of some columns of S: see `gram::add_products`.
#[inline(never)]
pub(super) fn add_products(columns: &mut [Column], slab: &Slab<'_>) {
    dispatch!(slab.level, s => gram::add_products(s, columns, slab));
}

/// The moments of a chunk's weights: see `moments::add_moments`.
pub(super) fn add_moments<T: Float>(level: Level, chunk: &Chunk<T>, role: usize, moments: &mut Moments) {
    if let Some(chunk) = same(chunk) {
        return add_moments_f64(level, chunk, role, moments);
    }
    if let Some(chunk) = same(chunk) {
        add_moments_f32(level, chunk, role, moments);
    }
}

#[inline(never)]
fn add_moments_f64(level: Level, chunk: &Chunk<f64>, role: usize, moments: &mut Moments) {
    dispatch!(level, s => moments::add_moments(s, chunk, role, moments));
}

#[inline(never)]
fn add_moments_f32(level: Level, chunk: &Chunk<f32>, role: usize, moments: &mut Moments) {
    dispatch!(level, s => moments::add_moments(s, chunk, role, moments));
}

/// The same reference, where A and B are the same type.
fn same<A: 'static, B: 'static>(a: &A) -> Option<&B> {
    (a as &dyn Any).downcast_ref()
}

fn same_mut<A: 'static, B: 'static>(a: &mut A) -> Option<&mut B> {
    (a as &mut dyn Any).downcast_mut()
}

/// The same sweep, where T and U are the same type.
fn same_sweep<'a, T: Float, U: Float>(sweep: &Sweep<'a, T>) -> Option<Sweep<'a, U>> {
    Some(Sweep {
        roles: sweep.roles,
        backward: sweep.backward,
        now: same(sweep.now)?,
        keep: sweep.keep,
        tangent: sweep.tangent,
        update: *same::<_, Option<Update<U>>>(&sweep.update)?,
        then: sweep.then.and_then(same),
        store: sweep.store,
        watched: sweep.watched.and_then(same),
    })
}

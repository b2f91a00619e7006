//! Weights and directions from outside, as an optimiser of its own holds them, and products with them.
//!
//! For engines without reduction: numbers are d x m, one neuron after the other, in the coordinates of the points.

use super::cached::Cached;
use super::sweep::{Along, Job};
use super::weights::{self, Destination};
use super::{Dual, Engine, Scope};
use crate::error::Error;
use crate::float::Float;

impl<T: Float> Engine<T> {
    /// Takes the memory of everything in this file, so that it is not taken later.
    ///
    /// Passes by expansion take theirs when they first happen, so where they serve, a gradient and a product are computed.
    pub fn prepare_products(&mut self) -> Result<(), Error> {
        let samples = self.batches.current().points.samples;
        let zeros = vec![T::zero(); samples];
        self.batches.pack_factors(&zeros, &zeros);
        self.prepare(true, false)?;
        self.outputs.evaluated.reserve(samples);
        if self.expands()? {
            self.gradient(Dual::Direction, &zeros)?;
            self.product(Along::Kept, &mut vec![0.0; samples])
        } else {
            self.make_room()?;
            self.prepare_curvature()
        }
    }

    fn prepare_curvature(&mut self) -> Result<(), Error> {
        let rows = self.batches.current().points.group_rows();
        let prepared = self
            .chunks
            .iter_mut()
            .try_for_each(|chunk| chunk.prepare_curvature(rows));
        self.link().leave_on_error(prepared)
    }

    /// Replaces the current weights.
    pub fn load_weights(&mut self, weights: &[T]) {
        weights::load(&mut self.chunks, Destination::Copy(self.roles.current), weights);
        self.cached = Cached::default();
        self.forget_weights();
    }

    /// The kept gradient.
    pub fn unpack_gradient(&self, gradient: &mut [T]) {
        weights::unpack_gradient(&self.chunks, gradient);
    }

    /// Replaces the kept gradient.
    fn load_direction(&mut self, direction: &[T]) -> Result<(), Error> {
        self.prepare(true, false)?;
        self.cached.keep(None);
        weights::load(&mut self.chunks, Destination::Gradient, direction);
        Ok(())
    }

    /// product = J u for this direction u, at the current weights.
    pub fn jacobian_product(&mut self, direction: &[T], product: &mut [f64]) -> Result<(), Error> {
        self.load_direction(direction)?;
        self.product(Along::Kept, product)
    }

    /// product = J^T v + sum_i e_i H_i u for the directions u of the last [`jacobian_product`](Self::jacobian_product), with
    /// the Hessian H_i of F(x_i), at the current weights.
    pub fn curvature_product(&mut self, v: &[T], residual: &[T], product: &mut [T]) -> Result<(), Error> {
        self.batches.pack_factors(v, residual);
        self.prepare_curvature()?;
        self.sweep(Job::Curvature, Scope::Nothing)?;
        self.unpack_gradient(product);
        Ok(())
    }
}

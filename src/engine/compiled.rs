//! The sweeps in `f32` and `f64`, compiled once, in this crate.
//!
//! Generic code is compiled where it is used, so each crate that trains a network would compile the kernels for every
//! SIMD level again, at its own optimisation level. Here each generic function only dispatches on `f32` or `f64` to a
//! function that is not generic.

use super::chunk::Chunk;
use super::expansion::{self, Parts, Visit};
use super::kernels::gram::{self, Activations, Neurons, SamplePanels};
use super::kernels::moments::{self, MomentSums};
use super::kernels::panel;
use super::memory::Aligned;
use super::points::Points;
use super::squares::Square;
use super::sweep::{self, Sweep};
use crate::float::{Concrete, Family, Float};
use fearless_simd::{Level, dispatch};
use std::marker::PhantomData;

/// Defines a generic function and its bodies for `f32` and `f64`. The arguments in braces depend on the scalar type
/// `T`.
macro_rules! compiled {
    (
        $(#[$doc:meta])*
        fn $name:ident($family:ident { $($arg:ident: $type:ty),* }, $($plain:ident: $plain_type:ty),*) = $body:expr
    ) => {
        struct $family<'a>(PhantomData<&'a ()>);

        impl<'a> Family for $family<'a> {
            type Of<T: Float> = ($($type,)*);
        }

        $(#[$doc])*
        pub(super) fn $name<'a, T: Float>($($arg: $type,)* $($plain: $plain_type),*) {
            #[inline(never)]
            fn in_f32(($($arg,)*): <$family<'_> as Family>::Of<f32>, $($plain: $plain_type),*) {
                $body;
            }
            #[inline(never)]
            fn in_f64(($($arg,)*): <$family<'_> as Family>::Of<f64>, $($plain: $plain_type),*) {
                $body;
            }
            match T::concrete::<$family<'a>>(($($arg,)*)) {
                Concrete::F32(own) => in_f32(own, $($plain),*),
                Concrete::F64(own) => in_f64(own, $($plain),*),
            }
        }
    };
}

compiled!(
    /// A sweep over all chunks: see [`sweep::run`].
    fn run(
        Run { chunks: &'a mut [Chunk<T>], activations: &'a mut [T], sweep: &'a Sweep<'a, T> },
        level: Level,
        shape: (usize, usize)
    ) = sweep::run(level, chunks, activations, sweep, shape)
);

compiled!(
    /// A visit of all neurons: see [`expansion::visit_all`].
    fn visit(
        VisitAll { chunks: &'a mut [Chunk<T>], visit: &'a Visit<'a, T> },
        level: Level,
        parts: &mut Parts<'_>
    ) = expansion::visit_all(chunks, visit, level, parts)
);

compiled!(
    /// How far the weights reach: see [`expansion::measure_all`].
    fn measure(
        MeasureAll { chunks: &'a [Chunk<T>] },
        level: Level,
        role: usize,
        scale: f64,
        parts: &mut Parts<'_>
    ) = expansion::measure_all(chunks, level, role, scale, parts)
);

compiled!(
    /// <x_i, w> for every point and the neurons of a panel: see [`panel::project`].
    fn project(
        Project { points: &'a Points<T>, weights: &'a [T], out: &'a mut [T] },
        level: Level
    ) = dispatch!(level, s => panel::project(s, points, weights, out))
);

compiled!(
    /// Activations of a panel of neurons, with one sample per lane: see [`gram::fill_activations`].
    fn fill_activations(
        Fill { samples: &'a SamplePanels<T>, neurons: &'a Neurons<'a, T>, scratch: &'a mut Aligned<T> },
        to: &mut [f64],
        row: usize
    ) = dispatch!(samples.level, s => gram::fill_activations(s, samples, neurons, scratch.get_mut(), to, row))
);

compiled!(
    /// The moments of a chunk's weights: see [`moments::add_moments`].
    fn add_moments(
        AddMoments { chunk: &'a Chunk<T> },
        level: Level,
        role: usize,
        sums: &mut MomentSums
    ) = {
        let (weights, output_weights) = (chunk.weights[role].get(), chunk.output_weights.get());
        dispatch!(level, s => moments::add_moments(s, weights, output_weights, chunk.shape.dimension, sums));
    }
);

/// Adds the products of a block to a square of S: see [`gram::add_products`].
#[inline(never)]
pub(super) fn add_products(square: &mut Square<'_>, block: &Activations<'_>) {
    dispatch!(block.level, s => gram::add_products(s, square, block));
}

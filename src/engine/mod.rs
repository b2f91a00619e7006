//! The only place that does work of size n x m or d x m.
//!
//! Above this boundary there are vectors of n numbers (outputs, duals) and a few sums; below it the weights, the
//! activations and everything that is done to them. One sweep over the neurons does a whole step: for each panel
//! (two vectors of neurons) J^T v from the stored activations, the move, and at once the activations of the
//! next step, so that weights and activations are touched once.
//!
//! From the ground up, each file knows those above it in this table:
//!
//! | file | idea |
//! |---|---|
//! | `memory` | aligned buffers, huge pages |
//! | `points` | the layout of points, duals and panels |
//! | `kernels/` | SIMD: exp, the microkernel, what happens to a panel |
//! | `plan` | which SIMD level, whether activations are stored |
//! | `chunk` | a fixed range of neurons and its memory; the order of sums |
//! | `sweep` | a job done with every panel, on all threads |
//! | `compiled` | the sweeps for `f32` and `f64`, compiled once |
//! | `reduce` | exact reduction of coordinates |
//! | `batches` | which points a sweep works on |
//! | `weights`, `arrays` | between network or checkpoint and chunks |
//! | `ranks` | sums over the neurons of other ranks |
//! | `gram`, `moments` | G = J J^T; mean and covariance of the weights |
//! | `holds` | what earlier sweeps have left to be used |
//! | `training` | the engine of a run, which puts all of this together |
//! | `plain` | the model as on paper: the tests' oracle |

mod arrays;
mod batches;
mod chunk;
mod compiled;
mod gram;
mod holds;
mod kernels;
mod memory;
mod moments;
#[cfg(test)]
mod plain;
mod plan;
mod points;
mod ranks;
mod reduce;
#[cfg(feature = "bench-internals")]
pub mod roofline;
mod sweep;
#[cfg(test)]
mod tests;
mod training;
mod weights;

pub(crate) use arrays::Array;
pub use plan::Memory;
pub(crate) use plan::level;
pub(crate) use training::Engine;

use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// One move of the weights, given g = J^T v:
///
/// ```text
/// velocity' = momentum velocity - step_size (g + pull (W - W_0))
/// W'        = W + velocity'                                                (heavy ball)
/// W'        = W + momentum velocity' - step_size (g + pull (W - W_0))      (Nesterov)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Move {
    pub step_size: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub pull: f64,
}

/// A vector v of one number per current sample, by the name under which the engine keeps J^T v.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dual {
    /// e = F - y: J^T e is the gradient of the loss.
    Residual,
    /// Whatever a method chose.
    Direction,
}

/// What a backward half learns on the way, over all weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GradientSums {
    /// J^T v is exactly 0.
    pub is_zero: bool,
    /// ||J^T v||^2, where it is kept.
    pub norm_squared: f64,
    /// <J^T v, the gradient kept from the step before>, 0 where none is kept.
    pub dot_previous: f64,
    /// <J^T v, velocity>, 0 where there is none.
    pub dot_velocity: f64,
}

/// What a sweep has summed over all weights.
#[derive(Clone, Copy, Debug, Default)]
struct SweepSums {
    gradient: GradientSums,
    /// The new weights are finite.
    all_finite: bool,
    /// ||W - W_0||^2 at the new weights, where W_0 is kept.
    movement: f64,
}

/// What came of a proposal, beside the outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposed {
    /// Of the J^T v that was computed for it; `None` where a kept one was used.
    pub gradient: Option<GradientSums>,
    /// ||W - W_0||^2 at the proposed weights, where W_0 is kept.
    pub movement: Option<f64>,
}

/// What a proposal evaluates at the new weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing: the sweep has no forward half.
    Nowhere,
    /// F at the chosen samples.
    Batch,
    /// And at the validation points.
    BatchAndValidation,
}

/// How far the weights are from where they started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Movement {
    /// The largest distance of a neuron.
    pub largest: f64,
    /// ||W - W_0||, Frobenius.
    pub frobenius: f64,
}

/// Points of a block of `outputs`: more of them take no more memory.
const BLOCK: usize = 1024;

/// F at every point, in blocks of points.
pub(crate) fn outputs<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
) -> Result<Vec<f64>, Error> {
    let mut outputs = Vec::with_capacity(points.ncols());
    let mut engine: Option<Engine<T>> = None;
    for start in (0..points.ncols()).step_by(BLOCK) {
        let block = points.columns(start, BLOCK.min(points.ncols() - start)).into_owned();
        match &mut engine {
            Some(engine) => engine.replace_points(block)?,
            None => engine = Some(Engine::direct(weights, output_weights, &block, Memory::Recompute)?),
        }
        if let Some(engine) = &mut engine {
            engine.forward()?;
            outputs.extend_from_slice(engine.outputs());
        }
    }
    Ok(outputs)
}

/// J^T v, d x m.
pub(crate) fn gradient<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
    v: &[T],
) -> Result<DMatrix<T>, Error> {
    let mut engine = Engine::direct(weights, output_weights, points, Memory::Recompute)?;
    engine.gradient(Dual::Direction, v)?;
    let mut gradient = DMatrix::zeros(weights.nrows(), weights.ncols());
    engine.unpack_gradient(&mut gradient);
    Ok(gradient)
}

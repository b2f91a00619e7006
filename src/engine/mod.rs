//! The engine: all work of size n x m or d x m is done here.
//!
//! Outside the engine there are only vectors of n numbers (outputs, duals) and a few sums; inside are the weights, the
//! activations and all operations on them. One sweep over the neurons does a whole step: for each panel (two SIMD
//! vectors of neurons) it computes J^T v from the stored activations, moves the weights, and at once computes the
//! activations of the next step, so that weights and activations pass through the caches once.
//!
//! As a rule, each file depends on those above it in this table:
//!
//! | file | idea |
//! |---|---|
//! | `memory`, `squares` | aligned buffers, huge pages; symmetric matrices in tiles |
//! | `plan` | the SIMD level, and whether activations are stored |
//! | `points` | the layout of points, duals and panels |
//! | `kernels/` | SIMD: exp, the microkernel, the operations on a panel |
//! | `chunk`, `view` | a fixed range of neurons and its memory; the order of sums; its buffers as slices |
//! | `sweep`, `tangent` | one job on every panel, on all threads; products with the Jacobian and the Hessian |
//! | `expansion/` | the same jobs for points of few coordinates |
//! | `compiled` | both kinds of sweeps for `f32` and `f64`, compiled once |
//! | `reduce` | exact reduction of coordinates |
//! | `batches`, `outputs` | the points that a sweep works on; F at them |
//! | `weights`, `arrays` | from network or checkpoint to chunks, and back |
//! | `ranks` | sums over the neurons of other ranks |
//! | `gram`, `moments` | G = J J^T; mean and covariance of the weights |
//! | `cached` | what earlier sweeps have computed and is still valid |
//! | `pass` | which kind of sweep does a pass, and in which parts |
//! | `training` | the engine of a run, which puts all of this together |
//! | `outside` | weights and directions from outside, and products with them |
//! | `plain` | the formulas of the model: the oracle of the tests |

mod arrays;
mod batches;
mod cached;
mod chunk;
mod compiled;
mod expansion;
mod gram;
mod kernels;
mod memory;
mod moments;
mod outputs;
mod outside;
mod pass;
#[cfg(test)]
mod plain;
mod plan;
mod points;
mod ranks;
mod reduce;
#[cfg(feature = "bench-internals")]
pub mod roofline;
mod squares;
mod sweep;
mod tangent;
#[cfg(test)]
mod tests;
mod training;
mod view;
mod weights;

pub(crate) use arrays::Array;
pub(crate) use expansion::{MOST_COORDINATES, PointSet, Polynomial, Powers, rank};
pub(crate) use pass::Passes;
use plan::Plan;
pub(crate) use plan::level;
pub use plan::{Memory, Pass};
pub(crate) use training::Engine;

use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// One update of the weights, given g = J^T v:
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

/// The vectors v (one number per current sample) whose J^T v the engine can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dual {
    /// e = F - y: J^T e is the gradient of the loss.
    Residual,
    /// What a method chose.
    Direction,
}

/// What the backward half sums over all weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GradientSums {
    /// Whether J^T v is exactly 0.
    pub is_zero: bool,
    /// ||J^T v||^2, if J^T v is kept.
    pub norm_squared: f64,
    /// The inner product of J^T v and the gradient kept from the previous step; 0 if there is none.
    pub dot_previous: f64,
    /// The inner product of J^T v and the velocity; 0 if there is none.
    pub dot_velocity: f64,
}

/// What a sweep sums over all weights.
#[derive(Clone, Copy, Debug, Default)]
struct SweepSums {
    gradient: GradientSums,
    /// Whether a step has changed any weight.
    moved: bool,
    /// Whether the new weights are finite.
    all_finite: bool,
    /// ||W - W_0||^2 at the new weights, if W_0 is kept.
    movement: f64,
}

/// What a proposal sums over all weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProposalSums {
    /// The sums over the J^T v computed for it; `None` if a kept one was used.
    pub gradient: Option<GradientSums>,
    /// ||W - W_0||^2 at the proposed weights, if W_0 is kept.
    pub movement: Option<f64>,
    /// Whether the step changes any weight.
    pub moved: bool,
}

/// The points that a sweep evaluates at the new weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// None: the sweep has no forward half.
    Nothing,
    /// The chosen samples.
    Batch,
    /// The chosen samples and the validation points.
    BatchAndValidation,
}

/// How far the weights are from the initial ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Movement {
    /// The largest distance of a neuron from its initial weights.
    pub largest: f64,
    /// ||W - W_0||_F.
    pub frobenius: f64,
}

/// The number of points per block of `outputs`, which bounds its memory.
const BLOCK: usize = 1024;

/// F at every point, computed in blocks of points.
pub(crate) fn outputs<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
) -> Result<Vec<f64>, Error> {
    let mut outputs = Vec::with_capacity(points.ncols());
    for_blocks(weights, output_weights, points, |engine, _| {
        engine.forward()?;
        outputs.extend_from_slice(engine.outputs());
        Ok(())
    })?;
    Ok(outputs)
}

/// F + J (`moved` - W) at every point, with F and J at the weights W, computed in blocks of points.
pub(crate) fn linearized_outputs<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
    moved: &DMatrix<T>,
) -> Result<Vec<f64>, Error> {
    let mut outputs = Vec::with_capacity(points.ncols());
    let mut product = Vec::new();
    for_blocks(weights, output_weights, points, |engine, count| {
        engine.forward()?;
        product.resize(count, 0.0);
        engine.movement_product(moved, &mut product)?;
        // The product is J (W - moved).
        outputs.extend(engine.outputs().iter().zip(&product).map(|(f, back)| f - back));
        Ok(())
    })?;
    Ok(outputs)
}

/// Calls `work` for each block of points, with the engine and the number of points.
fn for_blocks<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
    mut work: impl FnMut(&mut Engine<T>, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let new = |points: &DMatrix<T>, pass| {
        let plan = Plan::new::<T>(Memory::Recompute)?.by_setting(pass)?;
        Engine::with(plan, None, weights, output_weights, points, None)
    };
    // An expansion serves all points at once, in memory that does not grow with the width.
    if points.nrows() <= MOST_COORDINATES {
        let mut engine = new(points, Pass::Auto)?;
        if points.ncols() <= BLOCK || engine.expands()? {
            return work(&mut engine, points.ncols());
        }
    }
    let mut engine: Option<Engine<T>> = None;
    for start in (0..points.ncols()).step_by(BLOCK) {
        let count = BLOCK.min(points.ncols() - start);
        let block = points.columns(start, count).into_owned();
        match &mut engine {
            Some(engine) => engine.replace_points(block)?,
            None => engine = Some(new(&block, Pass::Direct)?),
        }
        if let Some(engine) = &mut engine {
            work(engine, count)?;
        }
    }
    Ok(())
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
    engine.unpack_gradient(gradient.as_mut_slice());
    Ok(gradient)
}

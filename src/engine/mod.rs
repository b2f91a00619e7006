//! The only place that does work of size n x m or d x m.
//!
//! Above this boundary there are vectors of n numbers (outputs, duals) and a few sums; below it the weights, the
//! activations and everything that is done to them. One fused sweep over the neurons does a whole step: for each panel
//! (two vectors of neurons) J^T v from the stored activations, the move, and at once the activations of the
//! next step, so that weights and activations are touched once.
//!
//! | file | idea |
//! |---|---|
//! | `exp` | 2^z for a vector |
//! | `kernel` | what happens to a panel |
//! | `pack` | the layout of points, duals and panels |
//! | `pages` | memory for the activations |
//! | `batches` | which samples a sweep works on |
//! | `chunk` | threads, and the order of sums |
//! | `compiled` | the sweeps for `f32` and `f64`, compiled once |
//! | `reduce` | exact reduction of coordinates |
//! | `weights` | from the network into the chunks and back |
//! | `path` | the choice between all of these |
//! | `training` | the state of a run |
//! | `state` | what a checkpoint holds |
//! | `ranks` | sums over the neurons of other ranks |
//! | `gram` | G = J J^T |
//! | `moments` | mean and covariance of the weights |
//! | `plain` | the model as on paper: the tests' oracle |

mod batches;
mod chunk;
mod compiled;
mod exp;
mod gram;
mod kernel;
mod moments;
mod pack;
mod pages;
mod path;
#[cfg(test)]
mod plain;
mod ranks;
mod reduce;
#[doc(hidden)]
pub mod roofline;
mod state;
#[cfg(test)]
mod tests;
mod training;
mod weights;

pub use path::Memory;
pub(crate) use state::Array;
pub(crate) use training::Engine;

use crate::error::Error;
use crate::float::Float;
use nalgebra::{DMatrix, DVector};

/// One move of the weights, given g = J^T dual:
///
/// ```text
/// velocity' = carry velocity - step_size (g + pull (W - W_0))
/// W'        = W + velocity'                                             (heavy ball)
/// W'        = W + carry velocity' - step_size (g + pull (W - W_0))      (Nesterov)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Move {
    pub step_size: f64,
    pub carry: f64,
    pub nesterov: bool,
    pub pull: f64,
}

/// What a backward sweep learns on the way, over all weights.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// J^T dual is exactly 0.
    pub is_zero: bool,
    /// The new weights are finite.
    pub all_finite: bool,
    /// ||J^T dual||^2, where it was kept.
    pub norm_squared: f64,
    /// <J^T dual, the gradient kept from the step before>, 0 where none is kept.
    pub dot_previous: f64,
    /// <J^T dual, velocity>, 0 where there is none.
    pub dot_velocity: f64,
    /// ||W - W_0||^2 at the proposed weights, 0 where W_0 is not kept.
    pub movement: f64,
}

/// What a proposal evaluates at the new weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    Nothing,
    Batch,
    BatchAndWatched,
}

/// The points that can be evaluated beside the current batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    All,
    Watched,
}

/// How far the weights have moved from where they started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Movement {
    pub largest: f64,
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

/// J^T dual, d x m.
pub(crate) fn gradient<T: Float>(
    weights: &DMatrix<T>,
    output_weights: &DVector<T>,
    points: &DMatrix<T>,
    dual: &[T],
) -> Result<DMatrix<T>, Error> {
    let mut engine = Engine::direct(weights, output_weights, points, Memory::Recompute)?;
    engine.gradient(dual)?;
    let mut gradient = DMatrix::zeros(weights.nrows(), weights.ncols());
    engine.unpack_gradient(&mut gradient);
    Ok(gradient)
}

//! Distributed training: a network whose neurons are sharded over threads or machines.
//!
//! Neurons are sharded, data is replicated. Everything of size d x m or n x m stays on its rank; ranks exchange only
//! sums over neurons, n numbers per pass and a few more. All ranks get the same sums and therefore take the same
//! decisions, so schedules, methods and stopping criteria need not know about ranks.
//!
//! ```
//! use expnet::communicator::{Communicator, Threads};
//! use expnet::{Dataset, Initializer, Trainer};
//!
//! let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
//! let ranks = Threads::run(3, |world| {
//!     let mut share = Initializer::new(2, 64).seed(1).shard(world.rank(), world.size()).build::<f64>()?;
//!     Trainer::default().max_steps(50).communicator(world).fit(&mut share, &data)
//! });
//! let losses = ranks.into_iter().map(|report| Ok(report?.loss())).collect::<Result<Vec<f64>, expnet::Error>>()?;
//! assert!(losses[0] < 0.25 && losses.iter().all(|&loss| loss == losses[0]));
//! # Ok::<(), expnet::Error>(())
//! ```
//!
//! For MPI, enable the feature `mpi` and use `expnet::mpi::World`.
//!
//! # What every rank must do
//!
//! The same as all others: make the same calls in the same order, with the same data, settings, schedule, method and
//! validation data. This is verified along the way; a difference is an error on every rank, and so is an error on any
//! one rank. Two things may differ, because the ranks agree on them after each step: the time (`Trainer::max_time`) and
//! what observers return. An observer may be attached on only some of the ranks, unless it calls
//! [`Progress::movement`](crate::observer::Progress::movement), which is computed over all ranks.

mod gather;
mod link;
mod threads;

pub(crate) use link::{Exchange, Link};
pub use threads::Threads;

use crate::error::Error;

/// The ranks of a job, as seen from one of them.
///
/// All ranks make the same calls of [`all_reduce_sum`](Self::all_reduce_sum), with the same number of numbers.
/// Implement this trait for a custom transport: training needs only these three methods.
pub trait Communicator {
    /// The index of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks, at least 1.
    fn size(&self) -> usize;

    /// Replaces each number by its sum over all ranks.
    ///
    /// Every rank must get the same bits: either one of them adds for all, or the order of additions is fixed. No rank
    /// may wait forever for one that has failed.
    ///
    /// Errors: another rank has failed or left.
    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error>;
}

/// A run on one rank, the default of a [`Trainer`](crate::Trainer). Costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Solo;

impl Communicator for Solo {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_reduce_sum(&self, _: &mut [f64]) -> Result<(), Error> {
        Ok(())
    }
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        impl<C: Communicator + ?Sized> Communicator for $pointer {
            fn rank(&self) -> usize {
                (**self).rank()
            }

            fn size(&self) -> usize {
                (**self).size()
            }

            fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error> {
                (**self).all_reduce_sum(numbers)
            }
        }
    )*};
}
pass_on!(&C, Box<C>);

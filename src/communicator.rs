//! Ranks: a network whose neurons are spread over threads or machines.
//!
//! Neurons are sharded, data replicated. Everything of size d x m or n x m stays on its rank; what ranks exchange is sums
//! over neurons, n numbers per pass and a few more. Every rank gets the same sums, so that every rank
//! decides alike: schedules, methods and stopping know nothing of ranks.
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
//! On machines that have MPI, the feature `mpi` brings `expnet::mpi::World`.
//!
//! # What every rank must do
//!
//! The same: the same data, settings, schedule, method and validation set, and the same calls in the same order. What ranks
//! must agree on is compared along the way, and a difference is an error on every rank, as is an error on one of
//! them. Two things may differ, because they are agreed on after each step: the time (`Trainer::max_time`), and what
//! observers answer. An observer may be on only some of the ranks, unless it asks for
//! [`Progress::movement`](crate::observer::Progress::movement), which is over all ranks.

mod gather;
mod link;
mod threads;

pub(crate) use link::{Link, Sum};
pub use threads::Threads;

use crate::error::Error;

/// The ranks of a job, seen from one of them.
///
/// All ranks call [`all_reduce_sum`](Self::all_reduce_sum) equally often, with equally many numbers. Implement it for a
/// transport of your own: training needs no more than these three methods.
pub trait Communicator {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks, at least 1.
    fn size(&self) -> usize;

    /// Replaces each number by its sum over all ranks.
    ///
    /// Every rank gets the same bits: the order of the additions is that of one of them, or fixed. No rank waits forever
    /// for one that has failed.
    ///
    /// Errors: another rank has failed or left.
    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error>;
}

/// The only rank of a job: what a [`Trainer`](crate::Trainer) runs on by default. Costs nothing.
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

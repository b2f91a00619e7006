//! Ranks: a network whose neurons are spread over threads or machines.
//!
//! Neurons are sharded, data replicated. Everything of size d x m or n x m stays on its rank; what ranks exchange is sums
//! over neurons, n numbers a pass and a few beside them. Every rank gets the same sums, so that every rank
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
//! observers answer. An observer may be on some ranks only unless it asks for
//! [`Progress::movement`](crate::observer::Progress::movement), which is over all ranks.

mod gather;
mod link;
mod threads;

pub(crate) use gather::{Gather, elsewhere};
pub(crate) use link::{Link, Sum, digest_over};
pub use threads::Threads;

use crate::digest::Digest;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DMatrix;

/// The ranks of a job, seen from one of them.
///
/// All ranks call [`all_reduce_sum`](Self::all_reduce_sum) equally often, with equally many numbers. Implement it for a
/// transport of your own: three methods are all that training needs.
pub trait Communicator {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks, at least 1.
    fn size(&self) -> usize;

    /// Replaces each number by its sum over all ranks.
    ///
    /// Every rank gets the same bits: the order of the additions is that of one of them, or fixed. No rank waits for ever
    /// for one that has failed.
    ///
    /// Errors: another rank has failed or left.
    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error>;
}

/// One rank, the whole job: what a [`Trainer`](crate::Trainer) runs on unless told otherwise. Costs nothing.
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

/// That all ranks are about to evaluate the same points, and can: a message of few numbers before one of as many as there are
/// points.
pub(crate) fn agree_on_points<T: Float>(
    world: &dyn Communicator,
    points: &DMatrix<T>,
    evaluated: bool,
) -> Result<(), Error> {
    let mut digest = Digest::of(points.as_slice());
    digest.word(points.ncols() as u64);
    let mark = link::short(digest, world.size());
    let mut numbers = [f64::from(u8::from(!evaluated)), mark, mark * mark];
    world.all_reduce_sum(&mut numbers)?;
    let [failed, marks, squares] = numbers;
    // The rank that has failed tells its own error.
    if failed > 0.0 && evaluated {
        return Err(Error::Ranks {
            problem: "another rank could not evaluate its share of the network".into(),
            remedy: "see the error on that rank",
        });
    }
    if failed == 0.0 && !link::agree(world.size(), marks, squares) {
        return Err(Error::Ranks {
            problem: "the ranks were given different points".into(),
            remedy: "evaluate the same points, in the same order, on every rank",
        });
    }
    Ok(())
}

impl<C: Communicator + ?Sized> Communicator for Box<C> {
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

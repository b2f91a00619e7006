//! Ranks as processes on many machines, with Open MPI or any other MPI that the crate `mpi` supports. Feature `mpi`.
//!
//! ```no_run
//! use expnet::communicator::Communicator;
//! use expnet::mpi::World;
//! use expnet::{Dataset, Error, Initializer, Trainer};
//!
//! fn main() -> std::process::ExitCode {
//!     World::run(|world| {
//!         let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
//!         let mut share = Initializer::new(2, 1_000_000).shard(world.rank(), world.size()).build::<f64>()?;
//!         let report = Trainer::default().communicator(world.clone()).fit(&mut share, &data)?;
//!         if world.rank() == 0 {
//!             println!("{report}");
//!         }
//!         Ok::<(), Error>(())
//!     })
//! }
//! ```
//!
//! ```text
//! RAYON_NUM_THREADS=8 mpirun --bind-to none -n 4 ./program      # 4 ranks of 8 threads each
//! ```
//!
//! Building requires the MPI headers, libclang and pkg-config: on Debian, the packages libopenmpi-dev, openmpi-bin,
//! libclang-dev, clang and pkg-config.

use crate::communicator::Communicator;
use crate::error::Error;
use mpi::environment::{Universe, is_finalized, is_initialized};
use mpi::traits::{Communicator as _, CommunicatorCollectives, Destination, Source};
use mpi::{Threading, collective::SystemOperation, request, topology::SimpleCommunicator};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

/// The exit code of a job ended by a panic: that of any Rust program that panics.
const PANIC_CODE: i32 = 101;

/// The exit code of a job ended by an error.
const ERROR_CODE: i32 = 1;

/// How long a failed rank waits before it aborts the job, so that the others can print their own errors.
const ABORT_DELAY: Duration = Duration::from_millis(500);

/// The maximum number of numbers per message, which is also the size of the buffer for sums.
const MAX_MESSAGE: usize = 1 << 20;

/// All ranks of an MPI job. Clones are handles to the same job; dropping the last one finalises MPI.
///
/// A `World` stays on the thread that created it.
#[derive(Clone)]
pub struct World {
    inner: Rc<Inner>,
}

struct Inner {
    ranks: SimpleCommunicator,
    /// On which a rank that has finished says so.
    farewells: SimpleCommunicator,
    /// The number of all-reduces of this rank so far.
    exchanges: Cell<u64>,
    /// The number of all-reduces of each rank that has finished.
    finished: RefCell<Vec<Option<u64>>>,
    sums: RefCell<Vec<f64>>,
    /// Finalises MPI on drop.
    _universe: Universe,
}

impl World {
    /// Initialises MPI. Call it once, at the beginning of `main`.
    ///
    /// From then on, a panic on any rank and in any thread prints its message and ends the job with exit code 101;
    /// otherwise the other ranks would wait forever. This is done in a panic hook, so it happens even if the panic
    /// would be caught.
    ///
    /// A rank that returns from `main` while others still exchange would also leave them waiting. [`World::run`]
    /// handles that case too; `init` alone does not.
    ///
    /// Errors: MPI has already been initialised, or does not support threads.
    pub fn init() -> Result<Self, Error> {
        let refused = |problem: &str| Error::Ranks {
            problem: problem.into(),
            remedy: "call `World::init` or `World::run` once, at the beginning of `main`, with an MPI that supports \
                     MPI_THREAD_FUNNELED",
        };
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| refused("MPI has already been initialised in this process"))?;
        if threading < Threading::Funneled {
            return Err(refused("this MPI does not support threads"));
        }
        let print_message = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            print_message(panic);
            if is_initialized() && !is_finalized() {
                SimpleCommunicator::world().abort(PANIC_CODE);
            }
        }));
        let ranks = universe.world();
        let inner = Inner {
            farewells: ranks.duplicate(),
            exchanges: Cell::new(0),
            finished: RefCell::new(vec![None; usize::try_from(ranks.size()).unwrap_or(0)]),
            ranks,
            sums: RefCell::default(),
            _universe: universe,
        };
        Ok(Self { inner: Rc::new(inner) })
    }

    /// A whole `main`: initialises MPI and runs this rank's `work`. If one rank fails, the job ends on all of them.
    ///
    /// An error is printed to stderr with the rank it occurred on and ends the job with exit code 1; a panic ends it
    /// with exit code 101. A rank that finishes its work waits for the others. If they then start another exchange,
    /// which would wait forever, the job ends with exit code 1 too.
    pub fn run<E: fmt::Display>(work: impl FnOnce(&Self) -> Result<(), E>) -> ExitCode {
        let world = match Self::init() {
            Ok(world) => world,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        match work(&world) {
            Ok(()) => {
                world.inner.wait_for_others();
                ExitCode::SUCCESS
            }
            Err(error) => {
                // Printed in one piece, because output of several ranks would otherwise be interleaved.
                let line = format!("error on rank {}: {error}\n", world.rank());
                eprint!("{line}");
                thread::sleep(ABORT_DELAY);
                world.inner.ranks.abort(ERROR_CODE)
            }
        }
    }
}

impl Inner {
    /// Tells every other rank how many exchanges this one has taken part in, and waits until all others have done the
    /// same.
    fn wait_for_others(&self) {
        let (own, exchanges) = (self.ranks.rank(), self.exchanges.get());
        for rank in (0..self.ranks.size()).filter(|&rank| rank != own) {
            self.farewells.process_at_rank(rank).send(&exchanges);
        }
        let others = self.finished.borrow().len() - 1;
        while self.finished.borrow().iter().flatten().count() < others {
            self.receive_farewell(&self.farewells.any_process().probe());
        }
    }

    #[allow(clippy::cast_sign_loss)] // MPI's ranks are not negative
    fn receive_farewell(&self, status: &mpi::point_to_point::Status) {
        let rank = status.source_rank();
        let (exchanges, _) = self.farewells.process_at_rank(rank).receive::<u64>();
        self.finished.borrow_mut()[rank as usize] = Some(exchanges);
    }

    /// Aborts the job if a rank that the current exchange needs has already finished.
    fn abort_if_rank_missing(&self) {
        if let Some(status) = self.farewells.any_process().immediate_probe() {
            self.receive_farewell(&status);
        }
        let exchanges = self.exchanges.get();
        let missing = |finished: &Option<u64>| finished.is_some_and(|count| count < exchanges);
        if let Some(rank) = self.finished.borrow().iter().position(missing) {
            let own = self.ranks.rank();
            let line = format!(
                "error on rank {own}: rank {rank} has left the job while this rank still waits for it; make the same calls \
                 of the communicator on every rank\n"
            );
            eprint!("{line}");
            thread::sleep(ABORT_DELAY);
            self.ranks.abort(ERROR_CODE);
        }
    }
}

#[allow(clippy::cast_sign_loss)] // MPI's ranks are not negative
impl Communicator for World {
    fn rank(&self) -> usize {
        self.inner.ranks.rank() as usize
    }

    fn size(&self) -> usize {
        self.inner.ranks.size() as usize
    }

    /// Uses `MPI_Iallreduce`, which the MPI standard requires to return identical results on all ranks. An error of MPI
    /// itself ends the job. All ranks must pass the same number of numbers; MPI does not check.
    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let inner = &*self.inner;
        inner.exchanges.set(inner.exchanges.get() + 1);
        let mut sums = inner.sums.borrow_mut();
        for part in numbers.chunks_mut(MAX_MESSAGE) {
            sums.resize(part.len(), 0.0);
            request::scope(|scope| {
                let sum = SystemOperation::sum();
                let mut request = inner.ranks.immediate_all_reduce_into(scope, &*part, &mut sums[..], sum);
                while let Err(pending) = request.test() {
                    request = pending;
                    inner.abort_if_rank_missing();
                }
            });
            part.copy_from_slice(&sums);
        }
        Ok(())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World(rank {} of {})", self.rank(), self.size())
    }
}

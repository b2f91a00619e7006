//! Ranks as processes on many machines: Open MPI, or any MPI that the crate `mpi` builds on. Feature `mpi`.
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
//! Building needs MPI's headers, libclang and pkg-config: on Debian the packages libopenmpi-dev, openmpi-bin, libclang-dev,
//! clang and pkg-config.

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

/// The exit code of a job that a panic has ended: that of a Rust program which panics.
const PANICKED: i32 = 101;

/// The exit code of a job that an error has ended.
const FAILED: i32 = 1;

/// How long a rank that has failed waits before it ends the job, so that the others can print their own errors.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Numbers of a message at most: the sums need a buffer of that size.
const MESSAGE: usize = 1 << 20;

/// All ranks of an MPI job. Clones are handles to the same; MPI ends with the last of them.
///
/// It stays on the thread that has made it.
#[derive(Clone)]
pub struct World {
    inner: Rc<Inner>,
}

struct Inner {
    ranks: SimpleCommunicator,
    /// Where a rank that is done says so.
    farewells: SimpleCommunicator,
    /// All-reduces of this rank so far.
    exchanges: Cell<u64>,
    /// Those of each rank that is done.
    done: RefCell<Vec<Option<u64>>>,
    sums: RefCell<Vec<f64>>,
    /// MPI is finalised when this is dropped.
    _universe: Universe,
}

impl World {
    /// Starts MPI. Call it once, at the beginning of `main`.
    ///
    /// A panic on any rank, in any thread, from then on ends the job with exit code 101, after its message is printed:
    /// without this the other ranks would wait for ever. It does so by a panic hook, and so even where the panic would be
    /// caught.
    ///
    /// A rank that returns from `main` while others exchange leaves them waiting in the same way: [`World::run`] sees to that
    /// too, `init` alone does not.
    ///
    /// Errors: MPI has been started before, or knows nothing of threads.
    pub fn init() -> Result<Self, Error> {
        let refused = |problem: &str| Error::Ranks {
            problem: problem.into(),
            remedy: "call `World::init` or `World::run` once, at the beginning of `main`, with an MPI that supports \
                     MPI_THREAD_FUNNELED",
        };
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| refused("MPI has been started before in this process"))?;
        if threading < Threading::Funneled {
            return Err(refused("this MPI does not allow threads"));
        }
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            print(panic);
            if is_initialized() && !is_finalized() {
                SimpleCommunicator::world().abort(PANICKED);
            }
        }));
        let ranks = universe.world();
        let inner = Inner {
            farewells: ranks.duplicate(),
            exchanges: Cell::new(0),
            done: RefCell::new(vec![None; usize::try_from(ranks.size()).unwrap_or(0)]),
            ranks,
            sums: RefCell::default(),
            _universe: universe,
        };
        Ok(Self { inner: Rc::new(inner) })
    }

    /// A whole `main`: starts MPI, does the rank's `work`, and ends the job on every rank where it fails on one.
    ///
    /// An error is printed to stderr with the number of its rank, and ends the job with exit code 1; a panic with
    /// 101. A rank whose work is done waits for the others; where they exchange something after that, which would wait for ever,
    /// the job ends with exit code 1 too.
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
                world.inner.say_farewell();
                ExitCode::SUCCESS
            }
            Err(error) => {
                // In one piece: what several ranks print in pieces comes out mixed.
                let line = format!("error on rank {}: {error}\n", world.rank());
                eprint!("{line}");
                thread::sleep(LAST_WORDS);
                world.inner.ranks.abort(FAILED)
            }
        }
    }
}

impl Inner {
    /// Tells every other rank how many exchanges this one has taken part in, and waits until they have all told it theirs.
    fn say_farewell(&self) {
        let (own, exchanges) = (self.ranks.rank(), self.exchanges.get());
        for rank in (0..self.ranks.size()).filter(|&rank| rank != own) {
            self.farewells.process_at_rank(rank).send(&exchanges);
        }
        let others = self.done.borrow().len() - 1;
        while self.done.borrow().iter().flatten().count() < others {
            self.hear_farewell(&self.farewells.any_process().probe());
        }
    }

    #[allow(clippy::cast_sign_loss)] // MPI's ranks are not negative
    fn hear_farewell(&self, status: &mpi::point_to_point::Status) {
        let rank = status.source_rank();
        let (exchanges, _) = self.farewells.process_at_rank(rank).receive::<u64>();
        self.done.borrow_mut()[rank as usize] = Some(exchanges);
    }

    /// Ends the job where a rank is done that would have to take part in the exchange going on.
    fn miss_no_one(&self) {
        if let Some(status) = self.farewells.any_process().immediate_probe() {
            self.hear_farewell(&status);
        }
        let exchanges = self.exchanges.get();
        let missing = |done: &Option<u64>| done.is_some_and(|done| done < exchanges);
        if let Some(rank) = self.done.borrow().iter().position(missing) {
            let own = self.ranks.rank();
            let line = format!(
                "error on rank {own}: rank {rank} has left the job, and this rank still waits for it; let all ranks make \
                 the same calls with their communicator\n"
            );
            eprint!("{line}");
            thread::sleep(LAST_WORDS);
            self.ranks.abort(FAILED);
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

    /// `MPI_Iallreduce`, of which the standard asks that all ranks receive identical results. An error of MPI itself ends the
    /// job. All ranks must give as many numbers: MPI does not look.
    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let inner = &*self.inner;
        inner.exchanges.set(inner.exchanges.get() + 1);
        let mut sums = inner.sums.borrow_mut();
        for part in numbers.chunks_mut(MESSAGE) {
            sums.resize(part.len(), 0.0);
            request::scope(|scope| {
                let sum = SystemOperation::sum();
                let mut request = inner.ranks.immediate_all_reduce_into(scope, &*part, &mut sums[..], sum);
                while let Err(pending) = request.test() {
                    request = pending;
                    inner.miss_no_one();
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

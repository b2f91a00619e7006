//! Ranks as threads of one process.

use super::Communicator;
use crate::error::Error;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// One of R ranks on R threads of this process, for testing distributed programs and for machines with several memories
/// but no MPI.
///
/// Sums are added in the order of the ranks. When a rank finishes, fails or panics, pending and later sums of the
/// others return an error, so that none waits for it.
#[derive(Clone, Debug)]
pub struct Threads {
    member: Arc<Member>,
}

/// Shared by all handles of a rank. Dropping the last one ends the rank.
#[derive(Debug)]
struct Member {
    rank: usize,
    rendezvous: Arc<Rendezvous>,
}

/// Where the ranks of a job exchange their numbers.
#[derive(Debug)]
struct Rendezvous {
    rounds: Mutex<Rounds>,
    changed: Condvar,
}

#[derive(Debug)]
struct Rounds {
    /// The numbers each rank has contributed to this round.
    parts: Vec<Vec<f64>>,
    arrived: usize,
    /// The number of numbers of the first rank to arrive.
    length: usize,
    /// The sum of the last round, kept until all ranks have arrived at the next.
    sum: Vec<f64>,
    /// The number of completed rounds.
    completed: usize,
    /// Why there will be no further round.
    broken: Option<String>,
}

impl Threads {
    /// Runs `work` on `ranks` threads, one per rank, and returns their results in the order of the ranks.
    ///
    /// If `work` panics, the result of its rank is an error. All ranks share rayon's thread pool.
    ///
    /// ```
    /// use expnet::communicator::{Communicator, Threads};
    ///
    /// let sums = Threads::run(3, |world| {
    ///     let mut numbers = [world.rank() as f64, 1.0];
    ///     world.all_reduce_sum(&mut numbers)?;
    ///     Ok(numbers)
    /// });
    /// for sum in sums {
    ///     assert_eq!(sum?, [3.0, 3.0]);
    /// }
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn run<R: Send>(ranks: usize, work: impl Fn(Self) -> Result<R, Error> + Sync) -> Vec<Result<R, Error>> {
        Self::run_each(ranks, &work)
    }

    /// Takes a trait object so that it is compiled once per result type instead of once per closure.
    fn run_each<R: Send>(ranks: usize, work: &(dyn Fn(Self) -> Result<R, Error> + Sync)) -> Vec<Result<R, Error>> {
        let rendezvous = Arc::new(Rendezvous {
            rounds: Mutex::new(Rounds {
                parts: vec![Vec::new(); ranks],
                arrived: 0,
                length: 0,
                sum: Vec::new(),
                completed: 0,
                broken: None,
            }),
            changed: Condvar::new(),
        });
        let members: Vec<Arc<Member>> = (0..ranks)
            .map(|rank| {
                let rendezvous = Arc::clone(&rendezvous);
                Arc::new(Member { rank, rendezvous })
            })
            .collect();
        thread::scope(|scope| {
            let start = |member: Arc<Member>| {
                let rank = member.rank;
                let guarded = move || {
                    catch_unwind(AssertUnwindSafe(|| work(Self { member })))
                        .unwrap_or_else(|panic| Err(panicked(rank, panic.as_ref())))
                };
                thread::Builder::new().spawn_scoped(scope, guarded)
            };
            let started: Vec<_> = members.into_iter().map(start).collect();
            started
                .into_iter()
                .enumerate()
                .map(|(rank, thread)| match thread {
                    Ok(thread) => thread
                        .join()
                        .unwrap_or_else(|panic| Err(panicked(rank, panic.as_ref()))),
                    Err(source) => Err(Error::Io {
                        action: format!("starting the thread of rank {rank}"),
                        source,
                    }),
                })
                .collect()
        })
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.member.rank
    }

    fn size(&self) -> usize {
        self.member.rendezvous.lock().parts.len()
    }

    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let rendezvous = &self.member.rendezvous;
        let mut rounds = rendezvous.lock();
        let completed = rounds.completed;
        rounds.contribute(self.member.rank, numbers);
        if rounds.arrived == rounds.parts.len() {
            rounds.complete();
            rendezvous.changed.notify_all();
        }
        while rounds.completed == completed {
            if let Some(problem) = &rounds.broken {
                let problem = problem.clone();
                rendezvous.changed.notify_all();
                return Err(Error::Ranks {
                    problem,
                    remedy: "see that rank's own error",
                });
            }
            rounds = rendezvous.changed.wait(rounds).unwrap_or_else(PoisonError::into_inner);
        }
        numbers.copy_from_slice(&rounds.sum);
        Ok(())
    }
}

impl Rendezvous {
    /// Ignores poisoning: nothing panics while it holds the lock, so the data is always consistent.
    fn lock(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rounds {
    fn contribute(&mut self, rank: usize, numbers: &[f64]) {
        if self.arrived == 0 {
            self.length = numbers.len();
        }
        let (expected, found) = (self.length, numbers.len());
        if found != expected {
            let problem = || format!("rank {rank} contributed {found} numbers to a sum of {expected}");
            self.broken.get_or_insert_with(problem);
        }
        self.parts[rank].clear();
        self.parts[rank].extend_from_slice(numbers);
        self.arrived += 1;
    }

    /// Adds in the order of the ranks, not in the order of arrival.
    fn complete(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let Some((first, others)) = self.parts.split_first() else {
            return;
        };
        self.sum.clone_from(first);
        for part in others {
            self.sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        self.arrived = 0;
        self.completed += 1;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let how = if thread::panicking() {
            "has panicked"
        } else {
            "has left the job"
        };
        let mut rounds = self.rendezvous.lock();
        rounds.broken.get_or_insert_with(|| format!("rank {} {how}", self.rank));
        self.rendezvous.changed.notify_all();
    }
}

fn panicked(rank: usize, panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::Ranks {
        problem: format!("rank {rank} has panicked: {message}"),
        remedy: "see the panic message on stderr",
    }
}

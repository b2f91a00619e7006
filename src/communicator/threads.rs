//! Ranks as threads of one process.

use super::Communicator;
use crate::error::Error;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A rank among R ranks on R threads of this process: for tests of distributed programs, and for machines with several
/// memories but no MPI.
///
/// Sums are taken in the order of the ranks. A rank that ends, fails or panics makes the sums of the others an error, so
/// that none waits for it.
#[derive(Clone, Debug)]
pub struct Threads {
    member: Arc<Member>,
}

/// The end of the last handle is the end of the rank.
#[derive(Debug)]
struct Member {
    rank: usize,
    meeting: Arc<Meeting>,
}

/// Where the ranks of a job meet.
#[derive(Debug)]
struct Meeting {
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Debug)]
struct Table {
    /// What each rank has brought to this round.
    parts: Vec<Vec<f64>>,
    arrived: usize,
    /// How many numbers the first to arrive has brought.
    length: usize,
    /// That of the last round, until all ranks have come to the next.
    sum: Vec<f64>,
    /// Rounds completed.
    round: usize,
    /// Why there will be no further round.
    broken: Option<String>,
}

impl Threads {
    /// Runs `work` on `ranks` threads, one for each rank, and returns what each of them returned, in the order of the ranks.
    ///
    /// A panic of `work` is an error of its rank. Sweeps of all ranks share rayon's pool.
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

    /// Compiled once for each kind of answer, not for each closure.
    fn run_each<R: Send>(ranks: usize, work: &(dyn Fn(Self) -> Result<R, Error> + Sync)) -> Vec<Result<R, Error>> {
        let meeting = Arc::new(Meeting {
            table: Mutex::new(Table {
                parts: vec![Vec::new(); ranks],
                arrived: 0,
                length: 0,
                sum: Vec::new(),
                round: 0,
                broken: None,
            }),
            changed: Condvar::new(),
        });
        let members: Vec<Arc<Member>> = (0..ranks)
            .map(|rank| {
                let meeting = Arc::clone(&meeting);
                Arc::new(Member { rank, meeting })
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
        self.member.meeting.open().parts.len()
    }

    fn all_reduce_sum(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let meeting = &self.member.meeting;
        let mut table = meeting.open();
        let round = table.round;
        table.bring(self.member.rank, numbers);
        if table.arrived == table.parts.len() {
            table.add_up();
            meeting.changed.notify_all();
        }
        while table.round == round {
            if let Some(problem) = &table.broken {
                let problem = problem.clone();
                meeting.changed.notify_all();
                return Err(Error::Ranks {
                    problem,
                    remedy: "see that rank's own error",
                });
            }
            table = meeting.changed.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
        numbers.copy_from_slice(&table.sum);
        Ok(())
    }
}

impl Meeting {
    /// A panic of another rank leaves the table whole: nothing in here panics halfway.
    fn open(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn bring(&mut self, rank: usize, numbers: &[f64]) {
        if self.arrived == 0 {
            self.length = numbers.len();
        }
        let (expected, found) = (self.length, numbers.len());
        if found != expected {
            let problem = || format!("rank {rank} has brought {found} numbers to a sum of {expected}");
            self.broken.get_or_insert_with(problem);
        }
        self.parts[rank].clear();
        self.parts[rank].extend_from_slice(numbers);
        self.arrived += 1;
    }

    /// In the order of the ranks, whoever came last.
    fn add_up(&mut self) {
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
        self.round += 1;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let how = if thread::panicking() {
            "has panicked"
        } else {
            "has left the job"
        };
        let mut table = self.meeting.open();
        table.broken.get_or_insert_with(|| format!("rank {} {how}", self.rank));
        self.meeting.changed.notify_all();
    }
}

fn panicked(rank: usize, panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    Error::Ranks {
        problem: format!("rank {rank} has panicked: {message}"),
        remedy: "see its message, which stands on stderr too",
    }
}

//! Numbers of all ranks on their way into one file.

use super::Communicator;
use super::link::agree;
use crate::error::Error;
use crate::float::Float;
use num_traits::ToPrimitive;
use std::cell::{Cell, RefCell};
use std::io;

/// Numbers of a message.
const MESSAGE: usize = 8192;

/// Shows every rank the numbers of all, a message at a time, so that none holds those of another.
///
/// All messages have one length, and begin with the number of ranks that have failed: as with a run's frames, whoever fails
/// says so in the message that the others wait for.
pub(crate) struct Gather<'a> {
    world: &'a dyn Communicator,
    message: RefCell<Vec<f64>>,
    open: Cell<bool>,
}

impl<'a> Gather<'a> {
    pub fn new(world: &'a dyn Communicator) -> Self {
        Self {
            world,
            message: RefCell::default(),
            open: Cell::new(true),
        }
    }

    /// How many neurons each rank has; all must have neurons of the same dimension.
    pub fn widths(&self, (dimension, width): (usize, usize)) -> Result<Vec<usize>, Error> {
        let size = self.world.size();
        let mut numbers = vec![0.0; size + 2];
        numbers[self.world.rank()] = width as f64;
        numbers[size] = dimension as f64;
        numbers[size + 1] = (dimension as f64).powi(2);
        self.world.all_reduce_sum(&mut numbers)?;
        if agree(size, numbers[size], numbers[size + 1]) {
            return Ok(numbers[..size]
                .iter()
                .map(|width| width.to_usize().unwrap_or(0))
                .collect());
        }
        Err(Error::Ranks {
            problem: format!("the neurons of this rank have dimension {dimension}, and others another"),
            remedy: "give each rank a share of the same network",
        })
    }

    /// Hands out, on every rank, the numbers of all ranks in their order: of rank r, `lengths[r]` numbers. `own` hands out
    /// those of this rank, in parts of any length.
    pub fn numbers<T: Float>(
        &self,
        lengths: &[usize],
        own: impl FnOnce(&mut dyn FnMut(&[T]) -> io::Result<()>) -> io::Result<()>,
        mut give: impl FnMut(&[T]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.world.size() == 1 {
            return own(&mut give);
        }
        let (before, rest) = lengths.split_at(self.world.rank());
        before.iter().try_for_each(|&length| self.receive(length, &mut give))?;
        let mut part = Vec::with_capacity(MESSAGE);
        own(&mut |mut numbers: &[T]| {
            while !numbers.is_empty() {
                let (now, later) = numbers.split_at(numbers.len().min(MESSAGE - part.len()));
                part.extend_from_slice(now);
                numbers = later;
                if part.len() == MESSAGE {
                    self.exchange(0.0, &part)?;
                    give(&part)?;
                    part.clear();
                }
            }
            Ok(())
        })?;
        if !part.is_empty() {
            self.exchange(0.0, &part)?;
            give(&part)?;
        }
        let mut after = rest.iter().skip(1);
        after.try_for_each(|&length| self.receive(length, &mut give))
    }

    /// Hands out so many numbers of another rank.
    fn receive<T: Float>(&self, length: usize, give: &mut impl FnMut(&[T]) -> io::Result<()>) -> io::Result<()> {
        let mut part = Vec::with_capacity(MESSAGE.min(length));
        for from in (0..length).step_by(MESSAGE) {
            self.exchange::<T>(0.0, &[])?;
            part.clear();
            let numbers = &self.message.borrow()[1..=MESSAGE.min(length - from)];
            part.extend(numbers.iter().map(|&x| T::lit(x)));
            give(&part)?;
        }
        Ok(())
    }

    /// The last message: whether all went well on all ranks.
    pub fn end(&self, own: Result<(), Error>) -> Result<(), Error> {
        let met = if self.open.get() {
            self.exchange::<f64>(f64::from(u8::from(own.is_err())), &[])
        } else {
            Ok(())
        };
        own?;
        met.map_err(|error| elsewhere(&error))
    }

    fn exchange<T: Float>(&self, failed: f64, own: &[T]) -> io::Result<()> {
        let mut message = self.message.borrow_mut();
        message.clear();
        message.push(failed);
        message.extend(own.iter().map(|x| x.as_f64()));
        // -0 is what adds nothing to any number, 0 and -0 included.
        message.resize(1 + MESSAGE, -0.0);
        let met = self
            .world
            .all_reduce_sum(&mut message)
            .map_err(|error| io::Error::other(error.to_string()));
        let met = met.and_then(|()| match message[0] {
            0.0 => Ok(()),
            _ => Err(io::Error::other("another rank could not go on")),
        });
        self.open.set(met.is_ok());
        met
    }
}

/// The error of a rank that could not get the numbers of another.
pub(crate) fn elsewhere(error: &io::Error) -> Error {
    Error::Ranks {
        problem: error.to_string(),
        remedy: "see the error on that rank",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::Threads;

    const LENGTHS: [usize; 3] = [3 * MESSAGE + 5, 7, MESSAGE];

    /// Gathers the numbers of three ranks, which hand out theirs in parts of `part`; `give` takes those on rank 0.
    fn gathered<R: Send>(
        part: usize,
        give: impl Fn(&mut R, &[f64]) -> io::Result<()> + Sync,
        start: impl Fn() -> R + Sync,
    ) -> Vec<Result<R, Error>> {
        Threads::run(3, |world| {
            let (gather, rank) = (Gather::new(&world), world.rank());
            let first: usize = LENGTHS[..rank].iter().sum();
            let own: Vec<f64> = (first..first + LENGTHS[rank]).map(|i| i as f64).collect();
            let mut found = start();
            let done = gather.numbers(
                &LENGTHS,
                |give| own.chunks(part).try_for_each(give),
                |numbers| if rank == 0 { give(&mut found, numbers) } else { Ok(()) },
            );
            gather.end(done.map_err(|error| elsewhere(&error)))?;
            Ok(found)
        })
    }

    #[test]
    fn numbers_come_in_the_order_of_the_ranks() {
        for part in [1, 1000, MESSAGE, 100_000] {
            let answers = gathered(
                part,
                |found: &mut Vec<f64>, numbers| {
                    found.extend_from_slice(numbers);
                    Ok(())
                },
                Vec::new,
            );
            let found: Vec<Vec<f64>> = answers.into_iter().collect::<Result<_, _>>().unwrap();
            assert!(found[0].iter().copied().eq((0..LENGTHS.iter().sum()).map(|i| i as f64)));
        }
    }

    #[test]
    fn a_disk_that_fills_up_is_an_error_on_all() {
        // 4 messages of rank 0, and 1 of each of the others.
        for room in 0..6 {
            let full = |given: &mut usize, _: &[f64]| {
                *given += 1;
                if *given > room {
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                Ok(())
            };
            let answers = gathered(1000, full, || 0);
            let texts: Vec<_> = answers
                .into_iter()
                .map(|answer| answer.unwrap_err().to_string())
                .collect();
            assert!(texts[0].starts_with("no storage space"), "{texts:?}");
            assert!(
                texts[1..].iter().all(|text| text.starts_with("another rank")),
                "{texts:?}"
            );
        }
        assert!(gathered(1000, |_: &mut u8, _| Ok(()), || 0).iter().all(Result::is_ok));
    }
}

//! Gathering the numbers of all ranks, for writing them to one file.

use super::link::{Exchange, Link};
use crate::checksum::Checksum;
use crate::error::Error;
use crate::float::Float;
use num_traits::ToPrimitive;

/// The number of numbers per message.
const MESSAGE: usize = 8192;

impl Link<'_> {
    /// Passes the numbers of all ranks to `sink` on every rank, in the order of the ranks and one message at a time, so
    /// that no rank holds the numbers of another. Rank r has `lengths[r]` numbers. `own` passes on those of this rank,
    /// in pieces of any length.
    ///
    /// A rank that fails tells the others with [`leave_on_error`](Link::leave_on_error), as always.
    pub fn gather<T: Float, E: From<Error>>(
        &self,
        lengths: &[usize],
        own: impl FnOnce(&mut dyn FnMut(&[T]) -> Result<(), E>) -> Result<(), E>,
        mut sink: impl FnMut(&[T]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_solo() {
            return own(&mut sink);
        }
        let (before, rest) = lengths.split_at(self.rank());
        before.iter().try_for_each(|&length| self.receive(length, &mut sink))?;
        let mut message = Vec::with_capacity(MESSAGE);
        own(&mut |mut numbers: &[T]| {
            while !numbers.is_empty() {
                let (now, later) = numbers.split_at(numbers.len().min(MESSAGE - message.len()));
                message.extend_from_slice(now);
                numbers = later;
                if message.len() == MESSAGE {
                    self.send(&message)?;
                    sink(&message)?;
                    message.clear();
                }
            }
            Ok(())
        })?;
        if !message.is_empty() {
            self.send(&message)?;
            sink(&message)?;
        }
        let mut after = rest.iter().skip(1);
        after.try_for_each(|&length| self.receive(length, &mut sink))
    }

    /// The numbers of all ranks, in the order of the ranks, on every rank.
    pub fn gather_all<T: Float>(&self, lengths: &[usize], own: &[T]) -> Result<Vec<T>, Error> {
        let mut all = Vec::with_capacity(lengths.iter().sum());
        self.gather(
            lengths,
            |sink| sink(own),
            |part: &[T]| {
                all.extend_from_slice(part);
                Ok::<(), Error>(())
            },
        )?;
        Ok(all)
    }

    /// Passes `length` numbers of another rank to `sink`.
    fn receive<T: Float, E: From<Error>>(
        &self,
        length: usize,
        sink: &mut impl FnMut(&[T]) -> Result<(), E>,
    ) -> Result<(), E> {
        for from in (0..length).step_by(MESSAGE) {
            // -0 is the neutral element of addition, for 0 and -0 too.
            let mut message = vec![-0.0; MESSAGE.min(length - from)];
            self.sum(Exchange::Gather, &mut message)?;
            let numbers: Vec<T> = message.into_iter().map(T::lit).collect();
            sink(&numbers)?;
        }
        Ok(())
    }

    /// Sends numbers of this rank to the others.
    fn send<T: Float>(&self, numbers: &[T]) -> Result<(), Error> {
        let mut message: Vec<f64> = numbers.iter().map(|x| x.as_f64()).collect();
        self.sum(Exchange::Gather, &mut message)
    }

    /// The checksum of what all ranks feed, concatenated in the order of the ranks. Takes one exchange.
    pub fn checksum(&self, feed: impl FnOnce(&mut Checksum)) -> Result<u64, Error> {
        let mut own = Checksum::default();
        feed(&mut own);
        let [high, low] = halves(own.finish());
        let whole = Checksum::default().finish();
        let rows = self.all_gather([high, low, own.len() as f64])?;
        Ok(rows.into_iter().fold(whole, |whole, [high, low, len]| {
            Checksum::join(whole, from_halves([high, low]), len.to_u64().unwrap_or(0))
        }))
    }

    /// Whether all ranks pass the same `fingerprint`. Takes one exchange.
    pub fn is_same_on_all(&self, fingerprint: u64) -> Result<bool, Error> {
        let own = halves(fingerprint);
        Ok(self.all_gather(own)?.into_iter().all(|other| other == own))
    }
}

/// The high and low 32 bits, which f64 holds exactly.
fn halves(word: u64) -> [f64; 2] {
    [word >> 32, word & u64::from(u32::MAX)].map(|half| half as f64)
}

fn from_halves(halves: [f64; 2]) -> u64 {
    let [high, low] = halves.map(|half| half.to_u64().unwrap_or(0));
    high << 32 | low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::{Communicator, Threads};
    use std::io;

    const LENGTHS: [usize; 3] = [3 * MESSAGE + 5, 7, MESSAGE];

    /// Gathers the numbers of three ranks, which pass on theirs in pieces of `piece`. On rank 0 they go to `sink`.
    fn gathered<R: Send>(
        piece: usize,
        sink: impl Fn(&mut R, &[f64]) -> Result<(), Error> + Sync,
        start: impl Fn() -> R + Sync,
    ) -> Vec<Result<R, Error>> {
        Threads::run(3, |world| {
            let (link, rank) = (Link::new(Box::new(&world)), world.rank());
            let first: usize = LENGTHS[..rank].iter().sum();
            let own: Vec<f64> = (first..first + LENGTHS[rank]).map(|i| i as f64).collect();
            let mut found = start();
            let done = link.gather(
                &LENGTHS,
                |give| own.chunks(piece).try_for_each(give),
                |numbers| if rank == 0 { sink(&mut found, numbers) } else { Ok(()) },
            );
            link.leave_on_error(done)?;
            link.finish()?;
            Ok(found)
        })
    }

    #[test]
    fn numbers_come_in_the_order_of_the_ranks() {
        for piece in [1, 1000, MESSAGE, 100_000] {
            let answers = gathered(
                piece,
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
    fn a_full_disk_is_an_error_on_all_ranks() {
        // Rank 0 sends 4 messages, each of the others 1.
        for room in 0..6 {
            let full = |given: &mut usize, _: &[f64]| {
                *given += 1;
                if *given > room {
                    return Err(Error::Io {
                        action: "writing".into(),
                        source: io::ErrorKind::StorageFull.into(),
                    });
                }
                Ok(())
            };
            let answers = gathered(1000, full, || 0);
            let texts: Vec<_> = answers
                .into_iter()
                .map(|answer| answer.unwrap_err().to_string())
                .collect();
            assert!(texts[0].starts_with("writing: no storage space"), "{texts:?}");
            assert!(
                texts[1..].iter().all(|text| text.starts_with("rank 0 of 3")),
                "{texts:?}"
            );
        }
        assert!(gathered(1000, |_: &mut u8, _| Ok(()), || 0).iter().all(Result::is_ok));
    }

    #[test]
    fn a_checksum_does_not_depend_on_the_ranks() {
        let numbers: Vec<f64> = (0..20).map(|i| f64::from(i).sin()).collect();
        for shares in [vec![20], vec![7, 13], vec![1, 18, 1], vec![0, 20]] {
            let answers = Threads::run(shares.len(), |world| {
                let (rank, link) = (world.rank(), Link::new(Box::new(world)));
                let first: usize = shares[..rank].iter().sum();
                let whole = link.checksum(|checksum| checksum.feed(&numbers[first..][..shares[rank]]))?;
                link.finish()?;
                Ok(whole)
            });
            let expected = Checksum::of(&numbers).finish();
            assert!(answers.into_iter().all(|answer| answer.unwrap() == expected));
        }
    }
}

//! Numbers of all ranks on their way into one file.

use super::link::{Link, Sum};
use crate::checksum::Checksum;
use crate::error::Error;
use crate::float::Float;
use num_traits::ToPrimitive;

/// Numbers of a message.
const MESSAGE: usize = 8192;

impl Link<'_> {
    /// Hands out, on every rank, the numbers of all ranks in their order, a message at a time, so that no rank holds those
    /// of another: `lengths[r]` numbers of rank r. `own` hands out those of this rank, in parts of any length.
    ///
    /// A rank that fails says so, as always, by [`pass`](Link::pass).
    pub fn gather<T: Float, E: From<Error>>(
        &self,
        lengths: &[usize],
        own: impl FnOnce(&mut dyn FnMut(&[T]) -> Result<(), E>) -> Result<(), E>,
        mut give: impl FnMut(&[T]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_solo() {
            return own(&mut give);
        }
        let (before, rest) = lengths.split_at(self.rank());
        before.iter().try_for_each(|&length| self.receive(length, &mut give))?;
        let mut part = Vec::with_capacity(MESSAGE);
        own(&mut |mut numbers: &[T]| {
            while !numbers.is_empty() {
                let (now, later) = numbers.split_at(numbers.len().min(MESSAGE - part.len()));
                part.extend_from_slice(now);
                numbers = later;
                if part.len() == MESSAGE {
                    self.show(&part)?;
                    give(&part)?;
                    part.clear();
                }
            }
            Ok(())
        })?;
        if !part.is_empty() {
            self.show(&part)?;
            give(&part)?;
        }
        let mut after = rest.iter().skip(1);
        after.try_for_each(|&length| self.receive(length, &mut give))
    }

    /// Hands out so many numbers of another rank.
    fn receive<T: Float, E: From<Error>>(
        &self,
        length: usize,
        give: &mut impl FnMut(&[T]) -> Result<(), E>,
    ) -> Result<(), E> {
        for from in (0..length).step_by(MESSAGE) {
            // -0 is what adds nothing to any number, 0 and -0 included.
            let mut message = vec![-0.0; MESSAGE.min(length - from)];
            self.sum(Sum::Gather, &mut message)?;
            let numbers: Vec<T> = message.into_iter().map(T::lit).collect();
            give(&numbers)?;
        }
        Ok(())
    }

    /// Shows numbers of this rank to the others.
    fn show<T: Float>(&self, numbers: &[T]) -> Result<(), Error> {
        let mut message: Vec<f64> = numbers.iter().map(|x| x.as_f64()).collect();
        self.sum(Sum::Gather, &mut message)
    }

    /// The checksum of what all ranks feed, one after the other. One exchange.
    pub fn checksum(&self, feed: impl FnOnce(&mut Checksum)) -> Result<u64, Error> {
        let mut own = Checksum::default();
        feed(&mut own);
        let [high, low] = halves(own.finish());
        let whole = Checksum::default().finish();
        let parts = self.table([high, low, own.len() as f64])?;
        Ok(parts.into_iter().fold(whole, |whole, [high, low, len]| {
            Checksum::join(whole, from_halves([high, low]), len.to_u64().unwrap_or(0))
        }))
    }

    /// Whether all ranks give the same mark. One exchange.
    pub fn is_same_on_all(&self, mark: u64) -> Result<bool, Error> {
        let own = halves(mark);
        Ok(self.table(own)?.into_iter().all(|other| other == own))
    }
}

/// As numbers that hold them exactly.
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

    /// Gathers the numbers of three ranks, which hand out theirs in parts of `part`; `give` takes those on rank 0.
    fn gathered<R: Send>(
        part: usize,
        give: impl Fn(&mut R, &[f64]) -> Result<(), Error> + Sync,
        start: impl Fn() -> R + Sync,
    ) -> Vec<Result<R, Error>> {
        Threads::run(3, |world| {
            let (link, rank) = (Link::new(Box::new(&world)), world.rank());
            let first: usize = LENGTHS[..rank].iter().sum();
            let own: Vec<f64> = (first..first + LENGTHS[rank]).map(|i| i as f64).collect();
            let mut found = start();
            let done = link.gather(
                &LENGTHS,
                |give| own.chunks(part).try_for_each(give),
                |numbers| if rank == 0 { give(&mut found, numbers) } else { Ok(()) },
            );
            link.pass(done)?;
            link.finish()?;
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

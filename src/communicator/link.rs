//! What a run says to its other ranks.

use super::{Communicator, Gather, Solo};
use crate::digest::Digest;
use crate::error::Error;
use num_traits::ToPrimitive;
use std::cell::RefCell;
use std::fmt;

/// Numbers in front of the payload: how many ranks have failed, the number of one that has (from 1), and the digest and
/// its square.
const HEAD: usize = 4;

/// Payload of a frame before a sweep has shown how much it needs.
const FIRST_ROOM: usize = 8;

/// A run's line to its other ranks.
///
/// Ranks exchange frames, each an all-reduce of a head and a payload. While a run lasts every frame has the same length,
/// so that a rank which fails anywhere can say so in the frame that the others are waiting for: the head counts failures.
/// A payload beyond that length goes after the frame that announces it, and the first such one of a sweep sets the length
/// from then on. After a failure, or the end of the run, the line is closed and nothing more is sent.
///
/// The digest tells what a rank believes to be doing. Ranks that disagree have sums of digests h that violate
/// R sum h^2 = (sum h)^2.
pub(crate) struct Link {
    world: Box<dyn Communicator>,
    state: RefCell<State>,
}

/// What a sum is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Start,
    Widths,
    Digest,
    Gather,
    Forward,
    Gradient,
    Proposal,
    Evaluation,
    TangentProduct,
    TangentGram,
    Moments,
    Movement,
    Vote,
    End,
}

struct State {
    /// Head and payload.
    frame: Vec<f64>,
    /// The payload's length.
    room: usize,
    frames: u64,
    /// What this rank has decided since the last frame.
    digest: Digest,
    /// Why nothing more is sent.
    closed: Option<(String, &'static str)>,
}

impl Link {
    pub fn new(world: Box<dyn Communicator>) -> Self {
        let state = State {
            frame: Vec::new(),
            room: FIRST_ROOM,
            frames: 0,
            digest: Digest::default(),
            closed: None,
        };
        Self {
            world,
            state: RefCell::new(state),
        }
    }

    /// Nobody at the other end.
    pub fn solo() -> Self {
        Self::new(Box::new(Solo))
    }

    pub fn is_solo(&self) -> bool {
        self.world.size() <= 1
    }

    pub fn rank(&self) -> usize {
        self.world.rank()
    }

    pub fn size(&self) -> usize {
        self.world.size()
    }

    /// Something that all ranks must have decided alike, compared with the next frame.
    pub fn note(&self, decided: u64) {
        self.state.borrow_mut().digest.word(decided);
    }

    /// Replaces the numbers by their sums over the ranks.
    pub fn sum(&self, what: Sum, numbers: &mut [f64]) -> Result<(), Error> {
        if self.is_solo() {
            return Ok(());
        }
        self.note(what as u64);
        self.note(numbers.len() as u64);
        let room = self.state.borrow().room;
        if numbers.len() <= room {
            return self.exchange(numbers);
        }
        self.exchange(&mut [])?;
        let met = self.world.all_reduce_sum(numbers);
        if room == FIRST_ROOM && what != Sum::Widths {
            self.state.borrow_mut().room = numbers.len();
        }
        met.map_err(|error| self.close(error))
    }

    /// How many neurons each rank has.
    pub fn widths(&self, own: usize) -> Result<Vec<usize>, Error> {
        let mut widths = vec![0.0; self.size()];
        widths[self.rank()] = own as f64;
        self.sum(Sum::Widths, &mut widths)?;
        Ok(widths.into_iter().map(|width| width.to_usize().unwrap_or(0)).collect())
    }

    /// A line of its own for numbers on their way into a file, once all ranks are known to have come to this point.
    ///
    /// Its end is an error on all ranks or on none.
    pub fn gather(&self) -> Result<Gather<'_>, Error> {
        self.sum(Sum::Gather, &mut [])?;
        Ok(Gather::new(&*self.world))
    }

    /// The mark of what all ranks feed, in their order: each goes on from where the one before it stands. An exchange a rank.
    pub fn digest(&self, feed: impl FnOnce(&mut Digest)) -> Result<Digest, Error> {
        digest_over((self.rank(), self.size()), feed, |halves| self.sum(Sum::Digest, halves))
    }

    /// `local`, if all goes well. An error of this rank is made known to the others, whatever they are waiting for.
    pub fn pass<R>(&self, local: Result<R, Error>) -> Result<R, Error> {
        local.inspect_err(|_| self.leave())
    }

    /// The last frame of a run: all ranks have come to its end.
    pub fn finish(&self) -> Result<(), Error> {
        let met = self.sum(Sum::End, &mut []);
        self.state.borrow_mut().closed.get_or_insert_with(ended);
        met
    }

    /// The last frame of a run that ends before its time.
    pub fn leave(&self) {
        let mut state = self.state.borrow_mut();
        if !self.is_solo() && state.closed.is_none() {
            state.fill(&[], 0.0);
            (state.frame[0], state.frame[1]) = (1.0, self.rank() as f64 + 1.0);
            state.closed = Some(ended());
            // The others' answer changes nothing here.
            let _ = self.world.all_reduce_sum(&mut state.frame);
        }
    }

    fn exchange(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        if let Some((problem, remedy)) = state.closed.clone() {
            return Err(Error::Ranks { problem, remedy });
        }
        let own = state.stamp(self.size());
        state.fill(numbers, own);
        let met = self.world.all_reduce_sum(&mut state.frame);
        let met = met.and_then(|()| self.judge(&state.frame, state.frames));
        numbers.copy_from_slice(&state.frame[HEAD..][..numbers.len()]);
        drop(state);
        met.map_err(|error| self.close(error))
    }

    /// Keeps the reason for whoever asks next.
    fn close(&self, error: Error) -> Error {
        self.state.borrow_mut().closed = Some(match &error {
            Error::Ranks { problem, remedy } => (problem.clone(), remedy),
            error => (error.to_string(), "start the run anew"),
        });
        error
    }

    /// The same verdict on every rank, since all of them see the same head.
    fn judge(&self, frame: &[f64], number: u64) -> Result<(), Error> {
        let (failed, which, digests, squares) = (frame[0], frame[1], frame[2], frame[3]);
        let size = self.size();
        if failed > 0.0 {
            let who = if failed == 1.0 {
                format!("rank {}", which - 1.0)
            } else {
                format!("{failed} ranks")
            };
            return Err(Error::Ranks {
                problem: format!("{who} of {size} could not go on with the run"),
                remedy: "see the error on that rank",
            });
        }
        if !agree(size, digests, squares) {
            return Err(Error::Ranks {
                problem: format!("the {size} ranks have parted before exchange {number} of the run"),
                remedy: "give every rank the same data, schedule, method, settings and checkpoint, and observers that \
                         look at movements to all or none",
            });
        }
        Ok(())
    }
}

impl State {
    /// What stands for all decisions so far, as few enough bits that sums of its square are exact.
    fn stamp(&mut self, size: usize) -> f64 {
        self.frames += 1;
        self.digest.word(self.frames);
        short(self.digest, size)
    }

    fn fill(&mut self, numbers: &[f64], digest: f64) {
        self.frame.clear();
        self.frame.extend_from_slice(&[0.0, 0.0, digest, digest * digest]);
        self.frame.extend_from_slice(numbers);
        self.frame.resize(HEAD + self.room, 0.0);
    }
}

/// The mark of what all ranks feed, in their order, given how to sum two numbers over them.
pub(crate) fn digest_over(
    (own, size): (usize, usize),
    feed: impl FnOnce(&mut Digest),
    sum: impl Fn(&mut [f64]) -> Result<(), Error>,
) -> Result<Digest, Error> {
    let (mut digest, mut feed) = (Digest::default(), Some(feed));
    for rank in 0..size {
        let mut halves = [0.0; 2];
        if let Some(feed) = feed.take_if(|_| rank == own) {
            feed(&mut digest);
            halves = digest.halves();
        }
        sum(&mut halves)?;
        digest = Digest::from_halves(halves);
    }
    Ok(digest)
}

fn ended() -> (String, &'static str) {
    ("this run has ended".into(), "start another one on every rank")
}

/// As few bits of a digest as sums of its square over the ranks are exact with.
pub(super) fn short(digest: Digest, size: usize) -> f64 {
    (digest.finish() >> (64 - digest_bits(size))) as f64
}

/// R h^2 stays below 2^53.
fn digest_bits(size: usize) -> u32 {
    let size_bits = usize::BITS - size.leading_zeros();
    (53 - size_bits.min(45)) / 2
}

/// Whether all summands were equal, from their sum and that of their squares (Cauchy and Schwarz).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // both are exact whole numbers
pub(super) fn agree(size: usize, sum: f64, squares: f64) -> bool {
    size as u128 * squares as u128 == (sum as u128).pow(2)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("rank", &self.rank())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::Threads;

    #[test]
    fn a_digest_does_not_depend_on_the_ranks() {
        let numbers: Vec<f64> = (0..20).map(|i| f64::from(i).sin()).collect();
        for shares in [vec![20], vec![7, 13], vec![1, 18, 1]] {
            let answers = Threads::run(shares.len(), |world| {
                let (rank, link) = (world.rank(), Link::new(Box::new(world)));
                let first: usize = shares[..rank].iter().sum();
                let whole = link.digest(|digest| digest.feed(&numbers[first..][..shares[rank]]))?;
                link.finish()?;
                Ok(whole.finish())
            });
            assert!(
                answers
                    .into_iter()
                    .all(|answer| answer.unwrap() == Digest::of(&numbers).finish())
            );
        }
    }
}

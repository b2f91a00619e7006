//! Communication between the ranks of a run.

use super::{Communicator, Solo};
use crate::checksum::Checksum;
use crate::error::Error;
use num_traits::ToPrimitive;
use std::cell::RefCell;
use std::fmt;

/// The number of numbers in front of the payload: how many ranks have failed, the sum of their indices (from 1), the
/// stamp and its square.
const HEAD: usize = 4;

/// The capacity of a frame until the first longer payload sets it.
const INITIAL_CAPACITY: usize = 8;

/// The connection of one rank to the others during a run.
///
/// Ranks exchange frames, each an all-reduce of a head and a payload. All ranks send frames of the same length at any
/// time, so that a rank that fails anywhere can say so in the frame that the others are waiting for: the head counts
/// failures. A payload longer than the capacity of a frame follows in an all-reduce of its own, after an empty frame.
/// The first such payload, except for that of an all-gather, sets the capacity from then on. After a failure or the end
/// of the run, the link is closed and sends nothing more.
///
/// The stamp h is a hash of what a rank believes it is doing. If the R ranks disagree, their stamps violate
/// R sum h^2 = (sum h)^2.
pub(crate) struct Link<'w> {
    world: Box<dyn Communicator + 'w>,
    channel: RefCell<Channel>,
}

/// The purpose of an exchange. It goes into the stamp, so that all ranks must agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    Start,
    AllGather,
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

/// The state of a link.
struct Channel {
    /// Head and payload.
    frame: Vec<f64>,
    /// The maximum length of a payload inside a frame.
    capacity: usize,
    /// The number of frames sent.
    frames: u64,
    /// A hash of everything this rank has decided.
    decided: Checksum,
    /// Problem and remedy, once nothing more is sent.
    closed: Option<(String, &'static str)>,
}

impl<'w> Link<'w> {
    pub fn new(world: Box<dyn Communicator + 'w>) -> Self {
        let channel = Channel {
            frame: Vec::new(),
            capacity: INITIAL_CAPACITY,
            frames: 0,
            decided: Checksum::default(),
            closed: None,
        };
        Self {
            world,
            channel: RefCell::new(channel),
        }
    }

    /// The link of a run on one rank.
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

    /// Notes a decision that all ranks must have taken alike. The next frame compares it.
    pub fn note(&self, decided: u64) {
        self.channel.borrow_mut().decided.word(decided);
    }

    /// Replaces the numbers by their sums over the ranks.
    pub fn sum(&self, what: Exchange, numbers: &mut [f64]) -> Result<(), Error> {
        if self.is_solo() {
            return Ok(());
        }
        self.note(what as u64);
        self.note(numbers.len() as u64);
        let capacity = self.channel.borrow().capacity;
        if numbers.len() <= capacity {
            return self.exchange(numbers);
        }
        self.exchange(&mut [])?;
        let reduced = self.world.all_reduce_sum(numbers);
        if capacity == INITIAL_CAPACITY && what != Exchange::AllGather {
            self.channel.borrow_mut().capacity = numbers.len();
        }
        reduced.map_err(|error| self.close(error))
    }

    /// The numbers of each rank, in the order of the ranks.
    pub fn all_gather<const N: usize>(&self, own: [f64; N]) -> Result<Vec<[f64; N]>, Error> {
        let mut numbers = vec![[0.0; N]; self.size()];
        numbers[self.rank()] = own;
        self.sum(Exchange::AllGather, numbers.as_flattened_mut())?;
        Ok(numbers)
    }

    /// The number of neurons on each rank.
    pub fn widths(&self, own: usize) -> Result<Vec<usize>, Error> {
        let widths = self.all_gather([own as f64])?;
        Ok(widths
            .into_iter()
            .map(|[width]| width.to_usize().unwrap_or(0))
            .collect())
    }

    /// Returns `local`. If it is an error, tells the other ranks, whatever they are waiting for.
    pub fn leave_on_error<R>(&self, local: Result<R, Error>) -> Result<R, Error> {
        local.inspect_err(|_| self.leave())
    }

    /// Sends the last frame of a run that all ranks have finished.
    pub fn finish(&self) -> Result<(), Error> {
        let result = self.sum(Exchange::End, &mut []);
        self.channel.borrow_mut().closed.get_or_insert_with(ended);
        result
    }

    /// Sends the last frame of a run that this rank abandons.
    pub fn leave(&self) {
        let mut channel = self.channel.borrow_mut();
        if !self.is_solo() && channel.closed.is_none() {
            channel.fill(&[], 0.0);
            (channel.frame[0], channel.frame[1]) = (1.0, self.rank() as f64 + 1.0);
            channel.closed = Some(ended());
            // This rank leaves whatever the others reply.
            let _ = self.world.all_reduce_sum(&mut channel.frame);
        }
    }

    fn exchange(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let mut channel = self.channel.borrow_mut();
        if let Some((problem, remedy)) = channel.closed.clone() {
            return Err(Error::Ranks { problem, remedy });
        }
        let stamp = channel.stamp(self.size());
        channel.fill(numbers, stamp);
        let reduced = self.world.all_reduce_sum(&mut channel.frame);
        let checked = reduced.and_then(|()| self.check_head(&channel.frame, channel.frames));
        numbers.copy_from_slice(&channel.frame[HEAD..][..numbers.len()]);
        drop(channel);
        checked.map_err(|error| self.close(error))
    }

    /// Closes the link. Later exchanges return the same error.
    fn close(&self, error: Error) -> Error {
        self.channel.borrow_mut().closed = Some(match &error {
            Error::Ranks { problem, remedy } => (problem.clone(), remedy),
            error => (error.to_string(), "restart the run on every rank"),
        });
        error
    }

    /// Checks the summed head of a frame. The result is the same on every rank, because all see the same head.
    fn check_head(&self, frame: &[f64], number: u64) -> Result<(), Error> {
        let (failed, indices, stamps, squares) = (frame[0], frame[1], frame[2], frame[3]);
        let size = self.size();
        if failed > 0.0 {
            let who = if failed == 1.0 {
                format!("rank {} of {size} has", indices - 1.0)
            } else {
                format!("{failed} of {size} ranks have")
            };
            return Err(Error::Ranks {
                problem: format!("{who} failed"),
                remedy: "see the error on that rank",
            });
        }
        if !agree(size, stamps, squares) {
            return Err(Error::Ranks {
                problem: format!("the {size} ranks disagree at exchange {number} of the run"),
                remedy: "give every rank the same data, schedule, method, settings and checkpoint, and observers that \
                         ask for movements to all of them or none",
            });
        }
        Ok(())
    }
}

impl Channel {
    /// A hash of all decisions so far, with few enough bits that the sum of its squares over the ranks is exact.
    fn stamp(&mut self, size: usize) -> f64 {
        self.frames += 1;
        self.decided.word(self.frames);
        (self.decided.finish() >> (64 - stamp_bits(size))) as f64
    }

    fn fill(&mut self, numbers: &[f64], stamp: f64) {
        self.frame.clear();
        self.frame.extend_from_slice(&[0.0, 0.0, stamp, stamp * stamp]);
        self.frame.extend_from_slice(numbers);
        self.frame.resize(HEAD + self.capacity, 0.0);
    }
}

fn ended() -> (String, &'static str) {
    ("this run has ended".into(), "start a new one on every rank")
}

/// The largest number of bits of h such that R h^2 < 2^53.
fn stamp_bits(size: usize) -> u32 {
    let size_bits = usize::BITS - size.leading_zeros();
    (53 - size_bits.min(45)) / 2
}

/// Whether all summands were equal, from their sum and the sum of their squares: equality in Cauchy-Schwarz.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // both are whole numbers, stored exactly
fn agree(size: usize, sum: f64, squares: f64) -> bool {
    size as u128 * squares as u128 == (sum as u128).pow(2)
}

impl fmt::Debug for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("rank", &self.rank())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

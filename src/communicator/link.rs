//! What a run says to its other ranks.

use super::{Communicator, Solo};
use crate::checksum::Checksum;
use crate::error::Error;
use num_traits::ToPrimitive;
use std::cell::RefCell;
use std::fmt;

/// Numbers in front of the payload: how many ranks have failed, the number of one that has (from 1), and the stamp and
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
/// The stamp tells what a rank believes it is doing. Ranks that disagree have sums of stamps h that violate
/// R sum h^2 = (sum h)^2.
pub(crate) struct Link<'w> {
    world: Box<dyn Communicator + 'w>,
    line: RefCell<Line>,
}

/// What a sum is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Start,
    Table,
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

/// What has gone over it so far.
struct Line {
    /// Head and payload.
    frame: Vec<f64>,
    /// The payload's length.
    room: usize,
    frames: u64,
    /// Of what this rank has decided.
    decided: Checksum,
    /// Why nothing more is sent.
    closed: Option<(String, &'static str)>,
}

impl<'w> Link<'w> {
    pub fn new(world: Box<dyn Communicator + 'w>) -> Self {
        let line = Line {
            frame: Vec::new(),
            room: FIRST_ROOM,
            frames: 0,
            decided: Checksum::default(),
            closed: None,
        };
        Self {
            world,
            line: RefCell::new(line),
        }
    }

    /// The line of a run on one rank.
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
        self.line.borrow_mut().decided.word(decided);
    }

    /// Replaces the numbers by their sums over the ranks.
    pub fn sum(&self, what: Sum, numbers: &mut [f64]) -> Result<(), Error> {
        if self.is_solo() {
            return Ok(());
        }
        self.note(what as u64);
        self.note(numbers.len() as u64);
        let room = self.line.borrow().room;
        if numbers.len() <= room {
            return self.exchange(numbers);
        }
        self.exchange(&mut [])?;
        let met = self.world.all_reduce_sum(numbers);
        if room == FIRST_ROOM && what != Sum::Table {
            self.line.borrow_mut().room = numbers.len();
        }
        met.map_err(|error| self.close(error))
    }

    /// The numbers of each rank, in the order of the ranks.
    pub fn table<const N: usize>(&self, own: [f64; N]) -> Result<Vec<[f64; N]>, Error> {
        let mut numbers = vec![[0.0; N]; self.size()];
        numbers[self.rank()] = own;
        self.sum(Sum::Table, numbers.as_flattened_mut())?;
        Ok(numbers)
    }

    /// How many neurons each rank has.
    pub fn widths(&self, own: usize) -> Result<Vec<usize>, Error> {
        let widths = self.table([own as f64])?;
        Ok(widths
            .into_iter()
            .map(|[width]| width.to_usize().unwrap_or(0))
            .collect())
    }

    /// `local`, if all goes well. An error of this rank is made known to the others, whatever they are waiting for.
    pub fn pass<R>(&self, local: Result<R, Error>) -> Result<R, Error> {
        local.inspect_err(|_| self.leave())
    }

    /// The last frame of a run: all ranks have come to its end.
    pub fn finish(&self) -> Result<(), Error> {
        let met = self.sum(Sum::End, &mut []);
        self.line.borrow_mut().closed.get_or_insert_with(ended);
        met
    }

    /// The last frame of a run that ends before its time.
    pub fn leave(&self) {
        let mut line = self.line.borrow_mut();
        if !self.is_solo() && line.closed.is_none() {
            line.fill(&[], 0.0);
            (line.frame[0], line.frame[1]) = (1.0, self.rank() as f64 + 1.0);
            line.closed = Some(ended());
            // The others' answer changes nothing here.
            let _ = self.world.all_reduce_sum(&mut line.frame);
        }
    }

    fn exchange(&self, numbers: &mut [f64]) -> Result<(), Error> {
        let mut line = self.line.borrow_mut();
        if let Some((problem, remedy)) = line.closed.clone() {
            return Err(Error::Ranks { problem, remedy });
        }
        let own = line.stamp(self.size());
        line.fill(numbers, own);
        let met = self.world.all_reduce_sum(&mut line.frame);
        let met = met.and_then(|()| self.judge(&line.frame, line.frames));
        numbers.copy_from_slice(&line.frame[HEAD..][..numbers.len()]);
        drop(line);
        met.map_err(|error| self.close(error))
    }

    /// Keeps the reason for whoever asks next.
    fn close(&self, error: Error) -> Error {
        self.line.borrow_mut().closed = Some(match &error {
            Error::Ranks { problem, remedy } => (problem.clone(), remedy),
            error => (error.to_string(), "start the run anew"),
        });
        error
    }

    /// The same verdict on every rank, since all of them see the same head.
    fn judge(&self, frame: &[f64], number: u64) -> Result<(), Error> {
        let (failed, which, stamps, squares) = (frame[0], frame[1], frame[2], frame[3]);
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

impl Line {
    /// A mark of all decisions so far, of so few bits that sums of its square over the ranks are exact.
    fn stamp(&mut self, size: usize) -> f64 {
        self.frames += 1;
        self.decided.word(self.frames);
        (self.decided.finish() >> (64 - stamp_bits(size))) as f64
    }

    fn fill(&mut self, numbers: &[f64], stamp: f64) {
        self.frame.clear();
        self.frame.extend_from_slice(&[0.0, 0.0, stamp, stamp * stamp]);
        self.frame.extend_from_slice(numbers);
        self.frame.resize(HEAD + self.room, 0.0);
    }
}

fn ended() -> (String, &'static str) {
    ("this run has ended".into(), "start another one on every rank")
}

/// R h^2 stays below 2^53.
fn stamp_bits(size: usize) -> u32 {
    let size_bits = usize::BITS - size.leading_zeros();
    (53 - size_bits.min(45)) / 2
}

/// Whether all summands were equal, from their sum and that of their squares (Cauchy and Schwarz).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // both are exact whole numbers
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

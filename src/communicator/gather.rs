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
        met.map_err(elsewhere)
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
pub(crate) fn elsewhere(error: io::Error) -> Error {
    Error::Ranks {
        problem: error.to_string(),
        remedy: "see the error on that rank",
    }
}

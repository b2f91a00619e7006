//! Sums over the neurons of other ranks: threads that are further away.

use super::{GradientSums, Movement, SweepSums};
use crate::communicator::{Link, Sum};
use crate::error::Error;
use crate::float::Float;

/// Ranks may have computed their step sizes and duals on unlike machines.
const ROUNDING: f64 = 1e-9;

/// The line to the ranks with the other neurons.
#[derive(Debug)]
pub(super) struct Ranks {
    link: Link<'static>,
    /// What goes over it.
    message: Vec<f64>,
}

/// What all ranks must have decided alike before a sweep.
pub(super) struct Decided<'a, T> {
    pub step_size: f64,
    pub dual: Option<&'a [T]>,
}

impl Ranks {
    pub fn new(link: Link<'static>) -> Self {
        Self {
            link,
            message: Vec::new(),
        }
    }

    pub fn link(&self) -> &Link<'static> {
        &self.link
    }

    /// Turns the sums of a sweep, and the outputs that it evaluated, into those over all ranks, in one exchange.
    pub fn sum<T: Float>(
        &mut self,
        what: Sum,
        own: SweepSums,
        outputs: [&mut [f64]; 2],
        decided: &Decided<'_, T>,
    ) -> Result<SweepSums, Error> {
        if self.link.is_solo() {
            return Ok(own);
        }
        let (signed, size) = decided.dual.map_or((0.0, 0.0), weighed);
        let decided = [decided.step_size, size, signed];
        let message = &mut self.message;
        message.clear();
        message.extend_from_slice(&[
            f64::from(u8::from(!own.gradient.is_zero)),
            f64::from(u8::from(!own.all_finite)),
            own.gradient.norm_squared,
            own.gradient.dot_previous,
            own.gradient.dot_velocity,
            own.movement,
        ]);
        message.extend_from_slice(&decided);
        for outputs in &outputs {
            message.extend_from_slice(outputs);
        }
        self.link.sum(what, message)?;
        let (head, mut rest) = message.split_at(6 + decided.len());
        for outputs in outputs {
            let (own, others) = rest.split_at(outputs.len());
            outputs.copy_from_slice(own);
            rest = others;
        }
        let same = same_on_all(self.link.size(), &decided, &head[6..]);
        self.link.pass(same)?;
        Ok(SweepSums {
            gradient: GradientSums {
                is_zero: head[0] == 0.0,
                norm_squared: head[2],
                dot_previous: head[3],
                dot_velocity: head[4],
            },
            all_finite: head[1] == 0.0,
            movement: head[5],
        })
    }

    /// The largest movement by a sum: each rank has a place of its own.
    pub fn largest(&self, own: Movement) -> Result<Movement, Error> {
        if self.link.is_solo() {
            return Ok(own);
        }
        let mut parts = vec![0.0; 1 + self.link.size()];
        parts[0] = own.frobenius.powi(2);
        parts[1 + self.link.rank()] = own.largest;
        self.link.sum(Sum::Movement, &mut parts)?;
        Ok(Movement {
            // Unlike `f64::max`, this keeps what is not a number.
            largest: parts[1..]
                .iter()
                .copied()
                .fold(0.0, |a, b| if a >= b || a.is_nan() { a } else { b }),
            frobenius: parts[0].sqrt(),
        })
    }
}

/// Two numbers that different duals hardly share: a weighted sum of the entries, and of their sizes.
fn weighed<T: Float>(dual: &[T]) -> (f64, f64) {
    let weight = |i: usize| 1.5 + (i as f64 * 0.618_033_988_749_895).fract();
    let weighed = dual.iter().enumerate().map(|(i, v)| weight(i) * v.as_f64());
    weighed.fold((0.0, 0.0), |(signed, size), v| (signed + v, size + v.abs()))
}

/// Compares step size, size of the dual and signed sum of it; the last cancels, so its rounding is that of the size.
fn same_on_all(size: usize, own: &[f64; 3], sums: &[f64]) -> Result<(), Error> {
    let scales = [own[0], own[1], own[1]];
    let what = ["step size", "direction", "direction"];
    for (((own, sum), scale), what) in own.iter().zip(sums).zip(scales).zip(what) {
        let mean = sum / size as f64;
        let apart = (own - mean).abs();
        // Not-a-number is no agreement.
        if apart.is_nan() || apart > ROUNDING * scale.abs().max(mean.abs()) {
            return Err(Error::Ranks {
                problem: format!("the {what} of this rank is {own:e}, the mean over the {size} ranks {mean:e}"),
                remedy: "schedules and methods must answer alike on every rank: let them depend on nothing but what \
                         they are shown",
            });
        }
    }
    Ok(())
}

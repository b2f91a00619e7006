//! Sums over the neurons of all ranks.

use super::{GradientSums, Movement, SweepSums};
use crate::communicator::{Exchange, Link};
use crate::error::Error;
use crate::float::Float;

/// The tolerance for step sizes and duals that ranks have computed on different machines.
const ROUNDING: f64 = 1e-9;

/// The link to the ranks with the other neurons.
#[derive(Debug)]
pub(super) struct Ranks {
    link: Link<'static>,
    /// What it sends, and receives summed.
    message: Vec<f64>,
}

/// What all ranks must have decided in the same way before a sweep.
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

    /// Sums the results of a sweep, and the outputs that it evaluated, over all ranks. One exchange.
    pub fn sum<T: Float>(
        &mut self,
        what: Exchange,
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
            f64::from(u8::from(own.moved)),
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
        let (head, mut rest) = message.split_at(7 + decided.len());
        for outputs in outputs {
            let (own, others) = rest.split_at(outputs.len());
            outputs.copy_from_slice(own);
            rest = others;
        }
        let same = same_on_all(self.link.size(), &decided, &head[7..]);
        self.link.leave_on_error(same)?;
        Ok(SweepSums {
            gradient: GradientSums {
                is_zero: head[0] == 0.0,
                norm_squared: head[3],
                dot_previous: head[4],
                dot_velocity: head[5],
            },
            all_finite: head[1] == 0.0,
            moved: head[2] > 0.0,
            movement: head[6],
        })
    }

    /// The movement over all ranks. Finds the largest by a sum in which each rank has its own entry.
    pub fn largest(&self, own: Movement) -> Result<Movement, Error> {
        if self.link.is_solo() {
            return Ok(own);
        }
        let mut parts = vec![0.0; 1 + self.link.size()];
        parts[0] = own.frobenius.powi(2);
        parts[1 + self.link.rank()] = own.largest;
        self.link.sum(Exchange::Movement, &mut parts)?;
        Ok(Movement {
            // Unlike `f64::max`, this propagates NaN.
            largest: parts[1..]
                .iter()
                .copied()
                .fold(0.0, |a, b| if a >= b || a.is_nan() { a } else { b }),
            frobenius: parts[0].sqrt(),
        })
    }
}

/// Two numbers by which different duals are told apart: a weighted sum of the entries, and one of their absolute
/// values.
fn weighed<T: Float>(dual: &[T]) -> (f64, f64) {
    let weight = |i: usize| 1.5 + (i as f64 * 0.618_033_988_749_895).fract();
    let weighed = dual.iter().enumerate().map(|(i, v)| weight(i) * v.as_f64());
    weighed.fold((0.0, 0.0), |(signed, size), v| (signed + v, size + v.abs()))
}

/// Compares the step size and both sums of the dual; the signed one may cancel, so the other one is the scale of its
/// rounding.
fn same_on_all(size: usize, own: &[f64; 3], sums: &[f64]) -> Result<(), Error> {
    let scales = [own[0], own[1], own[1]];
    let what = ["step size", "direction", "direction"];
    for (((own, sum), scale), what) in own.iter().zip(sums).zip(scales).zip(what) {
        let mean = sum / size as f64;
        let apart = (own - mean).abs();
        // NaN never agrees.
        if apart.is_nan() || apart > ROUNDING * scale.abs().max(mean.abs()) {
            return Err(Error::Ranks {
                problem: format!("the {what} of this rank is {own:e}, the mean over the {size} ranks {mean:e}"),
                remedy: "schedules and methods must return the same on every rank: let them depend on nothing but their \
                         arguments",
            });
        }
    }
    Ok(())
}

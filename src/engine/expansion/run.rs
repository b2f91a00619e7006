//! A sweep by expansion.

use super::super::chunk::Chunk;
use super::super::plan::{Pass, Plan};
use super::super::points::{Coordinates, Points};
use super::super::sweep::{Job, Sweep};
use super::choice::{Facts, Order, Reach};
use super::monomials::MOST_COORDINATES;
use super::points::Packing;
use super::sums::Sums;
use crate::error::Error;
use crate::float::Float;
use crate::numbers::power_of_two;
use nalgebra::DVector;

/// The expansions of a run: when to use one, and their memory.
#[derive(Debug)]
pub(in super::super) struct Expansion {
    facts: Facts,
    /// Weights are multiplied by it, since points were divided.
    scale: f64,
    sums: Sums,
    /// Of the current and of the next weights, once they are known.
    reaches: [Option<Reach>; 2],
}

/// Whose reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum At {
    Current = 0,
    Next = 1,
}

/// Squared lengths that differ by this many units of rounding are equal.
const ROUNDING: f64 = 4.0;

/// An expansion must pay even if it had this degree: few have a lower one.
const LOWEST_DEGREE: usize = 10;

/// How far the points reach.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Extent {
    dimension: usize,
    /// The largest ||x_i||.
    radius: f64,
    /// The factor that brings it to at most 1: a power of two.
    scale: f64,
    on_sphere: bool,
}

impl Extent {
    /// `None` if the points have too many coordinates, or the plan rules expansions out.
    pub fn of<T: Float>(plan: &Plan, samples: &Coordinates<T>, validation: Option<&Coordinates<T>>) -> Option<Self> {
        let dimension = samples.matrix.nrows();
        if dimension > MOST_COORDINATES || plan.pass == Pass::Direct {
            return None;
        }
        let sets = [Some(samples), validation].into_iter().flatten();
        let squares = sets.flat_map(|points| &points.squares);
        let (shortest, longest) = squares.fold((f64::INFINITY, 0.0), |(low, high), &square| {
            (f64::min(low, square), f64::max(high, square))
        });
        let radius = longest.sqrt();
        let scale = if radius > 0.0 { 0.5 / power_of_two(radius) } else { 1.0 };
        Some(Self {
            dimension,
            radius,
            scale,
            on_sphere: dimension > 1
                && longest >= f64::MIN_POSITIVE / f64::EPSILON
                && longest - shortest <= ROUNDING * T::EPSILON.as_f64() * longest,
        })
    }

    /// How the points are packed.
    pub fn packing(&self) -> Packing {
        Packing {
            scale: self.scale,
            length: self.on_sphere.then_some(self.radius),
        }
    }
}

/// The sum of absolute values and the largest, in eight interleaved parts: else each would wait for the one before.
fn sum_and_largest<T: Float>(numbers: &[T]) -> (f64, f64) {
    let (mut sums, mut largest) = ([0.0; 8], [0.0; 8]);
    for part in numbers.chunks(8) {
        for ((sum, largest), number) in sums.iter_mut().zip(&mut largest).zip(part) {
            let size = number.as_f64().abs();
            *sum += size;
            *largest = f64::max(*largest, size);
        }
    }
    (sums.iter().sum(), largest.into_iter().fold(0.0, f64::max))
}

impl Expansion {
    pub fn new<T: Float>(plan: &Plan, output_weights: &DVector<T>, extent: &Extent) -> Self {
        let (total, largest) = sum_and_largest(output_weights.as_slice());
        Self {
            facts: Facts {
                dimension: extent.dimension,
                width: output_weights.len(),
                total,
                largest,
                radius: extent.radius,
                on_sphere: extent.on_sphere,
                lanes: plan.lanes_of::<T>(),
            },
            scale: 1.0 / extent.scale,
            sums: Sums::new(extent.radius * extent.scale),
            reaches: [None; 2],
        }
    }

    /// The expansion at `samples` points and copy `role` of the weights; `None` if it is not exact enough or not faster.
    pub fn order<T: Float>(
        &mut self,
        chunks: &[Chunk<T>],
        plan: &Plan,
        (at, role): (At, usize),
        samples: usize,
    ) -> Result<Option<Order>, Error> {
        // Whatever the weights, so that the many runs for which it never pays need not measure them.
        let lowest = Order {
            degree: LOWEST_DEGREE,
            kind: self.facts.kind(),
        };
        if !self.pays(plan, lowest, samples) {
            return Ok(None);
        }
        let reach = match self.reaches[at as usize] {
            Some(reach) => reach,
            None => {
                let reach = self.sums.measure(chunks, role, self.scale, plan.level)?;
                *self.reaches[at as usize].insert(reach)
            }
        };
        let order = self.facts.order::<T>(&reach);
        Ok(order.filter(|&order| self.pays(plan, order, samples)))
    }

    fn pays(&self, plan: &Plan, order: Order, samples: usize) -> bool {
        plan.pass == Pass::Expansion || self.facts.pays(order, samples)
    }

    /// Forgets what is known of the weights.
    pub fn forget(&mut self) {
        self.reaches = [None; 2];
    }

    /// Forgets what is known of the next weights.
    pub fn forget_next(&mut self) {
        self.reaches[At::Next as usize] = None;
    }

    /// Makes the next weights the current ones.
    pub fn accept(&mut self) {
        self.reaches = [self.reaches[1], None];
    }

    /// Does the job of `sweep::run`. The outputs are those of the first chunk; the other chunks have none.
    pub fn run<T: Float>(
        &mut self,
        order: Order,
        chunks: &mut [Chunk<T>],
        sweep: &Sweep<'_, T>,
        plan: &Plan,
    ) -> Result<(), Error> {
        let level = plan.level;
        self.sums.prepare(self.facts.dimension, order, level)?;
        if let (true, Some(points)) = (sweep.job.goes_backward(), &sweep.samples.few) {
            self.sums.read_dual(points, level);
        }
        let reach = self.sums.visit(chunks, sweep, self.scale, level);
        if matches!(sweep.job, Job::Step { .. }) {
            self.reaches[At::Next as usize] = Some(reach);
        }
        let evaluated: [Option<&Points<T>>; 2] = match (&sweep.ahead, sweep.job) {
            (Some(ahead), _) => [Some(ahead.points), ahead.validation],
            (None, Job::Product(_)) => [Some(sweep.samples), None],
            (None, _) => [None, None],
        };
        let Some(first) = chunks.first_mut() else {
            return Ok(());
        };
        let outputs = &mut first.partial.outputs;
        for points in evaluated.into_iter().flatten().filter_map(|points| points.few.as_ref()) {
            let from = outputs.len();
            outputs.resize(from + points.samples(), 0.0);
            self.sums.outputs(points, &mut outputs[from..], level);
        }
        Ok(())
    }
}

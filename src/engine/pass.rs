//! A pass: which sweep does it, direct or by expansion, and in which parts.
//!
//! Which one is a function of the weights and of the number of points at which they are evaluated as a rule. A step learns
//! only when it has been done what its new weights need: if that is not what evaluated them, they are evaluated again.

use super::batches::Batches;
use super::chunk::{Activations, Chunk, Roles, gather, sums};
use super::expansion::{At, Order};
use super::points::Points;
use super::sweep::{Ahead, Along, Job, Sweep};
use super::{Engine, Scope, SweepSums, compiled};
use crate::communicator::Exchange;
use crate::error::Error;
use crate::float::Float;
use nalgebra::DVector;

/// The passes of a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passes {
    pub all: usize,
    /// How many of them were by expansion.
    pub expanded: usize,
    /// The degree of the last of them.
    pub degree: usize,
}

/// How a sweep is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    Expansion(Order),
}

impl Way {
    /// The factor of a product with J.
    fn unit(self) -> f64 {
        match self {
            // The packed points are multiplied by log2(e).
            Self::Direct => std::f64::consts::LN_2,
            Self::Expansion(_) => 1.0,
        }
    }
}

impl<T: Float> Engine<T> {
    /// Computes J u for the kept direction u at the next weights, on the current samples.
    pub(super) fn sweep_ahead(&mut self) -> Result<(), Error> {
        let samples = self.batches.current().points.samples;
        let way = self.way((At::Next, self.roles.next), samples)?;
        self.run(way, Job::Product(Along::Kept), self.roles.exchanged(), Scope::Nothing)?;
        // Recomputed, unless they were available.
        self.cached.set_next(way == Way::Direct && self.stores());
        self.outputs.unit = way.unit();
        self.count(way);
        Ok(())
    }

    /// Does a job, and reads the outputs of `scope`. Returns the sums over the neurons of this rank.
    pub(super) fn sweep(&mut self, job: Job<T>, scope: Scope) -> Result<SweepSums, Error> {
        let done = self.try_sweep(job, scope);
        self.link().leave_on_error(done)
    }

    fn try_sweep(&mut self, job: Job<T>, scope: Scope) -> Result<SweepSums, Error> {
        let roles = self.roles;
        let (samples, next) = (self.batches.current().points.samples, self.batches.ahead());
        let ahead = scope != Scope::Nothing;
        let steps = matches!(job, Job::Step { .. });
        let evaluates_only = matches!(job, Job::Forward);
        // A step most often needs next what it needed now.
        let guess = self.way((At::Current, roles.current), next)?;
        let way = match job {
            Job::Forward => guess,
            // An expansion has no second derivatives.
            Job::Curvature => Way::Direct,
            _ => self.way((At::Current, roles.current), samples)?,
        };
        let at_once = ahead && way == guess;
        self.run(way, job, roles, if at_once { scope } else { Scope::Nothing })?;
        let own = sums(&self.chunks);
        let mut last = way;
        if ahead && !evaluates_only {
            last = self.way((At::Next, roles.next), next)?;
            if !at_once || last != way {
                self.run(last, Job::Forward, roles.exchanged(), scope)?;
            }
        }
        self.count(last);
        self.outputs.read(&self.chunks, &self.batches, scope);
        self.outputs.unit = way.unit();
        if steps || evaluates_only {
            let stored = last == Way::Direct && self.stores();
            if steps {
                self.cached.set_next(stored);
            } else {
                self.cached.set_current(stored);
            }
        } else if way == Way::Direct {
            // Recomputed, unless they were available.
            self.cached.set_current(self.stores());
        }
        Ok(own)
    }

    /// F at the chosen points, of which the second part says where their outputs go.
    pub(super) fn evaluate(
        &mut self,
        choose: impl Fn(&Batches<T>) -> Option<(&Points<T>, &[usize])>,
    ) -> Result<&[f64], Error> {
        let Some((points, _)) = choose(&self.batches) else {
            return Ok(&[]);
        };
        let samples = points.samples;
        let way = self.way((At::Current, self.roles.current), samples);
        let way = self.link().leave_on_error(way)?;
        if way == Way::Direct {
            let made = self.make_room();
            self.link().leave_on_error(made)?;
        }
        let shape = (self.batches.trained(), self.width());
        let Some((points, slots)) = choose(&self.batches) else {
            return Ok(&[]);
        };
        let sweep = Sweep::evaluation(self.roles, points);
        match (way, &mut self.expansion) {
            (Way::Expansion(order), Some(expansion)) => {
                let done = expansion.run(order, &mut self.chunks, &sweep, &self.plan);
                self.ranks.link().leave_on_error(done)?;
            }
            _ => {
                let activations = self.buffers.activations.get_mut();
                compiled::run(&mut self.chunks, activations, &sweep, self.plan.level, shape);
            }
        }
        let outputs = &mut self.outputs.evaluated;
        gather(&self.chunks, samples, 0, slots, outputs);
        self.ranks.link().sum(Exchange::Evaluation, outputs)?;
        self.count(way);
        Ok(&self.outputs.evaluated)
    }

    /// sum_r a_r^2 exp(2 <w_r, x_i>) over the neurons of this rank, for every sample, at the current weights; `None` if
    /// that is not a sweep in the arithmetic of the run.
    pub fn activation_squares(&mut self, output_weights: &DVector<T>) -> Result<Option<Vec<f64>>, Error> {
        if self.expansion.is_some() {
            return Ok(None);
        }
        self.make_room()?;
        let points = self.batches.doubled()?;
        let (sweep, shape) = (
            Sweep::evaluation(self.roles, &points),
            (self.batches.trained(), self.width()),
        );
        let lent = |chunk: &mut Chunk<T>, of: fn(T) -> T| {
            let own = &output_weights.as_slice()[chunk.shape.first_neuron..][..chunk.shape.neurons];
            let packed = chunk.output_weights.get_mut().iter_mut();
            packed.zip(own).for_each(|(to, &a)| *to = of(a));
        };
        self.chunks.iter_mut().for_each(|chunk| lent(chunk, |a| a * a));
        let activations = self.buffers.activations.get_mut();
        compiled::run(&mut self.chunks, activations, &sweep, self.plan.level, shape);
        self.chunks.iter_mut().for_each(|chunk| lent(chunk, |a| a));
        let mut squares = Vec::new();
        gather(&self.chunks, points.samples, 0, &self.batches.all().slots, &mut squares);
        Ok(Some(squares))
    }

    /// The way for `samples` points at a copy of the weights.
    fn way(&mut self, (at, role): (At, usize), samples: usize) -> Result<Way, Error> {
        let Some(expansion) = &mut self.expansion else {
            return Ok(Way::Direct);
        };
        let order = expansion.order(&self.chunks, &self.plan, (at, role), samples)?;
        Ok(order.map_or(Way::Direct, Way::Expansion))
    }

    /// Whether the current samples are evaluated by an expansion.
    pub(super) fn expands(&mut self) -> Result<bool, Error> {
        let samples = self.batches.current().points.samples;
        let way = self.way((At::Current, self.roles.current), samples)?;
        Ok(way != Way::Direct)
    }

    fn count(&mut self, way: Way) {
        self.passes.all += 1;
        if let Way::Expansion(Order { degree, .. }) = way {
            self.passes.expanded += 1;
            self.passes.degree = degree;
        }
    }

    /// Forgets what is known of the weights, because they are others.
    pub(super) fn forget_weights(&mut self) {
        if let Some(expansion) = &mut self.expansion {
            expansion.forget();
        }
    }

    /// A sweep of one kind.
    fn run(&mut self, way: Way, job: Job<T>, roles: Roles, scope: Scope) -> Result<(), Error> {
        if way == Way::Direct {
            self.make_room()?;
            if job.goes_backward() {
                self.batches.pack_direct_dual();
            }
        }
        let (stores, shape) = (self.stores(), (self.batches.trained(), self.width()));
        let activated = if roles.current == self.roles.current {
            self.cached.activated()
        } else {
            self.cached.activated_ahead()
        };
        let validation = self.batches.validation();
        let ahead = (scope != Scope::Nothing).then(|| Ahead {
            points: &self.batches.next().points,
            store: stores && way == Way::Direct,
            validation: validation.filter(|_| scope == Scope::BatchAndValidation),
        });
        let sweep = Sweep {
            job,
            roles,
            samples: &self.batches.current().points,
            activated,
            ahead,
        };
        match (way, &mut self.expansion) {
            (Way::Expansion(order), Some(expansion)) => expansion.run(order, &mut self.chunks, &sweep, &self.plan),
            (_, expansion) => {
                let activations = self.buffers.activations.get_mut();
                compiled::run(&mut self.chunks, activations, &sweep, self.plan.level, shape);
                if let (Job::Step { .. }, Some(expansion)) = (job, expansion) {
                    expansion.forget_next();
                }
                Ok(())
            }
        }
    }

    fn stores(&self) -> bool {
        self.chunks.first().is_some_and(|chunk| chunk.activations.stored)
    }

    /// Enlarges the buffers to hold what the next direct sweep computes.
    pub(super) fn make_room(&mut self) -> Result<(), Error> {
        let (rows, group_rows, outputs) = self.batches.room();
        let stored = self.plan.stores::<T>(rows, self.width());
        let rows = if stored { rows } else { group_rows };
        let fits = |chunk: &Chunk<T>| {
            let kept = chunk.activations;
            kept.stored == stored && kept.rows >= rows && chunk.sums_fit(outputs)
        };
        if self.chunks.iter().all(fits) {
            return Ok(());
        }
        self.cached.drop_activations();
        // Chunks are told last, so that they never count on memory that was refused.
        self.chunks.iter_mut().try_for_each(|chunk| chunk.make_room(outputs))?;
        let room = Activations { rows, stored };
        let len = self.chunks.iter().map(|chunk| chunk.activations_len(room)).sum();
        self.buffers.activations.set_len(len)?;
        self.chunks.iter_mut().for_each(|chunk| chunk.activations = room);
        Ok(())
    }
}

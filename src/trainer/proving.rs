//! Looking for a proof of convergence along a run.

use super::Names;
use super::session::Session;
use crate::certificate::{Arithmetic, Certifier, Drift, Effort, Proof, Samples};
use crate::communicator::Exchange;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::method::DirectionKind;
use crate::network::ExpNetwork;
use crate::record::Record;
use crate::report::Termination;
use crate::schedule::{Outlook, Schedule};
use crate::setting::at_least_one;
use nalgebra::{DMatrix, DVector};

/// A look is worth its cost once the residual has fallen by a fifth since the last one.
const FALL: f64 = 0.8;

/// The factor on the residual that the last look found lacking is trusted down to this one: the kernel changes too.
const TRUSTED: f64 = 0.1;

/// Rounding is followed from the start where a step of it costs no more than about this many operations.
const FOLLOWED: f64 = 2e5;

/// Operations of the engine beyond those of the formulas: coordinates in units of ln 2 and back, duals times the step size.
const ENGINE: usize = 8;

/// What [`Trainer::certify`](super::Trainer::certify) asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looks {
    /// 0 for never.
    pub every: usize,
    pub effort: Effort,
    /// Stop the run once it is proved.
    pub stop: bool,
}

/// Checks that what is certified is what the run does.
pub(super) fn check_subject<T: Float>(
    schedule: &dyn Schedule<T>,
    kind: DirectionKind,
    data: &Dataset<T>,
    names: Names,
) -> Result<(), Error> {
    let what = "`Trainer::certify`";
    if kind != DirectionKind::Gradient {
        let reason = "its theorems are about plain full-batch gradient descent; use `GradientDescent::default()`, or \
                      `certificate::certify_gauss_newton` for Gauss-Newton";
        return Err(Error::Incompatible {
            what,
            with: names.method,
            reason,
        });
    }
    if schedule.outlook(0) == Outlook::Varies {
        let reason = "its theorems are about a constant step size, and this schedule's may always change; use \
                      `KernelStable` or `Constant`, or return what is known from `Schedule::outlook`";
        return Err(Error::Incompatible {
            what,
            with: names.schedule,
            reason,
        });
    }
    data.refuse_weights(what, "its theorems are about the loss without weights")
}

/// The state of the search for a proof.
#[derive(Debug)]
pub(super) struct Prover<T: Float> {
    looks: Looks,
    samples: Samples,
    /// Of all ranks.
    output_weights: DVector<T>,
    lengths: Vec<usize>,
    drift: Drift,
    arithmetic: Arithmetic,
    /// The residual norm at or below which the next look is due.
    next: f64,
    pub proof: Option<Proof>,
}

impl<T: Float> Prover<T> {
    /// Collective: every rank learns all output weights.
    pub fn new(looks: Looks, session: &Session<'_, '_, T>, data: &Dataset<T>) -> Result<Option<Self>, Error> {
        if looks.every == 0 {
            return Ok(None);
        }
        let link = session.link();
        let network: &ExpNetwork<T> = session.network;
        let lengths = link.widths(network.width())?;
        let output_weights = link.gather_all(&lengths, network.output_weights().as_slice())?;
        let (d, n, m) = (
            data.dimension() as f64,
            data.samples() as f64,
            output_weights.len() as f64,
        );
        let affordable = match looks.effort {
            Effort::Basic => false,
            Effort::Full => true,
            Effort::Auto => n * m * (n + d * d) <= FOLLOWED,
        };
        let followed = affordable && session.position.engine().is_direct();
        Ok(Some(Self {
            looks,
            samples: Samples::new(data.points().map(T::as_f64), data.labels().map(T::as_f64)),
            output_weights: output_weights.into(),
            lengths: lengths.iter().map(|width| width * network.dimension()).collect(),
            drift: if followed { Drift::NONE } else { Drift::UNKNOWN },
            arithmetic: Arithmetic {
                unit: T::EPSILON.as_f64() / 2.0,
                extra: ENGINE,
            },
            next: f64::INFINITY,
            proof: None,
        }))
    }

    /// Looks at `weights`, from which the run takes steps of `step_size`.
    fn look(&mut self, weights: &DMatrix<T>, step: usize, step_size: f64, residual: f64) -> Result<(), Error> {
        let certifier = Certifier::new(self.looks.effort);
        let network = (weights, &self.output_weights);
        let (certificate, from_start) = certifier.look(&self.samples, network, step_size, self.drift)?;
        // Nothing is known of e where the step size itself is too large.
        let spare = certificate.spare();
        self.next = residual * if spare > 0.0 { spare.clamp(TRUSTED, FALL) } else { FALL };
        if certificate.holds() {
            self.proof = Some(Proof {
                step,
                step_size,
                from_start,
                drift: self.drift.distance,
                certificate,
            });
        }
        Ok(())
    }

    pub fn save(&self) -> Record {
        let proof = self.proof.as_ref().and_then(|proof| serde_json::to_string(proof).ok());
        Record::new("proof")
            .with("drift", self.drift.distance)
            .with("next_residual", self.next)
            .with("proof", proof.unwrap_or_default())
    }

    /// Restores what was saved; without it, nothing is known of the rounding so far.
    pub fn restore(&mut self, record: Option<&Record>) -> Result<(), Error> {
        let Some(record) = record else {
            self.drift = Drift::UNKNOWN;
            return Ok(());
        };
        record.agree_on_kind("proof")?;
        self.drift = Drift {
            distance: record.get("drift")?,
        };
        self.next = record.get("next_residual")?;
        let proof: String = record.get("proof")?;
        if !proof.is_empty() {
            let proof = serde_json::from_str(&proof).map_err(|_| record.damaged("proof", "is no proof"))?;
            self.proof = Some(proof);
        }
        Ok(())
    }
}

impl<T: Float> Session<'_, '_, T> {
    /// Before a step: looks for a proof if one is due, and follows the rounding of the step. Returns true if the run is
    /// to stop because it is proved.
    pub(super) fn prove(&mut self, step_size: f64) -> Result<bool, Error> {
        let (step, residual) = (self.steps(), (2.0 * self.position.at().loss()).sqrt());
        if self.prover.as_ref().is_some_and(|prover| prover.proof.is_some()) {
            // At an earlier step of a run that goes on, or before the run was resumed.
            return Ok(self.stop_if_proved());
        }
        self.forget_expanded()?;
        let Some(prover) = self.prover.as_ref().filter(|_| step_size > 0.0) else {
            return Ok(false);
        };
        let due = step.is_multiple_of(prover.looks.every) && residual <= prover.next;
        let due = due && self.schedule.outlook(step) == Outlook::Constant;
        if !due && !prover.drift.is_known() {
            return Ok(false);
        }
        let weights = self.all_weights()?;
        let Some(prover) = &mut self.prover else {
            return Ok(false);
        };
        if due {
            prover.look(&weights, step, step_size, residual)?;
        }
        if prover.proof.is_none() {
            let network = (&weights.map(T::as_f64), &prover.output_weights.map(T::as_f64));
            return prover
                .drift
                .step(&prover.samples, network, step_size, prover.arithmetic)
                .map(|()| false);
        }
        Ok(self.stop_if_proved())
    }

    /// Ends a run that is proved, if it is to end there.
    fn stop_if_proved(&mut self) -> bool {
        let stop = self.prover.as_ref().is_some_and(|prover| prover.looks.stop);
        if stop {
            self.state.ending.termination = Some(Termination::Proved);
        }
        stop
    }

    /// Gives up following the rounding, on all ranks, once any rank has computed a pass by expansion: its rounding is not that of
    /// the formulas, and each rank chooses by its own neurons. Collective while the rounding is followed.
    fn forget_expanded(&mut self) -> Result<(), Error> {
        if !self.prover.as_ref().is_some_and(|prover| prover.drift.is_known()) {
            return Ok(());
        }
        let mut expanded = [f64::from(u8::from(self.position.engine().passes().expanded > 0))];
        self.link().sum(Exchange::Vote, &mut expanded)?;
        if let Some(prover) = self.prover.as_mut().filter(|_| expanded[0] > 0.0) {
            prover.drift = Drift::UNKNOWN;
        }
        Ok(())
    }

    /// A last look where the run has ended, unless the weights are those of the last look.
    pub(super) fn prove_at_the_end(&mut self) -> Result<(), Error> {
        let (step, residual) = (self.steps(), (2.0 * self.position.at().loss()).sqrt());
        let size = self.position.last_step_size().filter(|&size| size > 0.0);
        // The size of the last step is that of all later ones only if it was already constant.
        let last = step.checked_sub(1);
        let constant = last.is_some_and(|last| self.schedule.outlook(last) == Outlook::Constant);
        let due = |prover: &Prover<T>| prover.proof.is_none() && residual <= prover.next / FALL && residual.is_finite();
        let (Some(size), true) = (size, constant && self.prover.as_ref().is_some_and(due)) else {
            return Ok(());
        };
        self.forget_expanded()?;
        let weights = self.all_weights()?;
        match &mut self.prover {
            Some(prover) => prover.look(&weights, step, size, residual),
            None => Ok(()),
        }
    }

    /// The current weights of all ranks, d x m.
    fn all_weights(&self) -> Result<DMatrix<T>, Error> {
        let mut own = DMatrix::zeros(0, 0);
        self.weights_into(&mut own)?;
        let Some(prover) = self.prover.as_ref().filter(|_| !self.link().is_solo()) else {
            return Ok(own);
        };
        let all = self.link().gather_all(&prover.lengths, own.as_slice())?;
        Ok(DMatrix::from_vec(own.nrows(), prover.output_weights.len(), all))
    }
}

/// Checks the settings.
pub(super) fn check(looks: Option<Looks>) -> Result<Looks, Error> {
    match looks {
        Some(looks) => at_least_one("`every` of `Trainer::certify`", looks.every).map(|()| looks),
        None => Ok(Looks::default()),
    }
}

#[cfg(test)]
mod tests;

//! The start of a run: what a rank prepares by itself, what all ranks agree on, and the first evaluation.

use super::Trainer;
use super::feasible;
use super::limits::Clock;
use super::observers::{Event, Observers};
use super::proving::Prover;
use super::saving::Keeper;
use super::session::Session;
use super::state::RunState;
use crate::checkpoint::{CheckpointReader, Identity};
use crate::checksum::Checksum;
use crate::communicator::{Exchange, Link, Solo};
use crate::dataset::Dataset;
use crate::engine::{Engine, Pass};
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::numbers::overflow;
use crate::setting::require;
use crate::step::Position;
use crate::storage;
use nalgebra::DMatrix;
use num_traits::ToPrimitive;

/// What a rank prepares by itself.
struct Packed<T: Float> {
    engine: Engine<T>,
    /// The checkpoint, and the initial weights in it.
    resumed: Option<(CheckpointReader<T>, DMatrix<T>)>,
}

impl<T: Float> Packed<T> {
    fn new(
        trainer: &Trainer<'_, T>,
        network: &ExpNetwork<T>,
        data: &Dataset<T>,
        identity: Option<&Identity>,
        rank: usize,
    ) -> Result<Self, Error> {
        if let Some((path, _)) = trainer.checkpoint.as_ref().filter(|_| rank == 0) {
            // Hours later would be too late.
            storage::probe(path, "the checkpoint")?;
        }
        let resumed = match (&trainer.resume, identity) {
            (Some(path), Some(identity)) => {
                let mut checkpoint = CheckpointReader::open(path, identity, rank)?;
                let initial = checkpoint.initial()?;
                Some((checkpoint, initial))
            }
            _ => None,
        };
        let validation = trainer.validation.as_ref().map(|validation| validation.data.points());
        let engine = Engine::new(
            resumed.as_ref().map_or(network.weights(), |(_, initial)| initial),
            network.output_weights(),
            data.points(),
            validation,
            (trainer.memory, trainer.pass),
            !trainer.method.kind().is_in_weights(),
        )?;
        require(
            trainer.pass != Pass::Expansion || engine.may_expand(),
            "`Trainer::pass`",
            "`Pass::Expansion`, for points that span more than four dimensions",
            "`Pass::Auto` or `Pass::Direct`",
        )?;
        Ok(Self { engine, resumed })
    }
}

impl<'s, 'a, T: Float> Session<'s, 'a, T> {
    pub(super) fn new(
        mut trainer: Trainer<'a, T>,
        network: &'s mut ExpNetwork<T>,
        data: &Dataset<T>,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let link = Link::new(std::mem::replace(&mut trainer.communicator, Box::new(Solo)));
        let checked = trainer.check(network, data, link.size());
        let (schedule, looks) = link.leave_on_error(checked)?;
        let (width, vote) = greet(&link, &trainer, network, data)?;
        let asked = trainer.checkpoint.is_some() || trainer.resume.is_some();
        let validation = trainer.validation.as_ref().map(|validation| validation.data);
        let identity = asked.then(|| Identity::of(&link, network, data, validation));
        let identity = identity.transpose()?;
        let packed = Packed::new(&trainer, network, data, identity.as_ref(), link.rank());
        let Packed { engine, resumed } = link.leave_on_error(packed)?;
        let shape = (network.dimension(), width);
        let roots = data.roots().unwrap_or_default();
        let mut session = Self {
            network,
            position: Position::new(engine.joined(link, roots), data.labels().clone(), shape)
                .in_weights(trainer.method.kind().is_in_weights()),
            schedule,
            method: trainer.method,
            observers: Observers::new(trainer.observers, vote),
            validation: trainer.validation,
            limits: trainer.limits,
            state: RunState::new(clock),
            // Until a checkpoint is restored, there is nothing to write back.
            keeper: Keeper::new(trainer.checkpoint, identity, trainer.names, resumed.is_some()),
            prover: None,
        };
        session.prover = Prover::new(looks, &session, data)?;
        let begun = match resumed {
            Some((checkpoint, initial)) => session.resume(checkpoint, initial),
            None => session.begin(data),
        };
        session.link().leave_on_error(begun)?;
        Ok(session)
    }

    /// The first evaluation, shown to validation and observers.
    fn begin(&mut self, data: &Dataset<T>) -> Result<(), Error> {
        self.deal_batch()?;
        let engine = self.position.engine_mut();
        let checked =
            feasible::check_labels(data).and_then(|()| feasible::Activations::measure(self.network, data, engine));
        let activations = self.link().leave_on_error(checked)?;
        self.position.evaluate()?;
        // Comparable with the loss of the report: on all samples.
        let initial = if self.state.epoch.batched {
            self.position.at_mut().loss_of_all()?
        } else {
            self.position.at().loss()
        };
        (self.state.initial_loss, self.state.epoch.loss) = (initial, initial);
        let at = self.position.at();
        let difference = || at.difference().iter().map(|e| e.as_f64());
        if !at.loss().is_finite() {
            feasible::check_weights(data, difference())?;
            return Err(at.overflow());
        }
        if !initial.is_finite() {
            return Err(overflow::<T>("the loss over all points", initial));
        }
        activations.check(self.network, data, difference())?;
        feasible::check_residual(data, at.residual().iter().map(|e| e.as_f64()), difference())?;
        self.validate(!self.state.epoch.batched)?;
        self.announce()
    }

    /// Resumes where the checkpoint was written, in place of the first evaluation.
    fn resume(&mut self, mut checkpoint: CheckpointReader<T>, initial: DMatrix<T>) -> Result<(), Error> {
        let records = checkpoint.records()?;
        self.schedule.restore(&records.schedule)?;
        self.method.restore(&records.method)?;
        checkpoint.load(self.position.engine_mut(), &initial)?;
        *self.network.weights_mut() = initial;
        self.keeper.written_back = false;
        self.position.restore(&records.position, self.network.weights())?;
        let step = self.steps();
        let best = self.state.restore(&records.run, step)?;
        if let Some(prover) = &mut self.prover {
            prover.restore(records.run.part("proof").ok())?;
        }
        if let (Some(validation), Some(best)) = (&mut self.validation, best) {
            validation.best = Some(best);
            if best.step == step {
                self.position.engine_mut().remember_best();
            }
        }
        if !self.position.at().loss().is_finite() {
            return Err(self.position.at().overflow());
        }
        self.announce()
    }

    /// Tells the observers where the run starts.
    fn announce(&mut self) -> Result<(), Error> {
        let asked = self.notify(Event::Start);
        self.decide(asked)
    }
}

/// The first exchange: the width of the whole network, and whether any rank may want to stop the run on its own.
fn greet<T: Float>(
    link: &Link<'_>,
    trainer: &Trainer<'_, T>,
    network: &ExpNetwork<T>,
    data: &Dataset<T>,
) -> Result<(usize, bool), Error> {
    if link.is_solo() {
        return Ok((network.width(), true));
    }
    let mut replicated = Checksum::default();
    let validation = trainer.validation.as_ref().map(|validation| validation.data);
    for data in [Some(data), validation].into_iter().flatten() {
        replicated.word(data.samples() as u64);
        replicated.feed(data.points().as_slice());
        replicated.feed(data.labels().as_slice());
        replicated.word(u64::from(data.weights().is_some()));
        replicated.feed(data.weights().map_or(&[][..], |weights| weights.as_slice()));
    }
    trainer.settings().iter().for_each(|&setting| replicated.word(setting));
    replicated.word(size_of::<T>() as u64);
    link.note(replicated.finish());
    let vote = trainer.limits.max_time.is_some() || !trainer.observers.is_empty();
    let mut numbers = [network.width() as f64, f64::from(u8::from(vote))];
    link.sum(Exchange::Start, &mut numbers)?;
    Ok((numbers[0].to_usize().unwrap_or(usize::MAX), numbers[1] > 0.0))
}

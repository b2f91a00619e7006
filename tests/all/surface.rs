//! The whole public surface as another crate would use it: in functions whose only bound is `T: Float`.

use expnet::kernel::{
    Fit, GradientFlow, GradientSteps, LinearizedNetwork, Posterior, Predictor, conjugate_cross_kernel,
    conjugate_kernel, empirical_cross_kernel, empirical_kernel, limit_cross_kernel,
};
use expnet::method::{
    Adam, Direction, DirectionKind, Evaluation, GradientDescent, Lbfgs, Method, Minibatch, Outcome, Verdict,
};
#[cfg(feature = "progress")]
use expnet::observer::ProgressBar;
use expnet::observer::{History, Observer, Progress};
use expnet::schedule::*;
use expnet::{
    Dataset, Error, ExpNetwork, ExpRegressor, FitReport, Float, Initializer, Memory, Scaling, Termination, Trainer,
    check,
};
use nalgebra::{DMatrix, DVector};
use std::ops::ControlFlow;
use std::time::Duration;

fn data<T: Float>() -> Result<Dataset<T>, Error> {
    let rows: Vec<[T; 3]> = (0..24)
        .map(|i| std::array::from_fn(|k| T::lit((1.0 + 2.0 * (i * k + i) as f64).sin())))
        .collect();
    let labels: Vec<T> = (0..24).map(|i| T::lit((f64::from(i) / 3.0).cos())).collect();
    Dataset::from_rows(&rows, &labels)
}

fn every_schedule<T: Float>() -> Result<Vec<Box<dyn Schedule<T>>>, Error> {
    let size = 1e-5;
    Ok(vec![
        Box::new(size),
        Box::new(Constant::new(size)?),
        Box::new(InverseTime::new(size, 0.1)?.steps(3).staircase(true)),
        Box::new(StepDecay::new(size, 0.5, 4)?),
        Box::new(ExponentialDecay::new(size, 0.5, 4)?.begin(1).staircase(true).end(1e-7)),
        Box::new(Polynomial::new(size, 1e-7, 5)?.power(2.0).begin(1)),
        Box::new(Cosine::new(size, 5)?.alpha(0.1).exponent(2.0).restarts(2)),
        Box::new(
            OneCycle::new(size, 6)?
                .start_share(0.5)
                .div_factor(10.0)
                .final_div_factor(100.0),
        ),
        Box::new(Cyclic::new(1e-6, size, 2)?.down(3).halving()),
        Box::new(
            ReduceOnPlateau::new(size)?
                .factor(0.5)
                .patience(1)
                .threshold(0.1)
                .cooldown(1)
                .min_size(1e-9),
        ),
        Box::new(KernelStable::default().factor(0.5).refresh(3)),
        Box::new(
            Backtracking::default()
                .initial(size)
                .armijo(0.1)
                .shrink(0.3)
                .grow(2.0)
                .max(1.0),
        ),
        Box::new(StrongWolfe::default().initial(size).armijo(0.1).curvature(0.5)),
        Box::new(Polyak::default().scaling(0.5).max(0.1).minimum(0.0).eps(1e-9)),
        Box::new(BarzilaiBorwein::default().initial(size).short(true)),
        Box::new(DeltaBarDelta::default().initial(size).growth(0.2).shrink(0.5)),
        Box::new(Constant::new(size)?.warmup(3).clamp(0.0, 1.0).then(4, size).scale(0.5)),
        Box::new(KernelStable::default().warmup(2)),
        Box::new(from_fn(|state| T::lit(1e-5 / (1.0 + state.iteration() as f64)))),
        Box::new(|state: &mut StepState<'_, T>| {
            let big = T::lit(1e-3);
            if state.loss_at(big) < state.loss() {
                big
            } else {
                T::lit(1e-6)
            }
        }),
    ])
}

/// A method of one's own: the gradient of sum |e_i|^1.5, taken back where the loss rises.
struct Softer {
    undone: usize,
}

impl<T: Float> Method<T> for Softer {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        assert_eq!(evaluation.residual().len(), direction.dual.len());
        let shrink = T::lit(0.5_f64.powi(i32::try_from(self.undone.min(60)).unwrap_or(60)));
        direction
            .dual
            .iter_mut()
            .for_each(|e| *e = e.signum() * e.abs().sqrt() * shrink);
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        if outcome.loss_after <= outcome.loss_before {
            Verdict::Keep
        } else {
            self.undone += 1;
            Verdict::Undo
        }
    }

    fn kind(&self) -> DirectionKind {
        DirectionKind::Dual
    }

    fn prepare(&mut self, _: usize) -> Result<(), Error> {
        Ok(())
    }
}

/// An observer of one's own.
struct Watch<T> {
    losses: Vec<T>,
    reported: Option<Termination>,
}

impl<T: Float> Observer<T> for Watch<T> {
    fn step(&mut self, progress: &Progress<'_, T>) -> ControlFlow<()> {
        self.losses.push(progress.loss());
        if self.losses.len() == 6 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn end(&mut self, report: &FitReport<T>) {
        self.reported = Some(report.termination());
    }
}

fn study<T: Float>() -> Result<(), Error> {
    let data = data::<T>()?;
    let (train, test) = data.split(0.75, 3)?;
    let scaling = Scaling::fit(&train)?;
    let (train, test) = (scaling.apply(&train)?, scaling.apply(&test)?);
    let start = Initializer::new(train.dimension(), 256)
        .antisymmetric(true)
        .seed(2)
        .build::<T>()?;
    assert!(check::gradient(&start, &train)?.agrees());

    for schedule in every_schedule::<T>()? {
        let mut net = start.clone();
        let report = Trainer::new(schedule).max_steps(9).fit(&mut net, &train)?;
        assert!(report.steps() == 9 && report.loss() < report.initial_loss(), "{report}");
    }
    for method in [
        Box::new(GradientDescent::default().momentum(0.5).clip_norm(10.0)) as Box<dyn Method<T>>,
        Box::new(GradientDescent::default().nesterov(0.5)),
        Box::new(Minibatch::new(5).seed(1).momentum(0.2)),
        Box::new(Softer { undone: 0 }),
        Box::new(Lbfgs::default().memory(4)),
        Box::new(Adam::default().beta1(0.8).beta2(0.99).eps(1e-6).weight_decay(1e-3)),
    ] {
        let schedule = Backtracking::default().initial(1e-4);
        let report = Trainer::new(schedule)
            .method(method)
            .max_steps(30)
            .fit(&mut start.clone(), &train)?;
        // A line search along momentum may find no descent before the 30 steps are over.
        assert!(report.steps() > 10 && report.loss() < report.initial_loss(), "{report}");
    }

    let (mut history, mut watch) = (
        History::default().every(2),
        Watch {
            losses: Vec::new(),
            reported: None,
        },
    );
    let mut net = start.clone();
    let trainer = Trainer::default();
    #[cfg(feature = "progress")]
    let trainer = trainer.observe(ProgressBar::default());
    let report = trainer
        .memory(Memory::Budget(1 << 20))
        .max_time(Duration::from_secs(60))
        .stall(500, 1e-6)
        .validation(&test, 100)
        .observe(&mut history)
        .observe(&mut watch as &mut dyn Observer<T>)
        .observe(|progress: &Progress<'_, T>| {
            assert!(progress.residual_norm() > T::zero() && progress.weights().is_ok());
            ControlFlow::Continue(())
        })
        .fit(&mut net, &train)?;
    assert_eq!((report.termination(), report.steps()), (Termination::Stopped, 6));
    assert_eq!((watch.losses.len(), watch.reported), (6, Some(Termination::Stopped)));
    assert_eq!(history.steps(), [0, 2, 4, 6]);

    let smaller: ExpNetwork<f32> = net.cast()?;
    let points: DMatrix<f32> = test.cast::<f32>()?.points().clone();
    let forward: DVector<f32> = smaller.forward(&points)?;
    assert_eq!(forward.len(), test.samples());

    let model = ExpRegressor::options().width(128).max_steps(50).fit(&data)?;
    assert_eq!(model.predict(data.points())?.len(), 24);
    assert!(model.score(&data)? <= T::one());
    Ok(())
}

fn kernels<T: Float>() -> Result<(), Error> {
    let (data, net) = (data::<T>()?, Initializer::new(3, 64).std_dev(0.2).build::<T>()?);
    let (x, k) = (data.points(), data.samples());
    let shapes = [
        limit_cross_kernel(x, x, 0.2)?.shape(),
        empirical_cross_kernel(&net, x, x)?.shape(),
        conjugate_kernel(x, 0.2)?.shape(),
        conjugate_cross_kernel(x, x, 0.2)?.shape(),
    ];
    assert_eq!(shapes, [(k, k); 4]);
    let predictor = Predictor::new(&data, 0.2)?.initial_outputs(&net.forward(x)?)?;
    let (flow, steps): (GradientFlow, GradientSteps) = (predictor.gradient_flow()?, predictor.gradient_descent(1e-3)?);
    assert_eq!(flow.ensemble_covariance(1.0, x)?.shape(), (k, k));
    assert_eq!(steps.ensemble_covariance(9, x)?.shape(), (k, k));
    let posterior: Posterior = predictor.posterior(0.1)?;
    assert_eq!(
        (posterior.std_dev(x)?.len(), posterior.covariance(x)?.shape()),
        (k, (k, k))
    );
    let linear = LinearizedNetwork::new(&net)?;
    let fit: Fit = linear.predictor(&data)?.gradient_flow()?.at(0.1)?;
    let f = linear.forward(&linear.weights(x, &fit)?, x)?;
    let again = Predictor::from_kernel(empirical_kernel(&net, x)?, data.labels().map(Float::as_f64))?;
    assert_eq!(
        (
            f.len(),
            again
                .ridge(0.1)?
                .predict_from(&empirical_cross_kernel(&net, x, x)?)?
                .len()
        ),
        (k, k)
    );
    Ok(())
}

#[test]
fn kernels_in_both_types() {
    kernels::<f64>().unwrap();
    kernels::<f32>().unwrap();
}

#[test]
fn everything_in_f64() {
    study::<f64>().unwrap();
}

#[test]
fn everything_in_f32() {
    study::<f32>().unwrap();
}

#[test]
fn public_types_are_send_and_sync() {
    fn check<S: Send + Sync + 'static>() {}
    check::<ExpNetwork<f64>>();
    check::<ExpNetwork<f32>>();
    check::<Dataset<f64>>();
    check::<FitReport<f64>>();
    check::<Error>();
    check::<History>();
    check::<Initializer>();
    check::<Minibatch>();
    check::<GradientDescent>();
    check::<Lbfgs>();
    check::<Adam>();
    check::<StrongWolfe>();
    check::<GradientSteps>();
    check::<LinearizedNetwork>();
    check::<Posterior>();
    check::<Fit>();
}

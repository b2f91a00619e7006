//! Instances of this crate's generic functions for `f32` and `f64`, which debug builds reuse.
//!
//! Up to optimisation level 1, `rustc` shares instances of generic functions that a dependency has already compiled.
//! Without this module, each test, example and dependent crate would compile all of them again.

use crate::certificate;
use crate::check;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::init::Initializer;
use crate::kernel::{
    LinearizedNetwork, Predictor, empirical_cross_kernel, empirical_kernel, limit_cross_kernel, limit_kernel,
};
use crate::method::{Adam, GaussNewton, GradientDescent, Lbfgs, Minibatch};
use crate::network::ExpNetwork;
use crate::objective::Objective;
use crate::regressor::ExpRegressor;
use crate::scaling::Scaling;
use crate::schedule::{Backtracking, KernelStable, StrongWolfe};
use crate::trainer::Trainer;

/// Compiled but never called.
#[doc(hidden)]
pub fn instances(single: &Dataset<f32>, double: &Dataset<f64>) -> Result<(), Error> {
    of(single)?;
    of(double)
}

fn of<T: Float>(data: &Dataset<T>) -> Result<(), Error> {
    let (train, test) = Scaling::fit(data)?.apply(data)?.split(0.5, 0)?;
    let mut net = Initializer::new(1, 2).build::<T>()?;
    let trainer = Trainer::new(KernelStable::default()).method(GaussNewton::default());
    trainer.validation(&test, 1).checkpoint("", 1).fit(&mut net, &train)?;
    Trainer::new(0.1).method(Minibatch::new(1)).fit(&mut net, &train)?;
    Trainer::new(0.1).method(Adam::default()).fit(&mut net, &train)?;
    let trainer = Trainer::new(StrongWolfe::default()).method(Lbfgs::default());
    trainer.fit(&mut net, &train)?;
    let trainer = Trainer::new(Backtracking::default()).method(GradientDescent::default());
    trainer.resume("").start(&mut net, &train)?.finish()?;
    check::gradient(&net, data)?;
    net.save("")?;
    net = ExpNetwork::load("")?;
    net.loss(data)?;
    let mut objective = Objective::new(&net, data)?;
    objective.value_and_gradient(&[], &mut [])?;
    objective.hessian_product(&[], &mut [])?;
    net.step(data, T::zero())?;
    ExpRegressor::options().fit(data)?.save("")?;
    ExpRegressor::<T>::load("")?.score(data)?;
    limit_kernel(data.points(), 1.0)?;
    empirical_kernel(&net, data.points())?;
    limit_cross_kernel(data.points(), data.points(), 1.0)?;
    empirical_cross_kernel(&net, data.points(), data.points())?;
    Predictor::new(data, 1.0)?.ridge(0.0)?.predict(data.points())?;
    Predictor::new(data, 1.0)?.posterior(0.0)?.covariance(data.points())?;
    let linear = LinearizedNetwork::new(&net)?;
    let fit = linear.predictor(data)?.ridge(0.0)?;
    linear.forward(&linear.weights(data.points(), &fit)?, data.points())?;
    let _ = certificate::certify(&net, data)?;
    Ok(())
}

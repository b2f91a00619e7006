//! One training step by hand, then the crate's training loop step by step.
//!
//!     cargo run --example step_by_step

use expnet::method::GradientDescent;
use expnet::{Dataset, Error, ExpNetwork, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};

fn main() -> Result<(), Error> {
    // Three points in two dimensions, one per row. Internally they are the columns of X, d x n.
    let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], &[0.5, -0.2, 1.0])?;

    // 64 neurons in pairs with the same weights and opposite signs, so that F(W, x) = 0 at the start.
    let start = Initializer::new(2, 64)
        .std_dev(0.5)
        .antisymmetric(true)
        .seed(7)
        .build::<f64>()?;
    println!("F(W, X) = {:?}", start.forward(data.points())?.as_slice());

    // A step by hand: e = F(W, X) - y, then column r of the gradient is a_r sum_i e_i exp(<w_r, x_i>) x_i.
    let residual = start.forward(data.points())? - data.labels();
    let gradient = gradient_by_hand(&start, &data, &residual);
    let difference = (&gradient - start.gradient(&data)?).norm();
    println!(
        "gradient: norm {:.3}, difference from the crate's {difference:.0e}",
        gradient.norm()
    );

    let step_size = 1e-2;
    let by_hand = ExpNetwork::from_parts(start.weights() - step_size * gradient, start.output_weights().clone())?;
    println!(
        "loss {:.6} -> {:.6} with a step by hand",
        start.loss(&data)?,
        by_hand.loss(&data)?
    );

    // The same step in one call.
    let mut net = start.clone();
    let before = net.step(&data, step_size)?;
    let difference = (net.weights() - by_hand.weights()).norm();
    println!(
        "loss {before:.6} -> {:.6} with `step`, difference of the weights {difference:.0e}",
        net.loss(&data)?
    );

    // `Trainer::fit` step by step: inspect anything in between, stop at any time.
    let mut net = start.clone();
    let trainer = Trainer::new(step_size).method(GradientDescent::default().momentum(0.5));
    let mut session = trainer.max_steps(200).tolerance(1e-6).start(&mut net, &data)?;
    while session.step()?.is_none() {
        if session.steps() % 10 == 0 {
            println!(
                "step {:>3}: ||F(W, X) - y|| = {:.2e}",
                session.steps(),
                session.residual_norm()
            );
        }
    }
    println!("{}", session.finish()?);
    println!("F(W, X) = {:.6?}", net.forward(data.points())?.as_slice());
    Ok(())
}

fn gradient_by_hand(net: &ExpNetwork<f64>, data: &Dataset<f64>, residual: &DVector<f64>) -> DMatrix<f64> {
    let mut gradient = DMatrix::zeros(net.dimension(), net.width());
    for r in 0..net.width() {
        for (i, point) in data.points().column_iter().enumerate() {
            let activation = net.weights().column(r).dot(&point).exp();
            let factor = net.output_weights()[r] * residual[i] * activation;
            gradient.column_mut(r).axpy(factor, &point, 1.0);
        }
    }
    gradient
}

//! Forward, gradient and step by hand, then the same run by a session and by `fit`.
//!
//! `cargo run --release --example step_by_step`

use expnet::{Dataset, Error, ExpNetwork, Initializer, Trainer, check};

fn main() -> Result<(), Error> {
    let rows = [[0.0, 1.0], [0.6, 0.8], [1.0, 0.0]];
    let data = Dataset::from_rows(&rows, &[0.5, -0.2, 0.1])?;
    let start = Initializer::new(2, 1000).antisymmetric(true).seed(1).build::<f64>()?;
    println!(
        "F(W_0, X) = {:?}: an antisymmetric start",
        start.forward(data.points())?.as_slice()
    );
    println!("{}\n", check::gradient(&start, &data)?);

    // By hand: W <- W - eta grad L, with nalgebra's matrices.
    let (mut by_hand, eta) = (start.clone(), 1e-4);
    for step in 0..5 {
        let gradient = by_hand.gradient(&data)?;
        println!(
            "step {step}: loss {:.9}, gradient norm {:.6}",
            by_hand.loss(&data)?,
            gradient.norm()
        );
        let weights = by_hand.weights() - gradient * eta;
        by_hand = ExpNetwork::from_parts(weights, by_hand.output_weights().clone())?;
    }
    println!("by hand       {:.15}", by_hand.loss(&data)?);

    let mut stepped = start.clone();
    for _ in 0..5 {
        stepped.step(&data, eta)?;
    }
    println!("by `step`     {:.15}", stepped.loss(&data)?);

    let mut net = start.clone();
    let mut session = Trainer::new(eta).max_steps(5).start(&mut net, &data)?;
    while session.step()?.is_none() {}
    println!("by a session  {:.15}", session.finish()?.loss());

    let report = Trainer::new(eta).max_steps(5).fit(&mut start.clone(), &data)?;
    println!("by `fit`      {:.15}\n\n{report}", report.loss());
    Ok(())
}

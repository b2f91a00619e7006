//! Argmin's L-BFGS trains 4096 neurons on 128 random points of the unit sphere of R^16.
//!
//!     cargo run --release --example lbfgs

use argmin::core::{Executor, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use expnet::{Dataset, ExpNetwork, Initializer, nalgebra::DMatrix};
use expnet_argmin::Problem;
use std::error::Error;
use std::time::Instant;

const TOLERANCE: f64 = 1e-3;

fn main() -> Result<(), Box<dyn Error>> {
    // Normal numbers, for the want of a generator: the weights of a network.
    let normal: ExpNetwork<f64> = Initializer::new(16, 128).seed(7).build()?;
    let columns: Vec<_> = normal.weights().column_iter().map(|x| x.normalize()).collect();
    let labels: Vec<f64> = normal.output_weights().iter().copied().collect();
    let data = Dataset::new(DMatrix::from_columns(&columns), labels.into())?;
    let mut net = Initializer::new(16, 4096).antisymmetric(true).seed(1).build()?;

    let began = Instant::now();
    let problem = Problem::new(&net, &data)?;
    let start = problem.start();
    let result = Executor::new(problem, LBFGS::new(MoreThuenteLineSearch::new(), 10))
        .configure(|state| {
            state
                .param(start)
                .max_iters(500)
                .target_cost(TOLERANCE * TOLERANCE / 2.0)
        })
        .run()?;
    println!("{} steps in {:.2?}", result.state().get_iter(), began.elapsed());

    let best = result.state().get_best_param().ok_or("no step was taken")?;
    net.set_weights(DMatrix::from_column_slice(16, 4096, best))?;
    let residual = net.residual(&data)?.norm();
    println!("||F - y|| = {residual:.3e}");
    assert!(residual <= TOLERANCE);
    Ok(())
}

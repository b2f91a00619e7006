//! expnet beside numpy, JAX, PyTorch and the Rust libraries, alternated in one run: `cargo bench --bench peers`.
//!
//! `EXPNET_PYTHON` names the Python to use. Arguments choose shapes: `cargo bench --bench peers -- A E`.

mod common;

use common::{Peers, Shape, is_tiny, run, shapes, steps};
use expnet::{Float, Memory};

/// Each takes the best of so many medians.
const ROUNDS: usize = 3;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let peers = Peers::find();
    println!(
        "\n{:24} {:5} {:>12}   peer: seconds a step, times slower",
        "shape (n, d, m)", "type", "expnet s"
    );
    for shape in shapes() {
        if wanted.is_empty() || wanted.iter().any(|name| name == shape.name) {
            compare::<f64>(&peers, shape);
            compare::<f32>(&peers, shape);
        }
    }
}

fn compare<T: Float>(peers: &Peers, shape: Shape) {
    let count = steps(shape);
    let mut best = f64::INFINITY;
    let mut others = vec![f64::INFINITY; peers.names().len()];
    for _ in 0..if is_tiny() { 1 } else { ROUNDS } {
        let mine = run::<T>(shape, count, Memory::Auto);
        best = best.min(mine.step);
        for (peer, time) in peers.names().iter().zip(&mut others) {
            if let Some((step, loss)) = peers.run(peer, shape, T::NAME, count) {
                *time = time.min(step);
                let tolerance = if T::NAME == "f64" { 1e-8 } else { 2e-2 };
                if (loss - mine.loss).abs() > tolerance * mine.loss {
                    println!(
                        "{} {}: {peer} ends at loss {loss}, expnet at {}",
                        shape.name,
                        T::NAME,
                        mine.loss
                    );
                }
            }
        }
    }
    print!("{:24} {:5} {best:12.3e}  ", shape.size(), T::NAME);
    for (peer, time) in peers.names().iter().zip(others) {
        print!(" {peer}: {time:.2e}, {:.1} x;", time / best);
    }
    println!();
}

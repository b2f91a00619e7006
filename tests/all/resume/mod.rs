//! A run that is stopped and resumed is the same run, to the last bit; a checkpoint of another run is refused with the
//! reason.

mod check;
mod checkpoint;
mod going_on;
mod level;
pub mod methods;
mod refused;
pub mod schedules;

use crate::support::problems::sines;
use expnet::method::GradientDescent;
use expnet::schedule::Schedule;
use expnet::{Dataset, ExpNetwork, Float, Initializer, Pass, Trainer};

const STEPS: usize = 9;

/// Several chunks, and a panel that is not full.
fn start<T: Float>(dimension: usize) -> ExpNetwork<T> {
    Initializer::new(dimension, 150).std_dev(0.5).seed(3).build().unwrap()
}

pub type Make<T> = fn() -> Box<dyn Schedule<T>>;

/// A problem in the network's own coordinates, and one in reduced ones (with a validation set that leaves their span).
fn problems<T: Float>() -> [(Dataset<T>, Dataset<T>); 2] {
    [(sines(12, 3), sines(5, 3)), (sines(12, 40), sines(3, 40))]
}

/// The kinds of passes that a problem can be run with.
fn passes<T: Float>(data: &Dataset<T>) -> &'static [Pass] {
    if data.dimension() <= 4 {
        &[Pass::Direct, Pass::Expansion]
    } else {
        &[Pass::Auto]
    }
}

fn momentum<'a, T: Float>(schedule: impl Schedule<T> + 'a) -> Trainer<'a, T> {
    Trainer::new(schedule).method(GradientDescent::default().momentum(0.9))
}

//! Trains one network on the ranks of an MPI job and prints what it costs.
//!
//! ```text
//! cargo build --release --example distributed --features mpi
//! RAYON_NUM_THREADS=1 mpirun --bind-to none -n 2 target/release/examples/distributed --width 1000000
//! ```
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `--samples`, `--dimension`, `--width` | 128, 16, 16384 | n, d and m |
//! | `--steps` | 50 | number of steps |
//! | `--method` | `gd` | `gd`, `minibatch`, `momentum`, `backtracking` or `gauss-newton` |
//!
//! The last line is `ranks R loss L`. L does not depend on the number of ranks up to rounding, which is about 1e-12 L
//! while L is not much smaller than at the start.

use expnet::communicator::Communicator;
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::mpi::World;
use expnet::observer::ProgressBar;
use expnet::schedule::Backtracking;
use expnet::{Dataset, Initializer, Trainer};
use nalgebra::{DMatrix, DVector};
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    World::run(train)
}

fn train(world: &World) -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let data = options.data()?;
    // Each rank draws only its own neurons.
    let mut share = Initializer::new(options.dimension, options.width)
        .antisymmetric(options.width % 2 == 0)
        .seed(7)
        .shard(world.rank(), world.size())
        .build::<f64>()?;
    let report = options
        .trainer()?
        .max_steps(options.steps)
        .observe(ProgressBar::default())
        .communicator(world.clone())
        .fit(&mut share, &data)?;
    if world.rank() == 0 {
        let seconds = report.elapsed().as_secs_f64() / report.passes() as f64;
        println!("{report}\n{:.3} ms per pass", 1e3 * seconds);
        println!("ranks {} loss {:.16e}", world.size(), report.loss());
    }
    Ok(())
}

struct Options {
    samples: usize,
    dimension: usize,
    width: usize,
    steps: usize,
    method: String,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            samples: 128,
            dimension: 16,
            width: 16384,
            steps: 50,
            method: "gd".into(),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--samples" => options.samples = value.parse()?,
                "--dimension" => options.dimension = value.parse()?,
                "--width" => options.width = value.parse()?,
                "--steps" => options.steps = value.parse()?,
                "--method" => options.method = value,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }

    /// Points on the unit sphere, with labels that are a smooth function of them.
    fn data(&self) -> Result<Dataset<f64>, expnet::Error> {
        let mut points = DMatrix::from_fn(self.dimension, self.samples, |k, i| {
            (1.0 + 0.7 * i as f64 + 1.3 * k as f64 + 0.37 * (i * k * k) as f64).sin()
        });
        points.column_iter_mut().for_each(|mut x| {
            x.normalize_mut();
        });
        let labels = DVector::from_fn(self.samples, |i, _| (3.0 * points[(0, i)]).sin());
        Dataset::new(points, labels)
    }

    fn trainer(&self) -> Result<Trainer<'static, f64>, Box<dyn Error>> {
        Ok(match self.method.as_str() {
            "gd" => Trainer::default(),
            "momentum" => Trainer::default().method(GradientDescent::default().momentum(0.5)),
            "minibatch" => Trainer::default().method(Minibatch::new(self.samples.div_ceil(4)).seed(1)),
            // A ridge proportional to G keeps the loss away from 0, where it would be all rounding error. With fixed
            // damping, every step is accepted.
            "gauss-newton" => {
                let scale = self.width as f64;
                Trainer::default().method(GaussNewton::default().damping(scale).ridge(scale))
            }
            "backtracking" => Trainer::new(Backtracking::default()),
            other => return Err(format!("unknown method {other}").into()),
        })
    }
}

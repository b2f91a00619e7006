//! A run on several ranks is resumed on any number of ranks.

mod errors;

use super::{Answers, ranks};
use crate::support::{Folder, problems, safetensors};
use expnet::communicator::Communicator;
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::schedule::{Backtracking, BarzilaiBorwein, KernelStable, Schedule};
use expnet::{Dataset, ExpNetwork, FitReport, Initializer, Memory, Trainer};
use std::fs;

const STEPS: usize = 24;

/// The report of a rank and its share.
type Trained = (FitReport<f64>, ExpNetwork<f64>);

type Tune = fn(Trainer<'static, f64>) -> Trainer<'static, f64>;

/// n, d, m, and whether the start is antisymmetric.
type Shape = (usize, usize, usize, bool);

/// The second is trained in reduced coordinates.
const SHAPES: [Shape; 3] = [(20, 4, 151, false), (16, 40, 131, false), (20, 4, 130, true)];

fn data((n, d, _, _): Shape) -> Dataset<f64> {
    problems::data(n, d, 3)
}

fn recipe((_, d, m, antisymmetric): Shape) -> Initializer {
    Initializer::new(d, m).std_dev(0.7).seed(5).antisymmetric(antisymmetric)
}

/// Trains on `size` ranks; `tune` sets up the trainer of a rank.
fn fit(
    size: usize,
    shape: Shape,
    tune: impl Fn(usize, Trainer<'static, f64>) -> Trainer<'static, f64> + Send + Sync + 'static,
) -> Answers<Trained> {
    ranks(size, move |world| {
        let (rank, data) = (world.rank(), data(shape));
        let mut share = recipe(shape).shard(rank, size).build()?;
        let trainer = tune(rank, Trainer::default().max_steps(STEPS)).communicator(world);
        let report = trainer.fit(&mut share, &data)?;
        Ok((report, share))
    })
}

/// The report of rank 0, which is that of every rank, and the whole network.
fn whole(answers: Answers<Trained>) -> (FitReport<f64>, Vec<f64>) {
    let parts: Vec<_> = answers.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(parts.iter().all(|(report, _)| report.loss() == parts[0].0.loss()));
    let weights = parts.iter().flat_map(|(_, share)| share.weights().iter().copied());
    (parts[0].0.clone(), weights.collect())
}

/// The largest distance of two weights.
fn furthest(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Stops a run on `from` ranks after 9 steps, and goes on from there on 1, 2 and 3.
fn goes_on(name: &str, from: usize, shape: Shape, tune: Tune) {
    let folder = Folder::new(&name.replace(' ', "-"));
    let path = folder.join("run");
    let (undisturbed, weights) = whole(fit(from, shape, move |_, trainer| tune(trainer)));
    assert!(undisturbed.loss() > 1e-3, "{name}: no digits to compare");
    let keep = path.clone();
    let (kept, _) = whole(fit(from, shape, move |_, trainer| {
        tune(trainer).max_steps(9).checkpoint(&keep, 4)
    }));
    assert_eq!(kept.steps(), 9);
    for size in 1..=3 {
        let path = path.clone();
        let (resumed, again) = whole(fit(size, shape, move |_, trainer| tune(trainer).resume(&path)));
        let name = format!("{name}, {shape:?}, from {from} to {size} ranks");
        assert_eq!(resumed.steps(), STEPS, "{name}");
        assert_eq!(resumed.passes(), undisturbed.passes(), "{name}");
        if size == from {
            assert_eq!(resumed.loss(), undisturbed.loss(), "{name}");
            assert!(again == weights, "{name}: the bits are others");
        }
        let error = (resumed.loss() - undisturbed.loss()).abs() / undisturbed.loss();
        assert!(error <= 1e-12, "{name}: {error:e}");
        let furthest = furthest(&again, &weights);
        assert!(
            again.len() == weights.len() && furthest <= 1e-10,
            "{name}: {furthest:e}"
        );
    }
    assert_eq!(folder.names(), ["run"], "no temporary file is left");
}

#[test]
fn gradient_descent_goes_on() {
    for shape in SHAPES {
        goes_on("momentum", 2, shape, |trainer| {
            trainer.method(GradientDescent::default().momentum(0.8))
        });
    }
    goes_on("from one", 1, SHAPES[0], |trainer| trainer.memory(Memory::Recompute));
    goes_on("from three", 3, SHAPES[1], |trainer| {
        trainer.method(GradientDescent::default().nesterov(0.5).clip_norm(3.0))
    });
}

#[test]
fn minibatches_go_on() {
    for shape in SHAPES {
        goes_on("minibatches", 2, shape, |trainer| {
            trainer.method(Minibatch::new(6).seed(2).momentum(0.3))
        });
    }
}

#[test]
fn schedules_go_on() {
    fn with(schedule: impl Schedule<f64> + 'static) -> Trainer<'static, f64> {
        Trainer::new(schedule).max_steps(STEPS)
    }
    for shape in SHAPES {
        goes_on("backtracking", 2, shape, |_| with(Backtracking::default().scale(0.1)));
        goes_on("kernel stable", 2, shape, |_| with(KernelStable::default().refresh(5)));
        // An unstable map, which makes of a rounding anything in many steps: a few of them, before and after the checkpoint.
        goes_on("secant", 2, shape, |_| {
            with(1e-4.then(7, BarzilaiBorwein::default().then(4, 1e-4)))
        });
    }
}

#[test]
fn gauss_newton_goes_on() {
    for shape in SHAPES {
        // Damped so strongly that the steps are not enough.
        goes_on("frozen", 2, shape, |trainer| {
            trainer.method(GaussNewton::frozen().damping(2000.0))
        });
        goes_on("pull", 2, shape, |trainer| {
            trainer.method(GaussNewton::default().damping(2000.0).ridge(5.0))
        });
    }
}

/// Validation looks at its best weights again, which are an array of their own.
#[test]
fn the_best_weights_go_on() {
    let folder = Folder::new("best");
    let path = folder.join("run");
    let shape = SHAPES[1];
    // For as long as the threads of a run that hangs.
    let test: &'static Dataset<f64> = Box::leak(Box::new(problems::data(5, 40, 9)));
    let tune = move |trainer: Trainer<'static, f64>| trainer.validation(test, 100);
    let (undisturbed, weights) = whole(fit(2, shape, move |_, trainer| tune(trainer)));
    let keep = path.clone();
    whole(fit(2, shape, move |_, trainer| {
        tune(trainer).max_steps(9).checkpoint(&keep, 4)
    }));
    for size in 1..=3 {
        let path = path.clone();
        let (resumed, again) = whole(fit(size, shape, move |_, trainer| tune(trainer).resume(&path)));
        assert_eq!(resumed.best_step(), undisturbed.best_step());
        assert!(size != 2 || again == weights);
        let furthest = furthest(&again, &weights);
        assert!(furthest <= 1e-10, "{size} ranks: {furthest:e}");
    }
}

#[test]
fn the_file_is_that_of_one_rank() {
    let folder = Folder::new("file");
    // A share is larger than a message.
    let shape = (12, 7, 5003, false);
    let file = |size: usize| {
        let path = folder.join(size.to_string());
        let keep = path.clone();
        whole(fit(size, shape, move |_, trainer| {
            trainer.max_steps(0).checkpoint(&keep, 1)
        }));
        safetensors::parts(&fs::read(path).unwrap())
    };
    let (header, numbers) = file(1);
    for size in [2, 3] {
        let (other, same) = file(size);
        assert!(numbers == same, "{size} ranks");
        assert_eq!(header["weights"], other["weights"]);
        assert_eq!(header["initial"], other["initial"]);
    }
    let (undisturbed, _) = whole(fit(1, shape, |_, trainer| trainer));
    let path = folder.join("3");
    let (resumed, _) = whole(fit(2, shape, move |_, trainer| trainer.resume(&path)));
    let error = (resumed.loss() - undisturbed.loss()).abs() / undisturbed.loss();
    assert!(undisturbed.loss() > 1e-3 && error <= 1e-12, "{error:e}");
}

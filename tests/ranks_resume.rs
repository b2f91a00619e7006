//! A run on several ranks goes on from its checkpoint, on any number of ranks; and what goes wrong with it on one rank is an
//! error on all.

mod common;

use expnet::communicator::{Communicator, Threads};
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::schedule::{Backtracking, BarzilaiBorwein, KernelStable, Schedule};
use expnet::{Dataset, Error, ExpNetwork, FitReport, Initializer, Memory, Trainer};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

const STEPS: usize = 24;

/// What a rank of these tests brings home.
type Answers = Vec<Result<(FitReport<f64>, ExpNetwork<f64>), Error>>;

type Tune = fn(Trainer<'static, f64>) -> Trainer<'static, f64>;

/// n, d, m, and whether the start is antisymmetric.
type Shape = (usize, usize, usize, bool);

/// The second is trained in reduced coordinates.
const SHAPES: [Shape; 3] = [(20, 4, 151, false), (16, 40, 131, false), (20, 4, 130, true)];

fn data((n, d, _, _): Shape) -> Dataset<f64> {
    common::data(n, d, 3)
}

fn recipe((_, d, m, antisymmetric): Shape) -> Initializer {
    Initializer::new(d, m).std_dev(0.7).seed(5).antisymmetric(antisymmetric)
}

/// Trains on `size` ranks, and fails where they don't come to an end; `tune` sets up the trainer of a rank.
fn fit(
    size: usize,
    shape: Shape,
    tune: impl Fn(usize, Trainer<'static, f64>) -> Trainer<'static, f64> + Send + Sync + 'static,
) -> Answers {
    let (send, receive) = mpsc::channel();
    let work = move |world: Threads| {
        let (rank, data) = (world.rank(), data(shape));
        let mut share = recipe(shape).shard(rank, size).build()?;
        let trainer = tune(rank, Trainer::default().max_steps(STEPS)).communicator(world);
        let report = trainer.fit(&mut share, &data)?;
        Ok((report, share))
    };
    std::thread::spawn(move || send.send(Threads::run(size, work)));
    receive.recv_timeout(Duration::from_secs(60)).expect("the ranks hang")
}

/// The report of rank 0, which is that of every rank, and the whole network.
fn whole(answers: Answers) -> (FitReport<f64>, Vec<f64>) {
    let parts: Vec<_> = answers.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(parts.iter().all(|(report, _)| report.loss() == parts[0].0.loss()));
    let weights = parts.iter().flat_map(|(_, share)| share.weights().iter().copied());
    (parts[0].0.clone(), weights.collect())
}

/// A folder of this process's own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("expnet-ranks-resume-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Stops a run on `from` ranks after 9 steps, and goes on from there on 1, 2 and 3.
fn goes_on(name: &str, from: usize, shape: Shape, tune: Tune) {
    let folder = Folder::new(&name.replace(' ', "-"));
    let path = folder.0.join("run");
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
        let furthest = again
            .iter()
            .zip(&weights)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(
            again.len() == weights.len() && furthest <= 1e-10,
            "{name}: {furthest:e}"
        );
    }
    assert_eq!(
        std::fs::read_dir(&folder.0).unwrap().count(),
        1,
        "no temporary file is left"
    );
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
    let path = folder.0.join("run");
    let shape = SHAPES[1];
    // For as long as the threads of a run that hangs.
    let test: &'static Dataset<f64> = Box::leak(Box::new(common::data(5, 40, 9)));
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
        let furthest = again
            .iter()
            .zip(&weights)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(furthest <= 1e-10, "{size} ranks: {furthest:e}");
    }
}

/// The header, and the numbers behind it.
fn halves(path: &Path) -> (serde_json::Value, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    (header, bytes[8 + length..].to_vec())
}

#[test]
fn the_file_is_that_of_one_rank() {
    let folder = Folder::new("file");
    // A share is larger than a message.
    let shape = (12, 7, 5003, false);
    let file = |size: usize| {
        let path = folder.0.join(size.to_string());
        let keep = path.clone();
        whole(fit(size, shape, move |_, trainer| {
            trainer.max_steps(0).checkpoint(&keep, 1)
        }));
        halves(&path)
    };
    let (header, numbers) = file(1);
    for size in [2, 3] {
        let (other, same) = file(size);
        assert!(numbers == same, "{size} ranks");
        assert_eq!(header["weights"], other["weights"]);
        assert_eq!(header["initial"], other["initial"]);
    }
    let (undisturbed, _) = whole(fit(1, shape, |_, trainer| trainer));
    let path = folder.0.join("3");
    let (resumed, _) = whole(fit(2, shape, move |_, trainer| trainer.resume(&path)));
    let error = (resumed.loss() - undisturbed.loss()).abs() / undisturbed.loss();
    assert!(undisturbed.loss() > 1e-3 && error <= 1e-12, "{error:e}");
}

const GONE: &str = "rank 1 of 3 could not go on with the run; see the error on that rank";
const PARTED: &str = "the 3 ranks have parted before exchange";

fn errors(answers: Answers) -> Vec<String> {
    let texts = answers.into_iter().map(|answer| answer.unwrap_err().to_string());
    texts.collect()
}

/// A checkpoint of three ranks after 9 steps, and one after 5.
fn kept(folder: &Folder) -> [PathBuf; 2] {
    [9, 5].map(|steps| {
        let path = folder.0.join(steps.to_string());
        let keep = path.clone();
        whole(fit(3, SHAPES[0], move |_, trainer| {
            trainer.max_steps(steps).checkpoint(&keep, 100)
        }));
        path
    })
}

#[test]
fn another_network_is_refused_on_all() {
    let folder = Folder::new("another");
    let [path, _] = kept(&folder);
    let (n, d, m, _) = SHAPES[0];
    let from = path.clone();
    let texts = errors(fit(3, (n, d, m + 3, false), move |_, trainer| trainer.resume(&from)));
    for text in texts {
        assert!(
            text.contains("`width` of `network` is 151 in the record, and 154 here"),
            "{text}"
        );
    }
    // One output weight is another, on one rank.
    for size in 1..=3 {
        let path = path.clone();
        let answers = Threads::run(size, move |world| {
            let rank = world.rank();
            let share = recipe(SHAPES[0]).shard(rank, size).build::<f64>()?;
            let mut a = share.output_weights().clone();
            if rank == size - 1 {
                a[2] = -a[2];
            }
            let mut share = ExpNetwork::from_parts(share.weights().clone(), a)?;
            let trainer = Trainer::default().resume(&path).communicator(world);
            trainer.fit(&mut share, &data(SHAPES[0])).map(|report| (report, share))
        });
        for text in errors(answers) {
            assert!(
                text.contains("fingerprint of the output weights` of `network`"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_file_that_one_rank_does_not_see_is_an_error_on_all() {
    let folder = Folder::new("unseen");
    let [path, _] = kept(&folder);
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        trainer.resume(if rank == 1 {
            path.with_extension("not")
        } else {
            path.clone()
        })
    }));
    assert_eq!([&texts[0], &texts[2]], [GONE, GONE]);
    assert!(texts[1].starts_with("reading the checkpoint"), "{}", texts[1]);
}

#[test]
fn another_checkpoint_on_one_rank_is_an_error_on_all() {
    let folder = Folder::new("other");
    let [late, early] = kept(&folder);
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        trainer.resume(if rank == 1 { &early } else { &late })
    }));
    assert!(texts.iter().all(|text| text.starts_with(PARTED)), "{texts:?}");
}

#[test]
fn a_damaged_file_is_an_error_on_all() {
    let folder = Folder::new("damaged");
    let [path, other] = kept(&folder);
    let whole = std::fs::read(&path).unwrap();
    let numbers = halves(&path).1.len();
    // Numbers of each rank's neurons, in the initial and in the current weights: the lowest bits.
    for part in 0..6 {
        let mut bytes = whole.clone();
        let at = whole.len() - numbers + (2 * part + 1) * (numbers / 8 / 12) * 8;
        bytes[at] ^= 1;
        std::fs::write(&other, &bytes).unwrap();
        let path = other.clone();
        let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.resume(&path)));
        let name = if part < 3 { "initial" } else { "weights" };
        for text in texts {
            assert!(
                text.contains(&format!("tensor \"{name}\" is damaged")),
                "{part}: {text}"
            );
        }
    }
    // A number of rank 1 that none can be.
    let mut bytes = whole.clone();
    let at = whole.len() - numbers / 4 / 8 * 8;
    bytes[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    std::fs::write(&other, &bytes).unwrap();
    let path = other.clone();
    let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.resume(&path)));
    assert_eq!([&texts[0], &texts[2]], [GONE, GONE]);
    assert!(
        texts[1].contains("tensor \"weights\" holds a number that is not finite"),
        "{}",
        texts[1]
    );
    std::fs::write(&other, &whole[..whole.len() - 1]).unwrap();
    let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.resume(&other)));
    assert!(texts.iter().all(|text| text.contains("cut short")), "{texts:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_an_error_on_all() {
    for every in [2, 100] {
        let path = std::env::temp_dir().join("expnet-no-such-folder").join("run");
        let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.checkpoint(&path, every)));
        assert!(texts[0].starts_with("writing the checkpoint"), "{}", texts[0]);
        let gone = "another rank could not go on; see the error on that rank";
        assert_eq!([&texts[1], &texts[2]], [gone, gone]);
    }
}

#[test]
fn other_checkpoints_on_one_rank_are_an_error_on_all() {
    let folder = Folder::new("unlike");
    let path = folder.0.join("run");
    let once = path.clone();
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        trainer.checkpoint(&once, 3 + rank)
    }));
    assert!(texts.iter().all(|text| text.starts_with(PARTED)), "{texts:?}");
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        if rank == 1 {
            trainer
        } else {
            trainer.checkpoint(&path, 3)
        }
    }));
    assert!(texts.iter().all(|text| text.starts_with(PARTED)), "{texts:?}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

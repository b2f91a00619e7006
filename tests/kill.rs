//! A training process is killed (SIGKILL) again and again, goes on each time, and ends with the bits of the run that was
//! left alone.
#![cfg(unix)]

#[path = "all/support/folder.rs"]
mod folder;

use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::schedule::{BarzilaiBorwein, KernelStable};
use expnet::{Dataset, ExpNetwork, Initializer, Memory, Trainer};
use folder::Folder;
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the worker its case and its folder.
const CASE: &str = "EXPNET_TEST_KILL_CASE";
const FOLDER: &str = "EXPNET_TEST_KILL_FOLDER";

const CASES: [&str; 5] = ["reduced", "recomputed", "secant", "batches", "frozen"];
/// Of each case.
const KILLS: [Moment; 5] = [
    Moment::AfterStart,
    Moment::WhileWriting,
    Moment::AfterCheckpoint,
    Moment::WhileWriting,
    Moment::AfterCheckpoint,
];
const STEPS: usize = 300;

fn problem(case: &str) -> (Dataset<f64>, ExpNetwork<f64>) {
    let dimension = if matches!(case, "reduced" | "recomputed") {
        60
    } else {
        12
    };
    let value = |k: usize, i: usize| ((1 + 2 * k + 3 * i + k * i) as f64).sin() / (dimension as f64).sqrt();
    let points = DMatrix::from_fn(dimension, 20, value);
    let data = Dataset::new(points, DVector::from_fn(20, |i, _| (i as f64).cos())).unwrap();
    let net = Initializer::new(dimension, 20_000)
        .antisymmetric(true)
        .seed(1)
        .build()
        .unwrap();
    (data, net)
}

fn trainer(case: &str) -> Trainer<'static, f64> {
    let momentum = GradientDescent::default().momentum(0.8);
    let stable = KernelStable::default().factor(0.3).refresh(50);
    match case {
        "reduced" => Trainer::new(stable).method(momentum).memory(Memory::Store),
        "recomputed" => Trainer::new(stable).method(momentum).memory(Memory::Recompute),
        "secant" => Trainer::new(BarzilaiBorwein::default()).memory(Memory::Store),
        "batches" => Trainer::new(stable)
            .method(Minibatch::new(7).momentum(0.5))
            .memory(Memory::Store),
        // A step that is much too short, so that it takes many.
        _ => Trainer::new(0.02)
            .method(GaussNewton::frozen())
            .memory(Memory::Recompute),
    }
}

/// The process that is killed. Not a test of its own.
#[test]
#[ignore = "started by the test below"]
fn worker() {
    let (Ok(case), Ok(folder)) = (std::env::var(CASE), std::env::var(FOLDER)) else {
        panic!("{CASE} and {FOLDER} are not set");
    };
    let path = Path::new(&folder).join("run");
    let (data, mut net) = problem(&case);
    let mut trainer = trainer(&case).max_steps(STEPS).checkpoint(&path, 1);
    if path.exists() {
        trainer = trainer.resume(&path);
    }
    trainer.fit(&mut net, &data).unwrap();
}

fn spawn(case: &str, folder: &Folder) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "worker"])
        .envs([(CASE, case), (FOLDER, folder.path().to_str().unwrap())])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn temporaries(folder: &Folder) -> Vec<String> {
    folder.names().into_iter().filter(|name| name != "run").collect()
}

/// When a worker is killed.
#[derive(Clone, Copy, PartialEq)]
enum Moment {
    /// So long after its start, whatever it is doing.
    AfterStart,
    /// So long after its first checkpoint.
    AfterCheckpoint,
    /// While it writes a checkpoint after that.
    WhileWriting,
}

fn kill(mut worker: Child, folder: &Folder, before: &[String], moment: Moment, rng: &mut ChaCha8Rng) {
    let written = || {
        std::fs::metadata(folder.join("run"))
            .and_then(|found| found.modified())
            .ok()
    };
    let last = written();
    let started = Instant::now();
    let mut wait_for = |what: &str, due: &dyn Fn() -> bool| {
        while !due() {
            assert!(
                worker.try_wait().unwrap().is_none(),
                "the run ended before it was killed"
            );
            assert!(started.elapsed() < Duration::from_secs(60), "{what} did not come");
            std::thread::sleep(Duration::from_micros(100));
        }
    };
    if moment != Moment::AfterStart {
        wait_for("a checkpoint", &|| written() > last);
    }
    std::thread::sleep(Duration::from_micros(rng.random_range(0..50_000)));
    if moment == Moment::WhileWriting {
        wait_for("a temporary file", &|| {
            temporaries(folder).iter().any(|name| !before.contains(name))
        });
    }
    worker.kill().unwrap();
    let status = worker.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[test]
fn a_killed_run_ends_as_if_it_had_been_left_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut kills, mut while_writing, mut resumed) = (0, 0, 0);
    for case in CASES {
        let folder = Folder::new(case);
        let path = folder.join("run");
        let (data, start) = problem(case);
        let mut whole = start.clone();
        trainer(case).max_steps(STEPS).fit(&mut whole, &data).unwrap();

        for moment in KILLS {
            let before = temporaries(&folder);
            resumed += usize::from(path.exists());
            kill(spawn(case, &folder), &folder, &before, moment, &mut rng);
            kills += 1;
            let left = temporaries(&folder);
            // The one that a killed process left before was cleaned up, unless this one was killed before it looked.
            assert!(left.len() <= 1 + before.len(), "{left:?}");
            while_writing += usize::from(left.iter().any(|name| !before.contains(name)));
        }
        let mut parts = start.clone();
        let report = trainer(case)
            .max_steps(STEPS)
            .resume(&path)
            .fit(&mut parts, &data)
            .unwrap();
        assert_eq!(report.steps(), STEPS);
        assert!(whole.weights() == parts.weights(), "{case}: the bits are others");
        assert_eq!(
            temporaries(&folder),
            Vec::<String>::new(),
            "what was left is cleaned up"
        );
    }
    println!("{kills} kills, {while_writing} while a checkpoint was being written, {resumed} runs resumed");
    assert!(
        kills >= 20 && while_writing >= 5 && resumed >= 10,
        "{kills}, {while_writing}, {resumed}"
    );
}

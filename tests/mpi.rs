//! Runs under `mpirun`: this program starts itself again, as the ranks of a job.
//!
//! The ranks run the ignored test `rank`, which does the task that `EXPNET_TASK` names.

use expnet::communicator::Communicator;
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::mpi::World;
use expnet::observer::Progress;
use expnet::schedule::{self, Backtracking, KernelStable};
use expnet::{Dataset, Error, ExpNetwork, Initializer, Memory, Trainer};
use nalgebra::{DMatrix, DVector};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

const TASK: &str = "EXPNET_TASK";

fn data(n: usize, d: usize) -> Dataset<f64> {
    let points = DMatrix::from_fn(d, n, |k, i| {
        ((1 + 3 * i + 5 * k * k + i * k) as f64).sin() / (d as f64).sqrt()
    });
    let labels = DVector::from_fn(n, |i, _| (0.7 * i as f64).cos());
    Dataset::new(points, labels).unwrap()
}

fn recipe() -> Initializer {
    Initializer::new(5, 301).std_dev(0.7).seed(5)
}

fn trainer(method: &str) -> Trainer<'static, f64> {
    match method {
        "gd" => Trainer::default(),
        "momentum" => Trainer::default().method(GradientDescent::default().momentum(0.6)),
        "minibatch" => Trainer::default().method(Minibatch::new(7).seed(1)),
        "gauss-newton" => Trainer::default().method(GaussNewton::default().damping(2000.0)),
        // With ridge the loss ends far from 0, where it would be one of rounding.
        "adaptive gauss-newton" => Trainer::default().method(GaussNewton::default().ridge(1.0)),
        "backtracking" => Trainer::new(Backtracking::default()),
        "kernel stable" => Trainer::new(KernelStable::default().refresh(10)),
        other => panic!("no method {other}"),
    }
}

const METHODS: [&str; 7] = [
    "gd",
    "momentum",
    "minibatch",
    "backtracking",
    "kernel stable",
    "gauss-newton",
    "adaptive gauss-newton",
];

#[test]
#[ignore = "a rank of a job: the other tests start it"]
fn rank() {
    if let Ok(task) = env::var(TASK) {
        assert_eq!(World::run(|world| work(world, &task)), ExitCode::SUCCESS);
    }
}

fn work(world: &World, task: &str) -> Result<(), Error> {
    match task {
        "panic" | "error" | "no data" | "diverge" | "long" => fault(world, task),
        "leaves" if world.rank() == 1 => Ok(()),
        "saves alone" => {
            let share = recipe().shard(world.rank(), world.size()).build::<f64>()?;
            if world.rank() == 0 {
                share.save_over(world, checkpoint())?;
            }
            Ok(())
        }
        "antisymmetric" => antisymmetric(world),
        "memory" => memory(world),
        "slow" | "again" => checkpointed(world, task),
        method => {
            let method = if method == "leaves" { "gd" } else { method };
            let mut share = recipe().shard(world.rank(), world.size()).build()?;
            let trainer = trainer(method).max_steps(50).communicator(world.clone());
            let report = trainer.fit(&mut share, &data(30, 5))?;
            println!("rank {} loss {:.16e}", world.rank(), report.loss());
            Ok(())
        }
    }
}

/// A run in which rank 1 goes wrong, or all of them.
fn fault(world: &World, task: &str) -> Result<(), Error> {
    let guilty = world.rank() == 1;
    let data = match task {
        "no data" if guilty => Dataset::from_rows::<[f64; 5]>(&[], &[])?,
        _ => data(30, 5),
    };
    println!("pid {}", std::process::id());
    let task = task.to_string();
    let schedule = schedule::from_fn(move |state| match (task.as_str(), state.iteration()) {
        ("panic", 5) if guilty => panic!("as it was told"),
        ("error", 5) if guilty => -1.0,
        ("diverge", _) => 1e6,
        _ => 1e-6,
    });
    let mut share = recipe().shard(world.rank(), world.size()).build()?;
    let trainer = Trainer::new(schedule).max_steps(usize::MAX).communicator(world.clone());
    trainer.fit(&mut share, &data).map(|_| ())
}

fn antisymmetric(world: &World) -> Result<(), Error> {
    let data = data(30, 5);
    let recipe = Initializer::new(5, 302).antisymmetric(true).seed(1);
    let mut share = recipe.shard(world.rank(), world.size()).build()?;
    let outputs = share.forward_over(world, data.points())?;
    assert!(outputs.iter().all(|&f| f == 0.0), "{outputs}");
    let trainer = Trainer::default().max_steps(0).communicator(world.clone());
    let loss = trainer.fit(&mut share, &data)?.loss();
    assert!((loss - data.labels().norm_squared() / 2.0).abs() < 1e-14);
    println!("rank {} is exact", world.rank());
    Ok(())
}

/// Steps of a run that is killed on its way.
const STEPS: usize = 60;

fn checkpoint() -> PathBuf {
    env::temp_dir().join(format!("expnet-mpi-run-{}", env::var("EXPNET_JOB").unwrap()))
}

/// The run of `momentum`, with checkpoints, or from the last of them.
fn checkpointed(world: &World, task: &str) -> Result<(), Error> {
    let mut share = recipe().shard(world.rank(), world.size()).build()?;
    let trainer = trainer("momentum").max_steps(STEPS).communicator(world.clone());
    let trainer = if task == "slow" {
        println!("pid {}", std::process::id());
        trainer.checkpoint(checkpoint(), 5).observe(|_: &Progress<'_, f64>| {
            std::thread::sleep(Duration::from_millis(20));
            ControlFlow::Continue(())
        })
    } else {
        trainer.resume(checkpoint())
    };
    let data = data(30, 5);
    let mut session = trainer.start(&mut share, &data)?;
    println!("rank {} began {}", world.rank(), session.steps());
    while session.step()?.is_none() {}
    println!("rank {} loss {:.16e}", world.rank(), session.finish()?.loss());
    Ok(())
}

/// The most memory this process has had so far, in KiB.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn memory(world: &World) -> Result<(), Error> {
    let before = peak();
    let mut share = Initializer::new(16, 600_000)
        .shard(world.rank(), world.size())
        .build::<f64>()?;
    let path = env::temp_dir().join(format!(
        "expnet-mpi-{}-of-{}",
        env::var("EXPNET_JOB").unwrap(),
        world.size()
    ));
    let data = data(40, 16);
    let trainer = |steps| {
        let trainer = Trainer::new(1e-9).max_steps(steps).memory(Memory::Recompute);
        trainer.communicator(world.clone())
    };
    trainer(2).checkpoint(&path, 2).fit(&mut share, &data)?;
    trainer(3).resume(&path).fit(&mut share, &data)?;
    share.save_over(world, &path)?;
    let again = ExpNetwork::load_shard(&path, world.rank(), world.size())?;
    assert!(again.weights() == share.weights());
    world.all_reduce_sum(&mut [0.0])?; // all have read it
    if world.rank() == 0 {
        fs::remove_file(&path).unwrap();
    }
    println!("rank {} took {}", world.rank(), peak() - before);
    Ok(())
}

fn job(ranks: usize, task: &str) -> Command {
    let mut command = Command::new("mpirun");
    command
        .args([
            "--oversubscribe",
            "--bind-to",
            "none",
            "--timeout",
            "60",
            "-n",
            &ranks.to_string(),
        ])
        .arg(env::current_exe().unwrap())
        .args(["rank", "--exact", "--ignored", "--nocapture"])
        .env(TASK, task)
        .env("EXPNET_JOB", std::process::id().to_string())
        .env("RAYON_NUM_THREADS", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .stdin(Stdio::null());
    command
}

fn run(ranks: usize, task: &str) -> Output {
    job(ranks, task).output().expect("mpirun starts")
}

/// What each rank printed after `rank R what`, in the order of the ranks.
fn answers(ranks: usize, task: &str, what: &str) -> Vec<f64> {
    let output = run(ranks, task);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{task} on {ranks}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    told(ranks, &text, what)
}

fn told(ranks: usize, text: &str, what: &str) -> Vec<f64> {
    let of = |rank: usize| {
        let start = format!("rank {rank} {what} ");
        let line = text
            .lines()
            .find_map(|line| line.split_once(&start))
            .map(|(_, rest)| rest);
        line.unwrap_or_else(|| panic!("rank {rank} of {ranks}: {text}"))
            .parse()
            .unwrap()
    };
    (0..ranks).map(of).collect()
}

#[test]
fn losses_are_those_of_one_process() {
    for method in METHODS {
        let mut whole = recipe().build().unwrap();
        let solo = trainer(method)
            .max_steps(50)
            .fit(&mut whole, &data(30, 5))
            .unwrap()
            .loss();
        for ranks in 1..=3 {
            let losses = answers(ranks, method, "loss");
            let error = (losses[0] - solo).abs() / solo;
            println!("{method} on {ranks}: {:.16e}, off by {error:.1e}", losses[0]);
            assert!(solo > 1e-3 && error <= 1e-12, "{method} on {ranks}: {error:e}");
            assert!(losses.iter().all(|&loss| loss == losses[0]), "{losses:?}");
        }
    }
}

#[test]
fn an_antisymmetric_start_is_exactly_zero() {
    let output = run(3, "antisymmetric");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("is exact").count(), 3, "{text}");
}

#[test]
fn no_rank_holds_more_than_its_share() {
    let whole = answers(1, "memory", "took")[0];
    // Through a checkpoint and back: the network and two copies of its weights in the engine at least.
    assert!(whole >= f64::from(3 * 600_000 * 16 * 8 / 1024));
    for share in answers(3, "memory", "took") {
        println!("{share} KiB of {whole}");
        assert!(share <= whole / 3.0 * 1.05 + 8192.0, "{share} KiB of {whole}");
    }
}

/// The exit code and the errors of a job that fails within ten seconds.
fn fails(task: &str) -> (i32, String) {
    let start = Instant::now();
    let output = run(3, task);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{task}: {:?}",
        start.elapsed()
    );
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("an exit code"), errors)
}

#[test]
fn a_panic_ends_the_job() {
    let (code, errors) = fails("panic");
    assert_eq!(code, 101, "{errors}");
    assert!(errors.contains("as it was told"), "{errors}");
}

#[test]
fn a_divergence_ends_the_job() {
    let (code, errors) = fails("diverge");
    assert_eq!(code, 1, "{errors}");
    for rank in 0..3 {
        let own = format!("error on rank {rank}: training diverged");
        assert!(errors.contains(&own), "{errors}");
    }
}

#[test]
fn an_error_on_one_rank_ends_the_job() {
    let (code, errors) = fails("error");
    assert_eq!(code, 1, "{errors}");
    assert!(
        errors.contains("error on rank 1: the step size of step 5 is -1"),
        "{errors}"
    );
    assert!(errors.contains("error on rank 2: rank 1 of 3 has failed"), "{errors}");
}

#[test]
fn an_error_before_the_run_ends_the_job() {
    let (code, errors) = fails("no data");
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("error on rank 1:"), "{errors}");
}

#[test]
fn a_rank_that_leaves_early_ends_the_job() {
    for task in ["leaves", "saves alone"] {
        let (code, errors) = fails(task);
        assert_ne!(code, 0, "{task}: {errors}");
        assert!(errors.contains("has left the job"), "{task}: {errors}");
    }
}

/// Ends the job should a test fail halfway.
struct Job(Child, #[allow(dead_code)] BufReader<ChildStdout>);

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A job at work, and the processes of its ranks.
fn spawned(ranks: usize, task: &str) -> (Job, Vec<String>) {
    let mut job = job(ranks, task);
    let mut job = job.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = BufReader::new(job.stdout.take().unwrap());
    let lines = output.by_ref().lines().map_while(Result::ok);
    let pids = lines.filter_map(|line| Some(line.split_once("pid ")?.1.to_string()));
    let pids: Vec<_> = pids.take(ranks).collect();
    // Open until the job ends, which could not write otherwise.
    let job = Job(job, output);
    assert_eq!(pids.len(), ranks);
    (job, pids)
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
}

#[test]
fn a_killed_job_goes_on_on_more_ranks() {
    // As `job` tells the ranks.
    let path = env::temp_dir().join(format!("expnet-mpi-run-{}", std::process::id()));
    let (mut slow, pids) = spawned(2, "slow");
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(slow.0.try_wait().unwrap().is_none(), "it runs");
    kill(&pids[1]);
    assert_eq!(slow.0.wait().unwrap().code(), Some(137));

    let output = run(3, "again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let began = told(3, &text, "began");
    assert!(
        began[0] >= 5.0 && began[0] < STEPS as f64 && began == [began[0]; 3],
        "{began:?}"
    );
    let mut whole = recipe().build().unwrap();
    let undisturbed = trainer("momentum").max_steps(STEPS);
    let loss = undisturbed.fit(&mut whole, &data(30, 5)).unwrap().loss();
    for again in told(3, &text, "loss") {
        let error = (again - loss).abs() / loss;
        println!("resumed at {}: {again:.16e}, off by {error:.1e}", began[0]);
        assert!(loss > 1e-3 && error <= 1e-12, "{again:e} and {loss:e}: {error:e}");
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn a_killed_rank_ends_the_job() {
    let (mut job, pids) = spawned(3, "long");
    std::thread::sleep(Duration::from_millis(300)); // into the middle of the run
    assert!(job.0.try_wait().unwrap().is_none(), "it runs");
    let killed = Instant::now();
    kill(&pids[2]);
    let code = job.0.wait().unwrap().code();
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    assert_eq!(code, Some(137));
}

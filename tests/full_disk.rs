//! A disk that is full while a file is written: an error, the previous file whole, no temporary file left.
//!
//! The test runs itself again in a shell that bounds the size of files (`ulimit -f`), which fails in the middle of a
//! write as a full disk does.
#![cfg(unix)]

#[path = "all/support/folder.rs"]
mod folder;

use expnet::{Dataset, ExpNetwork, Initializer, Trainer};
use folder::Folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the process under the limit finds its folder.
const FOLDER: &str = "EXPNET_FULL_DISK_FOLDER";

/// Files may have this many bytes: `ulimit -f` counts blocks of 512.
const BLOCKS: usize = 64;

fn small() -> ExpNetwork<f64> {
    Initializer::new(4, 100).seed(1).build().unwrap()
}

fn large() -> ExpNetwork<f64> {
    Initializer::new(4, 10_000).seed(2).build().unwrap()
}

/// Runs one of the tests below in a shell with the limit, where a write beyond it is an error and no signal.
fn under_limit(test: &str, folder: &Path) -> Output {
    let script =
        format!("trap '' XFSZ; ulimit -f {BLOCKS} || exit 77; exec \"$0\" --exact {test} --ignored --nocapture");
    let this = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", &script])
        .arg(this)
        .env(FOLDER, folder)
        .output()
        .unwrap()
}

fn assert_passed(output: &Output) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "the test ran: {text}");
}

#[test]
#[ignore = "runs in a process whose files are limited, started by the test below"]
fn save_under_limit() {
    let path = PathBuf::from(std::env::var_os(FOLDER).expect("set by the test below")).join("model");
    let error = large().save(&path).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("writing the network {}: ", path.display())),
        "{error}"
    );
    println!("{error}");
    // There is still room for a small one.
    small().save(path.with_file_name("another")).unwrap();
}

#[test]
fn a_full_disk_leaves_the_previous_model_whole() {
    let folder = Folder::new("save");
    let path = folder.join("model");
    small().save(&path).unwrap();
    assert_passed(&under_limit("save_under_limit", folder.path()));
    assert_eq!(ExpNetwork::<f64>::load(&path).unwrap(), small());
    assert_eq!(folder.names(), ["another", "model"], "no temporary file");
}

fn data() -> Dataset<f64> {
    Dataset::from_rows(&[[0.1, 0.2, 0.3, 0.4], [0.4, -0.3, 0.2, 0.1]], &[0.5, -0.5]).unwrap()
}

#[test]
#[ignore = "runs in a process whose files are limited, started by the test below"]
fn checkpoint_under_limit() {
    let path = PathBuf::from(std::env::var_os(FOLDER).expect("set by the test below")).join("run");
    let trainer = Trainer::new(1e-5).max_steps(3).checkpoint(&path, 1);
    let error = trainer.fit(&mut large(), &data()).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    println!("{error}");
}

#[test]
fn a_full_disk_leaves_the_previous_checkpoint_whole() {
    let folder = Folder::new("checkpoint");
    let path = folder.join("run");
    let trainer = |steps| Trainer::new(1e-5).max_steps(steps).checkpoint(&path, 1);
    trainer(2).fit(&mut small(), &data()).unwrap();
    let before = fs::read(&path).unwrap();
    assert_passed(&under_limit("checkpoint_under_limit", folder.path()));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(folder.names(), ["run"], "no temporary file");
    let (mut resumed, mut whole) = (small(), small());
    trainer(4).resume(&path).fit(&mut resumed, &data()).unwrap();
    Trainer::new(1e-5).max_steps(4).fit(&mut whole, &data()).unwrap();
    assert_eq!(resumed, whole);
}

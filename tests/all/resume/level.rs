//! A checkpoint is resumed on another SIMD level.

use super::{momentum, start};
use crate::support::Folder;
use crate::support::problems::sines;
use expnet::ExpNetwork;
use std::path::PathBuf;

/// The test below, as the program knows it.
const WORKER: &str = "resume::level::level_worker";

/// Tells it where the checkpoint is.
const FOLDER: &str = "EXPNET_TEST_LEVEL_FOLDER";

/// Resumes on the SIMD level that its environment names. Not a test of its own.
#[test]
#[ignore = "started by the test below"]
fn level_worker() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let mut net = start::<f64>(40);
    let trainer = momentum(1e-3).max_steps(12).resume(folder.join("run"));
    assert_eq!(trainer.fit(&mut net, &sines(12, 40)).unwrap().steps(), 12);
    net.save(folder.join("net")).unwrap();
}

#[cfg(target_arch = "x86_64")]
fn has(level: &str) -> bool {
    match level {
        // The instructions that the level takes, beyond the foundation.
        "avx512" => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"),
        "avx2" => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        "sse4.2" => is_x86_feature_detected!("sse4.2"),
        _ => true,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn has(_: &str) -> bool {
    false
}

/// A level with vectors of another length packs the neurons otherwise: the same weights, other roundings.
#[test]
fn another_simd_level_takes_a_checkpoint_up() {
    let folder = Folder::new("level");
    let (data, mut net) = (sines(12, 40), start::<f64>(40));
    momentum(1e-3)
        .max_steps(5)
        .checkpoint(folder.join("run"), 5)
        .fit(&mut net, &data)
        .unwrap();
    let mut whole = start::<f64>(40);
    momentum(1e-3).max_steps(12).fit(&mut whole, &data).unwrap();
    for level in ["avx512", "avx2", "sse4.2", "sse2"] {
        if !has(level) {
            println!("{level}: skipped, this machine lacks it");
            continue;
        }
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", WORKER])
            .env("EXPNET_SIMD", level)
            .env(FOLDER, folder.path())
            .status();
        assert!(status.unwrap().success(), "{level}");
        let found = ExpNetwork::<f64>::load(folder.join("net")).unwrap();
        let distance = (found.weights() - whole.weights()).norm() / whole.weights().norm();
        println!("{level}: relative distance {distance:.1e}");
        assert!(distance < 1e-13, "{level}: {distance:e}");
    }
}

//! Helpers of all modules: problems, stubs, assertions and readers of files.

pub mod digits;
mod folder;
pub mod oracle;
pub mod problems;
mod python;
mod refused;
pub mod safetensors;
mod stubs;

pub use folder::Folder;
pub use python::python;
pub use refused::{refused, says};
pub use stubs::{Answers, Scripted};

use proptest::prelude::ProptestConfig;
use std::fs;
use std::path::Path;

/// The number of random cases; those that fail are printed and not written to a file.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Cuts off the last byte of a file, and then changes it: `refuses` is told what the errors of loading it say.
pub fn cut_and_flipped(path: &Path, refuses: impl Fn(&[&str])) {
    let file = fs::read(path).unwrap();
    fs::write(path, &file[..file.len() - 1]).unwrap();
    refuses(&["cut short"]);
    let mut flipped = file;
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(path, &flipped).unwrap();
    refuses(&["damaged", "checksum"]);
}

/// The result of `work` on a pool of that many threads.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

/// Instantiates tests for both scalar types.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod double {
            $(#[test] fn $name() { super::$name::<f64>(); })*
        }
        mod single {
            $(#[test] fn $name() { super::$name::<f32>(); })*
        }
    };
}
pub(crate) use on_both;

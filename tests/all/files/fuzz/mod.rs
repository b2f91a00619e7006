//! Damaged files: an error and no panic, and no more memory than the size of the file explains, whatever is in it.
//!
//! For each kind of file, a third of the inputs are random bytes, a third are a good file with damage anywhere, and a
//! third keep a good header and are damaged behind it. The tests print how many inputs got how far, and each stage must
//! have been reached by many. `cargo test --test all fuzz:: -- --nocapture` shows the figures.

#[cfg(feature = "csv")]
mod csv;
mod damage;
mod models;

use crate::support::cases;
use allocation_counter::measure;
use damage::damage;
use expnet::Error;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;

/// Inputs of each kind of file: three kinds, 24,000 in all.
const INPUTS: u32 = 8000;

/// What reading may take beside a few times the size of the file: buffers, messages, a folder's listing.
const ALLOWANCE: u64 = 200_000;

/// How far an input got. Each stage includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Refused,
    Header,
    Shapes,
    Loaded,
}

/// Runs `read` on damaged versions of the good files, each with the length of its header, and counts how far they got:
/// of all inputs, and of those with a good header. Returns the latter.
fn fuzz(kind: &str, files: &[(Vec<u8>, usize)], read: impl Fn(usize, &[u8]) -> Result<Stage, Error>) -> [u32; 4] {
    let counts = [const { Cell::new([0_u32; 4]) }; 2];
    let peak = Cell::new(0);
    let always_the_same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(cases(INPUTS), always_the_same);
    let input = (0..files.len(), damage());
    let outcome = runner.run(&input, |(which, damage)| {
        let (good, header) = &files[which];
        let bytes = damage.done_to(good, *header);
        let mut result = None;
        let memory = measure(|| result = Some(read(which, &bytes))).bytes_max;
        peak.set(peak.get().max(memory));
        prop_assert!(
            memory < ALLOWANCE + 20 * bytes.len() as u64,
            "{memory} bytes for {}",
            bytes.len()
        );
        let stage = match result.unwrap() {
            Ok(stage) => stage,
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                Stage::Refused
            }
        };
        for (counts, counted) in counts.iter().zip([true, damage.keeps_header()]) {
            let mut numbers = counts.get();
            for number in &mut numbers[..=stage as usize] {
                *number += u32::from(counted);
            }
            counts.set(numbers);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
    let [all, kept] = counts.map(|counts| counts.get());
    for (of, [inputs, header, shapes, loaded]) in [("all", all), ("good headers", kept)] {
        println!("{kind}, {of}: {inputs} inputs, {header} past the header, {shapes} past the shapes, {loaded} loaded");
    }
    println!("{kind}: {} bytes at most", peak.get());
    assert_eq!(all[0], INPUTS);
    assert!(kept[0] > INPUTS / 4, "a third keeps its header: {kept:?}");
    assert!(all[0] - all[1] > INPUTS / 5, "many are refused at the header: {all:?}");
    assert!(kept[1] > kept[0] / 3 && kept[2] > kept[0] / 5, "{kept:?}");
    assert!(kept[3] < kept[0] * 9 / 10, "and not all load: {kept:?}");
    kept
}

/// What an error says of how far the file got.
fn stage_of(error: &Error, header: &[&str], shapes: &[&str]) -> Stage {
    let text = error.to_string();
    if header.iter().any(|word| text.contains(word)) {
        Stage::Refused
    } else if shapes.iter().any(|word| text.contains(word)) {
        Stage::Header
    } else {
        Stage::Shapes
    }
}

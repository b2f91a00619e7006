//! The checkpoint file: its contents, damage to it, and a place where it cannot be written.

use super::{momentum, start};
use crate::support::problems::sines;
use crate::support::{Folder, safetensors};
use expnet::schedule::{Schedule, StepState};
use expnet::{Error, Record, Trainer};
use serde_json::json;
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

/// A reduced run keeps its own coordinates: 12 of 40.
#[test]
fn checkpoints_hold_the_coordinates_of_the_run() {
    let folder = Folder::new("coordinates");
    let path = folder.join("run");
    momentum(1e-3)
        .max_steps(2)
        .checkpoint(&path, 1)
        .fit(&mut start::<f32>(40), &sines(12, 40))
        .unwrap();
    let (header, _) = safetensors::parts(&fs::read(&path).unwrap());
    for (name, coordinates) in [("weights", 12), ("velocity", 12), ("initial", 40)] {
        assert_eq!(header[name]["shape"], json!([150, coordinates]), "{name}");
        assert_eq!(header[name]["dtype"], "F32");
    }
    assert!(header.get("best").is_none() && header.get("previous_gradient").is_none());
}

#[test]
fn files_that_are_no_checkpoint_are_errors() {
    let folder = Folder::new("files");
    let path = folder.join("run");
    let (data, net) = (sines::<f64>(12, 3), start::<f64>(3));
    let resumed = |path: &PathBuf| {
        let mut parts = net.clone();
        let error = momentum(1e-3).resume(path).fit(&mut parts, &data).unwrap_err();
        assert!(parts == net);
        error
    };
    assert!(
        matches!(resumed(&path), Error::Io { action, .. } if action.contains("checkpoint") && action.contains("run"))
    );
    momentum(1e-3)
        .max_steps(2)
        .checkpoint(&path, 1)
        .fit(&mut net.clone(), &data)
        .unwrap();
    let whole = fs::read(&path).unwrap();
    let damaged = folder.join("damaged");
    // Every byte of the header in turn, and bytes all over the numbers.
    let header = safetensors::header_end(&whole);
    let mut accepted = 0;
    for at in (0..header).chain((header..whole.len()).step_by(97)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&damaged, &bytes).unwrap();
        let mut parts = net.clone();
        match momentum(1e-3).max_steps(2).resume(&damaged).fit(&mut parts, &data) {
            Err(_) => assert!(parts == net),
            // Only what means the same: blanks around the header's text.
            Ok(_) => accepted += 1,
        }
    }
    assert!(accepted <= 8, "{accepted} damaged files were accepted");
    for length in [
        0,
        1,
        7,
        8,
        9,
        header - 1,
        header,
        header + 1,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        fs::write(&damaged, &whole[..length]).unwrap();
        assert!(matches!(resumed(&damaged), Error::Format { .. }), "{length} bytes");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("unwritable");
    let path = folder.join("nowhere").join("run");
    let mut net = start::<f64>(3);
    let error = Trainer::new(1e-3)
        .checkpoint(&path, 2)
        .fit(&mut net, &sines(12, 3))
        .unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(net == start(3), "no step was taken");
}

#[test]
fn a_step_is_written_once() {
    let folder = Folder::new("once");
    let asked = Cell::new(0);
    let counted = Counted(&asked);
    let trainer = Trainer::new(counted).max_steps(6).checkpoint(folder.join("run"), 2);
    trainer.fit(&mut start::<f64>(3), &sines(12, 3)).unwrap();
    // Whether it can be saved is asked before the first step; then after steps 2, 4 and 6, and not again at the end.
    let before = Cell::new(0);
    let session = Trainer::new(Counted(&before)).checkpoint(folder.join("other"), 2);
    drop(session.start(&mut start::<f64>(3), &sines(12, 3)).unwrap());
    assert_eq!(asked.get(), before.get() + 3);
}

/// A constant step size that counts how often it is saved.
struct Counted<'a>(&'a Cell<usize>);

impl Schedule<f64> for Counted<'_> {
    fn step_size(&mut self, _: &mut StepState<'_, f64>) -> f64 {
        1e-3
    }

    fn save(&self) -> Option<Record> {
        self.0.set(self.0.get() + 1);
        Some(Record::new("counted"))
    }
}

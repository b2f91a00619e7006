//! Checkpoints that one rank cannot read or write, or that differ between ranks.

use super::{SHAPES, data, fit, recipe, whole};
use crate::ranks::{ANOTHER_GONE, DISAGREE, GONE, assert_all_begin, errors, ranks};
use crate::support::{Folder, safetensors, says};
use expnet::communicator::Communicator;
use expnet::observer::Progress;
use expnet::{ExpNetwork, Trainer};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A checkpoint of three ranks after 9 steps, and one after 5.
fn kept(folder: &Folder) -> [PathBuf; 2] {
    [9, 5].map(|steps| {
        let path = folder.join(steps.to_string());
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
        says(&text, &["`width` of `network` is 151 in the record and 154 here"]);
    }
    // One output weight is another, on one rank.
    for size in 1..=3 {
        let path = path.clone();
        let answers = ranks(size, move |world| {
            let rank = world.rank();
            let share = recipe(SHAPES[0]).shard(rank, size).build::<f64>()?;
            let mut a = share.output_weights().clone();
            if rank == size - 1 {
                a[2] = -a[2];
            }
            let mut share = ExpNetwork::from_parts(share.weights().clone(), a)?;
            let trainer = Trainer::default().resume(&path).communicator(world);
            trainer.fit(&mut share, &data(SHAPES[0]))
        });
        for text in errors(answers) {
            says(&text, &["fingerprint of the output weights` of `network`"]);
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
    assert_all_begin(&texts, DISAGREE);
}

#[test]
fn a_damaged_file_is_an_error_on_all() {
    let folder = Folder::new("damaged");
    let [path, other] = kept(&folder);
    let whole = fs::read(&path).unwrap();
    let numbers = whole.len() - safetensors::header_end(&whole);
    // Numbers of each rank's neurons, in the initial and in the current weights: the lowest bits.
    for part in 0..6 {
        let mut bytes = whole.clone();
        let at = whole.len() - numbers + (2 * part + 1) * (numbers / 8 / 12) * 8;
        bytes[at] ^= 1;
        fs::write(&other, &bytes).unwrap();
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
    fs::write(&other, &bytes).unwrap();
    let path = other.clone();
    let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.resume(&path)));
    assert_eq!([&texts[0], &texts[2]], [GONE, GONE]);
    assert!(
        texts[1].contains("tensor \"weights\" holds a number that is not finite"),
        "{}",
        texts[1]
    );
    fs::write(&other, &whole[..whole.len() - 1]).unwrap();
    let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.resume(&other)));
    assert!(texts.iter().all(|text| text.contains("cut short")), "{texts:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_an_error_on_all() {
    for every in [2, 100] {
        let path = std::env::temp_dir().join("expnet-no-such-folder").join("run");
        let texts = errors(fit(3, SHAPES[0], move |_, trainer| trainer.checkpoint(&path, every)));
        assert!(
            texts[0].starts_with("preparing to write the checkpoint"),
            "{}",
            texts[0]
        );
        assert_eq!([&texts[1], &texts[2]], [ANOTHER_GONE; 2]);
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_any_more_says_so() {
    let folder = Folder::new("vanishes");
    let place = folder.join("runs");
    fs::create_dir(&place).unwrap();
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        let place = place.clone();
        let path = place.join("run");
        trainer
            .checkpoint(path, 2)
            .observe(move |progress: &Progress<'_, f64>| {
                if rank == 0 && progress.steps() == 1 {
                    fs::remove_dir_all(&place).unwrap();
                }
                ControlFlow::Continue(())
            })
    }));
    assert!(texts[0].contains("after step 2"), "{}", texts[0]);
    assert_eq!([&texts[1], &texts[2]], [ANOTHER_GONE; 2]);
}

#[test]
fn other_checkpoints_on_one_rank_are_an_error_on_all() {
    let folder = Folder::new("unlike");
    let path = folder.join("run");
    let once = path.clone();
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        trainer.checkpoint(&once, 3 + rank)
    }));
    assert_all_begin(&texts, DISAGREE);
    let texts = errors(fit(3, SHAPES[0], move |rank, trainer| {
        if rank == 1 {
            trainer
        } else {
            trainer.checkpoint(&path, 3)
        }
    }));
    assert_all_begin(&texts, DISAGREE);
    assert_eq!(folder.names().len(), 0);
}

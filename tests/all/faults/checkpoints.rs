//! Files that cannot be written, noticed before the first step or without loss; what comes after an error.

use super::{net, scaled};
use crate::support::{Folder, refused};
use expnet::schedule::from_fn;
use expnet::{Dataset, ExpNetwork, Trainer};
use std::fs;
use std::ops::ControlFlow;

#[test]
fn a06_a_missing_folder_is_noticed_before_the_first_step() {
    let folder = Folder::new("missing-folder");
    let data = scaled::<f64>(20);
    let mut net = net(data.dimension(), 32);
    let mut steps = 0;
    let result = Trainer::new(1e-3)
        .checkpoint(folder.join("missing/run.checkpoint"), 5000)
        .observe(|_: &expnet::observer::Progress<'_, f64>| {
            steps += 1;
            ControlFlow::Continue(())
        })
        .fit(&mut net, &data);
    refused(result, &["missing", "run.checkpoint"]);
    assert_eq!(steps, 0);
}

#[test]
fn a06_a_failed_write_restores_the_best_weights_and_tells_how_far_the_run_came() {
    let folder = Folder::new("vanished-folder");
    let data = scaled::<f64>(30);
    // Each step towards the labels is one away from their opposites: the start is best.
    let opposite = Dataset::new(data.points().clone(), -data.labels()).unwrap();
    let place = folder.join("runs");
    fs::create_dir(&place).unwrap();
    let start = net(data.dimension(), 32);
    let mut net = start.clone();
    let trainer = Trainer::new(1e-4)
        .validation(&opposite, 1000)
        .checkpoint(place.join("run.checkpoint"), 12)
        .observe(|progress: &expnet::observer::Progress<'_, f64>| {
            if progress.steps() == 11 {
                fs::remove_dir_all(&place).unwrap();
            }
            ControlFlow::Continue(())
        });
    let mut session = trainer.start(&mut net, &data).unwrap();
    let first = session.loss();
    let result = (0..12).try_for_each(|_| session.step().map(drop));
    refused(result, &["run.checkpoint", "after step 12", "loss", "after step 0"]);
    assert_eq!(
        session.loss(),
        first,
        "a step from here would be one from the best weights"
    );
    drop(session);
    assert_eq!(net, start);
}

#[test]
fn a11_a_step_after_an_error_returns_the_error_again() {
    let data = scaled::<f64>(20);
    let mut net = net(data.dimension(), 32);
    let mut session = Trainer::new(from_fn(|_| f64::NAN)).start(&mut net, &data).unwrap();
    for _ in 0..3 {
        refused(session.step(), &["the step size of step 0 is NaN"]);
    }
    assert_eq!((session.steps(), session.termination()), (0, None));
}

#[cfg(unix)]
#[test]
fn a11_a_read_only_file_is_not_replaced_and_modes_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("modes");
    let path = folder.join("net.safetensors");
    let (one, other): (ExpNetwork<f64>, ExpNetwork<f64>) = (net(2, 8), net(2, 16));
    one.save(&path).unwrap();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    other.save(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    mode(0o444);
    refused(one.save(&path), &["net.safetensors", "read-only"]);
    assert_eq!(ExpNetwork::<f64>::load(&path).unwrap(), other);
}

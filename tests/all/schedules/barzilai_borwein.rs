//! Step sizes by Barzilai and Borwein.

use super::{close, single_neuron, small, smooth, trace};
use crate::support::on_both;
use expnet::schedule::{BarzilaiBorwein, KernelStable, Schedule, StepState, from_fn};
use expnet::{Dataset, ExpNetwork, Float, Initializer, Termination, Trainer};
use nalgebra::{dmatrix, dvector};

on_both!(
    barzilai_borwein_is_several_times_faster,
    barzilai_borwein_survives_duplicates,
    barzilai_borwein_falls_back_where_curvature_is_negative,
    barzilai_borwein_falls_back_after_steps_of_zero,
    barzilai_borwein_doubles_what_is_lost_in_rounding,
    barzilai_borwein_halves_what_overflows,
);

fn barzilai_borwein_is_several_times_faster<T: Float>() {
    let tolerance = small::<T>();
    let steps = |trainer: Trainer<'_, T>| {
        let run = trace(trainer.max_steps(200_000).tolerance(tolerance), smooth());
        assert_eq!(run.termination, Termination::Converged);
        run.sizes.len()
    };
    let stable = steps(Trainer::new(KernelStable::default()));
    let long = steps(Trainer::new(BarzilaiBorwein::default()));
    let short = steps(Trainer::new(BarzilaiBorwein::default().short(true)));
    assert!(
        4 * long <= stable && 4 * short <= stable,
        "{long} and {short} against {stable}"
    );
}

fn barzilai_borwein_survives_duplicates<T: Float>() {
    let rows = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.1], [1.0, 0.1]].map(|row| row.map(T::lit));
    let net = || {
        Initializer::new(2, 64)
            .antisymmetric(true)
            .std_dev(0.5)
            .build::<T>()
            .unwrap()
    };
    for short in [false, true] {
        let schedule = || BarzilaiBorwein::default().short(short);
        let agreeing = Dataset::from_rows(&rows, &[0.5, 0.5, -0.5, -0.5].map(T::lit)).unwrap();
        let trainer = Trainer::new(schedule()).max_steps(500).tolerance(small::<T>());
        assert_eq!(trace(trainer, (net(), agreeing)).termination, Termination::Converged);
        // No network fits these: the least loss is 2 (0.25)^2 / 2 + 2 (0.5)^2 / 2, and going on there does no harm.
        let contrary = Dataset::from_rows(&rows, &[0.5, 0.0, -0.5, 0.5].map(T::lit)).unwrap();
        let run = trace(Trainer::new(schedule()).max_steps(300), (net(), contrary));
        assert!((run.losses.last().unwrap() - 0.3125).abs() < 1e-4);
    }
}

fn barzilai_borwein_falls_back_where_curvature_is_negative<T: Float>() {
    // L'' = F (2 F - y) is negative until F = 5.
    let schedule = BarzilaiBorwein::default().initial(1e-3);
    let trainer = Trainer::<T>::new(schedule)
        .max_steps(2000)
        .tolerance(small::<T>() * 10.0);
    let run = trace(trainer, single_neuron(10.0));
    close::<T>(run.sizes[0], 1e-3);
    close::<T>(run.sizes[1], 1e-3);
    close::<T>(run.sizes[2], 1e-3);
    assert!(run.sizes.iter().any(|&size| (size / 1e-3 - 1.0).abs() > 0.5));
    assert_eq!(run.termination, Termination::Converged);
}

fn barzilai_borwein_falls_back_after_steps_of_zero<T: Float>() {
    let mut inner = BarzilaiBorwein::default().initial(1e-3);
    let mut asked = Vec::new();
    let halting = from_fn(|state: &mut StepState<'_, T>| {
        let size = inner.step_size(state);
        asked.push(size.as_f64());
        if (2..5).contains(&state.iteration()) {
            T::zero()
        } else {
            size
        }
    });
    let run = trace(Trainer::new(halting).max_steps(7), single_neuron(2.0));
    assert_eq!(run.sizes[2..5], [0.0; 3]);
    assert_eq!(run.losses[2], run.losses[5]);
    // Nothing is to be learnt from steps of 0: the last good size, that of step 2, is offered again.
    assert_eq!(asked[3..6], [asked[2]; 3]);
    assert!(asked.iter().all(|size| size.is_finite() && *size > 0.0));
}

fn barzilai_borwein_doubles_what_is_lost_in_rounding<T: Float>() {
    let at_one = ExpNetwork::from_parts(dmatrix![T::one()], dvector![T::one()]).unwrap();
    let (_, data) = single_neuron::<T>(2.0);
    let schedule = BarzilaiBorwein::default().initial(1e-20);
    let run = trace(Trainer::<T>::new(schedule).max_steps(50), (at_one, data));
    let lost = run.losses.iter().take_while(|loss| **loss == run.losses[0]).count() - 1;
    assert!((10..50).contains(&lost), "{lost}");
    for (t, size) in run.sizes[..lost].iter().enumerate() {
        close::<T>(*size, 1e-20 * 2.0_f64.powf(t as f64));
    }
}

fn barzilai_borwein_halves_what_overflows<T: Float>() {
    let run = trace(
        Trainer::<T>::new(BarzilaiBorwein::default().initial(1e6)).max_steps(50),
        smooth(),
    );
    assert!(run.sizes[0] < 1e6 && run.trials > 0);
    for t in 1..run.losses.len() {
        let largest = run.losses[t.saturating_sub(10)..t].iter().copied().fold(0.0, f64::max);
        assert!(run.losses[t] <= 10.0 * largest * 1.001);
    }
}

#[test]
fn barzilai_borwein_short_is_shorter() {
    let second = |short| {
        let schedule = BarzilaiBorwein::default().initial(1e-4).short(short);
        trace(Trainer::<f64>::new(schedule).max_steps(2), smooth()).sizes[1]
    };
    assert!(second(true) < second(false));
}

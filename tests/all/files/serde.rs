//! Settings, reports and histories survive serde, certificates and spectra are exact in JSON; bad settings are refused
//! there as in code.

use crate::support::says;
use expnet::certificate::{Attempt, Certificate, certify, sufficient_width};
use expnet::kernel::Spectrum;
use expnet::method::{Adam, GaussNewton, GradientDescent, Lbfgs, Minibatch};
use expnet::observer::History;
use expnet::schedule::{
    Backtracking, BarzilaiBorwein, Constant, Cosine, Cyclic, DeltaBarDelta, ExponentialDecay, InverseTime,
    KernelStable, OneCycle, Polyak, Polynomial, ReduceOnPlateau, Schedule, StepDecay, StrongWolfe,
};
use expnet::{Dataset, ExpRegressor, FitReport, Initializer, Memory, Scaling, Termination, Trainer, Training};
use nalgebra::{DMatrix, dmatrix};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

fn comes_back<S: Serialize + DeserializeOwned + Debug>(settings: &S) {
    let text = serde_json::to_string(settings).unwrap();
    let back: S = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{back:?}"), format!("{settings:?}"), "{text}");
    assert_ne!(text, "null");
}

#[track_caller]
fn not_read<S: DeserializeOwned + Debug>(text: &str, reason: &str) {
    says(&serde_json::from_str::<S>(text).unwrap_err(), &[reason]);
}

#[test]
fn settings_come_back() {
    comes_back(&Constant::new(0.1).unwrap());
    comes_back(&InverseTime::new(0.1, 0.5).unwrap().steps(7).staircase(true));
    comes_back(&StepDecay::new(0.1, 0.5, 3).unwrap());
    comes_back(
        &ExponentialDecay::new(0.1, 0.5, 3)
            .unwrap()
            .begin(4)
            .staircase(true)
            .end(0.01),
    );
    comes_back(&Polynomial::new(0.1, 0.01, 9).unwrap().power(2.0).begin(3));
    comes_back(&Cosine::new(0.1, 9).unwrap().alpha(0.25));
    comes_back(&OneCycle::new(0.1, 9).unwrap());
    comes_back(&Cyclic::new(0.1, 0.3, 9).unwrap().down(3).halving());
    comes_back(&Cyclic::new(0.1, 0.3, 9).unwrap().decay(0.9));
    comes_back(&ReduceOnPlateau::new(0.1).unwrap().factor(0.3).patience(3));
    comes_back(&Backtracking::default().initial(0.3));
    comes_back(&BarzilaiBorwein::default());
    comes_back(&DeltaBarDelta::default());
    comes_back(&KernelStable::default().factor(0.5).refresh(3));
    comes_back(&Polyak::default());
    comes_back(&StrongWolfe::default().initial(0.5).curvature(0.3));
    comes_back(&GradientDescent::default().momentum(0.9).clip_norm(3.0));
    comes_back(&Minibatch::new(9).seed(4).momentum(0.5));
    comes_back(&GaussNewton::default());
    comes_back(&GaussNewton::frozen());
    comes_back(&Lbfgs::default().memory(4));
    comes_back(&Adam::default().beta1(0.5).weight_decay(0.1));
    comes_back(&Initializer::new(3, 64).std_dev(0.1).seed(u64::MAX).antisymmetric(true));
    comes_back(&Scaling::options().bias(false));
    comes_back(
        &ExpRegressor::options()
            .width(64)
            .lambda(0.3)
            .scaling(Scaling::options().clip(None).beta(2.0)),
    );
    comes_back(&ExpRegressor::options().training(Training::EarlyStopping).patience(3));
    comes_back(&Memory::Budget(7));
    comes_back(&Termination::NoImprovement);
}

#[test]
fn bad_settings_are_refused() {
    not_read::<Constant>(r#"{"size":-1.0}"#, "`size` of `Constant::new` is -1");
    not_read::<StepDecay>(
        r#"{"initial":0.1,"factor":0.5,"every":0}"#,
        "`every` of `StepDecay::new` is 0",
    );
    not_read::<Constant>(r#"{"size":0.1,"rate":1}"#, "unknown field `rate`");
    not_read::<Constant>("{}", "missing field `size`");
    not_read::<Termination>(r#""Bored""#, "unknown variant");
    not_read::<Lbfgs>(r#"{"memory":0}"#, "`Lbfgs::memory` is 0");
    not_read::<Adam>(r#"{"beta2":1.0}"#, "`Adam::beta2` is 1");
    not_read::<StrongWolfe>(r#"{"curvature":1e-9}"#, "`StrongWolfe::curvature` is 0.000000001");
    // What code refuses at `fit` as well.
    not_read::<Polyak>(
        r#"{"scaling":-1.0,"max":1.0,"minimum":0.0,"eps":0.0}"#,
        "`Polyak::scaling` is -1",
    );
}

/// What a run has learnt is no setting: the copy begins afresh and gives the same run.
#[test]
fn a_used_schedule_serialises_as_a_fresh_one() {
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5]).unwrap();
    let start = Initializer::new(2, 64).antisymmetric(true).build::<f64>().unwrap();
    let mut schedule = ReduceOnPlateau::new(1e-3).unwrap().patience(0).threshold(0.9);
    let (mut first, mut second) = (start.clone(), start);
    let lent = &mut schedule as &mut dyn Schedule<f64>;
    Trainer::new(lent).max_steps(9).fit(&mut first, &data).unwrap();
    let fresh: ReduceOnPlateau = serde_json::from_str(&serde_json::to_string(&schedule).unwrap()).unwrap();
    assert_ne!(fresh, schedule, "the first has learnt something");
    Trainer::new(fresh).max_steps(9).fit(&mut second, &data).unwrap();
    assert_eq!(first, second);
}

#[test]
fn reports_and_histories_come_back() {
    let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5]).unwrap();
    let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f32>().unwrap();
    let mut history = History::default();
    let trainer = Trainer::new(1e-3)
        .max_steps(5)
        .observe(&mut history)
        .validation(&data, 9);
    let report = trainer.fit(&mut net, &data).unwrap();
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<FitReport<f32>>(&text).unwrap(), report);
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    let short = text.replacen("\"seconds\":[", "\"seconds\":[0.0,", 1);
    not_read::<History>(&short, "the length of a list in a history");
}

fn as_json<S: Serialize>(data: &S) -> Value {
    serde_json::from_str(&serde_json::to_string(data).unwrap()).unwrap()
}

/// All that the methods of an attempt return.
fn attempt(attempt: &Attempt) -> Value {
    let sides = attempt.inequalities().iter();
    let sides = sides.map(|i| json!({"statement": i.statement(), "left": i.left(), "right": i.right()}));
    let promise = json!({
        "step_size": attempt.step_size(), "max_step_size": attempt.max_step_size(), "rate": attempt.rate(),
        "amplitude": attempt.residual_bound(0), "radius": attempt.radius(), "distance": attempt.distance(),
        "kernel_share": attempt.kernel_share(),
    });
    let promise = if attempt.holds() { promise } else { Value::Null };
    json!({"theorem": attempt.theorem(), "promise": promise, "inequalities": sides.collect::<Vec<_>>()})
}

/// All that the methods of a certificate return.
fn written_out(c: &Certificate) -> Value {
    json!({
        "samples": 2, "dimension": 2, "width": c.width(), "residual_norm": c.residual_norm(),
        "lambda_min": c.lambda_min(), "lambda_max": c.lambda_max(), "best": attempt(c.best()),
        "attempts": c.attempts().iter().map(attempt).collect::<Vec<_>>(),
    })
}

#[test]
fn certificates_serialise_exactly() {
    let rows = [[1.0, 0.0], [0.6, 0.8]];
    let data = Dataset::from_rows(&rows, &[0.5, -0.5]).unwrap();
    let start = |width| {
        Initializer::new(2, width)
            .antisymmetric(true)
            .seed(3)
            .build::<f64>()
            .unwrap()
    };
    let proved = certify(&start(512), &data).unwrap();
    assert_eq!(as_json(&proved), written_out(&proved));
    let names = ["a", "a_prime", "a_double_prime", "ball", "g_basic", "g_full"];
    for (k, name) in names.into_iter().enumerate() {
        assert_eq!(as_json(&proved)["attempts"][k]["theorem"], name);
    }
    let text = serde_json::to_string(&proved).unwrap();
    assert_eq!(serde_json::from_str::<Certificate>(&text).unwrap(), proved);
    let open = certify(&start(8), &Dataset::from_rows(&rows, &[5.0, -5.0]).unwrap()).unwrap();
    assert_eq!(as_json(&open), written_out(&open));
    assert_eq!(as_json(&open)["best"]["promise"], Value::Null);
    let hopeless = Dataset::from_rows(&rows, &[1e9, -1e9]).unwrap();
    let infinite = as_json(&certify(&start(8), &hopeless).unwrap());
    assert_eq!(infinite["attempts"][2]["inequalities"][0]["left"], "inf");

    let found = sufficient_width(&data, 0.5, 0.1).unwrap();
    let text = as_json(&found);
    let smallest = json!({
        "theorem": "d", "width": found.width(), "max_step_size": found.max_step_size(), "rate": found.rate(),
    });
    assert_eq!(text["smallest"], smallest);
    assert_eq!([&text["samples"], &text["dimension"]], [2, 2]);
    assert_eq!([&text["std_dev"], &text["delta"]], [0.5, 0.1]);
    let widths: Vec<&Value> = (0..3).map(|k| &text["theorems"][k]["width"]).collect();
    assert_eq!(widths, found.widths().map(|(_, width)| width));
    let none = as_json(&sufficient_width(&data, 8.0, 0.1).unwrap());
    assert_eq!(none["smallest"], Value::Null);
    assert_eq!(none["theorems"][2]["width"], "inf");
}

#[test]
fn spectra_serialise_exactly() {
    let spectrum = Spectrum::with_eigenvectors(&dmatrix![2.0, 0.1; 0.1, 1.0 / 3.0]).unwrap();
    let vectors = spectrum.eigenvectors().unwrap();
    let expected = json!({
        "eigenvalues": spectrum.eigenvalues().as_slice(),
        "eigenvectors": [vectors.column(0).as_slice(), vectors.column(1).as_slice()],
    });
    assert_eq!(as_json(&spectrum), expected);
    let huge = as_json(&Spectrum::new(&DMatrix::from_element(2, 2, f64::MAX)).unwrap());
    assert_eq!(huge["eigenvalues"][0], "inf");
    assert_eq!(huge["eigenvectors"], Value::Null);
}

#[test]
fn settings_left_out_have_their_documented_defaults() {
    let cycle: OneCycle = serde_json::from_str(r#"{"peak":1.0,"steps":100}"#).unwrap();
    let spelt = OneCycle::new(1.0, 100).unwrap().start_share(0.3).div_factor(25.0);
    assert_eq!(cycle, spelt.final_div_factor(1e4));
    let plateau: ReduceOnPlateau = serde_json::from_str(r#"{"initial":0.1}"#).unwrap();
    let spelt = ReduceOnPlateau::new(0.1).unwrap().factor(0.1).patience(10);
    assert_eq!(plateau, spelt.threshold(1e-4).cooldown(0).min_size(0.0));
}

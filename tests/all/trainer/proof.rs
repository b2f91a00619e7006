//! Proofs along a run.

use crate::support::problems::table_points;
use crate::support::{Folder, refused, says};
use expnet::certificate::{Certifier, Effort, Proof, certify_at};
use expnet::method::{GaussNewton, GradientDescent, Minibatch};
use expnet::schedule::{self, Certified, Constant, Cosine, KernelStable, Outlook, Schedule, StepState};
use expnet::{Dataset, ExpNetwork, FitReport, Float, Initializer, Termination, Trainer};
use nalgebra::DVector;

fn table_problem(n: usize, d: usize) -> Dataset<f64> {
    let labels = DVector::from_fn(n, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
    Dataset::new(table_points(n, d), labels).unwrap()
}

fn start(d: usize, width: usize, seed: u64) -> ExpNetwork<f64> {
    Initializer::new(d, width)
        .antisymmetric(true)
        .seed(seed)
        .build()
        .unwrap()
}

/// At width 8, where training needs 4: of the runs that reach ||e|| = 0.1, at least 95% are proved to converge, and at
/// least 90% from the start that was drawn.
#[test]
fn narrow_runs_are_proved() {
    let data = table_problem(8, 4);
    let (mut solved, mut proved, mut from_start) = (0, 0, 0);
    for seed in 0..20 {
        let report = Trainer::new(KernelStable::default())
            .max_steps(5000)
            .certify(5)
            .stop_when_proved(true)
            .fit(&mut start(4, 8, seed), &data)
            .unwrap();
        let reaches = match report.proof() {
            // Proved to reach any residual; in so many steps of the whole run is another matter.
            Some(_) => true,
            None => report.residual_norm() <= 0.1,
        };
        if report.proof().is_none() {
            println!("seed {seed}: {report}");
        }
        solved += usize::from(reaches);
        proved += usize::from(report.proof().is_some());
        from_start += usize::from(report.proof().is_some_and(Proof::from_start));
    }
    println!("{solved} of 20 runs solved, {proved} proved, {from_start} from the start");
    assert!(solved >= 18, "{solved}");
    assert!(proved as f64 >= 0.95 * solved as f64 && from_start as f64 >= 0.9 * solved as f64);
}

/// What is proved happens: the bound holds in the rest of the run, and looking does not change it.
#[test]
fn the_run_keeps_what_is_proved() {
    let data = table_problem(8, 4);
    for seed in 0..3 {
        let mut losses = Vec::new();
        let mut net = start(4, 16, seed);
        let mut plain = net.clone();
        let observer = |progress: &expnet::observer::Progress<'_, f64>| {
            losses.push(progress.residual_norm());
            std::ops::ControlFlow::Continue(())
        };
        let trainer = || Trainer::new(KernelStable::default()).max_steps(1200);
        let report = trainer().certify(25).observe(observer).fit(&mut net, &data).unwrap();
        trainer().fit(&mut plain, &data).unwrap();
        assert!(net.weights() == plain.weights());
        let proof = report.proof().unwrap();
        assert!(proof.step().is_multiple_of(25) && proof.step() < 1200, "{proof}");
        assert_eq!(report.last_step_size(), Some(proof.step_size()));
        for (t, residual) in losses[proof.step() - 1..].iter().enumerate() {
            assert!(*residual <= proof.certificate().residual_bound(t) * (1.0 + 1e-9), "{t}");
        }
        assert!(
            proof.from_start() && proof.drift() > 0.0 && proof.drift() < 1e-7,
            "{proof}"
        );
        says(
            &report,
            &[
                "proved after",
                "converges to an interpolant",
                "from the start, of which rounding has lost",
            ],
        );
        // The certificate is that of the weights of that step.
        let mut again = start(4, 16, seed);
        trainer().max_steps(proof.step()).fit(&mut again, &data).unwrap();
        let certificate = certify_at(&again, &data, proof.step_size()).unwrap();
        assert!(certificate.attempts().contains(proof.certificate().best()));
    }
}

#[test]
fn stops_when_proved_if_asked_to() {
    let data = table_problem(8, 4);
    let trainer = || Trainer::new(KernelStable::default()).max_steps(3000).certify(10);
    let stopped = trainer()
        .stop_when_proved(true)
        .fit(&mut start(4, 16, 1), &data)
        .unwrap();
    assert_eq!(stopped.termination(), Termination::Proved);
    let proof = stopped.proof().unwrap();
    assert_eq!(stopped.steps(), proof.step());
    says(&stopped, &["convergence is proved"]);
    let whole = trainer().fit(&mut start(4, 16, 1), &data).unwrap();
    assert_eq!(
        (whole.termination(), whole.proof()),
        (Termination::MaxSteps, stopped.proof())
    );
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<FitReport<f64>>(&text).unwrap(), whole);
}

/// A run that ends between two looks is looked at once more; one that is certified at the start is proved at step 0.
#[test]
fn looks_at_the_start_and_at_the_end() {
    let data = table_problem(8, 4);
    let late = Trainer::new(KernelStable::default()).max_steps(1177).certify(1_000_000);
    let report = late.fit(&mut start(4, 16, 1), &data).unwrap();
    assert_eq!(report.proof().unwrap().step(), 1177);
    let wide = start(4, 256, 3);
    let report = Trainer::new(KernelStable::default())
        .max_steps(3)
        .certify(1)
        .fit(&mut wide.clone(), &data)
        .unwrap();
    let proof = report.proof().unwrap();
    assert_eq!((proof.step(), proof.drift(), proof.from_start()), (0, 0.0, true));
    // Too few steps for a proof.
    let report = Trainer::new(KernelStable::default())
        .max_steps(3)
        .certify(1)
        .fit(&mut start(4, 8, 3), &data)
        .unwrap();
    assert_eq!(report.proof(), None);
}

/// A proof is about one step size: not about that of the last step, if the next ones would be others.
#[test]
fn the_look_at_the_end_is_about_the_step_size_from_there_on() {
    let data = table_problem(8, 4);
    let size = 1e-4;
    let run = |schedule: &mut dyn Schedule<f64>, steps| {
        let trainer = Trainer::new(schedule).max_steps(steps).certify(1_000_000);
        trainer
            .fit(&mut start(4, 256, 3), &data)
            .unwrap()
            .proof()
            .map(Proof::step_size)
    };
    let mut then = Constant::new(size).unwrap().then(5, Constant::new(2.0 * size).unwrap());
    assert_eq!(run(&mut then, 5), None);
    assert_eq!(run(&mut then, 6), Some(2.0 * size));
    let mut warm = Constant::new(size).unwrap().warmup(5);
    assert_eq!(run(&mut warm, 5), None);
    assert_eq!(run(&mut warm, 6), Some(size));
}

/// A run that is stopped and resumed ends where the whole one does.
#[test]
fn a_run_that_is_proved_stays_so_when_resumed() {
    let data = table_problem(8, 4);
    let folder = Folder::new("proved");
    let path = folder.join("run");
    let trainer = || {
        let trainer = Trainer::new(KernelStable::default()).max_steps(3000).certify(10);
        trainer.stop_when_proved(true).checkpoint(&path, 1_000_000)
    };
    let mut net = start(4, 16, 1);
    let first = trainer().fit(&mut net, &data).unwrap();
    let weights = net.weights().clone();
    let again = trainer().resume(&path).fit(&mut net, &data).unwrap();
    assert_eq!(
        (again.termination(), again.steps()),
        (Termination::Proved, first.steps())
    );
    assert_eq!((again.proof(), net.weights()), (first.proof(), &weights));
}

#[test]
fn a_warm_up_is_waited_for() {
    let data = table_problem(8, 4);
    let net = start(4, 256, 3);
    let size = 1e-4;
    let schedule = Constant::new(size).unwrap().warmup(7);
    let report = Trainer::new(schedule)
        .max_steps(30)
        .certify(1)
        .fit(&mut net.clone(), &data)
        .unwrap();
    let proof = report.proof().unwrap();
    assert_eq!((proof.step(), proof.step_size()), (7, size));
    assert!(proof.from_start() && proof.drift() > 0.0);
}

#[test]
fn outlooks() {
    fn of(schedule: &impl Schedule<f64>, step: usize) -> Outlook {
        schedule.outlook(step)
    }
    let constant = Constant::new(0.1).unwrap();
    assert_eq!(of(&constant, 0), Outlook::Constant);
    assert_eq!(of(&0.1, 0), Outlook::Constant);
    assert_eq!(of(&0.1_f32, 0), Outlook::Constant);
    assert_eq!(of(&KernelStable::default(), 0), Outlook::Settles);
    assert_eq!(of(&KernelStable::default().refresh(9), 0), Outlook::Varies);
    assert_eq!(of(&Cosine::new(0.1, 20).unwrap(), 50), Outlook::Varies);
    let warm = Schedule::<f64>::warmup(constant, 5);
    assert_eq!(
        [0, 4, 5].map(|step| of(&warm, step)),
        [Outlook::Settles, Outlook::Settles, Outlook::Constant]
    );
    let then = Schedule::<f64>::then(Cosine::new(0.1, 20).unwrap(), 20, constant);
    assert_eq!(
        [0, 19, 20].map(|step| of(&then, step)),
        [Outlook::Settles, Outlook::Settles, Outlook::Constant]
    );
    let never = Schedule::<f64>::then(constant, 20, Cosine::new(0.1, 20).unwrap());
    assert_eq!(of(&never, 0), Outlook::Varies);
    assert_eq!(of(&Schedule::<f64>::scale(warm.clone(), 2.0), 5), Outlook::Constant);
    assert_eq!(of(&Schedule::<f64>::clamp(warm, 0.0, 1.0), 3), Outlook::Settles);
    let mut lent = constant;
    assert_eq!(schedule::lend::<f64, _>(&mut lent).outlook(0), Outlook::Constant);
    let boxed: Box<dyn Schedule<f64>> = Box::new(constant);
    assert_eq!(boxed.outlook(0), Outlook::Constant);
    assert_eq!(of(&|_: &mut StepState<'_, f64>| 0.1, 0), Outlook::Varies);
}

#[test]
fn what_is_not_gradient_descent_with_a_constant_step_is_refused_by_name() {
    let data = table_problem(8, 4);
    let run = |trainer: Trainer<'_, f64>, words: &[&str]| {
        let words: Vec<&str> = ["`Trainer::certify`"].iter().chain(words).copied().collect();
        refused(trainer.certify(10).fit(&mut start(4, 8, 1), &data), &words);
    };
    let plain = "plain full-batch gradient descent";
    run(
        Trainer::new(1e-3).method(GradientDescent::default().momentum(0.9)),
        &["GradientDescent", plain],
    );
    run(Trainer::new(1e-3).method(Minibatch::new(2)), &["Minibatch", plain]);
    run(
        Trainer::default().method(GaussNewton::default()),
        &["GaussNewton", plain],
    );
    run(
        Trainer::new(Cosine::new(1e-3, 50).unwrap()),
        &["Cosine", "constant step size"],
    );
    run(
        Trainer::new(KernelStable::default().refresh(5)),
        &["KernelStable", "constant step size"],
    );
    run(
        Trainer::new(|_: &mut StepState<'_, f64>| 1e-3),
        &["constant step size", "Schedule::outlook"],
    );
    let trainer = Trainer::new(1e-3).certify(0);
    refused(
        trainer.fit(&mut start(4, 8, 1), &data),
        &["`every` of `Trainer::certify`", "at least 1"],
    );
    let weighted = data.clone().with_weights(DVector::from_element(8, 2.0)).unwrap();
    let trainer = Trainer::new(1e-3).certify(3);
    refused(
        trainer.fit(&mut start(4, 8, 1), &weighted),
        &["`Trainer::certify`", "without weights"],
    );
    // Neither setting asks for looks by itself: the forgotten one is named.
    let trainer = Trainer::new(1e-3).stop_when_proved(true);
    refused(
        trainer.fit(&mut start(4, 8, 1), &data),
        &["`every` of `Trainer::certify`"],
    );
    let certified = Certified::new(&Certifier::default().certify(&start(4, 256, 3), &data).unwrap()).unwrap();
    let report = Trainer::new(certified)
        .max_steps(2)
        .certify(1)
        .fit(&mut start(4, 256, 3), &data)
        .unwrap();
    assert_eq!(report.proof().unwrap().step(), 0);
}

/// A resumed run finds the same proof as one that was not interrupted, before it and after.
#[test]
fn proofs_survive_a_checkpoint() {
    let data = table_problem(8, 4);
    let folder = Folder::new("proof");
    let trainer = |steps: usize| Trainer::new(KernelStable::default()).max_steps(steps).certify(20);
    let mut whole = start(4, 16, 2);
    let expected = trainer(900).fit(&mut whole, &data).unwrap().proof().unwrap().clone();
    assert!(expected.step() > 40, "{expected}");
    for stop in [30, expected.step() + 10] {
        let path = folder.join(format!("run-{stop}"));
        let mut parts = start(4, 16, 2);
        let mut session = trainer(900).checkpoint(&path, stop).start(&mut parts, &data).unwrap();
        (0..stop).for_each(|_| assert!(session.step().unwrap().is_none()));
        drop(session);
        let report = trainer(900).resume(&path).fit(&mut parts, &data).unwrap();
        assert_eq!(report.proof(), Some(&expected));
        // Without looks before the checkpoint, nothing is known of the rounding so far.
        let path = folder.join(format!("blind-{stop}"));
        let mut parts = start(4, 16, 2);
        let blind = Trainer::new(KernelStable::default()).max_steps(stop);
        blind.checkpoint(&path, 1000).fit(&mut parts, &data).unwrap();
        let report = trainer(900).resume(&path).fit(&mut parts, &data).unwrap();
        let proof = report.proof().unwrap();
        assert!(!proof.from_start() && proof.drift() == f64::INFINITY, "{proof}");
    }
}

/// f32 runs are proved too: the certificate is about the exact numbers in the network.
#[test]
fn f32_runs_are_proved() {
    let data = table_problem(8, 4).cast::<f32>().unwrap();
    let mut net = Initializer::new(4, 16)
        .antisymmetric(true)
        .seed(1)
        .build::<f32>()
        .unwrap();
    let trainer = Trainer::new(KernelStable::default())
        .max_steps(2000)
        .certify(10)
        .stop_when_proved(true);
    let report = trainer.fit(&mut net, &data).unwrap();
    let proof = report.proof().unwrap();
    assert!(proof.certificate().holds() && proof.step() > 0, "{proof}");
    assert_eq!(proof.step_size(), report.last_step_size().unwrap().as_f64());
}

/// No more than traces where asked, and rounding followed where asked.
#[test]
fn effort_decides_what_is_done() {
    let data = table_problem(8, 4);
    let run = |effort: Effort| {
        let trainer = Trainer::new(KernelStable::default())
            .max_steps(3000)
            .certify(10)
            .certify_effort(effort);
        let report = trainer.stop_when_proved(true).fit(&mut start(4, 16, 1), &data).unwrap();
        report.proof().unwrap().clone()
    };
    let (basic, full, auto) = (run(Effort::Basic), run(Effort::Full), run(Effort::Auto));
    assert!(basic.step() > full.step() && !basic.from_start());
    assert_eq!(full, auto);
    assert!(full.from_start());
}

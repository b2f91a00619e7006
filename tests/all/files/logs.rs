//! Logs are written in whole lines during a run; when writing fails, the run goes on and its report says so.

use expnet::observer::{CsvLog, History, JsonLog, Observer};
use expnet::{Dataset, ExpNetwork, FitReport, Float, Initializer, Trainer};
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::rc::Rc;

fn problem<T: Float>() -> (ExpNetwork<T>, Dataset<T>) {
    let rows: Vec<[T; 2]> = (0..12)
        .map(|i| [T::lit(f64::from(i).sin()), T::lit(f64::from(2 * i).cos())])
        .collect();
    let labels: Vec<T> = (0..12).map(|i| T::lit(f64::from(i * i).sin())).collect();
    let net = Initializer::new(2, 64).antisymmetric(true).seed(5).build().unwrap();
    (net, Dataset::from_rows(&rows, &labels).unwrap())
}

const STEPS: usize = 37;

fn run<T: Float>(observers: &mut [&mut dyn Observer<T>], validation: bool) -> (FitReport<T>, ExpNetwork<T>) {
    let (mut net, data) = problem::<T>();
    let mut trainer = Trainer::new(1e-4).max_steps(STEPS);
    if validation {
        trainer = trainer.validation(&data, 1000);
    }
    for observer in observers {
        trainer = trainer.observe(&mut **observer);
    }
    let report = trainer.fit(&mut net, &data).unwrap();
    (report, net)
}

/// A writer that keeps what it is given, and can break.
#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Sheet>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sheet = self.0.borrow_mut();
        let used: usize = sheet.writes.iter().map(String::len).sum();
        let fits = sheet.room.map_or(bytes.len(), |room| bytes.len().min(room - used));
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        sheet.writes.push(String::from_utf8(bytes[..fits].to_vec()).unwrap());
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flushes += 1;
        Ok(())
    }
}

impl Paper {
    fn with_room(room: usize) -> Self {
        let paper = Self::default();
        paper.0.borrow_mut().room = Some(room);
        paper
    }

    /// The whole lines.
    fn lines(&self) -> Vec<String> {
        let text = self.0.borrow().writes.concat();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(String::from).collect()
    }
}

#[derive(Default)]
struct Sheet {
    writes: Vec<String>,
    flushes: usize,
    /// The number of bytes that fit.
    room: Option<usize>,
}

fn logs_say_what_the_history_says<T: Float>(every: usize, validation: bool) {
    let (csv, json, mut history) = (Paper::default(), Paper::default(), History::default().every(every));
    let (report, _) = run::<T>(
        &mut [
            &mut CsvLog::new(csv.clone()).every(every),
            &mut JsonLog::new(json.clone()).every(every),
            &mut &mut history,
        ],
        validation,
    );
    assert!(report.problems().is_empty());
    let (csv, json) = (csv.lines(), json.lines());
    assert_eq!(csv[0], "step,loss,residual_norm,step_size,validation_loss,seconds\n");
    assert_eq!(
        (csv.len(), json.len()),
        (1 + history.steps().len(), history.steps().len())
    );
    for i in 0..json.len() {
        let fields: Vec<Option<f64>> = csv[i + 1]
            .trim_end()
            .split(',')
            .map(|field| field.parse().ok())
            .collect();
        let object: Value = serde_json::from_str(&json[i]).unwrap();
        let keys = [
            "step",
            "loss",
            "residual_norm",
            "step_size",
            "validation_loss",
            "seconds",
        ];
        assert_eq!(object.as_object().unwrap().len(), keys.len());
        let values = keys.map(|key| object[key].as_f64());
        // The time is taken once per step, for all observers.
        assert_eq!(fields, values);
        let step_size = history.step_sizes()[i];
        assert_eq!(
            values[..2],
            [Some(history.steps()[i] as f64), Some(history.losses()[i])].map(|x| round::<T>(x))
        );
        assert_eq!(
            values[3..5],
            [step_size, history.validation_losses()[i]].map(|x| round::<T>(x))
        );
        assert_eq!(values[4].is_some(), validation);
        assert!((values[5].unwrap() - history.seconds()[i]).abs() < 1e-6);
    }
}

/// A number as the shortest decimal that gives it back in `T`.
fn round<T: Float>(x: Option<f64>) -> Option<f64> {
    x.map(|x| format!("{:e}", T::lit(x)).parse().unwrap())
}

#[test]
fn both_logs_say_what_the_history_says() {
    logs_say_what_the_history_says::<f64>(1, false);
    logs_say_what_the_history_says::<f64>(5, true);
    logs_say_what_the_history_says::<f32>(3, true);
    logs_say_what_the_history_says::<f64>(0, false);
}

#[test]
fn a_log_appended_to_another_needs_no_header() {
    let paper = Paper::default();
    run::<f64>(&mut [&mut CsvLog::new(paper.clone()).header(false)], false);
    assert!(paper.lines()[0].starts_with("0,"));
}

#[test]
fn the_last_line_is_flushed() {
    let (mut net, data) = problem::<f64>();
    let paper = Paper::default();
    let mut session = Trainer::new(1e-3)
        .observe(CsvLog::new(paper.clone()))
        .start(&mut net, &data)
        .unwrap();
    assert_eq!(paper.0.borrow().flushes, 1, "at once");
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(110));
        session.step().unwrap();
    }
    assert_eq!(paper.0.borrow().flushes, 4, "ten times a second");
    assert_eq!(paper.lines().len(), 5, "a header and four lines");
    session.step().unwrap();
    session.finish().unwrap();
    assert_eq!(paper.0.borrow().flushes, 5, "at the end");
    assert_eq!(paper.lines().len(), 6);
}

#[test]
fn writes_are_of_whole_lines_and_a_dropped_session_leaves_none_behind() {
    let (mut net, data) = problem::<f64>();
    let paper = Paper::default();
    let mut session = Trainer::new(1e-3)
        .observe(JsonLog::new(paper.clone()))
        .start(&mut net, &data)
        .unwrap();
    for _ in 0..1000 {
        session.step().unwrap();
    }
    drop(session);
    assert_eq!(paper.lines().len(), 1001);
    let sheet = paper.0.borrow();
    assert!(sheet.writes.iter().all(|write| write.ends_with('\n')));
    assert!(sheet.writes.len() < 500, "{} writes of 1001 lines", sheet.writes.len());
}

#[test]
fn a_full_disk_ends_the_log_and_not_the_run_and_is_told() {
    let (undisturbed, net) = run::<f64>(&mut [], false);
    for room in [10, 80, 600] {
        let paper = Paper::with_room(room);
        let mut lent = CsvLog::new(Paper::with_room(room));
        let (report, logged) = run::<f64>(&mut [&mut CsvLog::new(paper.clone()), &mut &mut lent], false);
        assert_eq!(logged, net);
        assert_eq!((report.steps(), report.loss()), (STEPS, undisturbed.loss()));
        // The header is a line too.
        let step = paper.lines().len().saturating_sub(1);
        assert!(step < 20 && (room < 100 || step > 4), "{step}");
        let expected = format!("the log ends at step {step}, where writing it failed: ");
        assert_eq!(report.problems().len(), 2);
        assert!(report.problems()[0].starts_with(&expected), "{:?}", report.problems());
        assert!(report.to_string().ends_with(&report.problems()[1]), "{report}");
        let error = lent.finish().map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("writing the log, which ends at step {step}: ")),
            "{error}"
        );
    }
    let mut json = JsonLog::new(Paper::with_room(300));
    let (report, logged) = run::<f64>(&mut [&mut json], false);
    assert_eq!(logged, net);
    assert!(report.problems()[0].starts_with("the log ends at step "));
}

#[test]
fn a_file_that_is_full_from_the_start_is_told_too() {
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else {
        println!("skipped: there is no /dev/full here");
        return;
    };
    let (report, _) = run::<f64>(&mut [&mut JsonLog::new(full)], false);
    assert!(report.problems()[0].contains("at step 0"), "{:?}", report.problems());
}

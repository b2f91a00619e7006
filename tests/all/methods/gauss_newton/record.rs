//! Saving and restoring its state.

use super::{antisymmetric, fit, sphere};
use crate::support::refused;
use expnet::method::{Direction, DirectionKind, Evaluation, GaussNewton, GradientDescent, Method, Outcome, Verdict};
use expnet::{Error, Record, Trainer};

/// A method that restores a record at the start of a run, as resuming does.
struct Resumed {
    method: GaussNewton,
    record: Record,
}

impl Method<f64> for Resumed {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, f64>, direction: &mut Direction<f64>) -> Result<(), Error> {
        self.method.direction(evaluation, direction)
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        Method::<f64>::judge(&mut self.method, outcome)
    }

    fn kind(&self) -> DirectionKind {
        Method::<f64>::kind(&self.method)
    }

    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
        Method::<f64>::prepare(&mut self.method, samples)?;
        Method::<f64>::restore(&mut self.method, &self.record)
    }
}

#[test]
fn a_run_continues_from_its_record_to_the_bit() {
    // Few enough neurons that the damping has work to do and the frozen kernel grows old.
    let (data, start) = (sphere::<f64>(20, 8, 3), antisymmetric::<f64>(8, 30));
    for fresh in [
        GaussNewton::default(),
        GaussNewton::frozen(),
        GaussNewton::matrix_free(),
    ] {
        for before in 1..6 {
            let (mut whole, mut parts) = (start.clone(), start.clone());
            fit(&mut whole, &data, fresh.clone(), before + 3);
            let mut method = fresh.clone();
            let lent = &mut method as &mut dyn Method<f64>;
            Trainer::default()
                .method(lent)
                .max_steps(before)
                .fit(&mut parts, &data)
                .unwrap();
            let record = Method::<f64>::save(&method).unwrap();
            let method = Resumed {
                method: fresh.clone(),
                record,
            };
            Trainer::default()
                .method(method)
                .max_steps(3)
                .fit(&mut parts, &data)
                .unwrap();
            assert!(whole.weights() == parts.weights(), "{fresh:?} after {before}");
        }
    }
}

#[test]
fn a_record_of_another_method_is_an_error() {
    let record = Method::<f64>::save(&GaussNewton::frozen().ridge(0.5)).unwrap();
    let restored = |mut method: GaussNewton, record| Method::<f64>::restore(&mut method, record);
    refused(
        restored(GaussNewton::frozen(), &record),
        &["`ridge` of `GaussNewton` is 0.5 in the record and 0.0 here"],
    );
    refused(
        restored(GaussNewton::default().ridge(0.5), &record),
        &["`gram`", "Frozen", "Anew"],
    );
    refused(
        restored(GaussNewton::frozen().ridge(0.5).damping(1.0), &record),
        &["`fixed_damping`", "not set"],
    );
    let other = Method::<f64>::save(&GradientDescent::default()).unwrap();
    refused(restored(GaussNewton::default(), &other), &["GradientDescent"]);
}

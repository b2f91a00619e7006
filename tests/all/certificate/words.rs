//! Certificates printed.

use super::table_problem;
use crate::support::says;
use expnet::certificate::{NarrowestSearch, certify, sufficient_width};
use expnet::{Error, Initializer};

#[test]
fn a_certificate_reads_well() {
    let data = table_problem(6, 8);
    let (net, proved) = NarrowestSearch::default().seed(3).search(&data).unwrap();
    says(
        &proved,
        &[
            "convergence is proved by theorem G (full)",
            "to spare",
            "n = 6, d = 8",
            "steps to 1e-3",
            "no neuron moves",
        ],
    );
    let narrow = Initializer::new(8, 4)
        .antisymmetric(true)
        .seed(3)
        .build::<f64>()
        .unwrap();
    let open = certify(&narrow, &data).unwrap();
    says(
        &open,
        &[
            "convergence is not proved",
            "m = 4",
            "theorem A: ||X|| E_0",
            "theorem A': ",
            "theorem A'': ",
            "fails by a factor of",
        ],
    );
    assert!(!open.decisive().holds() && open.decisive().factor() > 1.0 && open.spare() < 1.0);
    assert!(
        open.attempts()
            .iter()
            .all(|attempt| !attempt.holds() && attempt.radius() == 0.0)
    );
    assert_eq!(net.width(), proved.width());

    let enough = sufficient_width(&data, 1.0, 0.1).unwrap();
    says(
        &enough,
        &[
            "suffices with probability 0.9 by theorem D",
            "sigma = 1",
            "widths by theorem: B ",
            " C ",
            " D ",
        ],
    );
}

/// All numbers of a certificate that holds, and of a width.
#[test]
fn surface() -> Result<(), Error> {
    let data = table_problem(6, 8);
    let net = Initializer::new(8, 4096).antisymmetric(true).seed(3).build::<f64>()?;
    let c = certify(&net, &data)?;
    let text = format!(
        "{c}\n{} {:e} {:e} {:e} {}",
        c.holds(),
        c.rate(),
        c.radius(),
        c.max_step_size(),
        c.steps_to(1e-3)
    );
    let w = sufficient_width(&data, 1.0, 0.1)?;
    println!(
        "{text}\n{w}\nwidth {} rate {:e} step {:e} steps {}",
        w.width(),
        w.rate(),
        w.max_step_size(),
        w.steps_to(1e-3)
    );
    assert!(c.holds() && c.rate() > 0.0 && c.radius() > 0.0);
    Ok(())
}

//! The narrowest network that is certified.

use super::table_problem;
use crate::support::refused;
use expnet::certificate::{NarrowestSearch, certify};
use expnet::schedule::Certified;
use expnet::{Initializer, Trainer};

#[test]
fn narrowest_is_certified_and_its_neighbours_below_are_not() {
    for (n, d, std_dev, seed, widths) in [
        (6, 8, 1.0, 3, 4..40),
        (8, 4, 1.0, 1, 20..60),
        (8, 8, 1.0, 2, 10..40),
        (16, 8, 1.0, 4, 16..60),
    ] {
        let data = table_problem(n, d);
        let (net, proved) = NarrowestSearch::default()
            .std_dev(std_dev)
            .seed(seed)
            .search(&data)
            .unwrap();
        assert!(
            proved.holds() && widths.contains(&net.width()),
            "{} {proved}",
            net.width()
        );
        assert_eq!(proved.width(), net.width());
        // The neurons of the seed, at this width and any other.
        let start = |width| {
            Initializer::new(d, width)
                .std_dev(std_dev)
                .antisymmetric(true)
                .seed(seed)
        };
        assert_eq!(net, start(net.width()).build().unwrap());
        let again = certify(&net, &data).unwrap();
        assert!(again.holds() && again.theorem() == proved.theorem(), "{again}");
        assert!(
            (again.spare() / proved.spare() - 1.0).abs() < 1e-2 && (again.rate() / proved.rate() - 1.0).abs() < 1e-9
        );
        // Some width within 1% (or 2 neurons) below is not certified.
        let fails = |below: usize| {
            !certify(&start(net.width() - 2 * below).build::<f64>().unwrap(), &data)
                .unwrap()
                .holds()
        };
        assert!((1..=(net.width() / 200).max(1)).any(fails), "{}", net.width());
        let error = NarrowestSearch::default()
            .std_dev(std_dev)
            .seed(seed)
            .widest(n.div_ceil(d) * 2)
            .search(&data)
            .unwrap_err();
        assert!(error.to_string().contains("the widest allowed"), "{error}");
    }
    let data = table_problem(4, 4);
    refused(
        NarrowestSearch::default().seed(1).widest(1).search(&data),
        &["`NarrowestSearch::widest`", "is 1", "at least 2"],
    );
    refused(
        NarrowestSearch::default().std_dev(f64::NAN).seed(1).search(&data),
        &["std_dev", "NaN"],
    );
    refused(
        NarrowestSearch::default().std_dev(-1.0).seed(1).search(&data),
        &["std_dev", "-1"],
    );
}

#[test]
fn more_seeds_than_memory_are_refused() {
    let found = NarrowestSearch::default().search_seeds(&table_problem(6, 8), usize::MAX, 0.9);
    refused(found, &["a search for each seed", "try fewer seeds"]);
}

#[test]
fn narrowest_works_in_f32() {
    let data = table_problem(6, 8).cast::<f32>().unwrap();
    let (mut net, proved) = NarrowestSearch::default().seed(3).search(&data).unwrap();
    let schedule = Certified::new(&proved).unwrap();
    let steps = usize::try_from(proved.steps_to(0.01)).unwrap();
    let report = Trainer::new(schedule).max_steps(steps).fit(&mut net, &data).unwrap();
    assert!(f64::from(report.last_step_size().unwrap()) <= proved.max_step_size());
    assert!(report.residual_norm() <= 0.01, "{report}");
}

//! The search for lambda, part by part.

use super::*;
use crate::kernel::limit_kernel;

/// Labels that a fit with hardly any ridge predicts best.
fn smooth() -> (DMatrix<f64>, DVector<f64>) {
    let points = DMatrix::from_fn(2, 25, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
    let labels = DVector::from_fn(25, |i, _| points[(0, i)] + points[(1, i)].powi(2));
    (limit_kernel(&points, 1.0).unwrap(), labels)
}

/// Labels that ask for a ridge.
fn noisy() -> (DMatrix<f64>, DVector<f64>) {
    let (kernel, labels) = smooth();
    let noise = DVector::from_fn(25, |i, _| ((i * i) as f64 * 1.7).sin());
    (kernel, labels + noise)
}

/// Does `work` with a search that has tried nothing yet.
fn with_search((kernel, labels): (DMatrix<f64>, DVector<f64>), work: impl FnOnce(&mut Search<'_>)) {
    let roots = Roots::default();
    let problem = LeaveOneOut::new(kernel, &labels, &roots, &[], None);
    let mut search = Search {
        problem: &problem,
        tried: Vec::new(),
        ready: Vec::new(),
        best: None,
    };
    work(&mut search);
}

fn powers(search: &Search<'_>) -> Vec<f64> {
    search.tried.iter().map(|&(power, _)| power).collect()
}

#[test]
fn what_was_tried_is_kept_in_order() {
    with_search(noisy(), |search| {
        for power in [0.0, 2.0, -3.0, 0.5, 0.0] {
            let error = search.evaluate(power).unwrap();
            let found = search.problem.at(search.problem.unit * 10.0_f64.powf(power)).unwrap();
            assert_eq!(error, found.unwrap().mean_square.ln());
        }
        assert_eq!(powers(search), [-3.0, 0.0, 0.5, 2.0]);
        let smallest = search
            .tried
            .iter()
            .map(|&(_, error)| error)
            .fold(f64::INFINITY, f64::min);
        assert_eq!(search.best.as_ref().unwrap().0.mean_square.ln(), smallest);
    });
}

#[test]
fn a_scan_covers_the_range() {
    for problem in [smooth(), noisy()] {
        with_search(problem, |search| {
            let power = search.scan().unwrap();
            let powers = powers(search);
            assert_eq!(powers[0], *RANGE.start());
            assert!(powers.windows(2).all(|pair| pair[1] - pair[0] == SCAN), "{powers:?}");
            assert!(!RANGE.contains(&(powers[powers.len() - 1] + SCAN)), "{powers:?}");
            let at = search.tried.iter().position(|&(other, _)| other == power).unwrap();
            assert!(search.tried.iter().all(|&(_, error)| error >= search.tried[at].1));
        });
    }
}

/// On a grid through the start, in the one direction that leads down, and no further than a rise or the end of the range.
#[test]
fn a_descent_ends_between_worse_neighbours() {
    for (problem, start) in [smooth(), noisy()]
        .into_iter()
        .flat_map(|problem| [-7.0, -6.5, -5.0, -3.0, -1.0, 0.0, 1.0, 2.2, 2.5].map(|start| (problem.clone(), start)))
    {
        with_search(problem, |search| {
            search.descend(start).unwrap();
            let tried = &search.tried;
            let best = search.best.as_ref().unwrap().1;
            let (low, high) = (tried[0], tried[tried.len() - 1]);
            assert!(RANGE.contains(&low.0) && RANGE.contains(&high.0), "{start} {tried:?}");
            assert!(
                tried
                    .windows(2)
                    .all(|pair| (pair[1].0 - pair[0].0 - GRID).abs() < 1e-12),
                "{start} {tried:?}"
            );
            let rises = |outer: (f64, f64), inner: (f64, f64), next: f64| outer.1 >= inner.1 || !RANGE.contains(&next);
            if best <= start {
                assert!(rises(low, tried[1], low.0 - GRID), "{start} {tried:?}");
            }
            if best < start {
                assert_eq!(high.0, start, "{tried:?}");
            } else {
                assert!(rises(high, tried[tried.len() - 2], high.0 + GRID), "{start} {tried:?}");
                assert!(low.0 >= start - GRID, "{start} {tried:?}");
            }
            // Only the outermost, and the start, are beside the way down.
            assert!(
                tried.len() as f64 <= 3.5 + (best - start).abs() / GRID,
                "{start} {tried:?}"
            );
        });
    }
}

#[test]
fn a_parabola_is_refined_to_its_vertex() {
    let error = |x: f64| 1.0 + 3.0 * (x - 0.2).powi(2);
    let refined = |powers: &[f64], best: f64| {
        let mut new = Vec::new();
        with_search(noisy(), |search| {
            search.tried = powers.iter().map(|&x| (x, error(x))).collect();
            search.best = Some((search.problem.at(1.0).unwrap().unwrap(), best));
            search.refine().unwrap();
            new.extend(search.tried.iter().map(|&(x, _)| x).filter(|x| !powers.contains(x)));
        });
        new
    };
    for powers in [&[-1.0, 0.0, 0.5][..], &[-4.0, -1.0, 0.0, 0.75, 1.5], &[-0.3, 0.0, 2.0]] {
        let new = refined(powers, 0.0);
        assert!(new.len() == 1 && (new[0] - 0.2).abs() < 1e-12, "{powers:?} {new:?}");
    }
    for (powers, best) in [
        (&[0.0, 0.5, 1.0][..], 0.0),
        (&[-1.0, -0.5, 0.0], 0.0),
        (&[0.0], 0.0),
        (&[-1.0, 0.19, 1.0], 0.19),
        (&[-1.0, 0.22, 1.0], 0.22),
        (&[-1.0, 0.0, 0.3], 1.0),
    ] {
        assert!(refined(powers, best).is_empty(), "{powers:?}");
    }
    assert_eq!(refined(&[-1.0, 0.1, 1.0], 0.1).len(), 1);
}

#[test]
fn the_size_of_the_kernel_does_not_matter() {
    let (kernel, labels) = noisy();
    let (roots, mut found) = (Roots::default(), Vec::new());
    for size in [1.0, 2.0_f64.powi(-40), 2.0_f64.powi(40)] {
        let problem = LeaveOneOut::new(&kernel * size, &labels, &roots, &[], None);
        let (held_out, power) = problem.best(None, 2).unwrap();
        found.push((held_out.lambda / size, held_out.mean_square, power));
    }
    for other in &found[1..] {
        assert!((other.0 / found[0].0 - 1.0).abs() < 1e-9, "{found:?}");
        assert!(
            (other.1 / found[0].1 - 1.0).abs() < 1e-9 && (other.2 - found[0].2).abs() < 1e-9,
            "{found:?}"
        );
    }
}

/// Where the matrix is singular, or errors overflow, there is no fit, and the search goes on.
#[test]
fn fits_that_do_not_exist_are_passed_over() {
    let (mut kernel, labels) = smooth();
    kernel[(24, 24)] = -0.5;
    with_search((kernel.clone(), labels.clone()), |search| {
        for guess in [None, Some(-7.0), Some(-3.0), Some(2.0)] {
            let (found, power) = search.problem.best(guess, 2).unwrap();
            assert!(found.lambda > 0.5 && RANGE.contains(&power), "{guess:?} {found:?}");
        }
    });
    kernel[(24, 24)] = -1e9;
    with_search((kernel, labels), |search| {
        let error = search.problem.best(None, 2).unwrap_err().to_string();
        assert!(error.contains("with every lambda tried"), "{error}");
    });
    let (kernel, labels) = smooth();
    with_search((kernel * 1e20, labels * 1e156), |search| {
        assert!(
            search.problem.at(1e20).unwrap().is_none(),
            "the errors overflow, their variance does not"
        );
    });
}

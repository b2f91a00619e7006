//! Closed-form leave-one-out errors of kernel ridge regression, and the lambda that minimises them.

use super::roots::Roots;
use crate::error::Error;
use crate::linalg::Cholesky;
use crate::memory;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// The range of lambda, relative to the mean of s_i K_ii, as powers of ten.
const RANGE: std::ops::RangeInclusive<f64> = -7.0..=2.5;
/// The distance of the grid on which a search without a guess starts.
const SCAN: f64 = 2.0;
/// The distance of the grid on which a search descends.
const GRID: f64 = 0.75;
/// Up to this number of samples, powers that are all needed are tried at the same time, each with n^2 numbers of its own.
const MAX_SIDE_BY_SIDE: usize = 2048;
/// Powers closer than this are the same.
const RESOLUTION: f64 = 0.03;

/// A regression problem whose lambda is to be chosen: minimise sum_i s_i (f(x_i) - y_i)^2 + lambda ||f||_K^2.
pub(crate) struct LeaveOneOut<'a> {
    /// R K R with R = diag(sqrt(s_i)), n x n; only the lower triangle is read.
    kernel: DMatrix<f64>,
    /// R y.
    labels: DVector<f64>,
    roots: &'a Roots,
    /// The mean of s_i K_ii over the samples that count, of which lambda is searched in powers of ten: it grows with the weights as
    /// lambda does.
    unit: f64,
    groups: &'a [Vec<usize>],
    /// The samples of all groups, in ascending order.
    grouped: Vec<usize>,
    validation: Option<Validation<'a>>,
}

/// Validation data of a [`LeaveOneOut`].
pub(crate) struct Validation<'a> {
    /// The kernel between training and validation points, n x k.
    pub cross: DMatrix<f64>,
    pub labels: &'a DVector<f64>,
    /// Of the validation points.
    pub roots: &'a Roots,
}

impl Validation<'_> {
    /// sum_j s_j (f(x_j) - y_j)^2 / sum_j s_j over the validation points.
    fn mean_square(&self, coefficients: &DVector<f64>) -> f64 {
        let errors = self.cross.tr_mul(coefficients) - self.labels;
        self.roots.scale(errors).norm_squared() / self.roots.total(self.labels.len())
    }
}

/// Ridge regression with one lambda, and how well it predicts samples that are left out.
#[derive(Clone, Debug)]
pub(crate) struct HeldOut {
    pub lambda: f64,
    /// sum_i s_i e_i^2 / sum_i s_i, where e_i is the error at sample i of a fit to all samples that are not in its group; or
    /// the same mean of the errors on the validation data.
    pub mean_square: f64,
    /// c = S^1/2 (S^1/2 K S^1/2 + lambda I)^-1 S^1/2 y: f = sum_i c_i k(x_i, .).
    pub coefficients: DVector<f64>,
    /// The scale t^2 for which the predicted variances t^2 (lambda + var_i) match the squared errors on average.
    pub variance: f64,
}

impl<'a> LeaveOneOut<'a> {
    /// Of the kernel K, n x n, of which only the lower triangle is read. The samples of each group are left out together, and every
    /// other sample alone. If there are validation data, the error on them decides instead.
    pub fn new(
        mut kernel: DMatrix<f64>,
        labels: &DVector<f64>,
        roots: &'a Roots,
        groups: &'a [Vec<usize>],
        validation: Option<Validation<'a>>,
    ) -> Self {
        roots.scale_triangle(&mut kernel);
        let mean = kernel.trace() / roots.count(labels.len()) as f64;
        let mut grouped: Vec<usize> = groups.iter().flatten().copied().collect();
        grouped.sort_unstable();
        Self {
            kernel,
            labels: roots.scaled(labels).into_owned(),
            roots,
            unit: if mean > 0.0 { mean } else { 1.0 },
            groups,
            grouped,
            validation,
        }
    }

    /// The fit with this `lambda` > 0, or `None` if the system is singular to working precision.
    ///
    /// With A = K + lambda I, the error at a sample left out is e_i = [A^-1 y]_i / [A^-1]_ii, and of a group g it is
    /// e_g = ([A^-1]_gg)^-1 [A^-1 y]_g (Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006, section 5.4.2).
    /// Costs 2/3 n^3 flops and n^2 numbers.
    pub fn at(&self, lambda: f64) -> Result<Option<HeldOut>, Error> {
        self.at_with(lambda, Cholesky::new)
    }

    fn at_with(
        &self,
        lambda: f64,
        factor: fn(DMatrix<f64>) -> Result<Option<Cholesky>, Error>,
    ) -> Result<Option<HeldOut>, Error> {
        let mut matrix = memory::copy("the kernel of leave-one-out", &self.kernel)?;
        for i in 0..matrix.nrows() {
            matrix[(i, i)] += lambda;
        }
        let Some(factor) = factor(matrix)? else {
            return Ok(None);
        };
        if !self.grouped.is_empty() {
            memory::check("the inverse of leave-one-out", 2, self.labels.len())?;
        }
        let dual = factor.solve(&self.labels);
        let found = self.judge(lambda, &dual, &factor);
        Ok(Some(found).filter(|found| found.mean_square.is_finite() && found.variance.is_finite()))
    }

    fn lambda(&self, power: f64) -> f64 {
        self.unit * 10.0_f64.powf(power)
    }

    fn judge(&self, lambda: f64, dual: &DVector<f64>, factor: &Cholesky) -> HeldOut {
        let n = dual.len();
        let (diagonal, columns) = factor.inverse_diagonal(&self.grouped);
        let mut errors = dual.component_div(&diagonal);
        // The covariance of the errors at a group left out is t^2 ([A^-1]_gg)^-1, so e_g^T [A^-1]_gg e_g = e_g^T [A^-1 y]_g is about
        // t^2 times the size of the group.
        let mut variance = dual.dot(&errors);
        // [A^-1]_ij = sum_k M_ki M_kj for M = L^-1, whose column i is this one.
        let column = |i: usize| columns.column(self.grouped.partition_point(|&other| other < i));
        for group in self.groups {
            let block = DMatrix::from_fn(group.len(), group.len(), |i, j| column(group[i]).dot(&column(group[j])));
            let right = DVector::from_fn(group.len(), |i, _| dual[group[i]]);
            if let Some(left_out) = nalgebra::Cholesky::new(block).map(|factor| factor.solve(&right)) {
                for ((&i, &e), &c) in group.iter().zip(&left_out).zip(&right) {
                    variance += c * (e - errors[i]);
                    errors[i] = e;
                }
            }
        }
        let coefficients = self.roots.scaled(dual).into_owned();
        let mean_square = match &self.validation {
            None => errors.norm_squared() / self.roots.total(n),
            Some(validation) => validation.mean_square(&coefficients),
        };
        HeldOut {
            lambda,
            mean_square,
            coefficients,
            variance: variance / self.roots.count(n) as f64,
        }
    }

    /// The fit with a `lambda` > 0 that was chosen elsewhere.
    ///
    /// Errors: no memory; a kernel that is singular with this lambda.
    pub fn given(&self, lambda: f64) -> Result<HeldOut, Error> {
        self.at(lambda)?.ok_or_else(|| Error::Singular {
            what: "the kernel of the training points",
            condition: f64::INFINITY,
            cause: format!("there is no finite fit with lambda = {lambda:e}"),
            remedy: "use a larger lambda, or let leave-one-out choose it".into(),
        })
    }

    /// The lambda with the smallest leave-one-out error, and its power of ten relative to the mean of s_i K_ii.
    ///
    /// Descends on a grid from `guess`, a power of ten, to a local minimum, which `parabolas` refine, two of them to within about a percent of the error: three evaluations of
    /// [`at`](Self::at) and one per parabola. Without a guess a coarse scan of the whole range comes first, with five more.
    ///
    /// Errors: no memory; a kernel that is singular with every lambda.
    pub fn best(&self, guess: Option<f64>, parabolas: usize) -> Result<(HeldOut, f64), Error> {
        let mut search = Search {
            problem: self,
            tried: Vec::new(),
            ready: Vec::new(),
            best: None,
        };
        let start = match guess {
            Some(guess) => guess.clamp(*RANGE.start(), *RANGE.end()),
            None => search.scan()?,
        };
        search.descend(start)?;
        for _ in 0..parabolas {
            search.refine()?;
        }
        search.best.ok_or_else(|| Error::Singular {
            what: "the kernel of the training points, with every lambda tried",
            condition: f64::INFINITY,
            cause: "its entries are not those of a positive definite matrix".into(),
            remedy: "check the points for extreme values, leave `ScalingOptions::unit_sphere` and `clip` on, or use a smaller \
                     `std_dev`"
                .into(),
        })
    }
}

/// The state of a search over powers of ten.
struct Search<'a> {
    problem: &'a LeaveOneOut<'a>,
    /// Power and ln of the error, in order of the power.
    tried: Vec<(f64, f64)>,
    /// Fits that are not needed yet.
    ready: Vec<(f64, Option<HeldOut>)>,
    best: Option<(HeldOut, f64)>,
}

impl Search<'_> {
    /// ln of the error at a power, infinite where there is no fit.
    fn evaluate(&mut self, power: f64) -> Result<f64, Error> {
        if let Some(&(_, error)) = self.tried.iter().find(|&&(other, _)| other == power) {
            return Ok(error);
        }
        let found = match self.ready.iter().position(|&(other, _)| other == power) {
            Some(position) => self.ready.swap_remove(position).1,
            None => self.problem.at(self.problem.lambda(power))?,
        };
        let error = found
            .as_ref()
            .map_or(f64::INFINITY, |found| found.mean_square.max(f64::MIN_POSITIVE).ln());
        let position = self.tried.partition_point(|&(other, _)| other < power);
        self.tried.insert(position, (power, error));
        if let Some(found) = found
            && self
                .best
                .as_ref()
                .is_none_or(|(best, _)| found.mean_square < best.mean_square)
        {
            self.best = Some((found, power));
        }
        Ok(error)
    }

    /// Makes the fits for powers, all of which or nearly all will be evaluated, at the same time. One factorisation alone leaves
    /// threads waiting for each other.
    fn prepare(&mut self, powers: impl IntoIterator<Item = f64>) -> Result<(), Error> {
        if self.problem.labels.len() > MAX_SIDE_BY_SIDE {
            return Ok(());
        }
        let new = |power: &f64| RANGE.contains(power) && !self.tried.iter().any(|(other, _)| other == power);
        let powers: Vec<f64> = powers.into_iter().filter(new).collect();
        let fits = powers.into_par_iter().map(|power| {
            Ok((
                power,
                self.problem
                    .at_with(self.problem.lambda(power), Cholesky::on_one_thread)?,
            ))
        });
        self.ready = fits.collect::<Result<_, Error>>()?;
        Ok(())
    }

    /// The power with the smallest error on a coarse grid over the whole range.
    fn scan(&mut self) -> Result<f64, Error> {
        let powers = (0..).map(|step| *RANGE.start() + f64::from(step) * SCAN);
        let powers: Vec<f64> = powers.take_while(|power| RANGE.contains(power)).collect();
        self.prepare(powers.iter().copied())?;
        for power in powers {
            self.evaluate(power)?;
        }
        Ok(self.best.as_ref().map_or(*RANGE.start(), |&(_, power)| power))
    }

    /// Goes downhill on the grid until both neighbours are worse, or the range ends.
    fn descend(&mut self, start: f64) -> Result<(), Error> {
        let first = if self.tried.is_empty() { start } else { start + GRID };
        self.prepare([first, start - GRID])?;
        let here = self.evaluate(start)?;
        for direction in [-GRID, GRID] {
            let (mut power, mut last) = (start, here);
            while RANGE.contains(&(power + direction)) {
                power += direction;
                let error = self.evaluate(power)?;
                // A fit that does not exist says nothing: go on.
                if error >= last && error.is_finite() {
                    break;
                }
                last = error;
            }
            if last < here {
                break;
            }
        }
        Ok(())
    }

    /// Tries the vertex of the parabola through the best power and its neighbours.
    fn refine(&mut self) -> Result<(), Error> {
        let Some((_, best)) = &self.best else { return Ok(()) };
        let Some(at) = self.tried.iter().position(|(power, _)| power == best) else {
            return Ok(());
        };
        if at == 0 || at + 1 == self.tried.len() {
            return Ok(());
        }
        let [(x0, y0), (x1, y1), (x2, y2)] = [self.tried[at - 1], self.tried[at], self.tried[at + 1]];
        let (left, right) = ((y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1));
        let curvature = (right - left) / (x2 - x0);
        let vertex = f64::midpoint(x0, x1) - left / (2.0 * curvature);
        let new = |x: f64| [x0, x1, x2].iter().all(|other| (x - other).abs() > RESOLUTION);
        // It lies between the neighbours, since y1 is the smallest of the three; on a line it is not a number, and not new.
        if new(vertex) {
            self.evaluate(vertex)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod search;

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> (DMatrix<f64>, DVector<f64>) {
        let points = DMatrix::from_fn(3, 12, |k, i| ((1 + i) as f64 * (0.7 + k as f64)).sin());
        let kernel = crate::kernel::limit_kernel(&points, 0.6).unwrap();
        (kernel, DVector::from_fn(12, |i, _| (1.3 * i as f64).cos()))
    }

    /// The error at `left` of fits without the samples in `left`, by plain linear algebra.
    fn refit(
        kernel: &DMatrix<f64>,
        labels: &DVector<f64>,
        weights: &DVector<f64>,
        lambda: f64,
        left: &[usize],
    ) -> Vec<f64> {
        let kept: Vec<usize> = (0..labels.len()).filter(|i| !left.contains(i)).collect();
        let system = DMatrix::from_fn(kept.len(), kept.len(), |i, j| {
            weights[kept[i]] * kernel[(kept[i], kept[j])] + if i == j { lambda } else { 0.0 }
        });
        let right = DVector::from_fn(kept.len(), |i, _| weights[kept[i]] * labels[kept[i]]);
        let coefficients = system.lu().solve(&right).unwrap();
        let error = |&i: &usize| {
            labels[i]
                - kept
                    .iter()
                    .zip(&coefficients)
                    .map(|(&j, c)| kernel[(i, j)] * c)
                    .sum::<f64>()
        };
        left.iter().map(error).collect()
    }

    #[test]
    fn equals_refitting_without_each_sample() {
        let (kernel, labels) = problem();
        let groups = [vec![2, 7], vec![3, 4, 9]];
        let weights = DVector::from_fn(12, |i, _| (i % 4) as f64);
        let (none, roots) = (Roots::default(), Roots(Some(weights.map(f64::sqrt))));
        let ones = DVector::from_element(12, 1.0);
        for lambda in [1e-3, 0.1, 10.0] {
            for (groups, weights, roots) in [
                (&groups[..0], &ones, &none),
                (&groups[..], &ones, &none),
                (&groups[..], &weights, &roots),
            ] {
                let problem = LeaveOneOut::new(kernel.clone(), &labels, roots, groups, None);
                let found = problem.at(lambda).unwrap().unwrap();
                let alone = (0..12)
                    .filter(|i| !groups.iter().any(|group| group.contains(i)))
                    .map(|i| vec![i]);
                let sets: Vec<Vec<usize>> = groups.iter().cloned().chain(alone).collect();
                let sum: f64 = sets
                    .iter()
                    .flat_map(|set| set.iter().copied().zip(refit(&kernel, &labels, weights, lambda, set)))
                    .map(|(i, e)| weights[i] * e * e)
                    .sum();
                let expected = sum / weights.sum();
                assert!(
                    (found.mean_square / expected - 1.0).abs() < 1e-9,
                    "{lambda} {found:?} {expected}"
                );

                let roots = weights.map(f64::sqrt);
                let system = &kernel.component_mul(&(&roots * roots.transpose())) + DMatrix::identity(12, 12) * lambda;
                let inverse = system.try_inverse().unwrap();
                let standardised = sets.iter().map(|set| {
                    let errors = DVector::from_vec(refit(&kernel, &labels, weights, lambda, set));
                    let errors = errors.component_mul(&roots.select_rows(set));
                    errors.dot(&(inverse.select_rows(set).select_columns(set) * &errors))
                });
                let count = weights.iter().filter(|weight| **weight > 0.0).count();
                let expected = standardised.sum::<f64>() / count as f64;
                assert!(
                    (found.variance / expected - 1.0).abs() < 1e-9,
                    "{lambda} {found:?} {expected}"
                );
            }
        }
    }

    #[test]
    fn the_search_finds_the_minimum_of_a_fine_grid() {
        let (kernel, labels) = problem();
        let noisy = DVector::from_fn(12, |i, _| labels[i] + 0.5 * ((i * i) as f64).sin());
        for labels in [&labels, &noisy] {
            let roots = Roots::default();
            let problem = LeaveOneOut::new(kernel.clone(), labels, &roots, &[], None);
            let mean = kernel.diagonal().mean();
            let error = |power: f64| problem.at(mean * 10.0_f64.powf(power)).unwrap().unwrap().mean_square;
            let smallest = (0..=380)
                .map(|j| error(-7.0 + f64::from(j) / 40.0))
                .fold(f64::INFINITY, f64::min);
            let (found, power) = problem.best(None, 2).unwrap();
            assert!(found.mean_square < 1.02 * smallest, "{} {smallest}", found.mean_square);
            assert!((found.lambda / mean / 10.0_f64.powf(power) - 1.0).abs() < 1e-12);
            for guess in [-6.5, -3.0, 0.0, 2.0, 99.0] {
                let (found, power) = problem.best(Some(guess), 2).unwrap();
                assert!((found.lambda / mean / 10.0_f64.powf(power) - 1.0).abs() < 1e-12);
                assert!(found.mean_square <= error(f64::min(guess, 2.5)));
            }
        }
    }

    #[test]
    fn samples_without_weight_count_for_nothing() {
        let (kernel, labels) = problem();
        let roots = DVector::from_fn(12, |i, _| if i < 9 { 1.0 } else { 0.0 });
        let (none, roots) = (Roots::default(), Roots(Some(roots)));
        let all = LeaveOneOut::new(kernel.clone(), &labels, &roots, &[], None);
        let (kernel, labels) = (kernel.view((0, 0), (9, 9)).into_owned(), labels.rows(0, 9).into_owned());
        let fewer = LeaveOneOut::new(kernel, &labels, &none, &[], None);
        let (all, fewer) = (all.at(0.1).unwrap().unwrap(), fewer.at(0.1).unwrap().unwrap());
        assert!((all.mean_square / fewer.mean_square - 1.0).abs() < 1e-12);
        assert!((all.variance / fewer.variance - 1.0).abs() < 1e-12);
        assert!((all.coefficients.rows(0, 9) - &fewer.coefficients).amax() < 1e-12);
        assert_eq!(all.coefficients.rows(9, 3).amax(), 0.0);
    }
}

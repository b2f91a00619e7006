//! On a sphere there are fewer monomials: the last coordinate need not be squared.
//!
//! ```text
//! x_d^2 = R^2 - x_1^2 - .. - x_{d-1}^2         (p + 1)^2 in place of binomial(p + 3, 3) monomials for d = 3
//!
//! fold      sum_alpha M_alpha x^alpha with powers of x_d of at most 1, from all
//! unfold    sum_i v_i x_i^alpha for all alpha, from those with powers of x_d of at most 1
//! ```
//!
//! Neurons are on no sphere and keep all monomials. Terms of the folded sum add up to at most e^(sqrt(3) ||w|| R), since
//! R^2 + ||(x_1, .., x_{d-1})||^2 <= 2 R^2.

use super::monomials::Monomials;

/// One monomial with the last coordinate squared, and those that replace it.
#[derive(Clone, Copy, Debug)]
struct Replaced {
    place: usize,
    /// Without the square.
    lower: usize,
    /// With the square of another coordinate in its place.
    others: [Option<usize>; 3],
}

/// The way between all monomials and those on a sphere.
#[derive(Clone, Debug)]
pub(super) struct Sphere {
    pub monomials: Monomials,
    /// R^2.
    square: f64,
    /// By rising powers of the last coordinate.
    replaced: Vec<Replaced>,
    /// The places of a monomial among all, and among those on the sphere.
    kept: Vec<(usize, usize)>,
    all: Vec<f64>,
}

impl Sphere {
    /// For points with ||x||^2 = `square`.
    pub fn new(all: &Monomials, square: f64) -> Self {
        let monomials = Monomials::on_sphere(all.dimension, all.degree);
        let last = all.dimension - 1;
        let mut squared: Vec<_> = all.places().filter(|(powers, _)| powers[last] > 1).collect();
        squared.sort_by_key(|(powers, _)| powers[last]);
        let replaced = squared.into_iter().filter_map(|(powers, place)| {
            let mut less = powers;
            less[last] -= 2;
            let other = |k: usize| {
                let mut other = less;
                other[k] += 2;
                all.place(other).filter(|_| k < last)
            };
            Some(Replaced {
                place,
                lower: all.place(less)?,
                others: [0, 1, 2].map(other),
            })
        });
        let replaced = replaced.collect();
        let kept = monomials.places();
        let kept = kept
            .filter_map(|(powers, place)| Some((all.place(powers)?, place)))
            .collect();
        Self {
            monomials,
            square,
            replaced,
            kept,
            all: vec![0.0; all.by_rows.len],
        }
    }

    /// The coefficients of the same polynomial on the sphere.
    pub fn fold(&mut self, all: &[f64], folded: &mut Vec<f64>) {
        let numbers = &mut self.all;
        numbers.copy_from_slice(all);
        for replaced in self.replaced.iter().rev() {
            let number = numbers[replaced.place];
            numbers[replaced.lower] += self.square * number;
            for other in replaced.others.into_iter().flatten() {
                numbers[other] -= number;
            }
        }
        folded.clear();
        folded.resize(self.monomials.by_rows.len, 0.0);
        for &(from, to) in &self.kept {
            folded[to] = numbers[from];
        }
    }

    /// All moments of points on the sphere.
    pub fn unfold(&self, folded: &[f64], all: &mut Vec<f64>) {
        all.clear();
        all.resize(self.all.len(), 0.0);
        for &(to, from) in &self.kept {
            all[to] = folded[from];
        }
        for replaced in &self.replaced {
            let others = replaced.others.into_iter().flatten();
            let sum: f64 = others.map(|other| all[other]).sum();
            all[replaced.place] = self.square * all[replaced.lower] - sum;
        }
    }
}

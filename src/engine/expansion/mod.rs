//! The sweep for points of few coordinates: exp(<w, x>) expanded into few functions, for a cost of n + m instead of n m.
//!
//! ```text
//! exp(<w, x>) = sum_alpha w^alpha x^alpha / alpha!,    |alpha| <= p                   rank = binomial(p + d, d) terms
//!
//! forward    M_alpha = sum_r a_r w_r^alpha / alpha!      F_i = sum_alpha M_alpha x_i^alpha
//! backward   V_alpha = sum_i v_i x_i^alpha               (J^T v)_r = a_r grad Phi(w_r),     Phi(w) = sum_alpha V_alpha w^alpha / alpha!
//! ```
//!
//! A relative of the fast Gauss transform (L. Greengard and J. Strain, *The fast Gauss transform*, 1991). It does the jobs of
//! `sweep` to the rounding of `f64`, on the same chunks:
//!
//! | file | idea |
//! |---|---|
//! | `monomials` | which monomials there are, and where their coefficients lie |
//! | `circle` | harmonics in place of monomials, for points on a circle |
//! | `basis` | either of them, for a block of neurons or points |
//! | `bilinear` | the sums over monomials of a block |
//! | `sphere` | fewer monomials for points on a sphere |
//! | `choice` | the degree, and whether an expansion is exact enough and faster |
//! | `workspace` | the memory of a thread |
//! | `points` | V and F: passes over points |
//! | `neurons` | J^T v, the move and M: the visit of a neuron |
//! | `sums` | V and M over all parts, on all threads |
//! | `run` | a sweep of these |
//! | `polynomials` | the passes over points by themselves, for the limit kernel |
//!
//! Nothing of size n m exists, and the bits do not depend on the number of threads: sums over fixed parts are added in order.

mod basis;
mod bilinear;
mod choice;
mod circle;
mod monomials;
mod neurons;
mod points;
mod polynomials;
mod run;
mod sphere;
mod sums;
mod workspace;

pub(super) use choice::Order;
pub(crate) use monomials::{MOST_COORDINATES, Powers, rank};
pub(super) use monomials::{Part, Staircase, Term};
pub(super) use neurons::Visit;
pub(super) use points::{FewPoints, Packing};
pub(crate) use polynomials::{PointSet, Polynomial};
pub(super) use run::{At, Expansion, Extent};
pub(super) use sums::{Parts, measure_all, visit_all};

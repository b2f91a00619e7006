//! The sums of an expansion, over fixed parts of neurons and points.

use super::super::chunk::Chunk;
use super::super::compiled;
use super::super::sweep::{ONE_THREAD, Sweep};
use super::basis::Basis;
use super::choice::{Kind, Order, Reach};
use super::circle::{self, Circle};
use super::monomials::Monomials;
use super::neurons::{self, Visit};
use super::points::FewPoints;
use super::sphere::Sphere;
use super::workspace::Workspaces;
use crate::error::Error;
use crate::float::Float;
use fearless_simd::{Level, dispatch};
use rayon::prelude::*;

/// Parts in which sums are formed: enough for many threads, few enough that adding them up costs little.
pub(super) const PARTS: usize = 32;

/// The functions of neurons and points.
#[allow(clippy::large_enum_variant)] // there is one per run
#[derive(Debug)]
enum Functions {
    Anywhere(Monomials),
    /// All monomials for neurons, fewer for points.
    Sphere(Monomials, Sphere),
    Circle(Circle),
}

impl Functions {
    fn new(dimension: usize, order: Order, radius: f64) -> Self {
        let monomials = || Monomials::new(dimension, order.degree);
        match order.kind {
            Kind::Anywhere => Self::Anywhere(monomials()),
            Kind::Sphere => {
                let all = monomials();
                let sphere = Sphere::new(&all, radius.powi(2));
                Self::Sphere(all, sphere)
            }
            Kind::Circle => Self::Circle(Circle::new(order.degree, radius)),
        }
    }

    fn of_neurons(&self) -> Basis<'_> {
        match self {
            Self::Anywhere(monomials) | Self::Sphere(monomials, _) => Basis::Monomials(monomials),
            Self::Circle(circle) => Basis::Circle(circle),
        }
    }

    fn of_points(&self) -> Basis<'_> {
        match self {
            Self::Sphere(_, sphere) => Basis::Monomials(&sphere.monomials),
            _ => self.of_neurons(),
        }
    }
}

/// The memory of the sweeps by expansion.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// The largest ||x||.
    radius: f64,
    functions: Option<(Order, Functions)>,
    workspaces: Workspaces,
    /// V and what is derived from it.
    potential: [Vec<f64>; 2],
    /// M.
    moments: Vec<f64>,
    /// V and M on the sphere.
    folded: Vec<f64>,
    /// The sums of each part.
    parts: Vec<f64>,
    reaches: Vec<Reach>,
}

impl Sums {
    /// For points of at most this length.
    pub fn new(radius: f64) -> Self {
        Self {
            radius,
            ..Self::default()
        }
    }

    /// Sets the order.
    pub fn prepare(&mut self, dimension: usize, order: Order, level: Level) -> Result<(), Error> {
        let known = self.functions.take().filter(|known| known.0 == order);
        let functions = known.unwrap_or_else(|| (order, Functions::new(dimension, order, self.radius)));
        let (_, functions) = self.functions.insert(functions);
        self.workspaces.make_room(functions.of_neurons(), level)
    }

    /// V, from the dual of the points.
    pub fn read_dual(&mut self, points: &FewPoints, level: Level) {
        let Some((_, functions)) = &self.functions else { return };
        let basis = functions.of_points();
        let [potential, derived] = &mut self.potential;
        let parallel = is_much(basis, points.samples());
        let sum = match functions {
            Functions::Sphere(..) => &mut self.folded,
            _ => &mut *potential,
        };
        points.potential(level, basis, &self.workspaces, &mut self.parts, sum, parallel);
        if let Functions::Sphere(_, sphere) = functions {
            sphere.unfold(&self.folded, potential);
        }
        functions.of_neurons().derive_potential(potential, derived);
    }

    /// Visits every neuron, and computes M if the sweep has a forward half. Returns the reach of the new weights of a step.
    pub fn visit<T: Float>(
        &mut self,
        chunks: &mut [Chunk<T>],
        sweep: &Sweep<'_, T>,
        scale: f64,
        level: Level,
    ) -> Reach {
        let Some((_, functions)) = &self.functions else {
            return Reach::default();
        };
        let basis = functions.of_neurons();
        let (together, width) = divide(chunks, &mut self.reaches);
        let visit = Visit {
            sweep,
            basis,
            potential: self.potential.each_ref().map(Vec::as_slice),
            scale,
        };
        let len = basis.len();
        self.parts.clear();
        self.parts.resize(self.reaches.len() * len, 0.0);
        let mut parts = Parts {
            together,
            len,
            sums: &mut self.parts,
            reaches: &mut self.reaches,
            workspaces: &self.workspaces,
            parallel: is_much(basis, 3 * width),
        };
        compiled::visit(chunks, &visit, level, &mut parts);
        add_parts(&self.parts, len, &mut self.moments);
        match &mut self.functions {
            Some((_, Functions::Sphere(_, sphere))) => sphere.fold(&self.moments, &mut self.folded),
            Some((_, Functions::Circle(_))) => circle::double(&mut self.moments),
            _ => {}
        }
        self.joined()
    }

    /// The reach of a copy of the weights.
    pub fn measure<T: Float>(
        &mut self,
        chunks: &[Chunk<T>],
        role: usize,
        scale: f64,
        level: Level,
    ) -> Result<Reach, Error> {
        if self.functions.is_none() {
            let dimension = chunks.first().map_or(1, |chunk| chunk.shape.dimension);
            self.prepare(dimension, Order::default(), level)?;
        }
        let (together, width) = divide(chunks, &mut self.reaches);
        let mut parts = Parts {
            together,
            len: 0,
            sums: &mut [],
            reaches: &mut self.reaches,
            workspaces: &self.workspaces,
            parallel: width >= ONE_THREAD / 100,
        };
        compiled::measure(chunks, level, role, scale, &mut parts);
        Ok(self.joined())
    }

    fn joined(&self) -> Reach {
        let mut reach = Reach::default();
        self.reaches.iter().for_each(|part| reach.join(part));
        reach
    }

    /// F at points, or J u after a tangent product, from M.
    pub fn outputs(&self, points: &FewPoints, outputs: &mut [f64], level: Level) {
        let Some((_, functions)) = &self.functions else { return };
        let basis = functions.of_points();
        let moments = match functions {
            Functions::Sphere(..) => &self.folded,
            _ => &self.moments,
        };
        let parallel = is_much(basis, points.samples());
        points.outputs(level, basis, &self.workspaces, moments, outputs, parallel);
    }
}

/// Divides chunks into parts, the same for every kind of visit, with one reach each. Returns the chunks per part, and the number of
/// neurons.
fn divide<T: Float>(chunks: &[Chunk<T>], reaches: &mut Vec<Reach>) -> (usize, usize) {
    let together = chunks.len().div_ceil(PARTS).max(1);
    reaches.clear();
    reaches.resize(chunks.len().div_ceil(together), Reach::default());
    (together, chunks.iter().map(|chunk| chunk.shape.neurons).sum())
}

/// The parts of a visit.
pub(in super::super) struct Parts<'a> {
    /// Chunks in a part.
    together: usize,
    /// Coefficients.
    len: usize,
    /// M of each part.
    sums: &'a mut [f64],
    reaches: &'a mut [Reach],
    workspaces: &'a Workspaces,
    parallel: bool,
}

/// See [`Sums::visit`].
pub(in super::super) fn visit_all<T: Float>(
    chunks: &mut [Chunk<T>],
    visit: &Visit<'_, T>,
    level: Level,
    parts: &mut Parts<'_>,
) {
    let one = |((chunks, sums), reach): ((&mut [Chunk<T>], &mut [f64]), &mut Reach)| {
        let work = &mut *parts.workspaces.own();
        dispatch!(level, s => neurons::visit(s, chunks, visit, work, sums, reach));
    };
    if parts.parallel {
        let sums = parts.sums.par_chunks_mut(parts.len);
        let chunks = chunks.par_chunks_mut(parts.together);
        chunks.zip(sums).zip(&mut *parts.reaches).for_each(one);
    } else {
        let sums = parts.sums.chunks_mut(parts.len);
        let chunks = chunks.chunks_mut(parts.together);
        chunks.zip(sums).zip(&mut *parts.reaches).for_each(one);
    }
}

/// See [`Sums::measure`].
pub(in super::super) fn measure_all<T: Float>(
    chunks: &[Chunk<T>],
    level: Level,
    role: usize,
    scale: f64,
    parts: &mut Parts<'_>,
) {
    let one = |(chunks, reach): (&[Chunk<T>], &mut Reach)| {
        let work = &mut *parts.workspaces.own();
        dispatch!(level, s => neurons::measure(s, chunks, role, scale, work, reach));
    };
    if parts.parallel {
        chunks.par_chunks(parts.together).zip(&mut *parts.reaches).for_each(one);
    } else {
        chunks.chunks(parts.together).zip(&mut *parts.reaches).for_each(one);
    }
}

/// Whether there is enough work for more than one thread.
fn is_much(basis: Basis<'_>, count: usize) -> bool {
    let work = basis.len().saturating_mul(count).saturating_mul(2 * size_of::<f64>());
    work >= ONE_THREAD && rayon::current_num_threads() > 1
}

/// Calls `work` for each part of `len` numbers, with its index.
pub(super) fn for_parts(numbers: &mut [f64], len: usize, parallel: bool, work: impl Fn(usize, &mut [f64]) + Sync) {
    if parallel {
        let parts = numbers.par_chunks_mut(len).enumerate();
        parts.for_each(|(p, part)| work(p, part));
    } else {
        let parts = numbers.chunks_mut(len).enumerate();
        parts.for_each(|(p, part)| work(p, part));
    }
}

/// Adds up the parts in order.
pub(super) fn add_parts(parts: &[f64], len: usize, sum: &mut Vec<f64>) {
    sum.clear();
    sum.resize(len, 0.0);
    for part in parts.chunks_exact(len) {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

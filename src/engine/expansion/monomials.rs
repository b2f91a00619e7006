//! The monomials of degree at most p, arranged for the kernels.
//!
//! The coordinates are split into two parts, (u, v), and a monomial is a product of one of each part:
//!
//! ```text
//! x^alpha = u^beta v^gamma          table of rows: u^beta, by degree      table of columns: v^gamma, by degree
//!
//!               v^gamma
//!           1  .  .  .  .  .  .        sum_r a_r w_r^alpha       = rows^T diag(a) columns      a matrix product
//!   u^beta  .  .  .  .  .              sum_alpha c_alpha x^alpha = rows^T c columns            a bilinear form
//!           .  .  .  .
//!           .  .                       Only |beta| + |gamma| <= p: a staircase.
//! ```
//!
//! Rows come in tiles of [`ROWS`], whose extent is that of their first row, the longest: a tile has a few monomials of higher
//! degree, which are as good as the others. A term of a table is an earlier one times a coordinate, so that a table costs one
//! multiplication per term.

use super::super::kernels::expansion::ROWS;
use std::ops::Range;

/// The most coordinates for which there are monomials.
pub(crate) const MOST_COORDINATES: usize = 4;

/// A term of a table: an earlier one times a coordinate.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Term {
    /// The entry of the table that is multiplied.
    pub parent: usize,
    pub coordinate: usize,
    /// 1 / the power of that coordinate: the factor of x^beta / beta!.
    pub factor: f64,
    /// The entries with one power less of the first and of the second coordinate of the part, which are the derivatives of
    /// x^beta / beta!.
    pub lower: [usize; 2],
}

/// The powers of the coordinates in a monomial.
pub(crate) type Powers = [usize; MOST_COORDINATES];

/// The monomials of 0 to 2 coordinates, by degree. Entry 0 of their table is 0, and entry 1 + t is term t.
#[derive(Clone, Debug)]
pub(in super::super) struct Part {
    pub coordinates: Range<usize>,
    /// Whether the power of the last coordinate is at most 1.
    capped: bool,
    pub terms: Vec<Term>,
    /// Of each term; `None` for padding, which is 0.
    powers: Vec<Option<Powers>>,
}

impl Part {
    fn empty(coordinates: Range<usize>, capped: bool) -> Self {
        Self {
            coordinates,
            capped,
            terms: Vec::new(),
            powers: Vec::new(),
        }
    }

    /// The number of monomials of degree at most `degree`.
    fn count(&self, degree: usize) -> usize {
        match (self.coordinates.len(), self.capped) {
            (0, _) => 1,
            (1, false) => degree + 1,
            (1, true) => degree.min(1) + 1,
            (_, false) => (degree + 1) * (degree + 2) / 2,
            (_, true) => 2 * degree + 1,
        }
    }

    /// The lowest degree that monomial `term` can have.
    fn degree(&self, term: usize) -> usize {
        (0..=term).find(|&degree| self.count(degree) > term).unwrap_or(0)
    }

    /// The monomial with these powers, all of them within this part.
    fn term(&self, powers: Powers) -> usize {
        let own = &powers[self.coordinates.clone()];
        let degree: usize = own.iter().sum();
        let before = if degree == 0 { 0 } else { self.count(degree - 1) };
        match own {
            [_, second] => before + second,
            _ => degree,
        }
    }

    /// Adds monomials, in order of their degree, until there are `len` terms. Where there are no more, terms are 0.
    fn fill(&mut self, len: usize) {
        let most = |capped: bool, degree: usize| if capped { degree.min(1) } else { degree };
        let all = (0..=len).flat_map(|degree| {
            let seconds = match self.coordinates.len() {
                0 => 0..usize::from(degree == 0),
                1 => 0..usize::from(degree <= most(self.capped, degree)),
                _ => 0..most(self.capped, degree) + 1,
            };
            seconds.map(move |second| (degree - second, second))
        });
        let spread = |(first, second): (usize, usize)| {
            let mut powers = [0; MOST_COORDINATES];
            for (k, power) in self.coordinates.clone().zip([first, second]) {
                powers[k] = power;
            }
            powers
        };
        let padded = all.map(spread).map(Some).chain(std::iter::repeat(None));
        self.powers = padded.take(len).collect();
        self.terms = self.powers.iter().map(|powers| self.as_term(*powers)).collect();
    }

    fn as_term(&self, powers: Option<Powers>) -> Term {
        let Some(powers) = powers else {
            return Term::default();
        };
        let mut term = Term::default();
        for (k, lower) in self.coordinates.clone().zip(&mut term.lower) {
            if powers[k] > 0 {
                let mut less = powers;
                less[k] -= 1;
                *lower = 1 + self.term(less);
                (term.parent, term.coordinate, term.factor) = (*lower, k, 1.0 / powers[k] as f64);
            }
        }
        term
    }

    /// Entries of its table.
    pub fn entries(&self) -> usize {
        1 + self.terms.len()
    }
}

/// A tile of rows: rows 3 t to 3 t + 2 for tile t.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Tile {
    /// The columns of the tile.
    pub extent: usize,
    /// Where its numbers start, [column][row].
    pub offset: usize,
}

/// Which monomials there are, and where their coefficients lie.
#[derive(Clone, Debug)]
pub(in super::super) struct Staircase {
    pub tiles: Vec<Tile>,
    /// The coefficients, including padding.
    pub len: usize,
}

impl Staircase {
    fn new(rows: &Part, columns: &Part, degree: usize) -> Self {
        let mut len = 0;
        let tile = |t: usize| {
            let lowest = rows.degree(t * ROWS);
            // One column more costs nothing: see `accumulate`.
            let extent = columns.count(degree.saturating_sub(lowest)).max(2);
            let offset = len;
            len += ROWS * extent;
            Tile { extent, offset }
        };
        let count = rows.count(degree).div_ceil(ROWS);
        let tiles = (0..count).map(tile).collect();
        Self { tiles, len }
    }

    /// The rows, including padding.
    fn rows(&self) -> usize {
        self.tiles.len() * ROWS
    }

    fn columns(&self) -> usize {
        self.tiles.iter().map(|tile| tile.extent).max().unwrap_or(0)
    }

    /// Where the coefficient of a row and a column lies.
    pub fn place(&self, row: usize, column: usize) -> Option<usize> {
        let tile = self.tiles.get(row / ROWS)?;
        (column < tile.extent).then(|| tile.offset + column * ROWS + row % ROWS)
    }
}

/// The monomials of degree at most p, with the two ways to sum them: by rows, and by columns.
#[derive(Clone, Debug)]
pub(in super::super) struct Monomials {
    pub degree: usize,
    pub dimension: usize,
    pub rows: Part,
    pub columns: Part,
    pub by_rows: Staircase,
    /// Rows and columns exchanged.
    pub by_columns: Staircase,
    /// For each coefficient of `by_columns`, its place in `by_rows`.
    exchange: Vec<Option<usize>>,
}

impl Monomials {
    /// For 1 to 4 coordinates.
    pub fn new(dimension: usize, degree: usize) -> Self {
        Self::of(dimension, degree, false)
    }

    /// Those with a power of at most 1 of the last of 2 to 4 coordinates: all that there are on a sphere.
    pub fn on_sphere(dimension: usize, degree: usize) -> Self {
        Self::of(dimension, degree, true)
    }

    fn of(dimension: usize, degree: usize, capped: bool) -> Self {
        let split = dimension.div_ceil(2);
        let mut rows = Part::empty(0..split, false);
        let mut columns = Part::empty(split..dimension, capped);
        let by_rows = Staircase::new(&rows, &columns, degree);
        let by_columns = Staircase::new(&columns, &rows, degree);
        rows.fill(by_rows.rows().max(by_columns.columns()));
        columns.fill(by_columns.rows().max(by_rows.columns()));
        let mut exchange = vec![None; by_columns.len];
        for column in 0..by_columns.rows() {
            for row in 0..by_columns.tiles[column / ROWS].extent {
                if let Some(place) = by_columns.place(column, row) {
                    exchange[place] = by_rows.place(row, column);
                }
            }
        }
        Self {
            degree,
            dimension,
            rows,
            columns,
            by_rows,
            by_columns,
            exchange,
        }
    }

    /// The powers of each monomial of degree at most p, and the place of its coefficient.
    pub fn places(&self) -> impl Iterator<Item = (Powers, usize)> + '_ {
        let rows = 0..self.by_rows.rows();
        rows.flat_map(move |row| (0..self.by_rows.columns()).map(move |column| (row, column)))
            .filter_map(|(row, column)| {
                let (left, right) = (self.rows.powers[row]?, self.columns.powers[column]?);
                let powers: Powers = std::array::from_fn(|k| left[k] + right[k]);
                let place = self.by_rows.place(row, column)?;
                (powers.iter().sum::<usize>() <= self.degree).then_some((powers, place))
            })
    }

    /// Where the coefficient of a monomial lies; `None` if its degree is above p.
    pub fn place(&self, powers: Powers) -> Option<usize> {
        if powers.iter().sum::<usize>() > self.degree {
            return None;
        }
        self.by_rows.place(self.rows.term(powers), self.columns.term(powers))
    }

    /// The coefficients by columns, from those by rows.
    pub fn exchange(&self, by_rows: &[f64], by_columns: &mut Vec<f64>) {
        by_columns.clear();
        let of = |place: &Option<usize>| place.map_or(0.0, |place| by_rows[place]);
        by_columns.extend(self.exchange.iter().map(of));
    }
}

/// The number of monomials of `dimension` coordinates of degree at most `degree`: binomial(degree + dimension, dimension).
pub(crate) fn rank(dimension: usize, degree: usize) -> usize {
    (1..=dimension).fold(1, |rank, k| rank * (degree + k) / k)
}

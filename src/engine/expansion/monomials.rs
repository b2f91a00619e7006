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

/// The monomials of some coordinates, by degree. Entry 0 of their table is 0, and entry 1 + t is term t.
#[derive(Clone, Debug)]
pub(in super::super) struct Part {
    pub coordinates: Range<usize>,
    pub terms: Vec<Term>,
}

impl Part {
    /// At least `len` monomials; if there are no coordinates, 1 is the only one, and the others are 0.
    fn new(coordinates: Range<usize>, len: usize) -> Self {
        let first = coordinates.start;
        let terms = (0..len).map(|t| match coordinates.len() {
            _ if t == 0 => Term::default(),
            0 => Term::default(),
            1 => Term {
                parent: t,
                coordinate: first,
                factor: 1.0 / t as f64,
                lower: [t, 0],
            },
            _ => {
                let degree = degree_of(t);
                let second = t - triangle(degree);
                let of = |degree: usize, second: usize| 1 + triangle(degree) + second;
                let lower = [
                    if second < degree { of(degree - 1, second) } else { 0 },
                    if second > 0 { of(degree - 1, second - 1) } else { 0 },
                ];
                let by = usize::from(second > 0);
                let power = if by == 1 { second } else { degree };
                Term {
                    parent: lower[by],
                    coordinate: first + by,
                    factor: 1.0 / power as f64,
                    lower,
                }
            }
        });
        Self {
            terms: terms.collect(),
            coordinates,
        }
    }

    /// The powers of a term; `None` for those that are 0.
    fn powers(&self, term: usize) -> Option<[usize; MOST_COORDINATES]> {
        let degree = self.degree(term)?;
        let mut powers = [0; MOST_COORDINATES];
        let second = if self.coordinates.len() > 1 { term - triangle(degree) } else { 0 };
        for (k, power) in self.coordinates.clone().zip([degree - second, second]) {
            powers[k] = power;
        }
        Some(powers)
    }

    /// The term with these powers.
    fn term(&self, powers: [usize; MOST_COORDINATES]) -> usize {
        match powers[self.coordinates.clone()] {
            [power] => power,
            [first, second] => triangle(first + second) + second,
            _ => 0,
        }
    }

    /// Entries of its table.
    pub fn entries(&self) -> usize {
        1 + self.terms.len()
    }

    /// The degree of a term; `None` for those that are 0.
    fn degree(&self, term: usize) -> Option<usize> {
        match self.coordinates.len() {
            0 => (term == 0).then_some(0),
            1 => Some(term),
            _ => Some(degree_of(term)),
        }
    }
}

/// The number of monomials of `coordinates` (0, 1 or 2) coordinates of degree at most `degree`.
fn count(coordinates: usize, degree: usize) -> usize {
    match coordinates {
        0 => 1,
        1 => degree + 1,
        _ => triangle(degree + 1),
    }
}

/// The number of monomials of two coordinates of degree below `degree`.
fn triangle(degree: usize) -> usize {
    degree * (degree + 1) / 2
}

/// The degree of monomial `term` of two coordinates.
fn degree_of(term: usize) -> usize {
    let mut degree = 0;
    while triangle(degree + 1) <= term {
        degree += 1;
    }
    degree
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
    fn new(rows: &Part, of_columns: usize, degree: usize) -> Self {
        let mut len = 0;
        let tile = |t: usize| {
            let lowest = rows.degree(t * ROWS).unwrap_or(0);
            // One column more costs nothing: see `accumulate`.
            let extent = count(of_columns, degree.saturating_sub(lowest)).max(2);
            let offset = len;
            len += ROWS * extent;
            Tile { extent, offset }
        };
        let count = count(rows.coordinates.len(), degree).div_ceil(ROWS);
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
        let split = dimension.div_ceil(2);
        let (of_rows, of_columns) = (split, dimension - split);
        let bare = |coordinates: Range<usize>| Part {
            coordinates,
            terms: Vec::new(),
        };
        let (rows, columns) = (bare(0..of_rows), bare(of_rows..dimension));
        let by_rows = Staircase::new(&rows, of_columns, degree);
        let by_columns = Staircase::new(&columns, of_rows, degree);
        let rows = Part::new(0..of_rows, by_rows.rows().max(by_columns.columns()));
        let columns = Part::new(of_rows..dimension, by_columns.rows().max(by_rows.columns()));
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

    /// Calls `give` with the powers and the place of each monomial of degree at most p.
    pub fn for_each(&self, mut give: impl FnMut([usize; MOST_COORDINATES], usize)) {
        for row in 0..self.by_rows.rows() {
            for column in 0..self.by_rows.tiles[row / ROWS].extent {
                let powers = self.rows.powers(row).zip(self.columns.powers(column));
                let powers = powers.map(|(row, column)| std::array::from_fn(|k| row[k] + column[k]));
                let powers = powers.filter(|powers: &[usize; MOST_COORDINATES]| powers.iter().sum::<usize>() <= self.degree);
                if let (Some(powers), Some(place)) = (powers, self.by_rows.place(row, column)) {
                    give(powers, place);
                }
            }
        }
    }

    /// Where the coefficient of a monomial lies; `None` if its degree is above p.
    pub fn place(&self, powers: [usize; MOST_COORDINATES]) -> Option<usize> {
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

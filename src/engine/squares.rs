//! A symmetric matrix S in tiles of P x P numbers, the lower triangle only, in squares of tiles that fit in L2.
//!
//! ```text
//!              group of panels J
//! group of   [ D       ]      D   on the diagonal: tiles row by row, each row up to the diagonal
//! panels I   [ Q  D    ]      Q   below it: all tiles, row by row
//!            [ Q  Q  D ]      the squares row by row
//! ```

use super::plan::fewest_items;
use crate::error::Error;
use crate::memory;
use nalgebra::DMatrix;
use rayon::prelude::*;
use std::ops::Range;

/// Where the tiles of a matrix lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Squares {
    /// P.
    side: usize,
    /// Panels: rows and columns of tiles.
    count: usize,
    /// Panels in a group, at most `count`; only the last group can have fewer.
    group: usize,
}

/// The tiles of a square.
#[derive(Debug)]
pub(super) struct Square<'a> {
    /// Panels.
    pub rows: Range<usize>,
    /// Panels: those of the rows on the diagonal.
    pub columns: Range<usize>,
    /// [tile][P][P].
    pub tiles: &'a mut [f64],
}

impl Squares {
    pub fn new(side: usize, count: usize, group: usize) -> Self {
        let group = group.clamp(1, count.max(1));
        Self { side, count, group }
    }

    /// Numbers in all tiles.
    pub fn len(&self) -> usize {
        self.count * (self.count + 1) / 2 * self.side * self.side
    }

    fn panels(&self, group: usize) -> Range<usize> {
        group * self.group..self.count.min((group + 1) * self.group)
    }

    /// The squares of these tiles.
    pub fn of<'a>(&self, mut tiles: &'a mut [f64]) -> Vec<Square<'a>> {
        let groups = self.count.div_ceil(self.group);
        let all = (0..groups).flat_map(|i| (0..=i).map(move |j| (i, j)));
        let square = |(i, j)| {
            let (rows, columns) = (self.panels(i), self.panels(j));
            let count = if i == j {
                rows.len() * (rows.len() + 1) / 2
            } else {
                rows.len() * columns.len()
            };
            let (own, rest) = std::mem::take(&mut tiles).split_at_mut(count * self.side * self.side);
            tiles = rest;
            Square {
                rows,
                columns,
                tiles: own,
            }
        };
        all.map(square).collect()
    }

    /// The number of the tile in row i and column j <= i.
    fn place(&self, i: usize, j: usize) -> usize {
        let (first, row) = (i - i % self.group, i % self.group);
        let (j, column) = (j / self.group, j % self.group);
        let above = first * (first + 1) / 2 + j * self.group * self.panels(i / self.group).len();
        let in_square = if j < i / self.group {
            row * self.group
        } else {
            row * (row + 1) / 2
        };
        above + in_square + column
    }

    /// The whole matrix of these tiles, with its rows and columns permuted to `slots`.
    pub fn to_matrix(self, tiles: &[f64], slots: &[usize]) -> Result<DMatrix<f64>, Error> {
        let (n, side) = (slots.len(), self.side);
        let mut matrix = memory::square("the tangent Gram matrix", n)?;
        let mut sources = vec![0; n];
        for (p, &slot) in slots.iter().enumerate() {
            sources[slot] = p;
        }
        let tile = |i, j| &tiles[self.place(i, j) * side * side..][..side * side];
        let fill = |(column, &j): (&mut [f64], &usize)| {
            let (panel, lane) = (j / side, j % side);
            for (i, slots) in slots.chunks(side).enumerate() {
                if i < panel {
                    let row = &tile(panel, i)[lane * side..];
                    slots.iter().zip(row).for_each(|(&to, &s)| column[to] = s);
                } else {
                    let rows = tile(i, panel).chunks_exact(side);
                    slots.iter().zip(rows).for_each(|(&to, row)| column[to] = row[lane]);
                }
            }
        };
        let columns = matrix.as_mut_slice().par_chunks_mut(n.max(1));
        columns.zip(&sources).with_min_len(fewest_items(n)).for_each(fill);
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_is_where_its_square_has_it() {
        for (count, group) in [(1, 1), (1, 4), (5, 1), (5, 2), (6, 2), (7, 3), (7, 7), (9, 12)] {
            let squares = Squares::new(2, count, group);
            let mut tiles: Vec<f64> = (0..squares.len()).map(|at| at as f64).collect();
            let mut seen = 0;
            for Square { rows, columns, tiles } in squares.of(&mut tiles) {
                let mut tiles = tiles.chunks_exact(4);
                for i in rows {
                    for j in columns.start..columns.end.min(i + 1) {
                        let first = tiles.next().unwrap()[0];
                        assert_eq!(first, (4 * squares.place(i, j)) as f64, "{count} {group} {i} {j}");
                        seen += 1;
                    }
                }
                assert!(tiles.next().is_none());
            }
            assert_eq!(4 * seen, squares.len());
        }
    }
}

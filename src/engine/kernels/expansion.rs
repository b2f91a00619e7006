//! The kernels of the expansion into monomials, all in `f64`.
//!
//! ```text
//! numbers   [group][V][lanes]              V = 3 vectors of neurons or points, side by side
//! table     [group][entry][V][lanes]       entry 0 is 0, entry 1 + t is term t of a part
//! sums      [tile][column][row][lanes]     row is one of the R = 3 rows of a tile
//! ```
//!
//! 9 accumulators for 3 loads of each operand, which suits 16 registers.

use super::call;
use crate::engine::expansion::{Part, Staircase, Term};
use fearless_simd::{SimdFloatElement, prelude::*};

/// A vector of `f64`.
pub type Lanes<S> = <f64 as SimdFloatElement>::Native<S>;

/// Rows of a tile.
pub const ROWS: usize = 3;

/// Vectors in a group.
pub const VECTORS: usize = 3;

/// Vectors side by side.
pub type Group<S> = [Lanes<S>; VECTORS];

/// The numbers in a group.
#[inline(always)]
pub fn group_len<S: Simd>() -> usize {
    VECTORS * Lanes::<S>::LEN
}

#[inline(always)]
pub fn load<S: Simd>(s: S, from: &[f64]) -> Group<S> {
    let n = Lanes::<S>::LEN;
    let from = &from[..VECTORS * n];
    [
        Lanes::<S>::from_slice(s, &from[..n]),
        Lanes::<S>::from_slice(s, &from[n..2 * n]),
        Lanes::<S>::from_slice(s, &from[2 * n..]),
    ]
}

#[inline(always)]
pub fn store<S: Simd>(group: Group<S>, to: &mut [f64]) {
    let n = Lanes::<S>::LEN;
    let to = &mut to[..VECTORS * n];
    group[0].store_slice(&mut to[..n]);
    group[1].store_slice(&mut to[n..2 * n]);
    group[2].store_slice(&mut to[2 * n..]);
}

#[inline(always)]
pub fn zero<S: Simd>(s: S) -> Group<S> {
    [Lanes::<S>::splat(s, 0.0); VECTORS]
}

/// sum + a b in each lane.
#[inline(always)]
pub fn multiply_add<S: Simd>(a: Group<S>, b: Group<S>, sum: Group<S>) -> Group<S> {
    [
        a[0].mul_add(b[0], sum[0]),
        a[1].mul_add(b[1], sum[1]),
        a[2].mul_add(b[2], sum[2]),
    ]
}

/// The monomials of a part times `seed`, divided by the factorials of their powers if they are `scaled`.
///
/// `coordinates` holds those of all parts. Group by group within a term, so that the chains of products overlap.
#[inline(never)]
pub fn fill_table<S: Simd>(
    s: S,
    part: &Part,
    coordinates: [&[f64]; 4],
    seed: Option<&[f64]>,
    scaled: bool,
    groups: usize,
    table: &mut [f64],
) {
    call(
        s,
        #[inline(always)]
        move || {
            let (len, one) = (group_len::<S>(), [Lanes::<S>::splat(s, 1.0); VECTORS]);
            let stride = part.entries() * len;
            for (g, table) in table.chunks_exact_mut(stride).take(groups).enumerate() {
                store::<S>(zero(s), table);
                let seed = seed.map_or(one, |seed| load(s, &seed[g * len..]));
                store::<S>(seed, &mut table[len..]);
            }
            for (t, term) in part.terms.iter().enumerate().skip(1) {
                let Term {
                    parent,
                    coordinate,
                    factor,
                    ..
                } = *term;
                let factor = Lanes::<S>::splat(s, if scaled { factor } else { 1.0 });
                let coordinate = coordinates[coordinate].chunks_exact(len);
                for (table, x) in table.chunks_exact_mut(stride).take(groups).zip(coordinate) {
                    let (p, x) = (load(s, &table[parent * len..]), load(s, x));
                    let product = if scaled {
                        [p[0] * (x[0] * factor), p[1] * (x[1] * factor), p[2] * (x[2] * factor)]
                    } else {
                        [p[0] * x[0], p[1] * x[1], p[2] * x[2]]
                    };
                    store::<S>(product, &mut table[(t + 1) * len..]);
                }
            }
        },
    );
}

/// The rows of a tile: sum over columns of c v^gamma, from the coefficients of the tile and a group's table of columns (from
/// entry 1 on).
#[inline(always)]
pub fn rows_of_tile<S: Simd>(s: S, coefficients: &[f64], columns: &[f64]) -> [Group<S>; ROWS] {
    let mut rows = [zero(s); ROWS];
    let columns = columns.chunks_exact(group_len::<S>());
    for (c, column) in coefficients.as_chunks::<ROWS>().0.iter().zip(columns) {
        let column = load(s, column);
        for r in 0..ROWS {
            let c = Lanes::<S>::splat(s, c[r]);
            rows[r] = multiply_add::<S>([c; VECTORS], column, rows[r]);
        }
    }
    rows
}

/// Adds the products of rows and columns of all groups to the lanes of `sums`.
#[inline(never)]
pub fn accumulate<S: Simd>(
    s: S,
    staircase: &Staircase,
    (rows, row_entries): (&[f64], usize),
    (columns, column_entries): (&[f64], usize),
    sums: &mut [f64],
) {
    call(
        s,
        #[inline(always)]
        move || {
            let (len, lanes) = (group_len::<S>(), Lanes::<S>::LEN);
            let (row_stride, column_stride) = (row_entries * len, column_entries * len);
            let groups = rows.len() / row_stride;
            for (t, tile) in staircase.tiles.iter().enumerate() {
                let rows = Strided {
                    numbers: rows,
                    stride: row_stride,
                    from: (1 + t * ROWS) * len,
                };
                let mut column = 0;
                while column < tile.extent {
                    let from = (1 + column) * len;
                    let columns = Strided {
                        numbers: columns,
                        stride: column_stride,
                        from,
                    };
                    let sums = &mut sums[(tile.offset + column * ROWS) * lanes..];
                    // As few tiles of two columns as possible: they have too few accumulators to keep the processor busy.
                    column += match tile.extent - column {
                        2 => add_tile::<S, 2>(s, groups, rows, columns, sums),
                        4 | 7 | 8 => add_tile::<S, 4>(s, groups, rows, columns, sums),
                        _ => add_tile::<S, 3>(s, groups, rows, columns, sums),
                    };
                }
            }
        },
    );
}

/// The same entries of each group's table.
#[derive(Clone, Copy)]
struct Strided<'a> {
    numbers: &'a [f64],
    stride: usize,
    from: usize,
}

/// The products of three rows and `N` columns. Returns `N`.
#[inline(always)]
fn add_tile<S: Simd, const N: usize>(
    s: S,
    groups: usize,
    rows: Strided<'_>,
    columns: Strided<'_>,
    sums: &mut [f64],
) -> usize {
    let (len, lanes) = (group_len::<S>(), Lanes::<S>::LEN);
    let sums = &mut sums[..N * ROWS * lanes];
    let mut products = [zero(s); N];
    for (product, sum) in products.iter_mut().zip(sums.chunks_exact(len)) {
        *product = load(s, sum);
    }
    // Zipped chunks would divide by both strides for each tile.
    for g in 0..groups {
        let row = &rows.numbers[rows.from + g * rows.stride..][..ROWS * len];
        let column = &columns.numbers[columns.from + g * columns.stride..][..N * len];
        for v in 0..VECTORS {
            let at = |r: usize| Lanes::<S>::from_slice(s, &row[r * len + v * lanes..][..lanes]);
            let row = [at(0), at(1), at(2)];
            for (product, column) in products.iter_mut().zip(column.chunks_exact(len)) {
                let column = Lanes::<S>::from_slice(s, &column[v * lanes..][..lanes]);
                *product = multiply_add::<S>(row, [column; ROWS], *product);
            }
        }
    }
    for (product, sum) in products.into_iter().zip(sums.chunks_exact_mut(len)) {
        store::<S>(product, sum);
    }
    N
}

/// Adds up the lanes of each number. Neighbours come first: in an antisymmetric network they cancel exactly.
#[inline(always)]
pub fn add_lanes<S: Simd>(_: S, sums: &[f64], to: &mut [f64]) {
    #[inline(always)]
    fn of<const LANES: usize>(sums: &[f64], to: &mut [f64]) {
        for (lanes, to) in sums.as_chunks::<LANES>().0.iter().zip(to) {
            let mut sum = *lanes;
            let mut left = LANES;
            while left > 1 {
                left /= 2;
                for pair in 0..left {
                    sum[pair] = sum[2 * pair] + sum[2 * pair + 1];
                }
            }
            *to = sum[0];
        }
    }
    match Lanes::<S>::LEN {
        2 => of::<2>(sums, to),
        4 => of::<4>(sums, to),
        _ => of::<8>(sums, to),
    }
}

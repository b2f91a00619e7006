//! Sums over monomials for a block of neurons or points: matrix products and bilinear forms of two tables.
//!
//! ```text
//! sums       sum_r a_r w_r^alpha / alpha!                  = rows^T diag(a) columns
//! gradient   along a coordinate of the rows                  sum_beta  (w^beta / beta!)_k  (V columns)_beta
//! tangent    the product rule                                d rows^T diag(a) columns + rows^T diag(a) d columns
//! ```

use super::super::kernels::expansion::{Group, Lanes, ROWS, VECTORS, accumulate, fill_table, group_len};
use super::super::kernels::expansion::{load, multiply_add, rows_of_tile, store, zero};
use super::basis::Block;
use super::monomials::{MOST_COORDINATES, Monomials, Part, Staircase};
use super::workspace::Tables;
use fearless_simd::prelude::*;

/// The tables of a block, of which that of the rows is multiplied by `seed`.
#[inline(always)]
pub(super) fn fill<S: Simd>(
    s: S,
    monomials: &Monomials,
    block: Block<'_>,
    seed: Option<&[f64]>,
    scaled: bool,
    tables: &mut Tables,
) {
    let Block { coordinates, groups } = block;
    let Tables { rows, columns, .. } = tables;
    fill_table(s, &monomials.rows, coordinates, seed, scaled, groups, rows.get_mut());
    fill_table(
        s,
        &monomials.columns,
        coordinates,
        None,
        scaled,
        groups,
        columns.get_mut(),
    );
}

/// The derivatives along each coordinate, for the neurons of a group.
#[inline(always)]
pub(super) fn gradient<S: Simd>(
    s: S,
    monomials: &Monomials,
    potential: [&[f64]; 2],
    group: usize,
    tables: &Tables,
) -> [Group<S>; MOST_COORDINATES] {
    let Monomials {
        rows,
        columns,
        by_rows,
        by_columns,
        ..
    } = monomials;
    let len = group_len::<S>();
    let row_table = &tables.rows.get()[group * rows.entries() * len..][..rows.entries() * len];
    let column_table = &tables.columns.get()[group * columns.entries() * len..][..columns.entries() * len];
    let mut gradient = [zero(s); MOST_COORDINATES];
    let along_rows = slopes(s, by_rows, potential[0], rows, row_table, column_table);
    for (k, slope) in rows.coordinates.clone().zip(along_rows) {
        gradient[k] = slope;
    }
    if !columns.coordinates.is_empty() {
        let along_columns = slopes(s, by_columns, potential[1], columns, column_table, row_table);
        for (k, slope) in columns.coordinates.clone().zip(along_columns) {
            gradient[k] = slope;
        }
    }
    gradient
}

/// The derivatives of the bilinear form along the coordinates of the rows.
#[inline(always)]
fn slopes<S: Simd>(
    s: S,
    staircase: &Staircase,
    potential: &[f64],
    rows: &Part,
    row_table: &[f64],
    column_table: &[f64],
) -> [Group<S>; 2] {
    let len = group_len::<S>();
    let mut slopes = [zero(s); 2];
    for (tile, terms) in staircase.tiles.iter().zip(rows.terms.chunks_exact(ROWS)) {
        let coefficients = &potential[tile.offset..tile.offset + ROWS * tile.extent];
        let inner = rows_of_tile(s, coefficients, &column_table[len..]);
        for (inner, term) in inner.into_iter().zip(terms) {
            let lower = load(s, &row_table[term.lower[0] * len..]);
            slopes[0] = multiply_add::<S>(lower, inner, slopes[0]);
            if rows.coordinates.len() > 1 {
                let lower = load(s, &row_table[term.lower[1] * len..]);
                slopes[1] = multiply_add::<S>(lower, inner, slopes[1]);
            }
        }
    }
    slopes
}

/// Adds the derivative of the monomials along the directions, times `scale`.
#[inline(always)]
pub(super) fn add_tangent<S: Simd>(
    s: S,
    monomials: &Monomials,
    directions: Block<'_>,
    scale: f64,
    tables: &mut Tables,
    sums: &mut [f64],
) {
    let Tables {
        rows,
        columns,
        moved_rows,
        moved_columns,
    } = tables;
    let (rows, columns) = (rows.get(), columns.get());
    derive(s, &monomials.rows, directions, scale, rows, moved_rows.get_mut());
    derive(
        s,
        &monomials.columns,
        directions,
        scale,
        columns,
        moved_columns.get_mut(),
    );
    add_products(s, monomials, directions.groups, [moved_rows.get(), columns], sums);
    add_products(s, monomials, directions.groups, [rows, moved_columns.get()], sums);
}

/// The derivative of a table along a direction.
#[inline(always)]
fn derive<S: Simd>(s: S, part: &Part, directions: Block<'_>, scale: f64, table: &[f64], derivative: &mut [f64]) {
    let len = group_len::<S>();
    let stride = part.entries() * len;
    let scale = [Lanes::<S>::splat(s, scale); VECTORS];
    let tables = table.chunks_exact(stride).zip(derivative.chunks_exact_mut(stride));
    for (g, (table, derivative)) in tables.take(directions.groups).enumerate() {
        store::<S>(zero(s), derivative);
        for (term, to) in part.terms.iter().zip(derivative[len..].chunks_exact_mut(len)) {
            let mut sum = zero(s);
            for (k, lower) in part.coordinates.clone().zip(term.lower) {
                let u = load(s, &directions.coordinates[k][g * len..]);
                let u = multiply_add::<S>(u, scale, zero(s));
                sum = multiply_add::<S>(u, load(s, &table[lower * len..]), sum);
            }
            store::<S>(sum, to);
        }
    }
}

/// Adds the products of rows and columns to the sums.
#[inline(always)]
pub(super) fn add_products<S: Simd>(
    s: S,
    monomials: &Monomials,
    groups: usize,
    [rows, columns]: [&[f64]; 2],
    sums: &mut [f64],
) {
    let len = groups * group_len::<S>();
    let (of_rows, of_columns) = (monomials.rows.entries(), monomials.columns.entries());
    let rows = (&rows[..of_rows * len], of_rows);
    let columns = (&columns[..of_columns * len], of_columns);
    accumulate(s, &monomials.by_rows, rows, columns, sums);
}

/// The polynomial with the coefficients `moments` at each point of a block.
#[inline(always)]
pub(super) fn values<S: Simd>(
    s: S,
    monomials: &Monomials,
    points: Block<'_>,
    moments: &[f64],
    tables: &mut Tables,
    values: &mut [f64],
) {
    let len = group_len::<S>();
    let Monomials { rows, columns, .. } = monomials;
    fill(s, monomials, points, None, false, tables);
    let row_tables = tables.rows.get().chunks_exact(rows.entries() * len);
    let column_tables = tables.columns.get().chunks_exact(columns.entries() * len);
    for ((rows, columns), values) in row_tables.zip(column_tables).zip(values.chunks_exact_mut(len)) {
        let mut sum = zero(s);
        for (t, tile) in monomials.by_rows.tiles.iter().enumerate() {
            let coefficients = &moments[tile.offset..tile.offset + ROWS * tile.extent];
            let inner = rows_of_tile(s, coefficients, &columns[len..]);
            for (inner, row) in inner.into_iter().zip(rows[(1 + t * ROWS) * len..].chunks_exact(len)) {
                sum = multiply_add::<S>(load(s, row), inner, sum);
            }
        }
        store::<S>(sum, values);
    }
}

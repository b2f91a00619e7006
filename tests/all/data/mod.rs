//! Data sets, the CSV files they come from, and their scaling.

#[cfg(feature = "csv")]
mod csv;
mod dataset;
mod scaling;

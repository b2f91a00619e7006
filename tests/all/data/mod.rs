//! Data sets, the CSV files and arrays they come from, and their scaling.

mod arrays;
#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "csv")]
mod csv_options;
#[cfg(feature = "csv")]
mod csv_properties;
mod dataset;
mod scaling;

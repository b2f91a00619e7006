//! Data sets, the CSV files they come from, and their scaling.

#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "csv")]
mod csv_options;
#[cfg(feature = "csv")]
mod csv_properties;
mod dataset;
mod scaling;

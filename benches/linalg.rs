//! n x n linear algebra against LAPACK on the same matrices, alternating in one run: `cargo bench --bench linalg`.
//!
//! `EXPNET_PYTHON` is the Python in which numpy and scipy are installed.

mod common;

fn main() {
    common::linalg::table();
}

//! n x n work beside LAPACK on the same matrices, alternated in one run: `cargo bench --bench linalg`.
//!
//! `EXPNET_PYTHON` names the Python that has numpy and scipy.

mod common;

fn main() {
    common::linalg::table();
}

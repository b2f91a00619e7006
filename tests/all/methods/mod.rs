//! Gauss-Newton, and user-defined methods.

mod gauss_newton;
mod own_parts;
mod tangent;

//! Gauss-Newton, methods in weight space, and user-defined methods.

mod gauss_newton;
mod in_weights;
mod optax;
mod own_parts;
mod tangent;

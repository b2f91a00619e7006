//! The scalar types of the crate: `f32` and `f64`, behind one sealed trait.

use fearless_simd::SimdFloatElement;
use nalgebra::RealField;
use num_traits::{FromPrimitive, ToPrimitive};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use std::fmt::{Display, LowerExp};
use std::iter::Sum;

mod sealed {
    use super::Float;

    /// What the crate needs of a scalar type and users don't.
    pub trait Sealed: bytemuck::Pod {
        /// Appends the bytes of the number, little-endian.
        fn append_bytes(self, bytes: &mut Vec<u8>);

        /// The number of these bytes, little-endian; NaN where there are not as many as the type has.
        fn from_bytes(bytes: &[u8]) -> Self;

        /// A value of a type that depends on the scalar type, with that type made known: how generic code reaches functions
        /// that are compiled for `f32` and `f64` in this crate, and not again in each crate that uses it.
        fn concrete<F: Family>(value: F::Of<Self>) -> Concrete<F>
        where
            Self: Float;
    }

    /// A family of types, one for each scalar type.
    pub trait Family {
        /// The member for `T`.
        type Of<T: Float>;
    }

    /// A member of a family.
    pub enum Concrete<F: Family> {
        /// That for `f32`.
        F32(F::Of<f32>),
        /// That for `f64`.
        F64(F::Of<f64>),
    }
}
use sealed::Sealed;
pub(crate) use sealed::{Concrete, Family};

/// A real number the crate computes in: `f32` or `f64`.
///
/// A generic function needs `T: Float` and no other bound: the arithmetic and the elementary
/// functions come from [`nalgebra::RealField`], conversions from [`num_traits`]. The trait is
/// sealed, because the kernels are written for these two types.
///
/// ```
/// use expnet::Float;
///
/// fn logistic<T: Float>(x: T) -> T {
///     T::one() / (T::one() + (-x).exp())
/// }
/// assert_eq!(logistic(0.0_f32), 0.5);
/// assert_eq!(logistic(f64::lit(0.0)), 0.5);
/// ```
pub trait Float:
    Sealed + RealField + Copy + Default + ToPrimitive + FromPrimitive + Sum + Display + LowerExp + SimdFloatElement
{
    /// The type's name: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The distance from 1 to the next larger number.
    const EPSILON: Self;

    /// `x`, rounded to this type. Beyond the range of the type it becomes infinite.
    fn lit(x: f64) -> Self;

    /// This number as an `f64`, exactly.
    fn as_f64(self) -> f64;

    /// A draw from N(0, 1). Both types use the same stream: the `f32` is the rounded `f64`.
    fn standard_normal<R: Rng + ?Sized>(rng: &mut R) -> Self {
        Self::lit(StandardNormal.sample(rng))
    }
}

macro_rules! float {
    ($($t:ident: $concrete:ident),*) => {$(
        impl Sealed for $t {
            fn append_bytes(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn from_bytes(bytes: &[u8]) -> Self {
                bytes.try_into().map_or($t::NAN, $t::from_le_bytes)
            }

            #[inline(always)]
            fn concrete<F: Family>(value: F::Of<Self>) -> Concrete<F> {
                Concrete::$concrete(value)
            }
        }

        impl Float for $t {
            const NAME: &'static str = stringify!($t);
            const EPSILON: Self = $t::EPSILON;

            #[allow(clippy::cast_possible_truncation)]
            #[inline(always)]
            fn lit(x: f64) -> Self {
                x as $t
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}
float!(f32: F32, f64: F64);

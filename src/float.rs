//! The scalar types `f32` and `f64`, behind a sealed trait.

use fearless_simd::SimdFloatElement;
use nalgebra::RealField;
use num_traits::{FromPrimitive, ToPrimitive};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use std::fmt::{Display, LowerExp};
use std::iter::Sum;

mod sealed {
    use super::Float;

    /// The part of [`Float`] that only this crate needs.
    pub trait Sealed: bytemuck::Pod {
        /// Appends the little-endian bytes of the number.
        fn append_bytes(self, bytes: &mut Vec<u8>);

        /// The number with these little-endian bytes; NaN if there are more or fewer bytes than the type has.
        fn from_bytes(bytes: &[u8]) -> Self;

        /// Converts a value whose type depends on the scalar type to an enum over the two concrete types. Through it,
        /// generic code calls functions that are compiled for `f32` and `f64` in this crate and not again in each
        /// dependent crate.
        fn concrete<F: Family>(value: F::Of<Self>) -> Concrete<F>
        where
            Self: Float;
    }

    /// A family of types, one per scalar type.
    pub trait Family {
        /// The member for `T`.
        type Of<T: Float>;
    }

    /// A member of a family, by its scalar type.
    pub enum Concrete<F: Family> {
        /// The member for `f32`.
        F32(F::Of<f32>),
        /// The member for `f64`.
        F64(F::Of<f64>),
    }
}
use sealed::Sealed;
pub(crate) use sealed::{Concrete, Family};

/// A scalar type: `f32` or `f64`.
///
/// Generic functions need no other bound than `T: Float`: arithmetic and elementary functions come from
/// [`nalgebra::RealField`], conversions from [`num_traits`]. The trait is sealed because the compute
/// kernels exist only for these two types.
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
    /// The name of the type: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Machine epsilon, the distance from 1 to the next larger number.
    const EPSILON: Self;

    /// Converts from `f64`, rounding to the nearest. Values out of range become infinite.
    fn lit(x: f64) -> Self;

    /// Converts to `f64` exactly.
    fn as_f64(self) -> f64;

    /// Draws from N(0, 1). Both types consume the same random numbers: the `f32` is the `f64` rounded.
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

//! The last steps of a scaling: length scales, bias and unit sphere.

use crate::error::Error;
use crate::numbers::largest;

/// Makes points of standardised coordinates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Embedding {
    /// One per coordinate.
    pub lengths: Vec<f64>,
    /// The bias coordinate, if any.
    pub bias: Option<f64>,
    pub unit_sphere: bool,
}

impl Embedding {
    /// The dimension of points.
    pub fn dimension(&self) -> usize {
        self.lengths.len() + usize::from(self.bias.is_some())
    }

    /// Writes point `i`, with these standardised coordinates, to `point`. Returns the norm by which it was divided: 1 without the
    /// unit sphere.
    ///
    /// Errors: a point that is 0 and is to be put on the unit sphere.
    pub fn apply(&self, i: usize, coordinates: impl Iterator<Item = f64>, point: &mut Vec<f64>) -> Result<f64, Error> {
        point.clear();
        point.extend(coordinates.zip(&self.lengths).map(|(z, length)| z / length));
        point.extend(self.bias);
        if self.unit_sphere { normalise(point, i) } else { Ok(1.0) }
    }
}

/// Divides point `i` by its 2-norm, which is returned, without overflow on the way.
fn normalise(point: &mut [f64], i: usize) -> Result<f64, Error> {
    let largest = largest(point.iter().copied());
    if largest == 0.0 {
        return Err(Error::Setting {
            setting: "`ScalingOptions::unit_sphere`",
            value: format!("true, but point {i} is 0 in every coordinate and has no direction"),
            expected: "switched off, or combined with `bias(true)`",
        });
    }
    let squares: f64 = point.iter().map(|x| (x / largest).powi(2)).sum();
    for x in point {
        *x = *x / largest / squares.sqrt();
    }
    Ok(largest * squares.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_is_that_of_lengths_and_bias() {
        let mut embedding = Embedding {
            lengths: vec![0.5, 4.0],
            bias: Some(3.0),
            unit_sphere: false,
        };
        let mut point = vec![7.0];
        assert_eq!(embedding.apply(0, [1.0, 24.0].into_iter(), &mut point).unwrap(), 1.0);
        assert_eq!(point, [2.0, 6.0, 3.0]);
        embedding.unit_sphere = true;
        assert_eq!(embedding.apply(0, [1.0, 24.0].into_iter(), &mut point).unwrap(), 7.0);
        assert!(
            point
                .iter()
                .zip([2.0, 6.0, 3.0])
                .all(|(x, v)| (x - v / 7.0).abs() < 1e-15)
        );
    }
}

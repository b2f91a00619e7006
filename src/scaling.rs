//! Preprocessing: raw columns to points that a network fits well, and predictions back to raw labels.

mod embedding;
mod file;
mod moments;
mod options;

pub(crate) use embedding::Embedding;
pub(crate) use file::{Document, LENGTHS, MEANS, STD_DEVS};
pub use options::ScalingOptions;

use self::moments::MeanAndStd;
use crate::dataset::{Dataset, RawPoints, check_names, check_points, column_name, number_and_name};
use crate::error::{Error, check_size};
use crate::float::Float;
use crate::kernel::Fit;
use crate::network::ExpNetwork;
use crate::numbers::overflow;
use crate::setting::{checked_serde, require};
use nalgebra::{DMatrix, DVector, DVectorView};
use serde::{Deserialize, Serialize};

/// Scales points and labels with parameters learnt from the training data.
///
/// Each point goes through these steps, in this order (each can be switched off in [`ScalingOptions`]):
///
/// 1. *standardise*: `x[k] <- (x[k] - mean[k]) / std[k]`, with the mean and standard deviation of
///    column k of the training data; columns that are constant there, up to rounding, carry no information and are left
///    out ([`dropped`](Self::dropped));
/// 2. *clip*: standardised coordinates are limited to [-3, 3], so that outliers do not decide the fit;
/// 3. *length scales*: `x[k] <- x[k] / length[k]`, all 1 unless [`with_lengths`](Self::with_lengths) gives others;
/// 4. *bias*: append a coordinate beta sqrt(d), d the number of columns that are left, so that <w, x> includes an
///    intercept; d becomes d + 1;
/// 5. *unit sphere*: `x <- x / ||x||_2`, which bounds exp(<w, x>) by exp(||w||) and is what the
///    theory of this model assumes.
///
/// After standardising, ||x|| is about sqrt(d). The unit sphere keeps the direction of a point alone, and it is the bias
/// coordinate that keeps its length: the larger beta, the closer the sphere is to a plane, and the smoother the fit.
///
/// Labels become (y - mean) / std, with std = 1 if the labels are all equal, and |mean| if they differ by rounding
/// alone. Standard deviations are population standard deviations (divided by n). Sample weights are kept and do not count
/// in means and standard deviations, as by default in scikit-learn's `StandardScaler`. Everything is computed in f64 and then
/// rounded to `T`. Costs O(n d).
///
/// ```
/// use expnet::{Dataset, Scaling};
///
/// let rows = [[7.4_f64, 1.9], [7.8, 2.6], [6.1, 2.2], [7.0, 1.2]];
/// let data = Dataset::from_rows(&rows, &[5.0, 6.0, 7.0, 6.0])?;
/// let scaling = Scaling::fit(&data)?;
/// let scaled = scaling.apply(&data)?;
/// assert_eq!(scaled.dimension(), 3);
/// assert!((scaled.points().column(0).norm() - 1.0).abs() < 1e-15);
/// assert!((scaling.unscale_labels(scaled.labels())[2] - 7.0).abs() < 1e-15);
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[must_use]
pub struct Scaling {
    options: ScalingOptions,
    /// One per raw column; 0 and 1 if columns are not standardised. A `std_dev` of 0 marks a dropped column.
    columns: Vec<MeanAndStd>,
    /// 0 and 1 if labels are not scaled.
    labels: MeanAndStd,
    /// One per raw column.
    lengths: Vec<f64>,
    names: Option<Vec<String>>,
}

impl Scaling {
    /// The default options, with all steps on: change them, then call [`fit`](ScalingOptions::fit).
    pub fn options() -> ScalingOptions {
        ScalingOptions::default()
    }

    /// Learns the scaling from the training data, with all steps on. See [`Scaling::options`] to switch steps off.
    ///
    /// Errors: none with all steps on; see [`ScalingOptions::fit`].
    pub fn fit<T: Float>(train: &Dataset<T>) -> Result<Self, Error> {
        ScalingOptions::default().fit(train)
    }

    /// The raw columns (from 0) that are constant in the training data, up to rounding, and are left out.
    ///
    /// ```
    /// use expnet::{Dataset, Scaling};
    ///
    /// let data = Dataset::from_rows(&[[1.0, 7.0, 3.0], [2.0, 7.0, 1.0]], &[5.0, 6.0])?;
    /// let scaling = Scaling::fit(&data)?;
    /// assert_eq!(scaling.dropped(), [1]);
    /// assert_eq!(scaling.apply(&data)?.dimension(), 3); // two columns and the bias
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn dropped(&self) -> Vec<usize> {
        let dropped = |&k: &usize| self.columns[k].is_constant();
        (0..self.columns.len()).filter(dropped).collect()
    }

    /// Divides coordinate k of every point, after standardising, by `lengths[k]`: one positive, finite length per raw column,
    /// where those of dropped columns do not matter.
    ///
    /// A long length makes the fit change slowly along that column, as the length scales of a Gaussian process do; lengths
    /// relative to each other and to the bias coordinate are what matters on the unit sphere.
    ///
    /// Errors: a number of lengths that is not the number of raw columns; a length that is not positive and finite.
    ///
    /// ```
    /// use expnet::{Dataset, Scaling};
    ///
    /// let data = Dataset::from_rows(&[[1.0, 3.0], [3.0, 1.0]], &[5.0, 6.0])?;
    /// let scaling = Scaling::options().bias(false).unit_sphere(false).fit(&data)?.with_lengths(&[1.0, 4.0])?;
    /// assert_eq!(scaling.apply(&data)?.points().as_slice(), [-1.0, 0.25, 1.0, -0.25]);
    /// # Ok::<(), expnet::Error>(())
    /// ```
    pub fn with_lengths(mut self, lengths: &[f64]) -> Result<Self, Error> {
        self.lengths = lengths.to_vec();
        self.check_lengths()?;
        Ok(self)
    }

    /// The same for the columns that are not left out: one length for each.
    pub(crate) fn with_kept_lengths(mut self, lengths: &[f64]) -> Self {
        let kept: Vec<usize> = self.kept().collect();
        for (k, length) in kept.into_iter().zip(lengths) {
            self.lengths[k] = *length;
        }
        self
    }

    /// The same scaling with another bias coordinate.
    pub(crate) fn with_beta(mut self, beta: f64) -> Self {
        self.options = self.options.beta(beta);
        self
    }

    /// The length scales, one per raw column. All are 1 unless given.
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// The options that it was learnt with.
    pub fn settings(&self) -> ScalingOptions {
        self.options
    }

    fn check_lengths(&self) -> Result<(), Error> {
        check_size(
            "the number of length scales",
            self.lengths.len(),
            self.columns.len(),
            "give one length per raw column",
        )?;
        for (k, length) in self.lengths.iter().enumerate() {
            require(
                length.is_finite() && *length > 0.0,
                "`lengths` of `Scaling`",
                format_args!("{length:?} for column {k}"),
                "positive and finite",
            )?;
        }
        Ok(())
    }

    /// The limit of standardised coordinates.
    fn limit(&self) -> f64 {
        let limit = self.options.clip.filter(|_| self.options.standardise);
        limit.unwrap_or(f64::INFINITY)
    }

    /// The last steps: what makes a point of the kept columns' standardised coordinates.
    pub(crate) fn embedding(&self) -> Embedding {
        let lengths: Vec<f64> = self.kept().map(|k| self.lengths[k]).collect();
        Embedding {
            bias: self.options.bias_coordinate(lengths.len()),
            unit_sphere: self.options.unit_sphere,
            lengths,
        }
    }

    /// Says of each column that was left out that it was.
    pub(crate) fn problems(&self) -> Vec<String> {
        let left_out = |k| format!("{} is constant and was left out", column_name(k, self.names.as_deref()));
        self.dropped().into_iter().map(left_out).collect()
    }

    /// The raw columns that become coordinates.
    pub(crate) fn kept(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|&k| !self.columns[k].is_constant())
    }

    /// The dimension of scaled points.
    pub(crate) fn scaled_dimension(&self) -> usize {
        self.embedding().dimension()
    }

    /// Checks that scaled points have at least one coordinate.
    fn check_coordinates(&self) -> Result<(), Error> {
        if self.scaled_dimension() > 0 {
            return Ok(());
        }
        Err(Error::Column {
            column: "every column".into(),
            problem: "is constant in the training data, so that no coordinate is left".into(),
            remedy: "check the data, or switch `bias` on to fit the mean of the labels",
        })
    }

    /// Scales the points and labels of `data`, and keeps its sample weights. The bias coordinate comes last and is named
    /// `bias`.
    ///
    /// Errors: [`Error::Column`] if both `data` and the training data have column names and they differ or
    /// are in another order, and those of [`apply_points`](Self::apply_points).
    pub fn apply<T: Float>(&self, data: &Dataset<T>) -> Result<Dataset<T>, Error> {
        let points = self.apply_points(data)?;
        let labels = self.scaled_labels(data.labels()).map(T::lit);
        let kept = |names: &[String]| self.kept().map(|k| names[k].clone()).collect::<Vec<_>>();
        let mut names = data.names().map(kept);
        if let (Some(names), true) = (&mut names, self.options.bias) {
            names.push("bias".into());
        }
        Dataset::checked(points, labels, names)?.with_optional_weights(data.weights().cloned())
    }

    /// Checks that columns are those of the training data: their names, if both have names, and their number; and that points are
    /// finite.
    fn check_columns<T: Float>(&self, points: &impl RawPoints<T>) -> Result<(), Error> {
        check_names(self.names.as_deref(), points.column_names(), "the data")?;
        let (points, dimension) = (points.raw_points(), self.columns.len());
        check_size(
            "the dimension of the points to scale",
            points.nrows(),
            dimension,
            "give raw (unscaled) points with the columns of the training data",
        )?;
        check_points(points, self.names.as_deref())
    }

    /// Scales raw points: a d x k matrix, or the points of a [`Dataset`], whose column names are checked. The result is
    /// (d + 1) x k with the bias coordinate, d x k without, less the columns that are left out.
    ///
    /// Errors: [`Error::Column`] for other column names than those of the training data, [`Error::Shape`] if the dimension is not that of the training data, [`Error::NotFinite`] for
    /// a NaN or an infinity, [`Error::Setting`] for a point that is 0 and is to be put on the unit sphere.
    pub fn apply_points<T: Float>(&self, points: &impl RawPoints<T>) -> Result<DMatrix<T>, Error> {
        self.check_columns(points)?;
        let points = points.raw_points();
        let embedding = self.embedding();
        let rows = embedding.dimension();
        let mut scaled = Vec::with_capacity(rows * points.ncols());
        let mut row = Vec::with_capacity(rows);
        for (i, point) in points.column_iter().enumerate() {
            embedding.apply(i, self.coordinates(point), &mut row)?;
            scaled.extend(row.iter().map(|&x| T::lit(x)));
        }
        let scaled = DMatrix::from_vec(rows, points.ncols(), scaled);
        if let Some(at) = scaled.iter().position(|x| !x.is_finite()) {
            let (point, row) = (at / rows, at % rows);
            let column = self.kept().nth(row).unwrap_or(row);
            return Err(Error::NotFinite {
                what: "a coordinate after scaling",
                value: scaled[at].as_f64(),
                place: format!(
                    "point {point}, coordinate {}",
                    number_and_name(column, self.names.as_deref())
                ),
                remedy: "the point is too far from the training data to be scaled; check its units",
            });
        }
        Ok(scaled)
    }

    /// The standardised and clipped coordinates of a raw point, one per kept column.
    fn coordinates<'a, T: Float>(&'a self, point: DVectorView<'a, T>) -> impl Iterator<Item = f64> + 'a {
        let limit = self.limit();
        let standardised = move |k: usize| {
            let MeanAndStd { mean, std_dev } = self.columns[k];
            ((point[k].as_f64() - mean) / std_dev).clamp(-limit, limit)
        };
        self.kept().map(standardised)
    }

    /// The standardised and clipped coordinates of raw points, kept columns x k, which an [`Embedding`] makes points of.
    ///
    /// Errors: columns with other names or of another number; points that are not finite.
    pub(crate) fn standardise<T: Float>(&self, points: &impl RawPoints<T>) -> Result<DMatrix<f64>, Error> {
        self.check_columns(points)?;
        let points = points.raw_points();
        let numbers = points
            .column_iter()
            .flat_map(|point| self.coordinates(point).collect::<Vec<_>>());
        Ok(DMatrix::from_iterator(self.kept().count(), points.ncols(), numbers))
    }

    /// Scaled labels in f64.
    pub(crate) fn scaled_labels<T: Float>(&self, labels: &DVector<T>) -> DVector<f64> {
        let MeanAndStd { mean, std_dev } = self.labels;
        labels.map(|y| (y.as_f64() - mean) / std_dev)
    }

    /// The standard deviation of the training labels, by which scaled labels are multiplied.
    pub(crate) fn label_unit(&self) -> f64 {
        self.labels.std_dev
    }

    /// Transforms scaled labels, or outputs of a network fitted to them, back to raw units: mean + std y.
    pub fn unscale_labels<T: Float>(&self, labels: &DVector<T>) -> DVector<T> {
        let MeanAndStd { mean, std_dev } = self.labels;
        labels.map(|y| T::lit(mean + std_dev * y.as_f64()))
    }

    /// Predicts with a network or a kernel [`Fit`] at raw points, d x k or those of a [`Dataset`]. Returns k predictions in the units of the raw labels.
    ///
    /// Errors: those of [`apply_points`](Self::apply_points), [`ExpNetwork::forward`] and [`Fit::predict`], and
    /// [`Error::Overflow`] for a prediction out of range for `T`. Costs a forward pass, O(k d m) for a network and O(n d k) for
    /// a fit to n points.
    pub fn predict<T: Float>(
        &self,
        model: &impl Model<T>,
        raw_points: &impl RawPoints<T>,
    ) -> Result<DVector<T>, Error> {
        self.predict_scaled(model, &self.apply_points(raw_points)?)
    }

    /// The same for points that are scaled already.
    pub(crate) fn predict_scaled<T: Float>(
        &self,
        model: &impl Model<T>,
        scaled: &DMatrix<T>,
    ) -> Result<DVector<T>, Error> {
        let predicted = self.unscale_labels(&model.outputs(scaled)?);
        match predicted.iter().position(|y| !y.is_finite()) {
            None => Ok(predicted),
            Some(i) => Err(overflow::<T>(
                format!("point {i}, in raw units,"),
                predicted[i].as_f64(),
            )),
        }
    }
}

/// What predicts scaled labels at scaled points: a network, or a fit with a kernel. See [`Scaling::predict`].
pub trait Model<T: Float> {
    /// The outputs at scaled points (d x k, one point per column): k numbers.
    ///
    /// Errors: points of the wrong dimension or not finite; outputs that overflow.
    fn outputs(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error>;
}

impl<T: Float> Model<T> for ExpNetwork<T> {
    fn outputs(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        self.forward(points)
    }
}

impl<T: Float> Model<T> for Fit {
    fn outputs(&self, points: &DMatrix<T>) -> Result<DVector<T>, Error> {
        Ok(self.predict(points)?.map(T::lit))
    }
}

checked_serde!(Scaling);

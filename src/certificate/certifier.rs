//! Which theorems are worth their cost, and what they prove.

use super::WEIGHTS;
use super::attempt::{Attempt, Theorem};
use super::deterministic;
use super::drift::{Drift, Samples};
use super::frozen::Frozen;
use super::neurons::OfNetwork;
use super::newton::Newton;
use super::newton_report::NewtonCertificate;
use super::operators::Operators;
use super::report::Certificate;
use super::search::{self, Sizes};
use super::start::Start;
use super::whitened::Whitened;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::float::Float;
use crate::network::ExpNetwork;
use crate::setting::positive;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Below this many operations, operator norms and the path of linear theory take less than about a second.
const AFFORDABLE: f64 = 2e9;

/// The number of points of the path of linear theory that are looked at, roughly.
const NODES: f64 = 500.0;

/// How much work a certificate may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effort {
    /// [`Full`](Self::Full) where that takes less than about a second, otherwise [`Basic`](Self::Basic).
    #[default]
    Auto,
    /// Traces: O(n^2 m + n^3).
    Basic,
    /// Operator norms, the tensor of second derivatives, and the path of linear theory: O(n^3 m + n^4), and some hundred
    /// times n^2 m + n^3. Certifies networks several times narrower.
    Full,
}

impl Effort {
    pub(super) fn is_full(self, samples: usize, width: usize) -> bool {
        let (n, m) = (samples as f64, width as f64);
        match self {
            Self::Auto => (n * n * m + n * n * n) * (n + NODES) <= AFFORDABLE,
            Self::Basic => false,
            Self::Full => true,
        }
    }
}

/// Certifies networks with a given [`Effort`]; [`certify`](super::certify()) and its siblings use the default.
///
/// ```
/// use expnet::certificate::{Certifier, Effort};
/// use expnet::{Dataset, Initializer};
///
/// let data = Dataset::from_rows(&[[1.0, 0.0], [0.6, 0.8]], &[0.5, -0.5])?;
/// let net = Initializer::new(2, 64).antisymmetric(true).seed(3).build::<f64>()?;
/// let [basic, full] = [Effort::Basic, Effort::Full].map(|effort| Certifier::new(effort).certify(&net, &data));
/// assert!(full?.attempts().len() > basic?.attempts().len());
/// # Ok::<(), expnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Certifier {
    effort: Effort,
}

impl Certifier {
    /// A certifier that may work this much.
    pub fn new(effort: Effort) -> Self {
        Self { effort }
    }

    /// See [`certify`](super::certify()).
    pub fn certify<T: Float>(&self, net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<Certificate, Error> {
        self.descent(net, data, Sizes::Best)
    }

    /// See [`certify_at`](super::certify_at).
    pub fn certify_at<T: Float>(
        &self,
        net: &ExpNetwork<T>,
        data: &Dataset<T>,
        step_size: f64,
    ) -> Result<Certificate, Error> {
        positive("`step_size` of `certify_at`", step_size)?;
        self.descent(net, data, Sizes::Given(step_size))
    }

    fn descent<T: Float>(self, net: &ExpNetwork<T>, data: &Dataset<T>, sizes: Sizes) -> Result<Certificate, Error> {
        with_start("`certificate::certify`", net, data, |start| {
            self.certify_start(start, sizes)
        })
    }

    /// See [`certify_gauss_newton`](super::certify_gauss_newton).
    pub fn certify_gauss_newton<T: Float>(
        &self,
        net: &ExpNetwork<T>,
        data: &Dataset<T>,
    ) -> Result<NewtonCertificate, Error> {
        with_start("`certificate::certify_gauss_newton`", net, data, |start| {
            let Some(whitened) = Whitened::new(start)? else {
                return Ok(NewtonCertificate::not_definite(Theorem::N, start));
            };
            let paired = whitened.is_paired().then_some(0.0);
            let mut found = Newton::of(&whitened, whitened.growth.l1, paired);
            if let Some(operators) = self.operators(&whitened)? {
                let full = Newton::of(&whitened, operators.l1, Some(operators.curvature));
                found = match (full, found) {
                    (Ok(full), Ok(basic)) if basic.distance < full.distance => Ok(basic),
                    (full, _) => full,
                };
            }
            Ok(NewtonCertificate::full(&whitened, found))
        })
    }

    /// See [`certify_frozen`](super::certify_frozen).
    pub fn certify_frozen<T: Float>(&self, net: &ExpNetwork<T>, data: &Dataset<T>) -> Result<NewtonCertificate, Error> {
        with_start("`certificate::certify_frozen`", net, data, |start| {
            let Some(whitened) = Whitened::new(start)? else {
                return Ok(NewtonCertificate::not_definite(Theorem::F, start));
            };
            let operators = self.operators(&whitened)?;
            let found = Frozen::both(&whitened, operators.as_ref());
            Ok(NewtonCertificate::frozen(&whitened, found))
        })
    }

    /// The certificate of a run at `weights`, with steps of `step_size`, by theorem G alone, which promises more than the
    /// others wherever they hold but for a few odd cases, and costs less; and whether exact gradient descent from its
    /// start, which is within `drift`, is proved to converge too.
    pub(crate) fn look<T: Float>(
        self,
        samples: &Samples,
        (weights, output_weights): (&DMatrix<T>, &DVector<T>),
        step_size: f64,
        drift: Drift,
    ) -> Result<(Certificate, bool), Error> {
        let neurons = OfNetwork::new(&samples.points, weights, output_weights);
        let start = Start::new(&neurons, &samples.points, &samples.labels)?;
        let Some(whitened) = Whitened::new(&start)? else {
            let failed = Attempt::failed(Theorem::GBasic, search::not_definite(&start));
            return Ok((certificate(&start, vec![failed]), false));
        };
        let operators = self.operators(&whitened)?;
        let attempts = search::attempts(&whitened, operators.as_ref(), Sizes::Given(step_size))?;
        let certificate = certificate(&start, attempts);
        let from_start = certificate.holds()
            && drift.is_known()
            && (drift == Drift::NONE || search::holds_despite(&whitened, operators.as_ref(), step_size, drift)?);
        Ok((certificate, from_start))
    }

    /// All theorems on gradient descent.
    pub(super) fn certify_start(self, start: &Start<'_>, sizes: Sizes) -> Result<Certificate, Error> {
        let given = match sizes {
            Sizes::Given(size) => Some(size),
            Sizes::Best | Sizes::Usual => None,
        };
        let spectrum = &start.spectrum;
        let definite = search::not_definite(start);
        let mut attempts = if spectrum.lambda_min > 0.0 {
            deterministic::attempts(start, given)?
        } else {
            [Theorem::A, Theorem::APrime, Theorem::ADoublePrime, Theorem::Ball]
                .map(|theorem| Attempt::failed(theorem, definite.clone()))
                .to_vec()
        };
        match Whitened::new(start)? {
            Some(whitened) => {
                let operators = self.operators(&whitened)?;
                attempts.extend(search::attempts(&whitened, operators.as_ref(), sizes)?);
            }
            None => attempts.push(Attempt::failed(Theorem::GBasic, definite)),
        }
        Ok(certificate(start, attempts))
    }

    fn operators(self, whitened: &Whitened<'_>) -> Result<Option<Operators>, Error> {
        let neurons = whitened.start.neurons;
        if !self.effort.is_full(whitened.samples(), neurons.columns()) {
            return Ok(None);
        }
        Operators::new(whitened).map(Some)
    }
}

/// The certificate of these attempts on a start.
fn certificate(start: &Start<'_>, attempts: Vec<Attempt>) -> Certificate {
    let spectrum = &start.spectrum;
    Certificate::new(
        (start.points.ncols(), start.points.nrows(), start.neurons.width()),
        (start.residual_norm, spectrum.lambda_min, spectrum.lambda_max),
        attempts,
    )
}

/// Does `work` with a network and its data, in f64. Errors name `what`.
fn with_start<T: Float, R>(
    what: &'static str,
    net: &ExpNetwork<T>,
    data: &Dataset<T>,
    work: impl FnOnce(&Start<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    net.check_dimension(data.points())?;
    data.refuse_weights(what, WEIGHTS)?;
    let (points, labels) = (data.points().map(T::as_f64), data.labels().map(T::as_f64));
    let neurons = OfNetwork::new(&points, net.weights(), net.output_weights());
    work(&Start::new(&neurons, &points, &labels)?)
}

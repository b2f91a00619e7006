//! What earlier sweeps have computed and is still valid.

use super::Dual;

/// Whose activations the chunks hold, and which J^T v.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cached {
    activations: Activated,
    gradient: Option<Dual>,
}

/// The samples and weights whose activations are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Activated {
    #[default]
    Nothing,
    /// The current samples at the current weights.
    Current,
    /// The next samples at the next weights.
    Next,
}

impl Cached {
    /// Whether the activations of the current samples at the current weights are available.
    pub fn activated(self) -> bool {
        self.activations == Activated::Current
    }

    /// Whether those of the next samples at the next weights are.
    pub fn activated_ahead(self) -> bool {
        self.activations == Activated::Next
    }

    /// Notes that a sweep has computed the activations of the current samples; they remain if they are `stored`.
    pub fn set_current(&mut self, stored: bool) {
        self.activations = if stored { Activated::Current } else { Activated::Nothing };
    }

    /// Notes that a step has computed the activations of the next samples; they remain if they are `stored`.
    pub fn set_next(&mut self, stored: bool) {
        self.activations = if stored { Activated::Next } else { Activated::Nothing };
    }

    /// Forgets the activations, because their buffers have changed.
    pub fn drop_activations(&mut self) {
        self.activations = Activated::Nothing;
    }

    /// Whether J^T v is available.
    pub fn keeps(self, dual: Dual) -> bool {
        self.gradient == Some(dual)
    }

    /// Sets the J^T v that is kept from now on.
    pub fn keep(&mut self, dual: Option<Dual>) {
        self.gradient = dual;
    }

    /// Forgets J^T v, because this v has changed.
    pub fn forget(&mut self, dual: Dual) {
        self.gradient.take_if(|kept| *kept == dual);
    }

    /// Makes the next weights and samples the current ones.
    pub fn accept(&mut self) {
        self.activations = match self.activations {
            Activated::Next => Activated::Current,
            _ => Activated::Nothing,
        };
        self.gradient = None;
    }
}

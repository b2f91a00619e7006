//! What earlier sweeps have computed and still holds: the engine alone knows.

use super::Dual;

/// Whose activations the chunks hold, and which J^T v.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holds {
    activations: Whose,
    gradient: Option<Dual>,
}

/// Whose activations they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whose {
    #[default]
    Nobodys,
    /// Those of the current samples at the current weights.
    Current,
    /// Those of the next samples at the next weights.
    Next,
}

impl Holds {
    /// Whether the activations of the current samples at the current weights are at hand.
    pub fn activated(self) -> bool {
        self.activations == Whose::Current
    }

    /// A sweep has left the activations of the current samples, where activations are stored.
    pub fn current(&mut self, stored: bool) {
        self.activations = if stored { Whose::Current } else { Whose::Nobodys };
    }

    /// A step has left the activations of the next samples, where activations are stored.
    pub fn next(&mut self, stored: bool) {
        self.activations = if stored { Whose::Next } else { Whose::Nobodys };
    }

    /// The buffers are others.
    pub fn no_activations(&mut self) {
        self.activations = Whose::Nobodys;
    }

    /// Whether J^T v is at hand.
    pub fn keeps(self, dual: Dual) -> bool {
        self.gradient == Some(dual)
    }

    /// The J^T v that is kept from now on.
    pub fn keep(&mut self, dual: Option<Dual>) {
        self.gradient = dual;
    }

    /// The vector is another from now on.
    pub fn forget(&mut self, dual: Dual) {
        self.gradient.take_if(|kept| *kept == dual);
    }

    /// The next weights and samples have become the current ones.
    pub fn accept(&mut self) {
        self.activations = match self.activations {
            Whose::Next => Whose::Current,
            _ => Whose::Nobodys,
        };
        self.gradient = None;
    }
}

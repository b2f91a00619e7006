//! Methods that do what a test tells them.

use expnet::method::{Direction, DirectionKind, Evaluation, Method, Outcome, Verdict};
use expnet::{Error, Float};

type Answer<'a, T> = Box<dyn FnMut(&mut Evaluation<'_, T>, &mut Direction<T>) -> Result<(), Error> + 'a>;
type Change<'a, T> = Box<dyn FnMut(&mut Direction<T>) + 'a>;
type Deal<'a> = Box<dyn FnMut(usize, &mut Vec<usize>) + 'a>;

/// A method that implements `direction` alone: all else is the default of the trait.
pub struct Answers<'a, T: Float>(Answer<'a, T>);

impl<'a, T: Float> Answers<'a, T> {
    pub fn new(answer: impl FnMut(&mut Evaluation<'_, T>, &mut Direction<T>) -> Result<(), Error> + 'a) -> Self {
        Self(Box::new(answer))
    }

    /// Changes the direction, which comes as the residual.
    pub fn changing(mut change: impl FnMut(&mut Direction<T>) + 'a) -> Self {
        Self::new(move |_, direction| {
            change(direction);
            Ok(())
        })
    }

    /// Leaves the direction as it comes: the residual.
    pub fn plain() -> Self {
        Self::changing(|_| ())
    }
}

impl<T: Float> Method<T> for Answers<'_, T> {
    fn direction(&mut self, evaluation: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        (self.0)(evaluation, direction)
    }
}

/// A method whose answers come from closures. Without one it answers as the default of the trait, and its direction is the
/// residual.
pub struct Scripted<'a, T: Float> {
    changes: Change<'a, T>,
    judges: Box<dyn FnMut(&Outcome) -> Verdict + 'a>,
    deals: Deal<'a>,
    prepares: Box<dyn FnMut(usize) + 'a>,
    kind: DirectionKind,
}

impl<'a, T: Float> Scripted<'a, T> {
    pub fn new() -> Self {
        Self {
            changes: Box::new(|_| ()),
            judges: Box::new(|_| Verdict::Keep),
            deals: Box::new(|_, _| ()),
            prepares: Box::new(|_| ()),
            kind: DirectionKind::Dual,
        }
    }

    pub fn changing(mut self, change: impl FnMut(&mut Direction<T>) + 'a) -> Self {
        self.changes = Box::new(change);
        self
    }

    pub fn judging(mut self, judge: impl FnMut(&Outcome) -> Verdict + 'a) -> Self {
        self.judges = Box::new(judge);
        self
    }

    pub fn dealing(mut self, deal: impl FnMut(usize, &mut Vec<usize>) + 'a) -> Self {
        self.deals = Box::new(deal);
        self
    }

    pub fn preparing(mut self, prepare: impl FnMut(usize) + 'a) -> Self {
        self.prepares = Box::new(prepare);
        self
    }

    pub fn of_kind(mut self, kind: DirectionKind) -> Self {
        self.kind = kind;
        self
    }
}

impl<T: Float> Method<T> for Scripted<'_, T> {
    fn direction(&mut self, _: &mut Evaluation<'_, T>, direction: &mut Direction<T>) -> Result<(), Error> {
        (self.changes)(direction);
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        (self.judges)(outcome)
    }

    fn batch(&mut self, samples: usize, batch: &mut Vec<usize>) {
        (self.deals)(samples, batch);
    }

    fn kind(&self) -> DirectionKind {
        self.kind
    }

    fn prepare(&mut self, samples: usize) -> Result<(), Error> {
        (self.prepares)(samples);
        Ok(())
    }
}

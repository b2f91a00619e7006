//! Damage to a good file.

use proptest::prelude::*;

/// How the good file is damaged.
#[derive(Clone, Debug)]
pub enum Damage {
    /// The file is this instead.
    Anything(Vec<u8>),
    /// From here on, to the end or to where the header ends: some bytes are others.
    Edits { behind_header: bool, edits: Vec<Edit> },
}

#[derive(Clone, Debug)]
pub enum Edit {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, u8),
    /// A number in the text is another.
    Digit(prop::sample::Index, u8),
}

/// Any damage.
pub fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let edit = prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        1 => at().prop_map(Edit::Cut),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (at(), 1..20_u8).prop_map(|(at, count)| Edit::Remove(at, count)),
        4 => (at(), 0..10_u8).prop_map(|(at, digit)| Edit::Digit(at, digit)),
    ];
    let edits = || prop::collection::vec(edit.clone(), 1..4);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Damage::Anything),
        edits().prop_map(|edits| Damage::Edits {
            behind_header: false,
            edits
        }),
        edits().prop_map(|edits| Damage::Edits {
            behind_header: true,
            edits
        }),
    ]
}

impl Damage {
    pub fn keeps_header(&self) -> bool {
        matches!(
            self,
            Self::Edits {
                behind_header: true,
                ..
            }
        )
    }

    /// The good file, damaged. Its header ends at `header`.
    pub fn done_to(&self, good: &[u8], header: usize) -> Vec<u8> {
        match self {
            // Half of them begin as the good file does, which random bytes never do.
            Self::Anything(bytes) if bytes.len() % 2 == 0 => bytes.clone(),
            Self::Anything(bytes) => [&good[..8.min(good.len())], bytes].concat(),
            Self::Edits { behind_header, edits } => {
                let from = if *behind_header { header } else { 0 };
                let mut bytes = good.to_vec();
                for edit in edits {
                    edit.do_to(&mut bytes, from);
                }
                bytes
            }
        }
    }
}

impl Edit {
    fn do_to(&self, bytes: &mut Vec<u8>, from: usize) {
        let length = bytes.len() - from;
        let place = |at: &prop::sample::Index| from + at.index(length.max(1));
        if length == 0 {
            return;
        }
        match self {
            Self::Set(at, byte) => bytes[place(at)] = *byte,
            Self::Flip(at, bit) => bytes[place(at)] ^= 1 << bit,
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + usize::from(*count)));
            }
            Self::Digit(at, digit) => {
                let digits: Vec<usize> = (from..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    bytes[digits[at.index(digits.len())]] = b'0' + digit;
                }
            }
        }
    }
}

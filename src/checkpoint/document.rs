//! The part of a checkpoint that is not tensors: records, and a checksum of their text.

use crate::checksum::Checksum;
use crate::record::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The document as it is stored in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    state: Value,
    /// The CRC-64/XZ of `state` as compact JSON with sorted keys.
    checksum: String,
}

impl Document {
    /// Creates the document of a record, moving its lists to the end of `lists`.
    pub fn new(record: Record, lists: &mut Vec<f64>) -> Self {
        let state = record.into_json(lists);
        let checksum = checksum(&state).to_string();
        Self { state, checksum }
    }

    /// Verifies the checksum and returns it. It identifies the file.
    pub fn check(&self) -> Result<u64, &'static str> {
        let found = checksum(&self.state);
        if found.to_string() == self.checksum {
            Ok(found.finish())
        } else {
            Err("its metadata is damaged: its checksum does not match")
        }
    }

    /// Restores the record, taking its lists from `lists`.
    pub fn into_record(self, lists: &[f64]) -> Result<Record, &'static str> {
        Record::from_json(self.state, lists).ok_or("its records are damaged")
    }
}

/// Maps print in the order of their keys and numbers print as they were read, so this is the text in the file.
fn checksum(state: &Value) -> Checksum {
    Checksum::of_text(&state.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_digit_is_noticed() {
        let document = Document::new(Record::new("x").with("x", 0.1), &mut Vec::new());
        let text = serde_json::to_string(&document).unwrap();
        let read = |text: &str| serde_json::from_str::<Document>(text).unwrap();
        assert!(read(&text).check().is_ok());
        assert!(read(&text.replace("0.1", "0.10000000000000002")).check().is_err());
        assert!(serde_json::from_str::<Document>("null").is_err() && serde_json::from_str::<Document>("[1]").is_err());
        let other = Document::new(Record::new("x").with("x", 0.2), &mut Vec::new());
        assert_ne!(document.check(), other.check());
    }
}

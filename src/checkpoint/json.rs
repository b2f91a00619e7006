//! Records in JSON, exactly.
//!
//! | value | JSON |
//! |---|---|
//! | nothing, a flag, a text | `null`, `true`, `"text"` |
//! | a whole number | `3` |
//! | a number | `3.0`, or `{"bits": 9218868437227405312}` where it is not finite |
//! | whole numbers | `[1, 2, 3]` |
//! | numbers | `{"numbers": [1.0, 2.0]}`, or `{"list": [start, length]}` where there are many: a part of the file's `lists` |
//! | a record | `{"kind": "...", "values": {...}}` |

use crate::digest::Digest;
use crate::record::{self, Record};
use serde_json::{Map, Value, json};

/// Numbers of a list that the document holds at most.
const SHORT: usize = 64;

/// The record in JSON; its long lists are moved to the end of `lists`.
pub(super) fn from_record(record: Record, lists: &mut Vec<Vec<f64>>) -> Value {
    let (kind, values) = record.into_parts();
    let values: Map<String, Value> = values
        .into_iter()
        .map(|(name, value)| (name, from_value(value, lists)))
        .collect();
    json!({ "kind": kind, "values": values })
}

fn from_value(value: record::Value, lists: &mut Vec<Vec<f64>>) -> Value {
    match value {
        record::Value::Nothing => Value::Null,
        record::Value::Flag(x) => x.into(),
        record::Value::Count(x) => x.into(),
        record::Value::Number(x) => from_number(x),
        record::Value::Text(x) => x.into(),
        record::Value::Counts(x) => x.into(),
        record::Value::Numbers(x) if x.len() <= SHORT => {
            json!({ "numbers": x.into_iter().map(from_number).collect::<Vec<_>>() })
        }
        record::Value::Numbers(x) => {
            let start: usize = lists.iter().map(Vec::len).sum();
            let length = x.len();
            lists.push(x);
            json!({ "list": [start, length] })
        }
        record::Value::Record(x) => from_record(x, lists),
    }
}

fn from_number(x: f64) -> Value {
    if x.is_finite() {
        x.into()
    } else {
        json!({ "bits": x.to_bits() })
    }
}

/// The record of what `from_record` made, `None` where it made no such thing.
pub(super) fn to_record(value: &Value, lists: &[f64]) -> Option<Record> {
    let values = value.get("values")?.as_object()?;
    let values = values
        .iter()
        .map(|(name, value)| Some((name.clone(), to_value(value, lists)?)));
    let values = values.collect::<Option<_>>()?;
    Some(Record::from_parts(value.get("kind")?.as_str()?.into(), values))
}

fn to_value(value: &Value, lists: &[f64]) -> Option<record::Value> {
    Some(match value {
        Value::Null => record::Value::Nothing,
        Value::Bool(x) => record::Value::Flag(*x),
        Value::String(x) => record::Value::Text(x.clone()),
        Value::Number(x) if x.is_u64() => record::Value::Count(x.as_u64()?),
        Value::Number(_) => record::Value::Number(to_number(value)?),
        Value::Array(x) => record::Value::Counts(x.iter().map(Value::as_u64).collect::<Option<_>>()?),
        Value::Object(x) if x.contains_key("bits") => record::Value::Number(to_number(value)?),
        Value::Object(x) if x.contains_key("kind") => record::Value::Record(to_record(value, lists)?),
        Value::Object(x) => record::Value::Numbers(match x.get("numbers") {
            Some(numbers) => numbers.as_array()?.iter().map(to_number).collect::<Option<_>>()?,
            None => {
                let at = |i: usize| usize::try_from(x.get("list")?.get(i)?.as_u64()?).ok();
                lists.get(at(0)?..)?.get(..at(1)?)?.to_vec()
            }
        }),
    })
}

fn to_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(x) => x.as_f64(),
        value => Some(f64::from_bits(value.get("bits")?.as_u64()?)),
    }
}

/// The document of a checkpoint: the state, the checksums of the tensors, and a checksum of these two.
pub(super) fn sealed(state: &Value, checksums: &Value) -> Value {
    let seal = seal(state, checksums).to_string();
    json!({ "state": state, "checksums": checksums, "seal": seal })
}

/// The state, the checksums and the mark of the file, or what is wrong with them.
pub(super) fn unsealed(mut document: Value) -> Result<(Value, Value, u64), &'static str> {
    let mut take = |name| document.get_mut(name).map(Value::take).unwrap_or_default();
    let (state, checksums) = (take("state"), take("checksums"));
    let seal = seal(&state, &checksums);
    if document["seal"].as_str() == Some(&seal.to_string()) {
        Ok((state, checksums, seal.finish()))
    } else {
        Err("its metadata is damaged: their checksum is another")
    }
}

/// Maps are printed in the order of their names, and numbers as they are read: the text is that of the file.
fn seal(state: &Value, checksums: &Value) -> Digest {
    Digest::of_text(&format!("{state}{checksums}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(record: &Record) -> Record {
        let mut lists = Vec::new();
        let text = from_record(record.clone(), &mut lists).to_string();
        to_record(&serde_json::from_str(&text).unwrap(), &lists.concat()).unwrap()
    }

    #[test]
    fn records_come_back_to_the_bit() {
        let odd = f64::from_bits(0x7ff8_0000_dead_beef);
        let list = |n: u32| (0..n).map(|i| f64::from(i).sin()).collect::<Vec<f64>>();
        let record = Record::new("all \"kinds\"")
            .with("flag", true)
            .with("count", u64::MAX)
            .with("number", 0.1 + 0.2)
            .with("whole", 3.0)
            .with("minus", -0.0)
            .with("smallest", f64::from_bits(1))
            .with("odd", odd)
            .with("text", "\u{1f600}\n".to_string())
            .with("few", vec![odd, f64::NEG_INFINITY, -0.0])
            .with("none", Vec::<f64>::new())
            .with("many", list(65))
            .with("more", list(1000))
            .with("counts", vec![3_u64, u64::MAX])
            .with("nothing", None::<f64>)
            .with(
                "inner",
                Record::new("inner")
                    .with("kind", "x".to_string())
                    .with("many", list(70)),
            );
        assert_eq!(there_and_back(&record), record);
    }

    #[test]
    fn numbers_of_all_sizes_come_back() {
        let mut bits = 1_u64;
        for _ in 0..10_000 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1442695040888963407);
            let record = Record::new("x").with("x", f64::from_bits(bits));
            assert_eq!(there_and_back(&record), record);
        }
    }

    #[test]
    fn a_changed_digit_breaks_the_seal() {
        let document = sealed(&json!({ "x": 0.1 }), &json!({ "y": 2 })).to_string();
        assert!(unsealed(serde_json::from_str(&document).unwrap()).is_ok());
        let other = document.replace("0.1", "0.10000000000000002");
        assert!(unsealed(serde_json::from_str(&other).unwrap()).is_err());
        assert!(unsealed(json!(null)).is_err() && unsealed(json!([1])).is_err());
    }
}

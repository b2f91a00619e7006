//! Files in the safetensors format, taken apart and put together again.

use serde_json::Value;

/// Header and numbers.
pub fn parts(file: &[u8]) -> (Value, Vec<u8>) {
    let end = header_end(file);
    (serde_json::from_slice(&file[8..end]).unwrap(), file[end..].to_vec())
}

/// Where the header ends.
pub fn header_end(file: &[u8]) -> usize {
    8 + usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap()
}

pub fn whole(header: &Value, numbers: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), numbers].concat()
}

/// The header as another program may write it.
pub fn without_checksums(mut header: Value) -> Value {
    let mut document: Value = serde_json::from_str(header["__metadata__"]["expnet"].as_str().unwrap()).unwrap();
    document.as_object_mut().unwrap().remove("tensor_checksums").unwrap();
    header["__metadata__"]["expnet"] = document.to_string().into();
    header
}

//! Matrices in NumPy's `.npy` format (feature `npy`): weights, kernels, histories.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("expnet-doc-npy-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! use expnet::observer::History;
//! use expnet::{Dataset, ExpNetwork, Initializer, Trainer, npy};
//!
//! let data = Dataset::from_rows(&[[0.0, 1.0], [1.0, 0.0]], &[0.5, -0.5])?;
//! let mut net = Initializer::new(2, 64).antisymmetric(true).build::<f64>()?;
//! let mut history = History::default();
//! Trainer::new(1e-3).max_steps(5).observe(&mut history).fit(&mut net, &data)?;
//! npy::save(folder.join("weights.npy"), net.weights())?; // np.load("weights.npy"): d x m
//! npy::save(folder.join("history.npy"), &history.to_matrix())?;
//!
//! let weights = npy::load(folder.join("weights.npy"))?;
//! assert_eq!(ExpNetwork::from_parts(weights, net.output_weights().clone())?, net);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok::<(), expnet::Error>(())
//! ```

use crate::error::Error;
use crate::float::Float;
use crate::storage::tensors::malformed;
use crate::storage::{failed, open, read_numbers, write, write_numbers};
use nalgebra::DMatrix;
use npyz::{DType, NpyHeader, Order, TypeChar, WriterBuilder};
use std::io::{self, Read};
use std::path::Path;

const WHAT: &str = "the matrix";

/// Magic number, version, and the length of the header in the first version of the format.
const PREFIX: usize = 10;

/// Of the header of a matrix: that of NumPy has 118 bytes.
const LONGEST_HEADER: usize = 1024;

/// Saves a matrix so that `numpy.load` gives it with the same shape, as `float32` or `float64`: numbers of any value, bit
/// for bit, in column-major (Fortran) order.
///
/// The file appears whole or not at all. Costs no second copy of the matrix.
///
/// Errors: [`Error::Io`]; a file that was there before is then still there.
pub fn save<T: Float>(path: impl AsRef<Path>, matrix: &DMatrix<T>) -> Result<(), Error> {
    write(path.as_ref(), WHAT, |writer| {
        let shape = [matrix.nrows() as u64, matrix.ncols() as u64];
        let header = if is_double::<T>() {
            header::<f64>(shape)?
        } else {
            header::<f32>(shape)?
        };
        writer.write_all(&header)?;
        write_numbers(writer, matrix.as_slice())
    })
}

/// Loads a matrix that [`save`] or `numpy.save` wrote, in either order. An array of one index becomes a column.
///
/// Costs the memory of the matrix, and a second copy of it where the file is row-major.
///
/// Errors: [`Error::Io`]; [`Error::Format`] for a file of another kind, another type of number than `T`, or more than
/// two indices, and for one cut short or damaged.
pub fn load<T: Float>(path: impl AsRef<Path>) -> Result<DMatrix<T>, Error> {
    let path = path.as_ref();
    let (mut reader, length) = open(path, WHAT)?;
    let wrong = |problem| malformed(path, problem);
    let text = read_header(&mut reader).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => wrong("it is no file of NumPy's".to_string()),
        _ => failed("reading", WHAT, path, error),
    })?;
    check_sizes(&text[PREFIX..], length).map_err(wrong)?;
    let header = NpyHeader::from_reader(text.as_slice());
    let header = header.map_err(|error| wrong(format!("its header is damaged: {error}")))?;
    check_type::<T>(&header.dtype()).map_err(wrong)?;
    let (rows, columns) = match *header.shape() {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        ref shape => {
            return Err(wrong(format!(
                "it holds an array of {} indices, not a matrix",
                shape.len()
            )));
        }
    };
    let count = rows.saturating_mul(columns);
    let expected = count
        .saturating_mul(size_of::<T>() as u64)
        .saturating_add(text.len() as u64);
    if expected != length {
        return Err(wrong(format!(
            "it is cut short or damaged: {length} bytes instead of {expected}"
        )));
    }
    let size = |x: u64| usize::try_from(x).map_err(|_| wrong(format!("{x} numbers do not fit in memory")));
    let (rows, columns, count) = (size(rows)?, size(columns)?, size(count)?);
    let numbers = read_numbers(&mut reader, count).map_err(|error| failed("reading", WHAT, path, error))?;
    Ok(match header.order() {
        Order::Fortran => DMatrix::from_vec(rows, columns, numbers),
        Order::C => DMatrix::from_row_slice(rows, columns, &numbers),
    })
}

fn is_double<T: Float>() -> bool {
    size_of::<T>() == size_of::<f64>()
}

fn header<S: npyz::AutoSerialize>(shape: [u64; 2]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::<S>::new()
        .default_dtype()
        .shape(&shape)
        .order(Order::Fortran);
    drop(options.writer(&mut bytes).begin_nd()?);
    Ok(bytes)
}

/// All that stands before the numbers.
fn read_header(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut text = vec![0; PREFIX];
    reader.read_exact(&mut text)?;
    // Later versions of the format are for headers of more than 65535 bytes, or with names.
    let is_first = text.starts_with(b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([text[8], text[9]]));
    if !is_first || length > LONGEST_HEADER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    text.resize(PREFIX + length, 0);
    reader.read_exact(&mut text[PREFIX..])?;
    Ok(text)
}

/// That the parser can neither overflow nor descend without end, whatever the header says: the sizes in it multiply to no
/// more than the bytes of the file, or one of them is 0, and it has few brackets.
fn check_sizes(header: &[u8], length: u64) -> Result<(), String> {
    let brackets = header.iter().filter(|byte| b"([{".contains(byte)).count();
    let numbers = header
        .split(|byte| !byte.is_ascii_digit())
        .filter(|digits| !digits.is_empty());
    let empty = numbers.clone().any(|digits| digits.iter().all(|&digit| digit == b'0'));
    let product = numbers
        .map(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok())
        .try_fold(1_u64, |product, number| product.checked_mul(number?.max(1)));
    if brackets <= 8 && product.is_some_and(|product| product <= length || empty) {
        return Ok(());
    }
    Err("it is cut short or damaged, or no matrix: its header speaks of more than it holds".into())
}

fn check_type<T: Float>(found: &DType) -> Result<(), String> {
    let DType::Plain(plain) = found else {
        return Err(format!("it holds records ({}), not numbers", found.descr()));
    };
    let name = plain.to_string();
    match (plain.type_char(), plain.size_field(), name.starts_with('>')) {
        (TypeChar::Float, size, false) if size == size_of::<T>() as u64 => Ok(()),
        (TypeChar::Float, 4, false) => Err("it holds f32 numbers and not f64: load it as f32".into()),
        (TypeChar::Float, 8, false) => Err("it holds f64 numbers and not f32: load it as f64".into()),
        _ => Err(format!(
            "it holds numbers of type {name}: save them with `.astype(\"<f8\")`"
        )),
    }
}

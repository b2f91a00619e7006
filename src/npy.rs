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
use crate::storage::tensors::format_error;
use crate::storage::{io_error, open, read_numbers, write, write_numbers};
use nalgebra::DMatrix;
use npyz::{DType, NpyHeader, Order, TypeChar, WriterBuilder};
use std::io::{self, Read};
use std::path::Path;

const WHAT: &str = "the matrix";

/// Bytes before the header, in the first version of the format: magic number, version, and length of the header.
const PREFIX: usize = 10;

/// In bytes; NumPy writes 118.
const LONGEST_HEADER: usize = 1024;

/// Saves a matrix in column-major (Fortran) order. `numpy.load` returns it with the same shape, as `float32` or
/// `float64`, bit for bit, including infinities and NaN.
///
/// The file is written completely or not at all. No second copy of the matrix is made.
///
/// Errors: [`Error::Io`]; an existing file is then left as it was.
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

/// Loads a matrix written by [`save`] or `numpy.save`, in either order. A one-dimensional array becomes a column.
///
/// Takes the memory of the matrix, and a second copy if the file is row-major.
///
/// Errors: [`Error::Io`]; [`Error::Format`] for a file that is not in this format, is cut short or damaged, or holds
/// numbers of a type other than `T` or an array that has neither one nor two dimensions.
pub fn load<T: Float>(path: impl AsRef<Path>) -> Result<DMatrix<T>, Error> {
    let path = path.as_ref();
    let (mut reader, length) = open(path, WHAT)?;
    let wrong = |problem| format_error(path, problem);
    let text = read_header(&mut reader).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => wrong("it is not a NumPy `.npy` file".to_string()),
        _ => io_error("reading", WHAT, path, error),
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
                "it holds an array of {} dimensions, not a matrix",
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
    let numbers = read_numbers(&mut reader, count).map_err(|error| io_error("reading", WHAT, path, error))?;
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

/// Everything before the numbers.
fn read_header(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut text = vec![0; PREFIX];
    reader.read_exact(&mut text)?;
    // Later versions of the format are for headers above 65535 bytes or with Unicode names.
    let is_first = text.starts_with(b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([text[8], text[9]]));
    if !is_first || length > LONGEST_HEADER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    text.resize(PREFIX + length, 0);
    reader.read_exact(&mut text[PREFIX..])?;
    Ok(text)
}

/// Ensures that the parser can neither overflow nor recurse too deeply, whatever the header says: the product of its
/// sizes is at most the length of the file, or a size is 0, and it has few brackets.
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
    Err("it is cut short or damaged, or not a matrix: its header announces more than it holds".into())
}

fn check_type<T: Float>(found: &DType) -> Result<(), String> {
    let DType::Plain(plain) = found else {
        return Err(format!("it holds records ({}), not numbers", found.descr()));
    };
    let name = plain.to_string();
    match (plain.type_char(), plain.size_field(), name.starts_with('>')) {
        (TypeChar::Float, size, false) if size == size_of::<T>() as u64 => Ok(()),
        (TypeChar::Float, 4, false) => Err("it holds f32 numbers, not f64: load it as f32".into()),
        (TypeChar::Float, 8, false) => Err("it holds f64 numbers, not f32: load it as f64".into()),
        _ => Err(format!(
            "it holds numbers of type {name}: convert them with `.astype(\"<f8\")` before saving"
        )),
    }
}

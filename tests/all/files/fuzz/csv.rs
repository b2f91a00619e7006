//! Damaged CSV files.

use super::{Stage, fuzz};
use expnet::{Dataset, Error};
use std::cell::RefCell;

#[test]
fn damaged_csv() {
    let good: &[&str] = &[
        "alcohol,pH,quality\n9.4,3.51,5\n9.8,3.2,5\n11.2,3.16,6\n",
        "\"acid, fixed\",quality,\"sugar \"\"raw\"\"\"\r\n7.4,5,-1.9e-3\r\n\r\n 7.8 ,6,+2.6\r\n\"11\",7,.5\r\n",
        "\u{feff}quality,x\n1,2\n3,4\n5,6\n7,8\n9,10\n11,12\n13,14\n15,16\n17,18\n",
    ];
    let files: Vec<_> = good
        .iter()
        .map(|text| (text.as_bytes().to_vec(), text.find('\n').unwrap() + 1))
        .collect();
    let longest = RefCell::new(0);
    let kept = fuzz("CSV", &files, |_, bytes| {
        match Dataset::<f64>::from_csv(bytes, "quality") {
            Ok(data) => {
                assert!(data.points().iter().chain(data.labels()).all(|x| x.is_finite()));
                assert!(data.samples() > 0 && data.names().unwrap().len() == data.dimension());
                let mut longest = longest.borrow_mut();
                *longest = data.samples().max(*longest);
                Ok(Stage::Loaded)
            }
            // A field that is no number stands in a row of the right length.
            Err(Error::Csv { problem, .. }) if problem.starts_with("column ") => Ok(Stage::Shapes),
            Err(Error::Csv { problem, .. }) if problem.contains("fields under a header of") => Ok(Stage::Header),
            Err(Error::Empty { what, .. }) if what.contains("below its header") => Ok(Stage::Header),
            Err(error) => Err(error),
        }
    });
    assert!(kept[3] > kept[0] / 20, "{kept:?}");
    assert!(*longest.borrow() >= 9);
}

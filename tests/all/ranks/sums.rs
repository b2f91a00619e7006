//! Sums over all ranks.

use super::ranks;
use expnet::communicator::Communicator;

#[test]
fn sums_are_in_the_order_of_the_ranks() {
    // 1 + 1e16 - 1e16 is 0 in this order, and 1 in another.
    let parts = [1.0, 1e16, -1e16];
    for _ in 0..100 {
        let sums = ranks(3, move |world| {
            let mut number = [parts[world.rank()], world.rank() as f64];
            world.all_reduce_sum(&mut number)?;
            Ok(number)
        });
        assert!(sums.into_iter().all(|sum| sum.unwrap() == [0.0, 3.0]));
    }
}

#[test]
fn sums_of_unequal_lengths_are_an_error() {
    let answers = ranks(2, |world| world.all_reduce_sum(&mut vec![0.0; 1 + world.rank()]));
    assert!(answers.iter().all(Result::is_err));
}

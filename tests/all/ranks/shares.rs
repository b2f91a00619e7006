//! A rank's share of a network: drawn, saved and loaded.

use super::{ANOTHER_GONE, errors, ranks};
use crate::support::Folder;
use expnet::communicator::Communicator;
use expnet::{ExpNetwork, Initializer};
use std::fs;

#[test]
fn shares_are_the_whole_network() {
    for (width, size) in [(6, 3), (7, 3), (64, 5), (101, 50), (9, 1)] {
        for antisymmetric in [false, width % 2 == 0] {
            let recipe = Initializer::new(2, width).seed(3).antisymmetric(antisymmetric);
            let whole = recipe.build::<f64>().unwrap();
            let mut neuron = 0;
            for rank in 0..size {
                let share = recipe.shard(rank, size).build::<f64>().unwrap();
                assert!(neuron % 2 == 0 && share.width() >= 1);
                assert_eq!(whole.weights().columns(neuron, share.width()), *share.weights());
                assert_eq!(
                    whole.output_weights().rows(neuron, share.width()),
                    *share.output_weights()
                );
                neuron += share.width();
            }
            assert_eq!(neuron, width);
        }
    }
}

#[test]
fn bad_shares_are_refused() {
    let text = |recipe: Initializer| recipe.build::<f64>().unwrap_err().to_string();
    let recipe = Initializer::new(2, 9);
    assert_eq!(
        text(recipe.shard(0, 5)),
        "`width` of `Initializer::new` is 9 on 5 ranks; it must be at least 2 neurons per rank"
    );
    for (rank, size) in [(3, 3), (0, 0)] {
        assert_eq!(
            text(recipe.shard(rank, size)),
            format!(
                "`rank` of `Initializer::shard` is {rank} of {size}; it must be less than the number of ranks, which is at least 1"
            )
        );
    }
}

#[test]
fn a_network_is_saved_whole_and_loaded_on_any_number_of_ranks() {
    // Larger than a message; the second has a weight of -0.
    let folder = Folder::new("save");
    for (d, m) in [(7, 5003), (1, 8)] {
        let (of_whole, of_ranks) = (folder.join("whole"), folder.join("ranks"));
        let recipe = Initializer::new(d, m).seed(3).std_dev(if d == 1 { 0.0 } else { 1.0 });
        recipe.build::<f32>().unwrap().save(&of_whole).unwrap();
        let path = of_ranks.clone();
        let answers = ranks(3, move |world| {
            recipe.shard(world.rank(), 3).build::<f32>()?.save_over(&world, &path)
        });
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert!(fs::read(&of_whole).unwrap() == fs::read(&of_ranks).unwrap());
        for size in 1..=4 {
            for rank in 0..size {
                let share = ExpNetwork::<f32>::load_shard(&of_ranks, rank, size).unwrap();
                assert_eq!(share, recipe.shard(rank, size).build().unwrap());
            }
        }
        let error = ExpNetwork::<f32>::load_shard(&of_ranks, 2, 2).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`rank` of `Initializer::shard` is 2 of 2"),
            "{error}"
        );
    }
}

#[test]
fn a_save_that_fails_is_an_error_on_all() {
    for name in ["nowhere/model", "/"] {
        let answers = ranks(3, move |world| {
            let share = Initializer::new(7, 5003).shard(world.rank(), 3).build::<f64>()?;
            share.save_over(&world, std::env::temp_dir().join("expnet-no-such-folder").join(name))
        });
        let texts = errors(answers);
        assert!(texts[0].starts_with("writing the network"), "{texts:?}");
        assert_eq!([&texts[1], &texts[2]], [ANOTHER_GONE; 2]);
    }
}

#[test]
fn shares_of_different_networks_are_not_saved() {
    let folder = Folder::new("unlike");
    let path = folder.join("model");
    let answers = ranks(2, move |world| {
        Initializer::new(2 + world.rank(), 8)
            .build::<f64>()?
            .save_over(&world, &path)
    });
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(folder.names().len(), 0);
}

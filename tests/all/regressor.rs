//! Scaling, network and training in one.

use crate::support::problems::plane;
use crate::support::{Folder, on_both};
use expnet::{Dataset, Error, ExpRegressor, Float, Scaling, Training};
use nalgebra::{DMatrix, DVector};

fn regressor<T: Float>() -> Result<(), Error> {
    let (train, test) = plane::<T>().split(0.75, 1)?;
    let model: ExpRegressor<T> = ExpRegressor::options()
        .width(128)
        .std_dev(0.7)
        .seed(5)
        .training(Training::EarlyStopping)
        .validation(0.2)
        .patience(50)
        .max_steps(300)
        .scaling(Scaling::options().unit_sphere(true))
        .fit(&train)?;
    assert!(model.score(&train)?.as_f64() > 0.8);
    assert_eq!(model.predict(test.points())?.len(), test.samples());
    assert_eq!(
        (model.network().width(), model.report().best_step().is_some()),
        (128, true)
    );
    assert_eq!(model.scaling().apply(&test)?.dimension(), 3);

    let early = ExpRegressor::options().training(Training::EarlyStopping);
    let all = early.validation(0.0).fit(&train)?;
    assert_eq!(all.report().best_step(), None);
    assert!(all.score(&train)? > model.score(&train)?);
    Ok(())
}

#[test]
fn fits_predicts_and_scores() -> Result<(), Error> {
    regressor::<f64>()?;
    regressor::<f32>()
}

#[test]
fn regressor_settings_are_checked() {
    let data = plane::<f64>();
    let message = |options: expnet::RegressorOptions| options.fit(&data).unwrap_err().to_string();
    let options = ExpRegressor::options();
    let early = options.training(Training::EarlyStopping);
    assert!(message(options.width(0)).contains("`width` of `Initializer::new` is 0"));
    assert!(message(options.width(7)).contains("even"));
    assert!(message(options.std_dev(0.0)).contains("`RegressorOptions::std_dev` is 0;"));
    assert!(message(options.std_dev(f64::NAN)).contains("`RegressorOptions::std_dev` is NaN"));
    assert!(message(options.validation(1.0)).contains("`RegressorOptions::validation` is 1;"));
    assert!(message(options.validation(-0.1)).contains("`RegressorOptions::validation` is -0.1"));
    assert!(message(options.validation(f64::NAN)).contains("`RegressorOptions::validation` is NaN"));
    assert!(
        message(early.validation(0.0).patience(3))
            .contains("`RegressorOptions::patience` cannot be combined with `validation(0.0)`")
    );
    // Patience is with validation data of one's own.
    let own = early.validation(0.0).patience(3).width(16).max_steps(5);
    assert!(own.on(&data).validation(&data).fit().is_ok());
    assert!(message(early.patience(0)).contains("`RegressorOptions::patience` is 0"));
    assert!(message(options.patience(3)).contains("cannot be combined with `Training::Ridge`"));
    assert!(message(early.lambda(0.1)).contains("cannot be combined with `Training::EarlyStopping`"));
    assert!(message(options.lambda(0.0)).contains("`RegressorOptions::lambda` is 0"));

    let model = options.width(16).max_steps(5).fit(&data).unwrap();
    let wrong = model.predict(&DMatrix::zeros(5, 1)).unwrap_err().to_string();
    assert!(wrong.contains("expected 2, found 5"), "{wrong}");
    let constant = Dataset::new(data.points().clone(), DVector::repeat(24, 1.0)).unwrap();
    let wrong = model.score(&constant).unwrap_err().to_string();
    assert!(wrong.contains("R² is undefined"), "{wrong}");
}

/// Exactly, at any point, from any number of samples.
fn constant_labels_are_predicted<T: Float>() {
    let plane = plane::<T>();
    let large = if T::NAME == "f32" { 1e38 } else { 1e300 };
    for (samples, label) in [1, 2, 3, 24]
        .into_iter()
        .zip([0.1, -7.0, 0.0, 1e-30])
        .chain([(1, large), (24, large)])
    {
        let label = T::lit(label);
        let points = plane.points().columns(0, samples).into_owned();
        let data = Dataset::new(points, DVector::repeat(samples, label)).unwrap();
        let model = ExpRegressor::options().width(32).max_steps(20).fit(&data).unwrap();
        assert_eq!(model.report().loss(), T::zero());
        let predicted = model.predict(plane.points()).unwrap();
        assert!(predicted.iter().all(|p| *p == label), "{samples} {label}: {predicted}");
    }
}

/// The model is that of the data without them, also after a file.
fn constant_columns_are_left_out<T: Float>() {
    let plane = plane::<T>();
    let names = ["x", "y"].map(String::from).to_vec();
    let plane = plane.with_names(names).unwrap();
    let padded = |value| {
        let points = plane.points().clone().insert_row(1, T::lit(value));
        let data = Dataset::new(points, plane.labels().clone()).unwrap();
        data.with_names(["x", "unit", "y"].map(String::from).to_vec()).unwrap()
    };
    let options = ExpRegressor::options().width(32).max_steps(30);
    let (expected, model) = (options.fit(&plane).unwrap(), options.fit(&padded(0.1)).unwrap());
    assert_eq!(model.network(), expected.network());
    assert_eq!(
        model.report().problems(),
        ["column \"unit\" is constant and was left out"]
    );
    assert!(expected.report().problems().is_empty());
    let predicted = expected.predict(plane.points()).unwrap();
    assert_eq!(model.predict(padded(3.0).points()).unwrap(), predicted);

    let folder = Folder::new(&format!("constant-{}", T::NAME));
    model.save(folder.join("model")).unwrap();
    let loaded = ExpRegressor::<T>::load(folder.join("model")).unwrap();
    assert_eq!((loaded.scaling(), loaded.report()), (model.scaling(), model.report()));
    assert_eq!(loaded.scaling().dropped(), [1]);
    assert_eq!(loaded.predict(padded(3.0).points()).unwrap(), predicted);
    let text = serde_json::to_string(model.scaling()).unwrap();
    assert_eq!(&serde_json::from_str::<Scaling>(&text).unwrap(), model.scaling());

    // Nothing but a bias: the mean label.
    let points = DMatrix::repeat(2, 24, T::lit(0.7));
    let labels = plane.labels().clone();
    let mean = labels.mean().as_f64();
    let model = options.fit(&Dataset::new(points, labels).unwrap()).unwrap();
    let predicted = model.predict(plane.points()).unwrap();
    assert_eq!(model.network().dimension(), 1);
    assert!(
        predicted.iter().all(|p| (p.as_f64() - mean).abs() < 0.3),
        "{predicted} {mean}"
    );
}

on_both!(constant_labels_are_predicted, constant_columns_are_left_out);

/// On wine: better than least squares on average, within what this model reaches.
#[cfg(feature = "csv")]
#[test]
fn explains_more_than_least_squares() -> Result<(), Error> {
    let wines = Dataset::<f64>::from_csv_path(crate::support::problems::WINE, "quality")?;
    let (mut network, mut plane) = (0.0, 0.0);
    for seed in 1..5 {
        let (train, test) = wines.split(0.8, seed)?;
        network += ExpRegressor::fit(&train)?.score(&test)? / 4.0;

        let design = |data: &Dataset<f64>| data.points().transpose().insert_column(data.dimension(), 1.0);
        let coefficients = design(&train).svd(true, true).solve(train.labels(), 1e-12).unwrap();
        let missed = (design(&test) * coefficients - test.labels()).norm_squared();
        let mean = test.labels().mean();
        plane += (1.0 - missed / test.labels().add_scalar(-mean).norm_squared()) / 4.0;
    }
    println!("R² on test wines: network {network:.3}, least squares {plane:.3}");
    assert!(network > 0.36 && network > plane + 0.01);
    Ok(())
}

//! The tangent kernel, as a method sees it.

use crate::support::Answers;
use crate::support::oracle::jacobian;
use crate::support::problems::sines;
use approx::assert_relative_eq;
use expnet::{Initializer, Trainer};
use nalgebra::DVector;

#[test]
fn a_method_sees_the_tangent_kernel() {
    let data = sines::<f64>(15, 4);
    let mut net = Initializer::new(4, 90).antisymmetric(true).seed(3).build().unwrap();
    let j = jacobian(&net, data.points());
    let expected = &j * j.transpose();
    let probe = Answers::new(|evaluation, _| {
        let gram = evaluation.tangent_gram()?;
        assert_relative_eq!(gram, expected, max_relative = 1e-11, epsilon = 1e-11 * expected.amax());
        let ones = vec![1.0; 15];
        let product = DVector::from_vec(evaluation.tangent_product(&ones)?);
        assert_relative_eq!(product, &expected * DVector::from_vec(ones), max_relative = 1e-10);
        assert!(evaluation.tangent_product(&[1.0]).is_err());
        Ok(())
    });
    let trainer = Trainer::new(1e-6).method(probe).max_steps(1);
    trainer.fit(&mut net, &data).unwrap();
}

#[test]
fn a_method_sees_the_network_and_its_loss() {
    let data = sines::<f64>(15, 4);
    let mut net = Initializer::new(4, 90).antisymmetric(true).seed(3).build().unwrap();
    let (loss, gradient) = (net.loss(&data).unwrap(), net.gradient(&data).unwrap());
    let probe = Answers::new(|evaluation, _| {
        assert_eq!((evaluation.dimension(), evaluation.width()), (4, 90));
        assert_relative_eq!(evaluation.loss(), loss, max_relative = 1e-13);
        let squared = evaluation.gradient_norm_squared();
        assert_relative_eq!(squared, gradient.norm_squared(), max_relative = 1e-11);
        Ok(())
    });
    let trainer = Trainer::new(1e-6).method(probe).max_steps(1);
    trainer.fit(&mut net, &data).unwrap();
}

#[test]
fn the_movement_costs_a_pass_from_the_second_step_on() {
    let data = sines::<f64>(15, 4);
    for (steps, passes) in [(1, 2), (2, 4), (5, 10)] {
        let mut net = Initializer::new(4, 90).antisymmetric(true).seed(3).build().unwrap();
        let asks = Answers::new(|evaluation, _| {
            let product = evaluation.movement_product()?;
            assert_eq!(product.iter().all(|p| *p == 0.0), evaluation.iteration() == 0);
            Ok(())
        });
        let report = Trainer::new(1e-4).method(asks).max_steps(steps).fit(&mut net, &data);
        assert_eq!(report.unwrap().passes(), passes);
    }
}

//! Sums and suprema over the linear decay against exact values, see [`rounding`](crate::certificate::rounding).

use super::decay::{Decay, Nodes};
use super::path::Path;
use crate::certificate::rounding::{Case, Comparison};

#[test]
fn no_bound_of_gradient_descent_is_crossed() {
    let mut comparison = Comparison::default();
    for (index, case) in Case::all().iter().enumerate() {
        comparison.begin(index, case);
        case.whiten(|whitened, operators| {
            let (whitening, signal) = (&whitened.whitening, &whitened.signal);
            let Some(decay) = Decay::new(whitening, case.eta, case.share) else {
                return;
            };
            comparison.above("y0", decay.path_length(signal), case.y0);
            // Gam is that of the computed eigenvalues (which e2 is for), and changes with them by no more than this.
            let sensitivity = 2.0 * (1.0 + case.share) / (decay.gap * (1.0 - case.share)) + 1.0;
            comparison.above("Gam", decay.gain * (1.0 + sensitivity * whitening.e2), case.gam);
            let path = Path::new(whitened, operators, &decay, signal).unwrap();
            for (movement, exact) in path.movements.iter().zip(&case.movements) {
                comparison.above("dl", *movement, *exact);
            }
            comparison.above("Q1", path.first_order, case.q1);
            comparison.above("B1", path.curvature, case.b1);
            if case.direct {
                // Every step a node: nothing but rounding separates the sum from the exact one.
                let direct = Decay::with_nodes(whitening, case.eta, case.share, Nodes::every).unwrap();
                comparison.just_above("y0 by every step", direct.path_length(signal), case.y0);
            }
        });
    }
    assert!(comparison.compared >= 800, "{}", comparison.compared);
    comparison.end(20);
}

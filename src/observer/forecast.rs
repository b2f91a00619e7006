//! When a run will be over, from how it went lately.

use std::collections::VecDeque;
use std::time::Duration;

/// So many earlier positions are kept.
const MARKS: usize = 10;

/// They are apart by this share of the time the run has taken: together they tell of its last third.
const SPACING: f64 = 1.0 / 20.0;

/// Longer than this, in seconds, nobody waits: nothing is said then.
const LONGEST: f64 = 1e9;

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) seconds: f64,
    pub(super) steps: usize,
    pub(super) residual_norm: f64,
}

/// Where a run ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    pub(super) tolerance: f64,
    pub(super) max_steps: usize,
    /// The steps to the tolerance that a certificate promises, where there is one.
    pub(super) certified: Option<u64>,
}

/// What the last third of a run tells of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outlook {
    /// The factor by which one step changes ||e||_2.
    pub(super) rate: Option<f64>,
    pub(super) left: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Forecast {
    marks: VecDeque<Mark>,
}

impl Forecast {
    /// Where the run stands, and what follows from it: the residual norm falls as it did, a step takes what it took, and
    /// the run ends at the tolerance, after the steps of the certificate, or after the last step, whatever is first.
    pub(super) fn look(&mut self, now: Mark, goal: Goal) -> Outlook {
        let outlook = self
            .marks
            .front()
            .map_or(Outlook::default(), |first| outlook(*first, now, goal));
        let spacing = now.seconds * SPACING;
        if self
            .marks
            .back()
            .is_none_or(|last| now.seconds >= last.seconds + spacing)
        {
            if self.marks.len() == MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back(now);
        }
        outlook
    }
}

fn outlook(first: Mark, now: Mark, goal: Goal) -> Outlook {
    let steps = now.steps.saturating_sub(first.steps) as f64;
    if steps == 0.0 {
        return Outlook::default();
    }
    let slope = (now.residual_norm.ln() - first.residual_norm.ln()) / steps;
    let to_tolerance = if slope < 0.0 && goal.tolerance > 0.0 {
        ((goal.tolerance.ln() - now.residual_norm.ln()) / slope).max(0.0)
    } else {
        f64::INFINITY
    };
    let certified = goal
        .certified
        .map_or(f64::INFINITY, |steps| steps.saturating_sub(now.steps as u64) as f64);
    let to_end = goal.max_steps.saturating_sub(now.steps) as f64;
    let seconds = (now.seconds - first.seconds) / steps * to_end.min(certified).min(to_tolerance);
    Outlook {
        rate: slope.is_finite().then(|| slope.exp()),
        left: (seconds < LONGEST).then(|| Duration::from_secs_f64(seconds.max(0.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal = Goal {
        tolerance: 1e-3,
        max_steps: 100_000,
        certified: None,
    };

    /// A run of 100 steps a second whose residual norm falls by 1% a step, looked at every tenth of a second.
    fn run(goal: Goal, seconds: u32) -> Outlook {
        let mut forecast = Forecast::default();
        let mut last = Outlook::default();
        for tenth in 0..=10 * seconds {
            let now = Mark {
                seconds: 0.5 + f64::from(tenth) / 10.0,
                steps: 10 * tenth as usize,
                residual_norm: 10.0 * 0.99_f64.powf(10.0 * f64::from(tenth)),
            };
            last = forecast.look(now, goal);
        }
        assert!(forecast.marks.len() <= MARKS);
        last
    }

    fn left(goal: Goal, seconds: u32) -> f64 {
        run(goal, seconds).left.unwrap().as_secs_f64()
    }

    #[test]
    fn the_recent_slope_leads_to_the_tolerance() {
        // ln(10 / 1e-3) / -ln(0.99) = 916.4 steps
        assert!((left(GOAL, 5) - 4.164).abs() < 0.001, "{}", left(GOAL, 5));
        assert!((run(GOAL, 5).rate.unwrap() - 0.99).abs() < 1e-12);
    }

    #[test]
    fn without_a_tolerance_the_steps_count() {
        let goal = Goal {
            tolerance: 0.0,
            max_steps: 1000,
            ..GOAL
        };
        assert!((left(goal, 4) - 6.0).abs() < 1e-9);
    }

    #[test]
    fn a_certificate_bounds_it() {
        let goal = Goal {
            certified: Some(700),
            ..GOAL
        };
        assert!((left(goal, 4) - 3.0).abs() < 1e-9);
        let loose = Goal {
            certified: Some(u64::MAX),
            ..GOAL
        };
        assert_eq!(left(loose, 4), left(GOAL, 4));
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        assert_eq!(run(GOAL, 0), Outlook::default());
        let endless = Goal {
            tolerance: 0.0,
            max_steps: usize::MAX,
            certified: None,
        };
        assert_eq!(run(endless, 4).left, None);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut forecast = Forecast::default();
        let mut last = Outlook::default();
        // It falls fast for 10 s, then by 0.1% a step.
        for tenth in 0..400_u32 {
            let steps = 10 * tenth;
            let norm = 0.9_f64.powf(f64::from(steps.min(1000))) * 0.999_f64.powf(f64::from(steps.saturating_sub(1000)));
            let now = Mark {
                seconds: f64::from(tenth) / 10.0,
                steps: steps as usize,
                residual_norm: norm,
            };
            last = forecast.look(now, GOAL);
        }
        assert!((last.rate.unwrap() - 0.999).abs() < 1e-9, "{last:?}");
    }
}

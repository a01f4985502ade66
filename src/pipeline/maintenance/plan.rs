//! All planned work that is known, looked up once a step for all detectors.

use super::{InMaintenance, Maintenance, OpenMaintenance};
use crate::series::TimestampMs;
use std::sync::Arc;

/// All windows, and what of them a step found.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Plan {
    windows: Arc<Vec<Maintenance>>,
    last: MaintenanceStep,
}

/// The planned work at a step, and what changed with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceStep {
    /// What goes on, in the order of the windows.
    pub open: Vec<InMaintenance>,
    /// What of it did not go on at the step before.
    pub began: Vec<InMaintenance>,
    /// The names of what went on at the step before, and does not any more.
    pub ended: Vec<String>,
}

// === impl Plan ===

impl Plan {
    /// Replaces all windows; what went on at the last step is remembered by its name.
    pub(in crate::pipeline) fn set(&mut self, windows: Arc<Vec<Maintenance>>) {
        self.windows = windows;
    }

    /// The windows that are open at step `at`.
    pub(in crate::pipeline) fn step(&mut self, at: TimestampMs) -> OpenMaintenance {
        let open = OpenMaintenance::at(at, &self.windows);
        let said = |(window, until): (&Maintenance, _)| InMaintenance { name: window.name.clone(), until };
        let before = std::mem::take(&mut self.last.open);
        let now: Vec<InMaintenance> = open.iter().map(said).collect();
        let is_among = |name: &str, some: &[InMaintenance]| some.iter().any(|one| one.name == name);
        let began = now.iter().filter(|one| !is_among(&one.name, &before)).cloned().collect();
        let ended = before.iter().filter(|one| !is_among(&one.name, &now)).map(|one| one.name.clone());
        self.last = MaintenanceStep { began, ended: ended.collect(), open: now };
        open
    }

    /// What the last step found.
    pub(in crate::pipeline) fn last(&self) -> &MaintenanceStep {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Times, *};

    fn once(name: &str, from: i64, to: i64) -> Maintenance {
        let times = Times::Once { from: TimestampMs(from), to: TimestampMs(to) };
        Maintenance::new(name.to_owned(), Vec::new(), times).unwrap()
    }

    /// What goes on, what began and what ended, by name.
    fn step(plan: &mut Plan, at: i64) -> [String; 3] {
        plan.step(TimestampMs(at));
        let names = |some: &[InMaintenance]| some.iter().map(|one| one.name.as_str()).collect();
        let MaintenanceStep { open, began, ended } = plan.last();
        [names(open), names(began), ended.concat()]
    }

    #[test]
    fn a_step_says_what_began_and_what_ended() {
        let mut plan = Plan::default();
        plan.set(Arc::new(vec![once("a", 1, 3), once("b", 2, 9)]));
        assert_eq!(step(&mut plan, 0), ["", "", ""]);
        assert_eq!(step(&mut plan, 1), ["a", "a", ""]);
        assert_eq!(step(&mut plan, 2), ["ab", "b", ""]);
        assert_eq!(step(&mut plan, 3), ["b", "", "a"]);
        // Ended before its time, and another one begun.
        plan.set(Arc::new(vec![once("c", 4, 9)]));
        assert_eq!(step(&mut plan, 4), ["c", "c", "b"]);
        assert_eq!(step(&mut plan, 5), ["c", "", ""]);
    }
}

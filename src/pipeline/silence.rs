//! Entities that were scored and from which nothing is heard any more.
//!
//! Scored means that its score series stood; silent, that no feature has a value. Where *nobody* is heard, the
//! silence is the sender's and not an entity's: it is then not said of any until somebody is heard again. What cannot
//! be told here is why: an entity that was taken away in order looks like one that broke
//! (`docs/decisions/021-silence-is-a-series.md`).

use crate::series::{LabelSet, TimestampMs};
use std::{collections::BTreeMap, time::Duration};

/// Who is silent, and since when.
#[derive(Debug)]
pub(super) struct Silence {
    /// How long a silence is said; zero: never.
    said_for_ms: i64,
    /// Those who were scored and are not heard.
    quiet: BTreeMap<LabelSet, Quiet>,
    /// Those who are to be forgotten, and of whom it stands that they are silent.
    forgotten: Vec<LabelSet>,
}

#[derive(Clone, Copy, Debug)]
struct Quiet {
    since: TimestampMs,
    /// Whether it has been said, so that a series stands.
    said: bool,
}

/// Changes at a step, each by ascending labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Silences {
    /// Those who are silent now.
    pub(super) silent: Vec<LabelSet>,
    /// Those of whom it was said at the last step and is not said any more.
    pub(super) ended: Vec<LabelSet>,
}

// === impl Silence ===

impl Silence {
    pub(super) fn new(said_for: Duration) -> Self {
        let said_for_ms = i64::try_from(said_for.as_millis()).unwrap_or(i64::MAX);
        Self { said_for_ms, quiet: BTreeMap::new(), forgotten: Vec::new() }
    }

    /// Forgets an entity: nobody looks whether it is heard any more.
    pub(super) fn forget(&mut self, entity: &LabelSet) {
        if self.quiet.remove(entity).is_some_and(|quiet| quiet.said) {
            self.forgotten.push(entity.clone());
        }
    }

    /// Those of whom it stands that they are silent.
    pub(super) fn standing(&self) -> impl Iterator<Item = &LabelSet> {
        self.quiet.iter().filter(|(_, quiet)| quiet.said).map(|(entity, _)| entity)
    }

    /// Takes who was heard at step `at` (ascending) and whose score series ended there. Where a silence `is_planned` it is not
    /// said; whoever is silent still after that is, as if it had begun then.
    pub(super) fn step(
        &mut self,
        at: TimestampMs,
        heard: &[LabelSet],
        gone: &[LabelSet],
        is_planned: impl Fn(&LabelSet) -> bool,
    ) -> Silences {
        let is_heard = |entity: &LabelSet| heard.binary_search(entity).is_ok();
        if self.said_for_ms > 0 {
            for entity in gone.iter().filter(|entity| !is_heard(entity)) {
                self.quiet.insert(entity.clone(), Quiet { since: at, said: false });
            }
        }
        let mut silences = Silences { ended: std::mem::take(&mut self.forgotten), ..Silences::default() };
        let said_for_ms = self.said_for_ms;
        self.quiet.retain(|entity, quiet| {
            let planned = is_planned(entity);
            if planned {
                quiet.since = at;
            }
            let over = is_heard(entity) || at.since_ms(quiet.since) >= said_for_ms;
            if (over || planned) && quiet.said {
                quiet.said = false;
                silences.ended.push(entity.clone());
            } else if !over && !planned && (quiet.said || !heard.is_empty()) {
                quiet.said = true;
                silences.silent.push(entity.clone());
            }
            !over
        });
        silences.ended.sort();
        silences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP_MS: i64 = 60_000;

    fn entities(names: &str) -> Vec<LabelSet> {
        names.chars().map(|name| LabelSet::from_pairs([("instance", name.to_string())]).unwrap()).collect()
    }

    /// Who is heard at each step, one letter an entity -> who is said to be silent, and of whom it ends.
    fn run(said_for_steps: u64, heard: &[&str]) -> Vec<(Vec<LabelSet>, Vec<LabelSet>)> {
        let mut silence = Silence::new(Duration::from_millis(said_for_steps * STEP_MS as u64));
        let mut before = Vec::new();
        let mut said = Vec::new();
        for (step, heard) in heard.iter().enumerate() {
            let heard = entities(heard);
            let gone: Vec<LabelSet> =
                before.iter().filter(|entity| !heard.contains(entity)).cloned().collect();
            let Silences { silent, ended } =
                silence.step(TimestampMs(step as i64 * STEP_MS), &heard, &gone, |_| false);
            said.push((silent, ended));
            before = heard;
        }
        said
    }

    fn expected(steps: &[(&str, &str)]) -> Vec<(Vec<LabelSet>, Vec<LabelSet>)> {
        steps.iter().map(|(silent, ended)| (entities(silent), entities(ended))).collect()
    }

    #[test]
    fn a_silence_is_said_until_the_entity_is_back() {
        let said = run(60, &["ab", "a", "a", "ab", "ab"]);
        assert_eq!(said, expected(&[("", ""), ("b", ""), ("b", ""), ("", "b"), ("", "")]));
    }

    #[test]
    fn a_silence_is_said_for_a_while_and_no_longer() {
        let said = run(2, &["ab", "a", "a", "a", "a"]);
        assert_eq!(said, expected(&[("", ""), ("b", ""), ("b", ""), ("", "b"), ("", "")]));
        assert_eq!(run(0, &["ab", "a", "a"]), expected(&[("", ""), ("", ""), ("", "")]), "switched off");
    }

    #[test]
    fn when_nobody_is_heard_it_is_nobodys_silence() {
        // All stop; then a comes back and b does not.
        let said = run(60, &["ab", "", "", "a", "ab"]);
        assert_eq!(said, expected(&[("", ""), ("", ""), ("", ""), ("b", ""), ("", "b")]));
        // What has been said stays said.
        let said = run(60, &["ab", "a", "", "a"]);
        assert_eq!(said, expected(&[("", ""), ("b", ""), ("b", ""), ("b", "")]));
    }

    #[test]
    fn the_silence_of_one_who_is_forgotten_ends() {
        let mut silence = Silence::new(Duration::from_secs(3600));
        let [a, b, all] = ["a", "b", "abc"].map(entities);
        silence.step(TimestampMs(0), &all[2..], &all[..2], |_| false);
        silence.forget(&b[0]);
        silence.forget(&all[2]);
        let said = silence.step(TimestampMs(STEP_MS), &all[2..], &[], |_| false);
        assert_eq!((said.silent, said.ended), (a.clone(), b));
        assert_eq!(
            silence.step(TimestampMs(2 * STEP_MS), &all[2..], &[], |_| false),
            Silences { silent: a, ended: Vec::new() }
        );
    }

    /// Silent from the first step on, planned from the third to the fifth: the silence ends, and begins anew for its whole time.
    #[test]
    fn a_planned_silence_is_not_said() {
        let mut silence = Silence::new(Duration::from_millis(3 * STEP_MS as u64));
        let [a, b] = ["a", "b"].map(entities);
        let said: Vec<(bool, bool)> = (0..10)
            .map(|step| {
                let gone = if step == 0 { &b[..] } else { &[] };
                let said = silence.step(TimestampMs(step * STEP_MS), &a, gone, |_| (2..5).contains(&step));
                (said.silent == b, said.ended == b)
            })
            .collect();
        let [silent, nothing, ended] = [(true, false), (false, false), (false, true)];
        let expected = [silent, silent, ended, nothing, nothing, silent, silent, ended, nothing, nothing];
        assert_eq!(said, expected);
    }

    proptest! {
        /// For all courses, nobody is silent who is heard, and whoever was said to be silent is so still or has ended.
        #[test]
        fn every_silence_ends_once(heard in prop::collection::vec("a?b?c?", 1..40), said_for in 0_u64..10) {
            let courses: Vec<&str> = heard.iter().map(String::as_str).collect();
            let mut standing: Vec<LabelSet> = Vec::new();
            for ((silent, ended), heard) in run(said_for, &courses).into_iter().zip(&courses) {
                let heard = entities(heard);
                prop_assert!(silent.iter().all(|entity| !heard.contains(entity)));
                prop_assert!(standing.iter().all(|entity| silent.contains(entity) != ended.contains(entity)));
                prop_assert!(ended.iter().all(|entity| standing.contains(entity)));
                standing = silent;
            }
        }
    }
}

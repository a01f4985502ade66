//! Detectors of single series: every series that a selector matches is an entity.
//!
//! What is read of a series and what its entity is called are decided here. The entity has all labels of the series, and
//! its metric under [`METRIC_LABEL`], for the scores have a name of their own. What cannot stay is renamed as
//! Prometheus renames labels of a target: `exported_`, as often as it takes.

use super::verdict::names;
use crate::{
    features::{CheckedReading, FeatureMatrix, METRIC_LABEL},
    promql::{LeafMatrix, SeriesMemory, SeriesPlan, SeriesValue},
    series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp, TimestampMs},
};
use ndarray::Array2;

/// What leaves a trace of the old name when a label is renamed, as in Prometheus.
const EXPORTED: &str = "exported_";

/// What the observations of a native histogram are called: as those of a classic one.
const OBSERVATIONS: &str = "_count";

/// The label of the buckets of classic histograms.
const BUCKET_LABEL: &str = "le";

/// Which series are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSettings {
    /// Series that satisfy all matchers of one of these.
    pub selectors: Vec<Vec<LabelMatcher>>,
    /// Most series that are judged at a time.
    pub max_series: usize,
}

/// The series of a detector, step after step.
#[derive(Debug)]
pub(super) struct SeriesSource {
    plan: SeriesPlan,
    memory: SeriesMemory,
    places: Places,
}

/// Who has a place among those that are judged.
///
/// A place is kept for as long as its owner was silent for no more than a window; then it goes to the next newcomer.
/// Of those that come at one step, the first in label order get the places that are free. So nobody that is judged is
/// driven out, and the same samples give the same choice.
#[derive(Debug)]
struct Places {
    max: usize,
    window_ms: i64,
    /// Owners with their last step, ascending.
    owners: Vec<(LabelSet, TimestampMs)>,
}

/// What is read of the series of `settings`: own scores never, and buckets of classic histograms only where a selector
/// speaks of them. An anomaly among the observations shows in all buckets above it, and in the count.
pub(super) fn plan(settings: &SeriesSettings, reading: &CheckedReading) -> SeriesPlan {
    let range_ms = reading.get().rate_range_ms;
    let rate = SeriesValue::Rate { range_ms };
    let observations = SeriesValue::ObservationRate { range_ms };
    let kinds = || {
        let gauges = reading.of_gauges().into_iter();
        let gauges = gauges.flat_map(move |matchers| {
            [SeriesValue::Gauge, observations].map(|value| (matchers.clone(), value))
        });
        std::iter::once((reading.of_counters(), rate)).chain(gauges)
    };
    let parts = settings.selectors.iter().flat_map(|selector| {
        let excepted = excepted(selector);
        kinds().map(move |(kind, value)| ([&selector[..], &kind, &excepted].concat(), value))
    });
    SeriesPlan::new(parts)
}

/// Matchers for what `selector` does not mean although it says so.
fn excepted(selector: &[LabelMatcher]) -> Vec<LabelMatcher> {
    let own = LabelMatcher::new(METRIC_NAME, MatchOp::NotRegex, names::OWN.join("|")).ok();
    let speaks_of_buckets = selector.iter().any(|matcher| matcher.name() == BUCKET_LABEL);
    let buckets = LabelMatcher::new(BUCKET_LABEL, MatchOp::Equal, "").ok().filter(|_| !speaks_of_buckets);
    own.into_iter().chain(buckets).collect()
}

/// The entity that a series is.
fn entity(series: &LabelSet, value: SeriesValue) -> LabelSet {
    // What says what the metric is; the value is another one, and has another unit.
    let is_metadata = |name: &str| name.starts_with("__");
    let mut pairs: Vec<(String, &str)> = Vec::new();
    for label in series.iter().filter(|label| !is_metadata(label.name)) {
        let mut name = label.name.to_owned();
        if [METRIC_LABEL, names::DETECTOR].contains(&label.name) {
            while series.get(&name).is_some() {
                name.insert_str(0, EXPORTED);
            }
        }
        pairs.push((name, label.value));
    }
    let mut metric = series.metric_name().to_owned();
    if matches!(value, SeriesValue::ObservationRate { .. }) {
        metric.push_str(OBSERVATIONS);
    }
    pairs.push((METRIC_LABEL.to_owned(), &metric));
    // Only a name that is longer than a label set can hold gets here: then the series is called by its other labels.
    LabelSet::from_pairs(pairs).unwrap_or_else(|_| series.drop(&[]))
}

// === impl SeriesSource ===

impl SeriesSource {
    /// Nothing was seen of the series of `plan`; a window is `window_ms` long.
    pub(super) fn new(plan: SeriesPlan, max_series: usize, window_ms: i64) -> Self {
        Self {
            plan,
            memory: SeriesMemory::default(),
            places: Places { max: max_series, window_ms, owners: Vec::new() },
        }
    }

    /// The values of all series that have a place, and how many have none.
    pub(super) fn matrix(&mut self, answers: &[&LeafMatrix], at: TimestampMs) -> (FeatureMatrix, usize) {
        let all = self.plan.evaluate(answers, &mut self.memory, entity);
        let (count, kept) = (all.len(), self.places.assign(all, at));
        let left_out = count - kept.len();
        let (entities, values): (Vec<LabelSet>, Vec<f64>) = kept.into_iter().unzip();
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let values = Array2::from_shape_fn((values.len(), 1), |(row, _)| finite(values[row]));
        (FeatureMatrix { at, entities, values, ambiguous: vec![0] }, left_out)
    }
}

// === impl Places ===

impl Places {
    /// Those of `series` (ascending) that have a place at this step.
    fn assign<T>(&mut self, series: Vec<(LabelSet, T)>, at: TimestampMs) -> Vec<(LabelSet, T)> {
        let oldest = at.plus_ms(-self.window_ms);
        self.owners.retain(|(_, last)| *last >= oldest);
        let mut free = self.max - self.owners.len();
        let mut newcomers = Vec::new();
        let mut kept = Vec::with_capacity(series.len());
        let mut owners = self.owners.iter_mut().peekable();
        for (entity, value) in series {
            while owners.next_if(|(owner, _)| *owner < entity).is_some() {}
            match owners.next_if(|(owner, _)| *owner == entity) {
                Some((_, last)) => *last = at,
                None if free > 0 => {
                    free -= 1;
                    newcomers.push((entity.clone(), at));
                }
                None => continue,
            }
            kept.push((entity, value));
        }
        if !newcomers.is_empty() {
            self.owners.append(&mut newcomers);
            // The stable sort finds both sorted runs and merges them.
            self.owners.sort_by(|a, b| a.0.cmp(&b.0));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{features::SeriesReading, promql::parse_matchers};
    use proptest::prelude::*;

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn an_entity_has_the_labels_of_its_series_and_the_metric() {
        let of = |pairs: &[(&str, &str)]| entity(&set(pairs), SeriesValue::Gauge);
        assert_eq!(
            of(&[("__name__", "up"), ("__unit__", "s"), ("job", "n")]),
            set(&[("for", "up"), ("job", "n")])
        );
        let renamed = of(&[("__name__", "m"), ("for", "a"), ("exported_for", "b"), ("detector", "c")]);
        let expected =
            [("for", "m"), ("exported_exported_for", "a"), ("exported_for", "b"), ("exported_detector", "c")];
        assert_eq!(renamed, set(&expected));
        let histogram =
            entity(&set(&[("__name__", "h_seconds")]), SeriesValue::ObservationRate { range_ms: 1 });
        assert_eq!(histogram, set(&[("for", "h_seconds_count")]));
    }

    /// Exactly one leaf reads a series of floats, two a gauge's name (it may bear native histograms), none what is left out.
    #[test]
    fn a_selector_means_neither_own_scores_nor_buckets() {
        let read_by = |selector: &str, series: &[(&str, &str)]| {
            let selectors = vec![parse_matchers(selector).unwrap()];
            let reading = SeriesReading { gauges: vec!["cpu_count".into()], ..SeriesReading::default() };
            let plan = plan(&SeriesSettings { selectors, max_series: 1 }, &reading.check().unwrap());
            let series = set(series);
            let reads =
                plan.leaves().iter().filter(|leaf| leaf.matchers().iter().all(|m| m.matches(&series)));
            reads.count()
        };
        let bucket = [("__name__", "h_bucket"), ("le", "1")];
        let all = r#"{__name__=~".+"}"#;
        assert_eq!(read_by(all, &[("__name__", "requests_total")]), 1);
        assert_eq!(read_by(all, &[("__name__", "memory_bytes")]), 2);
        assert_eq!(read_by(all, &[("__name__", "cpu_count")]), 2);
        assert_eq!(read_by(all, &bucket), 0);
        assert_eq!(read_by(r#"{__name__=~".+", le=~".*"}"#, &bucket), 1);
        for own in names::OWN {
            assert_eq!(read_by(all, &[("__name__", own)]), 0, "{own}");
        }
    }

    const WINDOW_STEPS: i64 = 3;

    /// One letter a series; who has a place at each step.
    fn assign(max: usize, steps: &[&str]) -> Vec<String> {
        let mut places = Places { max, window_ms: WINDOW_STEPS, owners: Vec::new() };
        let step = |(at, names): (usize, &&str)| {
            let series = names.chars().map(|name| (set(&[("n", &name.to_string())]), name)).collect();
            places.assign(series, TimestampMs(at as i64)).into_iter().map(|(_, name)| name).collect()
        };
        steps.iter().enumerate().map(step).collect()
    }

    #[test]
    fn whoever_has_a_place_keeps_it_until_it_was_silent_for_a_window() {
        assert_eq!(assign(2, &["bd", "abd", "abd"]), ["bd", "bd", "bd"], "newcomers wait");
        assert_eq!(assign(2, &["abc"]), ["ab"], "the first in label order");
        let with_a_gap = ["bd", "acd", "acd", "bcd"];
        assert_eq!(assign(2, &with_a_gap), ["bd", "d", "d", "bd"], "a short silence costs nothing");
        assert_eq!(assign(2, &["bd", "cd", "cd", "cd", "cd", "bcd"]), ["bd", "d", "d", "d", "cd", "cd"]);
    }

    proptest! {
        /// For all courses, no more have a place than there are, and while nobody was left out all have one.
        #[test]
        fn places_are_bounded_and_given(steps in prop::collection::vec("a?b?c?d?e?", 1..30), max in 1_usize..6) {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            for (named, kept) in steps.iter().zip(assign(max, &steps)) {
                prop_assert!(kept.len() <= max.min(named.len()));
                prop_assert!(max < 5 || kept == *named);
            }
        }
    }
}

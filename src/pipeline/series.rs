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
/// Whoever has a place keeps it as long as nobody needs it. Where none is free, those who were silent for longer than a
/// window make room, the longest silent first. Of newcomers at one step, the first in label order get the places there
/// are. So nobody that is judged is driven out, no more are remembered than have a place, and the same samples give the
/// same choice.
#[derive(Debug)]
struct Places {
    max: usize,
    window_ms: i64,
    /// Owners with their last step, ascending.
    owners: Vec<(LabelSet, TimestampMs)>,
}

/// What became of the series of a step.
struct Assigned<T> {
    /// Those with a place, ascending.
    kept: Vec<(LabelSet, T)>,
    /// Those who made room.
    gave_way: Vec<LabelSet>,
}

/// The values of a step, and what else there is to say of it.
pub(super) struct SeriesStep {
    pub(super) matrix: FeatureMatrix,
    /// Series that have no place.
    pub(super) left_out: usize,
    /// Series that lost theirs: they are to be forgotten.
    pub(super) gave_way: Vec<LabelSet>,
}

/// What is read of the series of `settings`: own scores never, and buckets of classic histograms only where a selector
/// speaks of them. An anomaly among the observations shows in all buckets above it, and in the count.
pub(super) fn plan(settings: &SeriesSettings, reading: &CheckedReading) -> SeriesPlan {
    let range_ms = reading.get().rate_range_ms;
    let rate = SeriesValue::Rate { range_ms };
    let observations = SeriesValue::ObservationRate { range_ms };
    let kinds = || {
        let gauges = reading.of_gauges().into_iter().map(|matchers| (matchers, SeriesValue::Gauge));
        // Whatever its name, a native histogram is neither.
        std::iter::once((reading.of_counters(), rate))
            .chain(gauges)
            .flat_map(move |(matchers, value)| [value, observations].map(|value| (matchers.clone(), value)))
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

    /// The values of all series that have a place.
    pub(super) fn step(&mut self, answers: &[&LeafMatrix], at: TimestampMs) -> SeriesStep {
        let all = self.plan.evaluate(answers, &mut self.memory, entity);
        let count = all.len();
        let Assigned { kept, gave_way } = self.places.assign(all, at);
        let left_out = count - kept.len();
        let (entities, values): (Vec<LabelSet>, Vec<f64>) = kept.into_iter().unzip();
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let values = Array2::from_shape_fn((values.len(), 1), |(row, _)| finite(values[row]));
        let matrix = FeatureMatrix { at, entities, values, ambiguous: vec![0] };
        SeriesStep { matrix, left_out, gave_way }
    }
}

// === impl Places ===

impl Places {
    /// Gives places to `series` (ascending) at this step.
    fn assign<T>(&mut self, series: Vec<(LabelSet, T)>, at: TimestampMs) -> Assigned<T> {
        let mut owners = self.owners.iter_mut().peekable();
        let mut is_owner = |entity: &LabelSet| {
            while owners.next_if(|(owner, _)| owner < entity).is_some() {}
            let owner = owners.next_if(|(owner, _)| owner == entity);
            owner.map(|(_, last)| *last = at).is_some()
        };
        let owned: Vec<bool> = series.iter().map(|(entity, _)| is_owner(entity)).collect();
        let newcomers = owned.iter().filter(|owned| !**owned).count();
        let gave_way = self.make_room(newcomers, at);
        let mut free = self.max - self.owners.len();
        let mut kept = Vec::with_capacity(series.len());
        let before = self.owners.len();
        for ((entity, value), is_owned) in series.into_iter().zip(owned) {
            if !is_owned {
                if free == 0 {
                    continue;
                }
                free -= 1;
                self.owners.push((entity.clone(), at));
            }
            kept.push((entity, value));
        }
        if self.owners.len() > before {
            // The stable sort finds both sorted runs and merges them.
            self.owners.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Assigned { kept, gave_way }
    }

    /// Takes as many places as `newcomers` lack from owners that were silent for longer than a window, where there are
    /// such.
    fn make_room(&mut self, newcomers: usize, at: TimestampMs) -> Vec<LabelSet> {
        let lacking = newcomers.saturating_sub(self.max - self.owners.len());
        if lacking == 0 {
            return Vec::new();
        }
        let oldest = at.plus_ms(self.window_ms.saturating_neg());
        let is_silent = |(_, last): &&(LabelSet, TimestampMs)| *last < oldest;
        let mut silent: Vec<(TimestampMs, LabelSet)> =
            self.owners.iter().filter(is_silent).map(|(owner, last)| (*last, owner.clone())).collect();
        silent.sort();
        silent.truncate(lacking);
        let mut gave_way: Vec<LabelSet> = silent.into_iter().map(|(_, owner)| owner).collect();
        gave_way.sort();
        self.owners.retain(|(owner, _)| gave_way.binary_search(owner).is_err());
        gave_way
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

    /// Two leaves read a series, one if it is of floats and one if it is of native histograms; none what is left out.
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
        assert_eq!(read_by(all, &[("__name__", "requests_total")]), 2);
        assert_eq!(read_by(all, &[("__name__", "memory_bytes")]), 2);
        assert_eq!(read_by(all, &[("__name__", "cpu_count")]), 2);
        assert_eq!(read_by(all, &bucket), 0);
        assert_eq!(read_by(r#"{__name__=~".+", le=~".*"}"#, &bucket), 2);
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
            places.assign(series, TimestampMs(at as i64)).kept.into_iter().map(|(_, name)| name).collect()
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

    /// Until somebody needs it, a place is kept however long its owner is silent; then the longest silent goes first.
    #[test]
    fn whoever_gives_way_is_named_to_be_forgotten() {
        let mut places = Places { max: 3, window_ms: WINDOW_STEPS, owners: Vec::new() };
        let mut gave_way = |at: i64, names: &str| -> Vec<LabelSet> {
            let series = names.chars().map(|name| (set(&[("n", &name.to_string())]), ())).collect();
            places.assign(series, TimestampMs(at)).gave_way
        };
        assert_eq!(gave_way(0, "abc"), []);
        assert_eq!(gave_way(2, "bc"), []);
        assert_eq!(gave_way(10, "c"), [], "a and b are silent, and nobody needs their places");
        assert_eq!(gave_way(11, "cd"), [set(&[("n", "a")])]);
        assert_eq!(gave_way(12, "abcd"), [], "b is back in its place, a is new and finds none");
        assert_eq!(gave_way(30, "efgh"), ["b", "c", "d"].map(|name| set(&[("n", name)])));
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

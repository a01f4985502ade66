//! The scores that Prometheus has of the fleet.

use crate::{fleet::INSTANCES, support::prometheus::query};
use emberwatch::series::TimestampMs;
use std::{collections::BTreeMap, net::SocketAddr};

/// The times of the scores of each instance.
pub(crate) fn scores(prometheus: SocketAddr) -> BTreeMap<String, Vec<i64>> {
    let mut scores = BTreeMap::new();
    for element in query(prometheus, r#"anomaly_score{detector="fleet"}[15m]"#) {
        let instance = element["metric"]["instance"].as_str().unwrap().to_owned();
        let values = element["values"].as_array().unwrap();
        let times = values.iter().map(|pair| (pair[0].as_f64().unwrap() * 1000.0).round() as i64);
        scores.insert(instance, times.collect());
    }
    scores
}

/// The newest score of all, if every instance has one, and it is not older than `from`.
pub(crate) fn newest_score(prometheus: SocketAddr, from: Option<TimestampMs>) -> Option<i64> {
    let scores = scores(prometheus);
    let newest = scores.values().filter_map(|times| times.last()).min().copied()?;
    (scores.len() == INSTANCES && from.is_none_or(|from| newest >= from.0)).then_some(newest)
}

pub(crate) fn oldest_score(prometheus: SocketAddr) -> TimestampMs {
    TimestampMs(scores(prometheus).values().filter_map(|times| times.first()).min().copied().unwrap())
}

pub(crate) fn assert_no_holes(scores: &BTreeMap<String, Vec<i64>>, killed_at: TimestampMs) {
    assert_eq!(scores.len(), INSTANCES);
    for (instance, times) in scores {
        assert!(times.first().is_some_and(|first| *first < killed_at.0), "{instance}");
        for pair in times.windows(2) {
            assert_eq!(pair[1] - pair[0], 1000, "{instance}: a step without a score after {}", pair[0]);
        }
    }
}

//! That alerts fire on what is anomalous, in words.

/// So many alerts are named; the others are counted.
const MAX_NAMED: usize = 3;

/// So much of the name of an alert is said: what is longer is no name for people.
const MAX_NAME_CHARS: usize = 60;

/// Says which alerts fire, to follow the sentence on an anomaly: `the alert HighLatency fires`. `None` where there is none.
#[must_use]
pub fn alerts_clause(names: &[String]) -> Option<String> {
    let short = |name: &String| name.chars().take(MAX_NAME_CHARS).collect::<String>();
    let named: Vec<String> = names.iter().take(MAX_NAMED).map(short).collect();
    let more = names.len() - named.len();
    match named.split_last()? {
        (last, []) => Some(format!("the alert {last} fires")),
        (last, first) if more == 0 => Some(format!("the alerts {} and {last} fire", first.join(", "))),
        _ => Some(format!("the alerts {} and {more} more fire", named.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_up_to_three() {
        let said =
            |names: &[&str]| alerts_clause(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["HighLatency"]).as_deref(), Some("the alert HighLatency fires"));
        assert_eq!(said(&["A", "B"]).as_deref(), Some("the alerts A and B fire"));
        assert_eq!(said(&["A", "B", "C"]).as_deref(), Some("the alerts A, B and C fire"));
        assert_eq!(said(&["A", "B", "C", "D", "E"]).as_deref(), Some("the alerts A, B, C and 2 more fire"));
        let long = "ä".repeat(100);
        assert_eq!(said(&[&long]), Some(format!("the alert {} fires", "ä".repeat(60))));
    }
}

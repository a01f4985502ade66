//! What kind of trouble a feature tells of, by the words in its name and its expression.
//!
//! Prometheus' naming habits carry the answer: `node_memory_MemAvailable_bytes`, `http_request_duration_seconds`,
//! `node_network_receive_errs_total`. The name that a person gave the feature counts first, then the metrics of its
//! expression. A latency is one of performance whatever it is the latency of, so these words are looked for first.

use super::criterion::AnomalyType;

const PERFORMANCE: &[&str] = &[
    "5xx",
    "delay",
    "drops",
    "duration",
    "err",
    "errors",
    "error",
    "errs",
    "failed",
    "failure",
    "failures",
    "lag",
    "latencies",
    "latency",
    "p50",
    "p90",
    "p95",
    "p99",
    "response",
    "retrans",
    "retries",
    "slow",
    "timeout",
    "timeouts",
];

const RESOURCE: &[&str] = &[
    "cpu",
    "disk",
    "fd",
    "fds",
    "filesystem",
    "goroutines",
    "heap",
    "inodes",
    "io",
    "iowait",
    "load",
    "mem",
    "memory",
    "storage",
    "swap",
    "threads",
];

const TRAFFIC: &[&str] = &[
    "connection",
    "connections",
    "estab",
    "eth",
    "http",
    "net",
    "netstat",
    "network",
    "opens",
    "packets",
    "qps",
    "receive",
    "received",
    "request",
    "requests",
    "rps",
    "rsts",
    "rx",
    "segs",
    "sent",
    "sessions",
    "sockstat",
    "tcp",
    "throughput",
    "traffic",
    "transmit",
    "tx",
    "udp",
];

// === impl AnomalyType ===

impl AnomalyType {
    /// The type of a feature of this name and expression; the expression may be empty. [`Self::System`] where no word is known.
    #[must_use]
    pub fn of_feature(name: &str, expression: &str) -> Self {
        of_words(words(name)).or_else(|| of_words(code_words(expression))).unwrap_or(Self::System)
    }

    /// The type with the largest share, of equal ones the first; none where there is no share at all.
    #[must_use]
    pub fn of_shares(shares: impl IntoIterator<Item = (Self, f64)>) -> Option<Self> {
        let mut totals = [0.0; Self::ALL.len()];
        for (kind, share) in shares {
            totals[kind as usize] += share;
        }
        let mut largest = (None, 0.0);
        for (kind, total) in Self::ALL.into_iter().zip(totals) {
            if total > largest.1 {
                largest = (Some(kind), total);
            }
        }
        largest.0
    }
}

/// The type that the words name, if they name one.
fn of_words<'a>(words: impl Iterator<Item = &'a str>) -> Option<AnomalyType> {
    let mut found = None;
    for word in words {
        // `eth1`, `load5`; not `p95`, which the lists have in full.
        let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let in_list = |list: &[&str]| {
            list.iter().any(|known| [word, stem].iter().any(|w| w.eq_ignore_ascii_case(known)))
        };
        let kind = match () {
            () if in_list(PERFORMANCE) => return Some(AnomalyType::Performance),
            () if in_list(RESOURCE) => AnomalyType::Resource,
            () if in_list(TRAFFIC) => AnomalyType::Traffic,
            () => continue,
        };
        found = found.min(Some(kind)).or(Some(kind));
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// The words outside quotes: metrics and labels, not what labels are compared with.
fn code_words(expression: &str) -> impl Iterator<Item = &str> {
    let quote = |c: char| matches!(c, '"' | '\'' | '`');
    // Every second piece stands in quotes. An escaped quote shifts this, which costs a word and no more.
    expression.split(quote).step_by(2).flat_map(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{DEFAULT_RATE_INTERVAL, PRESETS};
    use AnomalyType::{Performance, Resource, System, Traffic};

    #[test]
    fn every_feature_of_the_presets_has_its_type() {
        let features = PRESETS.iter().flat_map(|preset| preset.columns(DEFAULT_RATE_INTERVAL));
        let types: Vec<_> =
            features.map(|f| (f.name.clone(), AnomalyType::of_feature(&f.name, &f.expression))).collect();
        let known = [
            ("request_rate", Traffic),
            ("error_ratio", Performance),
            ("response_time_p95", Performance),
            ("cpu_usage_avg", Resource),
            ("cpu_usage_max", Resource),
            ("cpu_iowait", Resource),
            ("memory_usage_pct", Resource),
            ("disk_usage_pct", Resource),
            ("root_disk_usage_pct", Resource),
            ("disk_io_utilisation", Resource),
            ("network_receive_bytes", Traffic),
            ("network_transmit_bytes", Traffic),
            ("network_receive_packets", Traffic),
            ("network_transmit_packets", Traffic),
            ("load_per_core", Resource),
        ];
        assert_eq!(types, known.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn own_features_go_by_their_name_and_then_by_their_metrics() {
        for (name, expression, kind) in [
            ("busy", "avg by (instance) (rate(node_cpu_seconds_total[5m]))", Resource),
            ("wait", "rate(http_request_duration_seconds_sum[5m])", Performance),
            ("eth1_fi", "", Traffic),
            ("open_files", "process_open_fds", Resource),
            ("queue", r#"sum(jobs{kind="network"})"#, System),
            ("disk_latency", "rate(node_disk_read_time_seconds_total[5m])", Performance),
            ("http_cpu", "", Resource),
            ("orders", "", System),
            ("CPU-Usage", "", Resource),
        ] {
            assert_eq!(AnomalyType::of_feature(name, expression), kind, "{name}");
        }
    }

    #[test]
    fn the_largest_share_decides() {
        let of = |shares: &[(AnomalyType, f64)]| AnomalyType::of_shares(shares.iter().copied());
        assert_eq!(of(&[(Traffic, 0.4), (Resource, 0.3), (Resource, 0.3)]), Some(Resource));
        assert_eq!(of(&[(System, 0.5), (Traffic, 0.5)]), Some(Traffic), "of equal ones the first");
        assert_eq!(of(&[]), None);
    }
}

//! What Linux says of this process, under the names every Prometheus client uses.

use super::table::MetricRow;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use std::fmt;

/// Ticks a second in `/proc`: fixed at 100 for programs, on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

const HELP: [(&str, &str, &str); 4] = [
    ("process_cpu_seconds", "counter", "User and system time spent, in seconds."),
    ("process_open_fds", "gauge", "Open file descriptors."),
    ("process_resident_memory_bytes", "gauge", "Resident memory in bytes."),
    ("process_start_time_seconds", "gauge", "When the process started, in seconds since the epoch."),
];

/// Reads `/proc` at each scrape; where there is none, it has nothing to say.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl ProcessCollector {
    /// The rows it adds to the table.
    pub(super) fn rows() -> impl Iterator<Item = MetricRow> {
        HELP.into_iter().map(|(name, kind, help)| {
            let suffix = if kind == "counter" { "_total" } else { "" };
            MetricRow { name: format!("{name}{suffix}"), kind, labels: "", help }
        })
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let read = |path| std::fs::read_to_string(path).ok();
        let stat = read("/proc/self/stat").and_then(|text| ProcessStat::parse(&text));
        let boot = read("/proc/stat").and_then(|text| parse_boot_time(&text));
        let open_fds = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
        let values = [
            stat.as_ref().map(|stat| stat.cpu_seconds),
            open_fds,
            read("/proc/self/status").and_then(|text| parse_resident_bytes(&text)),
            stat.as_ref().zip(boot).map(|(stat, boot)| boot + stat.seconds_after_boot),
        ];
        // Unlike the registry, the encoder adds no full stop to a help text.
        for ((name, kind, help), value) in HELP.into_iter().zip(values) {
            let Some(value) = value else { continue };
            if kind == "counter" {
                let counter = ConstCounter::new(value);
                counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
            } else {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
        }
        Ok(())
    }
}

/// What is used of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct ProcessStat {
    cpu_seconds: f64,
    seconds_after_boot: f64,
}

impl ProcessStat {
    /// Fields are counted from the `)` that ends the name, which may itself hold blanks (proc(5)).
    fn parse(text: &str) -> Option<Self> {
        let (_, after_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        // Field 3 of proc(5) is `fields[0]`.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS_PER_SECOND,
            seconds_after_boot: field(22)? as f64 / TICKS_PER_SECOND,
        })
    }
}

/// From `status`, not `stat`: it counts in KiB, not in pages of a size we would have to guess.
fn parse_resident_bytes(text: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}

fn parse_boot_time(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_a_name_with_blanks_and_brackets() {
        let head = "42 (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 12345 1000000 7 18446744073709551615";
        let expected = ProcessStat { cpu_seconds: 3.0, seconds_after_boot: 123.45 };
        assert_eq!(ProcessStat::parse(head), Some(expected));
        assert_eq!(ProcessStat::parse("42 (a"), None);
        assert_eq!(parse_resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(parse_boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000.0));
    }
}

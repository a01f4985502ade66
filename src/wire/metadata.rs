//! What is said of a metric family: its type, unit and help text.

/// The type of a metric family, by the numbers of both versions of Remote-Write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricType {
    /// Not said, or not known here.
    #[default]
    Unknown,
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts by upper bound, or a native histogram.
    Histogram,
    /// A histogram whose counts go up and down.
    GaugeHistogram,
    /// Quantiles, a count and a sum.
    Summary,
    /// Labels that say something, with the value 1.
    Info,
    /// One of several states at a time.
    StateSet,
}

/// What a sender says of one metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricMetadata<'a> {
    /// Name of the family.
    pub family: &'a str,
    /// Its type.
    pub metric_type: MetricType,
    /// Unit; often empty.
    pub unit: &'a str,
    /// Help text.
    pub help: &'a str,
}

// === impl MetricType ===

impl MetricType {
    /// The type with `number` on the wire.
    pub(super) fn from_number(number: u64) -> Self {
        // As every enum field, cut to 32 bits.
        match number as u32 {
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            4 => Self::GaugeHistogram,
            5 => Self::Summary,
            6 => Self::Info,
            7 => Self::StateSet,
            _ => Self::Unknown,
        }
    }

    /// Prometheus' word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The family that a series called `metric` belongs to: 2.0 says of every series what its family is, and
    /// a histogram or summary has several.
    pub(super) fn family_of(self, metric: &str) -> &str {
        let suffixes: &[&str] = match self {
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::GaugeHistogram => &["_bucket", "_gsum", "_gcount", "_sum", "_count"],
            Self::Summary => &["_sum", "_count"],
            _ => &[],
        };
        suffixes.iter().find_map(|suffix| metric.strip_suffix(suffix)).unwrap_or(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_the_name_without_what_its_type_adds() {
        for (metric_type, metric, family) in [
            (MetricType::Histogram, "latency_seconds_bucket", "latency_seconds"),
            (MetricType::Histogram, "latency_seconds", "latency_seconds"),
            (MetricType::GaugeHistogram, "size_gcount", "size"),
            (MetricType::Summary, "rpc_seconds_sum", "rpc_seconds"),
            (MetricType::Summary, "rpc_seconds", "rpc_seconds"),
            (MetricType::Counter, "requests_total", "requests_total"),
            (MetricType::Gauge, "open_count", "open_count"),
        ] {
            assert_eq!(metric_type.family_of(metric), family, "{metric}");
        }
    }
}

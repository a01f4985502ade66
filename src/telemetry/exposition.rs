//! `/metrics` in the two text formats that scrapers ask for.

use super::{metrics::Metrics, process::ProcessCollector};
use prometheus_client::{encoding::text, registry::Registry};
use std::fmt::{self, Write as _};

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

// === impl Exposition ===

impl Exposition {
    /// The format to answer with: OpenMetrics only when `accept` names it.
    #[must_use]
    pub fn for_accept(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics as text.
///
/// # Errors
/// When a label cannot be written; none of ours can cause that.
pub fn encode(metrics: &Metrics, format: Exposition) -> Result<String, fmt::Error> {
    let mut open_metrics = String::new();
    text::encode_registry(&mut open_metrics, metrics.scrape())?;
    let mut process = Registry::default();
    process.register_collector(Box::new(ProcessCollector));
    text::encode_registry(&mut open_metrics, &process)?;
    match format {
        Exposition::OpenMetrics => {
            text::encode_eof(&mut open_metrics)?;
            Ok(open_metrics)
        }
        Exposition::Prometheus => to_prometheus(&open_metrics),
    }
}

/// The formats differ, for what we write, only in the head of counters: 0.0.4 names the series there
/// (`x_total`), OpenMetrics the family (`x`).
fn to_prometheus(open_metrics: &str) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, help)| help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            writeln!(text, "# HELP {name}{suffix} {}", help.take().unwrap_or_default())?;
            writeln!(text, "# TYPE {name}{suffix} {kind}")?;
        } else {
            writeln!(text, "{line}")?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_each_format_wants() {
        let metrics = Metrics::new();
        metrics.samples_appended.inc_by(3);
        let open = encode(&metrics, Exposition::OpenMetrics).unwrap();
        assert!(
            open.contains(
                "# TYPE emberwatch_samples_appended counter\nemberwatch_samples_appended_total 3\n"
            )
        );
        assert!(open.ends_with("# EOF\n"));
        let plain = encode(&metrics, Exposition::Prometheus).unwrap();
        assert!(plain.contains(
            "# TYPE emberwatch_samples_appended_total counter\nemberwatch_samples_appended_total 3\n"
        ));
        assert!(!plain.contains("# EOF"));
    }

    #[test]
    fn open_metrics_only_when_asked_for() {
        let of = |accept| Exposition::for_accept(accept);
        assert_eq!(of(None), Exposition::Prometheus);
        assert_eq!(of(Some("*/*")), Exposition::Prometheus);
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(of(Some(prometheus)), Exposition::OpenMetrics);
    }

    #[test]
    fn an_independent_parser_reads_what_is_written() {
        let text = encode(&Metrics::new(), Exposition::Prometheus).unwrap();
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let scrape = prometheus_parse::Scrape::parse(lines).unwrap();
        let build = scrape.samples.iter().find(|sample| sample.metric == "emberwatch_build_info").unwrap();
        assert_eq!(build.labels.get("version"), Some(env!("CARGO_PKG_VERSION")));
    }
}

//! The `remote_write` list.

use super::{
    http_client::{http_client, note},
    section::Section,
};
use crate::writeback::{Config, QueueSettings, Settings};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The target of scores; `None` when there is none, or a wrong one, which has been noted.
pub(super) fn remote_write(root: &mut Section<'_>) -> Option<Config> {
    let mut targets = root.sections("remote_write")?.into_iter();
    let target = target(targets.next()?);
    if let Some(second) = targets.next() {
        second
            .note_here("only one target is supported yet", "send to one, and let it forward by remote_write");
    }
    target
}

fn target(mut section: Section<'_>) -> Option<Config> {
    let (client, has_url) = http_client(&mut section, "http://127.0.0.1:9090/api/v1/write");
    let default = Settings::new("");
    let settings = Settings {
        client,
        name: section.text("name").map(|text| text.value).unwrap_or_default(),
        queue: queue(section.section("queue_config"), default.queue),
        flush_deadline: section.duration("flush_deadline", default.flush_deadline, MS..=HOUR),
    };
    let checked = Config::try_new(settings);
    if let (true, Err(problems)) = (has_url, &checked) {
        problems.iter().for_each(|problem| note(&section, &problem.to_string()));
    }
    section.finish();
    checked.ok()
}

fn queue(mut section: Section<'_>, default: QueueSettings) -> QueueSettings {
    let age = section.duration("sample_age_limit", Duration::ZERO, Duration::ZERO..=YEAR);
    let queue = QueueSettings {
        capacity: section.number("capacity", default.capacity, 1..=1_000_000_000),
        capacity_bytes: section.size("capacity_bytes", default.capacity_bytes, 1 << 20..=1 << 40),
        max_samples_per_send: section.number(
            "max_samples_per_send",
            default.max_samples_per_send,
            1..=100_000,
        ),
        min_backoff: section.duration("min_backoff", default.min_backoff, MS..=HOUR),
        max_backoff: section.duration("max_backoff", default.max_backoff, MS..=HOUR),
        retry_on_http_429: section.switch("retry_on_http_429", default.retry_on_http_429),
        // As in Prometheus, 0 means no limit.
        sample_age_limit: (!age.is_zero()).then_some(age),
    };
    section.finish();
    queue
}

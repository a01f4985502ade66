//! The `history` section.

use super::{
    http_client::{http_client, note},
    section::Section,
    settings::History,
};
use crate::history::{Api, Config, Settings};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const MONTH: Duration = Duration::from_secs(31 * 86_400);
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// What a detector without a model is trained on.
const MONTH_OF_TRAINING: Duration = Duration::from_secs(30 * 86_400);

/// The store of the past; `None` when there is none, or a wrong one, which has been noted.
pub(super) fn history(root: &mut Section<'_>) -> Option<History> {
    let mut section = root.optional_section("history")?;
    let (client, has_url) = http_client(&mut section, "http://127.0.0.1:9090");
    let default = Settings::new("");
    let settings = Settings {
        client,
        api: api(&mut section),
        max_samples: section.number("max_samples", default.max_samples, 1000..=100_000_000),
        max_concurrency: section.number("max_concurrency", default.max_concurrency, 1..=100),
        retry_for: section.duration("retry_for", default.retry_for, Duration::ZERO..=HOUR),
    };
    let backfill = section.duration("backfill", 2 * HOUR, Duration::ZERO..=MONTH);
    if !backfill.is_zero() && backfill < MINUTE {
        section.note_at("backfill", "fills no window; write a minute or more, or 0s for none");
    }
    let training = section.duration("training", MONTH_OF_TRAINING, Duration::ZERO..=YEAR);
    if !training.is_zero() && training < HOUR {
        section.note_at("training", "is too short for a model; write an hour or more, or 0s for none");
    }
    let checked = Config::try_new(settings);
    if let (true, Err(problems)) = (has_url, &checked) {
        problems.iter().for_each(|problem| note(&section, &problem.to_string()));
    }
    section.finish();
    Some(History { store: checked.ok()?, backfill, training })
}

fn api(section: &mut Section<'_>) -> Api {
    let Some(text) = section.text("api") else { return Api::default() };
    match text.value.as_str() {
        "remote_read" => Api::RemoteRead,
        "query" => Api::Query,
        _ => {
            let hint = "write remote_read, or query for a store without it, such as VictoriaMetrics";
            section.note(&text, &format!("{:?} is not known", text.value), hint);
            Api::default()
        }
    }
}

//! The parts of a detector as they begin: with its settings, and nothing seen.

use crate::{
    calibrate::Memory,
    model::Past,
    pipeline::{detector::DetectorSettings, season::Season, zero::ZeroWatch},
    series::TimestampMs,
};

/// An empty recent past, of the entities as the live model sees them.
pub(super) fn past(settings: &DetectorSettings) -> Past {
    match settings.forget_after {
        Some(fade) => Past::new(Memory::new(fade, settings.schema.step_ms())),
        None => Past::none(),
    }
}

/// Zeros are remembered as long as scores are.
pub(super) fn zero_watch(settings: &DetectorSettings) -> ZeroWatch {
    let fade = settings.forget_after.unwrap_or(Memory::DEFAULT_FADE);
    ZeroWatch::new(fade, settings.schema.window_steps())
}

/// As far apart as two trainings are, as of the first day there is: where times of a crontab are not all as far apart it is no matter.
pub(super) fn f1_period_ms(settings: &DetectorSettings) -> i64 {
    let schedule = settings.training.as_ref().map(|training| training.triggers.schedule.clone());
    schedule.unwrap_or_default().distance_ms(TimestampMs(0), settings.schema.zone())
}

/// What is usual at each hour, where that is learned.
pub(super) fn season(settings: &DetectorSettings) -> Option<Season> {
    let season = settings.season.as_ref()?;
    Some(Season::new(season, &settings.schema, settings.persistence))
}

//! That a process has started lately, in words.

/// What has started, from what says least to what says most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartKind {
    /// A process: the same build as before, as far as is known.
    Restart,
    /// A machine.
    Reboot,
    /// Another build.
    Release {
        /// What it calls itself; empty where it does not say.
        version: String,
    },
}

/// So much of the name of a version is said: what is longer is no name for people.
const MAX_VERSION_CHARS: usize = 40;

/// Says what started, to follow the sentence on an anomaly: `3 minutes after version 1.8.2 started`.
#[must_use]
pub fn start_clause(kind: &StartKind, elapsed_ms: i64) -> String {
    let elapsed = match elapsed_ms.max(0) / 60_000 {
        0 => "less than a minute".to_owned(),
        1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    match kind {
        StartKind::Restart => format!("{elapsed} after a restart"),
        StartKind::Reboot => format!("{elapsed} after a reboot"),
        StartKind::Release { version } if version.is_empty() => {
            format!("{elapsed} after a new version started")
        }
        StartKind::Release { version } => {
            let version: String = version.chars().take(MAX_VERSION_CHARS).collect();
            format!("{elapsed} after version {version} started")
        }
    }
}

/// Says that something does not stop starting: `restarted 5 times within the hour`.
#[must_use]
pub fn restarts_clause(times: usize) -> String {
    format!("restarted {times} times within the hour")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_said_with_its_minutes() {
        let release = StartKind::Release { version: "1.8.2".to_owned() };
        for (kind, ms, said) in [
            (release, 200_000, "3 minutes after version 1.8.2 started"),
            (StartKind::Release { version: String::new() }, 60_000, "1 minute after a new version started"),
            (StartKind::Restart, 119_999, "1 minute after a restart"),
            (StartKind::Reboot, -5, "less than a minute after a reboot"),
        ] {
            assert_eq!(start_clause(&kind, ms), said);
        }
        let long = StartKind::Release { version: "ä".repeat(100) };
        assert_eq!(
            start_clause(&long, 0),
            format!("less than a minute after version {} started", "ä".repeat(40))
        );
        assert_eq!(restarts_clause(5), "restarted 5 times within the hour");
    }
}

//! What became of a request: counts, and the reasons for what was left out.

use std::fmt;

/// What a request held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// Series entries taken.
    pub series: u64,
    /// Float samples taken.
    pub samples: u64,
    /// Native histograms taken.
    pub histograms: u64,
    /// Exemplars seen; none is kept.
    pub exemplars: u64,
    /// Metadata entries seen: in 2.0 one a series that has any.
    pub metadata: u64,
    /// Metadata entries left out because a text is too long, or the request has too many of them.
    pub metadata_dropped: u64,
    /// What was left out.
    pub invalid: InvalidCounts,
}

/// Why a series, or something in it, was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvalidReason {
    /// A string is not UTF-8.
    Utf8,
    /// More labels than allowed.
    TooManyLabels,
    /// A label name is longer than allowed.
    LabelNameTooLong,
    /// A label value is longer than allowed.
    LabelValueTooLong,
    /// A label has no name.
    EmptyLabelName,
    /// A label name occurs twice.
    RepeatedLabelName,
    /// There is no metric name, or it is empty.
    MissingMetricName,
    /// A series of 2.0 has neither samples nor histograms nor exemplars.
    NoSamples,
    /// A native histogram contradicts itself. Only the histogram is left out, not its series.
    Histogram,
}

/// How often each [`InvalidReason`] occurred, and the first case of each in words.
///
/// The memory does not grow with the number of cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidCounts {
    counts: [u64; InvalidReason::ALL.len()],
    examples: [Option<String>; InvalidReason::ALL.len()],
    samples: u64,
}

// === impl InvalidReason ===

impl InvalidReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Utf8,
        Self::TooManyLabels,
        Self::LabelNameTooLong,
        Self::LabelValueTooLong,
        Self::EmptyLabelName,
        Self::RepeatedLabelName,
        Self::MissingMetricName,
        Self::NoSamples,
        Self::Histogram,
    ];

    /// The reason as the value of a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::TooManyLabels => "too_many_labels",
            Self::LabelNameTooLong => "label_name_too_long",
            Self::LabelValueTooLong => "label_value_too_long",
            Self::EmptyLabelName => "empty_label_name",
            Self::RepeatedLabelName => "repeated_label_name",
            Self::MissingMetricName => "missing_metric_name",
            Self::NoSamples => "no_samples",
            Self::Histogram => "invalid_histogram",
        }
    }
}

// === impl InvalidCounts ===

impl InvalidCounts {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// How often `reason` occurred.
    #[must_use]
    pub fn count(&self, reason: InvalidReason) -> u64 {
        self.counts[reason as usize]
    }

    /// How often all reasons occurred together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Samples and native histograms that were not taken for these reasons.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The reasons that occurred, how often, and the first case of each in words.
    pub fn iter(&self) -> impl Iterator<Item = (InvalidReason, u64, &str)> {
        InvalidReason::ALL.into_iter().filter(|reason| self.count(*reason) > 0).map(|reason| {
            let example = self.examples[reason as usize].as_deref().unwrap_or_default();
            (reason, self.count(reason), example)
        })
    }

    /// Counts one case; `example` is only asked for the first of its reason.
    pub(super) fn add(&mut self, reason: InvalidReason, samples: u64, example: impl FnOnce() -> String) {
        self.counts[reason as usize] += 1;
        self.samples += samples;
        self.examples[reason as usize].get_or_insert_with(example);
    }

    /// Adds the cases of another message.
    pub(super) fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        for reason in InvalidReason::ALL {
            let place = reason as usize;
            self.counts[place] += other.counts[place];
            if self.examples[place].is_none() {
                self.examples[place].clone_from(&other.examples[place]);
            }
        }
    }
}

/// One line for the sender: how many samples are missing, each reason with its first case.
impl fmt::Display for InvalidCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples not taken", self.samples)?;
        for (reason, count, example) in self.iter() {
            write!(f, "; {} ({count}): {example}", reason.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_word() {
        for (index, reason) in InvalidReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        let mut words = InvalidReason::ALL.map(InvalidReason::as_str).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), InvalidReason::ALL.len());
    }

    #[test]
    fn only_the_first_example_of_a_reason_is_kept() {
        let mut invalid = InvalidCounts::default();
        assert!(invalid.is_empty());
        invalid.add(InvalidReason::Utf8, 2, || "first".to_owned());
        invalid.add(InvalidReason::Utf8, 1, || unreachable!("the first case is known"));
        invalid.add(InvalidReason::Histogram, 1, || "other".to_owned());
        let text = "4 samples not taken; utf8 (2): first; invalid_histogram (1): other";
        assert_eq!((invalid.to_string().as_str(), invalid.total()), (text, 3));
        let mut both = InvalidCounts::default();
        both.add(InvalidReason::Utf8, 1, || "earliest".to_owned());
        both.merge(&invalid);
        let text = "5 samples not taken; utf8 (3): earliest; invalid_histogram (1): other";
        assert_eq!((both.to_string().as_str(), both.total()), (text, 4));
    }
}

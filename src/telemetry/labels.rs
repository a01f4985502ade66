//! Label sets of the metrics. Their values are few and never come from a client.

use prometheus_client::encoding::EncodeLabelSet;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }
    )+};
}

labels! {
    /// Of `build_info`.
    BuildLabels {
        /// Version of this program.
        version: &'static str,
    }
    /// Of what is counted by HTTP route.
    HandlerLabel {
        /// The route, never the path as the client wrote it.
        handler: String,
    }
    /// Of what is counted by HTTP route and answer.
    HandlerCodeLabels {
        /// The route, never the path as the client wrote it.
        handler: String,
        /// Status code.
        code: u16,
    }
    /// Of what is counted by Remote-Write message.
    MessageLabel {
        /// `v1` or `v2`.
        message: &'static str,
    }
    /// Of what is counted by Remote-Write message and answer.
    MessageCodeLabels {
        /// `v1`, `v2`, or `unknown` before the headers were understood.
        message: &'static str,
        /// Status code.
        code: u16,
    }
    /// Of what is counted by the form of an answer to remote read.
    FormLabel {
        /// `samples` or `chunks`.
        form: &'static str,
    }
    /// Of what was refused.
    ReasonLabel {
        /// Why.
        reason: &'static str,
    }
    /// Of what each shard has.
    ShardLabel {
        /// Number of the shard, from 0.
        shard: usize,
    }
    /// Of evaluated steps.
    StepCauseLabel {
        /// `complete` when all awaited series had come, `timeout` when the wait ended first.
        cause: &'static str,
    }
    /// Of what each detector has.
    DetectorLabel {
        /// Name of the detector.
        detector: String,
    }
    /// Of what each feature of a detector has.
    DetectorFeatureLabels {
        /// Name of the detector.
        detector: String,
        /// Name of the feature.
        feature: String,
    }
    /// Of what each detector has at a severity.
    DetectorSeverityLabels {
        /// Name of the detector.
        detector: String,
        /// `low`, `medium` or `high`.
        severity: &'static str,
    }
    /// Of what each detector leaves out or begins.
    DetectorReasonLabels {
        /// Name of the detector.
        detector: String,
        /// Why.
        reason: &'static str,
    }
    /// Of what came of trainings.
    DetectorOutcomeLabels {
        /// Name of the detector.
        detector: String,
        /// `in_use`, `rejected` or `failed`.
        outcome: &'static str,
    }
    /// Of what is counted by severity.
    SeverityLabel {
        /// `low`, `medium` or `high`.
        severity: &'static str,
    }
    /// Of `model_info`.
    ModelLabels {
        /// Name of the detector.
        detector: String,
        /// Version of its live model.
        version: String,
    }
    /// Of `training_state`.
    TrainingStateLabels {
        /// Name of the detector.
        detector: String,
        /// One of [`super::TRAINING_STATES`].
        state: &'static str,
    }
}

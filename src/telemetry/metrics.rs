//! The table of all metrics.

use super::{
    feature_store::FeatureStoreMetrics,
    labels::{
        BuildLabels, DetectorFeatureLabels, DetectorLabel, DetectorOutcomeLabels, DetectorReasonLabels,
        DetectorSeverityLabels, FormLabel, HandlerCodeLabels, HandlerLabel, MessageCodeLabels, MessageLabel,
        ModelLabels, ReasonLabel, SeverityLabel, ShardLabel, StepCauseLabel, TrainingStateLabels,
    },
    table::{Histograms, MetricRow, Score, Table},
    writeback::WritebackMetrics,
};
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{
    fmt,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};

/// A gauge of seconds.
type Seconds = Gauge<f64, AtomicU64>;

/// A gauge from 0 to 1.
type Ratio = Gauge<f64, AtomicU64>;

/// Brings gauges up to date.
type Update = Box<dyn Fn(&Metrics) + Send>;

/// Values of `training_state{state}`, in the order in which a detector passes through them.
pub const TRAINING_STATES: [&str; 4] = ["gathering", "training", "trial", "trained"];

/// All metrics of the process. Cloned handles share their values.
pub struct Metrics {
    registry: Registry,
    rows: Vec<MetricRow>,
    at_scrape: Mutex<Vec<Update>>,

    /// HTTP answers.
    pub http_requests: Family<HandlerCodeLabels, Counter>,
    /// Time from request head to answer.
    pub http_request_duration: Histograms<HandlerLabel>,
    /// Open connections.
    pub http_connections: Gauge,
    /// Handlers that panicked.
    pub http_panics: Counter,

    /// Remote-Write requests.
    pub receive_requests: Family<MessageCodeLabels, Counter>,
    /// Bytes of Remote-Write bodies, as sent.
    pub receive_bytes: Counter,
    /// Bytes of bodies being read or decoded.
    pub receive_pending_bytes: Gauge,
    /// Time to decompress, decode and route one request.
    pub receive_decode_duration: Histogram,
    /// Samples decoded.
    pub samples_received: Family<MessageLabel, Counter>,
    /// Native histograms decoded.
    pub histograms_received: Family<MessageLabel, Counter>,
    /// Exemplars seen.
    pub exemplars_received: Family<MessageLabel, Counter>,
    /// Metadata entries seen.
    pub metadata_received: Family<MessageLabel, Counter>,
    /// Metadata entries that were not kept.
    pub metadata_dropped: Counter,
    /// Bytes held by metadata.
    pub metadata_bytes: Gauge,
    /// Series refused while decoding.
    pub series_invalid: Family<ReasonLabel, Counter>,
    /// Own output that came back.
    pub own_samples_ignored: Counter,

    /// Samples appended as newest of their series.
    pub samples_appended: Counter,
    /// Samples taken behind the newest of their series.
    pub samples_out_of_order: Counter,
    /// Repeats of samples that were there.
    pub samples_duplicate: Counter,
    /// Samples refused by the windows.
    pub samples_dropped: Family<ReasonLabel, Counter>,
    /// Samples that came after their step.
    pub samples_late: Counter,
    /// Staleness markers taken.
    pub stale_markers: Counter,
    /// Series seen for the first time.
    pub series_created: Counter,
    /// Series held.
    pub series: Gauge,
    /// Bytes held by labels and raw samples.
    pub window_bytes: Gauge,
    /// Batches waiting for each shard.
    pub shard_queue_length: Family<ShardLabel, Gauge>,
    /// Batches that can wait for each shard.
    pub shard_queue_capacity: Gauge,

    /// Samples and native histograms read from the store of the past.
    pub history_samples: Counter,
    /// Of what the store sent: left out.
    pub history_samples_left_out: Counter,
    /// Times that the windows could not be filled from it.
    pub backfill_failures: Counter,
    /// Time that filling the windows took at start.
    pub backfill_duration: Seconds,

    /// How much of the past is gone through to train on, 0 to 1.
    pub history_training_progress: Ratio,
    /// Times that it could not be.
    pub history_training_failures: Counter,

    /// Queries that run.
    pub queries_running: Gauge,
    /// Queries that wait for their turn.
    pub queries_waiting: Gauge,
    /// Queries of remote read.
    pub read_queries: Family<FormLabel, Counter>,
    /// Samples and native histograms in answers to remote read.
    pub read_samples: Family<FormLabel, Counter>,

    /// Evaluated steps.
    pub steps_evaluated: Family<StepCauseLabel, Counter>,
    /// Time to evaluate one step.
    pub step_evaluation_duration: Histogram,
    /// Time from the newest sample of a step to its scores handed to write-back.
    pub score_latency: Histogram,
    /// The newest evaluated step.
    pub last_step_timestamp: Seconds,
    /// Entities known.
    pub entities: Family<DetectorLabel, Gauge>,
    /// Entities without enough window for a score.
    pub entities_warming_up: Family<DetectorLabel, Gauge>,
    /// Entities that started lately.
    pub entities_in_grace: Family<DetectorLabel, Gauge>,
    /// Entities on which planned work goes on.
    pub entities_in_maintenance: Family<DetectorLabel, Gauge>,
    /// Windows of planned work that are open.
    pub maintenance_windows_open: Gauge,
    /// Entities that were scored and of which nothing is heard.
    pub entities_silent: Family<DetectorLabel, Gauge>,
    /// Series selected and not judged.
    pub series_left_out: Family<DetectorLabel, Gauge>,
    /// Features that had no value at a step because their expression failed.
    pub feature_failures: Family<DetectorLabel, Counter>,
    /// Scores at which severities begin.
    pub severity_thresholds: Family<DetectorSeverityLabels, Score>,
    /// Values outside their valid range.
    pub feature_values_invalid: Family<DetectorLabel, Counter>,
    /// Entities that are anomalous now.
    pub anomalies: Family<DetectorSeverityLabels, Gauge>,
    /// Incidents that have not ended.
    pub incidents_open: Gauge,
    /// Incidents that ended.
    pub incidents: Family<SeverityLabel, Counter>,

    /// Alerts that fire on entities.
    pub alerts_firing: Family<DetectorLabel, Gauge>,
    /// Alerts of which it is known whether they were seen.
    pub alerts_judged: Family<DetectorLabel, Counter>,
    /// Those that were.
    pub alerts_seen: Family<DetectorLabel, Counter>,
    /// Alerts that are not judged.
    pub alerts_left_out: Family<DetectorReasonLabels, Counter>,
    /// How much sooner an incident began than the alert that it was seen by.
    pub alert_lead: Histograms<DetectorLabel>,
    /// How much later.
    pub alert_lag: Histograms<DetectorLabel>,
    /// Incidents of medium severity and above whose window is over.
    pub incidents_judged: Family<DetectorSeverityLabels, Counter>,
    /// Those that an alert was about.
    pub incidents_confirmed: Family<DetectorSeverityLabels, Counter>,

    /// Live models, value 1.
    pub model_info: Family<ModelLabels, Gauge>,
    /// Whether the last reload of the models succeeded.
    pub model_last_reload_successful: Gauge,
    /// When models were last loaded.
    pub model_last_reload_success_timestamp: Seconds,
    /// Rows kept out of the training by alerts.
    pub training_rows_in_alerts: Family<DetectorLabel, Counter>,
    /// What came of trainings.
    pub models_trained: Family<DetectorOutcomeLabels, Counter>,
    /// Trainings that were begun.
    pub trainings_started: Family<DetectorReasonLabels, Counter>,
    /// Population stability index of each feature.
    pub feature_drift: Family<DetectorFeatureLabels, Score>,
    /// Population stability index of the scores.
    pub score_drift: Family<DetectorLabel, Score>,
    /// F1 of the live model.
    pub detector_f1: Family<DetectorLabel, Score>,
    /// Rows gathered for training.
    pub training_rows: Family<DetectorLabel, Gauge>,
    /// Where training stands; see [`Metrics::set_training_state`].
    pub training_state: Family<TrainingStateLabels, Gauge>,

    /// What was gathered to train on, on disk.
    pub feature_store: FeatureStoreMetrics,

    /// The way back to Prometheus.
    pub remote_write: WritebackMetrics,
}

// === impl Metrics ===

impl Metrics {
    /// All metrics, at zero.
    #[must_use]
    #[rustfmt::skip] // One line a metric: it is a table.
    pub fn new() -> Self {
        let mut t = Table::default();
        t.constant("build_info", "version", "1, with the version of this program.",
            BuildLabels { version: env!("CARGO_PKG_VERSION") });
        Self {
            http_requests: t.counters("http_requests", "handler, code", "HTTP requests by route and status code."),
            http_request_duration: t.histograms("http_request_duration_seconds", "handler", "Time from request head to answer.", short),
            http_connections: t.gauge("http_connections", "Open connections."),
            http_panics: t.counter("http_panics", "Handlers that panicked and were answered with 500: each is a bug."),

            receive_requests: t.counters("receive_requests", "message, code", "Remote-Write requests by message (v1, v2, unknown) and status code."),
            receive_bytes: t.counter("receive_bytes", "Bytes of Remote-Write bodies, compressed."),
            receive_pending_bytes: t.gauge("receive_pending_bytes", "Bytes of Remote-Write bodies being read or decoded now."),
            receive_decode_duration: t.histogram("receive_decode_duration_seconds", "Time to decompress, decode and route one request.", short),
            samples_received: t.counters("samples_received", "message", "Float samples decoded, the ignored ones included."),
            histograms_received: t.counters("histograms_received", "message", "Native histograms decoded, the ignored ones included."),
            exemplars_received: t.counters("exemplars_received", "message", "Exemplars seen; they are not kept."),
            metadata_received: t.counters("metadata_received", "message", "Metadata entries seen."),
            metadata_dropped: t.counter("metadata_dropped", "Metadata entries not kept: too long, or too many."),
            metadata_bytes: t.gauge("metadata_bytes", "Bytes held by types, units and help texts of metrics."),
            series_invalid: t.counters("series_invalid", "reason", "Series and histograms refused while decoding."),
            own_samples_ignored: t.counter("own_samples_ignored", "Samples and native histograms of this program's own score series that came back and were ignored."),

            samples_appended: t.counter("samples_appended", "Samples and native histograms appended as the newest of their series."),
            samples_out_of_order: t.counter("samples_out_of_order", "Samples taken to their place behind the newest of their series."),
            samples_duplicate: t.counter("samples_duplicate", "Repeats of samples that were there already."),
            samples_dropped: t.counters("samples_dropped", "reason", "Samples refused by the windows."),
            samples_late: t.counter("samples_late", "Samples of series that a detector reads, taken after their step had been evaluated."),
            stale_markers: t.counter("stale_markers", "Staleness markers taken."),
            series_created: t.counter("series_created", "Series seen for the first time."),
            series: t.gauge("series", "Series held in the windows."),
            window_bytes: t.gauge("window_bytes", "Bytes held by labels and raw samples."),
            shard_queue_length: t.gauges("shard_queue_length", "shard", "Messages waiting for each shard."),
            shard_queue_capacity: t.gauge("shard_queue_capacity", "Messages that can wait for each shard."),

            history_samples: t.counter("history_samples", "Samples and native histograms read from the store of the past."),
            history_samples_left_out: t.counter("history_samples_left_out", "Samples and native histograms of the store of the past that break a rule or cannot be read by its API."),
            backfill_failures: t.counter("backfill_failures", "Times that the windows could not be filled from the store of the past."),
            backfill_duration: t.gauge("backfill_duration_seconds", "Time that filling the windows from the store of the past took at start."),
            history_training_progress: t.gauge("history_training_progress_ratio", "How much of the store of the past is gone through to train models on, 0 to 1."),
            history_training_failures: t.counter("history_training_failures", "Times that the store of the past could not be read to train models on."),
            queries_running: t.gauge("queries_running", "Queries of the API that read or evaluate now, requests of remote read among them."),
            queries_waiting: t.gauge("queries_waiting", "Queries of the API that wait for their turn."),
            read_queries: t.counters("read_queries", "form", "Queries of remote read, by the form of their answer (samples, chunks)."),
            read_samples: t.counters("read_samples", "form", "Samples and native histograms read for answers to remote read."),

            steps_evaluated: t.counters("steps_evaluated", "cause", "Evaluated steps: all awaited series had come (complete), the wait ended first (timeout), or the samples were read from the store of the past (history)."),
            step_evaluation_duration: t.histogram("step_evaluation_duration_seconds", "Time to evaluate one step of all detectors.", short),
            score_latency: t.histogram("score_latency_seconds", "Time from the newest sample of a step to its scores handed to write-back.", long),
            last_step_timestamp: t.gauge("last_step_timestamp_seconds", "Data time of the newest evaluated step."),
            entities: t.gauges("entities", "detector", "Entities known to each detector."),
            entities_warming_up: t.gauges("entities_warming_up", "detector", "Entities whose windows are not filled enough for a score."),
            entities_in_grace: t.gauges("entities_in_grace", "detector", "Entities whose grace period after a restart or a release lasts."),
            entities_in_maintenance: t.gauges("entities_in_maintenance", "detector", "Entities on which planned work goes on."),
            maintenance_windows_open: t.gauge("maintenance_windows_open", "Windows of planned work that are open at the newest evaluated step."),
            entities_silent: t.gauges("entities_silent", "detector", "Entities that were scored and of which nothing is heard any more."),
            series_left_out: t.gauges("series_left_out", "detector", "Series that a detector of single series selects and does not judge: there are more than its max_series."),
            feature_failures: t.counters("feature_failures", "detector", "Features that had no value at a step because their expression failed on the data (a join that is not one-to-one, several results for one entity)."),
            incidents_open: t.gauge("incidents_open", "Incidents that have not ended: what fires together on one entity, over all detectors."),
            incidents: t.counters("incidents", "severity", "Incidents that ended, by the highest severity they had."),
            feature_values_invalid: t.counters("feature_values_invalid", "detector", "Values of features outside their valid range; they were taken as missing."),
            severity_thresholds: t.gauges("severity_threshold", "detector, severity", "Anomaly scores at which severities begin: as configured, or higher where the alert budget asks for it."),
            anomalies: t.gauges("anomalies", "detector, severity", "Entities that are anomalous at the last evaluated step."),

            alerts_firing: t.gauges("alerts_firing", "detector", "Alerts in the stream that fire on something that the detector could judge: they have all labels of its entities."),
            alerts_judged: t.counters("alerts_judged", "detector", "Alerts in the stream of which it is decided whether the detector saw them."),
            alerts_seen: t.counters("alerts_seen", "detector", "Alerts judged that an incident of medium severity or above was about, by lead or in time."),
            alerts_left_out: t.counters("alerts_left_out", "detector, reason", "Alerts that are not judged: they lack a label of the detector's entities (no_entity), or their entity was not scored (not_scored) or in maintenance (maintenance) when they began."),
            alert_lead: t.histograms("alert_lead_seconds", "detector", "Alerts seen: how much earlier the incident began, where it did, or at the same step.", minutes),
            alert_lag: t.histograms("alert_lag_seconds", "detector", "Alerts seen: how much later the incident began, where it did.", minutes),
            incidents_judged: t.counters("incidents_judged", "detector, severity", "Incidents of the detector, medium and above, that are over for as long as an alert could still confirm them, by the highest severity they had."),
            incidents_confirmed: t.counters("incidents_confirmed", "detector, severity", "Incidents judged that an alert on the entity followed or accompanied."),

            model_info: t.gauges("model_info", "detector, version", "1, with the version of each live model."),
            model_last_reload_successful: t.gauge("model_last_reload_successful", "Whether the last reload of the models succeeded."),
            model_last_reload_success_timestamp: t.gauge("model_last_reload_success_timestamp_seconds", "When the models were last loaded."),
            training_rows_in_alerts: t.counters("training_rows_in_alerts", "detector", "Rows not gathered for training, or taken out again, because an alert fired on their entity then, shortly after or shortly before."),
            models_trained: t.counters("models_trained", "detector, outcome", "Trainings from the stream by what came of them: the model was put in use, rejected after its trial, or training failed."),
            trainings_started: t.counters("trainings_started", "detector, reason", "Trainings from the stream by why they were begun (first, grown, schedule, newcomer, drift, f1)."),
            feature_drift: t.gauges("feature_drift_psi", "detector, feature", "Population stability index of a feature over the last 24 hours against the training of the model in use; absent until the model knows these hours of the week."),
            score_drift: t.gauges("score_drift_psi", "detector", "Population stability index of the scores over the last 24 hours against those of the training; absent as that of features."),
            detector_f1: t.gauges("detector_f1", "detector", "F1 of the model in use: against the alerts in the stream, once ten are judged, or else of its validation; absent where there is neither."),
            training_rows: t.gauges("training_rows", "detector", "Rows gathered for training."),
            training_state: t.gauges("training_state", "detector, state", "1 for the state a detector's training is in (gathering, training, trial, trained), else 0."),


            feature_store: FeatureStoreMetrics::register(&mut t),
            remote_write: t.writeback(),
            at_scrape: Mutex::default(),
            rows: t.rows_with_process(),
            registry: t.registry,
        }
    }

    /// The table itself, sorted by name: what `docs/metrics.md` must say.
    #[must_use]
    pub fn rows(&self) -> &[MetricRow] {
        &self.rows
    }

    /// Calls `update` before each scrape, for gauges that are cheaper to read than to keep.
    pub fn at_scrape(&self, update: impl Fn(&Self) + Send + 'static) {
        self.at_scrape.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(update));
    }

    /// Says that the training of `detector` is in `state`, one of [`TRAINING_STATES`].
    pub fn set_training_state(&self, detector: &str, state: &str) {
        for each in TRAINING_STATES {
            let labels = TrainingStateLabels { detector: detector.to_owned(), state: each };
            self.training_state.get_or_create(&labels).set(i64::from(each == state));
        }
    }

    /// The registry, brought up to date.
    pub(super) fn scrape(&self) -> &Registry {
        for update in self.at_scrape.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            update(self);
        }
        &self.registry
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// 0.1 ms to 13 s: what one step or request takes.
fn short() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 18))
}

/// 5 ms to 5 min, with a bound at the promised second: what a score may take to leave.
fn long() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0])
}

/// 15 s to 6 h: what lies between an incident and an alert.
fn minutes() -> Histogram {
    Histogram::new([15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0])
}

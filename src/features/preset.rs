//! Features that ship with the product: their expressions, and which of their changes are worth hearing of.
//!
//! Entities are `instance`s. Ranges are written `$__rate_interval`, Grafana's name for "long enough for
//! a rate": five minutes by default, which is four scrapes at the common intervals. Pseudo
//! file systems and virtual devices are left out as in the Prometheus node mixin, so that a tmpfs
//! at 100 % or a container's veth never speaks for the machine.
//!
//! What is at hand for work is a matter of more, not of less: nobody wants to be told that a machine idles, or answers
//! faster. Traffic counts on both sides. Small changes do not count, however rare they are.

use super::{Direction, FeatureColumn, Gate};
use std::time::Duration;

/// A named list of features by `instance`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// Its name in the configuration.
    pub name: &'static str,
    /// In the order of the columns.
    pub features: &'static [PresetFeature],
}

/// One feature of a preset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PresetFeature {
    /// Its name.
    pub name: &'static str,
    /// PromQL, with [`RATE_INTERVAL`] as the range of rates.
    pub expression: &'static str,
    /// Which of its changes count.
    pub gate: Gate,
    /// Values above it are an anomaly by themselves, where they are not usual.
    pub unusual_above: Option<f64>,
}

/// All presets, by name.
pub const PRESETS: [Preset; 2] =
    [Preset { name: "http", features: HTTP }, Preset { name: "node_exporter", features: NODE_EXPORTER }];

/// The preset called `name`.
#[must_use]
pub fn preset(name: &str) -> Option<Preset> {
    PRESETS.into_iter().find(|preset| preset.name == name)
}

/// What stands for the range of rates in an expression.
pub const RATE_INTERVAL: &str = "$__rate_interval";

/// The range of rates where nothing else is said: four scrapes at the common intervals.
pub const DEFAULT_RATE_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// `expression` with `range` in the place of [`RATE_INTERVAL`].
#[must_use]
pub fn with_rate_interval(expression: &str, range: Duration) -> String {
    let text = match range.subsec_millis() {
        0 => format!("{}s", range.as_secs()),
        _ => format!("{}ms", range.as_millis()),
    };
    expression.replace(RATE_INTERVAL, &text)
}

// === impl Preset ===

impl Preset {
    /// The features as schema columns, rates over `range`.
    #[must_use]
    pub fn columns(&self, range: Duration) -> Vec<FeatureColumn> {
        let column = |feature: &PresetFeature| FeatureColumn {
            name: feature.name.to_owned(),
            expression: with_rate_interval(feature.expression, range),
        };
        self.features.iter().map(column).collect()
    }
}

// === impl PresetFeature ===

impl PresetFeature {
    /// More than usual, by `min_change` in the feature's unit at least.
    const fn above(min_change: f64, name: &'static str, expression: &'static str) -> Self {
        let gate = gate(Direction::Above, min_change, 0.0);
        Self { name, expression, gate, unusual_above: None }
    }

    /// More or less than usual, by a share of the usual value at least.
    const fn both(min_relative_change: f64, name: &'static str, expression: &'static str) -> Self {
        let gate = gate(Direction::Both, 0.0, min_relative_change);
        Self { name, expression, gate, unusual_above: None }
    }

    const fn and_unusual_above(self, limit: f64) -> Self {
        Self { unusual_above: Some(limit), ..self }
    }
}

/// A mistake in it does not compile.
const fn gate(direction: Direction, min_change: f64, min_relative_change: f64) -> Gate {
    match Gate::new(direction, min_change, min_relative_change) {
        Ok(gate) => gate,
        Err(_) => panic!("the distances of a preset are numbers from 0 up"),
    }
}

/// For metrics of node_exporter 1.x on Linux. Shares are 0 to 1, `memory_usage_pct`,
/// `disk_usage_pct` and `root_disk_usage_pct` are 0 to 100, traffic is per second.
///
/// Limits are those of the Prometheus community's rules for hosts: a tenth of the memory, or of a file system, is left.
const NODE_EXPORTER: &[PresetFeature] = &[
    PresetFeature::above(
        0.05,
        "cpu_usage_avg",
        r#"1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))"#,
    ),
    PresetFeature::above(
        0.05,
        // The busiest core: one runaway thread is lost in the average of 64 cores.
        "cpu_usage_max",
        r#"1 - min by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))"#,
    ),
    PresetFeature::above(
        0.05,
        // Processors that wait for a disk: it is slow, whatever the utilisation says.
        "cpu_iowait",
        r#"avg by (instance) (rate(node_cpu_seconds_total{mode="iowait"}[$__rate_interval]))"#,
    ),
    PresetFeature::above(
        2.0,
        "memory_usage_pct",
        "100 * (1 - sum by (instance) (node_memory_MemAvailable_bytes) \
         / sum by (instance) (node_memory_MemTotal_bytes))",
    )
    .and_unusual_above(90.0),
    PresetFeature::above(
        // Full file systems fill slowly.
        0.5,
        "disk_usage_pct",
        // The fullest file system. Image mounts (squashfs, iso9660, erofs) are always full.
        concat!(
            r#"100 * max by (instance) (1 - node_filesystem_avail_bytes{fstype!~"#,
            pseudo_file_systems!(),
            r#",mountpoint!=""} / node_filesystem_size_bytes{fstype!~"#,
            pseudo_file_systems!(),
            r#",mountpoint!=""})"#
        ),
    )
    .and_unusual_above(90.0),
    PresetFeature::above(
        0.5,
        // Without it a machine is of no use, and a fuller one hides that it fills.
        "root_disk_usage_pct",
        // Old kernels have a second one there, of the type `rootfs`.
        r#"100 * max by (instance) (1 - node_filesystem_avail_bytes{mountpoint="/",fstype!="rootfs"} / node_filesystem_size_bytes{mountpoint="/",fstype!="rootfs"})"#,
    )
    .and_unusual_above(90.0),
    PresetFeature::above(
        // A busy disk need not be a slow one, of which `cpu_iowait` tells: it is news when it nears its limits.
        0.6,
        "disk_io_utilisation",
        r#"max by (instance) (rate(node_disk_io_time_seconds_total{device=~"(/dev/)?(mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+|xvd.+|dm-.+|md.+|dasd.+)"}[$__rate_interval]))"#,
    ),
    PresetFeature::both(
        0.2,
        "network_receive_bytes",
        concat!(
            "sum by (instance) (rate(node_network_receive_bytes_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    PresetFeature::both(
        0.2,
        "network_transmit_bytes",
        concat!(
            "sum by (instance) (rate(node_network_transmit_bytes_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    PresetFeature::both(
        0.2,
        "network_receive_packets",
        concat!(
            "sum by (instance) (rate(node_network_receive_packets_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    PresetFeature::both(
        0.2,
        "network_transmit_packets",
        concat!(
            "sum by (instance) (rate(node_network_transmit_packets_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    PresetFeature::above(
        0.1,
        "load_per_core",
        r#"sum by (instance) (node_load1) / count by (instance) (node_cpu_seconds_total{mode="idle"})"#,
    ),
];

/// For a service with the usual counter `http_requests_total{code}` and the classic histogram
/// `http_request_duration_seconds`.
const HTTP: &[PresetFeature] = &[
    PresetFeature::both(
        0.2,
        "request_rate",
        "sum by (instance) (rate(http_requests_total[$__rate_interval]))",
    ),
    PresetFeature::above(
        // One request in 200.
        0.005,
        "error_ratio",
        // Counted on both sides, so that a service without any error series has ratio 0, not none.
        r#"1 - sum by (instance) (rate(http_requests_total{code!~"5.."}[$__rate_interval])) / sum by (instance) (rate(http_requests_total[$__rate_interval]))"#,
    ),
    PresetFeature {
        name: "response_time_p95",
        expression: "histogram_quantile(0.95, sum by (instance, le) (rate(http_request_duration_seconds_bucket[$__rate_interval])))",
        // Doubled: the bounds of a classic histogram are as far apart, and a quantile between two of them is interpolated.
        gate: gate(Direction::Above, 0.0, 1.0),
        unusual_above: None,
    },
];

macro_rules! pseudo_file_systems {
    () => {
        r#""autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|erofs|fuse.lxcfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|ramfs|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs""#
    };
}
use pseudo_file_systems;

macro_rules! real_devices {
    () => {
        r#"{device!~"lo|veth.*|docker.*|br-.*|virbr.*|cali.*|cni.*|flannel.*|tap.*|tun.*|cilium.*|lxc.*|kube.*|nodelocaldns|dummy.*|ifb.*"}"#
    };
}
use real_devices;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FeatureSchema, SchemaSettings};

    #[test]
    fn every_preset_is_a_schema() {
        for name in ["node_exporter", "http"] {
            let features = preset(name).unwrap().columns(DEFAULT_RATE_INTERVAL);
            FeatureSchema::new(SchemaSettings { features, ..SchemaSettings::default() }).unwrap();
        }
        assert_eq!(preset("windows"), None);
    }
}

//! Feature expressions that ship with the product.
//!
//! Entities are `instance`s. Ranges are written `$__rate_interval`, Grafana's name for "long enough for
//! a rate": five minutes by default, which is four scrapes at the common intervals. Pseudo
//! file systems and virtual devices are left out as in the Prometheus node mixin, so that a tmpfs
//! at 100 % or a container's veth never speaks for the machine.

use super::FeatureColumn;
use std::time::Duration;

/// A named list of features by `instance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Feature name and expression, in the order of the columns.
    pub features: &'static [(&'static str, &'static str)],
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
        let column = |(name, expression): &(&str, &str)| FeatureColumn {
            name: (*name).to_owned(),
            expression: with_rate_interval(expression, range),
        };
        self.features.iter().map(column).collect()
    }
}

/// For metrics of node_exporter 1.x on Linux. Shares are 0 to 1, `memory_usage_pct` and
/// `disk_usage_pct` are 0 to 100, traffic is per second.
const NODE_EXPORTER: &[(&str, &str)] = &[
    (
        "cpu_usage_avg",
        r#"1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))"#,
    ),
    (
        // The busiest core: one runaway thread is lost in the average of 64 cores.
        "cpu_usage_max",
        r#"1 - min by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))"#,
    ),
    (
        "memory_usage_pct",
        "100 * (1 - sum by (instance) (node_memory_MemAvailable_bytes) \
         / sum by (instance) (node_memory_MemTotal_bytes))",
    ),
    (
        // The fullest file system. Image mounts (squashfs, iso9660, erofs) are always full.
        "disk_usage_pct",
        concat!(
            r#"100 * max by (instance) (1 - node_filesystem_avail_bytes{fstype!~"#,
            pseudo_file_systems!(),
            r#",mountpoint!=""} / node_filesystem_size_bytes{fstype!~"#,
            pseudo_file_systems!(),
            r#",mountpoint!=""})"#
        ),
    ),
    (
        "disk_io_utilisation",
        r#"max by (instance) (rate(node_disk_io_time_seconds_total{device=~"(/dev/)?(mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+|xvd.+|dm-.+|md.+|dasd.+)"}[$__rate_interval]))"#,
    ),
    (
        "network_receive_bytes",
        concat!(
            "sum by (instance) (rate(node_network_receive_bytes_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    (
        "network_transmit_bytes",
        concat!(
            "sum by (instance) (rate(node_network_transmit_bytes_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    (
        "network_receive_packets",
        concat!(
            "sum by (instance) (rate(node_network_receive_packets_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    (
        "network_transmit_packets",
        concat!(
            "sum by (instance) (rate(node_network_transmit_packets_total",
            real_devices!(),
            "[$__rate_interval]))"
        ),
    ),
    (
        "load_per_core",
        r#"sum by (instance) (node_load1) / count by (instance) (node_cpu_seconds_total{mode="idle"})"#,
    ),
];

/// For a service with the usual counter `http_requests_total{code}` and the classic histogram
/// `http_request_duration_seconds`.
const HTTP: &[(&str, &str)] = &[
    ("request_rate", "sum by (instance) (rate(http_requests_total[$__rate_interval]))"),
    (
        // Counted on both sides, so that a service without any error series has ratio 0, not none.
        "error_ratio",
        r#"1 - sum by (instance) (rate(http_requests_total{code!~"5.."}[$__rate_interval])) / sum by (instance) (rate(http_requests_total[$__rate_interval]))"#,
    ),
    (
        "response_time_p95",
        "histogram_quantile(0.95, sum by (instance, le) (rate(http_request_duration_seconds_bucket[$__rate_interval])))",
    ),
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

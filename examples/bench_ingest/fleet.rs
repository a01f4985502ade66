//! The series of the load: machines with a node_exporter of a thousand series each, 9 to 12 labels.

/// Series of one machine.
pub(crate) const PER_MACHINE: usize = 1_000;

/// How a value moves from scrape to scrape. About half of what a machine exports never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Grows by hundredths of a second, or by whole numbers.
    Counter,
    /// Wanders.
    Gauge,
    /// Stays.
    Constant,
}

/// One series: its own labels (the metric name among them) and its kind.
#[derive(Clone, Debug)]
struct Template {
    labels: Vec<(&'static str, String)>,
    kind: Kind,
}

/// What every machine exports.
#[derive(Debug)]
pub(crate) struct Fleet {
    templates: Vec<Template>,
}

const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
const DISK: [&str; 12] = [
    "discards_completed_total",
    "flush_requests_total",
    "info",
    "io_now",
    "io_time_seconds_total",
    "io_time_weighted_seconds_total",
    "read_bytes_total",
    "read_time_seconds_total",
    "reads_completed_total",
    "write_time_seconds_total",
    "writes_completed_total",
    "written_bytes_total",
];
const NETWORK: [&str; 16] = [
    "receive_bytes_total",
    "receive_compressed_total",
    "receive_drop_total",
    "receive_errs_total",
    "receive_fifo_total",
    "receive_frame_total",
    "receive_multicast_total",
    "receive_packets_total",
    "transmit_bytes_total",
    "transmit_carrier_total",
    "transmit_colls_total",
    "transmit_compressed_total",
    "transmit_drop_total",
    "transmit_errs_total",
    "transmit_fifo_total",
    "transmit_packets_total",
];
const FILE_SYSTEM: [&str; 6] = ["avail_bytes", "files", "files_free", "free_bytes", "readonly", "size_bytes"];
const MOUNTS: [&str; 8] = ["/", "/boot", "/data", "/home", "/opt", "/srv", "/var", "/var/lib/containers"];
const STATES: [&str; 5] = ["activating", "active", "deactivating", "failed", "inactive"];

// === impl Fleet ===

impl Fleet {
    pub(crate) fn new() -> Self {
        let mut templates = Vec::with_capacity(PER_MACHINE);
        let mut add = |metric: String, own: &[(&'static str, String)], kind| {
            let labels = own.iter().cloned().chain([("__name__", metric)]).collect();
            templates.push(Template { labels, kind });
        };
        for cpu in 0..40 {
            for mode in MODES {
                let kind =
                    if matches!(mode, "irq" | "nice" | "steal") { Kind::Constant } else { Kind::Counter };
                let own = [("cpu", cpu.to_string()), ("mode", mode.to_owned())];
                add("node_cpu_seconds_total".to_owned(), &own, kind);
            }
        }
        for disk in 0..10 {
            for what in DISK {
                let kind = match what {
                    "io_now" => Kind::Gauge,
                    "discards_completed_total" | "info" => Kind::Constant,
                    _ => Kind::Counter,
                };
                add(format!("node_disk_{what}"), &[("device", format!("nvme{disk}n1"))], kind);
            }
        }
        for interface in 0..10 {
            for what in NETWORK {
                let moves = what.contains("bytes") || what.contains("packets");
                let kind = if moves { Kind::Counter } else { Kind::Constant };
                add(format!("node_network_{what}"), &[("device", format!("eth{interface}"))], kind);
            }
        }
        for mount in MOUNTS {
            for what in FILE_SYSTEM {
                let moves = matches!(what, "avail_bytes" | "files_free" | "free_bytes");
                let own = [
                    ("device", format!("/dev/mapper/vg0{}", mount.replace('/', "-"))),
                    ("fstype", "ext4".to_owned()),
                    ("mountpoint", mount.to_owned()),
                ];
                add(
                    format!("node_filesystem_{what}"),
                    &own,
                    if moves { Kind::Gauge } else { Kind::Constant },
                );
            }
        }
        for unit in 0..50 {
            for state in STATES {
                let own = [
                    ("name", format!("unit-{unit}.service")),
                    ("state", state.to_owned()),
                    ("type", "simple".to_owned()),
                ];
                add("node_systemd_unit_state".to_owned(), &own, Kind::Constant);
            }
        }
        for field in templates.len()..PER_MACHINE {
            let kind = if field % 3 == 0 { Kind::Constant } else { Kind::Gauge };
            let labels = vec![("__name__", format!("node_memory_Field{field}_bytes"))];
            templates.push(Template { labels, kind });
        }
        Self { templates }
    }

    /// The labels of series `n`, sorted by name, and how its values move.
    pub(crate) fn series(&self, n: usize) -> (Vec<(&'static str, String)>, Kind) {
        const REGIONS: [&str; 3] = ["ap-south-1", "eu-west-1", "us-east-1"];
        let machine = n / PER_MACHINE;
        let template = &self.templates[n % PER_MACHINE];
        let mut labels = vec![
            ("cluster", format!("production-{}", machine % 4)),
            ("datacenter", format!("dc{}", machine % 7)),
            ("env", "production".to_owned()),
            ("instance", format!("10.{}.{}.{}:9100", machine / 65_536, machine / 256 % 256, machine % 256)),
            ("job", "node-exporter".to_owned()),
            ("namespace", "monitoring".to_owned()),
            ("pod", format!("node-exporter-{:05x}", machine * 40_503 % 0xf_ffff)),
            ("region", REGIONS[machine % 3].to_owned()),
        ];
        labels.extend(template.labels.iter().cloned());
        labels.sort();
        (labels, template.kind)
    }
}

//! What node_exporter would say of a machine: its metric names, labels and types.

use super::{
    machine::{Conditions, Machine},
    registry::{Counter, Gauge, Registry},
};
use crate::series::TimestampMs;
use rand::{Rng, RngExt};

/// `node_cpu_seconds_total` by mode; idle takes what the others leave.
const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];

/// The exporter itself stays what it is.
const EXPORTER_VERSION: &str = "1.9.1";

/// The metrics of one machine.
#[derive(Debug)]
pub(super) struct NodeExporter {
    pub(super) registry: Registry,
    up: Gauge,
    boot_time: Gauge,
    start_time: Gauge,
    cpu: Vec<[Counter; MODES.len()]>,
    memory: Memory,
    root: FileSystem,
    data: FileSystem,
    disk: Disk,
    eth0: Interface,
    lo: Interface,
    load: [Gauge; 3],
    /// Decaying averages behind `node_load1`, `5`, `15`.
    load_levels: [f64; 3],
    /// Bytes of files the kernel keeps in memory if nobody needs the room.
    cached_bytes: f64,
}

#[derive(Debug)]
struct Memory {
    total: Gauge,
    available: Gauge,
    free: Gauge,
    buffers: Gauge,
    cached: Gauge,
}

#[derive(Debug)]
struct FileSystem {
    size: Gauge,
    available: Gauge,
    free: Gauge,
}

#[derive(Debug)]
struct Disk {
    io_time: Counter,
    read: Counter,
    written: Counter,
}

#[derive(Debug)]
struct Interface {
    receive_bytes: Counter,
    receive_packets: Counter,
    transmit_bytes: Counter,
    transmit_packets: Counter,
}

// === impl NodeExporter ===

impl NodeExporter {
    pub(super) fn new(instance: &str, machine: &Machine, boot_time: TimestampMs) -> Self {
        let mut registry = Registry::new(instance, "node");
        let up = registry.gauge("up", &[]);
        let boot_time_gauge = registry.gauge("node_boot_time_seconds", &[]);
        let start_time = registry.gauge("process_start_time_seconds", &[]);
        let build_info = registry.gauge("node_exporter_build_info", &[("version", EXPORTER_VERSION)]);
        let cpu = (0..machine.cores)
            .map(|core| {
                let core = core.to_string();
                MODES.map(|mode| {
                    registry.counter("node_cpu_seconds_total", &[("cpu", core.as_str()), ("mode", mode)])
                })
            })
            .collect();
        let mut exporter = Self {
            memory: Memory::register(&mut registry),
            root: FileSystem::register(&mut registry, "/dev/nvme0n1p1", "/"),
            data: FileSystem::register(&mut registry, "/dev/nvme0n1p2", "/data"),
            disk: Disk::register(&mut registry, "nvme0n1"),
            eth0: Interface::register(&mut registry, "eth0"),
            lo: Interface::register(&mut registry, "lo"),
            load: ["node_load1", "node_load5", "node_load15"].map(|name| registry.gauge(name, &[])),
            load_levels: [0.0; 3],
            cached_bytes: 0.3 * machine.memory_bytes,
            up,
            boot_time: boot_time_gauge,
            start_time,
            cpu,
            registry,
        };
        exporter.registry.set(up, 1.0);
        exporter.registry.set(build_info, 1.0);
        exporter.started(boot_time);
        exporter
    }

    /// Adds what happened in the `elapsed_s` seconds before a scrape.
    pub(super) fn record(&mut self, machine: &Machine, now: &Conditions, elapsed_s: f64, rng: &mut impl Rng) {
        self.record_cpu(now, elapsed_s, rng);
        self.record_memory(machine, now, elapsed_s);
        let registry = &mut self.registry;
        self.root.record(registry, machine.root_bytes, now.root_used_bytes);
        self.data.record(registry, machine.data_bytes, now.data_used_bytes);
        registry.add(self.disk.io_time, now.disk_utilisation * elapsed_s);
        registry.add(self.disk.read, (now.read_bytes * elapsed_s).round());
        registry.add(self.disk.written, (now.written_bytes * elapsed_s).round());
        self.eth0.record(registry, now.receive_bytes * elapsed_s, now.transmit_bytes * elapsed_s);
        let local = (2e3 + 300.0 * now.requests) * elapsed_s;
        self.lo.record(registry, local, local);
        for ((gauge, level), minutes) in self.load.iter().zip(&mut self.load_levels).zip([1.0, 5.0, 15.0]) {
            let keep = (-elapsed_s / (60.0 * minutes)).exp();
            *level = *level * keep + now.runnable * (1.0 - keep);
            registry.set(*gauge, (*level * 100.0).round() / 100.0);
        }
    }

    fn record_cpu(&mut self, now: &Conditions, elapsed_s: f64, rng: &mut impl Rng) {
        for core in &self.cpu {
            // Cores differ a little; full ones do not, so that no core is more than busy.
            let uneven = 0.1 * (rng.random::<f64>() - 0.5) * (1.0 - now.busy).min(now.busy);
            let busy = (now.busy + uneven).clamp(0.0, 1.0);
            let iowait = now.iowait.min(1.0 - busy);
            let nice = now.nice.min(busy);
            let rest = busy - nice;
            let shares =
                [1.0 - busy - iowait, iowait, 0.0, nice, 0.04 * rest, 0.01 * rest, 0.2 * rest, 0.75 * rest];
            for (counter, share) in core.iter().zip(shares) {
                self.registry.add(*counter, share.max(0.0) * elapsed_s);
            }
        }
    }

    fn record_memory(&mut self, machine: &Machine, now: &Conditions, elapsed_s: f64) {
        let total = machine.memory_bytes;
        // The kernel fills unused memory with files it has read and gives them up when it must.
        self.cached_bytes += now.read_bytes * elapsed_s * 0.2;
        self.cached_bytes = self.cached_bytes.min(0.35 * total);
        let rest = (total - now.anonymous_bytes).max(0.0);
        let cached = self.cached_bytes.min(0.75 * rest);
        self.cached_bytes = cached;
        let buffers = (0.01 * total).min(0.05 * rest);
        let free = rest - cached - buffers;
        let available = free + 0.85 * (cached + buffers);
        for (gauge, bytes) in [
            (self.memory.total, total),
            (self.memory.available, available),
            (self.memory.free, free),
            (self.memory.buffers, buffers),
            (self.memory.cached, cached),
        ] {
            // Pages of 4 KiB, as the kernel counts.
            self.registry.set(gauge, (bytes / 4096.0).floor() * 4096.0);
        }
    }

    /// The machine has started again: counters at zero, nothing cached, no load yet.
    pub(super) fn reboot(&mut self, at: TimestampMs) {
        self.registry.reset_counters();
        self.started(at);
        self.load_levels = [0.0; 3];
        self.cached_bytes = 0.0;
    }

    /// The machine was started at `boot_time`, and the exporter with it.
    fn started(&mut self, boot_time: TimestampMs) {
        self.registry.set(self.boot_time, boot_time.seconds().floor());
        self.registry.set(self.start_time, boot_time.seconds());
    }

    /// Whether the last scrape reached the machine.
    pub(super) fn set_up(&mut self, up: bool) {
        self.registry.set(self.up, f64::from(u8::from(up)));
    }
}

// === impl parts ===

impl Memory {
    fn register(registry: &mut Registry) -> Self {
        Self {
            total: registry.gauge("node_memory_MemTotal_bytes", &[]),
            available: registry.gauge("node_memory_MemAvailable_bytes", &[]),
            free: registry.gauge("node_memory_MemFree_bytes", &[]),
            buffers: registry.gauge("node_memory_Buffers_bytes", &[]),
            cached: registry.gauge("node_memory_Cached_bytes", &[]),
        }
    }
}

impl FileSystem {
    fn register(registry: &mut Registry, device: &str, mountpoint: &str) -> Self {
        let labels = [("device", device), ("fstype", "ext4"), ("mountpoint", mountpoint)];
        Self {
            size: registry.gauge("node_filesystem_size_bytes", &labels),
            available: registry.gauge("node_filesystem_avail_bytes", &labels),
            free: registry.gauge("node_filesystem_free_bytes", &labels),
        }
    }

    fn record(&self, registry: &mut Registry, size: f64, used: f64) {
        let free = (size - used).max(0.0).floor();
        registry.set(self.size, size);
        registry.set(self.free, free);
        // Five per cent are reserved for root, as mkfs.ext4 does.
        registry.set(self.available, (free - 0.05 * size).max(0.0).floor());
    }
}

impl Disk {
    fn register(registry: &mut Registry, device: &str) -> Self {
        let labels = [("device", device)];
        Self {
            io_time: registry.counter("node_disk_io_time_seconds_total", &labels),
            read: registry.counter("node_disk_read_bytes_total", &labels),
            written: registry.counter("node_disk_written_bytes_total", &labels),
        }
    }
}

impl Interface {
    const BYTES_PER_PACKET: f64 = 900.0;

    fn register(registry: &mut Registry, device: &str) -> Self {
        let labels = [("device", device)];
        Self {
            receive_bytes: registry.counter("node_network_receive_bytes_total", &labels),
            receive_packets: registry.counter("node_network_receive_packets_total", &labels),
            transmit_bytes: registry.counter("node_network_transmit_bytes_total", &labels),
            transmit_packets: registry.counter("node_network_transmit_packets_total", &labels),
        }
    }

    fn record(&self, registry: &mut Registry, received: f64, transmitted: f64) {
        // Every second packet is acknowledged by one in the other direction.
        let (inward, outward) = (received / Self::BYTES_PER_PACKET, transmitted / Self::BYTES_PER_PACKET);
        registry.add(self.receive_bytes, received.round());
        registry.add(self.receive_packets, (inward + outward / 2.0).round());
        registry.add(self.transmit_bytes, transmitted.round());
        registry.add(self.transmit_packets, (outward + inward / 2.0).round());
    }
}

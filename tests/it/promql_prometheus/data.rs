//! Seeded samples with everything that makes PromQL hard: resets, gaps, jitter, stale markers,
//! late series, NaN and infinities, classic histograms.

use emberwatch::series::{LabelSet, METRIC_NAME, STALE_NAN, Sample, TimestampMs};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(super) const MINUTE: i64 = 60_000;

/// How much time the data covers.
pub(super) const LENGTH: i64 = 36 * MINUTE;

const SCRAPE: i64 = 15_000;

/// Series with their samples.
pub(super) type Series = Vec<(LabelSet, Vec<Sample>)>;

/// The data set, from `start` on; the same for the same `start`.
pub(super) fn generate(start: TimestampMs) -> Series {
    let mut maker = Maker { start, rng: Xoshiro256PlusPlus::seed_from_u64(42), series: Vec::new() };
    for instance in ["a", "b", "c", "d"] {
        maker.node(instance);
    }
    for instance in ["x", "y"] {
        for handler in ["/", "/api"] {
            maker.http(instance, handler);
        }
    }
    maker.oddities();
    maker.series
}

struct Maker {
    start: TimestampMs,
    rng: Xoshiro256PlusPlus,
    series: Series,
}

impl Maker {
    /// The times of one target's scrapes: jittered, some missed, `b` with a long gap.
    fn scrapes(&mut self, instance: &str) -> Vec<i64> {
        let mut times: Vec<i64> = Vec::new();
        let mut at = self.rng.random_range(0..SCRAPE);
        while at < LENGTH {
            let jittered = at + self.rng.random_range(-1500..1500);
            let missed = self.rng.random_range(0..25) == 0;
            let in_gap = instance == "b" && (10 * MINUTE..17 * MINUTE).contains(&at);
            if !missed && !in_gap && jittered >= 0 {
                times.push(jittered);
            }
            at += SCRAPE;
        }
        times
    }

    /// Adds a series; `c` ends with a stale marker after 20 minutes and comes back after 27.
    fn add(&mut self, metric: &str, labels: &[(&str, &str)], samples: Vec<(i64, f64)>) {
        let ends = labels.contains(&("instance", "c"));
        let mut written = Vec::new();
        let mut marked = false;
        for (at, value) in samples {
            let away = ends && (20 * MINUTE..27 * MINUTE).contains(&at);
            if !away || !marked {
                let value = if away { STALE_NAN } else { value };
                written.push(Sample::new(self.start.0 + at, value));
                marked |= away;
            }
        }
        let pairs = labels.iter().copied().chain([(METRIC_NAME, metric)]);
        self.series.push((LabelSet::from_pairs(pairs).unwrap(), written));
    }

    /// A counter that grows by `growth` a scrape on average; `b`'s start anew after 20 minutes.
    fn counter(&mut self, times: &[i64], resets: bool, growth: f64) -> Vec<(i64, f64)> {
        let mut value = self.rng.random_range(0.0..growth * 3.0);
        let mut before_reset = resets;
        times
            .iter()
            .map(|at| {
                if before_reset && *at > 20 * MINUTE {
                    (value, before_reset) = (0.0, false);
                }
                value += self.rng.random_range(0.0..growth * 2.0);
                (*at, value)
            })
            .collect()
    }

    fn gauge(&mut self, times: &[i64], middle: f64) -> Vec<(i64, f64)> {
        times.iter().map(|at| (*at, middle * self.rng.random_range(0.5..1.5))).collect()
    }

    fn node(&mut self, instance: &str) {
        let times = self.scrapes(instance);
        let node = [("instance", instance), ("job", "node")];
        let resets = instance == "b";
        for cpu in ["0", "1"] {
            for (mode, growth) in [("idle", 12.0), ("user", 2.0), ("system", 0.7)] {
                let samples = self.counter(&times, resets, growth);
                let labels = [node[0], node[1], ("cpu", cpu), ("mode", mode)];
                self.add("node_cpu_seconds_total", &labels, samples);
            }
        }
        for (metric, middle) in
            [("node_memory_MemAvailable_bytes", 4e9), ("node_load1", 1.7), ("node_temp_celsius", -3.0)]
        {
            let samples = self.gauge(&times, middle);
            self.add(metric, &node, samples);
        }
        self.add("node_memory_MemTotal_bytes", &node, times.iter().map(|at| (*at, 16e9)).collect());
        self.add("up", &node, times.iter().map(|at| (*at, f64::from(u8::from(at % 7 != 0)))).collect());
        for device in ["sda", "sdb"] {
            let labels = [node[0], node[1], ("device", device)];
            let samples = self.counter(&times, resets, 5e6);
            self.add("node_disk_read_bytes_total", &labels, samples);
            let samples = self.gauge(&times, 3e11);
            self.add("node_filesystem_avail_bytes", &labels, samples);
        }
        let info = [node[0], ("nodename", &*format!("host-{instance}")), ("release", "6.1")];
        self.add("node_uname_info", &info, times.iter().map(|at| (*at, 1.0)).collect());
    }

    /// A classic histogram and a request counter; bucket counts are cumulative.
    fn http(&mut self, instance: &str, handler: &str) {
        let times = self.scrapes(instance);
        let target = [("instance", instance), ("job", "api"), ("handler", handler)];
        let bounds = ["0.005", "0.05", "0.1", "0.5", "1", "2.5", "+Inf"];
        let counters: Vec<_> = bounds.iter().map(|_| self.counter(&times, instance == "y", 9.0)).collect();
        let mut cumulative = vec![0.0; times.len()];
        for (bound, counter) in bounds.iter().zip(&counters) {
            for (total, (_, count)) in cumulative.iter_mut().zip(counter) {
                *total += count.round();
            }
            let samples = times.iter().copied().zip(cumulative.iter().copied()).collect();
            let labels = [target[0], target[1], target[2], ("le", bound)];
            self.add("http_request_duration_seconds_bucket", &labels, samples);
        }
        let samples: Vec<_> = times.iter().copied().zip(cumulative).collect();
        self.add("http_request_duration_seconds_count", &target, samples);
        for (code, growth) in [("200", 50.0), ("404", 2.0), ("500", 0.3)] {
            let labels = [target[0], target[1], target[2], ("code", code)];
            let samples = self.counter(&times, false, growth);
            self.add("http_requests_total", &labels, samples);
        }
    }

    fn oddities(&mut self) {
        let times: Vec<i64> = (0..LENGTH / SCRAPE).map(|n| n * SCRAPE).collect();
        let at_all = |value: f64| times.iter().map(|at| (*at, value)).collect::<Vec<_>>();
        let cycle =
            |values: &[f64]| times.iter().copied().zip(values.iter().copied().cycle()).collect::<Vec<_>>();
        for (kind, samples) in [
            ("nan", at_all(f64::NAN)),
            ("inf", at_all(f64::INFINITY)),
            ("neginf", at_all(f64::NEG_INFINITY)),
            ("big", at_all(1.7e308)),
            ("huge", at_all(1.6e308)),
            ("five", at_all(5.0)),
            ("zero", at_all(0.0)),
            ("mixed", cycle(&[1.0, f64::NAN, f64::INFINITY, -2.0])),
            ("opposite", cycle(&[f64::INFINITY, f64::NEG_INFINITY, 3.0])),
            ("cancelling", cycle(&[1.0, 1e100, 1.0, -1e100])),
            ("holes", cycle(&[4.0, 4.0, f64::NAN, f64::NAN, 2.0, 7.5, -7.5])),
        ] {
            self.add("odd", &[("kind", kind)], samples);
        }
        let every = |ms: i64| (0..LENGTH / ms).map(|n| (n * ms, (n * n) as f64)).collect::<Vec<_>>();
        self.add("sparse_total", &[("every", "100s")], every(100_000));
        self.add("sparse_total", &[("every", "280s")], every(280_000));
        self.add("late_total", &[], every(SCRAPE).split_off(80));
        self.add("newborn_total", &[], every(SCRAPE)[60..].iter().map(|(at, v)| (*at, v - 3600.0)).collect());
        self.add("same_a_total", &[("l", "1")], every(SCRAPE));
        self.add("same_b_total", &[("l", "1")], every(SCRAPE));
        self.add("my.metric", &[("my.label", "ä\"\\")], every(SCRAPE));
        self.churn();
        for name in
            ["by", "offset", "sum", "without", "start", "end", "limitk", "unless", "or", "early_total"]
        {
            self.add(name, &[("word", "yes")], every(120_000));
        }
        for disk in ["2", "10", "1", "x2", "x10", "x1y", "x1"] {
            let samples = self.gauge(&times, 3.0);
            self.add("disks", &[("disk", disk)], samples);
        }
        for (le, share) in [("1", 0.2), ("1.0", 0.1), ("2", 0.25), ("5", 0.9), ("+Inf", 1.0), ("x", 9.0)] {
            let samples = times.iter().map(|at| (*at, share * (*at / SCRAPE) as f64)).collect();
            self.add("falling_bucket", &[("le", le)], samples);
        }
        for (le, count) in [("-1", 3.0), ("0", 5.0), ("2", 8.0), ("+Inf", 9.0)] {
            self.add("shifted_bucket", &[("le", le)], at_all(count));
        }
        for (le, count) in [("1", 3.0), ("2", 5.0)] {
            self.add("open_bucket", &[("le", le)], at_all(count));
        }
    }
    /// Series that replace one another: pods of an app, a version, and two halves of what becomes one
    /// series when its name is dropped.
    fn churn(&mut self) {
        let times: Vec<i64> = (0..LENGTH / SCRAPE).map(|n| n * SCRAPE).collect();
        let within = |from: i64, until: i64| {
            times
                .iter()
                .copied()
                .filter(|at| (from * MINUTE..until * MINUTE).contains(at))
                .collect::<Vec<_>>()
        };
        for (pod, app, from, until) in [
            ("p1", "a", 0, 9),
            ("p2", "a", 9, 19),
            ("p3", "a", 25, 36),
            ("q1", "b", 3, 36),
            ("q2", "b", 20, 24),
        ] {
            let samples = self.counter(&within(from, until), false, 3.0);
            self.add("churn", &[("pod", pod), ("app", app)], samples);
        }
        for (app, zone) in [("a", "z1"), ("b", "z2")] {
            let samples = within(0, 36).into_iter().map(|at| (at, 2.0)).collect();
            self.add("app_info", &[("app", app), ("zone", zone)], samples);
        }
        for (version, from, until) in [("1", 0, 12), ("2", 12, 36)] {
            let samples = within(from, until).into_iter().map(|at| (at, 1.0)).collect();
            self.add("app_version", &[("app", "a"), ("version", version)], samples);
        }
        for (name, from, until) in [("half_a_total", 0, 12), ("half_b_total", 20, 36)] {
            let samples = self.counter(&within(from, until), false, 1.0);
            self.add(name, &[("l", "2")], samples);
        }
    }
}

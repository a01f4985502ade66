//! Seeded random expressions: combinations that nobody would write down.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const SELECTORS: &[&str] = &[
    "up",
    "node_load1",
    "node_cpu_seconds_total{mode=\"idle\"}",
    "node_cpu_seconds_total",
    "node_disk_read_bytes_total",
    "node_filesystem_avail_bytes",
    "node_uname_info",
    "http_requests_total{instance=\"x\"}",
    "http_request_duration_seconds_bucket",
    "sparse_total",
    "odd{kind!~\"big|huge|cancelling\"}",
    "{__name__=~\"same_._total|late_total\"}",
];

const RANGE_FUNCTIONS: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
];

const AGGREGATIONS: &[&str] = &["sum", "avg", "min", "max", "count", "group"];

const FUNCTIONS: &[&str] = &["abs", "ceil", "floor", "sgn", "sqrt", "-", "+"];

// No `-` and `%`: they turn the last bit of a sum taken in another order into the first.
const OPERATORS: &[&str] = &["+", "*", "/", ">", "<=", "> bool", "!= bool", "and", "or", "unless"];

const LABELS: &[&str] =
    &["instance", "job", "cpu", "mode", "device", "code", "handler", "kind", "le", "nodename"];

/// `count` expressions of type instant vector; the same for the same `seed`.
pub(super) fn expressions(seed: u64, count: usize) -> Vec<String> {
    let mut writer = Writer { rng: Xoshiro256PlusPlus::seed_from_u64(seed) };
    (0..count).map(|_| writer.vector(3)).collect()
}

struct Writer {
    rng: Xoshiro256PlusPlus,
}

impl Writer {
    fn one_of(&mut self, list: &[&'static str]) -> &'static str {
        list[self.rng.random_range(0..list.len())]
    }

    fn labels(&mut self) -> String {
        let count = self.rng.random_range(0..4);
        (0..count).map(|_| self.one_of(LABELS)).collect::<Vec<_>>().join(", ")
    }

    fn vector(&mut self, depth: usize) -> String {
        match self.rng.random_range(0..if depth == 0 { 2 } else { 8 }) {
            0 => format!("{}{}", self.one_of(SELECTORS), self.offset()),
            1 => {
                let (function, selector) = (self.one_of(RANGE_FUNCTIONS), self.one_of(SELECTORS));
                let seconds = self.rng.random_range(20..700);
                format!("{function}({selector}[{seconds}s]{})", self.offset())
            }
            2 | 3 => {
                let (op, inner) = (self.one_of(AGGREGATIONS), self.vector(depth - 1));
                let grouping = self.one_of(&["by", "without"]);
                format!("{op} {grouping} ({}) ({inner})", self.labels())
            }
            4 => {
                let (function, inner) = (self.one_of(FUNCTIONS), self.vector(depth - 1));
                format!("{function}({inner})")
            }
            5 => {
                let (vector, number) = (self.vector(depth - 1), self.rng.random_range(-20..20));
                let op = self.one_of(&OPERATORS[..7]);
                if self.rng.random_range(0..2) == 0 {
                    format!("({vector}) {op} {number}")
                } else {
                    format!("{number} {op} ({vector})")
                }
            }
            6 => {
                format!("histogram_quantile(0.{}, {})", self.rng.random_range(0..100), self.vector(depth - 1))
            }
            _ => {
                let (left, right) = (self.vector(depth - 1), self.vector(depth - 1));
                let op = self.one_of(OPERATORS);
                format!("({left}) {op} {} ({right})", self.matching(op))
            }
        }
    }

    fn offset(&mut self) -> String {
        match self.rng.random_range(0..6) {
            0 => format!(" offset {}s", self.rng.random_range(1..400)),
            1 => format!(" offset -{}s", self.rng.random_range(1..400)),
            _ => String::new(),
        }
    }

    fn matching(&mut self, op: &str) -> String {
        let matching = self.one_of(&["on", "ignoring"]);
        let labels = self.labels();
        let group = match self.rng.random_range(0..4) {
            _ if ["and", "or", "unless"].contains(&op) => String::new(),
            0 => "group_left ()".to_owned(),
            1 => "group_right ()".to_owned(),
            2 => format!("group_left ({})", self.labels()),
            _ => String::new(),
        };
        format!("{matching} ({labels}) {group}")
    }
}

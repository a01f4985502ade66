//! Seeded random expressions: combinations that nobody would write down.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const SELECTORS: &[&str] = &[
    "up",
    "node_load1",
    "node_temp_celsius",
    "node_cpu_seconds_total{mode=\"idle\"}",
    "node_cpu_seconds_total",
    "node_disk_read_bytes_total",
    "node_filesystem_avail_bytes",
    "node_uname_info",
    "http_requests_total{instance=\"x\"}",
    "http_request_duration_seconds_bucket",
    "sparse_total",
    "churn",
    "app_info",
    "app_version",
    "odd{kind!~\"big|huge|cancelling\"}",
    "{__name__=~\"same_._total|late_total\"}",
    "{__name__=~\"half_._total\"}",
];

/// Selectors whose values at one time all differ, so that there is one answer to who is largest.
const DISTINCT: &[&str] = &[
    "node_load1",
    "node_temp_celsius",
    "node_filesystem_avail_bytes",
    "node_disk_read_bytes_total",
    "churn",
];

/// Range functions that keep an error in the last bit small.
const STEADY_RANGE_FUNCTIONS: &[&str] = &[
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
];

const RANGE_FUNCTIONS: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "deriv",
    "stddev_over_time",
    "stdvar_over_time",
    "mad_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
];

/// Those whose result does not depend on the order of the series; the others are only exact up to the
/// last bits, as sums are taken in another order.
const EXACT_AGGREGATIONS: &[&str] = &["min", "max", "count", "group"];

const AGGREGATIONS: &[&str] = &["sum", "avg"];

/// Functions that turn the last bit into the first.
const JUMPING_FUNCTIONS: &[&str] =
    &["ceil", "floor", "sgn", "round", "day_of_week", "hour", "month", "minute", "day_of_year"];

const FUNCTIONS: &[&str] = &["abs", "sqrt", "-", "+", "deg", "rad", "sort", "sort_desc", "timestamp"];

/// Two implementations of these may differ in the last bit.
const TRANSCENDENTAL_FUNCTIONS: &[&str] = &["ln", "log2", "log10", "atan", "asinh", "tanh"];

const STEADY_OPERATORS: &[&str] = &["*", "/", "and", "or", "unless"];

const OPERATORS: &[&str] =
    &["+", "-", "%", "*", "/", ">", "<=", "==", "> bool", "!= bool", "atan2", "and", "or", "unless"];

const LABELS: &[&str] = &[
    "instance", "job", "cpu", "mode", "device", "code", "handler", "kind", "le", "nodename", "pod", "app",
    "version", "l",
];

/// `count` expressions of type instant vector; the same for the same `seed`.
pub(super) fn expressions(seed: u64, count: usize) -> Vec<String> {
    let mut writer = Writer { rng: Xoshiro256PlusPlus::seed_from_u64(seed) };
    (0..count).map(|_| writer.vector(3).text).collect()
}

/// An expression of type instant vector.
struct Written {
    text: String,
    /// Whether both sides know its values to the last bit.
    exact: bool,
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

    fn grouping(&mut self) -> String {
        match self.rng.random_range(0..5) {
            0 => String::new(),
            1 | 2 => format!("by ({})", self.labels()),
            _ => format!("without ({})", self.labels()),
        }
    }

    fn vector(&mut self, depth: usize) -> Written {
        let exact = |text| Written { text, exact: true };
        match self.rng.random_range(0..if depth == 0 { 3 } else { 17 }) {
            0 => exact(format!("{}{}", self.one_of(SELECTORS), self.moment())),
            1 | 2 => {
                let (selector, seconds) = (self.one_of(SELECTORS), self.rng.random_range(20..700));
                let range = format!("{selector}[{seconds}s]{}", self.moment());
                self.range_call(range, true)
            }
            3 | 4 => self.subquery(depth),
            5..=7 => self.aggregation(depth),
            8 => self.choice(),
            9 | 10 => self.function(depth),
            11 => self.with_scalar(depth),
            12 => self.relabelled(depth),
            13 => {
                let inner = self.vector(depth - 1).text;
                let call = if self.rng.random_range(0..2) == 0 {
                    format!("histogram_quantile(0.{}, {inner})", self.rng.random_range(0..100))
                } else {
                    format!("histogram_fraction({}, {}, {inner})", self.number(), self.number())
                };
                Written { text: call, exact: false }
            }
            _ => self.binary(depth),
        }
    }

    fn subquery(&mut self, depth: usize) -> Written {
        let inner = self.vector(depth - 1);
        let (range, step) = (self.rng.random_range(60..900), self.rng.random_range(10..200));
        let step = if self.rng.random_range(0..4) == 0 { String::new() } else { format!("{step}s") };
        let range = format!("({})[{range}s:{step}]{}", inner.text, self.moment());
        self.range_call(range, inner.exact)
    }

    fn range_call(&mut self, range: String, exact: bool) -> Written {
        let text = match self.rng.random_range(0..if exact { 9 } else { 3 }) {
            0..=2 => format!("{}({range})", self.one_of(STEADY_RANGE_FUNCTIONS)),
            3 => format!("quantile_over_time(0.{}, {range})", self.rng.random_range(0..100)),
            4 => format!("quantile_over_time({}, {range})", self.scalar()),
            5 => format!("absent_over_time({range})"),
            6 => format!("double_exponential_smoothing({range}, 0.4, 0.{})", self.rng.random_range(1..10)),
            _ => return Written { text: format!("{}({range})", self.one_of(RANGE_FUNCTIONS)), exact: true },
        };
        Written { text, exact }
    }

    fn aggregation(&mut self, depth: usize) -> Written {
        let inner = self.vector(depth - 1);
        let grouping = self.grouping();
        let (op, exact) = match self.rng.random_range(0..6) {
            0 | 1 => (self.one_of(AGGREGATIONS).to_owned(), false),
            2 if inner.exact => ("count_values".to_owned(), true),
            3 => ("quantile".to_owned(), inner.exact),
            _ => (self.one_of(EXACT_AGGREGATIONS).to_owned(), inner.exact),
        };
        let parameter = match op.as_str() {
            "count_values" => "\"value\", ".to_owned(),
            "quantile" => format!("0.{}, ", self.rng.random_range(0..100)),
            _ => String::new(),
        };
        Written { text: format!("{op} {grouping} ({parameter}{})", inner.text), exact }
    }

    /// The largest and the smallest, where no two are equal.
    fn choice(&mut self) -> Written {
        let (op, count) = (self.one_of(&["topk", "bottomk"]), self.rng.random_range(1..4));
        let (grouping, of) = (self.grouping(), self.one_of(DISTINCT));
        Written { text: format!("{op} {grouping} ({count}, {of}{})", self.moment()), exact: true }
    }

    fn function(&mut self, depth: usize) -> Written {
        let inner = self.vector(depth - 1);
        let (function, exact) = match self.rng.random_range(0..5) {
            0 if inner.exact => (self.one_of(JUMPING_FUNCTIONS), true),
            1 => (self.one_of(TRANSCENDENTAL_FUNCTIONS), false),
            2 => ("absent", true),
            _ => (self.one_of(FUNCTIONS), inner.exact),
        };
        let text = match self.rng.random_range(0..8) {
            0 => format!("clamp({}, {}, {})", inner.text, self.number(), self.scalar()),
            1 => format!("clamp_{}({}, {})", self.one_of(&["min", "max"]), inner.text, self.number()),
            _ => return Written { text: format!("{function}({})", inner.text), exact },
        };
        Written { text, exact: inner.exact }
    }

    fn with_scalar(&mut self, depth: usize) -> Written {
        let (vector, scalar) = (self.vector(depth - 1), self.scalar());
        // The last operators are for two vectors.
        let operators = if vector.exact { &OPERATORS[..10] } else { &STEADY_OPERATORS[..2] };
        let (op, vector, exact) = (self.one_of(operators), vector.text, vector.exact);
        let text = if self.rng.random_range(0..2) == 0 {
            format!("({vector}) {op} {scalar}")
        } else {
            format!("{scalar} {op} ({vector})")
        };
        Written { text, exact }
    }

    fn relabelled(&mut self, depth: usize) -> Written {
        let Written { text, exact } = self.vector(depth - 1);
        let (target, source) = (self.one_of(LABELS), self.one_of(LABELS));
        let text = if self.rng.random_range(0..2) == 0 {
            let template = self.one_of(&["$1", "x${1}y", "", "$0-$2"]);
            format!("label_replace({text}, \"{target}\", \"{template}\", \"{source}\", \"(.).*\")")
        } else {
            format!("label_join({text}, \"{target}\", \"-\", \"{source}\", \"instance\")")
        };
        Written { text, exact }
    }

    fn binary(&mut self, depth: usize) -> Written {
        let (left, right) = (self.vector(depth - 1), self.vector(depth - 1));
        let exact = left.exact && right.exact;
        let op = self.one_of(if exact { OPERATORS } else { STEADY_OPERATORS });
        let matching = if self.rng.random_range(0..6) == 0 { String::new() } else { self.matching(op) };
        let exact = exact && op != "atan2";
        Written { text: format!("({}) {op} {matching} ({})", left.text, right.text), exact }
    }

    fn number(&mut self) -> String {
        ["-1", "0", "0.3", "2", "17", "-Inf", "Inf", "NaN"][self.rng.random_range(0..8)].to_owned()
    }

    fn scalar(&mut self) -> String {
        match self.rng.random_range(0..4) {
            0 => "time() % 7".to_owned(),
            1 => "scalar(node_load1{instance=\"a\"})".to_owned(),
            _ => format!("{}", self.rng.random_range(-20..20)),
        }
    }

    fn moment(&mut self) -> String {
        match self.rng.random_range(0..12) {
            0 => format!(" offset {}s", self.rng.random_range(1..400)),
            1 => format!(" offset -{}s", self.rng.random_range(1..400)),
            2 => " @ end()".to_owned(),
            3 => format!(" @ start() offset {}s", self.rng.random_range(1..400)),
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
            // The included labels must not be among the matched ones.
            2 if matching == "ignoring" => format!("group_left ({})", self.labels()),
            _ => String::new(),
        };
        format!("{matching} ({labels}) {group}")
    }
}

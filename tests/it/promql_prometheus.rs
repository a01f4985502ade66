//! PromQL against its judge: the same samples and expressions to a real Prometheus and to ours.

mod data;

mod expressions;

mod mutation;

mod random;

use crate::support::{
    http::{self, percent_encoded},
    peers,
    process::{Process, free_address},
    remote_write,
};
use data::{LENGTH, MINUTE};
use emberwatch::{
    promql::{Plan, Value, merge, parse},
    series::{LabelSet, Sample, SampleBatch, TimestampMs, series_hash},
    window::{self, Store},
};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// How far two values may differ, relative to the larger one: sums are taken in another order.
const TOLERANCE: f64 = 1e-12;

/// What one side says to one expression at one time.
#[derive(Debug)]
#[expect(dead_code, reason = "messages are read by whoever reads a failure, through Debug")]
enum Answer {
    Scalar(f64),
    Vector(BTreeMap<BTreeMap<String, String>, f64>),
    /// A range vector or a string: nothing that a feature can be.
    OtherType,
    /// The expression itself is refused.
    Refused(String),
    /// The data does not allow the operation.
    Failed(String),
}

/// For all expressions and times, our answer is that of Prometheus: the same labels, values
/// within 1e-12, an error where it has one; and it is the same to the last bit whether the
/// series lie in 1, 2 or 8 shards.
#[test]
fn answers_are_those_of_prometheus() {
    let Some(binary) = peers::find("prometheus") else { return };
    let start = TimestampMs(now_ms() - LENGTH - MINUTE).align_down(MINUTE);
    let series = data::generate(start);
    let (address, _prometheus) = prometheus(&binary);
    remote_write::send(address, &series);

    let random = random::expressions(42, 400);
    let evaluated = expressions::EVALUATED.iter().map(|text| (*text, 34));
    let evaluated: Vec<_> = evaluated.chain(random.iter().map(|text| (text.as_str(), 4))).collect();
    let mut differences = Vec::new();
    let mut compared = 0;
    for (text, times) in &evaluated {
        let sharded = [1, 2, 8].map(|shards| Sharded::new(text, &series, shards, start));
        for at in evaluation_times(start, *times) {
            let theirs = query(address, text, at);
            let answers = sharded.each_ref().map(|sharded| sharded.answer(at));
            for other in &answers[1..] {
                assert!(same_bits(&answers[0], other), "{text} at {at}: {:?} and {other:?}", answers[0]);
            }
            compared += value_count(&theirs);
            if let Some(difference) = difference(&answers[0], &theirs) {
                differences.push(format!("{text} at +{} ms: {difference}", at.since_ms(start)));
                break;
            }
        }
    }
    for text in expressions::REFUSED {
        let ours = Sharded::new(text, &[], 1, start).answer(start);
        let theirs = query(address, text, start);
        if !matches!((&ours, &theirs), (Answer::Refused(_), Answer::Refused(_))) {
            differences.push(format!("{text:?}: ours {ours:?}, theirs {theirs:?}"));
        }
    }
    eprintln!("{} expressions, {compared} values compared", evaluated.len());
    assert!(compared > 20_000, "only {compared} values compared: the data is not there");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// For all expressions with a small mistake in them: what we accept, Prometheus accepts.
#[test]
fn mistakes_are_mistakes_to_prometheus_too() {
    let Some(binary) = peers::find("prometheus") else { return };
    let (address, _prometheus) = prometheus(&binary);
    let lenient: Vec<_> = mutation::expressions(42, 3000)
        .into_iter()
        .filter(|text| parse(text).and_then(|expr| Plan::new(&expr)).is_ok())
        .filter_map(|text| match query(address, &text, TimestampMs(0)) {
            Answer::Refused(message) => Some(format!("{text}\n  {message}")),
            _ => None,
        })
        .collect();
    assert!(lenient.is_empty(), "{}", lenient.join("\n"));
}

/// Without the judge: what is meant to be evaluated plans, what is meant to be refused does not.
#[test]
fn the_compared_expressions_are_what_their_lists_say() {
    let plans = |text: &str| parse(text).and_then(|expr| Plan::new(&expr));
    for text in expressions::EVALUATED {
        plans(text).unwrap_or_else(|error| panic!("{error}"));
    }
    for text in expressions::REFUSED {
        assert!(plans(text).is_err(), "{text}");
    }
}

/// `count` times over the length of the data, on no scrape's beat.
fn evaluation_times(start: TimestampMs, count: i64) -> impl Iterator<Item = TimestampMs> {
    let step = LENGTH / (count + 1) + 117;
    (1..=count).map(move |n| start.plus_ms(n * step))
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

// === theirs ===

/// A Prometheus that scrapes nothing and takes Remote-Write.
fn prometheus(binary: &Path) -> (SocketAddr, Process) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("prometheus.yml");
    fs::write(&config, "global: {}\n").unwrap();
    let address = free_address();
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--web.enable-remote-write-receiver");
    let mut process = Process::spawn("prometheus", command, directory);
    process.wait_until_ready(address, "/-/ready");
    (address, process)
}

fn query(address: SocketAddr, text: &str, at: TimestampMs) -> Answer {
    let path = format!("/api/v1/query?time={}&query={}", at.seconds(), percent_encoded(text));
    let response = http::get(address, &path).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let message = || json["error"].as_str().unwrap_or_default().to_owned();
    match json["errorType"].as_str() {
        Some("bad_data") => return Answer::Refused(message()),
        Some(_) => return Answer::Failed(message()),
        None => {}
    }
    let value = |pair: &serde_json::Value| pair[1].as_str().unwrap().parse::<f64>().unwrap();
    let result = &json["data"]["result"];
    match json["data"]["resultType"].as_str() {
        Some("scalar") => Answer::Scalar(value(result)),
        Some("vector") => {
            let element = |element: &serde_json::Value| {
                let labels = element["metric"].as_object().unwrap().iter();
                let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
                (labels.collect(), value(&element["value"]))
            };
            Answer::Vector(result.as_array().unwrap().iter().map(element).collect())
        }
        _ => Answer::OtherType,
    }
}

// === ours ===

/// A plan, and the series it reads spread over stores as the product spreads them.
struct Sharded {
    plan: Result<Plan, String>,
    stores: Vec<Store>,
}

impl Sharded {
    fn new(text: &str, series: &[(LabelSet, Vec<Sample>)], shards: usize, now: TimestampMs) -> Self {
        let plan = match parse(text).and_then(|expr| Plan::new(&expr)) {
            Ok(plan) => plan,
            Err(error) => return Self { plan: Err(error.to_string()), stores: Vec::new() },
        };
        let selectors: Vec<_> = plan.leaves().iter().map(|leaf| leaf.matchers().to_vec()).collect();
        let config = window::Config { retention_ms: 2 * LENGTH, ..window::Config::default() };
        let mut batches: Vec<_> = (0..shards).map(|_| SampleBatch::default()).collect();
        for (labels, samples) in series {
            let hash = series_hash(labels.canonical_text(), 7);
            let shard = (hash % shards as u128) as usize;
            batches[shard].push(hash, labels.canonical_text(), samples.iter().copied());
        }
        let filled = |batch: &SampleBatch| {
            let mut store = Store::new(config, selectors.clone());
            store.append(batch, now.plus_ms(2 * LENGTH));
            store.prepare();
            store
        };
        Self { plan: Ok(plan), stores: batches.iter().map(filled).collect() }
    }

    fn answer(&self, at: TimestampMs) -> Answer {
        let plan = match &self.plan {
            Ok(plan) => plan,
            Err(message) => return Answer::Refused(message.clone()),
        };
        let leaves: Vec<_> = plan
            .leaves()
            .iter()
            .enumerate()
            .map(|(number, leaf)| {
                merge(self.stores.iter().map(|store| leaf.evaluate(store.select(number), at)).collect())
            })
            .collect();
        match plan.evaluate(&leaves, at) {
            Ok(Value::Scalar(value)) => Answer::Scalar(value),
            Ok(Value::Vector(elements)) => {
                assert!(elements.is_sorted_by(|a, b| a.0 < b.0), "not in label order: {elements:?}");
                let named = |labels: &LabelSet| {
                    labels.iter().map(|label| (label.name.to_owned(), label.value.to_owned())).collect()
                };
                Answer::Vector(elements.iter().map(|(labels, value)| (named(labels), *value)).collect())
            }
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}

// === comparison ===

fn same_bits(a: &Answer, b: &Answer) -> bool {
    match (a, b) {
        (Answer::Scalar(a), Answer::Scalar(b)) => a.to_bits() == b.to_bits(),
        (Answer::Vector(a), Answer::Vector(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.to_bits() == b.1.to_bits())
        }
        (Answer::Refused(_), Answer::Refused(_)) | (Answer::Failed(_), Answer::Failed(_)) => true,
        _ => false,
    }
}

fn value_count(answer: &Answer) -> usize {
    match answer {
        Answer::Scalar(_) => 1,
        Answer::Vector(elements) => elements.len(),
        Answer::OtherType | Answer::Refused(_) | Answer::Failed(_) => 0,
    }
}

/// What differs, in words.
fn difference(ours: &Answer, theirs: &Answer) -> Option<String> {
    match (ours, theirs) {
        (Answer::Scalar(a), Answer::Scalar(b)) => (!close(*a, *b)).then(|| format!("ours {a}, theirs {b}")),
        (Answer::Refused(_), Answer::Refused(_)) | (Answer::Failed(_), Answer::Failed(_)) => None,
        (Answer::Vector(a), Answer::Vector(b)) => {
            let only = |a: &BTreeMap<_, f64>, b: &BTreeMap<_, f64>, side: &str| {
                let labels = a.keys().find(|labels| !b.contains_key(*labels));
                labels.map(|labels| format!("only {side}: {labels:?}"))
            };
            let unequal = a.iter().find_map(|(labels, value)| {
                let other = *b.get(labels)?;
                (!close(*value, other)).then(|| format!("{labels:?}: ours {value}, theirs {other}"))
            });
            only(a, b, "ours").or_else(|| only(b, a, "theirs")).or(unequal)
        }
        _ => Some(format!("ours {ours:?}, theirs {theirs:?}")),
    }
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

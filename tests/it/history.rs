//! The past read from real stores: sample by sample what they were sent, slice by slice, by either API.

mod store;

use crate::{
    remote_read::{
        CONFIGURATION, MINUTE, assert_same,
        data::{self, History},
        server, start,
    },
    support::{peers, prometheus, remote_write},
};
use emberwatch::{
    client,
    history::{Api, Config, HistoryError, Reader, Settings, Slices},
    series::{LabelMatcher, LabelSet, Labels, MatchOp, Sample, TimestampMs},
};
use std::{collections::BTreeMap, net::SocketAddr};

/// What was read, by labels.
type Read = BTreeMap<LabelSet, History>;

fn matcher(name: &str, op: MatchOp, value: &str) -> LabelMatcher {
    LabelMatcher::new(name, op, value).unwrap()
}

fn settings(address: SocketAddr, api: Api, max_samples: usize) -> Settings {
    Settings { api, max_samples, ..Settings::new(format!("http://{address}")) }
}

/// Everything of the half hour from `start` on, the pieces of each series joined; each instant is read once.
async fn read(
    settings: Settings,
    selectors: Vec<Vec<LabelMatcher>>,
    start: TimestampMs,
) -> (Read, usize, u64) {
    let reader = Reader::new(Config::try_new(settings).unwrap(), 7).unwrap();
    let mut slices = Slices::new(reader, selectors.into(), start..=start.plus_ms(30 * MINUTE));
    let (mut all, mut count, mut left_out, mut next) = (Read::new(), 0, 0, start);
    while let Some(slice) = slices.next().await.unwrap() {
        assert_eq!(*slice.range.start(), next);
        next = slice.range.end().plus_ms(1);
        for entry in slice.batch.iter() {
            let labels = Labels::of_canonical_text(entry.labels).map(|label| (label.name, label.value));
            let own = all.entry(LabelSet::from_pairs(labels).unwrap()).or_default();
            own.samples.extend(entry.samples);
            own.histograms.extend(entry.histograms.iter().cloned());
        }
        (count, left_out) = (count + 1, left_out + slice.counts.left_out);
    }
    assert_eq!(next, start.plus_ms(30 * MINUTE + 1));
    (all, count, left_out)
}

/// For any size of a slice and any number of selectors, remote read brings what Prometheus was sent, bit for bit, histograms and stale
/// markers too.
#[tokio::test]
async fn remote_read_brings_what_prometheus_was_sent() {
    let Some(binary) = peers::find("prometheus") else { return };
    let flags = ["--enable-feature=native-histograms", "--web.enable-remote-write-receiver"];
    let (address, _prometheus) = prometheus::start_with(&binary, CONFIGURATION, &flags);
    let start = start();
    let sent = data::series(start);
    data::requests(&sent).iter().for_each(|request| data::write(address, request));
    let counters = "gauge|counter|constant|stale|late";
    let selectors = || {
        vec![
            vec![matcher("job", MatchOp::Equal, "read"), matcher("__name__", MatchOp::Regex, counters)],
            vec![matcher("job", MatchOp::Equal, "read"), matcher("__name__", MatchOp::NotRegex, counters)],
        ]
    };
    let mut numbers = Vec::new();
    for max_samples in [1_000, 2_000_000] {
        let (read, slices, _) =
            read(settings(address, Api::RemoteRead, max_samples), selectors(), start).await;
        assert_eq!(read.keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>());
        for (labels, history) in &read {
            assert_same(history, &sent[labels], &format!("{labels} in slices of {max_samples} samples"));
        }
        numbers.push(slices);
    }
    assert!(numbers[0] > numbers[1], "{numbers:?}");
}

/// A store whose chunks are not known here is asked for samples, and from then on for nothing else.
#[tokio::test]
async fn a_store_with_newer_chunks_is_asked_for_samples() {
    let start = start();
    let sent = data::series(start);
    let address = server::start(sent.clone(), server::Form::NewerChunks);
    let selectors = vec![vec![matcher("job", MatchOp::Equal, "read")]];
    let (read, ..) = read(settings(address, Api::RemoteRead, 1_000_000), selectors, start).await;
    assert_eq!(read.keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>());
    for (labels, history) in &read {
        assert_same(history, &sent[labels], &labels.to_string());
    }
}

/// By queries come the same samples, but for stale markers; native histograms are counted as left out.
#[tokio::test]
async fn queries_bring_what_prometheus_was_sent_but_for_markers_and_histograms() {
    let Some(binary) = peers::find("prometheus") else { return };
    let flags = ["--enable-feature=native-histograms", "--web.enable-remote-write-receiver"];
    let (address, _prometheus) = prometheus::start_with(&binary, CONFIGURATION, &flags);
    let start = start();
    let sent = data::series(start);
    data::requests(&sent).iter().for_each(|request| data::write(address, request));
    let selectors = vec![vec![matcher("job", MatchOp::Equal, "read")]];
    let (read, _, left_out) = read(settings(address, Api::Query, 2_000_000), selectors, start).await;
    let unmarked = |history: &History| History {
        samples: history.samples.iter().copied().filter(|sample| !data::is_stale(sample)).collect(),
        histograms: Vec::new(),
    };
    let expected: Read = sent.iter().map(|(labels, history)| (labels.clone(), unmarked(history))).collect();
    let expected: Read = expected.into_iter().filter(|(_, history)| !history.samples.is_empty()).collect();
    assert_eq!(read.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (labels, history) in &read {
        // The API has one NaN only.
        let one_nan = |history: &History| History {
            samples: history
                .samples
                .iter()
                .map(|s| if s.value.is_nan() { Sample::new(s.timestamp.0, f64::NAN) } else { *s })
                .collect(),
            histograms: Vec::new(),
        };
        assert_same(&one_nan(history), &one_nan(&expected[labels]), &labels.to_string());
    }
    let histograms = sent.values().flat_map(|history| &history.histograms);
    let histograms = histograms.filter(|sample| !sample.histogram.is_stale_marker()).count();
    assert_eq!(left_out, histograms as u64);
}

/// VictoriaMetrics has no remote read: it says so, and queries bring what it was sent.
#[tokio::test]
async fn queries_bring_what_victoria_metrics_was_sent() {
    let Some(binary) = peers::find("victoria-metrics") else { return };
    let (address, _store) = store::start_victoria_metrics(&binary);
    let start = start();
    let labels = |n: i64| {
        LabelSet::from_pairs([
            ("__name__", "made".to_owned()),
            ("job", "a\"b\\c".to_owned()),
            ("n", n.to_string()),
        ])
        .unwrap()
    };
    let sample = |n: i64, at: i64| Sample::new(start.0 + at * 3_000 + n, (at * at + n) as f64 / 8.0);
    let sent: Vec<(LabelSet, Vec<Sample>)> =
        (0..5).map(|n| (labels(n), (0..500).map(|at| sample(n, at)).collect())).collect();
    remote_write::send(address, &sent);
    store::flush(address);
    let selectors = || vec![vec![matcher("job", MatchOp::Equal, "a\"b\\c")]];
    for max_samples in [300, 2_000_000] {
        let (read, slices, _) = read(settings(address, Api::Query, max_samples), selectors(), start).await;
        assert_eq!(
            read.keys().collect::<Vec<_>>(),
            sent.iter().map(|(labels, _)| labels).collect::<Vec<_>>()
        );
        for (labels, samples) in &sent {
            let expected = History { samples: samples.clone(), histograms: Vec::new() };
            assert_same(&read[labels], &expected, &labels.to_string());
        }
        assert!(slices > 5 || max_samples > 300, "{slices}");
    }
    let reader = Reader::new(Config::try_new(settings(address, Api::RemoteRead, 1_000)).unwrap(), 7).unwrap();
    let error = reader.read(&selectors(), start..=start.plus_ms(1)).await.unwrap_err();
    assert!(error.to_string().contains("write api: query"), "{error}");
}

/// A Prometheus that speaks TLS only, wants a certificate of ours and a password, answers when it gets them, and only then.
#[tokio::test]
async fn a_store_behind_tls_and_a_password_answers_who_has_them() {
    let Some(binary) = peers::find("prometheus") else { return };
    let keys = store::Keys::new();
    let (address, _prometheus) = store::start_secured_prometheus(&binary, &keys);
    let secured = |tls: client::TlsSettings, password: &str| {
        let credentials = client::Credentials::Basic {
            username: "ember".to_owned(),
            password: client::SecretSource::Inline(client::Secret::new(password)),
        };
        let client = client::Settings {
            credentials: Some(credentials),
            tls,
            ..client::Settings::new(format!("https://{address}"))
        };
        Settings { client, retry_for: std::time::Duration::ZERO, ..Settings::new("") }
    };
    let ask = async |settings: Settings| {
        let reader = Reader::new(Config::try_new(settings).unwrap(), 7).unwrap();
        let selectors = [vec![matcher("__name__", MatchOp::Equal, "up")]];
        reader.read(&selectors, start()..=start().plus_ms(1)).await
    };
    let tls = keys.settings();
    assert!(ask(secured(tls.clone(), store::PASSWORD)).await.is_ok());

    let wrong = ask(secured(tls.clone(), "wrong")).await.unwrap_err();
    assert!(wrong.to_string().contains("check basic_auth"), "{wrong}");
    let without = |change: fn(&mut client::TlsSettings)| {
        let mut tls = tls.clone();
        change(&mut tls);
        ask(secured(tls, store::PASSWORD))
    };
    let nobody = without(|tls| (tls.cert_file, tls.key_file) = (None, None)).await.unwrap_err();
    assert!(matches!(nobody, HistoryError::NoAnswer(_)), "{nobody}");
    let other_name = without(|tls| tls.server_name = Some("else.example".to_owned())).await.unwrap_err();
    assert!(other_name.to_string().contains("certificate"), "{other_name}");
    let unknown = without(|tls| tls.ca_file.clone_from(&tls.cert_file)).await.unwrap_err();
    assert!(unknown.to_string().contains("certificate"), "{unknown}");
    let unasked = without(|tls| (tls.ca_file, tls.insecure_skip_verify) = (None, true)).await;
    assert!(unasked.is_ok(), "{unasked:?}");
}

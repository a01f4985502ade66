//! The requests whose answers are compared: every route, good and bad parameters, both methods.

use crate::support::http::{self, percent_encoded};
use emberwatch::series::TimestampMs;
use std::{fmt, net::SocketAddr};

/// What of the two answers must be equal, beside status and error type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The bodies, but for the order of series.
    Everything,
    /// The bodies.
    InOrder,
    /// Nothing: the text is that of a parser, or holds what differs by intent.
    Code,
    /// How much there is, and the warnings: which of it is shown depends on an order that nobody promises.
    CountAndWarnings,
}
use Compared::{Code, CountAndWarnings, Everything, InOrder};

/// One request, to be sent to several servers.
#[derive(Clone, Debug)]
pub(super) struct Request {
    post: bool,
    route: String,
    /// Percent-encoded.
    parameters: String,
    /// Parameters of the URL beside those of the body.
    url: String,
    pub(super) compared: Compared,
}

// === impl Request ===

impl Request {
    pub(super) fn get<V: AsRef<str>>(route: &str, parameters: &[(&str, V)]) -> Self {
        let none = Self {
            post: false,
            route: route.to_owned(),
            parameters: String::new(),
            url: String::new(),
            compared: Everything,
        };
        parameters.iter().fold(none, |request, (name, value)| request.with(name, value.as_ref()))
    }

    /// With its parameters as they are.
    fn raw(route: &str, parameters: &str) -> Self {
        Self { parameters: parameters.to_owned(), ..Self::get::<&str>(route, &[]) }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.parameters.is_empty() {
            self.parameters.push('&');
        }
        self.parameters += &format!("{}={}", percent_encoded(name), percent_encoded(value));
        self
    }

    /// As a form in the body.
    fn posted(self) -> Self {
        Self { post: true, ..self }
    }

    /// Posted, with parameters in the URL as well.
    fn posted_to(self, url: &str) -> Self {
        Self { post: true, url: url.to_owned(), ..self }
    }

    fn compare(self, compared: Compared) -> Self {
        Self { compared, ..self }
    }

    pub(super) fn path(&self) -> String {
        let query = if self.post { &self.url } else { &self.parameters };
        format!("/api/v1/{}{}{query}", self.route, if query.is_empty() { "" } else { "?" })
    }

    pub(super) fn send(&self, address: SocketAddr) -> http::Response {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let sent = match self.post {
            false => http::get(address, &self.path()),
            true => http::post(address, &self.path(), &form, self.parameters.as_bytes()),
        };
        sent.unwrap()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.post {
            false => write!(f, "GET {}", self.path()),
            true => write!(f, "POST {} {}", self.path(), self.parameters),
        }
    }
}

/// All requests, about data that begins at `start`.
pub(super) fn all(start: TimestampMs) -> Vec<Request> {
    let mut requests = instant(start);
    requests.extend(range(start));
    requests.extend(lists(start));
    requests.extend(others());
    requests
}

fn instant(start: TimestampMs) -> Vec<Request> {
    let at = start.plus_ms(20 * 60_000 + 500);
    let at_text = at.seconds().to_string();
    let query = |text: &str| Request::get("query", &[("query", text), ("time", &at_text)]);
    let mut requests: Vec<Request> = [
        "up",
        "node_load1 * 2",
        "sum by (mode) (rate(node_cpu_seconds_total[5m]))",
        "1 + 1",
        "1e21",
        "-1e-7",
        "vector(1e-7)",
        "0 / 0",
        "odd",
        "-odd",
        "ended",
        "not_there",
        "{\"my.metric\"}",
        "{\"spaced name\", snake_case=\"x\"}",
        "{\"my.metric\", \"my.label\"=~\".+\"}",
        "time()",
        "scalar(node_load1{instance=\"a\"})",
        "node_load1 offset 5m",
        "node_load1 > bool 0.5",
        "histogram_quantile(0.9, rate(not_there_bucket[5m]))",
    ]
    .map(query)
    .into();
    requests.extend(
        [
            "",
            "up{",
            "up[5m",
            "sum(",
            "unknown_function(up)",
            "up{job=~\"(\"}",
            "{job=~\".*\"}",
            "rate(up)",
            "up and 1",
            "up offset",
            "\u{1}",
        ]
        .map(|text| query(text).compare(Code)),
    );
    // What is wrong only when it is evaluated, and what goes before that.
    requests.extend(
        [
            r#"label_replace(up, "a", "$1", "job", "(")"#,
            r#"label_replace(up, "", "x", "job", ".*")"#,
            r#"label_replace(up, "instance", "same", "job", ".*")"#,
            r#"label_join(up, "", ",", "job")"#,
            r#"label_join(up, "a", ",", "job", "")"#,
            r#"count_values("", up)"#,
            r#"label_replace(up, "a", "$1", "job", "(") and 1"#,
            r#"rate(up) + label_join(up, "", ",", "job")"#,
            "up * on (job) up",
            "up * on (job) group_left () up",
            r#"rate({__name__=~".+"}[5m])"#,
            "topk(1e30, up)",
            "topk(NaN, up)",
        ]
        .map(|text| query(text).compare(Code)),
    );
    // Answers with warnings and infos.
    requests.extend(
        [
            "rate(up[5m])",
            "quantile(2, up)",
            "histogram_quantile(0.9, up)",
            "1 +\n  quantile_over_time(-1, up[5m])",
            "quantile(1.5, rate(node_load1[5m])) + on () quantile(-1, rate(up[5m]))",
        ]
        .map(query),
    );
    requests.extend([
        query("quantile(2, up)").with("limit", "1"),
        Request::get::<&str>("query", &[]).compare(Code),
        Request::get("query", &[("time", &*at_text)]).compare(Code),
        query("up").posted(),
        Request::get("query", &[("query", "up")]).posted_to(&format!("time={at_text}")),
        Request::get("query", &[("query", "2"), ("time", "1")]).posted_to("query=1&time=2"),
        Request::get("query", &[("query", "up"), ("time", &rfc_3339(at))]),
        Request::get("query", &[("query", "1"), ("time", "1435781451.781")]),
        Request::get("query", &[("query", "1"), ("time", "-1.5")]),
        Request::get("query", &[("query", "1"), ("time", "2015-07-01T22:10:51.123456789+02:00")]),
        Request::get("query", &[("query", "up"), ("time", "10")]),
        Request::get("query", &[("query", "up"), ("time", "yesterday")]),
        Request::get("query", &[("query", "up"), ("time", "2015-07-01")]),
        query("up").with("timeout", "5m"),
        query("up").with("timeout", "x"),
        query("up").with("timeout", "1e30"),
        query("up").with("limit", "0"),
        query("up").with("limit", "1").compare(CountAndWarnings),
        query("up").with("limit", "2"),
        query("1").with("limit", "1"),
        query("up").with("limit", "-1"),
        query("up").with("limit", "x"),
        query("up").with("lookback_delta", "1s"),
        query("up").with("lookback_delta", "10m"),
        query("up").with("lookback_delta", "-5"),
        query("up").with("lookback_delta", "x"),
        query("up").with("unknown_parameter", "1"),
        Request::raw("query", "query=%zz").compare(Code),
        Request::raw("query", "query=1;time=3").compare(Code),
        Request::raw("query", &format!("query=1+%2B+1&time={at_text}")),
    ]);
    requests
}

fn range(start: TimestampMs) -> Vec<Request> {
    let times = [start.seconds().to_string(), start.plus_ms(10 * 60_000).seconds().to_string()];
    let over = |text: &str, step: &str| {
        let parameters = [("query", text), ("start", &*times[0]), ("end", &*times[1]), ("step", step)];
        Request::get("query_range", &parameters)
    };
    let between = |start: &str, end: &str, step: &str| {
        Request::get("query_range", &[("query", "1"), ("start", start), ("end", end), ("step", step)])
    };
    vec![
        over("rate(up[5m])", "15").compare(InOrder),
        over("quantile(time() % 7, up)", "15").compare(InOrder),
        over(r#"label_replace(up, "a", "$1", "job", "(")"#, "15").compare(Code),
        over("up * on (job) up", "15").compare(Code),
        over("'text'", "15").compare(Code),
        Request::get::<&str>("query_range", &[]).compare(Code),
        Request::get("query_range", &[("query", "up")]).compare(Code),
        Request::get("query_range", &[("start", "1"), ("end", "2"), ("step", "1")]).compare(Code),
        over("up", "15").compare(InOrder),
        over("sum by (mode) (rate(node_cpu_seconds_total[2m]))", "60").compare(InOrder),
        over("node_load1", "1m").compare(InOrder),
        over("node_load1", "37.5s").compare(Code),
        over("odd", "300").compare(InOrder),
        over("ended", "100").compare(InOrder),
        over("1", "200").compare(InOrder),
        over("time()", "0.5m").compare(Code),
        over("not_there", "60").compare(InOrder),
        over("up", "15").posted().compare(InOrder),
        over("up", "60").with("limit", "1").compare(InOrder),
        over("up", "60").with("lookback_delta", "10s").compare(InOrder),
        over("up", "60").with("timeout", "nonsense"),
        over("up[5m]", "60"),
        over("up +", "60").compare(Code),
        over("up", "0"),
        over("up", "-1"),
        over("up", ""),
        over("up", "1x"),
        over("up", "NaN"),
        between("0", "11000", "1").compare(InOrder),
        between("0", "11001", "1"),
        between("0", "10999.999", "1").compare(InOrder),
        between("10", "9", "1"),
        between("10", "10", "1"),
        between("10", "10", "0.0001").compare(Code),
        between("", "9", "1"),
        between("1", "", "1"),
        between("1", "x", "1"),
        between("2015-07-01T20:10:51Z", "2015-07-01T20:11:51Z", "20").compare(InOrder),
    ]
}

fn lists(start: TimestampMs) -> Vec<Request> {
    let from = start.seconds().to_string();
    let until = start.plus_ms(5 * 60_000).seconds().to_string();
    let all = |route: &str| Request::get::<&str>(route, &[]);
    let matching = |route: &str, selector: &str| Request::get(route, &[("match[]", selector)]);
    vec![
        matching("series", "up"),
        matching("series", "{job=\"node\", cpu!=\"\"}"),
        matching("series", "up")
            .with("match[]", "{__name__=~\"node_.+\", instance=\"a\"}")
            .with("match[]", "up"),
        matching("series", "up").with("match[]", "node_load1").posted(),
        matching("series", "not_there"),
        matching("series", "up").with("start", &from).with("end", &until),
        matching("series", "up").with("end", "1000"),
        matching("series", "up").with("start", "x"),
        matching("series", "up").with("limit", "1").compare(CountAndWarnings),
        matching("series", "up").with("limit", "-3"),
        matching("series", "up").with("limit", "a"),
        matching("series", "{}").compare(Code),
        matching("series", "{job=~\".*\"}").compare(Code),
        matching("series", "up[5m]").compare(Code),
        matching("series", "up offset 5m").compare(Code),
        matching("series", "sum(up)").compare(Code),
        matching("series", "{\"my.metric\"}"),
        all("series"),
        Request::raw("series", "match[]=up;a=3"),
        Request::raw("series", "match[]=up&x=%q1").compare(Code),
        all("labels").compare(InOrder),
        all("labels").posted().compare(InOrder),
        matching("labels", "up").compare(InOrder),
        matching("labels", "up").with("match[]", "odd").compare(InOrder),
        matching("labels", "up").with("limit", "2").compare(InOrder),
        matching("labels", "{}").compare(Code),
        matching("labels", "up{").compare(Code),
        all("labels").with("start", &from).with("end", &until).compare(InOrder),
        all("labels").with("end", "1000").compare(InOrder),
        all("labels").with("start", "later"),
        all("labels").with("start", "-292273086-05-16T16:47:06Z"),
        all("labels").with("end", "292277025-08-18T07:12:54.999999999Z"),
        all("label/__name__/values").compare(InOrder),
        all("label/job/values").compare(InOrder),
        all("label/not_there/values").compare(InOrder),
        matching("label/mode/values", "{instance=\"a\"}").compare(InOrder),
        matching("label/mode/values", "up").compare(InOrder),
        matching("label/kind/values", "odd").with("limit", "3").compare(InOrder),
        matching("label/kind/values", "odd").with("match[]", "up").compare(InOrder),
        matching("label/kind/values", "").compare(Code),
        all("label/kind/values").with("limit", "-1"),
        all("label/kind/values").with("start", "x"),
        all("label/my.label/values").compare(InOrder),
        all("label/U__my_2e_label/values").compare(InOrder),
        all("label/U__snake__case/values").compare(InOrder),
        all("label/U__my_zz_label/values").compare(InOrder),
        all("label/U__/values"),
        all("label/spaced%20name/values").compare(InOrder),
    ]
}

fn others() -> Vec<Request> {
    let all = |route: &str| Request::get::<&str>(route, &[]);
    vec![
        all("metadata"),
        all("metadata").with("metric", "up").with("limit", "1").with("limit_per_metric", "1"),
        all("metadata").with("limit", "x"),
        all("metadata").with("limit_per_metric", "x"),
        all("status/buildinfo").compare(Code),
        all("status/buildinfo").posted().compare(Code),
        all("label/job/values").posted().compare(Code),
        all("not_a_route").compare(Code),
    ]
}

fn rfc_3339(at: TimestampMs) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(at.0).unwrap())
}

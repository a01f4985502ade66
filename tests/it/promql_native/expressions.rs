//! The expressions compared: every function of a range over every kind of series, and what combines them.

/// Functions of one range vector.
const OVER_RANGE: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "deriv",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "mad_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "absent_over_time",
];

/// The metrics of the data.
const METRICS: &[&str] = &[
    "counter", "buckets", "rebound", "gauge", "mixed", "kinds", "coarser", "widening", "ended", "nans",
    "hinted", "empty", "float",
];

/// With `$` for each of the metrics.
const OF_EACH: &[&str] = &[
    "$",
    "$[2m]",
    "-$",
    "2 * $",
    "$ / 3",
    "$ * 0",
    "$ / 0",
    "$ + 1",
    "3 / $",
    "$ + $",
    "$ - $",
    "$ - $ offset 1m",
    "$ * $",
    "$ == $",
    "$ != $ offset 2m",
    "$ == bool $ offset 30s",
    "$ > $",
    "$ > 1",
    "histogram_count($)",
    "histogram_sum($)",
    "histogram_avg($)",
    "histogram_stddev($)",
    "histogram_stdvar($)",
    "histogram_quantile(0.9, $)",
    "histogram_quantile(0.05, $)",
    "histogram_quantile(scalar(float) % 1, $)",
    "histogram_quantile(1, rate($[5m]))",
    "histogram_quantile(0.5, sum(increase($[3m])))",
    "histogram_fraction(0, 0.5, $)",
    "histogram_fraction(-Inf, 3, rate($[5m]))",
    "histogram_fraction(-0.3, 0.001, $)",
    "histogram_stddev(rate($[2m]))",
    "histogram_avg(increase($[4m]))",
    "sum($)",
    "avg($)",
    "sum by (instance) ($)",
    "avg(rate($[3m]))",
    "count($)",
    "group($)",
    "min($)",
    "stddev($)",
    "quantile(0.5, $)",
    "topk(2, $)",
    "limitk(1, $)",
    "count_values(\"v\", $)",
    "timestamp($)",
    "abs($)",
    "clamp_max($, 3)",
    "sort($)",
    "scalar($)",
    "absent($)",
    "$ and float",
    "$ or float",
    "label_replace($, \"x\", \"$1\", \"instance\", \"(.*)\")",
    "rate($[4m:20s])",
    "sum_over_time($[1m] offset 2m)",
    "avg_over_time(rate($[2m])[3m:45s])",
    "resets(sum($)[5m:30s])",
    "quantile_over_time(0.5, $[3m])",
    "predict_linear($[3m], 60)",
];

/// What the patterns do not say.
const MORE: &[&str] = &[
    "sum({__name__=~\"counter|coarser|widening\"})",
    "avg({__name__=~\"counter|coarser|widening|gauge\"})",
    "sum(rate({__name__=~\"counter|coarser|widening\"}[5m]))",
    "avg by (instance) (rate({__name__=~\"counter|coarser|gauge\"}[5m]))",
    "sum({__name__=~\"counter|buckets\"})",
    "avg({__name__=~\"buckets|rebound\"})",
    "sum({__name__=~\"counter|float\"})",
    "count({__name__=~\"counter|float|mixed\"})",
    "counter + on (instance) coarser",
    "counter - on (instance) widening",
    "coarser + on (instance) widening",
    "widening - on (instance) coarser",
    "counter * on (instance) group_left () float",
    "float * on (instance) group_right () counter",
    "counter / on (instance) float",
    "float / on (instance) counter",
    "counter == on (instance) float",
    "counter + on (instance) buckets",
    "histogram_quantile(0.9, {__name__=~\"both(_bucket)?\"})",
    "histogram_quantile(0.9, rate({__name__=~\"both(_bucket)?\"}[5m]))",
    "histogram_fraction(0.1, 0.7, rate({__name__=~\"both(_bucket)?\"}[5m]))",
    "histogram_quantile(0.9, rate({__name__=~\"both_bucket|counter\"}[5m]))",
    "histogram_quantile(0.9, sum by (instance, le) (rate({__name__=~\"both_bucket|counter\"}[5m])))",
    "histogram_count(sum(rate(counter[5m]))) / histogram_count(sum(rate(coarser[5m])))",
    "histogram_quantile(-1, counter) or histogram_quantile(2, gauge)",
    "histogram_quantile(NaN, counter)",
    "histogram_fraction(1, 0, counter)",
    "histogram_fraction(NaN, 1, counter)",
    "sum(counter) - sum(counter offset 5m)",
    "increase(counter[17s])",
    "increase(counter[31s])",
    "rate(counter[20m])",
    "rate(widening[10m]) and on () vector(1)",
    "max_over_time(histogram_quantile(0.9, rate(counter[1m]))[5m:1m])",
    "histogram_quantile(0.9, rate(counter[5m] @ end()))",
    "sum_over_time(gauge[5m] @ start())",
    "-sum(gauge) + sum(gauge)",
    "unknown_metric_of_histograms",
];

pub(super) fn all() -> Vec<String> {
    let over_range = OVER_RANGE
        .iter()
        .flat_map(|function| METRICS.iter().map(move |metric| format!("{function}({metric}[3m])")));
    let of_each = OF_EACH.iter().flat_map(|text| METRICS.iter().map(move |metric| with_metric(text, metric)));
    over_range.chain(of_each).chain(MORE.iter().map(|text| (*text).to_owned())).collect()
}

/// `$` is the metric, but not in `$1`.
fn with_metric(text: &str, metric: &str) -> String {
    text.replace("$1", "\u{0}").replace('$', metric).replace('\u{0}', "$1")
}

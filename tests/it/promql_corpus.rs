//! Expressions in the style people write them: node and Kubernetes mixins, alert collections,
//! anomaly rules. Each plans, or is refused with the name of what is not supported.

use emberwatch::promql::{Plan, parse};

const PLANNED: &[&str] = &[
    // Node: CPU, load, memory.
    r#"1 - avg without (cpu) (sum without (mode) (rate(node_cpu_seconds_total{job="node", mode=~"idle|iowait|steal"}[5m])))"#,
    r#"(sum by (instance) (rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[5m])) / on (instance) group_left () count by (instance) (node_cpu_seconds_total{mode="idle"})) * 100 > 90"#,
    r#"node_load1{job="node"} / count without (cpu, mode) (node_cpu_seconds_total{job="node", mode="idle"})"#,
    r#"count without (cpu, mode) (node_cpu_seconds_total{mode="idle"})"#,
    "1 - (node_memory_MemAvailable_bytes or (node_memory_Buffers_bytes + node_memory_Cached_bytes + node_memory_MemFree_bytes)) / node_memory_MemTotal_bytes",
    "rate(node_vmstat_pgmajfault[5m]) > 500",
    "node_memory_SwapTotal_bytes - node_memory_SwapFree_bytes",
    // Node: disk and network.
    r#"rate(node_disk_io_time_seconds_total{job="node", device=~"(/dev/)?(mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+)"}[5m])"#,
    r#"sum without (device) (max without (fstype, mountpoint) (node_filesystem_size_bytes{fstype!=""} - node_filesystem_avail_bytes{fstype!=""}))"#,
    r#"(node_filesystem_avail_bytes{fstype!="", mountpoint!=""} / node_filesystem_size_bytes{fstype!="", mountpoint!=""} * 100 < 40 and predict_linear(node_filesystem_avail_bytes{fstype!="", mountpoint!=""}[6h], 24*60*60) < 0 and node_filesystem_readonly{fstype!="", mountpoint!=""} == 0)"#,
    "node_filesystem_files_free / node_filesystem_files * 100 < 3",
    r#"rate(node_network_receive_errs_total{job="node"}[2m]) / rate(node_network_receive_packets_total{job="node"}[2m]) > 0.01"#,
    r#"sum by (instance) (rate(node_network_transmit_bytes_total{device!~"lo|veth.*"}[5m])) * 8"#,
    "(node_nf_conntrack_entries / node_nf_conntrack_entries_limit) > 0.75",
    "(node_timex_offset_seconds > 0.05 and deriv(node_timex_offset_seconds[5m]) >= 0) or (node_timex_offset_seconds < -0.05 and deriv(node_timex_offset_seconds[5m]) <= 0)",
    "min_over_time(node_timex_sync_status[5m]) == 0 and node_timex_maxerror_seconds >= 16",
    "time() - node_boot_time_seconds < 600",
    "increase(node_textfile_scrape_error[15m]) > 0",
    "changes(node_boot_time_seconds[15m])",
    r#"node_md_disks_required - ignoring (state) (node_md_disks{state="active", device=~"md.*"}) > 0"#,
    // Requests.
    r#"sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (job) (rate(http_requests_total[5m])) > 0.05"#,
    "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))",
    r#"histogram_quantile(0.95, sum(rate(request_duration_seconds_bucket{quantile!="x"}[5m])) by (le)) > bool 0.5"#,
    "sum(rate(grpc_server_handled_total{grpc_code!=\"OK\"}[1m])) by (grpc_service) / sum(rate(grpc_server_started_total[1m])) by (grpc_service)",
    "rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])",
    "sum(irate(container_cpu_usage_seconds_total[5m]) * on (namespace, pod) group_left (workload, workload_type) max by (namespace, pod, workload, workload_type) (namespace_workload_pod:kube_pod_owner:relabel)) by (workload)",
    "kube_deployment_spec_replicas != kube_deployment_status_replicas_available",
    r#"sum by (namespace) (kube_pod_status_phase{phase=~"Pending|Unknown"} * on (namespace, pod) group_left (owner_kind) group by (namespace, pod, owner_kind) (kube_pod_owner{owner_kind!="Job"})) > 0"#,
    r#"max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1"#,
    "rate(prometheus_remote_storage_samples_failed_total[5m]) or vector(0)",
    "up == 0 unless on (instance) maintenance == 1",
    // Anomaly rules and statistics.
    "(requests:rate5m - avg_over_time(requests:rate5m[26h])) / stddev_over_time(requests:rate5m[26h])",
    "abs(latency:mean5m - latency:mean5m offset 1w) > 3 * stddev_over_time(latency:mean5m[1d])",
    "clamp_min(quantile_over_time(0.9, temperature_celsius[1h]), 0)",
    "avg by (job) (clamp(rate(errors_total[10m]), 0, 100)) ^ 2",
    "quantile by (job) (0.95, rate(requests_total[5m]))",
    "rate(requests_total[5m]) > scalar(avg(rate(requests_total[5m]))) * 2",
    "delta(temperature_celsius[2h]) > 10 or delta(temperature_celsius[2h]) < -10",
    "round(100 * (1 - rate(idle_seconds_total[5m])), 0.1)",
    "{\"http.server.duration_count\", \"service.name\"=\"cart\"}",
    "sum(last_over_time(queue_length[10m])) without (instance)",
];

/// With the place, the message, and whether there is something to write instead.
const REFUSED: &[(&str, &str, bool)] = &[
    ("topk(5, rate(http_requests_total[5m]))", "1:1: aggregation \"topk\" is not supported", true),
    ("max_over_time(rate(http_requests_total[5m])[1h:1m])", "1:44: subqueries are not supported", true),
    ("absent(up{job=\"node\"})", "1:1: function \"absent\" is not supported", true),
    (
        "up * on (host) group_left () label_replace(node_uname_info, \"host\", \"$1\", \"nodename\", \"(.*)\")",
        "1:30: function \"label_replace\" is not supported",
        true,
    ),
    ("sort_desc(sum by (job) (up))", "1:1: function \"sort_desc\" is not supported", true),
    ("rate(a[5m] @ end())", "1:12: the @ modifier is not supported", true),
    ("day_of_week() == bool 0", "1:1: function \"day_of_week\" is not supported", true),
    ("count_values(\"version\", build_info)", "1:1: aggregation \"count_values\" is not supported", false),
    (
        "histogram_fraction(0, 0.2, rate(a[5m]))",
        "1:1: function \"histogram_fraction\" is not supported",
        false,
    ),
    (
        "predict_linear(a[1h], scalar(b))",
        "1:23: only a constant is supported as argument of predict_linear",
        true,
    ),
    ("rate(sum(a)[5m])", "1:12: a range belongs directly behind a selector", true),
    ("rate(a)", "1:6: expected a range vector as argument of rate, found an instant vector", true),
    (
        "sum by (job) (a[5m])",
        "1:15: expected an instant vector as argument of sum, found a range vector",
        false,
    ),
    ("a[5m]", "1:1: expected a scalar or an instant vector as the result, found a range vector", false),
    ("{job=~\".*\"}", "1:1: the selector matches series that have none of its labels", true),
    ("up{job=~\"(\"}", "1:4: invalid regular expression \"(\": unclosed group", false),
    ("a and 1", "1:3: and, or and unless only stand between two vectors", true),
    ("1 > 2", "1:3: a comparison between scalars needs bool", true),
    ("clamp(a, 1)", "1:1: clamp takes 3 arguments, 2 given", false),
    ("ratee(a[5m])", "1:1: unknown function \"ratee\"", false),
    (
        "sum by (instance) (\n  rate(node_cpu_seconds_total[5m])\n) / stdev(a)",
        "3:5: unknown function \"stdev\"",
        false,
    ),
];

#[test]
fn common_expressions_plan() {
    for text in PLANNED {
        if let Err(error) = parse(text).and_then(|expr| Plan::new(&expr)) {
            panic!("{text}\n{error}");
        }
    }
}

#[test]
fn the_rest_is_refused_by_name_and_place() {
    for (text, expected, has_hint) in REFUSED {
        let error = parse(text).and_then(|expr| Plan::new(&expr)).expect_err(text);
        let shown = error.to_string();
        assert_eq!(shown.lines().next(), Some(*expected), "{text}");
        assert_eq!(error.hint().is_some(), *has_hint, "{text}");
    }
}

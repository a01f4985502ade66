//! Expressions in the style people write them: node and Kubernetes mixins, alert collections,
//! anomaly rules. Each plans, or is refused with the name of what is not supported.

use emberwatch::promql::Plan;

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
    // Kubernetes.
    r#"max_over_time(rate(http_requests_total[5m])[1h:1m])"#,
    r#"absent(up{job="kube-apiserver"} == 1)"#,
    r#"sum by (cluster, namespace, pod) (label_replace(kube_pod_owner{owner_kind="ReplicaSet"}, "replicaset", "$1", "owner_name", "(.*)"))"#,
    r#"max by (cluster, namespace, workload, pod) (label_replace(label_join(label_replace(kube_pod_owner{job="kube-state-metrics", owner_kind="Job"}, "job_name", "$1", "owner_name", "(.*)"), "workload", "/", "namespace", "job_name"), "workload_type", "job", "", ""))"#,
    r#"topk by (cluster, namespace, pod) (1, max by (cluster, namespace, pod, node) (kube_pod_info{node!=""}))"#,
    r#"(kube_job_status_active > 0) * on (job_name) group_left () (time() - max by (namespace, job_name) (kube_job_status_start_time) > 43200)"#,
    r#"sum by (namespace, cluster) (kube_resourcequota{type="used"}) / ignoring (type) (kube_resourcequota{type="hard"} > 0) > 0.9 < 1"#,
    r#"kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.15 and predict_linear(kubelet_volume_stats_available_bytes[6h], 4 * 24 * 3600) < 0 unless on (namespace, persistentvolumeclaim) kube_persistentvolumeclaim_labels{label_excluded_from_alerts="true"} == 1"#,
    r#"histogram_quantile(0.99, sum by (cluster, le, verb) (rate(apiserver_request_sli_duration_seconds_bucket{verb=~"LIST|GET", subresource!~"proxy|exec"}[5m]))) > 0"#,
    r#"sum by (pod) (increase(kube_pod_container_status_restarts_total[1h])) > 5 and on (pod) changes(kube_pod_status_ready{condition="true"}[15m]) > 2"#,
    r#"count without (instance, pod) (count_values without () ("git_version", label_replace(kubernetes_build_info, "git_version", "$1", "git_version", "(v[0-9]*.[0-9]*).*"))) > 1"#,
    r#"avg_over_time((sum(rate(apiserver_request_total{code=~"5.."}[1m])) / sum(rate(apiserver_request_total[1m])))[30m:1m]) > 0.01"#,
    r#"sum without (instance) (up offset 1h) unless sum without (instance) (up)"#,
    r#"sort_desc(sum by (job) (up)) and on () (hour() >= 8 < 18) and on () day_of_week() > 0"#,
    r#"quantile_over_time(0.99, probe_duration_seconds[1h]) > 3 * quantile_over_time(0.5, probe_duration_seconds[1d])"#,
    r#"timestamp(up) - time() < -60 or last_over_time(backup_success_timestamp[1d]) < time() - 86400"#,
    r#"histogram_fraction(0, 0.2, sum by (le) (rate(request_duration_seconds_bucket[5m]))) < 0.95"#,
    r#"clamp_max(predict_linear(node_filesystem_files_free[1h], scalar(horizon_seconds)), 1e9)"#,
];

/// With the place, the message, and whether there is something to write instead.
const REFUSED: &[(&str, &str, bool)] = &[
    ("info(a)", "1:1: function \"info\" is not supported", true),
    ("rate(a[5m] @ 1.7e9)", "1:6: a feature cannot look at a fixed time: its window moves on", true),
    ("a - a offset -1m", "1:5: a feature cannot look 60000 ms past its step", true),
    ("rate(sum(a)[5m])", "1:12: a range belongs directly behind a selector", true),
    ("rate(a)", "1:6: expected a range vector as argument of rate, found an instant vector", true),
    (
        "sum by (job) (a[5m])",
        "1:15: expected an instant vector as argument of sum, found a range vector",
        false,
    ),
    ("a[5m]", "1:1: a feature is a scalar or an instant vector, not a range vector", true),
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
        if let Err(error) = Plan::parse(text) {
            panic!("{text}\n{error}");
        }
    }
}

#[test]
fn the_rest_is_refused_by_name_and_place() {
    for (text, expected, has_hint) in REFUSED {
        let error = Plan::parse(text).expect_err(text);
        let shown = error.to_string();
        assert_eq!(shown.lines().next(), Some(*expected), "{text}");
        assert_eq!(error.hint().is_some(), *has_hint, "{text}");
    }
}

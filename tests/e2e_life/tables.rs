//! What stands in the files that the commands read.

use crate::{
    fleet::{Fleet, Incident, NODES, STEPS_OF_DAY, name},
    site::Site,
};
use std::{collections::BTreeMap, time::Instant};

/// A made incident is one of these in the table of labels.
pub(crate) fn labels(fleet: &Fleet, incidents: &[Incident]) -> String {
    let line = |Incident { node, steps, .. }: &Incident| {
        let (from, to) = (fleet.at(steps.start).seconds(), fleet.at(steps.end - 1).seconds());
        format!("{},{from},{to}\n", name(*node))
    };
    format!("entity,from,to\n{}", incidents.iter().map(line).collect::<String>())
}

/// The figure that is asked for is one of rows, so what lasts is to stay an alarm: it is judged by the training alone, in windows that are short beside
/// the incidents.
pub(crate) fn config(site: &Site) -> String {
    format!(
        "step: 60s
history: {{url: 'http://{0}', backfill: 75h}}
remote_write:
  - url: http://{0}/api/v1/write
models: {{path: models}}
state: {{path: state}}
detectors:
  - name: made
    by: [instance]
    window: 5m
    forget_after: 0s
    features:
      requests: sum by (instance) (rate(made_requests_total[5m]))
      memory: max by (instance) (made_memory_bytes)
      busy: max by (instance) (made_busy_ratio)
",
        site.prometheus
    )
}

/// The rows of the last day of a table, each feature of each machine twenty times closer to its mean: a day on which nothing happens.
pub(crate) fn calm(table: &str) -> String {
    let mut lines = table.lines();
    let header = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let rows = &rows[rows.len() - STEPS_OF_DAY as usize * NODES..];
    let mut sums: BTreeMap<(&str, usize), (f64, f64)> = BTreeMap::new();
    let values = |row: &[&str]| row[2..].iter().map(|value| value.parse().unwrap()).collect::<Vec<f64>>();
    for row in rows {
        for (feature, value) in values(row).into_iter().enumerate() {
            let (sum, count) = sums.entry((row[1], feature)).or_default();
            (*sum, *count) = (*sum + value, *count + 1.0);
        }
    }
    let line = |row: &Vec<&str>| {
        let mean = |feature| sums[&(row[1], feature)].0 / sums[&(row[1], feature)].1;
        let calmed = values(row).into_iter().enumerate().map(|(n, value)| mean(n) + (value - mean(n)) / 20.0);
        let cells: Vec<String> = calmed.map(|value| value.to_string()).collect();
        format!("{},{},{}\n", row[0], row[1], cells.join(","))
    };
    format!("{header}\n{}", rows.iter().map(line).collect::<String>())
}

pub(crate) fn say(what: &str, since: Instant) {
    println!("{what}: {:.1} s", since.elapsed().as_secs_f64());
}

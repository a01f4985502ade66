//! For all texts, parsing and the evaluation without data end, within the budget.
#![no_main]

use emberwatch::promql::{Budget, Grid, LeafMatrix, Query};
use emberwatch::series::TimestampMs;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let grid = Grid { start: TimestampMs(0), end: TimestampMs(600_000), step_ms: 60_000 };
    if let Ok(query) = Query::parse(text) {
        let answers = query.needs(&grid).iter().map(|_| LeafMatrix::default()).collect();
        let _ = query.evaluate(&grid, answers, &mut Budget::new(100_000, || false));
    }
});

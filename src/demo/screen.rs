//! Shows the demo to a person: a table that is redrawn in a terminal, one line an event elsewhere.
//!
//! Plain ANSI escapes, written to whatever `Write` is handed in. A frame leaves the terminal as it
//! found it, so that the demo can be interrupted at any moment.

mod report;

mod table;

mod text;

#[cfg(test)]
mod tests;

use super::judge::MEDIUM;
use crate::{series::TimestampMs, simulate::fleet::NodeView};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

pub use report::Totals;

/// What the demo looks like at one moment.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Simulated time.
    pub now: TimestampMs,
    /// Whether there are scores yet.
    pub phase: Phase,
    /// Simulated seconds per second; `None` when it plays as fast as it can.
    pub speed: Option<f64>,
    /// Faults begun so far.
    pub faults_begun: usize,
    /// Faults of the whole demo.
    pub faults_total: usize,
    /// Faults that act now, in words.
    pub faults_now: Vec<String>,
    /// The nodes, in order.
    pub rows: Vec<Row>,
    /// What keeps the demo from telling more, in words.
    pub trouble: Option<String>,
}

/// What the sidecar is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It sees normal days and has not scored yet.
    Learning,
    /// It scores.
    Watching,
}

/// One node at one moment.
#[derive(Clone, Debug)]
pub struct Row {
    /// How it is doing.
    pub view: NodeView,
    /// Its newest anomaly score.
    pub score: Option<f64>,
    /// Its newest severity, 0 to 3.
    pub severity: Option<u8>,
    /// When its present alarm began.
    pub since: Option<TimestampMs>,
    /// What the sidecar says about its worst anomaly.
    pub why: Option<String>,
}

/// How to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A table redrawn in place, in a terminal of this size.
    Table {
        /// Characters in a line.
        width: usize,
        /// Lines.
        height: usize,
    },
    /// One line an event.
    Lines,
}

/// Where the demo is shown.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    mode: Mode,
    /// Lines of the table that stand above the cursor.
    drawn: usize,
    phase: Option<Phase>,
    faults_begun: usize,
    /// Nodes in alarm, as told in lines, with the beginning.
    told: BTreeMap<String, TimestampMs>,
}

// === impl Screen ===

impl<W: Write> Screen<W> {
    /// A screen that writes to `out`.
    #[must_use]
    pub fn new(out: W, mode: Mode) -> Self {
        Self { out, mode, drawn: 0, phase: None, faults_begun: 0, told: BTreeMap::new() }
    }

    /// Shows one moment.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn show(&mut self, frame: &Frame) -> io::Result<()> {
        match self.mode {
            Mode::Table { width, height } => self.redraw(&table::lines(frame, width, height)),
            Mode::Lines => self.tell(frame),
        }
    }

    /// Shows the result below everything else.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn report(&mut self, totals: &Totals<'_>) -> io::Result<()> {
        self.drawn = 0;
        report::write(&mut self.out, totals)?;
        self.out.flush()
    }

    fn redraw(&mut self, lines: &[String]) -> io::Result<()> {
        // No wrapping while the table is drawn: a long line must not become two.
        let mut text = String::from("\x1b[?7l");
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}F", self.drawn));
        }
        for line in lines {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J\x1b[?7h");
        self.drawn = lines.len();
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn tell(&mut self, frame: &Frame) -> io::Result<()> {
        let clock = text::clock(frame.now);
        if self.phase != Some(frame.phase) {
            self.phase = Some(frame.phase);
            let phase = table::phase(frame.phase);
            writeln!(self.out, "{clock}  {phase}, {}", table::speed(frame.speed))?;
        }
        if frame.faults_begun > self.faults_begun {
            self.faults_begun = frame.faults_begun;
            let (begun, total) = (frame.faults_begun, frame.faults_total);
            writeln!(self.out, "{clock}  injected {begun} of {total}; now: {}", frame.faults_now.join(", "))?;
        }
        for row in &frame.rows {
            self.tell_row(row, frame.now)?;
        }
        self.out.flush()
    }

    fn tell_row(&mut self, row: &Row, now: TimestampMs) -> io::Result<()> {
        let instance = &row.view.instance;
        let alarm = row.severity.filter(|severity| *severity >= MEDIUM);
        match (alarm, self.told.get(instance).copied()) {
            (Some(severity), None) => {
                let since = row.since.unwrap_or(now);
                self.told.insert(instance.clone(), since);
                let (clock, word) = (text::clock(since), text::severity(severity));
                let score = row.score.unwrap_or_default();
                let why = row.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                writeln!(self.out, "{clock}  {instance}  ALARM {word}, score {score:.2}{why}")
            }
            (None, Some(since)) => {
                self.told.remove(instance);
                let lasted = text::minutes(now.since_ms(since));
                writeln!(self.out, "{}  {instance}  over, after {lasted}", text::clock(now))
            }
            _ => Ok(()),
        }
    }
}

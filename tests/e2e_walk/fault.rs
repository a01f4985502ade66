//! Faults made on purpose, on the machine that runs the test.

use std::{
    fs,
    hint::black_box,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a fault goes unnoticed before it gets worse.
const WORSE_AFTER: Duration = Duration::from_secs(5);

/// Something that is wrong until it is dropped.
pub(crate) trait Fault {
    /// Called again and again while nobody has noticed.
    fn go_on(&mut self) {}
}

/// Most busy loops a core.
const MOST_LOOPS: usize = 32;

/// One busy loop a core, as the README has it, and twice as many each time the fault gets worse: on a
/// machine that was busy while it learned, one more changes little. They yield to everything else.
pub(crate) struct BusyCores {
    loops: Vec<Child>,
    last_start: Instant,
}

// === impl BusyCores ===

impl BusyCores {
    pub(crate) fn start() -> Self {
        let mut busy = Self { loops: Vec::new(), last_start: Instant::now() };
        busy.add();
        busy
    }

    fn add(&mut self) {
        let cores = thread::available_parallelism().unwrap().get();
        for _ in 0..self.loops.len().max(cores).min(MOST_LOOPS * cores - self.loops.len()) {
            let mut shell = Command::new("nice");
            shell.args(["-n", "19", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
            self.loops.push(shell.spawn().unwrap());
        }
        self.last_start = Instant::now();
    }
}

impl Fault for BusyCores {
    fn go_on(&mut self) {
        if self.last_start.elapsed() > WORSE_AFTER {
            self.add();
        }
    }
}

impl Drop for BusyCores {
    fn drop(&mut self) {
        for child in &mut self.loops {
            // Both fail only if the loop is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A quarter of the machine's memory.
pub(crate) struct EatenMemory(#[expect(dead_code, reason = "held, not read")] Vec<u8>);

// === impl EatenMemory ===

impl EatenMemory {
    pub(crate) fn start() -> Self {
        // Not zero: pages of zeros would only be promised.
        Self(black_box(vec![1; total_memory() / 4]))
    }
}

impl Fault for EatenMemory {}

fn total_memory() -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemTotal:")).unwrap();
    let kibibytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

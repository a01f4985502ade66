//! Who may use whom, as a table, and the habits that keep the core pure: enforced over `src/`.

mod source;

use source::SourceFile;
use std::{fs, path::Path};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// The words every module speaks.
    Words,
    /// No async, clock, file, socket or unseeded randomness.
    Core,
    /// Everything that touches the world. Shell modules may use the words, the core and `telemetry`.
    Shell,
}
use Layer::{Core, Shell, Words};

struct Module {
    name: &'static str,
    layer: Layer,
    /// The modules it may use; for a shell module those beside the words, the core and `telemetry`.
    may_use: &'static [&'static str],
}

const fn module(name: &'static str, layer: Layer, may_use: &'static [&'static str]) -> Module {
    Module { name, layer, may_use }
}

/// The modules in the order in which a sample travels, as in `src/lib.rs`.
const MODULES: &[Module] = &[
    module("series", Words, &[]),
    // --- pure core: each uses only what stands above it ---
    module("wire", Core, &["series"]),
    module("exposition", Core, &["series"]),
    module("window", Core, &["series"]),
    module("promql", Core, &["series", "window"]),
    module("features", Core, &["series", "window", "promql"]),
    module("score", Core, &["series"]),
    module("calibrate", Core, &["series", "score", "features"]),
    module("explain", Core, &["series", "score", "features", "calibrate"]),
    module("model", Core, &["series", "score", "features", "calibrate", "explain"]),
    module("train", Core, &["series", "score", "features", "calibrate", "explain", "model"]),
    // Measures scores of any origin: plain numbers.
    module("evaluate", Core, &[]),
    // Looks at features before anything is trained on them.
    module("inspect", Core, &["series"]),
    module(
        "pipeline",
        Core,
        &["series", "window", "promql", "score", "features", "calibrate", "explain", "model", "train"],
    ),
    // Makes samples with known faults; knows no detector.
    module("simulate", Core, &["series"]),
    // --- IO shell: strangers to each other, `app` and `cli` wire them ---
    module("telemetry", Shell, &[]),
    // Files that are found whole.
    module("files", Shell, &[]),
    // What detectors gathered to train on, kept over a restart.
    module("feature_store", Shell, &["files"]),
    // Requests to other servers.
    module("client", Shell, &[]),
    // Parses the configuration file into the settings of the modules that it configures.
    module(
        "config",
        Shell,
        &[
            "client",
            "feature_store",
            "receive",
            "shards",
            "shard",
            "server",
            "writeback",
            "history",
            "api",
            "table",
        ],
    ),
    // The mailboxes of the shard tasks, and the tasks.
    module("shards", Shell, &[]),
    module("shard", Shell, &["shards"]),
    // What senders say of metrics: the receiver writes, the API reads.
    module("metadata", Shell, &[]),
    // Planned work that is begun and ended meanwhile: the API changes it, the evaluation of steps takes it.
    module("maintenance", Shell, &["files"]),
    module("receive", Shell, &["shards", "metadata"]),
    module("writeback", Shell, &["client"]),
    // The past, from a store that has it.
    module("history", Shell, &["client"]),
    module("table", Shell, &[]),
    // Queries are put to the shards, and the API offers them.
    module("query", Shell, &["shards"]),
    module("api", Shell, &["query", "shards", "metadata", "maintenance"]),
    module("server", Shell, &[]),
    module("demo", Shell, &[]),
    module("lifecycle", Shell, &["files"]),
    module(
        "app",
        Shell,
        &[
            "client",
            "feature_store",
            "config",
            "shards",
            "shard",
            "metadata",
            "maintenance",
            "receive",
            "writeback",
            "history",
            "table",
            "query",
            "api",
            "server",
            "lifecycle",
        ],
    ),
    module(
        "cli",
        Shell,
        &[
            "feature_store",
            "config",
            "lifecycle",
            "shards",
            "shard",
            "receive",
            "writeback",
            "history",
            "history",
            "table",
            "query",
            "api",
            "server",
            "demo",
            "app",
        ],
    ),
];

/// Files above this length hold a second idea.
const MOST_LINES: usize = 500;

/// The head of every core module: switches on the bans of `clippy.toml`.
const CORE_HEAD: &str = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]";

/// Words that a core module never says outside its tests.
const NOT_IN_CORE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "hyper",
    "axum",
    "tonic",
    "tracing",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
];

/// Parts of `std` that a core module never uses outside its tests.
const NOT_IN_CORE_OF_STD: &[&str] =
    &["fs", "net", "env", "process", "thread", "time::Instant", "time::SystemTime"];

fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

fn allowed(user: &Module, used: &Module) -> bool {
    let open_to_shell = used.layer != Shell || used.name == "telemetry";
    user.name == used.name || user.may_use.contains(&used.name) || (user.layer == Shell && open_to_shell)
}

fn sources() -> Vec<SourceFile> {
    let sources = source::read_all(Path::new("src"));
    assert!(sources.len() > 3, "run from the root of the package");
    sources
}

/// Prints every finding, so that one run shows all there is to mend.
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_table_points_one_way() {
    for (place, module) in MODULES.iter().enumerate() {
        for used in module.may_use {
            let found = MODULES.iter().position(|other| other.name == *used);
            let known =
                found.unwrap_or_else(|| panic!("{} may use {used}, which is not in the table", module.name));
            let upwards = known < place || (module.name == "config" && MODULES[known].layer == Shell);
            assert!(upwards, "{} may use {used}, which stands below it", module.name);
            assert!(
                module.layer == Shell || MODULES[known].layer != Shell,
                "{}: the core uses the shell",
                module.name
            );
        }
    }
}

/// For all files, what they use of other top modules is allowed by the table.
#[test]
fn dependencies_follow_the_table() {
    let mut findings = Vec::new();
    for file in sources() {
        // `lib.rs` declares the modules; the binary may only start them.
        let Some(user) = find(&file.top_module) else {
            if !["lib", "main"].contains(&file.top_module.as_str()) {
                findings.push(format!("{}: top module {} is not in the table", file.path, file.top_module));
            }
            continue;
        };
        for used in file.uses_of_top_modules() {
            match find(&used.name) {
                Some(module) if allowed(user, module) => {}
                Some(module) => {
                    findings.push(format!(
                        "{}:{}: {} may not use {}",
                        file.path, used.line, user.name, module.name
                    ));
                }
                None => {
                    findings.push(format!("{}:{}: crate::{} is no module", file.path, used.line, used.name))
                }
            }
        }
    }
    assert_none(&findings);
}

/// The map of the crate shows words and core in the order of the table, and the shell after them.
#[test]
fn lib_rs_declares_the_modules_in_the_order_in_which_a_sample_travels() {
    let lib = fs::read_to_string("src/lib.rs").unwrap_or_else(|error| panic!("src/lib.rs: {error}"));
    let names = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let declared: Vec<&Module> =
        names.map(|name| find(name).unwrap_or_else(|| panic!("{name} is not in the table"))).collect();
    let place = |module: &Module| match module.layer {
        Shell => MODULES.len(),
        Words | Core => MODULES.iter().position(|other| other.name == module.name).unwrap_or(MODULES.len()),
    };
    for pair in declared.windows(2) {
        assert!(place(pair[0]) <= place(pair[1]), "{} stands before {}", pair[0].name, pair[1].name);
    }
}

/// For all core modules, the bans of `clippy.toml` are on and nothing reaches for the world.
#[test]
fn the_core_is_pure() {
    let mut findings = Vec::new();
    for file in sources() {
        if find(&file.top_module).is_none_or(|module| module.layer != Core) {
            continue;
        }
        if file.path == format!("src/{}.rs", file.top_module) && !file.text.contains(CORE_HEAD) {
            findings.push(format!("{}: lacks {CORE_HEAD}", file.path));
        }
        let words = file.words_outside_tests().filter(|word| NOT_IN_CORE.contains(&word.name.as_str()));
        findings.extend(words.map(|word| format!("{}:{}: {} in the core", file.path, word.line, word.name)));
        for used in file.paths_outside_tests("std") {
            if NOT_IN_CORE_OF_STD.contains(&used.name.as_str()) {
                findings.push(format!("{}:{}: std::{} in the core", file.path, used.line, used.name));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn files_are_short_and_modules_have_one_layout() {
    let mut findings = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            findings.push(format!("{}: {lines} lines; at most {MOST_LINES}", file.path));
        }
        if file.path.ends_with("/mod.rs") {
            findings.push(format!("{}: write foo.rs beside foo/", file.path));
        }
    }
    assert_none(&findings);
}

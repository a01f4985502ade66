//! What the repository promises about itself: its commands, links, configuration files, and that no
//! trace of one machine is left in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file of the checkout but what `.gitignore` keeps out of it, by path.
fn files() -> Vec<PathBuf> {
    let ignore = read(".gitignore");
    let mut left_out: BTreeSet<PathBuf> =
        ignore.lines().filter_map(|line| Some(Path::new(".").join(line.strip_prefix('/')?))).collect();
    left_out.insert(PathBuf::from("./.git"));
    let mut files = Vec::new();
    collect(Path::new("."), &left_out, &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, left_out: &BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if left_out.contains(&path) {
            continue;
        }
        if path.is_dir() {
            collect(&path, left_out, files);
        } else {
            files.push(path);
        }
    }
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted))
}

/// The words that follow `make ` in commands, at the start of a line or of a code span.
fn make_targets(text: &str) -> BTreeSet<&str> {
    let commands = text.split(['\n', '`']).filter_map(|part| part.trim_start().strip_prefix("make "));
    commands.filter_map(|rest| rest.split_whitespace().next()).collect()
}

#[test]
fn commands_of_the_readme_are_targets_of_the_makefile() {
    let (readme, makefile) = (read("README.md"), read("Makefile"));
    let used = make_targets(&readme);
    assert!(used.contains("demo") && used.contains("test"), "the README shows {used:?}");
    for target in used {
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "no target {target}");
    }
}

#[test]
fn continuous_integration_runs_the_test_command_of_the_readme() {
    assert!(read(".ci/run").lines().any(|line| line == "make test"));
    assert!(read("README.md").contains("make test"));
}

#[test]
fn changelog_has_unreleased_on_top() {
    let changelog = read("CHANGELOG.md");
    assert_eq!(changelog.lines().find(|line| line.starts_with("## ")), Some("## Unreleased"));
}

/// For all text files, none names a path of one machine or the host of a package registry.
#[test]
fn no_trace_of_one_machine_is_left() {
    // In two parts each, or this file would be the first finding.
    let traces = [
        ["/wor", "k/"],
        ["/opt/", "peers"],
        ["/roo", "t/"],
        ["/hom", "e/"],
        ["crates", ".io"],
        ["pypi", ".org"],
        ["deb.debian", ".org"],
        ["registry.npmjs", ".org"],
    ]
    .map(|parts| parts.concat());
    let mut findings = Vec::new();
    for path in files().iter().filter(|path| !path.ends_with("Cargo.lock")) {
        let Ok(text) = fs::read_to_string(path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = traces.iter().filter(|trace| line.contains(trace.as_str()));
            findings.extend(found.map(|trace| format!("{}:{}: {trace}", path.display(), number + 1)));
        }
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn every_yaml_file_parses() {
    let mut seen = 0;
    for path in files().iter().filter(|path| has_ending(path, &["yml", "yaml"])) {
        let parsed =
            serde_yaml::from_str::<BTreeMap<String, serde_json::Value>>(&read(&path.to_string_lossy()));
        assert!(parsed.is_ok_and(|map| !map.is_empty()), "{} is no YAML map", path.display());
        seen += 1;
    }
    assert!(seen > 3, "only {seen} YAML files");
}

/// The anchor that Markdown viewers give to a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

/// For all links in Markdown that stay in the repository, the file is there, and the heading in it.
#[test]
fn links_in_the_documentation_resolve() {
    let mut findings = Vec::new();
    for path in files().iter().filter(|path| has_ending(path, &["md"])) {
        let text = read(&path.to_string_lossy());
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let found = match fs::read_to_string(&target) {
                _ if heading.is_empty() => target.exists(),
                Ok(text) => text.lines().any(|line| line.starts_with('#') && anchor(line) == heading),
                Err(_) => false,
            };
            if !found {
                findings.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

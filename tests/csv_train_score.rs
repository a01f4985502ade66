//! `emberwatch train` and `emberwatch score` on files, as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn emberwatch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emberwatch"))
        .args(arguments)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .unwrap()
}

fn noise(n: usize) -> f64 {
    (n as f64 * 0.618_033_988_749_895).fract() - 0.5
}

/// One row a minute of two machines; the CPU of the first is high in `fault`.
fn table(start: usize, rows: usize, fault: std::ops::Range<usize>) -> String {
    let mut text = "timestamp,entity,cpu,memory,network\n".to_owned();
    for row in start..start + rows {
        for (machine, size) in [("a", 1.0), ("b", 50.0)] {
            let cpu = if machine == "a" && fault.contains(&row) { 0.95 } else { 0.3 + noise(row) / 20.0 };
            let memory = size * (4.0 + noise(row * 3) / 10.0);
            let network = size * (1000.0 + 200.0 * noise(row * 5 + 1));
            let timestamp = 1_600_000_000 + row * 60;
            text.push_str(&format!("{timestamp},{machine},{cpu},{memory},{network}\n"));
        }
    }
    text
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn train(&self, csv: &str, model: &str) -> Output {
        emberwatch(&["train", "--csv", csv, "--out", &self.path(model), "--trees", "50"])
    }
}

/// What standard error says of a failed run.
fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_planted_fault_is_found_explained_and_nothing_else() {
    let files = Files::new();
    let train = files.write("train.csv", &table(0, 2000, 0..0));
    let trained = files.train(&train, "model.ewm");
    let said = String::from_utf8_lossy(&trained.stdout).into_owned();
    assert!(trained.status.success() && said.contains("trained on 3972 rows of 2 entities"), "{said}");

    let test = files.write("test.csv", &table(2000, 300, 2200..2220));
    let scores = files.path("scores.csv");
    let scored =
        emberwatch(&["score", "--model", &files.path("model.ewm"), "--csv", &test, "--out", &scores]);
    assert!(scored.status.success(), "{}", String::from_utf8_lossy(&scored.stderr));

    let mut csv = csv::Reader::from_path(scores).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let expected = [
        "timestamp",
        "entity",
        "anomaly_score",
        "anomaly_severity",
        "tail_probability",
        "explanation",
        "raw_score",
        "alarm",
        "incident",
        "criterion",
        "type",
    ];
    assert_eq!(header, expected);
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 600, "one row for each input row");
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(&row[0], (1_600_000_000 + (2000 + index / 2) * 60).to_string());
        assert_eq!(&row[1], ["a", "b"][index % 2], "in input order");
    }
    assert!(rows[0][5].starts_with("warming up: 1 of 15"), "{:?}", rows[0]);

    let severity = |row: usize| rows[row][3].parse::<u8>().unwrap();
    // The machine's rows are the even ones. Three of five steps raise a level.
    let during: Vec<u8> = (200..220).map(|step| severity(2 * step)).collect();
    assert!(during[3..].iter().all(|severity| *severity >= 2), "{during:?}");
    let said = &rows[2 * 205];
    assert!(
        said[5].starts_with("cpu is 0.95, ") && said[5].contains(" sigma above its usual 0.2"),
        "{}",
        &said[5]
    );
    assert!(said[9].starts_with("statistical_outlier") && &said[10] == "resource", "{said:?}");
    let incident = |row: usize| rows[row][8].to_owned();
    assert!(
        incident(2 * 205).len() == 16
            && (200..220).all(|step| severity(2 * step) == 0 || incident(2 * step) == incident(2 * 205))
    );
    let false_alarms = (0..600).filter(|row| !(row % 2 == 0 && *row >= 400) && severity(*row) >= 2).count();
    assert_eq!(false_alarms, 0);
}

/// A plain model needs no window: every row has its raw score, and one far out is among the highest tenth, though
/// hardly the highest: it is strange in one feature only.
#[test]
fn a_plain_model_shows_its_raw_scores() {
    let files = Files::new();
    let (train, test) =
        (files.write("train.csv", &table(0, 600, 0..0)), files.write("test.csv", &table(600, 100, 680..681)));
    let (model, scores) = (files.path("plain.ewm"), files.path("scores.csv"));
    assert!(emberwatch(&["train", "--plain", "--csv", &train, "--out", &model]).status.success());
    assert!(emberwatch(&["score", "--model", &model, "--csv", &test, "--out", &scores]).status.success());
    let mut csv = csv::Reader::from_path(scores).unwrap();
    assert_eq!(csv.headers().unwrap().iter().next_back(), Some("type"));
    let raw: Vec<f64> = csv.records().map(|row| row.unwrap()[6].parse().unwrap()).collect();
    let higher = raw.iter().filter(|raw_score| **raw_score > raw[160]).count();
    assert!(raw.len() == 200 && higher < 20, "{higher} of {} are above {}", raw.len(), raw[160]);
    let onnx = files.path("plain.onnx");
    let export = |model: &str| emberwatch(&["model", "export", model, "--format", "onnx", "--out", &onnx]);
    assert!(export(&model).status.success() && Path::new(&onnx).exists());
    assert!(files.train(&train, "model.ewm").status.success());
    assert!(refusal(&export(&files.path("model.ewm"))).contains("only a plain model"));
}

/// A plain model knows the range of its values: twenty steps far out of it are outliers, and a change where the detector has
/// windows that show one.
#[test]
fn anomalies_of_a_plain_model_meet_criteria() {
    let files = Files::new();
    let rows = |from: usize, count: usize, shift: &dyn Fn(usize) -> f64| {
        let value = |row: usize, feature: usize| 10.0 + noise(row * 7 + feature * 11) + shift(row);
        let line = |row: usize| format!("{},{},{}\n", 60 * row, value(row, 0), value(row, 1));
        "timestamp,cpu,memory\n".to_owned() + &(from..from + count).map(line).collect::<String>()
    };
    let train = files.write("train.csv", &rows(0, 2000, &|_| 0.0));
    let test = files.write("test.csv", &rows(2000, 120, &|row| if row < 2100 { 0.0 } else { 20.0 }));
    let config = "step: 1m\ndetectors:\n  - { name: machine, features: { cpu: cpu, memory: memory } }\n";
    let (config, model) = (files.write("config.yaml", config), files.path("plain.ewm"));
    let scores = files.path("scores.csv");
    assert!(emberwatch(&["train", "--plain", "--csv", &train, "--out", &model]).status.success());
    let judged =
        emberwatch(&["backtest", "--config", &config, "--model", &model, "--csv", &test, "--out", &scores]);
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_path(scores).unwrap().records().map(Result::unwrap).collect();
    assert!(rows[..100].iter().all(|row| row[3] == *"0"), "calm before");
    assert_eq!(&rows[101][9], "statistical_outlier", "{:?}", rows[101]);
    assert!(rows[101][5].contains(" sigma above its usual 9.5"), "{:?}", rows[101]);
    assert_eq!(&rows[119][9], "statistical_outlier+behaviour_change", "{:?}", rows[119]);
}

/// A scrape that came twice within a step is one observation, the later one; a row that says nothing is none.
#[test]
fn rows_of_one_step_share_its_verdict() {
    let files = Files::new();
    let train = files.write("train.csv", &table(0, 600, 0..0));
    assert!(files.train(&train, "model.ewm").status.success());
    let steps: String = (0..100).map(|step| format!("{},a,0.3,4,1000\n", 60 * step)).collect();
    let (header, twice, empty) =
        ("timestamp,entity,cpu,memory,network\n", "5950,a,0.9,4,1000\n", "6000,a,,,\n");
    let test = files.write("test.csv", &format!("{header}{steps}{twice}{empty}"));
    let scores = files.path("scores.csv");
    let model = files.path("model.ewm");
    assert!(emberwatch(&["score", "--model", &model, "--csv", &test, "--out", &scores]).status.success());
    let mut csv = csv::Reader::from_path(scores).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let said = |row: usize| rows[row].iter().skip(2).collect::<Vec<_>>();
    assert!(said(99) == said(100) && said(99) != said(98), "{:?} {:?}", rows[99], rows[100]);
    assert_eq!((rows.len(), &rows[101][2], &rows[101][5]), (102, "0", "no value of any feature"));
}

#[test]
fn the_same_data_gives_the_same_model_compressed_or_in_several_files() {
    let files = Files::new();
    let whole = files.write("whole.csv", &table(0, 600, 0..0));
    assert!(files.train(&whole, "whole.ewm").status.success());

    let packed = files.path("packed.csv.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(table(0, 600, 0..0).as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert!(files.train(&packed, "packed.ewm").status.success());

    let (late, early) =
        (files.write("2.csv", &table(300, 300, 0..0)), files.write("1.csv", &table(0, 300, 0..0)));
    let parts = ["train", "--csv", &late, &early, "--trees", "50", "--out", &files.path("parts.ewm")];
    assert!(emberwatch(&parts).status.success());

    let read = |name: &str| fs::read(files.path(name)).unwrap();
    assert!(read("whole.ewm") == read("packed.ewm"), "compressed");
    assert!(read("whole.ewm") == read("parts.ewm"), "several files in any order");
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_file_line_and_column() {
    let files = Files::new();
    let cases = [
        ("", "the file is empty"),
        ("timestamp,cpu\n", "no row"),
        ("time,cpu\n1,2\n", "no column \"timestamp\""),
        ("timestamp,entity\n1,a\n", "no feature column"),
        ("timestamp,cpu,cpu\n1,2,3\n", "line 1: column 3 is called \"cpu\" like column 2"),
        ("timestamp,cpu\n60,1\n120,1,5\n", "line 3: the row has 3 cells, the header has 2"),
        ("timestamp,cpu\n60,1\n120,fast\n", "line 3: column \"cpu\": \"fast\" is not a number"),
        ("timestamp,cpu\nyesterday,1\n", "line 2: column \"timestamp\": \"yesterday\""),
        ("timestamp,cpu\n120,1\n60,1\n", "line 3: the timestamp lies before that of line 2"),
        ("timestamp,cpu\n60,1\n60,2\n", "already given in"),
        ("timestamp,cpu\n60,1\n", "give --step"),
        ("timestamp,cpu\n60,1\n120,\n180,NaN\n", "at least 256 are needed"),
    ];
    for (text, expected) in cases {
        let path = files.write("wrong.csv", text);
        let said = refusal(&files.train(&path, "none.ewm"));
        assert!(said.contains(expected), "{text:?}: {said}");
    }
    assert!(!Path::new(&files.path("none.ewm")).exists());
    let missing: PathBuf = files.folder.path().join("absent.csv");
    assert!(refusal(&files.train(&missing.display().to_string(), "none.ewm")).contains("absent.csv"));
}

#[test]
fn a_table_that_does_not_belong_to_the_model_is_refused() {
    let files = Files::new();
    let train = files.write("train.csv", &table(0, 300, 0..0));
    assert!(files.train(&train, "model.ewm").status.success());
    let score = |text: &str| {
        let test = files.write("test.csv", text);
        emberwatch(&[
            "score",
            "--model",
            &files.path("model.ewm"),
            "--csv",
            &test,
            "--out",
            &files.path("s.csv"),
        ])
    };
    let said = refusal(&score("timestamp,cpu,network\n60,1,2\n"));
    assert!(said.contains("no column \"memory\", which the model has"), "{said}");
    let said = refusal(&score("timestamp,cpu,memory,network\n0,1,2,3\n300,1,2,3\n"));
    assert!(said.contains("300 s apart, the detector wants rows 60 s apart"), "{said}");
    let extra = score("timestamp,label,network,memory,cpu\n0,0,1,2,3\n60,0,1,2,3\n");
    assert!(extra.status.success());
    assert!(String::from_utf8_lossy(&extra.stdout).contains("left out: column label"));
}

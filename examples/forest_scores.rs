//! Raw scores of plain forests, one for each of several seeds: the part of `scripts/quality-forest` that is ours.
//!
//! `forest_scores TRAIN.csv TEST.csv OUT.csv SEEDS`: grows 100 trees of 256 rows from the values of TRAIN with
//! each of the seeds 0 to SEEDS - 1, and writes for each row of TEST its raw score with each seed. Tables are as for
//! `emberwatch train`, without missing values.

use anyhow::Context as _;
use emberwatch::{
    score::iforest::Hyperparams,
    table::{self, Columns, Table},
};
use indicatif::ProgressBar;
use ndarray::Array2;
use std::{
    env,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [train, test, out, seeds] = arguments.as_slice() else {
        anyhow::bail!("usage: forest_scores TRAIN.csv TEST.csv OUT.csv SEEDS");
    };
    let train = read(train, Columns::All)?;
    let test = read(test, Columns::Only(train.features()))?;
    let single = |table: &Table| table.values().mapv(|value| value as f32);
    let (train, test) = (single(&train), single(&test));
    let seeds: usize = seeds.parse().context("SEEDS is not a number")?;
    let mut scores = Array2::<f64>::zeros((seeds, test.nrows()));
    for (seed, mut into) in scores.outer_iter_mut().enumerate() {
        let params = Hyperparams { seed: seed as u64, ..Hyperparams::default() };
        let forest = params.check()?.fit(train.view())?;
        // A row of a fresh array is contiguous.
        forest.raw_scores(test.view(), into.as_slice_mut().context("scores are not contiguous")?);
    }
    let mut file = BufWriter::new(File::create(Path::new(out))?);
    for row in scores.columns() {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        writeln!(file, "{}", cells.join(","))?;
    }
    Ok(file.flush()?)
}

fn read(path: &str, columns: Columns<'_>) -> anyhow::Result<Table> {
    Ok(table::read(&[PathBuf::from(path)], columns, "entity", &ProgressBar::hidden())?)
}

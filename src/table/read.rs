//! Reading CSV files into one table.

use super::{
    TableError,
    error::Problem,
    source::{Source, number},
    timestamp,
};
use crate::series::{LabelSet, TimestampMs};
use indicatif::ProgressBar;
use ndarray::{Array2, ArrayView2};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Which columns are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Columns<'a> {
    /// Every column but `timestamp` and `entity` is a feature, in the order of the first file.
    All,
    /// These features, in this order; further columns are left out and named in [`Table::ignored`].
    Only(&'a [String]),
}

/// Where a row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the file in the list that was read.
    pub file: usize,
    /// Line in the file, from 1.
    pub line: u64,
}

/// One row without its values.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its time.
    pub at: TimestampMs,
    /// The time as it was written.
    pub timestamp: Box<str>,
    /// Index into [`Table::entities`].
    pub entity: usize,
    /// Where it stood.
    pub place: Place,
}

/// All rows of all files, in the order in which they were read.
#[derive(Clone, Debug)]
pub struct Table {
    features: Vec<String>,
    entities: Vec<(String, LabelSet)>,
    rows: Vec<Row>,
    values: Array2<f64>,
    ignored: Vec<String>,
}

/// Reads `paths` in their order. Entities become label sets with the one label `entity_label`; a row
/// without an entity has the empty label set. `progress` advances by the bytes of the files.
///
/// # Errors
/// At the first thing that cannot be read, with its place.
pub fn read(
    paths: &[PathBuf],
    columns: Columns<'_>,
    entity_label: &str,
    progress: &ProgressBar,
) -> Result<Table, TableError> {
    let mut reader = TableReader { columns, entity_label, ..TableReader::default() };
    for (file, path) in paths.iter().enumerate() {
        reader.read_file(file, path, progress)?;
    }
    reader.finish(paths)
}

// === impl Table ===

impl Table {
    /// The features, in the order of the columns of [`Self::values`].
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The entities as written and as label sets, in the order of their first row.
    #[must_use]
    pub fn entities(&self) -> &[(String, LabelSet)] {
        &self.entities
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Row x feature; NaN = missing.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// Columns that were not wanted.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The rows by time, then by entity: each file's and entity's rows already ascend.
    pub(super) fn in_time_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|row| (self.rows[*row].at, self.rows[*row].entity));
        order
    }
}

// === TableReader ===

#[derive(Debug)]
struct TableReader<'a> {
    columns: Columns<'a>,
    entity_label: &'a str,
    features: Vec<String>,
    entity_index: BTreeMap<String, usize>,
    entities: Vec<(String, LabelSet)>,
    rows: Vec<Row>,
    flat: Vec<f64>,
    ignored: Vec<String>,
}

/// Where things stand in one file's rows.
struct Header {
    timestamp: usize,
    entity: Option<usize>,
    /// For each feature of the table its cell.
    features: Vec<usize>,
}

impl Default for TableReader<'_> {
    fn default() -> Self {
        Self {
            columns: Columns::All,
            entity_label: "",
            features: Vec::new(),
            entity_index: BTreeMap::new(),
            entities: Vec::new(),
            rows: Vec::new(),
            flat: Vec::new(),
            ignored: Vec::new(),
        }
    }
}

impl TableReader<'_> {
    fn read_file(&mut self, file: usize, path: &Path, progress: &ProgressBar) -> Result<(), TableError> {
        let (mut source, names) = Source::open(path, progress)?;
        let header = self.header(file, &names).map_err(|problem| TableError::line(path, 1, problem))?;
        let first_row = self.rows.len();
        // The last row of each entity in this file: rows must ascend.
        let mut newest: BTreeMap<usize, usize> = BTreeMap::new();
        while let Some((line, record)) = source.next()? {
            self.row(&header, record, Place { file, line }, &mut newest)
                .map_err(|problem| TableError::line(path, line, problem))?;
        }
        if self.rows.len() == first_row {
            return Err(TableError::file(path, Problem::NoRows));
        }
        Ok(())
    }

    fn header(&mut self, file: usize, names: &[String]) -> Result<Header, Problem> {
        let mut places: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let timestamp = places.remove("timestamp").ok_or_else(|| Problem::NoTimestamp(names.to_vec()))?;
        let entity = places.remove("entity");
        let own: Vec<String> =
            names.iter().filter(|name| places.contains_key(name.as_str())).cloned().collect();
        if own.is_empty() {
            return Err(Problem::NoFeature);
        }
        let wanted_by = match (self.columns, file) {
            (Columns::Only(_), _) => "the model",
            (Columns::All, _) => "the first file",
        };
        if file == 0 {
            self.features = match self.columns {
                Columns::All => own.clone(),
                Columns::Only(wanted) => wanted.to_vec(),
            };
        }
        for name in own.iter().filter(|name| !self.features.contains(name)) {
            match self.columns {
                Columns::All => return Err(Problem::NewColumn(name.clone())),
                Columns::Only(_) if self.ignored.contains(name) => {}
                Columns::Only(_) => self.ignored.push(name.clone()),
            }
        }
        let place = |name: &String| {
            places
                .get(name.as_str())
                .copied()
                .ok_or_else(|| Problem::MissingColumn { name: name.clone(), wanted_by: wanted_by.to_owned() })
        };
        let features = self.features.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Header { timestamp, entity, features })
    }

    fn row(
        &mut self,
        header: &Header,
        record: &csv::StringRecord,
        place: Place,
        newest: &mut BTreeMap<usize, usize>,
    ) -> Result<(), Problem> {
        let text = &record[header.timestamp];
        let at = timestamp::parse(text)?;
        let entity = self.entity(header.entity.map_or("", |cell| &record[cell]))?;
        let above = newest.insert(entity, self.rows.len()).map(|row| &self.rows[row]);
        if let Some(above) = above.filter(|above| at < above.at) {
            return Err(Problem::Unsorted { above: above.place.line });
        }
        for (feature, cell) in header.features.iter().enumerate() {
            self.flat.push(number(&self.features[feature], &record[*cell])?);
        }
        self.rows.push(Row { at, timestamp: text.into(), entity, place });
        Ok(())
    }

    fn entity(&mut self, name: &str) -> Result<usize, Problem> {
        if let Some(index) = self.entity_index.get(name) {
            return Ok(*index);
        }
        let labels = LabelSet::from_pairs([(self.entity_label, name)])?;
        let index = self.entities.len();
        self.entities.push((name.to_owned(), labels));
        self.entity_index.insert(name.to_owned(), index);
        Ok(index)
    }

    fn finish(self, paths: &[PathBuf]) -> Result<Table, TableError> {
        let shape = (self.rows.len(), self.features.len());
        // Every row pushed exactly one value a feature, so the shape always fits.
        let values = Array2::from_shape_vec(shape, self.flat).unwrap_or_else(|_| Array2::zeros((0, 0)));
        let table = Table {
            features: self.features,
            entities: self.entities,
            rows: self.rows,
            values,
            ignored: self.ignored,
        };
        for pair in table.in_time_order().windows(2) {
            let (a, b) = (&table.rows[pair[0]], &table.rows[pair[1]]);
            if (a.at, a.entity) == (b.at, b.entity) {
                let other = format!("{}, line {}", paths[a.place.file].display(), a.place.line);
                let problem = Problem::DuplicateRow { other };
                return Err(TableError::line(&paths[b.place.file], b.place.line, problem));
            }
        }
        Ok(table)
    }
}

//! How the training sample was distributed.

use super::proto;
use crate::{
    features::InputLayout,
    model::{
        ModelError, N_BINS, Reference, WEEK_PARTS,
        reference::{MISSING_BIN, ReferenceColumn},
    },
};

const PART: &str = "the reference";

pub(super) fn write_reference(reference: &Reference) -> proto::Reference {
    let column = |column: &ReferenceColumn| proto::ReferenceColumn {
        edge: column.edges.clone(),
        count: column.counts.as_flattened().to_vec(),
    };
    proto::Reference {
        columns: reference.columns.iter().map(column).collect(),
        rows: reference.rows.to_vec(),
    }
}

pub(super) fn read_reference(
    layout: InputLayout,
    reference: &proto::Reference,
) -> Result<Reference, ModelError> {
    let wrong = |problem: String| ModelError::invalid(PART, problem);
    let Ok(rows) = <[u64; WEEK_PARTS]>::try_from(reference.rows.as_slice()) else {
        return Err(wrong(format!("{} parts of a week instead of {WEEK_PARTS}", reference.rows.len())));
    };
    // The evidence is one more column.
    let want = layout.n_features + 1;
    if reference.columns.len() != want {
        return Err(wrong(format!("{} columns where the schema needs {want}", reference.columns.len())));
    }
    let columns = reference.columns.iter().enumerate();
    let columns =
        columns.map(|(number, column)| read_column(number, column, &rows)).collect::<Result<_, _>>()?;
    Ok(Reference { columns, rows })
}

fn read_column(
    number: usize,
    column: &proto::ReferenceColumn,
    rows: &[u64; WEEK_PARTS],
) -> Result<ReferenceColumn, ModelError> {
    let wrong = |problem: String| ModelError::invalid(PART, format!("column {number} {problem}"));
    let edges = &column.edge;
    if edges.len() >= MISSING_BIN || edges.iter().any(|edge| !edge.is_finite()) {
        return Err(wrong(format!("has edges {edges:?}")));
    }
    if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(wrong("has edges that do not ascend".to_owned()));
    }
    let (days, rest) = column.count.as_chunks::<N_BINS>();
    let (Ok(counts), []) = (<[[u64; N_BINS]; WEEK_PARTS]>::try_from(days), rest) else {
        return Err(wrong(format!("has {} counts instead of {}", column.count.len(), WEEK_PARTS * N_BINS)));
    };
    for (counts, rows) in counts.iter().zip(rows) {
        let sum = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        let beyond = counts[..MISSING_BIN].iter().skip(edges.len() + 1).any(|count| *count > 0);
        if sum != Some(*rows) || beyond {
            return Err(wrong(format!("counts {counts:?} of {rows} rows in {} bins", edges.len() + 1)));
        }
    }
    Ok(ReferenceColumn { edges: edges.clone(), counts: Box::new(counts) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{features::Zone, series::TimestampMs};

    const LAYOUT: InputLayout = InputLayout { n_features: 1 };

    fn message() -> proto::Reference {
        let at: Vec<TimestampMs> = (0..500).map(|hour| TimestampMs(hour * 3_600_000)).collect();
        let values: Vec<f64> = (0..500).map(|row| f64::from(row % 17)).collect();
        write_reference(&Reference::fit(&Zone::default(), &at, [values.clone(), values]))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let written = message();
        assert_eq!(write_reference(&read_reference(LAYOUT, &written).unwrap()), written);
    }

    #[test]
    fn what_cannot_have_been_counted_is_refused() {
        type Damage = fn(&mut proto::Reference);
        let damages: [(Damage, &str); 9] = [
            (|it| it.rows.truncate(55), "55 parts of a week instead of 56"),
            (|it| it.columns.truncate(1), "1 columns where the schema needs 2"),
            (|it| it.columns[0].edge[0] = f64::NAN, "column 0 has edges [NaN"),
            (|it| it.columns[1].edge.extend([100.0, 101.0, 102.0]), "column 1 has edges"),
            (|it| it.columns[1].edge.swap(0, 1), "column 1 has edges that do not ascend"),
            (|it| it.columns[1].count.truncate(671), "column 1 has 671 counts instead of 672"),
            (|it| it.columns[1].count[0] += 1, "column 1 counts"),
            (|it| it.columns[1].count[0] = u64::MAX, "column 1 counts"),
            (|it| it.columns[1].edge.truncate(2), "in 3 bins"),
        ];
        for (damage, expected) in damages {
            let mut damaged = message();
            damage(&mut damaged);
            let error = read_reference(LAYOUT, &damaged).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        }
    }
}

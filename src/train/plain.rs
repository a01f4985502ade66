//! From rows to a plain model.

use super::{
    TrainError, TrainSettings, TrainingRows,
    fit::{check, cross_fitted_scores, model_of, normal_rows, pick},
};
use crate::{
    calibrate::Tail,
    features::{FeatureSchema, InputLayout, Statistic},
    model::{ColumnScale, Judge, Model, Plain, PlainColumn, Scorer},
};
use ndarray::{Array2, ArrayView1, ArrayView2};

/// Trains a plain model on `rows`: one forest over the values of the features, whatever their windows hold.
///
/// # Errors
/// When there are too few rows or a setting is out of its range.
pub fn fit_plain(
    schema: FeatureSchema,
    rows: &TrainingRows,
    settings: &TrainSettings,
) -> Result<Model, TrainError> {
    let layout = InputLayout { n_features: schema.features().len() };
    let hyperparams = check(layout, rows, settings)?;
    let values = |feature| rows.values.column(layout.column(feature, Statistic::Value));
    let columns: Vec<PlainColumn> = (0..layout.n_features).map(|feature| column(values(feature))).collect();
    let n = rows.values.nrows();
    let x = Array2::from_shape_fn((n, columns.len()), |(row, feature)| {
        columns[feature].input(values(feature)[row])
    });
    let origins: Vec<usize> = (0..n).collect();
    let fit = |rows: ArrayView2<'_, f32>| Ok(Scorer::Forest(hyperparams.fit(rows)?));
    let raw = [cross_fitted_scores(x.view(), n, &origins, fit)?];
    let normal = normal_rows(&raw, settings.contamination)?;
    let tail = Tail::fit(&pick(&raw[0], &normal))?;
    let forest = hyperparams.fit(x.view())?;
    Ok(model_of(schema, Judge::Plain(Plain::new(columns, forest, tail)), rows, settings, &raw[0]))
}

/// A forest does not care how a column is scaled; single precision does.
fn column(values: ArrayView1<'_, f64>) -> PlainColumn {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let scale = ColumnScale::fit(&mut finite);
    let mut column = PlainColumn { scale, ordinary: Some(scale.center), expected: None };
    column.learn(values);
    column
}

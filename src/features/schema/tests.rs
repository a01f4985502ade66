//! What a schema accepts, what it calls things, and how two of them differ.

use super::*;

fn schema(features: &[(&str, &str)]) -> FeatureSchema {
    let features = features
        .iter()
        .map(|(name, expression)| FeatureColumn { name: (*name).into(), expression: (*expression).into() })
        .collect();
    FeatureSchema::new(SchemaSettings { features, ..SchemaSettings::default() }).unwrap()
}

fn settings_of_series() -> SchemaSettings {
    SchemaSettings {
        features: vec![FeatureColumn { name: "value".into(), expression: String::new() }],
        by: Vec::new(),
        series: Some(SeriesReading::default()),
        ..SchemaSettings::default()
    }
}

#[test]
fn the_fingerprint_text_is_the_documented_one() {
    let text = schema(&[("cpu", "a + b")]).fingerprint_text();
    assert_eq!(
        text,
        "emberwatch feature schema 1\nstep_ms 5:60000\nwindow_steps 2:30\nutc_offset_minutes 1:0\n\
         by 8:instance\nfeature 3:cpu\nexpression 5:a + b\n"
    );
}

#[test]
fn a_difference_names_the_feature() {
    let model = schema(&[("cpu", "a"), ("mem", "b")]);
    let cases = [
        (schema(&[("cpu", "a")]), SchemaDifference::Missing("mem".into())),
        (schema(&[("cpu", "a"), ("mem", "b"), ("net", "c")]), SchemaDifference::Unknown("net".into())),
        (
            schema(&[("mem", "b"), ("cpu", "a")]),
            SchemaDifference::Order { index: 0, model: "cpu".into(), here: "mem".into() },
        ),
        (
            schema(&[("cpu", "a"), ("mem", "z")]),
            SchemaDifference::Expression { feature: "mem".into(), model: "b".into(), here: "z".into() },
        ),
    ];
    for (here, expected) in cases {
        assert_eq!(model.difference(&here), Some(expected));
        assert_ne!(model.fingerprint(), here.fingerprint());
    }
    assert_eq!(model.difference(&schema(&[("cpu", ""), ("mem", "")])), None, "CSV columns match by name");
}

#[test]
fn values_do_not_depend_on_windows() {
    let long = SchemaSettings { window_steps: 99, step_ms: 1, ..schema(&[("cpu", "a")]).settings };
    let (model, long) = (schema(&[("cpu", "a")]), FeatureSchema::new(long).unwrap());
    assert_eq!(model.value_difference(&long), None);
    assert!(matches!(model.difference(&long), Some(SchemaDifference::Setting { .. })));
}

/// Old schemas keep their fingerprint, which the documented text above shows.
#[test]
fn a_schema_of_series_is_another_one() {
    let settings = settings_of_series();
    let other =
        SeriesReading { counters: vec!["a".into()], gauges: vec!["b|c".into()], rate_range_ms: 60_000 };
    let other = SchemaSettings { series: Some(other), ..settings.clone() };
    let (series, other) = (FeatureSchema::new(settings.clone()).unwrap(), FeatureSchema::new(other).unwrap());
    let vector = schema(&[("value", "")]);
    assert_eq!(series.difference(&vector), Some(SchemaDifference::Entities { model: true }));
    assert_eq!(vector.difference(&series), Some(SchemaDifference::Entities { model: false }));
    let difference = series.difference(&other).unwrap().to_string();
    assert_eq!(
        difference,
        "series are read by rates over 300000 ms in the model and by rates over 60000 ms, counters [a], gauges [b|c] here"
    );
    let lines = "series_rate_range_ms 5:60000\nseries_counter 1:a\nseries_gauge 3:b|c\n";
    assert!(other.fingerprint_text().ends_with(lines), "{}", other.fingerprint_text());
    let two = SchemaSettings { by: vec!["instance".into()], ..settings };
    assert_eq!(FeatureSchema::new(two), Err(InvalidSchema::SeriesWithFeatures));
}

#[test]
fn a_series_is_called_by_its_metric() {
    let series = FeatureSchema::new(settings_of_series()).unwrap();
    let entity = LabelSet::from_pairs([("for", "requests_total"), ("job", "a")]).unwrap();
    assert_eq!((series.name_of(0, &entity), series.is_rate("requests_total")), ("requests_total", true));
    let vector = schema(&[("cpu_total", "")]);
    assert_eq!((vector.name_of(0, &entity), vector.is_rate("cpu_total")), ("cpu_total", false));
}

/// For every feature of every entity, its place is that of its name.
#[test]
fn a_place_is_found_by_its_name() {
    let entity = LabelSet::from_pairs([("for", "b")]).unwrap();
    let series = FeatureSchema::new(settings_of_series()).unwrap();
    for schema in [schema(&[("a", ""), ("b", ""), ("c", "")]), series] {
        for feature in 0..schema.features().len() {
            assert_eq!(schema.place_of(schema.name_of(feature, &entity)), Some(feature));
        }
    }
    assert_eq!(schema(&[("a", "")]).place_of("b"), None);
}

/// The name is part of what a column means, and an offset that happens to be the same is not the same.
#[test]
fn a_time_zone_is_part_of_the_schema() {
    let zone = |name: Option<&str>| {
        let settings = schema(&[("cpu", "a")]).settings;
        FeatureSchema::new(SchemaSettings { time_zone: name.map(str::to_owned), ..settings }).unwrap()
    };
    let (utc, berlin) = (zone(None), zone(Some("Europe/Berlin")));
    assert!(berlin.fingerprint_text().contains("utc_offset_minutes 1:0\ntime_zone 13:Europe/Berlin\n"));
    let there = SchemaDifference::TimeZone { model: String::new(), here: "Europe/Berlin".into() };
    assert_eq!(utc.difference(&berlin), Some(there));
    assert_eq!(berlin.difference(&berlin.clone()), None);
}

#[test]
fn wrong_settings_are_refused_with_what_is_wrong() {
    let refuse = |change: &dyn Fn(&mut SchemaSettings)| {
        let mut settings = SchemaSettings {
            features: vec![FeatureColumn { name: "a".into(), expression: String::new() }],
            ..SchemaSettings::default()
        };
        change(&mut settings);
        FeatureSchema::new(settings).unwrap_err()
    };
    assert_eq!(refuse(&|s| s.features.clear()), InvalidSchema::FeatureCount(0));
    let twice = InvalidSchema::Repeated { what: "feature", name: "a".into() };
    assert_eq!(refuse(&|s| s.features.push(s.features[0].clone())), twice);
    assert_eq!(refuse(&|s| s.step_ms = 0), InvalidSchema::Step(0));
    assert_eq!(refuse(&|s| s.window_steps = 1), InvalidSchema::Window(1));
    assert_eq!(refuse(&|s| s.utc_offset_minutes = i32::MIN), InvalidSchema::UtcOffset(i32::MIN));
    let elsewhere = |s: &mut SchemaSettings| s.time_zone = Some("Mars/Olympus".into());
    assert_eq!(refuse(&elsewhere), InvalidSchema::TimeZone("Mars/Olympus".into()));
    let both =
        |s: &mut SchemaSettings| (s.time_zone, s.utc_offset_minutes) = (Some("Asia/Tokyo".into()), 540);
    assert_eq!(refuse(&both), InvalidSchema::TimeZone("Asia/Tokyo".into()));
}

//! Model files: what is written is read back, and what is damaged is refused with what and where.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use emberwatch::{
    calibrate::{Memory, Thresholds},
    features::{
        FeatureColumn, FeatureMatrix, FeatureSchema, FeatureWindows, InputLayout, Inputs, SchemaSettings,
        Statistic,
    },
    model::{EXACT_BELOW, MAX_EXACT_ROWS, Model, ModelError, Past, Validation, ValidationCounts},
    score::iforest::{Hyperparams, Scoring, Splits},
    series::{LabelSet, TimestampMs},
    train::{
        MIN_ROWS, Reservoir, ReservoirSettings, TrainError, TrainSettings, TrainingRows, fit, fit_plain,
    },
};
use ndarray::{Array2, Axis};

const STEP_MS: i64 = 60_000;
const FEATURES: [&str; 4] = ["cpu", "memory", "disk", "network"];

/// A number that looks random but is not: the fraction of a multiple of the golden ratio.
fn noise(n: usize) -> f64 {
    (n as f64 * 0.618_033_988_749_895).fract() - 0.5
}

fn schema() -> FeatureSchema {
    let features = FEATURES.map(|name| FeatureColumn {
        name: name.to_owned(),
        expression: format!("avg by (instance) ({name})"),
    });
    let settings = SchemaSettings { features: features.into(), window_steps: 6, ..SchemaSettings::default() };
    FeatureSchema::new(settings).unwrap()
}

/// Two machines of different size; `fault` changes the values of the first at a step.
fn replay(steps: usize, fault: impl Fn(usize, &mut [f64]), mut each: impl FnMut(&Inputs)) {
    let mut windows = FeatureWindows::new(&schema());
    let entities: Vec<LabelSet> =
        ["a", "b"].map(|name| LabelSet::from_pairs([("instance", name)]).unwrap()).into();
    for step in 0..steps {
        let mut values = Array2::from_shape_fn((2, FEATURES.len()), |(row, feature)| {
            let size = if row == 0 { 1.0 } else { 100.0 };
            size * (10.0 + noise(step * 7 + row * 3 + feature * 11))
        });
        fault(step, values.row_mut(0).as_slice_mut().unwrap());
        let at = TimestampMs(step as i64 * STEP_MS);
        let matrix =
            FeatureMatrix { at, entities: entities.clone(), values, ambiguous: vec![0; FEATURES.len()] };
        each(&windows.push(&matrix).unwrap());
    }
}

fn settings(n_trees: usize, subsample_size: usize) -> TrainSettings {
    TrainSettings {
        hyperparams: Hyperparams { n_trees, subsample_size, ..Hyperparams::default() },
        contamination: 0.0,
        thresholds: Thresholds::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        drifted: None,
        version: "test".to_owned(),
        created_at: TimestampMs(1_700_000_000_000),
    }
}

fn training_rows() -> TrainingRows {
    let mut reservoir = Reservoir::new(ReservoirSettings::default());
    replay(
        1000,
        |_, _| {},
        |inputs| {
            reservoir.offer(inputs, |_| true);
        },
    );
    reservoir.rows()
}

fn train(n_trees: usize, subsample_size: usize) -> Model {
    fit(schema(), &training_rows(), &settings(n_trees, subsample_size)).unwrap()
}

fn train_plain(n_trees: usize, subsample_size: usize) -> Model {
    fit_plain(schema(), &training_rows(), &settings(n_trees, subsample_size)).unwrap()
}

/// Splits and scorings whose forests are not plain.
const OTHER_FORESTS: [(Splits, Scoring); 4] = [
    (Splits::Extended { features: 3 }, Scoring::Depth),
    (Splits::Guided { features: 2, candidates: 4 }, Scoring::PenalizedDepth),
    (Splits::Plain, Scoring::Density),
    (Splits::Guided { features: 1, candidates: 2 }, Scoring::Density),
];

/// A model of three members or a plain one, whose forests are not plain.
fn train_other(
    plain: bool,
    (splits, scoring): (Splits, Scoring),
    n_trees: usize,
    subsample_size: usize,
) -> Model {
    let fit = if plain { fit_plain } else { fit };
    let mut settings = settings(n_trees, subsample_size);
    settings.hyperparams = Hyperparams { splits, scoring, ..settings.hyperparams };
    fit(schema(), &training_rows(), &settings).unwrap()
}

#[test]
fn training_twice_gives_the_same_bytes_and_decoding_gives_the_same_model() {
    for train in [train, train_plain] {
        let bytes = train(20, 64).encode().unwrap();
        assert_eq!(bytes, train(20, 64).encode().unwrap());
        let again = Model::decode(&bytes).unwrap();
        assert_eq!(again.encode().unwrap(), bytes);
        assert_eq!(again.schema(), &schema());
    }
}

/// What was found of a model is in its file, of the same format; counts that contradict each other are refused.
#[test]
fn a_validation_is_read_back() {
    let model = train(5, 32);
    assert_eq!(model.training().validation, None);
    let counts = ValidationCounts {
        rows: 100,
        true_positives: 6,
        false_positives: 2,
        false_negatives: 4,
        incidents: 3,
        detected: 2,
        false_alarms: 1,
    };
    let validation = Validation { first: TimestampMs(1), last: TimestampMs(2), counts };
    let bytes = model.clone().with_validation(validation).encode().unwrap();
    assert_eq!(bytes[8..12], model.encode().unwrap()[8..12]);
    let again = Model::decode(&bytes).unwrap();
    assert_eq!((again.training().validation, again.encode().unwrap()), (Some(validation), bytes));
    let wrong = Validation { counts: ValidationCounts { detected: 4, ..counts }, ..validation };
    let error = Model::decode(&model.with_validation(wrong).encode().unwrap()).unwrap_err();
    assert!(error.to_string().contains("4 of 3 incidents detected"), "{error}");
}

/// A program that knows format 1 alone would find no trees in such a forest; it refuses format 2 by its number. One that
/// knows format 2 would look for other inputs; it refuses format 3.
#[test]
fn other_forests_and_members_are_written_in_formats_of_their_own_and_read_back() {
    for plain in [false, true] {
        for other in OTHER_FORESTS {
            let model = train_other(plain, other, 5, 32);
            let bytes = model.encode().unwrap();
            let format: u32 = if plain { 2 } else { 3 };
            assert_eq!(bytes[8..12], format.to_le_bytes(), "{other:?}");
            assert_eq!(bytes, train_other(plain, other, 5, 32).encode().unwrap());
            let again = Model::decode(&bytes).unwrap();
            assert_eq!(again.encode().unwrap(), bytes);
            assert_eq!(again.training().hyperparams, model.training().hyperparams);
        }
    }
}

/// Whatever the first format can say is written in it: guided splits by one feature are plain trees.
#[test]
fn plain_forests_are_written_in_format_1() {
    let guided = train_other(true, (Splits::Guided { features: 1, candidates: 4 }, Scoring::Depth), 5, 32);
    for model in [train_plain(2, 8), guided] {
        assert_eq!(model.encode().unwrap()[8..12], 1_u32.to_le_bytes());
    }
}

/// For all truncations of a model file, decoding says that it is truncated and how long it should be.
#[test]
fn every_truncation_is_refused() {
    let bytes = train(2, 8).encode().unwrap();
    for have in 0..bytes.len() {
        match Model::decode(&bytes[..have]) {
            Err(ModelError::Truncated { have: said, need }) => assert!(said == have && need > have),
            other => panic!("{have} bytes: {other:?}"),
        }
    }
}

/// For all flips of one bit of a model file, decoding gives an error.
#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = train(2, 8).encode().unwrap();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::decode(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// For all flips of one byte of the *payload* under a right checksum, decoding never panics.
#[test]
fn no_flip_behind_the_checksum_panics() {
    let others = OTHER_FORESTS.map(|other| train_other(true, other, 2, 8));
    for model in [train(2, 8), train_plain(2, 8)].into_iter().chain(others) {
        let good = model.encode().unwrap();
        let payload = snap::raw::Decoder::new().decompress_vec(&good[16..good.len() - 4]).unwrap();
        for at in 0..payload.len() {
            let mut altered = payload.clone();
            altered[at] ^= 0xff;
            // Whether this is still a model is not for this test to say.
            let _ = Model::decode(&wrap(&altered));
        }
    }
}

/// The inflated feature of the members' model is named first whatever splits their forests.
#[test]
fn an_inflated_feature_is_named_first_whatever_the_splits() {
    for (splits, scoring) in OTHER_FORESTS {
        let model = train_other(false, (splits, scoring), 50, 128);
        let mut last = None;
        let fault = |step: usize, values: &mut [f64]| values[2] += if step >= 60 { 90.0 } else { 0.0 };
        replay(62, fault, |inputs| last = Some(model.score(inputs, &mut Past::none())));
        let scored = last.unwrap().swap_remove(0);
        let first = scored.contributions.first().map(|first| first.feature);
        assert_eq!(first, Some(2), "{splits}, {scoring}: {scored:?}");
    }
}

/// The envelope as docs/model-format.md describes it, written a second time.
fn wrap(payload: &[u8]) -> Vec<u8> {
    let packed = snap::raw::Encoder::new().compress_vec(payload).unwrap();
    let mut bytes = b"EMBRWTCH\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&packed);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

#[test]
fn each_damage_has_its_own_message() {
    let good = train(2, 8).encode().unwrap();
    let refuse = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Model::decode(&bytes).unwrap_err().to_string()
    };
    assert!(refuse(&|bytes| bytes[..8].copy_from_slice(b"PK\x03\x04xxxx")).contains("no model file"));
    assert!(refuse(&|bytes| bytes[8] = 4).contains("model format 4 is not known here"));
    assert!(refuse(&|bytes| bytes[40] ^= 1).contains("altered"));
    assert!(refuse(&|bytes| bytes.push(0)).contains("1 bytes behind its end"));
    assert!(refuse(&|bytes| bytes[12..16].copy_from_slice(&[0xff; 4])).contains("at most"));
    // A snappy block that claims four gigabytes.
    let bomb = |bytes: &mut Vec<u8>| {
        bytes.truncate(12);
        bytes.extend_from_slice(&5_u32.to_le_bytes());
        bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        let checksum = crc32fast::hash(bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
    };
    assert!(refuse(&bomb).contains("at most"));
}

#[test]
fn a_model_that_scores_otherwise_than_when_it_was_saved_is_refused() {
    // In this format the self-test stands last.
    let good = include_bytes!("data/model-v1.ewm");
    let mut payload = snap::raw::Decoder::new().decompress_vec(&good[16..good.len() - 4]).unwrap();
    // The last field of the last self-test row is its expected result, eight bytes.
    let last = payload.len() - 8;
    payload[last] ^= 1;
    assert!(matches!(Model::decode(&wrap(&payload)), Err(ModelError::SelfTest { row: 7, .. })));
}

#[test]
fn a_model_of_two_forests_of_100_trees_of_256_rows_is_within_twice_100_kilobytes() {
    let bytes = train(100, 256).encode().unwrap().len();
    // Calibration, scaling and self-test included.
    assert!(bytes < 200_000, "{bytes}");
}

/// A file written by the first release of format 1 is read for ever, and written again to the same byte.
#[test]
fn the_golden_file_loads() {
    let file = include_bytes!("data/model-v1.ewm");
    let model = Model::decode(file).unwrap();
    assert_eq!(model.encode().unwrap(), file);
    assert_eq!(model.version(), "golden");
    assert_eq!(model.training().rows, 1996);
    assert_eq!(model.schema().features()[2].name, "disk");
    assert!(!model.is_plain());
}

/// And so is the first file of a plain model.
#[test]
fn the_golden_plain_file_loads() {
    let file = include_bytes!("data/model-v1-plain.ewm");
    let model = Model::decode(file).unwrap();
    assert_eq!(model.encode().unwrap(), file);
    assert_eq!((model.version(), model.is_plain()), ("golden", true));
    assert_eq!(model.training().rows, 1996);
}

/// And the first one of format 2: guided splits by two features, penalised depth.
#[test]
fn the_golden_file_of_format_2_loads() {
    let file = include_bytes!("data/model-v2.ewm");
    let model = Model::decode(file).unwrap();
    assert_eq!(model.encode().unwrap(), file);
    let Hyperparams { splits, scoring, .. } = model.training().hyperparams;
    assert_eq!((splits, scoring), OTHER_FORESTS[1]);
}

/// And the first one of format 3: members with rankers beside them.
#[test]
fn the_golden_file_of_format_3_loads() {
    let file = include_bytes!("data/model-v3.ewm");
    let model = Model::decode(file).unwrap();
    assert_eq!(model.encode().unwrap(), file);
    let parts: Vec<_> = model.parts().iter().map(|part| part.name).collect();
    assert_eq!(parts, ["window", "deviation", "nearest", "extreme", "jumps (ranks)", "levels (ranks)"]);
}

/// The values of a plain model are judged whatever the windows of the detector, those of other models are not.
#[test]
fn a_plain_model_fits_any_window() {
    let settings = SchemaSettings {
        features: schema().features().to_vec(),
        window_steps: 60,
        ..SchemaSettings::default()
    };
    let here = FeatureSchema::new(settings).unwrap();
    assert_eq!(train_plain(2, 8).difference(&here), None);
    assert!(train(2, 8).difference(&here).is_some());
}

#[test]
fn too_few_rows_say_how_many_are_needed() {
    let mut reservoir = Reservoir::new(ReservoirSettings::default());
    replay(
        100,
        |_, _| {},
        |inputs| {
            reservoir.offer(inputs, |_| true);
        },
    );
    let error = fit(schema(), &reservoir.rows(), &settings(10, 64)).unwrap_err();
    // Of 100 steps two are needed to fill half of the window; two machines.
    assert_eq!(error, TrainError::TooFewRows { have: 196, need: MIN_ROWS });
}

/// Inflating one feature of one machine: it is scored as rare, and that feature is named first, in at
/// least 95 of 100 cases; the machine 100 times as large beside it stays ordinary.
#[test]
fn an_inflated_feature_is_found_and_named_first() {
    let model = train(100, 256);
    let (mut named, mut cases) = (0, 0);
    for case in 0..100 {
        let inflated = case % FEATURES.len();
        let fault = |step: usize, values: &mut [f64]| {
            if step >= 60 + case {
                values[inflated] += 8.0 + case as f64 / 10.0;
            }
        };
        let mut last = None;
        replay(62 + case, fault, |inputs| last = Some(model.score(inputs, &mut Past::none())));
        let scored = last.unwrap();
        assert!(scored[1].tail_probability > 1e-3, "case {case}: {scored:?}");
        assert!(scored[0].tail_probability < 1e-2, "case {case}: {scored:?}");
        cases += 1;
        named += usize::from(scored[0].contributions.first().is_some_and(|first| first.feature == inflated));
    }
    assert!(named * 100 >= cases * 95, "{named} of {cases}");
}

#[test]
fn a_missing_feature_is_ordinary_and_named() {
    let model = train(50, 128);
    let mut last = None;
    replay(
        60,
        |_, values| values[2] = f64::NAN,
        |inputs| last = Some(model.score(inputs, &mut Past::none())),
    );
    let scored = last.unwrap();
    assert_eq!((scored[0].missing.as_slice(), scored[1].missing.as_slice()), (&[2][..], &[][..]));
    assert!(scored[0].tail_probability > 0.01);
}

/// For all entities, the score does not depend on which others are scored with it.
#[test]
fn neighbours_change_no_bit() {
    let model = train(20, 64);
    replay(
        40,
        |_, _| {},
        |inputs| {
            let together = model.score(inputs, &mut Past::none());
            for (row, expected) in together.iter().enumerate() {
                let single = model.score(&only(inputs, &[row]), &mut Past::none())[0].tail_probability;
                assert_eq!(single.to_bits(), expected.tail_probability.to_bits());
            }
        },
    );
}

/// For all batches of alarming rows, each is scored as if it were alone, to the last bit, and explained; the 64
/// strangest, of equally strange ones the first, are explained as if they were alone too.
#[test]
fn a_batch_full_of_alarms_explains_the_strangest_exactly() {
    for model in [train(50, 128), train_plain(50, 128)] {
        let batch = alarming_rows(100);
        let together = model.score(&batch, &mut Past::none());
        let alone: Vec<_> =
            (0..100).map(|row| model.score(&only(&batch, &[row]), &mut Past::none()).remove(0)).collect();
        let mut by_strangeness: Vec<usize> = (0..100).collect();
        by_strangeness.sort_by(|a, b| alone[*a].tail_probability.total_cmp(&alone[*b].tail_probability));
        for (place, row) in by_strangeness.into_iter().enumerate() {
            let (together, alone) = (&together[row], &alone[row]);
            assert!(alone.tail_probability < EXACT_BELOW, "{alone:?}");
            assert_eq!(together.tail_probability.to_bits(), alone.tail_probability.to_bits());
            assert_eq!(together.raw_score.to_bits(), alone.raw_score.to_bits());
            assert!(!together.contributions.is_empty());
            // Path credit is hardly ever the same to the last bit.
            assert_eq!(
                together.contributions == alone.contributions,
                place < MAX_EXACT_ROWS,
                "place {place}"
            );
        }
    }
}

/// Who is left out takes no place among the rows that are explained exactly.
#[test]
fn rows_that_are_not_chosen_change_nothing() {
    let model = train(50, 128);
    let mut batch = alarming_rows(100);
    let of_interest: Vec<usize> = (0..100).step_by(2).collect();
    let stranger = LabelSet::from_pairs([("instance", "unheard of")]).unwrap();
    (1..100).step_by(2).for_each(|row| batch.entities[row] = stranger.clone());
    let chosen = model.score_only(&batch, &mut Past::none(), |entity| model.knows(entity));
    assert_eq!(chosen.iter().map(|scored| scored.row).collect::<Vec<_>>(), of_interest);
    let expected = model.score(&only(&batch, &of_interest), &mut Past::none());
    for (chosen, expected) in chosen.iter().zip(&expected) {
        assert_eq!(chosen.tail_probability.to_bits(), expected.tail_probability.to_bits());
        assert_eq!(chosen.contributions, expected.contributions);
    }
}

/// Some rows of a step as a step of their own.
fn only(inputs: &Inputs, rows: &[usize]) -> Inputs {
    Inputs {
        at: inputs.at,
        entities: rows.iter().map(|row| inputs.entities[*row].clone()).collect(),
        values: inputs.values.select(Axis(0), rows),
        present: inputs.present.select(Axis(0), rows),
        filled_steps: rows.iter().map(|row| inputs.filled_steps[*row]).collect(),
        warm: vec![true; rows.len()],
    }
}

/// `n` times the same machine with the first feature far out, each time differently far.
fn alarming_rows(n: usize) -> Inputs {
    let mut last = None;
    replay(60, |_, _| {}, |inputs| last = Some(inputs.clone()));
    let mut batch = only(&last.unwrap(), &vec![0; n]);
    let layout = InputLayout { n_features: FEATURES.len() };
    for row in 0..n {
        for statistic in [Statistic::Value, Statistic::Mean, Statistic::Deviation] {
            batch.values[[row, layout.column(0, statistic)]] += 3.0 + (row * 37 % n) as f64 / 10.0;
        }
    }
    batch
}

/// Writes the golden files: `EMBERWATCH_GOLDEN=FOLDER cargo test golden`. Only for a new format version; those of older
/// formats with members were written by programs of their time.
#[test]
fn the_golden_files_can_be_written_again() {
    let settings = TrainSettings { version: "golden".to_owned(), ..settings(10, 32) };
    let rows = training_rows();
    for (model, file) in [
        (fit(schema(), &rows, &settings), "model-v3.ewm"),
        (fit_plain(schema(), &rows, &settings), "model-v1-plain.ewm"),
    ] {
        let bytes = model.unwrap().encode().unwrap();
        if let Ok(folder) = std::env::var("EMBERWATCH_GOLDEN") {
            std::fs::write(std::path::Path::new(&folder).join(file), &bytes).unwrap();
        }
        assert!(Model::decode(&bytes).is_ok());
    }
}

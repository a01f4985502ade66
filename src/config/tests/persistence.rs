use super::{problems, valid};

#[test]
fn one_scrape_is_carried_as_long_as_the_features_look_back_unless_said() {
    let text = |keys: &str| format!("step: 1m\ndetectors:\n  - {{ name: a, {keys} }}\n");
    let carry = |keys: &str| valid(&text(keys)).detectors[0].persistence.get().carry;
    assert_eq!(valid("").detectors[0].persistence.get().carry, 19, "five minutes in steps of 15 s");
    assert_eq!(carry("preset: http"), 4);
    assert_eq!(carry("preset: http, rate_interval: 2m"), 1);
    assert_eq!(carry("features: { f: up }"), 0);
    assert_eq!(carry("series: '{job=\"a\"}'"), 0);
    assert_eq!(carry("preset: http, persistence: { n: 3, m: 5 }"), 4);
    assert_eq!(carry("preset: http, persistence: { carry: 0s }"), 0);
    assert_eq!(carry("features: { f: up }, persistence: { carry: 10m }"), 9);
    let wrong = |carry: &str| problems(&text(&format!("preset: http, persistence: {{ carry: {carry} }}")));
    assert!(wrong("2h").contains("persistence.carry: 2h is out of range; write 0s to 1h"), "{}", wrong("2h"));
    assert!(wrong("4").contains("is not a duration; write how long one scrape is seen"), "{}", wrong("4"));
}

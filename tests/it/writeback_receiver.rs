//! The sender against a scripted HTTP server on loopback.

mod target;

use emberwatch::{
    client::{self, Credentials, Secret, SecretSource},
    telemetry::writeback::DropReason,
    writeback::{QueueSettings, Settings},
};
use std::time::Duration;
use target::{Reply, Running, Target, running, step, steps_of};

fn fast(url: String) -> Settings {
    let queue = QueueSettings {
        min_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(4),
        ..QueueSettings::default()
    };
    Settings { queue, ..Settings::new(url) }
}

#[tokio::test]
async fn a_step_arrives_with_the_headers_of_remote_write_1() {
    let target = Target::start([]).await;
    let Running { handle, metrics, .. } = running(fast(target.url()));
    handle.enqueue(step(15_000, 3));
    handle.flush().await;

    let requests = target.requests();
    assert_eq!(requests.len(), 1);
    let header = |name: &str| requests[0].headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    assert_eq!(requests[0].method, "POST");
    assert_eq!(header("content-encoding").as_deref(), Some("snappy"));
    assert_eq!(header("content-type").as_deref(), Some("application/x-protobuf"));
    assert_eq!(header("x-prometheus-remote-write-version").as_deref(), Some("0.1.0"));
    assert!(header("user-agent").unwrap().starts_with("emberwatch/"));
    assert_eq!(header("retry-attempt"), None);
    assert_eq!(header("authorization"), None);
    assert_eq!(requests[0].samples, steps_of([step(15_000, 3)]));
    assert_eq!((metrics.samples.get(), metrics.pending()), (3, 0));
    assert_eq!(metrics.highest_sent_timestamp_seconds.get(), 15.0);
}

#[tokio::test]
async fn credentials_and_own_headers_are_sent() {
    let target = Target::start([]).await;
    let client = client::Settings {
        headers: vec![("X-Scope-OrgID".into(), "team-a".into())],
        credentials: Some(Credentials::Bearer(SecretSource::Inline(Secret::new("token")))),
        ..client::Settings::new(target.url())
    };
    let settings = Settings { client, ..fast(target.url()) };
    let Running { handle, .. } = running(settings);
    handle.enqueue(step(1, 1));
    handle.flush().await;
    let requests = target.requests();
    assert_eq!(requests[0].headers["x-scope-orgid"], "team-a");
    assert_eq!(requests[0].headers["authorization"], "Bearer token");
}

#[tokio::test]
async fn after_503_the_same_batch_is_sent_again_in_its_place() {
    let target = Target::start([503, 503, 503].map(Reply::status)).await;
    let Running { handle, metrics, .. } = running(fast(target.url()));
    let steps = [step(1000, 2), step(2000, 2), step(3000, 2)];
    for step in steps.clone() {
        handle.enqueue(step);
    }
    handle.flush().await;

    assert_eq!(target.taken(), steps_of(steps));
    let attempts: Vec<_> = target.requests().iter().take(4).map(|r| r.retry_attempt()).collect();
    assert_eq!(attempts, [None, Some(1), Some(2), Some(3)]);
    assert_eq!((metrics.samples.get(), metrics.samples_failed.get()), (6, 0));
    assert!(metrics.samples_retried.get() >= 6);
}

#[tokio::test]
async fn a_429_is_repeated_no_sooner_than_the_target_asked() {
    let target = Target::start([Reply::status(429).with_header("retry-after", "1")]).await;
    let Running { handle, metrics, .. } = running(fast(target.url()));
    handle.enqueue(step(1, 1));
    handle.flush().await;

    let requests = target.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].at.duration_since(requests[0].at) >= Duration::from_secs(1));
    assert_eq!(metrics.samples.get(), 1);
}

#[tokio::test]
async fn a_400_is_final_and_the_next_step_goes_on() {
    let target = Target::start([Reply::status(400).with_body("out of order sample")]).await;
    let Running { handle, metrics, .. } = running(fast(target.url()));
    handle.enqueue(step(1000, 2));
    target.received(1).await;
    handle.enqueue(step(2000, 3));
    handle.flush().await;

    assert_eq!(target.taken(), steps_of([step(2000, 3)]));
    assert_eq!(target.requests().len(), 2);
    assert_eq!((metrics.samples.get(), metrics.samples_failed.get()), (3, 2));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Target::start([Reply::status(307).with_header("location", "/elsewhere")]).await;
    let Running { handle, metrics, .. } = running(fast(target.url()));
    handle.enqueue(step(1, 1));
    handle.flush().await;
    assert_eq!(target.requests().len(), 1);
    assert_eq!(metrics.samples_failed.get(), 1);
}

#[tokio::test]
async fn a_target_that_comes_up_late_gets_everything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let Running { handle, metrics, .. } = running(fast(format!("http://{address}/api/v1/write")));
    handle.enqueue(step(1000, 2));
    handle.enqueue(step(2000, 2));
    while metrics.samples_retried.get() == 0 {
        tokio::task::yield_now().await;
    }
    let target = Target::start_on(address, []).await;
    handle.flush().await;
    assert_eq!(target.taken(), steps_of([step(1000, 2), step(2000, 2)]));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_reason_to_repeat() {
    let target = Target::start([Reply::Never]).await;
    let client = client::Settings {
        remote_timeout: Duration::from_millis(300),
        ..client::Settings::new(target.url())
    };
    let settings = Settings { client, ..fast(target.url()) };
    let Running { handle, metrics, .. } = running(settings);
    handle.enqueue(step(1, 1));
    target.received(2).await;
    handle.flush().await;
    assert_eq!(metrics.samples.get(), 1);
    assert_eq!(target.requests()[1].retry_attempt(), Some(1));
}

#[tokio::test]
async fn a_large_answer_does_no_harm() {
    let megabyte = "x".repeat(1 << 20);
    let target = Target::start([
        Reply::status(400).with_body(&megabyte),
        Reply::status(200).with_body(&megabyte),
        Reply::status(503).with_body(&megabyte),
    ])
    .await;
    let Running { handle, metrics, .. } = running(fast(target.url()));
    for (at, received) in [(1000, 1), (2000, 2), (3000, 4)] {
        handle.enqueue(step(at, 1));
        target.received(received).await;
    }
    handle.flush().await;
    assert_eq!(target.taken(), steps_of([step(2000, 1), step(3000, 1)]));
    assert_eq!((metrics.samples.get(), metrics.samples_failed.get()), (2, 1));
}

#[tokio::test]
async fn steps_that_come_while_one_is_in_flight_are_joined() {
    let (gate, hold) = Reply::held(204);
    let target = Target::start([hold]).await;
    let Running { handle, .. } = running(fast(target.url()));
    handle.enqueue(step(1000, 2));
    target.received(1).await;
    handle.enqueue(step(2000, 2));
    handle.enqueue(step(3000, 2));
    gate.notify_one();
    handle.flush().await;

    let requests = target.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].samples, steps_of([step(2000, 2), step(3000, 2)]));
}

#[tokio::test]
async fn a_full_queue_drops_its_oldest_whole_steps_and_counts_them() {
    let (gate, hold) = Reply::held(204);
    let target = Target::start([hold]).await;
    let mut settings = fast(target.url());
    settings.queue.capacity = 7;
    let Running { handle, metrics, .. } = running(settings);
    handle.enqueue(step(1000, 2));
    target.received(1).await;
    for at in [2000, 3000, 4000, 5000] {
        handle.enqueue(step(at, 3));
    }
    assert_eq!(metrics.pending(), 2 + 6);
    gate.notify_one();
    handle.flush().await;

    assert_eq!(target.taken(), steps_of([step(1000, 2), step(4000, 3), step(5000, 3)]));
    assert_eq!(metrics.dropped(DropReason::QueueFull), 6);
    assert_eq!(metrics.samples.get(), 8);
}

#[tokio::test]
async fn a_step_larger_than_a_request_is_sent_in_parts() {
    let target = Target::start([]).await;
    let mut settings = fast(target.url());
    settings.queue.max_samples_per_send = 4;
    let Running { handle, .. } = running(settings);
    handle.enqueue(step(1000, 10));
    handle.flush().await;
    let sizes: Vec<usize> = target.requests().iter().map(|request| request.samples.len()).collect();
    assert_eq!(sizes, [4, 4, 2]);
    assert_eq!(target.taken(), steps_of([step(1000, 10)]));
}

#[tokio::test]
async fn samples_over_the_age_limit_are_dropped() {
    let target = Target::start([]).await;
    let mut settings = fast(target.url());
    settings.queue.sample_age_limit = Some(Duration::from_hours(1));
    let Running { handle, metrics, .. } = running(settings);
    handle.enqueue(step(1000, 2));
    handle.flush().await;
    assert!(target.requests().is_empty());
    assert_eq!(metrics.dropped(DropReason::TooOld), 2);
}

#[tokio::test]
async fn a_flush_ends_at_its_deadline_and_counts_the_rest() {
    let target = Target::start([Reply::Never]).await;
    let settings = Settings { flush_deadline: Duration::from_millis(50), ..fast(target.url()) };
    let Running { handle, metrics, task } = running(settings);
    handle.enqueue(step(1000, 2));
    target.received(1).await;
    handle.enqueue(step(2000, 3));
    handle.flush().await;
    task.await.unwrap();
    assert_eq!(metrics.dropped(DropReason::Shutdown), 5);
    assert_eq!(metrics.pending(), 0);

    handle.enqueue(step(3000, 1));
    handle.flush().await;
    assert_eq!(metrics.dropped(DropReason::Shutdown), 6);
}

#[tokio::test]
async fn without_handles_the_task_sends_what_is_queued_and_ends() {
    let target = Target::start([]).await;
    let Running { handle, task, .. } = running(fast(target.url()));
    handle.enqueue(step(1000, 2));
    drop(handle);
    task.await.unwrap();
    assert_eq!(target.taken(), steps_of([step(1000, 2)]));
}

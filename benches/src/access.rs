//! Measures access control and the audit log: authorizing a request, appending events, verifying a log.

use crate::Outcome;
use crate::machine::{peak_kib, reset_peak_kib};
use crate::options::Options;
use crate::report::Report;
use crate::stats::Samples;
use crate::submit::paused;
use must::access::{RequestFacts, RouteClass};
use must::audit::{Caller, NewEvent, Outcome as EventOutcome};
use must::{Error, Platform};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const CALLERS: usize = 64;
/// Each sample is the mean of this many calls, because reading the clock costs about as much as one call.
const BATCH: u32 = 20;

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    measure(options).map_err(|error| error.to_string())
}

fn measure(options: &Options) -> Result<Report, Error> {
    let goals = json!({
        "authorize_key_p50_us": 20.0, "authorize_session_p50_us": 50.0, "audit_appends_per_second_with_64_callers": 10_000.0,
    });
    let mut report = Report::new(goals, options);
    let folder = options.scratch().map_err(Error::internal)?;
    let platform = Platform::open(paused(folder.path()))?;
    let access = platform.access()?;
    let caller = Caller::new("bench", "bench");
    let samples = if options.quick { 200 } else { 10_000 };

    let issued = access.issue_key("bench", None, &caller)?;
    let mut with_key = RequestFacts::new(RouteClass::Generation);
    with_key.header_keys.push(issued.secret.expose().to_owned());
    let key = authorize(&platform, &with_key, samples)?;
    report.row("authorize with an API key, p50", format!("{:.2} us", key.median()), "< 20 us");
    report.row("authorize with an API key, p99", format!("{:.2} us", key.percentile(99.0)), "");

    let session = access.open_session(&RequestFacts::new(RouteClass::Auth))?;
    let mut with_cookie = RequestFacts::new(RouteClass::Generation);
    with_cookie.cookies.push(format!("gg_session={}", session.token.expose()));
    let cookie = authorize(&platform, &with_cookie, samples)?;
    report.row("authorize with a session, p50", format!("{:.2} us", cookie.median()), "< 50 us");
    report.row("authorize with a session, p99", format!("{:.2} us", cookie.percentile(99.0)), "");

    let length = Duration::from_secs(if options.quick { 1 } else { 20 });
    let (appends, latency) = append(&platform, length)?;
    let rate = appends as f64 / length.as_secs_f64();
    report.row(format!("{CALLERS} callers, audit appends"), format!("{rate:.0} /s"), ">= 10000 /s");
    report.row(format!("{CALLERS} callers, one append, p99"), format!("{:.3} ms", latency.percentile(99.0)), "");

    let before = reset_peak_kib();
    let began = Instant::now();
    let verdict = platform.audit()?.verify()?;
    let seconds = began.elapsed().as_secs_f64();
    if !verdict.ok {
        return Err(Error::internal(format!("the log is not intact: {:?}", verdict.fault)));
    }
    let speed = verdict.size as f64 / seconds;
    let grown = peak_kib().zip(before).map(|(after, before)| after - before);
    report.row(format!("verification of {} events", verdict.size), format!("{speed:.0} /s"), "1,000,000 in a few s");
    report.row(
        "peak memory that the verification added",
        grown.map_or("?".to_owned(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0)),
        "flat",
    );
    platform.close(Duration::from_secs(10))?;
    report.measured = json!({
        "authorize_key": key.json("us"), "authorize_session": cookie.json("us"),
        "audit_appends": {"callers": CALLERS, "seconds": length.as_secs_f64(), "per_second": rate, "latency": latency.json("ms")},
        "audit_verify": {"events": verdict.size, "seconds": seconds, "per_second": speed, "peak_memory_added_kib": grown},
    });
    Ok(report)
}

/// Authorizes one request repeatedly.
fn authorize(platform: &Platform, facts: &RequestFacts, samples: usize) -> Result<Samples, Error> {
    let access = platform.access()?;
    let mut times = Vec::with_capacity(samples);
    for _ in 0..samples {
        let began = Instant::now();
        for _ in 0..BATCH {
            std::hint::black_box(access.authorize(facts)?);
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
    }
    Ok(Samples::new(times))
}

/// Appends events from many threads. Each thread appends again as soon as its last event is durable, signed and anchored.
fn append(platform: &Platform, length: Duration) -> Result<(usize, Samples), Error> {
    let audit = platform.audit()?;
    let end = Instant::now() + length;
    let one = |caller: usize| -> Result<Vec<Duration>, Error> {
        let mut times = Vec::new();
        loop {
            let began = Instant::now();
            if began >= end {
                return Ok(times);
            }
            audit.append(NewEvent {
                actor: format!("key:{caller}"),
                source: "192.0.2.7".to_owned(),
                action: "bench".to_owned(),
                target: format!("thing:{}", times.len()),
                outcome: EventOutcome::Success,
                correlation_id: "01a20712-1772-7138-82bb-664d0f852491".to_owned(),
                details: BTreeMap::new(),
            })?;
            times.push(began.elapsed());
        }
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(move || one(caller))).collect();
        let ended =
            threads.into_iter().map(|thread| thread.join().map_err(|_| Error::internal("a caller panicked"))?);
        ended.collect::<Result<Vec<_>, Error>>()
    })?;
    let times: Vec<Duration> = all.into_iter().flatten().collect();
    Ok((times.len(), Samples::milliseconds(times)))
}

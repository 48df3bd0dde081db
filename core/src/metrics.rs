//! The platform's metrics, in the text format of Prometheus.
//!
//! Counters and histograms are updated at each event. Gauges are read from the platform when the metrics are requested.

use crate::error::{Error, Result};
use prometheus::core::Collector;
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// Histogram limits from a tenth of a millisecond to ten seconds.
const CALL_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Histogram limits from a hundredth of a second to half an hour.
const WORK_SECONDS: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0];

/// The metrics of one platform.
pub(crate) struct Metrics {
    registry: Registry,
    http_seconds: HistogramVec,
    stage_seconds: HistogramVec,
    wait_seconds: HistogramVec,
    denials: IntCounterVec,
    dispatches: IntCounterVec,
    tasks: IntGaugeVec,
    accounts: IntGaugeVec,
    waiting: IntGauge,
    lane_loaded: IntGaugeVec,
    lane_memory: IntGaugeVec,
    lane_events: IntGaugeVec,
    audit_events: IntGauge,
    resident: IntGauge,
}

/// The pipelines that a lane has loaded, and counts of their use since the platform was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct LaneStatus {
    /// The model that the lane belongs to. Null for the shared lane.
    pub model: Option<String>,
    /// Ids of the models whose weights are loaded. The most recently used one is the last.
    pub loaded: Vec<String>,
    /// Memory that the loaded pipelines use, in bytes.
    pub memory_bytes: u64,
    /// Number of tasks that found their pipeline loaded.
    pub hits: u64,
    /// Number of tasks that did not find their pipeline loaded.
    pub misses: u64,
    /// Number of times that a pipeline was loaded.
    pub loads: u64,
    /// Number of times that a pipeline was unloaded, because of memory, idleness or an error.
    pub evictions: u64,
}

/// The values that are read from the platform when the metrics are requested.
pub(crate) struct Gauges<'a> {
    /// Status, model and number of tasks.
    pub(crate) tasks: &'a [(String, String, i64)],
    pub(crate) lanes: &'a [LaneStatus],
    pub(crate) waiting: usize,
    pub(crate) audit_events: u64,
    /// State and number of accounts.
    pub(crate) accounts: &'a std::collections::BTreeMap<&'static str, usize>,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self> {
        let registry = Registry::new();
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            register(&registry, HistogramVec::new(options, labels))
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help));
        let denials = Opts::new("must_denials_total", "Calls that were refused, by the code of the refusal.");
        let dispatches = Opts::new(
            "must_dispatches_total",
            "Submissions by outcome: accepted, refused or unclear at a worker, run here (local), or not run (no_workers).",
        );
        Ok(Self {
            http_seconds: histogram(
                "must_http_request_seconds",
                "Time from the headers of a request to the headers of its answer, by method, path and status.",
                &["method", "path", "status"],
                CALL_SECONDS,
            )?,
            stage_seconds: histogram(
                "must_stage_seconds",
                "Time that tasks spent in each stage.",
                &["model", "stage"],
                WORK_SECONDS,
            )?,
            wait_seconds: histogram(
                "must_queue_wait_seconds",
                "Time from a task's submission to its start.",
                &["model"],
                WORK_SECONDS,
            )?,
            denials: register(&registry, IntCounterVec::new(denials, &["code"]))?,
            dispatches: register(&registry, IntCounterVec::new(dispatches, &["outcome"]))?,
            accounts: gauges("must_worker_accounts", "Worker accounts, by status.", &["status"])?,
            tasks: gauges("must_tasks", "Tasks that are kept, by status and model.", &["status", "model"])?,
            waiting: gauge("must_queue_depth", "Tasks that wait for a lane.")?,
            lane_loaded: gauges("must_lane_warm", "Models whose weights a lane holds.", &["lane", "model"])?,
            lane_memory: gauges("must_lane_memory_bytes", "Bytes that a lane's pipelines hold.", &["lane"])?,
            lane_events: gauges(
                "must_lane_events",
                "Hits, misses, loads and evictions of a lane's pipelines since the platform was opened.",
                &["lane", "event"],
            )?,
            audit_events: gauge("must_audit_events", "Events ever written to the audit log.")?,
            resident: gauge("must_process_resident_bytes", "Memory of the process.")?,
            registry,
        })
    }

    /// Records that an HTTP request was answered.
    pub(crate) fn http(&self, method: &str, path: &str, status: u16, took: Duration) {
        let path = if path.is_empty() { "other" } else { path };
        self.http_seconds.with_label_values(&[method, path, &status.to_string()]).observe(took.as_secs_f64());
    }

    /// Records how long a task was in a stage.
    pub(crate) fn stage(&self, model: &str, stage: &str, took: Duration) {
        self.stage_seconds.with_label_values(&[model, stage]).observe(took.as_secs_f64());
    }

    /// Records how long a task waited before it began to run.
    pub(crate) fn waited(&self, model: &str, took: Duration) {
        self.wait_seconds.with_label_values(&[model]).observe(took.as_secs_f64());
    }

    /// Records that a call was refused.
    pub(crate) fn denied(&self, code: &str) {
        self.denials.with_label_values(&[code]).inc();
    }

    /// Records the outcome of a submission: a worker accepted or refused the task or its answer is unclear, the task runs here, or it
    /// does not run.
    pub(crate) fn dispatched(&self, outcome: &str) {
        self.dispatches.with_label_values(&[outcome]).inc();
    }

    /// Returns all metrics as text.
    pub(crate) fn text(&self, gauges: &Gauges<'_>) -> Result<String> {
        self.tasks.reset();
        for (status, model, count) in gauges.tasks {
            self.tasks.with_label_values(&[status, model]).set(*count);
        }
        for (status, count) in gauges.accounts {
            self.accounts.with_label_values(&[status]).set(whole(*count));
        }
        self.waiting.set(whole(gauges.waiting));
        self.lane_loaded.reset();
        for (index, lane) in gauges.lanes.iter().enumerate() {
            let name = lane.model.clone().unwrap_or_else(|| format!("shared{index}"));
            for model in &lane.loaded {
                self.lane_loaded.with_label_values(&[&name, model]).set(1);
            }
            self.lane_memory.with_label_values(&[&name]).set(whole(lane.memory_bytes));
            for (event, count) in
                [("hit", lane.hits), ("miss", lane.misses), ("load", lane.loads), ("eviction", lane.evictions)]
            {
                self.lane_events.with_label_values(&[name.as_str(), event]).set(whole(count));
            }
        }
        self.audit_events.set(whole(gauges.audit_events));
        self.resident.set(whole(resident_bytes().unwrap_or(0)));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).map_err(failed)?;
        String::from_utf8(text).map_err(|error| Error::internal(error.to_string()))
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: prometheus::Result<C>) -> Result<C> {
    let collector = collector.map_err(failed)?;
    registry.register(Box::new(collector.clone())).map_err(failed)?;
    Ok(collector)
}

fn failed(error: prometheus::Error) -> Error {
    Error::internal(format!("metrics: {error}"))
}

fn whole(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Returns the memory that this process uses, on systems that report it as Linux does.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

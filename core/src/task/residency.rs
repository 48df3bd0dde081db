//! The pipelines that a lane keeps loaded. A loaded pipeline is reused, an idle one is unloaded, and a heavy one is unloaded before
//! another heavy one is loaded.

use crate::catalog::{Model, WeightClass};
use crate::error::Result;
use crate::metrics::LaneStatus;
use must_diffusion::{Checkpoint, Control, Pipeline, Stage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A change of a lane's pipelines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaneEvent {
    /// A task found its pipeline loaded.
    Hit {
        /// Id of the model.
        model: String,
    },
    /// A task did not find its pipeline loaded.
    Miss {
        /// Id of the model.
        model: String,
    },
    /// A pipeline was loaded.
    Loaded {
        /// Id of the model that it was loaded for.
        model: String,
        /// How long loading took.
        took: Duration,
        /// Memory that the pipeline uses, in bytes.
        memory_bytes: u64,
    },
    /// A pipeline was unloaded.
    Evicted {
        /// Id of the model that used it last.
        model: String,
        /// Memory that was freed, in bytes.
        memory_bytes: u64,
    },
}

struct Slot {
    checkpoint: Arc<dyn Checkpoint>,
    model: String,
    class: WeightClass,
    pipeline: Box<dyn Pipeline>,
    last_used: Instant,
}

/// Loads the weights of a model.
pub(super) type Loader = Box<dyn Fn(&Arc<dyn Checkpoint>, &mut dyn Control) -> Result<Box<dyn Pipeline>> + Send>;

/// Called with the lane's new status and, if there is one, the event that led to it.
pub(super) type Report = Box<dyn Fn(&LaneStatus, Option<&LaneEvent>) + Send>;

/// The loaded pipelines of one lane. Used only on the lane's thread.
pub(super) struct Residency {
    slots: Vec<Slot>,
    status: LaneStatus,
    load: Loader,
    report: Report,
}

impl Residency {
    pub(super) fn new(model: Option<String>, load: Loader, report: Report) -> Self {
        Self { slots: Vec::new(), status: LaneStatus { model, ..LaneStatus::default() }, load, report }
    }

    /// Runs `work` with the pipeline of a model's files, and loads it first if necessary. If `keep` then returns false, the pipeline
    /// is unloaded: after some errors its state may be inconsistent. A pipeline whose files were replaced is not reused either,
    /// because replaced files are a different checkpoint.
    pub(super) fn with<T>(
        &mut self,
        (model, checkpoint): (&Model, &Arc<dyn Checkpoint>),
        control: &mut dyn Control,
        work: impl FnOnce(&mut dyn Pipeline, &mut dyn Control) -> Result<T>,
        keep: impl FnOnce(&Result<T>) -> bool,
    ) -> Result<T> {
        let same = |slot: &Slot| Arc::ptr_eq(&slot.checkpoint, checkpoint);
        let mut slot = match self.slots.iter().position(same) {
            Some(index) => {
                self.status.hits += 1;
                let slot = self.slots.remove(index);
                self.report_event(&LaneEvent::Hit { model: model.id.clone() });
                slot
            }
            None => self.load(model, checkpoint, control)?,
        };
        slot.model.clone_from(&model.id);
        let outcome = work(slot.pipeline.as_mut(), control);
        slot.last_used = Instant::now();
        if keep(&outcome) {
            self.slots.push(slot);
            self.report_status();
        } else {
            self.evict(slot);
        }
        outcome
    }

    /// Unloads pipelines that have not been used for `limit`.
    pub(super) fn evict_idle(&mut self, limit: Duration) {
        let (idle, warm) = std::mem::take(&mut self.slots)
            .into_iter()
            .partition::<Vec<_>, _>(|slot| slot.last_used.elapsed() >= limit);
        self.slots = warm;
        idle.into_iter().for_each(|slot| self.evict(slot));
    }

    fn load(&mut self, model: &Model, checkpoint: &Arc<dyn Checkpoint>, control: &mut dyn Control) -> Result<Slot> {
        self.status.misses += 1;
        self.report_event(&LaneEvent::Miss { model: model.id.clone() });
        control.progress(Stage::Load, 0, 1)?;
        let heavy = model.weight_class == WeightClass::Heavy;
        let must_go = |slot: &Slot| slot.model == model.id || (heavy && slot.class == WeightClass::Heavy);
        while let Some(index) = self.slots.iter().position(must_go) {
            let slot = self.slots.remove(index);
            self.evict(slot);
        }
        let began = Instant::now();
        let pipeline = (self.load)(checkpoint, control)?;
        let memory_bytes = pipeline.memory_bytes();
        self.status.loads += 1;
        self.report_event(&LaneEvent::Loaded { model: model.id.clone(), took: began.elapsed(), memory_bytes });
        let slot = Slot {
            checkpoint: Arc::clone(checkpoint),
            model: model.id.clone(),
            class: model.weight_class,
            pipeline,
            last_used: Instant::now(),
        };
        match control.progress(Stage::Load, 1, 1) {
            Ok(()) => Ok(slot),
            Err(error) => {
                // The task was stopped during loading. The loaded pipeline can still be used.
                self.slots.push(slot);
                self.report_status();
                Err(error.into())
            }
        }
    }

    fn evict(&mut self, slot: Slot) {
        let (model, memory_bytes) = (slot.model.clone(), slot.pipeline.memory_bytes());
        drop(slot);
        self.status.evictions += 1;
        self.report_status();
        self.report_event(&LaneEvent::Evicted { model, memory_bytes });
    }

    fn report_status(&mut self) {
        self.status.loaded = self.slots.iter().map(|slot| slot.model.clone()).collect();
        self.status.memory_bytes = self.slots.iter().map(|slot| slot.pipeline.memory_bytes()).sum();
        (self.report)(&self.status, None);
    }

    fn report_event(&self, event: &LaneEvent) {
        (self.report)(&self.status, Some(event));
    }
}

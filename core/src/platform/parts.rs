//! The parts of a platform, how they are started, and the order in which they are stopped.

use super::{Host, MIGRATIONS};
use crate::access::Access;
use crate::audit::{Audit, Signing};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::keyring::KeySource;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::runtime::BlockingThreads;
use crate::secrets::Vault;
use crate::settings::{HttpSettings, Settings};
use crate::store::Store;
use crate::task::Tasks;
use crate::workers::{self, Workers};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long dropping the last handle waits for running work if the platform was not closed before.
pub(super) const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// All parts of a platform.
pub(super) struct Parts {
    pub(super) log: Log,
    pub(super) tasks: Arc<Tasks>,
    pub(super) workers: Workers,
    pub(super) access: Access,
    pub(super) vault: Arc<Vault>,
    pub(super) audit: Arc<Audit>,
    pub(super) store: Arc<Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) submitters: BlockingThreads,
    pub(super) http: HttpSettings,
    pub(super) data_dir: PathBuf,
    pub(super) paused: bool,
}

impl Parts {
    /// Starts the parts in the scope of the log.
    pub(super) fn start(settings: Settings, host: Host, log: Log) -> Result<Self> {
        let (http, data_dir, paused) = (settings.http.clone(), settings.data_dir.clone(), settings.paused);
        let catalog = match &settings.catalog {
            None => Catalog::built_in()?,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::validation(format!("the catalog {} cannot be read: {error}", path.display()))
                })?;
                Catalog::from_json(&text)?
            }
        };
        let audit_keys = host.audit_keys.map_or_else(|| settings.audit_keys(), KeySource::Host);
        let signing = Signing::new(audit_keys, settings.audit_anchors(), host.anchor);
        let store = Arc::new(Store::open(&settings.data_dir, MIGRATIONS, Some(signing.hook()))?);
        tracing::debug!(version = env!("CARGO_PKG_VERSION"), data_dir = %settings.data_dir.display(), "the data folder is open");
        let clock = host.clock;
        let submitters = BlockingThreads::start("must-submit", submitter_count())?;
        let metrics = Arc::new(Metrics::new()?);
        let audit = Arc::new(Audit::start(Arc::clone(&store), Arc::clone(&clock), signing)?);
        let start_others = || {
            let master_keys = host.master_keys.map_or_else(|| settings.master_keys(), KeySource::Host);
            let environment = settings.environment.as_str().to_owned();
            let vault =
                Vault::start(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&audit), master_keys, environment);
            let vault = Arc::new(vault);
            let access = Access::new(
                Arc::clone(&store),
                Arc::clone(&clock),
                Arc::clone(&audit),
                Arc::clone(&vault),
                Arc::clone(&metrics),
                &settings.access(),
            )?;
            let worker_settings = settings.workers.clone();
            let tasks = Tasks::start(
                settings,
                catalog,
                Arc::clone(&store),
                Arc::clone(&audit),
                Arc::clone(&clock),
                Arc::clone(&metrics),
            )?;
            let tasks = Arc::new(tasks);
            let worker_parts = workers::Parts {
                tasks: Arc::clone(&tasks),
                store: Arc::clone(&store),
                audit: Arc::clone(&audit),
                vault: Arc::clone(&vault),
                clock,
                metrics: Arc::clone(&metrics),
                pace: Pace::of(&http),
            };
            match Workers::start(worker_settings, worker_parts, paused) {
                Ok(workers) => Ok((tasks, workers, access, vault)),
                Err(error) => {
                    tasks.close(DROP_DEADLINE);
                    Err(error)
                }
            }
        };
        match start_others() {
            Ok((tasks, workers, access, vault)) => Ok(Self {
                log,
                tasks,
                workers,
                access,
                vault,
                audit,
                store,
                metrics,
                submitters,
                http,
                data_dir,
                paused,
            }),
            Err(error) => {
                audit.close();
                Err(error)
            }
        }
    }

    /// Stops all threads, each before those that it depends on, then closes the data folder.
    pub(super) fn close(&self, deadline: Duration) {
        self.log.scope(|| {
            self.workers.close(deadline);
            self.tasks.close(deadline);
            self.submitters.end();
            self.audit.close();
            self.store.close();
        });
        self.log.close();
    }
}

/// The number of threads that check submissions and decode their pictures. This work keeps processors busy.
fn submitter_count() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16)
}

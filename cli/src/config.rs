//! The settings of a command: arguments and variables override the settings file, and the file overrides the defaults.

use crate::args::{Args, Configured};
use crate::common;
use crate::environment::secret;
use must::{Error, Settings};
use serde_json::{Value, json};

/// The settings of a command that takes a settings file.
pub(crate) fn configured(args: &Args, given: &Configured) -> Result<Settings, Error> {
    let data_dir = args.data_dir()?;
    let mut settings = match &given.config {
        None => Settings::new(data_dir),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Error::validation(format!("{} cannot be read: {error}", path.display())))?;
            let mut value: Value = serde_json::from_str(&text)
                .map_err(|error| Error::validation(format!("{} is not JSON: {error}", path.display())))?;
            if let Some(fields) = value.as_object_mut()
                && (args.names_data_dir() || !fields.contains_key("data_dir"))
            {
                fields.insert("data_dir".to_owned(), json!(data_dir));
            }
            Settings::from_json(&value.to_string())?
        }
    };
    common(&mut settings, args)?;
    let workers = &mut settings.workers;
    if given.worker_address.is_some() {
        workers.address_template.clone_from(&given.worker_address);
    }
    if !given.worker_networks.is_empty() {
        workers.networks.clone_from(&given.worker_networks);
    }
    if !given.deploy_command.is_empty() {
        workers.deploy_command = given.deploy_command.iter().filter(|word| !word.is_empty()).cloned().collect();
    }
    if let Some(key) = secret("MUST_WORKER_API_KEY")? {
        workers.api_key = Some(key);
    }
    Ok(settings)
}

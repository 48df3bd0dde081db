//! The parameter `lighting_variant`: it chooses one of two transformers for all steps.

use must_tensors::{Error, Result};

use super::variant::Recognised;
use crate::weights::Expert;

/// Keeps the transformer that `lighting` names, `high_noise` or `low_noise`. With a single transformer, only the default
/// `low_noise` is accepted. Fails with `InvalidRequest` for anything else.
pub(super) fn choose(recognised: &mut Recognised, lighting: &str) -> Result<()> {
    let expert = match lighting {
        "high_noise" => Expert::High,
        "low_noise" => Expert::Low,
        other => return Err(Error::invalid_request(format!("there is no lighting variant {other:?}"))),
    };
    match (recognised.experts.len(), expert) {
        (2, _) => recognised.keep_expert(expert),
        (_, Expert::Low) => Ok(()),
        (_, Expert::High) => Err(Error::invalid_request(
            "lighting_variant chooses between two files, but this model has only one, which is low_noise",
        )
        .with_action(
            "Leave lighting_variant at low_noise, or put a second file of the model there, with high_noise in its name.",
        )),
    }
}

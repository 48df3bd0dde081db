//! Tells the two experts of a model apart.
//!
//! The files of Wan 2.2's experts have the same names, shapes and metadata, so nothing inside them says which expert they
//! hold. Only the names of their files and folders do.

/// The part of the denoising steps that a transformer was trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expert {
    /// The first steps: from pure noise to the boundary.
    High,
    /// The steps from the boundary on.
    Low,
}

impl Expert {
    /// Returns the name for error messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high-noise",
            Self::Low => "low-noise",
        }
    }
}

/// Returns the expert that a file name states, and whether it states it in full (`high_noise`) or by a word that could mean
/// something else (`high`). The file's own name takes precedence over its folder's.
pub(super) fn of_name(name: &str) -> Option<(Expert, bool)> {
    name.rsplit('/').find_map(of_component)
}

fn of_component(component: &str) -> Option<(Expert, bool)> {
    let lower = component.to_lowercase();
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let (high, low) = (letters.contains("highnoise"), letters.contains("lownoise"));
    if high != low {
        return Some((if high { Expert::High } else { Expert::Low }, true));
    }
    let (high, low) = (words.clone().any(|word| word == "high"), words.any(|word| word == "low"));
    (high != low).then_some((if high { Expert::High } else { Expert::Low }, false))
}

/// Returns the expert by the folders of diffusers: `transformer_2` holds the low-noise expert, and `transformer` beside it
/// holds the high-noise one. `others` are the names of all files that may belong to the model.
pub(super) fn of_diffusers_folder<'n>(name: &str, mut others: impl Iterator<Item = &'n str>) -> Option<Expert> {
    let (folder, _) = name.rsplit_once('/')?;
    let parent = |folder: &str, leaf: &str| folder.strip_suffix(leaf).map(str::to_owned);
    if parent(folder, "transformer_2").is_some_and(|parent| parent.is_empty() || parent.ends_with('/')) {
        return Some(Expert::Low);
    }
    let parent = parent(folder, "transformer").filter(|parent| parent.is_empty() || parent.ends_with('/'))?;
    let beside = format!("{parent}transformer_2/");
    others.any(|other| other.starts_with(&beside)).then_some(Expert::High)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_file_names() {
        for (name, expected) in [
            ("high_noise_model/diffusion_pytorch_model-00001-of-00006.safetensors", Some((Expert::High, true))),
            ("low_noise_model/diffusion_pytorch_model-00001-of-00006.safetensors", Some((Expert::Low, true))),
            ("diffusion_models/wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors", Some((Expert::High, true))),
            ("wan2.2_i2v_low_noise_14B_fp16.safetensors", Some((Expert::Low, true))),
            ("Wan2.2-T2V-A14B-HighNoise-Q4_K_M.gguf", Some((Expert::High, true))),
            ("unet/HighNoise/Wan2.2-I2V-A14B.gguf", Some((Expert::High, true))),
            ("Wan2_2-I2V-A14B-LOW_fp8_e4m3fn_scaled_KJ.safetensors", Some((Expert::Low, false))),
            ("Wan2_2-T2V-A14B_HIGH_fp8.safetensors", Some((Expert::High, false))),
            ("high/low_noise.gguf", Some((Expert::Low, true))),
            ("high_low_merge.safetensors", None),
            ("wan_lowvram_highres.safetensors", None),
            ("wan2.1_t2v_14B.safetensors", None),
            ("высокий_high.gguf", Some((Expert::High, false))),
        ] {
            assert_eq!(of_name(name), expected, "{name}");
        }
    }

    #[test]
    fn folders_of_diffusers() {
        let others = ["transformer_2/x", "a/transformer/x"];
        let of = |name| of_diffusers_folder(name, others.into_iter());
        assert_eq!(of("transformer/m.safetensors"), Some(Expert::High));
        assert_eq!(of("transformer_2/m.safetensors"), Some(Expert::Low));
        assert_eq!(of("a/transformer/m.safetensors"), None);
        assert_eq!(of("my_transformer/m.safetensors"), None);
        assert_eq!(of("m.safetensors"), None);
    }
}

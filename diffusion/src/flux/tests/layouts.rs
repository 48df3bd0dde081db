//! Both variants are recognised in every published layout, and give the same bits as the folder that the reference library
//! wrote.

use candle_core::quantized::GgmlDType;

use super::*;
use crate::family::Pipeline;
use crate::testing::files::{Part, Raw, prefixed, read, write, write_gguf};

/// Renames tensors from diffusers' names to those of Black Forest Labs, written from `Flux` in
/// <https://github.com/black-forest-labs/flux/blob/main/src/flux/model.py> and not from the table under test.
pub(super) fn bfl(part: &Part) -> Part {
    let joined = |names: &[String]| -> Raw {
        let raws: Vec<&Raw> = names.iter().map(|name| &part[name]).collect();
        let mut shape = raws[0].shape.clone();
        shape[0] = raws.iter().map(|raw| raw.shape[0]).sum();
        Raw { dtype: raws[0].dtype, shape, data: raws.iter().flat_map(|raw| raw.data.clone()).collect() }
    };
    let mut out = Part::new();
    for end in ["weight", "bias"] {
        let mut put = |to: String, from: &[&str]| {
            let names: Vec<String> = from.iter().map(|name| format!("{name}.{end}")).collect();
            if names.iter().all(|name| part.contains_key(name)) {
                out.insert(format!("{to}.{end}"), joined(&names));
            }
        };
        put("img_in".into(), &["x_embedder"]);
        put("txt_in".into(), &["context_embedder"]);
        put("final_layer.linear".into(), &["proj_out"]);
        for (ours, theirs) in
            [("timestep_embedder", "time_in"), ("guidance_embedder", "guidance_in"), ("text_embedder", "vector_in")]
        {
            put(format!("{theirs}.in_layer"), &[&format!("time_text_embed.{ours}.linear_1")]);
            put(format!("{theirs}.out_layer"), &[&format!("time_text_embed.{ours}.linear_2")]);
        }
        for index in 0..2 {
            let (from, to) = (format!("transformer_blocks.{index}"), format!("double_blocks.{index}"));
            let at = |name: &str| format!("{from}.{name}");
            for (stream, modulation, layers, output, feed) in [
                ("img", "norm1", ["to_q", "to_k", "to_v"], "to_out.0", "ff"),
                ("txt", "norm1_context", ["add_q_proj", "add_k_proj", "add_v_proj"], "to_add_out", "ff_context"),
            ] {
                put(format!("{to}.{stream}_mod.lin"), &[&at(&format!("{modulation}.linear"))]);
                let [q, k, v] = layers.map(|layer| at(&format!("attn.{layer}")));
                put(format!("{to}.{stream}_attn.qkv"), &[&q, &k, &v]);
                put(format!("{to}.{stream}_attn.proj"), &[&at(&format!("attn.{output}"))]);
                put(format!("{to}.{stream}_mlp.0"), &[&at(&format!("{feed}.net.0.proj"))]);
                put(format!("{to}.{stream}_mlp.2"), &[&at(&format!("{feed}.net.2"))]);
            }
            let (from, to) = (format!("single_transformer_blocks.{index}"), format!("single_blocks.{index}"));
            let at = |name: &str| format!("{from}.{name}");
            put(format!("{to}.modulation.lin"), &[&at("norm.linear")]);
            let [q, k, v, mlp] = ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map(at);
            put(format!("{to}.linear1"), &[&q, &k, &v, &mlp]);
            put(format!("{to}.linear2"), &[&at("proj_out")]);
        }
        // Scale and shift swap their places.
        let mut last = part[&format!("norm_out.linear.{end}")].clone();
        let middle = last.data.len() / 2;
        last.data.rotate_left(middle);
        out.insert(format!("final_layer.adaLN_modulation.1.{end}"), last);
    }
    for index in 0..2 {
        for (ours, theirs) in [
            ("transformer_blocks.#.attn.norm_q", "double_blocks.#.img_attn.norm.query_norm"),
            ("transformer_blocks.#.attn.norm_k", "double_blocks.#.img_attn.norm.key_norm"),
            ("transformer_blocks.#.attn.norm_added_q", "double_blocks.#.txt_attn.norm.query_norm"),
            ("transformer_blocks.#.attn.norm_added_k", "double_blocks.#.txt_attn.norm.key_norm"),
            ("single_transformer_blocks.#.attn.norm_q", "single_blocks.#.norm.query_norm"),
            ("single_transformer_blocks.#.attn.norm_k", "single_blocks.#.norm.key_norm"),
        ] {
            let name = |pattern: &str, end: &str| format!("{}.{end}", pattern.replace('#', &index.to_string()));
            if let Some(raw) = part.get(&name(ours, "weight")) {
                out.insert(name(theirs, "scale"), raw.clone());
            }
        }
    }
    out
}

/// Renames the tensors of T5 to llama.cpp's names.
fn t5_gguf(part: &Part) -> Part {
    let names = [
        ("shared.weight", "token_embd.weight"),
        ("encoder.final_layer_norm.", "enc.output_norm."),
        ("encoder.block.", "enc.blk."),
        (".layer.0.layer_norm.", ".attn_norm."),
        (".layer.0.SelfAttention.relative_attention_bias.", ".attn_rel_b."),
        (".layer.0.SelfAttention.", ".attn_"),
        (".layer.1.layer_norm.", ".ffn_norm."),
        (".layer.1.DenseReluDense.wi_0.", ".ffn_gate."),
        (".layer.1.DenseReluDense.wi_1.", ".ffn_up."),
        (".layer.1.DenseReluDense.wo.", ".ffn_down."),
    ];
    let renamed = |name: &str| names.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to));
    part.iter().map(|(name, raw)| (renamed(name), raw.clone())).collect()
}

/// Renames the tensors of the autoencoder to Black Forest Labs' names.
fn ae(part: &Part) -> Part {
    let names = [
        (".mid_block.resnets.0.", ".mid.block_1."),
        (".mid_block.resnets.1.", ".mid.block_2."),
        (".mid_block.attentions.0.group_norm.", ".mid.attn_1.norm."),
        (".mid_block.attentions.0.to_q.", ".mid.attn_1.q."),
        (".mid_block.attentions.0.to_k.", ".mid.attn_1.k."),
        (".mid_block.attentions.0.to_v.", ".mid.attn_1.v."),
        (".mid_block.attentions.0.to_out.0.", ".mid.attn_1.proj_out."),
        (".down_blocks.", ".down."),
        (".up_blocks.0.", ".up.3."),
        (".up_blocks.1.", ".up.2."),
        (".up_blocks.2.", ".up.1."),
        (".up_blocks.3.", ".up.0."),
        (".resnets.", ".block."),
        (".downsamplers.0.", ".downsample."),
        (".upsamplers.0.", ".upsample."),
        (".conv_shortcut.", ".nin_shortcut."),
        (".conv_norm_out.", ".norm_out."),
    ];
    let renamed = |(name, raw): (&String, &Raw)| {
        let name = names.iter().fold(name.clone(), |name, (from, to)| name.replace(from, to));
        let mut raw = raw.clone();
        // Attention consists of 1x1 convolutions there.
        if name.contains(".attn_1.") && raw.shape.len() == 2 {
            raw.shape.extend([1, 1]);
        }
        (name, raw)
    };
    part.iter().map(renamed).collect()
}

/// Renames the tensors of CLIP to those of transformers 4 and ComfyUI.
fn clip_l(part: &Part) -> Part {
    let name =
        |name: &str| if name.starts_with("text_model.") { name.to_owned() } else { format!("text_model.{name}") };
    part.iter().map(|(key, raw)| (name(key), raw.clone())).collect()
}

/// Copies the small vocabularies, which every layout needs.
pub(super) fn copy_vocabularies(from: &Path, to: &Path) {
    for folder in ["tokenizer", "tokenizer_2"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
        for entry in std::fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path, without: &[&str]) {
    let files = ModelFiles::Folder(from.to_owned());
    for name in files.list().unwrap().iter().filter(|name| !without.contains(&name.as_str())) {
        std::fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// The networks of one variant with the tensor names of single files.
struct Parts {
    transformer: Part,
    t5: Part,
    clip: Part,
    ae: Part,
}

impl Parts {
    fn of(folder: &Path) -> Self {
        Self {
            transformer: bfl(&read(&folder.join("transformer"))),
            t5: read(&folder.join("text_encoder_2")),
            clip: clip_l(&read(&folder.join("text_encoder"))),
            ae: ae(&read(&folder.join("vae"))),
        }
    }

    /// Writes each network to a separate file, in folders with these names.
    fn split(&self, to: &Path, folders: [&str; 4]) {
        let [transformer, t5, clip, ae] = folders;
        write(&to.join(transformer).join("flux1.safetensors"), &self.transformer);
        write(&to.join(t5).join("t5xxl.safetensors"), &self.t5);
        write(&to.join(clip).join("clip_l.safetensors"), &self.clip);
        write(&to.join(ae).join("ae.safetensors"), &self.ae);
    }
}

/// The name of a layout, and the function that writes a model in it.
type LayoutWriter = (&'static str, fn(&Path, &Parts, &Path));

const LAYOUT_WRITERS: &[LayoutWriter] = &[
    ("diffusers", |from, _, to| copy(from, to, &[])),
    ("diffusers, parts without model_index.json", |from, _, to| {
        copy(from, to, &["model_index.json", "scheduler/scheduler_config.json"]);
    }),
    ("original transformer and ae, encoders beside", |from, parts, to| {
        copy_vocabularies(from, to);
        parts.split(to, [""; 4]);
    }),
    ("ComfyUI, split folders", |from, parts, to| {
        copy_vocabularies(from, to);
        parts.split(to, ["diffusion_models", "text_encoders", "text_encoders", "vae"]);
    }),
    ("one file with everything", |from, parts, to| {
        copy_vocabularies(from, to);
        let mut all = prefixed(&parts.transformer, "model.diffusion_model.");
        all.extend(prefixed(&parts.t5, "text_encoders.t5xxl.transformer."));
        all.extend(prefixed(&parts.clip, "text_encoders.clip_l.transformer."));
        all.extend(prefixed(&parts.ae, "vae."));
        write(&to.join("flux1-all.safetensors"), &all);
    }),
    ("GGUF transformer and T5, safetensors beside", |from, parts, to| {
        copy_vocabularies(from, to);
        write_gguf(&to.join("flux1.gguf"), &parts.transformer, "flux", GgmlDType::F32);
        write_gguf(&to.join("t5.gguf"), &t5_gguf(&parts.t5), "t5encoder", GgmlDType::F32);
        write(&to.join("clip_l.safetensors"), &parts.clip);
        write(&to.join("ae.safetensors"), &parts.ae);
    }),
    ("GGUF with diffusers' names", |from, parts, to| {
        copy_vocabularies(from, to);
        write_gguf(&to.join("flux1.gguf"), &read(&from.join("transformer")), "flux", GgmlDType::F32);
        write(&to.join("t5xxl.safetensors"), &parts.t5);
        write(&to.join("clip_l.safetensors"), &parts.clip);
        write(&to.join("ae.safetensors"), &parts.ae);
    }),
];

/// Also compares the table in `docs/models.md`.
#[test]
fn every_layout_of_both_variants_gives_the_same_bits() {
    let heads: Vec<&str> = LAYOUT_WRITERS.iter().map(|(name, _)| *name).collect();
    let mut table = format!("| variant (tiny widths, true names) | {} |\n", heads.join(" | "));
    table += &format!("|---|{}\n", "---|".repeat(heads.len()));
    for name in ["dev", "schnell"] {
        let whole = tempfile::tempdir().unwrap();
        assemble(name, whole.path());
        let parts = Parts::of(whole.path());
        let image = frame(&golden("flux/images.safetensors")["wide"]);
        let start = Start::Picture { image, strength: 0.7 };
        let request = Request { width: 80, steps: 3, start, ..request("a large red circle") };
        let mut first = None;
        let mut names = vec![];
        for (layout, write) in LAYOUT_WRITERS {
            let place = tempfile::tempdir().unwrap();
            write(whole.path(), &parts, place.path());
            let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{name}, {layout}: {error}"));
            let picture = load(&checkpoint).generate(&request, &mut Silent).unwrap();
            match &first {
                None => first = Some(picture),
                Some(first) => assert!(*first == picture, "{name}, {layout}: the bits differ"),
            }
            names.push(checkpoint.0.recognised.variant.name());
        }
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        table += &format!("| {} |{}\n", names[0], " same bits |".repeat(heads.len()));
    }
    table::compare("layouts of FLUX.1", &table);
}

/// Writes `flux` for the tests of other languages.
#[test]
#[ignore = "writes files: see tests/models/small.py"]
fn small_models() {
    let whole = tempfile::tempdir().unwrap();
    assemble("dev", whole.path());
    let place = crate::testing::files::small_model("flux");
    copy_vocabularies(whole.path(), &place);
    Parts::of(whole.path()).split(&place, ["diffusion_models", "text_encoders", "text_encoders", "vae"]);
}

/// Kontext has the names and the shapes of dev. Its files may identify themselves in their metadata.
#[test]
fn a_file_that_identifies_itself_as_kontext_is_refused() {
    let whole = tempfile::tempdir().unwrap();
    assemble("dev", whole.path());
    let part = bfl(&read(&whole.path().join("transformer")));
    let written = |architecture: &str| {
        let place = tempfile::tempdir().unwrap();
        copy(whole.path(), place.path(), &["model_index.json"]);
        std::fs::remove_dir_all(place.path().join("transformer")).unwrap();
        let views = part.iter().map(|(name, raw)| {
            (name, safetensors::tensor::TensorView::new(raw.dtype, raw.shape.clone(), &raw.data).unwrap())
        });
        let says = std::collections::HashMap::from([("modelspec.architecture".to_owned(), architecture.to_owned())]);
        std::fs::write(place.path().join("model.safetensors"), safetensors::serialize(views, Some(says)).unwrap())
            .unwrap();
        inspect(place.path())
    };
    assert!(written("flux-1-dev").is_ok());
    let error = written("flux-1-Kontext-dev").err().unwrap();
    assert!(error.detail().contains("is FLUX.1 Kontext"), "{}", error.detail());
}

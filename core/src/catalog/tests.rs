use super::*;
use crate::error::ErrorCode;
use crate::request::GenerateRequest;
use serde_json::{Value, json};

fn catalog() -> Catalog {
    Catalog::built_in().unwrap()
}

fn refused(request: &GenerateRequest) -> String {
    let catalog = catalog();
    let error = catalog.validate(request).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ValidationError, "{error}");
    assert!(!error.user_action().is_empty());
    error.detail().to_owned()
}

#[test]
fn the_catalog_has_six_models_and_aliases_resolve_to_ids() {
    let catalog = catalog();
    let ids: Vec<_> = catalog.models().iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["pony", "flux", "anisora", "phr00t", "tiny-image", "tiny-video"]);
    let request = GenerateRequest::new("wan-remix", "a boat");
    assert_eq!(catalog.validate(&request).unwrap().model.id, "phr00t");
}

#[test]
fn defaults_are_filled_in() {
    let catalog = catalog();
    let request = GenerateRequest::new("anisora", "a boat");
    let valid = catalog.validate(&request).unwrap();
    assert_eq!(valid.mode, "t2v");
    for (name, value) in [
        ("steps", json!(8)),
        ("guidance_scale", json!(1.0)),
        ("width", json!(720)),
        ("height", json!(1280)),
        ("num_frames", json!(81)),
        ("fps", json!(16)),
        ("motion_score", json!(3.0)),
        ("seed", json!(-1)),
        ("negative_prompt", json!("")),
        ("output_format", json!("mp4")),
    ] {
        assert_eq!(valid.values.get(name), Some(&value), "{name}");
    }
    assert!(!valid.values.contains_key("reference_strength"), "not visible in t2v");
}

#[test]
fn bad_values_are_refused_with_what_is_allowed() {
    let base = || GenerateRequest::new("anisora", "a boat");
    let long = "x".repeat(2001);
    for (request, said) in [
        (GenerateRequest::new("anisora", "   "), "must not be blank"),
        (GenerateRequest::new("anisora", long.as_str()), "at most 2000 characters, and has 2001"),
        (GenerateRequest { model: "anisora".into(), ..Default::default() }, "prompt is required"),
        (GenerateRequest::new("nothing", "a boat"), "there is no model \"nothing\""),
        (base().mode("txt2img"), "has no mode \"txt2img\""),
        (base().set("stepz", 3), "has no parameter \"stepz\""),
        (base().set("type", "image"), "type must be \"video\", which anisora makes"),
        (base().set("type", 1), "type must be \"video\""),
        (base().set("steps", 9), "fixed at 8"),
        (base().set("width", 700), "in steps of 64"),
        (base().set("width", 448), "from 512 to 1280"),
        (base().set("width", "wide"), "a whole number, not a string"),
        (base().set("width", 640.5), "a whole number"),
        (base().set("width", true), "not a boolean"),
        (base().set("num_frames", 82), "in steps of 4"),
        (base().set("fps", 12), "one of 8, 16, 24"),
        (base().set("seed", 2_147_483_648_i64), "from -1 to 2147483647"),
        (base().set("negative_prompt", "x".repeat(1001)), "at most 1000"),
        (base().set("reference_image", "data:image/png;base64,AA=="), "does not apply"),
        (base().mode("i2v"), "reference_image is required"),
        (base().mode("first_last_frame").set("first_frame_image", "data:"), "last_frame_image is required"),
        (base().mode("i2v").set("reference_image", 5), "must be an image"),
        (base().mode("arbitrary_frame"), "arbitrary_frames is required"),
        (base().mode("arbitrary_frame").set("arbitrary_frames", json!([])), "at least 1"),
        (
            base().mode("arbitrary_frame").set("arbitrary_frames", json!([{"frame_index": 81, "image": "data:"}])),
            "below num_frames",
        ),
        (base().mode("arbitrary_frame").set("arbitrary_frames", json!([{"frame_index": 3}])), "image is required"),
        (
            base()
                .mode("arbitrary_frame")
                .set("arbitrary_frames", json!([{"frame_index": 3, "image": "data:", "x": 1}])),
            "no field",
        ),
        (base().image("nowhere", vec![1]), "has no parameter"),
    ] {
        let detail = refused(&request);
        assert!(detail.contains(said), "{detail:?} should say {said:?}");
    }
}

#[test]
fn locked_values_may_be_repeated_and_whole_floats_are_integers() {
    let catalog = catalog();
    let request = GenerateRequest::new("phr00t", "a boat").set("steps", 4.0).set("cfg_scale", 1);
    let valid = catalog.validate(&request).unwrap();
    assert_eq!(valid.values.get("steps"), Some(&json!(4)));
    assert!(refused(&GenerateRequest::new("phr00t", "a boat").set("cfg_scale", 1.5)).contains("fixed at 1"));
}

#[test]
fn images_come_as_data_uris_or_bytes_but_not_both() {
    let catalog = catalog();
    let request = GenerateRequest::new("pony", "a boat").mode("img2img").image("reference_image", vec![1, 2]);
    assert_eq!(catalog.validate(&request).unwrap().images.len(), 1);
    assert!(refused(&request.set("reference_image", "data:image/png;base64,AA==")).contains("given twice"));
    let frames = GenerateRequest::new("anisora", "a boat")
        .mode("arbitrary_frame")
        .set("arbitrary_frames", json!([{"frame_index": 3}, {"frame_index": 9, "image": "data:x", "strength": 0.5}]))
        .image("arbitrary_frames[0].image", vec![1]);
    let valid = catalog.validate(&frames).unwrap();
    assert_eq!(valid.images.len(), 2);
    assert_eq!(
        valid.values.get("arbitrary_frames"),
        Some(&json!([{"frame_index": 3, "strength": 0.85}, {"frame_index": 9, "strength": 0.5}]))
    );
}

#[test]
fn steps_of_a_tenth_survive_binary_fractions() {
    let catalog = catalog();
    for tenth in 10..=100 {
        let request = GenerateRequest::new("flux", "a boat").set("guidance_scale", f64::from(tenth) / 10.0);
        catalog.validate(&request).unwrap();
    }
    assert!(refused(&GenerateRequest::new("flux", "a boat").set("guidance_scale", 3.55)).contains("in steps of 0.1"));
}

#[test]
fn inconsistent_catalogs_are_refused() {
    let mut text: Value = serde_json::from_str(include_str!("../../catalog.json")).unwrap();
    text["models"][0]["parameters"]["steps"]["default"] = json!(5);
    let error = Catalog::from_json(&text.to_string()).unwrap_err();
    assert!(error.detail().contains("pony.steps"), "{error}");
    text["models"][0]["parameters"]["steps"]["default"] = json!(30);
    let mut with_flag = text.clone();
    with_flag["models"][0]["parameters"]["sampler"]["choices"][0] = json!(true);
    let error = Catalog::from_json(&with_flag.to_string()).unwrap_err();
    assert!(error.detail().contains("true is neither a text nor a number"), "{error}");
    text["models"][1]["aliases"] = json!(["pony"]);
    assert!(Catalog::from_json(&text.to_string()).unwrap_err().detail().contains("two models"));
}

#[test]
fn the_description_has_every_rule_and_the_reason_when_unavailable() {
    let catalog = catalog();
    let shown = catalog.model("anisora").unwrap().describe(Some(("no weights", "put them there")));
    let names: Vec<_> = catalog.model("anisora").unwrap().parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(shown.parameters_schema.keys().collect::<Vec<_>>(), names, "in the catalog's order");
    assert_eq!(names[..3], ["prompt", "negative_prompt", "width"]);
    let shown = serde_json::to_value(shown).unwrap();
    assert_eq!(shown["available"], json!(false));
    assert_eq!(shown["user_action"], json!("put them there"));
    assert_eq!(shown["fixed_parameters"], json!({"steps": 8}));
    assert_eq!(shown["recommended_parameters"], json!({"guidance_scale": 1.0}));
    assert_eq!(shown["parameters_schema"]["num_frames"]["maximum"], json!(161.0));
    assert_eq!(shown["parameters_schema"]["reference_image"]["required_if"]["mode"], json!(["img2img", "i2v"]));
}

#[test]
fn a_matching_type_is_accepted_and_is_not_a_parameter() {
    let catalog = catalog();
    for (model, kind) in [
        ("tiny-image", json!("image")),
        ("anisora", json!("video")),
        ("wan-remix", json!("video")),
        ("flux", Value::Null),
    ] {
        let request = GenerateRequest::new(model, "a boat").set("type", kind);
        assert!(!catalog.validate(&request).unwrap().values.contains_key("type"), "{model}");
    }
}

#[test]
fn a_refusal_names_the_parameter() {
    let catalog = catalog();
    let base = || GenerateRequest::new("anisora", "a boat");
    let frames = |frames: Value| base().mode("arbitrary_frame").set("arbitrary_frames", frames);
    for (request, parameter) in [
        (GenerateRequest::new("nothing", "a boat"), "model"),
        (base().mode("txt2img"), "mode"),
        (base().set("stepz", 3), "stepz"),
        (base().set("width", 700), "width"),
        (base().set("type", "image"), "type"),
        (GenerateRequest { model: "anisora".into(), ..Default::default() }, "prompt"),
        (base().mode("i2v"), "reference_image"),
        (base().set("reference_image", "data:"), "reference_image"),
        (frames(json!([])), "arbitrary_frames"),
        (frames(json!([{"frame_index": 0}])), "arbitrary_frames[0].image"),
    ] {
        let error = catalog.validate(&request).map(|_| ()).unwrap_err();
        let named = error.parameter().unwrap();
        assert!(named == parameter || parameter.starts_with(named), "{error}: {named}");
    }
}

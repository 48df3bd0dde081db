//! Tests of schedules from files: each setting is obeyed or refused by name.

use must_tensors::ErrorKind;
use serde_json::{Value, json};

use super::super::*;

#[test]
fn unsupported_settings_of_flow_models_are_refused_by_name() {
    let unipc = json!({"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction",
        "use_flow_sigmas": true, "flow_shift": 3.0});
    let dpm = json!({"_class_name": "DPMSolverMultistepScheduler", "prediction_type": "flow_prediction",
        "use_flow_sigmas": true});
    let euler = json!({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0});
    let read = |mut config: Value, name: &str, value: Value| {
        config[name] = value;
        serde_json::from_value::<SchedulerConfig>(config).unwrap().schedule()
    };
    for (config, name, value) in [
        (&unipc, "prediction_type", json!("epsilon")),
        (&dpm, "thresholding", json!(true)),
        (&dpm, "use_dynamic_shifting", json!(true)),
        (&unipc, "use_flow_sigmas", json!(false)),
        (&unipc, "use_karras_sigmas", json!(true)),
        (&unipc, "use_dynamic_shifting", json!(true)),
        (&unipc, "solver_order", json!(4)),
        (&unipc, "solver_type", json!("other")),
        (&unipc, "lower_order_final", json!(false)),
        (&unipc, "predict_x0", json!(false)),
        (&unipc, "solver_p", json!({})),
        (&unipc, "thresholding", json!(true)),
        (&unipc, "shift_terminal", json!(0.1)),
        (&unipc, "flow_shift", json!(0.0)),
        (&unipc, "num_train_timesteps", json!(0)),
        (&dpm, "algorithm_type", json!("sde-dpmsolver++")),
        (&dpm, "solver_order", json!(3)),
        (&dpm, "final_sigmas_type", json!("sigma_min")),
        (&dpm, "use_lu_lambdas", json!(true)),
        (&euler, "stochastic_sampling", json!(true)),
        (&euler, "invert_sigmas", json!(true)),
        (&euler, "use_beta_sigmas", json!(true)),
        (&euler, "use_karras_sigmas", json!(true)),
        (&euler, "shift_terminal", json!(0.02)),
        (&euler, "shift", json!(-1.0)),
        (&euler, "_class_name", json!("SASolverScheduler")),
    ] {
        let error = read(config.clone(), name, value.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
        assert!(error.detail().contains(&value.to_string()), "{error}");
        assert!(error.detail().contains(name) || name == "_class_name", "{error}");
    }
    let schedule = read(unipc, "timestep_spacing", json!("trailing")).unwrap();
    assert_eq!((schedule.sampler(), schedule.shift(), schedule.train_steps()), (SamplerName::UniPc, 3.0, 1000));
    assert_eq!(schedule.clone().with_sampler(SamplerName::UniPc), schedule);
    let other = schedule.with_sampler(SamplerName::EulerAncestral).with_spacing(Spacing::Beta).with_shift(8.0);
    assert_eq!(other, Schedule::flow(SamplerName::EulerAncestral, Spacing::Beta, 8.0));
}

/// Reads a configuration of `class` like that of Stable Diffusion XL, with one more setting.
fn stable(class: &str, name: &str, value: Value) -> must_tensors::Result<Schedule> {
    let mut config = json!({"_class_name": class, "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "timestep_spacing": "leading", "steps_offset": 1, "clip_sample": false,
        "set_alpha_to_one": false, "trained_betas": null, "sigma_max": null, "skip_prk_steps": true});
    config[name] = value;
    SchedulerConfig::parse(&config.to_string()).unwrap().schedule()
}

#[test]
fn unsupported_settings_of_discrete_levels_are_refused_by_name() {
    for (class, name, value) in [
        ("EulerDiscreteScheduler", "beta_schedule", json!("squaredcos_cap_v2")),
        ("EulerDiscreteScheduler", "trained_betas", json!([0.1, 0.2])),
        ("EulerDiscreteScheduler", "beta_start", json!(0.0)),
        ("EulerDiscreteScheduler", "beta_end", json!(1.5)),
        ("EulerDiscreteScheduler", "prediction_type", json!("sample")),
        ("EulerDiscreteScheduler", "timestep_spacing", json!("other")),
        ("EulerDiscreteScheduler", "interpolation_type", json!("log_linear")),
        ("EulerDiscreteScheduler", "timestep_type", json!("continuous")),
        ("EulerDiscreteScheduler", "final_sigmas_type", json!("sigma_min")),
        ("EulerDiscreteScheduler", "num_train_timesteps", json!(1)),
        ("EulerAncestralDiscreteScheduler", "prediction_type", json!("sample")),
        ("DPMSolverMultistepScheduler", "algorithm_type", json!("sde-dpmsolver++")),
        ("DPMSolverMultistepScheduler", "algorithm_type", json!("dpmsolver")),
        ("DPMSolverMultistepScheduler", "solver_order", json!(3)),
        ("DPMSolverMultistepScheduler", "final_sigmas_type", json!("sigma_min")),
        ("DPMSolverMultistepScheduler", "use_lu_lambdas", json!(true)),
        ("DPMSolverMultistepScheduler", "thresholding", json!(true)),
        ("DPMSolverMultistepScheduler", "variance_type", json!("learned")),
        ("DPMSolverMultistepScheduler", "lambda_min_clipped", json!(-5.1)),
        ("DPMSolverMultistepScheduler", "use_dynamic_shifting", json!(true)),
        ("DPMSolverSDEScheduler", "prediction_type", json!("sample")),
        ("UniPCMultistepScheduler", "predict_x0", json!(false)),
        ("UniPCMultistepScheduler", "solver_order", json!(4)),
        ("UniPCMultistepScheduler", "final_sigmas_type", json!("sigma_min")),
        ("UniPCMultistepScheduler", "lower_order_final", json!(false)),
        ("DDIMScheduler", "clip_sample", json!(true)),
        ("DDIMScheduler", "thresholding", json!(true)),
        ("LCMScheduler", "clip_sample", json!(true)),
        ("LCMScheduler", "original_inference_steps", json!(0)),
        ("PNDMScheduler", "_class_name", json!("PNDMScheduler")),
    ] {
        let error = stable(class, name, value.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
        assert!(error.detail().contains(&value.to_string()), "{error}");
        assert!(error.detail().contains(name) || name == "_class_name", "{error}");
        assert!(error.detail().contains(class), "{error}");
    }
}

#[test]
fn files_are_read_as_the_classes_read_them() {
    let plain = Discrete::new(Prediction::Epsilon, false);
    let schedule = stable("EulerDiscreteScheduler", "use_karras_sigmas", json!(true)).unwrap();
    assert_eq!(schedule, Schedule::discrete(SamplerName::Euler, Spacing::Karras, plain));
    // The class of Euler a has no such option.
    let schedule = stable("EulerAncestralDiscreteScheduler", "use_karras_sigmas", json!(true)).unwrap();
    assert_eq!(schedule, Schedule::discrete(SamplerName::EulerAncestral, Spacing::Reference, plain));
    let schedule = stable("DDIMScheduler", "prediction_type", json!("v_prediction")).unwrap();
    let velocity = Discrete { prediction: Prediction::Velocity, ..plain };
    assert_eq!(schedule, Schedule::discrete(SamplerName::Ddim, Spacing::Reference, velocity));
    assert_eq!(schedule.model(), Some(velocity));
    assert_eq!((schedule.shift(), schedule.spacing()), (1.0, Spacing::Reference));
    // The ends of a spacing have no effect without a spacing.
    stable("EulerDiscreteScheduler", "sigma_min", json!(0.002)).unwrap();
    // Python's notation of an infinite number.
    let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity}"#;
    let schedule = SchedulerConfig::parse(text).unwrap().schedule().unwrap();
    assert_eq!(schedule.model().map(|model| model.timesteps), Some(Timesteps::Linspace));
    assert!(SchedulerConfig::parse("{").is_err());
    // Two spacings at once.
    let text = r#"{"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": true, "use_beta_sigmas": true}"#;
    assert!(SchedulerConfig::parse(text).unwrap().schedule().unwrap_err().detail().contains("use_beta_sigmas"));
}

#[test]
fn the_shift_of_flux_follows_the_size() {
    let text = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true, "shift": 3.0,
        "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096}"#;
    let schedule = SchedulerConfig::parse(text).unwrap().schedule().unwrap();
    assert!((schedule.shift() - 1.15f64.exp()).abs() < 1e-12);
    let dynamic = DynamicShift::default();
    for (tokens, mu) in [(256, 0.5), (4096, 1.15), (1024, 0.63), (9216, 2.016_666_666_666_667)] {
        assert!((dynamic.mu(tokens) - mu).abs() < 1e-12);
        assert!((schedule.clone().with_tokens(tokens).shift() - f64::exp(mu)).abs() < 1e-12);
    }
    // A shift that was set explicitly does not change.
    assert!((schedule.with_shift(2.0).with_tokens(256).shift() - 2.0).abs() < f64::EPSILON);
    for (name, value) in [("time_shift_type", json!("linear")), ("max_image_seq_len", json!(256))] {
        let mut config: Value = serde_json::from_str(text).unwrap();
        config[name] = value;
        let error = SchedulerConfig::parse(&config.to_string()).unwrap().schedule().unwrap_err();
        assert!(error.detail().contains(name), "{error}");
    }
}

//! Walks compared with `tests/golden/samplers` (written by `tools/golden/samplers.py`), and properties that need no
//! reference.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sigmas::FlowGrid;
use super::*;
use crate::error::ErrorKind;

/// Largest difference of a step from the reference, relative to the largest value.
const TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    walks: Vec<(usize, usize)>,
    schedules: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    config: Option<Value>,
    #[serde(default)]
    sampler: String,
    #[serde(default)]
    spacing: String,
    #[serde(default)]
    shift: f64,
}

impl Case {
    fn schedule(&self) -> Schedule {
        match &self.config {
            Some(config) => serde_json::from_value::<SchedulerConfig>(config.clone()).unwrap().schedule().unwrap(),
            None => Schedule::flow(
                SamplerName::from_name(&self.sampler).unwrap(),
                Spacing::from_name(&self.spacing).unwrap(),
                self.shift,
            ),
        }
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/samplers/cases.json")).unwrap()
}

fn tensors() -> HashMap<String, Tensor> {
    let bytes = include_bytes!("../../../tests/golden/samplers/walks.safetensors");
    candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn difference(ours: &Tensor, reference: &Tensor) -> f32 {
    let (ours, reference) = (values(ours), values(reference));
    assert_eq!(ours.len(), reference.len());
    let scale = reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = ours.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0f32, |most, value| {
        assert!(value.is_finite());
        most.max(value)
    });
    worst / scale
}

#[test]
fn walks_are_those_of_the_reference() {
    let (golden, tensors) = (golden(), tensors());
    let (clean, noise) = (&tensors["clean"], &tensors["noise"]);
    let mut failed = vec![];
    for case in &golden.schedules {
        let schedule = case.schedule();
        let mut worst = 0f32;
        for &(steps, begin) in &golden.walks {
            let name = format!("{}.{steps}.{begin}", case.name);
            let mut walk = schedule.walk(steps, begin).unwrap();
            let times = walk.times().to_vec();
            let sigmas = values(&tensors[&format!("{name}.sigmas")]);
            assert_eq!(times.iter().map(|time| time.sigma).collect::<Vec<_>>(), sigmas[..times.len()], "{name}");
            let model = values(&tensors[&format!("{name}.times")]);
            assert_eq!(times.iter().map(|time| time.model as f32).collect::<Vec<_>>(), model, "{name}");

            let samples = &tensors[&format!("{name}.samples")];
            let mut sample = noise.clone();
            if begin > 0 && !times.is_empty() {
                sample = walk.add_noise(clean, noise).unwrap();
                worst = worst.max(difference(&sample, &samples.get(0).unwrap()));
            }
            for step in 0..times.len() {
                let output = tensors["outputs"].get(step).unwrap();
                let fresh = values(&tensors["fresh"].get(step).unwrap());
                sample = walk.step(&output, &sample, &mut |_| fresh.clone()).unwrap();
                worst = worst.max(difference(&sample, &samples.get(step + 1).unwrap()));
            }
            assert!(walk.times().is_empty());
            assert!(walk.step(clean, noise, &mut |_| vec![]).is_err());
        }
        println!("{:24} {worst:.1e}", case.name);
        if worst > TOLERANCE {
            failed.push(format!("{} {worst:e}", case.name));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn beta_takes_the_same_entries() {
    let tensors = tensors();
    for steps in [1, 2, 3, 4, 6, 8, 14, 20, 50, 98, 300, 1000] {
        let reference = tensors[&format!("beta.{steps}")].to_dtype(candle_core::DType::U32).unwrap();
        let entries = FlowGrid { steps, shift: 1.0, train: 1000 }.beta_entries();
        let reference: Vec<u32> = reference.to_vec1().unwrap();
        assert!(entries.iter().zip(&reference).all(|(&ours, &theirs)| ours == theirs as usize), "{steps} steps");
    }
    let sigmas = |shift| -> Vec<f32> {
        let walk = Schedule::flow(SamplerName::Euler, Spacing::Beta, shift).walk(4, 0).unwrap();
        walk.times().iter().map(|time| (time.sigma * 1e4).round() / 1e4).collect()
    };
    assert_eq!(sigmas(8.0), [1.0, 0.974, 0.8893, 0.6324]);
    assert_eq!(sigmas(5.0), [1.0, 0.959, 0.8339, 0.5181]);
}

#[test]
fn known_schedules_have_their_times() {
    let times = |sampler, spacing, shift, steps| -> Vec<f64> {
        let walk = Schedule::flow(sampler, spacing, shift).walk(steps, 0).unwrap();
        walk.times().iter().map(|time| (time.model * 10.0).round() / 10.0).collect()
    };
    // Eight steps of AniSora; four of the step-distilled models.
    let unipc = times(SamplerName::UniPc, Spacing::Reference, 5.0, 8);
    assert_eq!(unipc, [999.0, 972.0, 937.0, 893.0, 833.0, 750.0, 625.0, 418.0]);
    assert_eq!(times(SamplerName::Euler, Spacing::Simple, 5.0, 4), [1000.0, 937.5, 833.3, 625.0]);
}

#[test]
fn levels_fall_and_the_exact_flow_ends_at_the_data() {
    let tensors = tensors();
    let (clean, noise) = (&tensors["clean"], &tensors["noise"]);
    for sampler in SamplerName::ALL {
        assert_eq!(SamplerName::from_name(sampler.as_str()), Some(sampler));
        for spacing in Spacing::ALL {
            assert_eq!(Spacing::from_name(spacing.as_str()), Some(spacing));
            for (shift, steps, begin) in [(1.0, 1, 0), (5.0, 4, 0), (8.0, 30, 0), (3.0, 10, 4), (12.0, 500, 0)] {
                let mut walk = Schedule::flow(sampler, spacing, shift).walk(steps, begin).unwrap();
                let times = walk.times().to_vec();
                let name = format!("{sampler:?} {spacing:?} {shift} {steps} {begin}");
                assert!(times.len() == steps - begin || (spacing == Spacing::Beta && steps == 500), "{name}");
                assert!(times.iter().all(|time| time.sigma > 0.0 && time.sigma <= 1.0), "{name}");
                assert!(times.windows(2).all(|pair| pair[1].sigma < pair[0].sigma), "{name}");
                assert!(times.windows(2).all(|pair| pair[1].model <= pair[0].model), "{name}");
                let mut sample = walk.add_noise(clean, noise).unwrap();
                let mut random = Noise::new(7);
                for time in times {
                    // The flow through a sample to the only data there is; `noise - clean` where no noise was added.
                    let output = ((&sample - clean).unwrap() / f64::from(time.sigma)).unwrap();
                    sample = walk.step(&output, &sample, &mut |count| random.randn(count)).unwrap();
                }
                let worst = difference(&sample, clean);
                assert!(worst < 1e-5, "{name}: {worst:e}");
            }
        }
    }
}

#[test]
fn fresh_noise_keeps_samples_at_their_level() {
    let shape = 40_000;
    for sampler in [SamplerName::EulerAncestral, SamplerName::SaSolver] {
        let mut random = Noise::new(3);
        let noise = Tensor::from_vec(random.randn(shape), shape, &Device::Cpu).unwrap();
        let mut draws = 0;
        let mut walk = Schedule::flow(sampler, Spacing::Beta, 5.0).walk(12, 0).unwrap();
        let mut sample = noise;
        while let Some(time) = walk.times().first().copied() {
            // The only data is 0, so what is left at a level is noise of that deviation.
            let output = (&sample / f64::from(time.sigma)).unwrap();
            let mut draw = |count| {
                draws += 1;
                random.randn(count)
            };
            sample = walk.step(&output, &sample, &mut draw).unwrap();
            let level = walk.times().first().map_or(0.0, |time| time.sigma);
            let deviation = sample.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
            assert!((deviation - level).abs() < 0.02 * level + 1e-6, "{sampler:?}: {deviation} at {level}");
        }
        assert!(draws >= 5, "{draws}");
    }
}

#[test]
fn a_walk_that_cannot_be_taken_is_refused() {
    let flow = |spacing, shift| Schedule::flow(SamplerName::Euler, spacing, shift);
    let code = |schedule: Schedule, steps, begin| schedule.walk(steps, begin).err().map(|error| error.kind());
    for (schedule, steps, begin) in [
        (flow(Spacing::Reference, 5.0), 0, 0),
        (flow(Spacing::Reference, 5.0), 4, 5),
        (flow(Spacing::Reference, 0.0), 4, 0),
        (flow(Spacing::Reference, f64::NAN), 4, 0),
        (flow(Spacing::Simple, 5.0), 1001, 0),
        (flow(Spacing::Beta, 5.0), 1001, 0),
    ] {
        assert_eq!(code(schedule, steps, begin), Some(ErrorKind::InvalidRequest));
    }
    assert_eq!(code(flow(Spacing::Simple, 5.0), 1000, 1000), None);
    // Fewer levels than steps: the ones that are left count from the end.
    let walk = |begin| flow(Spacing::Beta, 5.0).walk(1000, begin).unwrap();
    assert!(walk(0).times().len() < 1000);
    assert_eq!(walk(990).times().len(), 10);
}

#[test]
fn a_setting_that_is_not_obeyed_is_refused_by_name() {
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

#[test]
fn guidance_goes_past_the_prompt_and_changes_experts_at_the_boundary() {
    let tensors = tensors();
    let (with, without) = (&tensors["clean"], &tensors["noise"]);
    let at = |model| Time { sigma: 0.0, model };
    let experts = Guidance::Experts { boundary: 875.0, high: 4.0, low: 1.0 };
    assert_eq!((experts.expert(at(875.0)), experts.scale(at(875.0))), (Expert::High, Some(4.0)));
    assert_eq!((experts.expert(at(874.0)), experts.scale(at(874.0))), (Expert::Low, None));
    assert!(experts.needs_negative(&[at(999.0), at(100.0)]) && !experts.needs_negative(&[at(100.0)]));
    assert!(!Guidance::Classifier { scale: 1.0 }.needs_negative(&[at(999.0)]));
    assert_eq!(Guidance::Classifier { scale: 1.0 }.scale(at(1.0)), None);

    let guided = Guidance::Classifier { scale: 3.0 };
    let ours = values(&guided.combine(at(1.0), with, Some(without)).unwrap());
    let expected =
        values(with).into_iter().zip(values(without)).map(|(with, without)| without + (with - without) * 3.0);
    assert_eq!(ours, expected.collect::<Vec<_>>());
    assert!(guided.combine(at(1.0), with, None).is_err());
    assert_eq!(values(&experts.combine(at(1.0), with, None).unwrap()), values(with));
}

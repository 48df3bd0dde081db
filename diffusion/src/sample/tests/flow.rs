//! Compares samplers of flow models with `tests/golden/samplers` (written by `tools/golden/samplers.py`), and tests
//! properties that need no reference.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use must_tensors::ErrorKind;
use serde::Deserialize;
use serde_json::Value;

use super::super::flow::FlowGrid;
use super::super::*;
use super::{difference, values};

/// The largest allowed difference of a step from the reference, relative to the largest value.
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
    serde_json::from_str(include_str!("../../../../tests/golden/samplers/cases.json")).unwrap()
}

fn tensors() -> HashMap<String, Tensor> {
    let bytes = include_bytes!("../../../../tests/golden/samplers/walks.safetensors");
    candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap()
}

#[test]
fn samples_equal_those_of_the_reference() {
    let (golden, tensors) = (golden(), tensors());
    let (clean, noise) = (&tensors["clean"], &tensors["noise"]);
    let mut failed = vec![];
    for case in &golden.schedules {
        let schedule = case.schedule();
        let mut worst = 0f32;
        for &(steps, begin) in &golden.walks {
            let name = format!("{}.{steps}.{begin}", case.name);
            let mut walk = schedule.make_sampler(steps, begin).unwrap();
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
fn an_exact_prediction_gives_the_clean_sample() {
    let (golden, tensors) = (golden(), tensors());
    let (clean, noise) = (&tensors["clean"], &tensors["noise"]);
    let flow = (noise - clean).unwrap();
    for case in &golden.schedules {
        for &(steps, begin) in &golden.walks {
            let mut walk = case.schedule().make_sampler(steps, begin).unwrap();
            while !walk.times().is_empty() {
                let noisy = walk.add_noise(clean, noise).unwrap();
                let meant = walk.clean(&flow, &noisy).unwrap();
                assert!(difference(&meant, clean) < 1e-5, "{} {steps} {begin}", case.name);
                walk.step(&flow, &noisy, &mut |count| vec![0.0; count]).unwrap();
            }
        }
    }
}

#[test]
fn the_beta_spacing_takes_the_entries_of_the_reference() {
    let tensors = tensors();
    for steps in [1, 2, 3, 4, 6, 8, 14, 20, 50, 98, 300, 1000] {
        let reference = tensors[&format!("beta.{steps}")].to_dtype(candle_core::DType::U32).unwrap();
        let entries = FlowGrid { steps, shift: 1.0, train: 1000 }.beta_entries();
        let reference: Vec<u32> = reference.to_vec1().unwrap();
        assert!(entries.iter().zip(&reference).all(|(&ours, &theirs)| ours == theirs as usize), "{steps} steps");
    }
    let sigmas = |shift| -> Vec<f32> {
        let walk = Schedule::flow(SamplerName::Euler, Spacing::Beta, shift).make_sampler(4, 0).unwrap();
        walk.times().iter().map(|time| (time.sigma * 1e4).round() / 1e4).collect()
    };
    assert_eq!(sigmas(8.0), [1.0, 0.974, 0.8893, 0.6324]);
    assert_eq!(sigmas(5.0), [1.0, 0.959, 0.8339, 0.5181]);
}

#[test]
fn known_schedules_have_their_times() {
    let times = |sampler, spacing, shift, steps| -> Vec<f64> {
        let walk = Schedule::flow(sampler, spacing, shift).make_sampler(steps, 0).unwrap();
        walk.times().iter().map(|time| (time.model * 10.0).round() / 10.0).collect()
    };
    // Eight steps of AniSora, and four of the step-distilled models.
    let unipc = times(SamplerName::UniPc, Spacing::Reference, 5.0, 8);
    assert_eq!(unipc, [999.0, 972.0, 937.0, 893.0, 833.0, 750.0, 625.0, 418.0]);
    assert_eq!(times(SamplerName::Euler, Spacing::Simple, 5.0, 4), [1000.0, 937.5, 833.3, 625.0]);
}

#[test]
fn levels_fall_and_the_exact_flow_ends_at_the_data() {
    let tensors = tensors();
    let (clean, noise) = (&tensors["clean"], &tensors["noise"]);
    for sampler in SamplerName::ALL.into_iter().filter(|sampler| sampler.supports_flow()) {
        for spacing in [Spacing::Reference, Spacing::Linear, Spacing::Simple, Spacing::Beta] {
            for (shift, steps, begin) in [(1.0, 1, 0), (5.0, 4, 0), (8.0, 30, 0), (3.0, 10, 4), (12.0, 500, 0)] {
                let mut walk = Schedule::flow(sampler, spacing, shift).make_sampler(steps, begin).unwrap();
                let times = walk.times().to_vec();
                let name = format!("{sampler:?} {spacing:?} {shift} {steps} {begin}");
                assert!(times.len() == steps - begin || (spacing == Spacing::Beta && steps == 500), "{name}");
                assert!(times.iter().all(|time| time.sigma > 0.0 && time.sigma <= 1.0), "{name}");
                assert!(times.windows(2).all(|pair| pair[1].sigma < pair[0].sigma), "{name}");
                assert!(times.windows(2).all(|pair| pair[1].model <= pair[0].model), "{name}");
                let mut sample = walk.add_noise(clean, noise).unwrap();
                let mut random = Noise::new(7);
                for time in times {
                    // The flow through a sample to the only data point. It equals `noise - clean` if no fresh noise was
                    // added.
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
        let mut walk = Schedule::flow(sampler, Spacing::Beta, 5.0).make_sampler(12, 0).unwrap();
        let mut sample = noise;
        while let Some(time) = walk.times().first().copied() {
            // The only data point is 0, so a sample at a level is noise with that deviation.
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
fn impossible_schedules_are_refused() {
    let flow = |spacing, shift| Schedule::flow(SamplerName::Euler, spacing, shift);
    let code = |schedule: Schedule, steps, begin| schedule.make_sampler(steps, begin).err().map(|error| error.kind());
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
    // When there are fewer levels than steps, the remaining ones are counted from the end.
    let walk = |begin| flow(Spacing::Beta, 5.0).make_sampler(1000, begin).unwrap();
    assert!(walk(0).times().len() < 1000);
    assert_eq!(walk(990).times().len(), 10);
}

//! Compares samplers over discrete levels, and FLUX's, with `tests/golden/samplers` (written by
//! `tools/golden/discrete_samplers.py`), and tests properties that need no reference.

use candle_core::{Device, Tensor};
use must_tensors::ErrorKind;
use serde::Deserialize;

use super::super::*;
use super::{difference, discrete_tensors, values};

/// The largest allowed difference of a step from the reference, relative to the largest value.
const TOLERANCE: f32 = 3e-6;

#[derive(Deserialize)]
struct Golden {
    seed: u64,
    walks: Vec<(usize, usize)>,
    schedules: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    config: Option<String>,
    sampler: String,
    prediction: String,
    #[serde(default)]
    spacing: String,
    #[serde(default)]
    zero_snr: bool,
    tokens: Option<usize>,
}

impl Case {
    fn schedule(&self) -> Schedule {
        let prediction = match self.prediction.as_str() {
            "epsilon" => Prediction::Epsilon,
            "velocity" => Prediction::Velocity,
            _ => Prediction::Flow,
        };
        let sampler = SamplerName::from_name(&self.sampler).unwrap();
        let Some(config) = &self.config else {
            let spacing = Spacing::from_name(&self.spacing).unwrap();
            return Schedule::discrete(sampler, spacing, Discrete::new(prediction, self.zero_snr));
        };
        let schedule = SchedulerConfig::parse(config).unwrap().schedule().unwrap();
        assert_eq!(schedule.sampler(), sampler);
        match self.tokens {
            Some(tokens) => schedule.with_tokens(tokens).with_spacing(Spacing::Linear),
            None => {
                assert_eq!(
                    schedule.model().map(|model| (model.prediction, model.zero_snr)),
                    Some((prediction, self.zero_snr))
                );
                schedule
            }
        }
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../tests/golden/samplers/discrete.json")).unwrap()
}

/// The artificial denoiser of the script.
fn denoise(outputs: &Tensor, call: usize, scaled: &Tensor, time: Time) -> Tensor {
    let own = scaled.affine(0.5, f64::from(time.model as f32 / 1000.0)).unwrap();
    (outputs.get(call).unwrap() + own).unwrap()
}

/// Returns the largest relative difference of levels, and the largest difference of the denoiser's times.
fn compare_times(times: &[Time], reference: &Tensor, name: &str) -> (f32, f32) {
    let (model, sigmas) = (values(&reference.get(0).unwrap()), values(&reference.get(1).unwrap()));
    assert_eq!(times.len(), sigmas.len(), "{name}");
    let sigma = |(time, &sigma): (&Time, &f32)| (time.sigma - sigma).abs() / sigma;
    let time = |(time, &model): (&Time, &f32)| (time.model as f32 - model).abs();
    (times.iter().zip(&sigmas).map(sigma).fold(0f32, f32::max), times.iter().zip(&model).map(time).fold(0f32, f32::max))
}

#[test]
fn samples_equal_those_of_the_reference() {
    let (golden, tensors) = (golden(), discrete_tensors());
    let (mut failed, mut all) = (vec![], (0f32, 0f32, 0f32));
    for case in &golden.schedules {
        let schedule = case.schedule().with_seed(golden.seed);
        let (mut worst, mut off) = (0f32, (0f32, 0f32));
        for &(steps, begin) in &golden.walks {
            let name = format!("{}.{steps}.{begin}", case.name);
            let mut walk = schedule.make_sampler(steps, begin).unwrap();
            let times = walk.times().to_vec();
            let (sigma, time) = compare_times(&times, &tensors[&format!("{name}.times")], &name);
            off = (off.0.max(sigma), off.1.max(time));

            let samples = &tensors[&format!("{name}.samples")];
            let (mut drawn, noise) = (0, tensors["draws"].get(0).unwrap());
            let mut draw = |_| {
                drawn += 1;
                values(&tensors["draws"].get(drawn).unwrap())
            };
            let mut sample =
                if begin == 0 { walk.start(&noise) } else { walk.add_noise(&tensors["clean"], &noise) }.unwrap();
            worst = worst.max(difference(&sample, &samples.get(0).unwrap()));
            for (call, &time) in times.iter().enumerate() {
                let scaled = walk.scale_input(&sample).unwrap();
                let output = denoise(&tensors["outputs"], call, &scaled, time);
                sample = walk.step(&output, &sample, &mut draw).unwrap();
                worst = worst.max(difference(&sample, &samples.get(call + 1).unwrap()));
            }
            assert!(walk.times().is_empty());
        }
        println!("{:32} sample {worst:.1e}  level {:.1e}  time {:.1e}", case.name, off.0, off.1);
        all = (all.0.max(worst), all.1.max(off.0), all.2.max(off.1));
        // Levels are equal to the last bit.
        if worst > TOLERANCE || off.0 > 0.0 || off.1 > 2e-4 {
            failed.push(format!("{} {worst:e} {off:?}", case.name));
        }
    }
    println!("worst: {all:?}");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_stream_of_a_seed_equals_that_of_the_reference() {
    let mut random = Noise::new(golden().seed);
    let draws = &discrete_tensors()["draws"];
    for index in 0..draws.dim(0).unwrap() {
        let ours = Tensor::from_vec(random.randn(16), 16, &Device::Cpu).unwrap();
        assert!(difference(&ours, &draws.get(index).unwrap()) < 1e-6);
    }
}

#[test]
fn long_schedules_have_the_levels_of_the_reference() {
    let tensors = discrete_tensors();
    let plain = Discrete::new(Prediction::Epsilon, false);
    let trailing = Discrete { timesteps: Timesteps::Trailing, ..plain };
    let mut compared = 0;
    for (name, sampler, spacing, model) in [
        ("Euler.leading", SamplerName::Euler, Spacing::Reference, plain),
        ("Euler.karras", SamplerName::Euler, Spacing::Karras, trailing),
        ("DPM++ 2M.karras", SamplerName::DpmPlusPlus2M, Spacing::Karras, plain),
        ("UniPC.exponential", SamplerName::UniPc, Spacing::Exponential, plain),
        ("DDIM.trailing", SamplerName::Ddim, Spacing::Reference, trailing),
        ("zero", SamplerName::Euler, Spacing::Reference, Discrete::new(Prediction::Velocity, true)),
    ] {
        for steps in [30, 60, 400, 1000] {
            let Some(reference) = tensors.get(&format!("long.{name}.{steps}")) else { continue };
            let walk = Schedule::discrete(sampler, spacing, model).make_sampler(steps, 0).unwrap();
            let (sigma, time) = compare_times(walk.times(), reference, name);
            assert!(sigma == 0.0 && time < 1e-3, "{name} {steps}: {sigma:e} {time:e}");
            compared += 1;
        }
    }
    assert_eq!(compared, 23);
}

#[test]
fn every_sampler_starts_finite_and_ends_at_the_data() {
    let tensors = discrete_tensors();
    let clean = &tensors["clean"];
    for sampler in SamplerName::ALL.into_iter().filter(|sampler| sampler.supports_discrete()) {
        for spacing in Spacing::ALL.into_iter().filter(|&spacing| spacing != Spacing::Linear) {
            for (prediction, zero_snr) in
                [(Prediction::Epsilon, false), (Prediction::Velocity, false), (Prediction::Velocity, true)]
            {
                let schedule = Schedule::discrete(sampler, spacing, Discrete::new(prediction, zero_snr)).with_seed(5);
                for (steps, begin) in [(1, 0), (2, 1), (30, 0), (30, 12), (60, 0), (1000, 0), (1000, 1000)] {
                    let name = format!("{sampler:?} {spacing:?} {prediction:?} {zero_snr} {steps} {begin}");
                    if steps == 1000 && sampler == SamplerName::DpmPlusPlusSde && spacing != Spacing::Karras {
                        continue;
                    }
                    let mut walk = match schedule.make_sampler(steps, begin) {
                        Ok(walk) => walk,
                        // LCM has 50 timesteps of its own. Leading timesteps of the multistep samplers end at 999 steps.
                        Err(error) if spacing == Spacing::Reference && steps >= 60 => {
                            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}");
                            continue;
                        }
                        Err(error) => panic!("{name}: {error}"),
                    };
                    let calls = if sampler == SamplerName::DpmPlusPlusSde { 2 } else { 1 };
                    let times = walk.times().to_vec();
                    assert!(times.len() <= calls * (steps - begin), "{name}");
                    assert!(times.len() + 2 * calls >= calls * (steps - begin), "{name}: {}", times.len());
                    assert!(times.iter().all(|time| time.sigma > 0.0 && time.sigma.is_finite()), "{name}");
                    assert!(times.windows(2).all(|pair| pair[1].sigma < pair[0].sigma), "{name}");
                    assert!(times.windows(2).all(|pair| pair[1].model <= pair[0].model), "{name}");
                    let mut random = Noise::new(7);
                    let noise = Tensor::from_vec(random.randn(16), 16, &Device::Cpu).unwrap();
                    let mut sample =
                        if begin == 0 { walk.start(&noise) } else { walk.add_noise(clean, &noise) }.unwrap();
                    for time in times {
                        let output = exact(prediction, time.sigma, &walk.scale_input(&sample).unwrap(), clean);
                        let seen = walk.clean(&output, &sample).unwrap();
                        let off = difference(&seen, clean);
                        // With 4096 parts of noise to one of signal, single precision keeps only a few digits of the signal.
                        assert!(off < if zero_snr { 2e-2 } else { 1e-3 }, "{name}: {off:e} at {}", time.sigma);
                        sample = walk.step(&output, &sample, &mut |count| random.randn(count)).unwrap();
                    }
                    // DDIM ends at the lowest level instead of at 0. With one leading step it treats pure noise as a low
                    // level.
                    let limit = if sampler == SamplerName::Ddim && steps == 1 {
                        2.0
                    } else if sampler == SamplerName::Ddim || begin == steps {
                        0.2
                    } else {
                        2e-4
                    };
                    let worst = difference(&sample, clean);
                    assert!(worst < limit, "{name}: {worst:e}");
                }
            }
        }
    }
}

/// Returns the prediction of a model that knows the only data point. `scaled` is the denoiser's input.
fn exact(prediction: Prediction, sigma: f32, scaled: &Tensor, clean: &Tensor) -> Tensor {
    let signal = 1.0 / f64::from(sigma).hypot(1.0);
    let share = f64::from(sigma) * signal;
    let noise = ((scaled - (clean * signal).unwrap()).unwrap() / share).unwrap();
    match prediction {
        Prediction::Velocity => ((noise * signal).unwrap() - (clean * share).unwrap()).unwrap(),
        _ => noise,
    }
}

#[test]
fn samplers_draw_when_the_reference_draws() {
    for (sampler, expected) in [
        (SamplerName::Euler, 0),
        (SamplerName::EulerAncestral, 6),
        (SamplerName::DpmPlusPlus2M, 0),
        (SamplerName::DpmPlusPlusSde, 0),
        (SamplerName::Ddim, 0),
        (SamplerName::UniPc, 0),
        (SamplerName::Lcm, 5),
    ] {
        let model = Discrete::new(Prediction::Epsilon, false);
        let mut walk = Schedule::discrete(sampler, Spacing::Reference, model).make_sampler(6, 0).unwrap();
        let sample = Tensor::ones(16, candle_core::DType::F32, &Device::Cpu).unwrap();
        let (mut draws, mut random) = (0, Noise::new(1));
        while !walk.times().is_empty() {
            let mut draw = |count| {
                draws += 1;
                random.randn(count)
            };
            walk.step(&sample, &sample, &mut draw).unwrap();
        }
        assert_eq!(draws, expected, "{sampler:?}");
        assert!(walk.step(&sample, &sample, &mut |_| vec![]).is_err());
    }
}

#[test]
fn the_motion_has_the_seed_of_the_schedule() {
    let model = Discrete::new(Prediction::Epsilon, false);
    let schedule = Schedule::discrete(SamplerName::DpmPlusPlusSde, Spacing::Karras, model);
    let sample = Tensor::ones(16, candle_core::DType::F32, &Device::Cpu).unwrap();
    let first = |schedule: Schedule| {
        let mut walk = schedule.make_sampler(5, 0).unwrap();
        values(&walk.step(&sample, &sample, &mut |_| vec![]).unwrap())
    };
    assert_eq!(first(schedule.clone().with_seed(3)), first(schedule.clone().with_seed(3)));
    assert_ne!(first(schedule.clone().with_seed(3)), first(schedule.with_seed(4)));
}

#[test]
fn names_can_be_written_and_read_back() {
    for sampler in SamplerName::ALL {
        assert_eq!(SamplerName::from_name(sampler.as_str()), Some(sampler));
        assert_eq!(SamplerName::parse(sampler.as_str()), Some((sampler, None)));
        for spacing in Spacing::ALL {
            assert_eq!(Spacing::from_name(spacing.as_str()), Some(spacing));
            let Some(label) = spacing.label() else { continue };
            assert_eq!(Spacing::from_name(label), Some(spacing));
            let name = format!("{} {label}", sampler.as_str());
            assert_eq!(SamplerName::parse(&name), Some((sampler, Some(spacing))));
            assert_eq!(DISCRETE_NAMES.contains(&name.as_str()), sampler.supports_discrete(), "{name}");
        }
    }
    let discrete = Schedule::discrete(SamplerName::Euler, Spacing::Beta, Discrete::new(Prediction::Epsilon, false));
    for &name in DISCRETE_NAMES {
        let schedule = discrete.clone().with_name(name).unwrap();
        schedule.make_sampler(20, 3).unwrap();
        let label = schedule.spacing().label().map(|label| format!(" {label}")).unwrap_or_default();
        assert_eq!(format!("{}{label}", schedule.sampler().as_str()), name);
    }
    assert_eq!(DISCRETE_NAMES.len(), 49);
    for name in ["", "Euler b", "DPM++ 2MKarras", "DPM++ 2M karras", "DPM++ 2M Linear", "Karras", "SA-Solver"] {
        assert_eq!(discrete.clone().with_name(name), None, "{name}");
    }
    let flow = Schedule::flow(SamplerName::UniPc, Spacing::Beta, 8.0);
    assert_eq!(flow.clone().with_name("Euler a"), Some(flow.clone().with_sampler(SamplerName::EulerAncestral)));
    assert_eq!(flow.clone().with_name("Euler Simple").map(|schedule| schedule.spacing()), Some(Spacing::Simple));
    assert_eq!(flow.with_name("LCM"), None);
}

#[test]
fn impossible_schedules_are_refused() {
    let epsilon = Discrete::new(Prediction::Epsilon, false);
    let zero = Discrete::new(Prediction::Epsilon, true);
    let discrete = |sampler, spacing, model| Schedule::discrete(sampler, spacing, model);
    for (schedule, steps, begin) in [
        (discrete(SamplerName::Euler, Spacing::Reference, epsilon), 0, 0),
        (discrete(SamplerName::Euler, Spacing::Karras, epsilon), 4, 5),
        (discrete(SamplerName::Euler, Spacing::Karras, epsilon), 1001, 0),
        (discrete(SamplerName::Euler, Spacing::Linear, epsilon), 4, 0),
        (discrete(SamplerName::SaSolver, Spacing::Karras, epsilon), 4, 0),
        (discrete(SamplerName::Ipndm, Spacing::Reference, epsilon), 4, 0),
        (discrete(SamplerName::Lcm, Spacing::Reference, epsilon), 51, 0),
        (discrete(SamplerName::DpmPlusPlus2M, Spacing::Reference, epsilon), 1000, 0),
        (discrete(SamplerName::Ddim, Spacing::Reference, zero), 4, 0),
        (discrete(SamplerName::Lcm, Spacing::Reference, zero), 4, 0),
        (Schedule::flow(SamplerName::Euler, Spacing::Karras, 3.0), 4, 0),
        (Schedule::flow(SamplerName::Euler, Spacing::Normal, 3.0), 4, 0),
        (Schedule::flow(SamplerName::Ddim, Spacing::Reference, 3.0), 4, 0),
        (Schedule::flow(SamplerName::DpmPlusPlusSde, Spacing::Simple, 3.0), 4, 0),
        (Schedule::flow(SamplerName::Lcm, Spacing::Simple, 3.0), 4, 0),
    ] {
        assert_eq!(
            schedule.make_sampler(steps, begin).err().map(|error| error.kind()),
            Some(ErrorKind::InvalidRequest)
        );
    }
    // Below its last level such a model has a signal.
    discrete(SamplerName::Ddim, Spacing::Reference, zero).make_sampler(4, 1).unwrap();
}

"""Writes the golden data of the samplers over discrete noise levels (Stable Diffusion XL), of FLUX's walk and of Brownian motions.

A scheduler of diffusers makes every step. If its class has no option for a spacing, it gets the levels of `discrete_levels.py`. DDIM
and LCM, whose classes support only whole timesteps, are implemented here for those spacings. The denoiser gives random numbers plus a
part of its input and its time, so that a wrong scale or a wrong time shows. Noise is from the random generator, and from torchsde for
DPM++ SDE. Run it again when a sampler is added:

    PYTHON tools/golden/discrete_samplers.py
"""

import contextlib
import inspect
import json

import numpy as np
import torch
import torchsde
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSDEScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from safetensors.numpy import save_file

from discrete_levels import SPACINGS
from samplers import OUT

SIZE = 16
SEED = 1234567890123
WALKS = [(1, 0), (2, 0), (8, 0), (20, 0), (8, 5), (20, 14)]
STABLE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
LEADING = dict(timestep_spacing="leading", steps_offset=1)
TRAILING = dict(timestep_spacing="trailing")
CLASSES = {
    "Euler": EulerDiscreteScheduler,
    "Euler a": EulerAncestralDiscreteScheduler,
    "DPM++ 2M": DPMSolverMultistepScheduler,
    "DPM++ SDE": DPMSolverSDEScheduler,
    "DDIM": DDIMScheduler,
    "UniPC": UniPCMultistepScheduler,
    "LCM": LCMScheduler,
}
OPTIONS = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}
PREDICTIONS = {"epsilon": "epsilon", "velocity": "v_prediction"}

draw = np.random.default_rng(14)
CLEAN = draw.standard_normal((1, SIZE, 1, 1)).astype(np.float32)
OUTPUTS = draw.standard_normal((2 * 20 - 1, 1, SIZE, 1, 1)).astype(np.float32)


def denoise(call, scaled, time):
    return torch.from_numpy(OUTPUTS[call]) + 0.5 * scaled + time.float() / 1000


@contextlib.contextmanager
def rounded_correctly():
    """Square roots, logarithms and exponentials of tensors, rounded correctly.

    PyTorch's own functions are sometimes off by one unit in the last place, and this differs between machines. It has almost no effect
    on most walks, but it has an effect in two cases. DPM++ SDE computes levels through their logarithm and back, and evaluates the
    Brownian motion at the result. At high levels, one such unit is more than the resolution of the motion. A walk of 20 steps then
    differs by up to 8e-4 of its size (2e-3 without a signal at the last level), otherwise by less than 1e-6. And without a signal at
    the last level, one such unit in the first sample is visible in the next sample."""
    kept = torch.Tensor.sqrt, torch.Tensor.__pow__, torch.Tensor.log, torch.Tensor.exp

    def exactly(function):
        return lambda self: function(self.double()).to(self.dtype)

    root = exactly(kept[0])
    torch.Tensor.sqrt = root
    torch.Tensor.__pow__ = lambda self, power: root(self) if power == 0.5 else kept[1](self, power)
    torch.Tensor.log = exactly(kept[2])
    torch.Tensor.exp = exactly(kept[3])
    try:
        yield
    finally:
        torch.Tensor.sqrt, torch.Tensor.__pow__, torch.Tensor.log, torch.Tensor.exp = kept


def table(scheduler):
    return (((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5).numpy().astype(np.float64)


def finite_table(zero_snr):
    return table(EulerDiscreteScheduler(rescale_betas_zero_snr=zero_snr, **STABLE))


def prepare(scheduler, steps, spacing, zero_snr):
    """Sets the steps. `spacing` is one that the class does not support, or None."""
    if spacing is None:
        scheduler.set_timesteps(steps)
        return
    levels, times = SPACINGS[spacing](finite_table(zero_snr), steps)
    if isinstance(scheduler, DPMSolverSDEScheduler):
        scheduler._convert_to_karras = lambda in_sigmas: levels
        scheduler.set_timesteps(steps)
        return
    scheduler.set_timesteps(steps)
    scheduler.sigmas = torch.from_numpy(np.append(levels, 0.0).astype(np.float32))
    scheduler.timesteps = torch.from_numpy(times.astype(np.float32))


def level(scheduler, index, time):
    if isinstance(scheduler, (DDIMScheduler, LCMScheduler)):
        return finite_table(scheduler.config.rescale_betas_zero_snr)[int(time)]
    if isinstance(scheduler, DPMSolverSDEScheduler) and not scheduler.state_in_first_order:
        return scheduler.mid_point_sigma.item()
    return scheduler.sigmas[index].item()


def run(tensors, name, scheduler, steps, begin, spacing=None, zero_snr=False):
    prepare(scheduler, steps, spacing, zero_snr)
    first = begin * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    walk(tensors, name, scheduler, first, begin)


def walk(tensors, name, scheduler, first, begin):
    times = scheduler.timesteps[first:]
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(CLEAN.shape, generator=generator)
    clean = torch.from_numpy(CLEAN)
    if begin == 0:
        sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    elif hasattr(scheduler, "add_noise"):
        sample = scheduler.add_noise(clean, noise, times[:1])
    else:
        sample = scheduler.scale_noise(clean, times[:1], noise)
    extra = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
    samples, levels = [sample], []
    for call, time in enumerate(times):
        scaled = scheduler.scale_model_input(sample, time) if hasattr(scheduler, "scale_model_input") else sample
        levels.append(level(scheduler, first + call, time))
        sample = scheduler.step(denoise(call, scaled, time), time, sample, **extra).prev_sample
        samples.append(sample)
    keep(tensors, name, times.numpy(), levels, torch.cat(samples).numpy())


def keep(tensors, name, times, levels, samples):
    assert np.isfinite(samples).all(), name
    tensors[f"{name}.times"] = np.stack([np.asarray(times, np.float32), np.asarray(levels, np.float32)])
    tensors[f"{name}.samples"] = samples.reshape(len(samples), SIZE).astype(np.float32)


def run_written_out(tensors, name, sampler, prediction, spacing, zero_snr, steps, begin):
    """DDIM and LCM over levels between timesteps, for samples whose signal and noise have squares that sum to 1."""
    levels, times = SPACINGS[spacing](finite_table(zero_snr), steps)
    levels, times = np.append(levels, 0.0).astype(np.float32).astype(np.float64)[begin:], times[begin:]
    signal, share = 1 / np.sqrt(1 + levels**2), levels / np.sqrt(1 + levels**2)
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(CLEAN.shape, generator=generator).double()
    sample = noise if begin == 0 else signal[0] * torch.from_numpy(CLEAN).double() + share[0] * noise
    samples = [sample]
    for call, time in enumerate(times):
        output = denoise(call, sample.float(), torch.tensor(time)).double()
        if prediction == "epsilon":
            clean, fresh = (sample - share[call] * output) / signal[call], output
        else:
            clean, fresh = signal[call] * sample - share[call] * output, signal[call] * output + share[call] * sample
        if sampler == "LCM" and call + 1 < len(times):
            fresh = torch.randn(CLEAN.shape, generator=generator).double()
        elif sampler == "LCM":
            fresh = torch.zeros_like(sample)
        sample = signal[call + 1] * clean + share[call + 1] * fresh
        samples.append(sample)
    keep(tensors, name, times, levels[:-1], torch.cat(samples).numpy())


def scheduler_of(sampler, **settings):
    kind = CLASSES[sampler]
    known = inspect.signature(kind.__init__).parameters
    settings = {"clip_sample": False, "set_alpha_to_one": False, "noise_sampler_seed": SEED, **STABLE, **settings}
    scheduler = kind(**{name: value for name, value in settings.items() if name in known})
    if settings.get("rescale_betas_zero_snr") and kind is DPMSolverSDEScheduler:
        scheduler.alphas_cumprod = EulerDiscreteScheduler(rescale_betas_zero_snr=True, **STABLE).alphas_cumprod
    return scheduler


def settings_of(scheduler):
    # The library stores the names of settings that were left out in a set.
    left_out = sorted(scheduler.config["_use_default_values"])
    return {"_class_name": type(scheduler).__name__, **scheduler.config, "_use_default_values": left_out}


def config_of(scheduler, zero_snr):
    config = settings_of(scheduler) | {"rescale_betas_zero_snr": zero_snr}
    return json.dumps(config, indent=2, sort_keys=True)


def cases():
    """Yields name, sampler, prediction, the settings of the class, and the spacing that is computed here (or None)."""
    for sampler, kind in CLASSES.items():
        options = inspect.signature(kind.__init__).parameters
        for prediction in PREDICTIONS:
            yield f"{sampler}.{prediction}.reference", sampler, prediction, LEADING, None
            for spacing in SPACINGS:
                name = f"{sampler}.{prediction}.{spacing}"
                if OPTIONS.get(spacing) in options:
                    yield name, sampler, prediction, {OPTIONS[spacing]: True, **LEADING}, None
                else:
                    yield name, sampler, prediction, LEADING, spacing
        zero = {"rescale_betas_zero_snr": True, **TRAILING}
        yield f"{sampler}.zero", sampler, "velocity", zero, None
        yield f"{sampler}.zero.normal", sampler, "velocity", zero, "normal"
        if sampler != "LCM":
            yield f"{sampler}.trailing", sampler, "epsilon", TRAILING, None
            yield f"{sampler}.linspace", sampler, "velocity", {"timestep_spacing": "linspace"}, None
        if "use_karras_sigmas" in options:
            yield f"{sampler}.zero.karras", sampler, "velocity", {"use_karras_sigmas": True, **zero}, None
            yield f"{sampler}.trailing.karras", sampler, "epsilon", {"use_karras_sigmas": True, **TRAILING}, None
    yield "Euler.zero.epsilon", "Euler", "epsilon", {"rescale_betas_zero_snr": True, **TRAILING}, None
    yield "Euler.linear", "Euler", "epsilon", {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}, None
    yield "DDIM.clean", "DDIM", "epsilon", {"set_alpha_to_one": True, **LEADING}, None
    yield "LCM.other", "LCM", "epsilon", {"original_inference_steps": 100, "timestep_scaling": 0.01}, None
    yield "DPM++ 2M.heun", "DPM++ 2M", "epsilon", {"solver_type": "heun", **LEADING}, None
    yield "DPM++ 2M.first", "DPM++ 2M", "epsilon", {"solver_order": 1, **LEADING}, None
    yield "UniPC.third", "UniPC", "epsilon", {"solver_order": 3, "use_karras_sigmas": True, **LEADING}, None


def write_case(tensors, name, sampler, prediction, settings, spacing):
    zero_snr = settings.get("rescale_betas_zero_snr", False)
    case = dict(name=name, sampler=sampler, prediction=prediction, zero_snr=zero_snr)
    own = {"prediction_type": PREDICTIONS[prediction], **settings}
    if spacing is None:
        case["config"] = config_of(scheduler_of(sampler, **own), zero_snr)
    else:
        case["spacing"] = spacing
    for steps, begin in WALKS:
        walk_name = f"{name}.{steps}.{begin}"
        if spacing is not None and sampler in ("DDIM", "LCM"):
            run_written_out(tensors, walk_name, sampler, prediction, spacing, zero_snr, steps, begin)
            continue
        if spacing is not None and sampler == "DPM++ SDE":
            own["use_karras_sigmas"] = True
        run(tensors, walk_name, scheduler_of(sampler, **own), steps, begin, spacing, zero_snr)
    return case


def write_flux(tensors):
    """FLUX's pipelines give evenly spaced levels to the scheduler, and the shift for the picture's size."""
    cases = []
    for name, tokens, settings in [
        ("flux.dev.1024", 4096, dict(shift=3.0, use_dynamic_shifting=True)),
        ("flux.dev.512", 1024, dict(shift=3.0, use_dynamic_shifting=True)),
        ("flux.dev.1536", 9216, dict(shift=3.0, use_dynamic_shifting=True)),
        ("flux.schnell", 4096, dict(shift=1.0)),
    ]:
        scheduler = FlowMatchEulerDiscreteScheduler(base_image_seq_len=256, max_image_seq_len=4096, base_shift=0.5,
                                                    max_shift=1.15, **settings)
        config = json.dumps(settings_of(scheduler))
        cases.append(dict(name=name, sampler="Euler", prediction="flow", config=config, tokens=tokens))
        for steps, begin in WALKS:
            scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=calculate_shift(tokens))
            scheduler.set_begin_index(begin)
            walk(tensors, f"{name}.{steps}.{begin}", scheduler, begin, begin)
    return cases


def write_long(tensors):
    """Levels and times of walks of more steps."""
    for name, scheduler in [
        ("Euler.leading", scheduler_of("Euler", **LEADING)),
        ("Euler.karras", scheduler_of("Euler", use_karras_sigmas=True, **TRAILING)),
        ("DPM++ 2M.karras", scheduler_of("DPM++ 2M", use_karras_sigmas=True, **LEADING)),
        ("UniPC.exponential", scheduler_of("UniPC", use_exponential_sigmas=True, **LEADING)),
        ("DDIM.trailing", scheduler_of("DDIM", **TRAILING)),
        ("zero", scheduler_of("Euler", rescale_betas_zero_snr=True, **TRAILING)),
    ]:
        for steps in (30, 60, 400, 1000):
            if name == "Euler.leading" and steps == 1000:
                continue
            scheduler.set_timesteps(steps)
            tensors[f"long.{name}.{steps}"] = np.stack([
                scheduler.timesteps.numpy().astype(np.float32),
                np.array([level(scheduler, index, time) for index, time in enumerate(scheduler.timesteps)], np.float32),
            ])


def write_brownian(tensors):
    for number, (seed, start, end, size) in enumerate([
        (0, 0.029167, 14.614645, 16), (42, 0.0413, 11.0282, 40), (2**40 + 5, 0.0078125, 4096.0, 16), (7, 0.5, 0.75, 5),
    ]):
        start, end = float(np.float32(start)), float(np.float32(end))
        motion = torchsde.BrownianInterval(t0=start, t1=end, size=(size,), entropy=seed, tol=1e-6, pool_size=24, halfway_tree=True)
        random = np.random.default_rng(number)
        middle = np.sort(random.uniform(start, end, (36, 2)), axis=1)
        near = np.exp(random.uniform(np.log(start), np.log(end), (10, 1))) * np.array([[1.0, 1.0 + 1e-4]])
        ends = np.array([[start, end], [start, (start + end) / 2], [(start + end) / 2, end], [start, start + 1e-6]])
        asked = np.concatenate([middle, near, ends, [[start - 1, end + 1]]])
        values = np.stack([motion(*moments).numpy() for moments in asked])
        tensors[f"brownian.{number}.asked"] = asked
        tensors[f"brownian.{number}.values"] = values
        tensors[f"brownian.{number}.interval"] = np.array([start, end])
        tensors[f"brownian.{number}.seed"] = np.array([seed], np.int64)


def main():
    generator = torch.Generator().manual_seed(SEED)
    draws = np.stack([torch.randn(SIZE, generator=generator).numpy() for _ in range(21)])
    tensors = {"clean": CLEAN.reshape(SIZE), "outputs": OUTPUTS.reshape(-1, SIZE), "draws": draws}
    with rounded_correctly():
        written = [write_case(tensors, *case) for case in cases()] + write_flux(tensors)
        write_long(tensors)
    write_brownian(tensors)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, OUT / "discrete.safetensors")
    lines = ",\n  ".join(json.dumps(case) for case in written)
    (OUT / "discrete.json").write_text(f'{{"seed": {SEED}, "walks": {json.dumps(WALKS)}, "schedules": [\n  {lines}\n]}}\n')


if __name__ == "__main__":
    main()

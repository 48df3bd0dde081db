"""Writes the golden data of the samplers, schedules and spacings in `diffusion/src/sample`.

UniPC, Euler and DPM++ 2M are run by diffusers in float32. Euler a, SA-Solver, iPNDM and the spacings "simple" and "beta" come
from ComfyUI, which is not a library: their formulas are written here from the papers, in float64 and in another form than in
the Rust code, so that the two check each other. Predictions and noise are random numbers, because a sampler must be right
for any denoiser. Run it again when a sampler is added:

    PYTHON tools/golden/samplers.py
"""

import json
import pathlib

import numpy as np
import scipy.integrate
import scipy.stats
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    SASolverScheduler,
    UniPCMultistepScheduler,
)
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "samplers"
SIZE = 16
STEPS = 20
WALKS = [(1, 0), (2, 0), (4, 0), (8, 0), (20, 0), (8, 5), (20, 14), (4, 4)]
CHOSEN = {"solver_order", "solver_type", "flow_shift", "shift", "disable_corrector", "final_sigmas_type", "prediction_type",
          "use_flow_sigmas", "lower_order_final", "algorithm_type", "timestep_spacing", "use_karras_sigmas", "shift_terminal"}
MULTISTEP = dict(prediction_type="flow_prediction", use_flow_sigmas=True)

draw = np.random.default_rng(12)
CLEAN, NOISE = draw.standard_normal((2, SIZE)).astype(np.float32)
OUTPUTS, FRESH = draw.standard_normal((2, STEPS, SIZE)).astype(np.float32)


# Spacings.


def shifted(shift, level):
    return shift * level / (1 + (shift - 1) * level)


def table(shift, train=1000):
    """ModelSamplingDiscreteFlow of ComfyUI: the level of every training step, the lowest first, in float32."""
    times = torch.arange(1, train + 1) / train
    return (shift * times / (1 + (shift - 1) * times)).numpy()


def simple(shift, steps):
    levels = table(shift)
    return np.array([levels[-(1 + int(step * (len(levels) / steps)))] for step in range(steps)] + [0], np.float32)


def beta_entries(steps, train=1000):
    shares = 1 - np.linspace(0, 1, steps, endpoint=False)
    return np.rint(scipy.stats.beta.ppf(shares, 0.6, 0.6) * (train - 1)).astype(np.int64)


def beta(shift, steps):
    entries = beta_entries(steps)
    kept = np.concatenate([[True], np.diff(entries) != 0])
    return np.append(table(shift)[entries[kept]], np.float32(0))


# Samplers of ComfyUI. Each gets its noise levels and yields the sample after each step.


def euler(levels, sample, _shift):
    """For the spacings of ComfyUI; diffusers' own spacing is checked with diffusers' own sampler."""
    for step, (start, end) in enumerate(zip(levels, levels[1:])):
        sample = sample + (end - start) * OUTPUTS[step]
        yield sample


def euler_ancestral(levels, sample, _shift):
    """A step of the flow down to the level `below`. Then noise is added, so that signal and noise have the shares of the next level."""
    for step, (start, end) in enumerate(zip(levels, levels[1:])):
        clean = sample - start * OUTPUTS[step]
        if end == 0:
            sample = clean
        else:
            below = end * end / start
            flow = (sample - clean) / start
            lower = clean + below * flow
            gain = (1 - end) / (1 - below)
            sample = gain * lower + np.sqrt(end**2 - (gain * below) ** 2) * FRESH[step]
        yield sample


def ipndm(levels, sample, _shift):
    """Adams-Bashforth with the weights of even steps, from the interpolating polynomial integrated over the next step."""
    flows = []
    for step, (start, end) in enumerate(zip(levels, levels[1:])):
        flows = [OUTPUTS[step].astype(np.float64)] + flows[:3]
        if end == 0:
            sample = sample - start * flows[0]
        else:
            nodes = -np.arange(len(flows))
            weights = [np.polyint(lagrange(nodes, node))(1.0) for node in range(len(flows))]
            sample = sample + (end - start) * sum(weight * flow for weight, flow in zip(weights, flows))
        yield sample


def lagrange(nodes, index):
    """The polynomial that is 1 at `nodes[index]` and 0 at the others."""
    others = np.delete(np.asarray(nodes, np.float64), index)
    return np.poly1d(np.poly(others) / np.prod(nodes[index] - others))


def half_log_ratio(level):
    return np.log1p(-level) - np.log(level)


def adams(nodes, start, end, tau):
    """Weights of SA-Solver (equations 15 and 18 of the paper), by quadrature, with the signal share left out."""
    speed = 1 + tau**2
    return [
        scipy.integrate.quad(lambda at: speed * np.exp(speed * (at - end)) * lagrange(nodes, index)(at), start, end,
                             epsabs=1e-13, epsrel=1e-13)[0]
        for index in range(len(nodes))
    ]


def sa_solver(levels, sample, shift):
    """Predictor of order 3, corrector of order 4, each evaluation used for both; noise where the paper's tau is 1."""
    levels = levels.copy()
    if levels[0] >= 1:
        levels[0] = np.float32(shifted(shift, 0.9999))
    ratios = [half_log_ratio(level) for level in levels[:-1]]
    noisy = shifted(shift, 1 - 0.8), shifted(shift, 1 - 0.2)
    cleans, base, past = [], None, None
    total = len(levels) - 1
    for step, (start, end) in enumerate(zip(levels, levels[1:])):
        clean = sample - start * OUTPUTS[step]
        cleans = ([clean] + cleans)[:4]
        if end == 0:
            yield clean
            return
        if past is None:
            base = sample
        else:
            tau, noise = past
            order = min(4, len(cleans), total - step)
            base = advance(levels, ratios, step - 1, ratios[step::-1][:order], cleans, base, tau) + noise
        tau = 1.0 if noisy[0] <= end <= noisy[1] else 0.0
        width = ratios[step + 1] - ratios[step]
        noise = end * np.sqrt(1 - np.exp(-2 * tau**2 * width)) * FRESH[step].astype(np.float64)
        order = min(3, len(cleans), total - step - 1)
        sample = advance(levels, ratios, step, ratios[step::-1][:order], cleans, base, tau) + noise
        past = tau, noise
        yield sample


def advance(levels, ratios, step, nodes, cleans, base, tau):
    start, end = ratios[step], ratios[step + 1]
    weights = adams(nodes, start, end, tau)
    check_with_diffusers(nodes, start, end, tau, weights)
    kept = levels[step + 1] / levels[step] * np.exp(-(tau**2) * (end - start)) * base
    return kept + (1 - levels[step + 1]) * sum(weight * clean for weight, clean in zip(weights, cleans))


def check_with_diffusers(nodes, start, end, tau, weights):
    """Checks that diffusers' SASolver has the same weights. Its walk cannot be compared: over flow sigmas it ends with noise."""
    scheduler = SASolverScheduler(**MULTISTEP)
    tensors = [torch.tensor(node, dtype=torch.float64) for node in (*nodes, start, end, tau)]
    *nodes, start, end, tau = tensors
    theirs = scheduler.get_coefficients_fn(len(nodes), start, end, nodes, tau)
    scale = (1 + tau**2) * torch.exp(-(1 + tau**2) * end)
    assert np.allclose([float(scale * weight) for weight in theirs], weights, rtol=1e-7, atol=1e-9)


# Cases.


def run_diffusers(tensors, name, scheduler, steps, begin):
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(begin)
    times = scheduler.timesteps[begin:]
    clean, sample = torch.from_numpy(CLEAN)[None, :, None, None], torch.from_numpy(NOISE)[None, :, None, None]
    if begin > 0 and len(times) > 0:
        add = getattr(scheduler, "add_noise", None) or (lambda sample, noise, times: scheduler.scale_noise(sample, times, noise))
        sample = add(clean, sample, times[:1])
    samples = [sample]
    for step, time in enumerate(times):
        output = torch.from_numpy(OUTPUTS[step])[None, :, None, None]
        samples.append(scheduler.step(output, time, samples[-1]).prev_sample)
    tensors[f"{name}.times"] = times.numpy().astype(np.float32)
    tensors[f"{name}.sigmas"] = scheduler.sigmas[begin:].numpy()
    tensors[f"{name}.samples"] = torch.cat(samples)[:, :, 0, 0].numpy()


def run_comfy(tensors, name, sampler, levels, shift, begin):
    levels = levels[begin:]
    sample = NOISE.astype(np.float64)
    if begin > 0 and len(levels) > 1:
        sample = (1 - levels[0].astype(np.float64)) * CLEAN + levels[0] * sample
    visited = levels.copy()
    if sampler is sa_solver and visited[0] >= 1:
        visited[0] = shifted(shift, 0.9999)
    tensors[f"{name}.times"] = visited[:-1] * np.float32(1000)
    tensors[f"{name}.sigmas"] = visited
    samples = [sample, *sampler(levels.astype(np.float64), sample, shift)] if len(levels) > 1 else [sample]
    tensors[f"{name}.samples"] = np.stack(samples).astype(np.float32)


def diffusers_schedulers():
    for order in (1, 2, 3):
        for solver in ("bh1", "bh2"):
            yield f"unipc{order}{solver}", UniPCMultistepScheduler(
                solver_order=order, solver_type=solver, flow_shift=3.0 + order,
                # With bh1 the reference's last step to a level of 0 is not a number.
                final_sigmas_type="sigma_min" if solver == "bh1" else "zero", **MULTISTEP)
    yield "unipc.uncorrected", UniPCMultistepScheduler(flow_shift=3.0, disable_corrector=[0, 2, 6], **MULTISTEP)
    yield "unipc.noisy", UniPCMultistepScheduler(flow_shift=8.0, final_sigmas_type="sigma_min", **MULTISTEP)
    for shift in (1.0, 3.0, 12.0):
        yield f"euler{shift:g}", FlowMatchEulerDiscreteScheduler(shift=shift)
    for solver in ("midpoint", "heun"):
        yield f"dpm.{solver}", DPMSolverMultistepScheduler(solver_type=solver, flow_shift=5.0, **MULTISTEP)
    yield "dpm.first", DPMSolverMultistepScheduler(solver_order=1, flow_shift=1.0, **MULTISTEP)


def main():
    tensors = {"clean": CLEAN, "noise": NOISE, "outputs": OUTPUTS, "fresh": FRESH}
    schedules = []
    for name, scheduler in diffusers_schedulers():
        config = {key: value for key, value in scheduler.config.items() if key in CHOSEN}
        schedules.append(dict(name=name, config={"_class_name": type(scheduler).__name__, **config}))
        for steps, begin in WALKS:
            run_diffusers(tensors, f"{name}.{steps}.{begin}", scheduler, steps, begin)
    for label, sampler in [("Euler", euler), ("Euler a", euler_ancestral), ("SA-Solver", sa_solver), ("iPNDM", ipndm)]:
        for spacing, levels in [("simple", simple), ("beta", beta)]:
            for shift in (5.0, 8.0):
                name = f"{sampler.__name__}.{spacing}{shift:g}"
                schedules.append(dict(name=name, sampler=label, spacing=spacing, shift=shift))
                for steps, begin in WALKS:
                    run_comfy(tensors, f"{name}.{steps}.{begin}", sampler, levels(shift, steps), shift, begin)
    for steps in (1, 2, 3, 4, 6, 8, 14, 20, 50, 98, 300, 1000):
        tensors[f"beta.{steps}"] = beta_entries(steps).astype(np.uint32)
    OUT.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, OUT / "walks.safetensors")
    lines = ",\n  ".join(json.dumps(schedule) for schedule in schedules)
    (OUT / "cases.json").write_text(f'{{"walks": {json.dumps(WALKS)}, "schedules": [\n  {lines}\n]}}\n')


if __name__ == "__main__":
    main()

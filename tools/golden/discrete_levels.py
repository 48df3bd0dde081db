"""Spacings of the noise levels of Stable Diffusion XL that no scheduler of diffusers has, for `discrete_samplers.py`.

Each is implemented here from its source, in float64, with the table of levels that diffusers computes:

- simple: `simple_scheduler` of <https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/samplers.py>;
- normal: `DiscreteSchedule.get_sigmas` of <https://github.com/crowsonkb/k-diffusion/blob/master/k_diffusion/external.py>;
- sgm_uniform: `normal_scheduler` of ComfyUI with `sgm`;
- karras, exponential: `get_sigmas_karras` and `get_sigmas_exponential` of
  <https://github.com/crowsonkb/k-diffusion/blob/master/k_diffusion/sampling.py>, over the whole table, for the samplers whose
  classes have no such option;
- beta: `_convert_to_beta` of diffusers' `EulerDiscreteScheduler` over the whole table, for the same samplers.
"""

import numpy as np
import scipy.stats


def interpolated(table, times):
    return np.exp(np.interp(times, np.arange(len(table)), np.log(table)))


def time_of(table, level):
    return np.interp(np.log(level), np.log(table), np.arange(len(table)))


def simple(table, steps):
    entries = np.array([len(table) - 1 - int(step * (len(table) / steps)) for step in range(steps)])
    return table[entries], entries.astype(np.float64)


def normal(table, steps):
    times = np.linspace(len(table) - 1, 0, steps)
    return interpolated(table, times), times


def sgm_uniform(table, steps):
    times = np.linspace(len(table) - 1, 0, steps + 1)[:-1]
    return interpolated(table, times), times


def karras(table, steps, rho=7.0):
    low, high = table[0] ** (1 / rho), table[-1] ** (1 / rho)
    levels = (high + np.linspace(0, 1, steps) * (low - high)) ** rho
    return levels, time_of(table, levels)


def exponential(table, steps):
    levels = np.exp(np.linspace(np.log(table[-1]), np.log(table[0]), steps))
    return levels, time_of(table, levels)


def beta(table, steps):
    shares = scipy.stats.beta.ppf(1 - np.linspace(0, 1, steps), 0.6, 0.6)
    levels = table[0] + shares * (table[-1] - table[0])
    return levels, time_of(table, levels)


SPACINGS = {
    "karras": karras,
    "exponential": exponential,
    "beta": beta,
    "simple": simple,
    "normal": normal,
    "sgm-uniform": sgm_uniform,
}

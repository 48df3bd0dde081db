"""Times the reference library on the weights of the tiny models: loading, a clip and a picture.

    PYTHON tools/golden/time_reference.py [threads]
"""

import os
import pathlib
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import make  # noqa: E402
import reference  # noqa: E402

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
begun = time.perf_counter()
pipe = reference.load(make.ROOT / "diffusion" / "models" / "tiny")
print(f"load: {time.perf_counter() - begun:.3f} s")
decode, seconds = pipe.vae.decode, 0.0


def timed(*arguments, **options):
    global seconds
    begun = time.perf_counter()
    result = decode(*arguments, **options)
    seconds = time.perf_counter() - begun
    return result


pipe.vae.decode = timed
for name in ("t2v_20", "picture"):
    best = None
    for _ in range(5):
        begun = time.perf_counter()
        reference.generate(pipe, make.CASES[name], {})
        total = time.perf_counter() - begun
        best = min(best or (total, 0.0), (total, total - seconds))
    print(f"{name}: {best[0]:.3f} s at best, of which before decoding {best[1]:.3f} s")

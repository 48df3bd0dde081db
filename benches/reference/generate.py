"""The reference library's side of `must-benches generate`: a diffusers Wan folder in float32, on the CPU.

    PYTHON generate.py MODEL_FOLDER THREADS

Prints a line of JSON when it is ready and one for each request on standard input, as `must-benches worker` does: the
seconds from prompt to 8-bit frames, and the peak memory so far.
"""

import json
import pathlib
import sys
import time

import diffusers
import numpy as np
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "golden"))
import reference  # noqa: E402


def peak_kib() -> int | None:
    """Returns the peak memory of this process."""
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def print_json(**fields: object) -> None:
    """Prints one line of JSON."""
    print(json.dumps(fields), flush=True)


def main(folder: str, threads: int) -> None:
    """Answers requests until standard input ends."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    pipe = reference.load(pathlib.Path(folder))
    version = {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "python": sys.version.split()[0],
    }
    print_json(load_seconds=time.perf_counter() - began, version=version, peak_kib=peak_kib())
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.perf_counter()
        clip = reference.generate(pipe, asked, {}, asked["size"])
        rgb = (clip * 255).round().to(torch.uint8).contiguous().numpy()
        seconds = time.perf_counter() - began
        np.asarray(rgb).tofile(asked["frames_to"])
        print_json(seconds=seconds, peak_kib=peak_kib())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]))

"""Small models for `pony` and `flux` with random weights, and the catalog of the tests.

The tests of the inference crate write the models, because the golden data of some families has only names and sizes:

    MUST_SMALL_MODELS=FOLDER cargo test -p must-diffusion --lib -- --ignored small_models
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def folder() -> Path:
    """A folder with the folders `pony` and `flux`: the one in `MUST_SMALL_MODELS`, or one that is made now."""
    place = Path(os.environ.get("MUST_SMALL_MODELS") or ROOT / "target" / "small-models")
    if not (place / "flux").is_dir():
        command = ["cargo", "test", "--quiet", "-p", "must-diffusion", "--lib", "--", "--ignored", "small_models"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "MUST_SMALL_MODELS": str(place)}, check=True)
    return place


def catalog(path: Path, change: Callable[[dict[str, Any]], object] | None = None) -> Path:
    """Write the library's catalog with a wider range of sizes, after `change` has edited its models."""
    changed = json.loads((ROOT / "core" / "catalog.json").read_text())
    for side in ("width", "height"):
        changed["parameters"][side].update(minimum=32, maximum=1 << 16, step=16)
    changed["parameters"]["num_frames"].update(minimum=5, default=5)
    models = {model["id"]: model for model in changed["models"]}
    for name, side in (("anisora", 32), ("phr00t", 32), ("pony", 64), ("flux", 64)):
        models[name]["parameters"]["width"] = models[name]["parameters"]["height"] = {"default": side}
    if change is not None:
        change(models)
    path.write_text(json.dumps(changed))
    return path

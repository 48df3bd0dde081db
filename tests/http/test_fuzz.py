"""A fuzzer of OpenAPI servers drives every documented call, with credentials, and finds nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import API_KEY, SCRAPE_TOKEN, Server, serving

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("tiny-image", "tiny-video")


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A server with a finished task, whose catalog holds what runs here and whose new tasks stay pending."""
    catalog = json.loads((ROOT / "core/catalog.json").read_text())
    catalog["models"] = [model for model in catalog["models"] if model["id"] in MODELS]
    used = {value for model in catalog["models"] for value in json.dumps(model).split('"')}
    catalog["parameters"] = {name: value for name, value in catalog["parameters"].items() if name in used}
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(catalog))
    with serving(tmp_path / "data", {"catalog": str(path)}) as first:
        first.finish(first.submit())
    settings = {"catalog": str(path), "paused": True, "queue_depth": 1_000_000}
    with serving(tmp_path / "data", settings) as running:
        yield running


def test_the_fuzzer_finds_nothing(server: Server, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={ROOT / 'tests/http/schemathesis.toml'}",
        "run",
        f"{server.url}/openapi.json",
        "--checks=all",
        "--phases=examples,coverage,fuzzing,stateful",
        "--max-examples=20",
        "--seed=1",
        "--suppress-health-check=all",
        # Ending the session would end the run; pictures that are waited for never come while tasks stay pending.
        "--exclude-path-regex=^/(admin/session|auth/session|v1/images/generations)$",
        "--no-color",
    ]
    environment = {
        **os.environ,
        "FUZZ_API_KEY": API_KEY,
        "FUZZ_SCRAPE_TOKEN": SCRAPE_TOKEN,
        "FUZZ_ADMIN_SESSION": server.admin().headers["Cookie"].split("=", 1)[1],
        "SCHEMATHESIS_HOOKS": "fuzz_hooks",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert outcome.returncode == 0, outcome.stdout[-60000:] + outcome.stderr[-2000:]

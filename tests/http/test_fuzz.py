"""A fuzzer for OpenAPI servers makes every documented call, with credentials, and finds no fault."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from conftest import ADMIN_KEY, API_KEY, SCRAPE_TOKEN, TRANSPORT, Server, over_sockets, serving
from schemathesis.engine import Status, events, from_schema

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("tiny-image", "tiny-video")
ADMINISTRATORS = 25
EXAMPLES = 40
SEED = 1
# Ending the session would end the run, and calls that wait for pictures would never end while tasks stay pending.
LEFT_OUT = "^/(admin/session|auth/session|v1/images/(generations|edits))$"


def credentials(server: Server) -> dict[str, str]:
    sessions = []
    for number in range(ADMINISTRATORS):
        headers = {"X-Admin-Key": ADMIN_KEY, "X-Forwarded-For": f"192.0.2.{number}"}
        answer = server.bare("POST", "/admin/session", headers=headers)
        assert answer.status_code == 204, answer.text
        sessions.append(answer.headers["set-cookie"].split(";")[0].split("=", 1)[1])
    return {
        "FUZZ_API_KEY": API_KEY,
        "FUZZ_SCRAPE_TOKEN": SCRAPE_TOKEN,
        "FUZZ_ADMIN_SESSION": sessions[0],
        "FUZZ_ADMIN_SESSIONS": " ".join(sessions),
    }


def check_that_no_call_was_throttled(server: Server) -> None:
    """A throttled call tests nothing."""
    metrics = server.bare("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPE_TOKEN}"}).text
    assert 'must_denials_total{code="invalid_api_key"}' in metrics
    assert 'must_denials_total{code="rate_limited"}' not in metrics


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A server with a finished task. Its catalog has only models that run here, and new tasks stay pending."""
    catalog = json.loads((ROOT / "core/catalog.json").read_text())
    catalog["models"] = [model for model in catalog["models"] if model["id"] in MODELS]
    used = {value for model in catalog["models"] for value in json.dumps(model).split('"')}
    catalog["parameters"] = {name: value for name, value in catalog["parameters"].items() if name in used}
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(catalog))
    with serving(tmp_path / "data", {"catalog": str(path)}) as first:
        first.finish(first.submit())
    settings = {
        "catalog": str(path),
        "paused": True,
        "queue_depth": 1_000_000,
        "trusted_proxies": ["127.0.0.1"],
        # Nothing listens there.
        "workers": {"address_template": "https://{workspace}.invalid", "deploy_command": ["true"], "health_tries": 1},
    }
    with serving(tmp_path / "data", settings) as running:
        yield running


@over_sockets
def test_the_fuzzer_finds_nothing(server: Server, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={ROOT / 'tests/http/schemathesis.toml'}",
        "run",
        f"{server.url}/openapi.json",
        "--checks=all",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--suppress-health-check=all",
        f"--exclude-path-regex={LEFT_OUT}",
        "--no-color",
    ]
    environment = {
        **os.environ,
        **credentials(server),
        "SCHEMATHESIS_HOOKS": "fuzz_hooks",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert outcome.returncode == 0, outcome.stdout[-60000:] + outcome.stderr[-2000:]
    check_that_no_call_was_throttled(server)


@pytest.mark.skipif(TRANSPORT != "asgi", reason="the run that mounts the application")
def test_the_fuzzer_finds_nothing_in_this_process(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in credentials(server).items():
        monkeypatch.setenv(name, value)
    import fuzz_hooks  # noqa: F401
    from transports import PEER, Asgi

    settings = tomllib.loads((ROOT / "tests/http/schemathesis.toml").read_text())
    config = schemathesis.Config.from_dict(settings | {"seed": SEED, "generation": {"max-examples": EXAMPLES}})
    assert isinstance(server.transport, Asgi)
    app = server.transport.app

    async def through_the_proxy(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": PEER}, receive, send)

    schema = schemathesis.openapi.from_asgi("/openapi.json", through_the_proxy, config=config)
    tried, wrong = 0, list[object]()
    for event in from_schema(schema.exclude(path_regex=LEFT_OUT)).execute():
        if isinstance(event, events.ScenarioFinished):
            tried += len(event.recorder.cases)
            if event.status == Status.FAILURE:
                checks = (check for checks in event.recorder.checks.values() for check in checks)
                found = (check.failure_info for check in checks if check.failure_info)
                wrong += [f"{info.failure.title}: {info.failure.message}\n{info.code_sample}" for info in found]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            wrong.append(event)
    assert not wrong, "\n\n".join(map(str, wrong))
    assert tried > 1000, tried
    check_that_no_call_was_throttled(server)

"""MUST as a worker on Modal: one container with a GPU, at https://WORKSPACE--must.modal.run.

modal deploy --strategy recreate deploy/modal/must_app.py

The variable MUST_GPU is read at deployment: the GPU to run on (L4 when absent). The README beside this file says how to
prepare the workspace, and which parts have been tried.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modal

if TYPE_CHECKING:
    from collections.abc import Callable

    from must import asgi

NAME = "must"
"""Name of the app and its secret, prefix of its volumes, and suffix of its address."""

GPUS = {"T4": 75, "A100": 80, "A100-80GB": 80, "A10": 86, "L4": 89, "L40S": 89, "H100": 90, "H200": 90, "B200": 100}
"""Each GPU with its compute capability, because there is no GPU to ask while the kernels are compiled."""

GPU = os.environ.get("MUST_GPU", "").strip() or "L4"
if GPU not in GPUS:
    raise ValueError(f"MUST_GPU must be one of {', '.join(GPUS)}, not {GPU}")

IN_IMAGE = "/usr/src/must"
SOURCE = Path(__file__).resolve().parents[2] if modal.is_local() else Path(IN_IMAGE)
"""The project's root, from which the image copies. In a container this file is elsewhere, and nothing is copied."""

NOT_COPIED = [".git", "**/target", "**/node_modules", "**/__pycache__", "**/.*_cache", "**/*.so", "**/*.node"]

CUDA = "nvidia/cuda:12.8.1-devel-ubuntu24.04"
"""The image of CUDA's compiler. It also has the libraries that run the kernels."""

SECRETS = {"MUST_API_KEY": "api_key", "MUST_ADMIN_KEY": "admin_key", "MUST_ACCOUNTS_KEY": "master_key"}
"""Keys of the workspace's secret, and the settings that they set."""

CLOSING = 15.0
"""Seconds for running tasks to stop. Modal gives a container 30, which also have to be enough to commit the volume."""


def image() -> modal.Image:
    """Python with the module, compiled for the GPU."""
    return (
        modal.Image.from_registry(CUDA, add_python="3.12")
        .apt_install("build-essential", "ca-certificates", "curl", "pkg-config")
        .run_commands("curl -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain 1.95.0")
        .env(
            {
                "PATH": "/root/.cargo/bin:/usr/local/cuda/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                # The driver is only present with a GPU; the stubs replace it for linking.
                "LIBRARY_PATH": "/usr/local/cuda/lib64/stubs",
                "CUDA_COMPUTE_CAP": str(GPUS[GPU]),
            }
        )
        .add_local_dir(SOURCE, IN_IMAGE, copy=True, ignore=NOT_COPIED)
        .run_commands(
            f"python -m pip install --no-cache-dir {IN_IMAGE}/bindings-python"
            " --config-settings 'build-args=--features cuda'"
            f" && rm -rf {IN_IMAGE}/target"
        )
    )


class Lease:
    """Lets one container at a time have the data folder. Containers of two deployments overlap, and volumes have no locks."""

    LIFE = 60.0
    """Seconds after which an owner that has not renewed its lease counts as gone."""

    def __init__(self, shared: Any, lost: Callable[[], object] = lambda: None) -> None:
        """A lease in a `modal.Dict`. `lost` is called when another container has it, or when it cannot be read."""
        self._shared = shared
        self._lost = lost
        self._me = uuid.uuid4().hex
        self._over = threading.Event()
        self._said = 0.0
        self._keeper = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="lease-watch", daemon=True)

    def take(self, pause: float = 1.0) -> None:
        """Wait until the folder is free, take the lease, and keep renewing it."""
        while True:
            if self._shared.put("owner", self._entry(), skip_if_exists=True):
                # A slower container that removed the dead owner may have removed this entry instead.
                time.sleep(pause)
                if self._now()[0] == self._me:
                    break
                continue
            gone, heard = self._now()
            # A dictionary has no compare-and-swap, so only one of the containers that see a dead owner may remove it.
            if time.time() - heard > self.LIFE and self._may_remove(gone):
                self._shared.pop("owner", None)
            else:
                time.sleep(pause)
        self._said = time.monotonic()
        self._keeper.start()
        self._watcher.start()

    def _may_remove(self, gone: str) -> bool:
        turn = int(time.time() / self.LIFE)
        return bool(self._shared.put(f"after {gone}, turn {turn}", self._me, skip_if_exists=True))

    def give_back(self) -> None:
        """Release the lease for the next container."""
        self._over.set()
        self._keeper.join(self.LIFE / 6)
        if self._now()[0] == self._me:
            self._shared.pop("owner", None)

    def _keep(self) -> None:
        while not self._over.wait(self.LIFE / 6):
            # If a write fails, the next one renews the lease.
            with contextlib.suppress(Exception):
                if self._now()[0] != self._me:
                    self._said = -self.LIFE
                    return
                self._shared.put("owner", self._entry())
                self._said = time.monotonic()

    def _watch(self) -> None:
        # This runs on its own thread, so that a hanging call cannot hide that the lease is about to expire.
        while not self._over.wait(self.LIFE / 60):
            if time.monotonic() - self._said > self.LIFE / 2:
                self._over.set()
                self._lost()
                return

    def _now(self) -> tuple[str, float]:
        owner: tuple[str, float] = self._shared.get("owner", ("", 0.0))
        return owner

    def _entry(self) -> tuple[str, float]:
        return self._me, time.time()


app = modal.App(NAME)
data = modal.Volume.from_name(f"{NAME}-data", create_if_missing=True)
models = modal.Volume.from_name(f"{NAME}-models", create_if_missing=True)
owner = modal.Dict.from_name(f"{NAME}-owner", create_if_missing=True)


@app.cls(
    image=image(),
    gpu=GPU,
    volumes={"/data": data, "/models": models},
    secrets=[modal.Secret.from_name(NAME, required_keys=["MUST_API_KEY"])],
    # The data folder has one owner, and tasks run while nobody calls.
    min_containers=1,
    max_containers=1,
    startup_timeout=600,
    # Longest time that a caller may follow the events of a task.
    timeout=3600,
)
@modal.concurrent(max_inputs=500)
class Worker:
    """One platform for the lifetime of the container."""

    @modal.enter()
    def open(self) -> None:
        """Open the data folder in the state that the previous container left."""
        import must

        self.lease = Lease(owner, lost=self.give_up)
        self.lease.take()
        data.reload()
        keys: Any = {name: os.environ[variable] for variable, name in SECRETS.items() if os.environ.get(variable, "").strip()}
        self.platform = must.Platform("/data/must", models_dir="/models", device="cuda", environment="prod", **keys)

    @modal.asgi_app(label=NAME)
    def http(self) -> asgi.App:
        """The HTTP API."""
        from must import asgi

        return asgi.App(self.platform)

    def give_up(self) -> None:
        """Leave the folder to its new owner: close without committing the volume, and exit so that Modal starts another container."""
        with contextlib.suppress(Exception):
            self.platform.close(CLOSING)
        os._exit(1)

    @modal.exit()
    def close(self) -> None:
        """Stop running tasks, which continue in the next container, and close the folder."""
        self.platform.close(CLOSING)
        data.commit()
        self.lease.give_back()

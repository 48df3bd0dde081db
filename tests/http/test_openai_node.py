"""Runs the tests of OpenAI's own Node client, which are in openai_node/."""

import os
import subprocess
from pathlib import Path

from conftest import API_KEY, over_sockets, serving

FOLDER = Path(__file__).parent / "openai_node"


@over_sockets
def test_the_node_client(tmp_path: Path) -> None:
    install = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(install, cwd=FOLDER, check=True, capture_output=True, timeout=300)
    # Node's client keeps idle connections for 4 s, and tries nothing again here: the server must not close them earlier.
    with serving(tmp_path / "data", {"http": {"header_timeout_seconds": 30}}) as server:
        environment = {**os.environ, "MUST_URL": server.url, "MUST_KEY": API_KEY}
        outcome = subprocess.run(
            ["npm", "test"], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]
    assert "# pass 8\n" in outcome.stdout

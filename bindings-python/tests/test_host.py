"""What a host provides: keys, a store for checkpoints, a clock. When the host fails, access is refused."""

import asyncio
import sys
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import must
from support import run_script

KEYS = [b64encode(bytes(range(start, start + 32))).decode() for start in (0, 32)]
SECRET = "canary-of-the-key-store"


class KeyStoreError(Exception):
    """The key store cannot be reached."""


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    return heard


def open_with(folder: Path, host: must.Host, **settings: Any) -> must.Platform:
    return must.Platform(folder / "data", device="cpu", paused=True, host=host, **settings)


def key_store_fails() -> str:
    raise KeyStoreError(SECRET)


def test_keys_come_from_the_host_and_nowhere_else(tmp_path: Path) -> None:
    master, audit = [f"1 {KEYS[0]}"], [KEYS[1]]
    threads = set()

    def give() -> str:
        threads.add(threading.current_thread())
        return "\n".join(master)

    host = must.Host(master_keys=give, audit_keys=lambda: "\n".join(audit))
    with open_with(tmp_path, host) as platform:
        platform.secrets.put("mail", SECRET)
        with pytest.raises(must.ValidationError, match="no newer master key"):
            platform.secrets.rotate("master_key")
        master.append(f"2 {KEYS[1]}")
        platform.secrets.rotate("master_key")
        del master[0]
        audit[:] = [f"1 {KEYS[1]}", f"2 {KEYS[0]}"]
        assert "overlap_until" in platform.audit.rotate_key(overlap_seconds=3600).details
    assert threads
    assert not (tmp_path / "data" / "keys").exists()
    with open_with(tmp_path, host) as platform:
        assert platform.secrets.get("mail") == SECRET
        assert platform.audit.verify().ok


def test_without_keys_every_request_is_refused(tmp_path: Path, unraisable: list[Any]) -> None:
    with open_with(tmp_path, must.Host(audit_keys=lambda: KEYS[1])) as platform:
        key = platform.auth.issue_key("site").secret
    with open_with(tmp_path, must.Host(master_keys=key_store_fails, audit_keys=lambda: KEYS[1])) as platform:
        asked = must.RequestFacts(route="generation", header_keys=(key,))
        for call in (
            lambda: platform.auth.authorize(asked),
            lambda: platform.auth.issue_key("another"),
            lambda: platform.secrets.put("mail", SECRET),
        ):
            with pytest.raises(must.DependencyUnavailableError) as failure:
                call()
            assert "KeyStoreError" in failure.value.detail
            assert SECRET not in f"{failure.value!r} {failure.value.user_action}"
    assert [type(one.exc_value) for one in unraisable] == [KeyStoreError] * len(unraisable)
    assert unraisable
    # Without an audit key no event can be written, so no change is allowed.
    with open_with(tmp_path, must.Host(audit_keys=key_store_fails)) as platform:
        list_keys = platform.auth.keys
        with pytest.raises(must.DependencyUnavailableError):
            platform.auth.issue_key("another")
        assert [one.name for one in list_keys()] == ["site"]


def test_the_host_gets_checkpoints_and_its_failure_stops_changes(tmp_path: Path, unraisable: list[Any]) -> None:
    notes: list[str] = []
    keeps = True

    def keep(note: str) -> None:
        if not keeps:
            raise OSError("no room")
        notes.append(note)

    with open_with(tmp_path, must.Host(anchor=keep)) as platform:
        assert notes[-1].startswith("must/")
        platform.auth.issue_key("one")
        assert platform.audit.checkpoint() == notes[-1]
        keeps = False
        platform.auth.issue_key("two")
        with pytest.raises(must.DependencyUnavailableError, match="OSError"):
            platform.auth.issue_key("three")
        assert len(platform.auth.keys()) == 2
        keeps = True
        platform.auth.issue_key("three")
        assert platform.audit.checkpoint() == notes[-1]
        assert platform.audit.verify().ok
    assert unraisable


def test_limits_are_exact_with_a_manual_clock(tmp_path: Path) -> None:
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    clock = must.ManualClock(start)
    with open_with(tmp_path, must.Host(clock=clock)) as platform:
        asked = must.RequestFacts(route="auth", peer="192.0.2.7")
        for _ in range(10):
            platform.auth.open_session(asked)
        with pytest.raises(must.RateLimitedError):
            platform.auth.open_session(asked)
        clock.advance(59.999)
        with pytest.raises(must.RateLimitedError):
            platform.auth.open_session(asked)
        clock.advance(0.001)
        session = platform.auth.open_session(asked)
        assert clock.now == start + timedelta(seconds=60)
        assert session.expires_at == clock.now + timedelta(hours=24)
        with pytest.raises(must.ValidationError):
            clock.advance(-1)
    with pytest.raises(must.ValidationError):
        must.ManualClock(datetime(1969, 1, 1, tzinfo=UTC))
    with pytest.raises(must.ValidationError):
        must.ManualClock(datetime(2026, 1, 1))


def test_a_host_works_with_asyncio(tmp_path: Path) -> None:
    notes: list[str] = []

    async def run() -> None:
        host = must.Host(master_keys=lambda: KEYS[0], anchor=notes.append)
        async with must.AsyncPlatform(tmp_path / "data", device="cpu", paused=True, host=host) as platform:
            await platform.secrets.put("mail", SECRET)
            assert await platform.secrets.get("mail") == SECRET

    asyncio.run(run())
    assert notes


def test_invalid_hosts_are_refused(tmp_path: Path) -> None:
    wrong: Any = "keys"
    for make in (
        lambda: must.Host(master_keys=wrong),
        lambda: must.Host(anchor=wrong),
        lambda: must.Host(clock=wrong),
        lambda: must.Platform(tmp_path / "data", host=wrong),
    ):
        with pytest.raises(must.ValidationError):
            make()
    assert not (tmp_path / "data").exists()


def test_a_process_exits_with_an_open_platform_that_has_a_host(tmp_path: Path) -> None:
    text = f"""
        import sys, must
        notes = []
        platform = must.Platform({str(tmp_path / "data")!r}, device="cpu", host=must.Host(anchor=notes.append))
        platform.auth.issue_key("site")
        print(len(notes) > 0)
    """
    assert run_script(text).stdout.strip() == "True"

"""Sign-in and owners of tasks: who may start a session, who owns a task, and what a host sees."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import must


@pytest.fixture
def signing_in(tmp_path: Path) -> Iterator[must.Platform]:
    with must.Platform(
        tmp_path / "data", device="cpu", paused=True, sign_in_required=True, sessions_per_minute=3
    ) as platform:
        yield platform


def start(platform: must.Platform, *keys: str) -> must.IssuedSession:
    return platform.auth.open_session(must.RequestFacts(route="auth", header_keys=keys, peer="192.0.2.7"))


def test_a_session_needs_a_key_and_has_its_owner(signing_in: must.Platform) -> None:
    issued = signing_in.auth.issue_key("anna")
    assert issued.key.owner == f"key:{issued.key.id}"
    assert signing_in.auth.rotate_key(issued.key.id).key.owner == issued.key.owner
    with pytest.raises(must.SessionRequiredError, match="access key"):
        start(signing_in)
    cookie = f"gg_session={start(signing_in, issued.secret).token}"
    principal = signing_in.auth.authorize(must.RequestFacts(route="generation", cookies=(cookie,)))
    assert (principal.name, principal.owner) == ("anna", issued.key.owner)
    start(signing_in, issued.secret)
    with pytest.raises(must.RateLimitedError, match="more than 3"):
        start(signing_in, issued.secret)


def test_a_host_submits_for_others_and_sees_all(signing_in: must.Platform) -> None:
    anna = signing_in.submit("tiny-image", "a red circle", owner="anna")
    boris = signing_in.submit("tiny-image", "a red circle", owner="Борис")
    nobodys = signing_in.submit("tiny-image", "a red circle")
    assert [task.state.owner for task in (anna, boris, nobodys)] == ["anna", "Борис", None]
    assert signing_in.task(anna.id).state.owner == "anna"
    assert {task.id for task in signing_in.tasks()} == {anna.id, boris.id, nobodys.id}
    for owner, task in [("anna", anna), ("Борис", boris), ("", nobodys)]:
        assert [found.id for found in signing_in.tasks(owner=owner)] == [task.id]
    assert signing_in.tasks(owner=None).total == 3
    assert signing_in.gallery(owner="anna").total == 0
    for wrong in ["", "a\nb", "x" * 201]:
        with pytest.raises(must.ValidationError, match="owner"):
            signing_in.submit("tiny-image", "a red circle", owner=wrong)
    with pytest.raises(must.ValidationError, match=r"owner: .*expected a string"):
        signing_in.submit("tiny-image", "a red circle", owner=7)  # type: ignore[arg-type]
    assert signing_in.tasks().total == 3
    anna.cancel()
    signing_in.delete(anna.id)
    event = signing_in.audit.list(action="task_delete").logs[0]
    assert (event.actor, event.target, event.details["owner"]) == ("host", f"task:{anna.id}", "anna")


def test_the_same_in_asyncio(tmp_path: Path) -> None:
    async def run() -> None:
        async with must.AsyncPlatform(tmp_path / "data", device="cpu", paused=True) as platform:
            task = await platform.submit("tiny-image", "a red circle", owner="anna")
            await platform.submit("tiny-image", "a red circle")
            assert [found.id for found in await platform.tasks(owner="anna")] == [task.id]
            assert (await platform.task(task.id)).state.owner == "anna"

    asyncio.run(run())


def test_an_invalid_session_limit_is_refused(tmp_path: Path) -> None:
    for wrong in (0, 10_001):
        with pytest.raises(must.ValidationError, match="sessions_per_minute"):
            must.Platform(tmp_path / "data", device="cpu", sessions_per_minute=wrong)

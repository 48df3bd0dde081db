"""Access, secrets and the audit log: the table of cases that every language runs, every call, and secrecy."""

import asyncio
import dataclasses
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import must

TABLE = json.loads((Path(__file__).parents[2] / "tests/conformance/access.json").read_text())
ADMIN_KEY = TABLE["values"]["admin_key.right"]
CANARY = "must_canary_9f8e7d6c5b4a39281706"

GENERATION = must.RequestFacts(route="generation")


def facts_of(raw: dict[str, Any]) -> must.RequestFacts:
    return must.RequestFacts(**{name: tuple(it) if isinstance(it, list) else it for name, it in raw.items()})


def answer_of(platform: must.Platform, facts: must.RequestFacts) -> tuple[str | None, must.MustError | None]:
    try:
        return platform.auth.authorize(facts).kind, None
    except must.MustError as error:
        return None, error


def login(peer: str = "198.51.100.1") -> must.RequestFacts:
    return must.RequestFacts(route="admin_login", admin_header_keys=(ADMIN_KEY,), peer=peer)


def with_key(secret: str, route: must.Route = "generation", peer: str | None = None) -> must.RequestFacts:
    return must.RequestFacts(route=route, header_keys=(secret,), peer=peer)


def with_cookie(token: str) -> must.RequestFacts:
    return must.RequestFacts(route="generation", cookies=(f"gg_session={token}",))


@pytest.fixture
def clock() -> must.ManualClock:
    return must.ManualClock()


@pytest.fixture
def platform(tmp_path: Path, clock: must.ManualClock) -> Iterator[must.Platform]:
    with must.Platform(
        tmp_path / "data",
        device="cpu",
        paused=True,
        admin_key=ADMIN_KEY,
        frontend_origins=["https://studio.example"],
        environment="dev",
        host=must.Host(clock=clock),
    ) as platform:
        yield platform


def values_of(platform: must.Platform, clock: must.ManualClock) -> dict[str, str]:
    """The credentials of the table."""

    def session(peer: str) -> must.IssuedSession:
        return platform.auth.open_session(must.RequestFacts(route="auth", peer=peer))

    values: dict[str, str] = dict(TABLE["values"])
    values["key.expired"] = platform.auth.issue_key("expired", valid_for_seconds=60).secret
    values["session.expired"] = session("198.51.100.1").token
    values["admin_session.expired"] = platform.admin.open_session(login()).token
    clock.advance(24 * 3600)
    key, gone, admin = platform.auth.issue_key("revoked"), session("198.51.100.1"), platform.admin.open_session(login())
    platform.auth.revoke_key(key.key.id)
    platform.auth.revoke_session(gone.id)
    platform.admin.revoke_session(admin.id)
    values |= {"key.revoked": key.secret, "session.revoked": gone.token, "admin_session.revoked": admin.token}
    values |= {f"key.{name}": platform.auth.issue_key(name).secret for name in ("right", "other")}
    values |= {f"session.{name}": session("198.51.100.2").token for name in ("right", "other")}
    values["admin_session.right"] = platform.admin.open_session(login("198.51.100.3")).token
    return values


def test_every_case_of_the_table(platform: must.Platform, clock: must.ManualClock) -> None:
    values, ran = values_of(platform, clock), 0
    for case in TABLE["cases"]:
        text = json.dumps(case["facts"])
        for name, value in values.items():
            text = text.replace(f"{{{{{name}}}}}", value)
        assert "{{" not in text, case["name"]
        principal, refused = answer_of(platform, facts_of(json.loads(text)))
        assert (principal, refused.code if refused else None) == (case.get("principal"), case.get("error")), case[
            "name"
        ]
        if refused:
            assert refused.detail, case["name"]
            assert refused.user_action, case["name"]
            said = f"{refused} {refused!r} {refused.user_action}"
            assert not any(value in said for value in values.values()), case["name"]
        ran += 1
    assert ran == len(TABLE["cases"])
    assert ran >= 273


def test_a_key_from_issue_to_revocation(platform: must.Platform) -> None:
    auth, list_keys = platform.auth, platform.auth.keys
    issued = auth.issue_key("studio", caller=must.Caller("ops", "cli", "ticket-7"))
    principal = auth.authorize(with_key(issued.secret))
    assert (principal.kind, principal.id, principal.name) == ("api_key", issued.key.id, "studio")
    assert [key.id for key in list_keys()] == [issued.key.id]
    session = auth.open_session(with_key(issued.secret, "auth", "198.51.100.1"))
    assert auth.authorize(with_cookie(session.token)).kind == "session"
    assert auth.session_state(with_cookie(session.token)).active
    following = auth.rotate_key(issued.key.id, overlap_seconds=3600)
    assert {key.id: key.replaced_by for key in list_keys()}[issued.key.id] == following.key.id
    assert auth.authorize(with_key(issued.secret)).kind == "api_key"
    assert auth.authorize(with_key(following.secret)).id == following.key.id
    assert auth.revoke_key(issued.key.id) == 1
    with pytest.raises(must.SessionExpiredError):
        auth.authorize(with_cookie(session.token))
    with pytest.raises(must.InvalidApiKeyError):
        auth.authorize(with_key(issued.secret))
    event = platform.audit.list(actor="ops").logs[0]
    assert (event.source, event.correlation_id, event.outcome) == ("cli", "ticket-7", "success")


def test_sessions_end_one_by_one_and_all_at_once(platform: must.Platform) -> None:
    opened = [platform.auth.open_session(must.RequestFacts(route="auth", peer="198.51.100.1")) for _ in range(2)]
    platform.auth.revoke_session(opened[0].id)
    assert platform.auth.revoke_all_sessions() == 1
    admin = platform.admin.open_session(login())
    assert admin.expires_at is None
    state = platform.admin.session_state(admin.id)
    assert state.active
    assert state.last_activity_at.tzinfo is not None
    assert platform.admin.revoke_all_sessions() == 1
    assert platform.auth.allows_origin("https://studio.example")
    assert not platform.auth.allows_origin("https://evil.example")


def test_facts_are_read_from_headers_and_query() -> None:
    headers = [
        ("x-api-KEY", "one"),
        ("X-API-Key", "two"),
        ("cookie", "gg_session=s"),
        ("X-ADMIN-KEY", "a"),
        ("Origin", "https://studio.example"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("x-request-id", "r-1"),
    ]
    facts = must.RequestFacts.from_headers("admin", headers, "?api_key=&api_key=q%20k&X-Admin-Key=x", "192.0.2.9")
    assert facts == must.RequestFacts(
        route="admin",
        header_keys=("one", "two"),
        query_keys=("", "q k"),
        cookies=("gg_session=s",),
        admin_header_keys=("a",),
        query_admin_key_present=True,
        origin="https://studio.example",
        peer="192.0.2.9",
        forwarded_for=("192.0.2.1",),
        correlation_id="r-1",
    )
    assert must.RequestFacts.from_headers("generation", []) == GENERATION
    for name in ("admin_key", "admin-key", "admin_api_key", "x-admin-key"):
        assert must.RequestFacts.from_headers("admin", [], f"{name}=").query_admin_key_present


def test_a_secret_from_put_to_revocation(platform: must.Platform) -> None:
    secrets = platform.secrets
    secrets.put_provider_token("clips-token", CANARY, scopes=["inference"], environment="dev")
    secrets.put("plain-token", CANARY + "1")
    assert secrets.get("plain-token") == CANARY + "1"
    secrets.rotate("plain-token", CANARY + "2")
    assert secrets.get("plain-token") == CANARY + "2"
    status = [status for status in secrets.status() if status.name == "plain-token"]
    assert status
    assert all(one.rotate_by > one.issued_at for one in status)
    secrets.revoke("plain-token")
    with pytest.raises(must.MustError) as gone:
        secrets.get("plain-token")
    assert CANARY not in str(gone.value)


def test_revoking_the_pepper_needs_confirmation_and_allows_a_new_sign_in(platform: must.Platform) -> None:
    key = platform.auth.issue_key("ended")
    session = platform.auth.open_session(must.RequestFacts(route="auth", peer="198.51.100.1"))
    for confirm in (None, "salt"):
        with pytest.raises(must.ValidationError) as refused:
            platform.secrets.revoke("pepper", confirm=confirm)
    with pytest.raises(must.ValidationError, match="every API key") as refused:
        platform.secrets.revoke("pepper")
    assert "confirm" in refused.value.user_action
    assert platform.auth.authorize(with_key(key.secret)).kind == "api_key"
    platform.secrets.revoke("pepper", confirm="pepper")
    with pytest.raises(must.InvalidApiKeyError):
        platform.auth.authorize(with_key(key.secret))
    with pytest.raises(must.SessionRequiredError):
        platform.auth.authorize(with_cookie(session.token))
    list_keys = platform.auth.keys
    assert [one.status for one in list_keys()] == ["revoked"]
    assert platform.admin.open_session(login()).cookie == "gg_admin_session"
    assert platform.auth.authorize(with_key(platform.auth.issue_key("new").secret)).name == "new"


def test_keys_are_trimmed_and_blank_keys_ignored_and_invalid_keys_refused(tmp_path: Path) -> None:
    with must.Platform(tmp_path / "a", paused=True, api_key=" sixteen letters!\n", admin_key="\r\n") as platform:
        assert platform.auth.authorize(with_key("sixteen letters!")).kind == "api_key"
        with pytest.raises(must.AdminMisconfiguredError):
            platform.admin.open_session(login())
    bad = "ключ администратора"
    for name, settings in (("api_key", must.Settings(api_key=bad)), ("admin_key", must.Settings(admin_key=bad))):
        with pytest.raises(must.ValidationError, match=name):
            must.Platform(tmp_path / "b", **settings)
    assert not (tmp_path / "b").exists()


def test_two_platforms_on_one_host_do_not_sign_each_other_out(tmp_path: Path) -> None:
    facts = must.RequestFacts(route="auth", peer="198.51.100.1")
    with must.Platform(tmp_path / "a", paused=True) as one, must.Platform(tmp_path / "b", paused=True) as two:
        first = one.auth.open_session(facts)
        assert first.cookie == "gg_session"
        brought = dataclasses.replace(facts, cookies=(f"{first.cookie}={first.token}",))
        second = two.auth.open_session(brought)
        assert second.cookie.startswith("gg_session_")
        cookies = (f"{first.cookie}={first.token}; {second.cookie}={second.token}",)
        both = must.RequestFacts(route="generation", cookies=cookies)
        assert (one.auth.authorize(both).id, two.auth.authorize(both).id) == (first.id, second.id)


def test_the_audit_log_is_written_read_proved_and_exported(platform: must.Platform, tmp_path: Path) -> None:
    audit = platform.audit
    event = audit.append(
        actor="ops", source="cli", action="restart", target="lane", outcome="success", details={"why": "update"}
    )
    audit.append(actor="ops", source="cli", action="restart", target="lane", outcome="denied", correlation_id="c-1")
    page = audit.list(actor="ops", action="restart", limit=1)
    assert len(page) == 1
    assert page.logs[0].correlation_id == "c-1"
    assert [older.seq for older in audit.list(actor="ops", before=page.next)] == [event.seq]
    assert list(audit.list(actor="ops", outcome="success", since=event.time))[-1].details == {"why": "update"}
    assert len(audit.list(actor="ops", until=1)) == 0
    assert event.timestamp == event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert event.signed == event.seq
    assert list(audit.list(actor="ops", outcome="success", since=event.timestamp))[-1] == event
    with pytest.raises(must.ValidationError):
        audit.list(since="yesterday")
    verdict = audit.verify()
    assert verdict.ok
    assert verdict.fault is None
    assert verdict.checkpoints == verdict.size
    proof = audit.prove_inclusion(event.seq)
    assert proof.index == event.seq
    assert proof.checkpoint in proof.text
    assert audit.prove_consistency(1).old_size == 1
    checkpoint = audit.checkpoint()
    assert checkpoint is not None
    assert checkpoint.startswith(verdict.origin)
    exported = audit.export(tmp_path / "export")
    assert exported.files > 0
    assert (exported.folder / "checkpoint").is_file()
    assert exported.verifier == audit.verifier()
    assert audit.prune(365 * 86400).removed == 0
    assert audit.rotate_key().seq > event.seq
    assert audit.verify().ok


@pytest.mark.parametrize(
    ("name", "arguments", "found"),
    [
        ("auth.issue_key", {"name": "k", CANARY[:4]: CANARY}, "there is no argument must"),
        ("auth.authorize", {}, "facts is missing"),
        ("auth.authorize", {"facts": {"route": CANARY}}, "facts is not what it must be"),
        ("auth.authorize", {"facts": {"route": "auth", "header_keys": CANARY}}, "facts is not what it must be"),
        ("secrets.put", {"name": "n", "value": {"is": CANARY}}, "value is not what it must be"),
        ("secrets.put", {"name": "n", "value": CANARY.encode()}, "value cannot be bytes"),
        ("secrets.get", {"name": 5}, "name is not what it must be"),
        ("auth.issue_key", {"name": "k", "valid_for_seconds": -1}, "valid_for_seconds must be a number of seconds"),
        ("audit.append", {"actor": "a", "source": "s", "action": "a", "target": "t", "outcome": "odd"}, "outcome"),
    ],
)
def test_wrong_arguments_are_refused(platform: must.Platform, name: str, arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(must.ValidationError) as refused:
        platform._native.call(name, arguments)
    assert found in refused.value.detail
    assert refused.value.code == "validation_error"
    assert refused.value.user_action
    assert CANARY not in f"{refused.value} {refused.value!r} {refused.value.user_action}"


def test_an_unknown_call_and_a_closed_platform_are_refused(platform: must.Platform) -> None:
    with pytest.raises(must.NotFoundError):
        platform._native.call("no.such", {})
    platform.close()
    with pytest.raises(must.InvalidStateError):
        platform.auth.keys()


def test_a_secret_is_in_no_repr_and_no_error(platform: must.Platform) -> None:
    auth, secrets = platform.auth, platform.secrets
    everywhere = must.RequestFacts(
        route="generation",
        header_keys=(CANARY,),
        query_keys=(CANARY,),
        cookies=(f"gg_session={CANARY}",),
        admin_header_keys=(CANARY,),
    )
    wrong: list[Callable[[], object]] = [
        lambda: auth.authorize(everywhere),
        lambda: auth.open_session(with_key(CANARY, "auth", "198.51.100.1")),
        lambda: auth.session_state(with_cookie(CANARY)),
        lambda: platform.admin.open_session(
            must.RequestFacts(route="admin_login", admin_header_keys=(CANARY,), peer="198.51.100.1")
        ),
        lambda: secrets.put("", CANARY),
        lambda: secrets.put_provider_token("x-token", CANARY, scopes=["inference"], environment="prod"),
        lambda: secrets.rotate("no-such", CANARY),
    ]
    for attempt in wrong:
        with pytest.raises(must.MustError) as refused:
            attempt()
        assert CANARY not in f"{refused.value} {refused.value!r} {refused.value.__notes__} {refused.value.args}"
    assert CANARY not in repr(everywhere)
    issued = auth.issue_key("shown once")
    session = auth.open_session(must.RequestFacts(route="auth", peer="198.51.100.1"))
    assert issued.secret not in repr(issued)
    assert session.token not in repr(session)
    secrets.put("plain-token", CANARY)
    shown = repr([secrets.status(), auth.keys(), platform.audit.list(limit=100)])
    assert not any(secret in shown for secret in (CANARY, issued.secret, session.token, ADMIN_KEY))


def test_the_same_calls_are_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with must.AsyncPlatform(tmp_path / "data", device="cpu", paused=True, admin_key=ADMIN_KEY) as platform:
            assert inspect.iscoroutinefunction(platform._call)
            issued = await platform.auth.issue_key("studio")
            assert (await platform.auth.authorize(with_key(issued.secret))).id == issued.key.id
            with pytest.raises(must.InvalidApiKeyError):
                await platform.auth.authorize(with_key(CANARY))
            many = await asyncio.gather(*(platform.auth.authorize(with_key(issued.secret)) for _ in range(20)))
            assert {principal.kind for principal in many} == {"api_key"}
            await platform.secrets.put("plain-token", CANARY)
            assert await platform.secrets.get("plain-token") == CANARY
            admin = await platform.admin.open_session(login())
            assert (await platform.admin.session_state(admin.id)).active
            assert (await platform.audit.verify()).ok

    asyncio.run(main())


def test_a_call_before_opening_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(must.InvalidStateError):
            await must.AsyncPlatform(tmp_path / "data").auth.keys()

    asyncio.run(main())

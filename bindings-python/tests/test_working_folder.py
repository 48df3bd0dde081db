"""Relative paths of the settings stay valid when the process changes its working folder."""

from pathlib import Path
from textwrap import dedent

from support import run_script

CHECK = dedent("""
    import os, sqlite3, sys
    from pathlib import Path
    import must

    os.chdir(sys.argv[1])
    for name in ("here", "there", "there/data"):
        os.makedirs(name)
    # Another database at the place to which the relative path would lead later.
    with sqlite3.connect("there/data/must.db") as decoy:
        decoy.execute("CREATE TABLE stranger (value)")
    decoy.close()
    stranger = Path("there/data/must.db").read_bytes()
    os.chdir("here")
    settings = dict(
        models_dir="models", master_key_file="keys/one", audit_key_file="keys/two", audit_anchor_file="anchors",
        workers={"deploy_command": ["./deploy.sh", "{workspace}", "note"], "networks": ["127.0.0.0/8"],
                 "health_tries": 1, "health_pause_seconds": 0, "connect_timeout_seconds": 1},
    )
    Path("deploy.sh").write_text('#!/bin/sh\\necho "$1" > "$2"\\n')
    Path("deploy.sh").chmod(0o755)
""")

BODY = dedent("""
    import time

    def kept():
        found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        return [name for name in found if not name.startswith("there/data/must.db")]

    root = Path(sys.argv[1])
""")


def test_paths_of_the_settings_do_not_follow_the_working_folder(tmp_path: Path) -> None:
    run_script(
        CHECK
        + BODY
        + dedent("""
        with must.Platform("data", device="cpu", **settings) as platform:
            first = platform.submit("tiny-image", "a red circle", steps=4, seed=7)
            os.chdir("../there")
            second = platform.submit("tiny-image", "a red circle", steps=4, seed=7)
            first.wait()
            assert second.wait().status == "done"
            assert first.result() == second.result()
            # More concurrent readers than before, so that new connections are opened.
            import concurrent.futures
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                assert all(page.total == 2 for page in pool.map(lambda _: platform.tasks(), range(200)))
            platform.secrets.put("mail", "value")
            platform.secrets.rotate("master_key")
            platform.audit.rotate_key()
            assert platform.audit.verify().ok and platform.audit.verify().anchors > 0
            account = platform.accounts.add(
                "Team A", workspace="team-a", token_id="x", token_secret="y", address="http://127.0.0.1:9"
            )
            platform.accounts.deploy(account.id)
            deadline = time.monotonic() + 30
            while (account := platform.accounts.get(account.id)).status is must.AccountStatus.CHECKING:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            deployment = account.deployment
            assert deployment.ok, deployment
            assert str(root / "here" / "models") in repr(platform.models()), platform.models()
            third = platform.submit("tiny-image", "a red circle", steps=4)
            third.wait()
            platform.delete(third.id)
        assert kept() and all(name.startswith("here/") for name in kept()), kept()
        assert {"here/note", "here/anchors", "here/keys/one", "here/keys/two"} <= set(kept()), kept()
        assert Path("data/must.db").read_bytes() == stranger, "a database of somebody else"
        os.chdir("../here")
        with must.Platform("data", device="cpu", **settings) as platform:
            assert platform.tasks().total == 2
            assert len(platform.task(first.id).result()) > 0
            assert platform.secrets.get("mail") == "value" and platform.audit.verify().ok
        """),
        tmp_path,
    )


def test_relative_paths_of_asyncio_calls(tmp_path: Path) -> None:
    run_script(
        CHECK
        + BODY
        + dedent("""
        import asyncio

        async def main():
            async with must.AsyncPlatform("data", device="cpu") as platform:
                os.chdir("../there")
                task = await platform.submit("tiny-image", "a red circle", steps=4)
                await task.wait()
                assert len(await task.result()) > 0
                exported = await platform.audit.export("export")
                assert exported.folder == root / "there" / "export", exported
                made = await platform.backup("copy")
                assert made.folder == root / "there" / "copy" and made.tasks == 1, made

        asyncio.run(main())
        assert Path("data/must.db").read_bytes() == stranger
        """),
        tmp_path,
    )


def test_invalid_paths_are_refused(tmp_path: Path) -> None:
    run_script(
        """
        import os, sys
        import must
        os.chdir(sys.argv[1])
        try:
            must.Platform("")
        except must.ValidationError as error:
            assert "is empty" in error.detail and error.user_action, error
        else:
            sys.exit("an empty path was taken")
        assert os.listdir(".") == []
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
        try:
            must.Platform("data")
        except must.DependencyUnavailableError as error:
            assert "data_dir" in error.detail and "absolute" in error.user_action, error
        else:
            sys.exit("a relative path was accepted in a working folder that does not exist")
        with must.Platform(sys.argv[1] + "/data", device="cpu") as platform:
            assert platform.tasks().total == 0
        """,
        tmp_path,
    )

"""Generated files that are committed: a test fails when one differs, and `MUST_REGEN=1` rewrites them."""

import os
import subprocess
import sys
from pathlib import Path

import must
from must import _must

PACKAGE = Path(__file__).parents[1] / "python" / "must"

HEADER = '''\
"""Generated from the table of codes in `core/src/error.rs`; do not edit.

`MUST_REGEN=1 python -m pytest tests/test_generated.py` writes it anew.
"""

from enum import StrEnum
from typing import Final

from must._exceptions import MustError

'''


def class_name(code: str) -> str:
    words = "".join(word.capitalize() for word in code.split("_"))
    return words if words.endswith("Error") else f"{words}Error"


def errors_module() -> str:
    table = _must.error_table()
    parts = [HEADER]
    exported = sorted(["ErrorCode", *(class_name(code) for code, *_ in table)])
    parts.append("__all__ = [\n" + "".join(f'    "{name}",\n' for name in exported) + "]\n")
    parts.append('\n\nclass ErrorCode(StrEnum):\n    """The stable names of all kinds of failure."""\n\n')
    parts.extend(f'    {code.upper()} = "{code}"\n' for code, *_ in table)
    for code, number, status, retryable, action in table:
        parts.append(
            f"\n\nclass {class_name(code)}(MustError):\n"
            f'    """`{code}`. {action}"""\n\n'
            f"    code = ErrorCode.{code.upper()}\n"
            f"    number = {number}\n"
            f"    http_status = {status}\n"
            f"    retryable = {retryable}\n"
            f'    default_user_action = "{action}"\n'
        )
    parts.append("\n\n_CLASSES: Final[dict[str, type[MustError]]] = {\n")
    parts.extend(f'    "{code}": {class_name(code)},\n' for code, *_ in table)
    parts.append("}\n")
    parts.append(
        "\n\ndef error_from(code: str, detail: str, user_action: str | None = None) -> MustError:\n"
        '    """Make the exception of the class that goes with the code."""\n'
        "    return _CLASSES.get(code, InternalError)(detail, user_action)\n"
    )
    return "".join(parts)


def test_the_exceptions_match_the_table_of_codes() -> None:
    path = PACKAGE / "_errors.py"
    wanted = errors_module()
    if os.environ.get("MUST_REGEN") == "1":
        path.write_text(wanted)
    assert path.read_text() == wanted, "run with MUST_REGEN=1 and commit what changes"


def test_every_code_has_its_exception() -> None:
    for code, number, status, retryable, action in _must.error_table():
        error = must._errors.error_from(code, "what happened")
        assert type(error) is getattr(must, class_name(code))
        assert isinstance(error, must.MustError)
        assert (error.code, error.number, error.http_status, error.retryable) == (code, number, status, retryable)
        assert error.user_action == error.default_user_action == action
        assert str(error) == f"{code}: what happened"


def test_the_stub_matches_the_native_part() -> None:
    """mypy's stubtest compares names, arguments and defaults with the compiled module."""
    found = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "must._must"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr

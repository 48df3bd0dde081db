"""Each file of tests/golden/pictures is accepted, or refused with the words that the table gives for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import must

PICTURES = Path(__file__).resolve().parents[2] / "tests" / "golden" / "pictures"
TABLE = [line.split("\t") for line in (PICTURES / "table.tsv").read_text().splitlines()]


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[must.Platform]:
    folder = tmp_path_factory.mktemp("pictures")
    with must.Platform(folder / "data", device="cpu", paused=True, queue_depth=1000) as platform:
        yield platform


def start(platform: must.Platform, name: str) -> must.Task:
    picture = (PICTURES / name).read_bytes()
    return platform.submit("tiny-image", "a red circle", mode="img2img", steps=4, seed=7, reference_image=picture)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_picture_is_accepted_or_refused_with_its_fault(paused: must.Platform, row: list[str]) -> None:
    name, verdict, *more = row
    if verdict == "read":
        assert start(paused, name).status().status == "pending"
        return
    with pytest.raises(must.ValidationError) as refused:
        start(paused, name)
    assert more[0] in refused.value.detail
    assert refused.value.detail.startswith("reference_image: ")
    assert refused.value.user_action


@pytest.mark.parametrize(("name", "same"), [("16-bit-alpha.png", "on-white.png"), ("orientation-6.webp", "turned.png")])
def test_equal_pictures_give_equal_results(shared: must.Platform, name: str, same: str) -> None:
    made = []
    for picture in (name, same):
        task = start(shared, picture)
        task.wait()
        made.append(task.result())
    assert made[0] == made[1]

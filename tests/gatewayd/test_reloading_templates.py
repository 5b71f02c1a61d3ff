"""A running worker takes up other templates, all of them or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayd.carriers.template_preview import message_of
from protocol.rcs.content import Content, Text
from tests.gatewayd.test_reloading import House, house_of


@pytest.mark.parametrize("workers", [1, 2])
async def test_templates_are_read_again_and_stay_as_they_are_when_one_is_faulty(tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    message = message_of("shop", "SHOP", "?")

    def made(house: House) -> list[Content]:
        return [worker.enriching.templates.content_of(message) for worker in house.workers]

    async with house_of(tmp_path, "a", workers=workers) as house:
        assert made(house) == [Text("?")] * workers
        (folder / "a.toml").write_text('[content]\ntype = "text"\ntext = "{sender}: 1"\n')
        assert await house.reload({"rcs": {"templates_dir": str(folder)}}) == []
        assert made(house) == [Text("SHOP: 1")] * workers
        (folder / "a.toml").write_text('[content]\ntype = "text"\ntext = "2"\n')
        (folder / "b.toml").write_text("zzz = 1\nplain = true\n")
        faults = await house.reload()
        assert [fault.partition("; ")[0] for fault in faults] == [
            f"{folder / 'b.toml'}: zzz: there is no such key",
        ] * workers
        assert made(house) == [Text("SHOP: 1")] * workers
        (folder / "b.toml").unlink()
        assert await house.reload() == []
        assert made(house) == [Text("2")] * workers

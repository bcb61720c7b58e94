"""What commands tell somebody who has no rights to the server's data, at once."""

from __future__ import annotations

from pathlib import Path

from tests.support.nobody import ONLY_ROOT, as_nobody


def closed_house(folder: Path) -> Path:
    """A data folder that only root may open."""
    data = folder / "house" / "data"
    data.mkdir(parents=True)
    data.chmod(0o700)
    return data


@ONLY_ROOT
def test_the_portal_of_a_closed_data_folder_that_was_named_is_not_guessed(tmp_path: Path) -> None:
    data = closed_house(tmp_path)
    for words in (("portal", "--data", str(data)), ("portal",)):  # the second names it by LTS_DATA_DIR
        done = as_nobody(tmp_path, *words, stands_in=tmp_path)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith(f"lts: The data folder {data} is not open to ")


@ONLY_ROOT
def test_the_portal_of_the_configuration_is_told_to_everybody(tmp_path: Path) -> None:
    closed_house(tmp_path)
    config = tmp_path / "lts.json"
    config.write_text('{"dataDir": "house/data", "port": 1234}', encoding="utf-8")
    done = as_nobody(tmp_path, "portal", "--config", str(config), stands_in=tmp_path, data_named=False)
    assert done.returncode == 0
    assert done.stdout == "http://127.0.0.1:1234/lts/page/#/index.html\n"
    assert "so this is the address that the configuration names" in done.stderr

"""`corpus settings`: the documentation is made from the fields, and both say the same."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

import pytest

from corpus import config, settings
from corpus.errors import UsageError
from corpus.settings import Settings
from filters.placeholders import POLICIES


def test_the_page_of_settings_is_what_the_command_prints(run_corpus, repo: Path) -> None:
    page = (repo / "docs" / "settings.md").read_text("utf-8")
    assert run_corpus("settings", "--markdown").stdout == page


def test_what_it_prints_is_a_config_file_with_the_defaults(run_corpus, tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(run_corpus("settings").stdout, "utf-8")
    assert config.load(str(file)) == Settings()
    one = tomllib.loads(run_corpus("settings", "dedup").stdout)
    assert list(one) == ["dedup"] and one["dedup"]["threshold"] == 0.8
    listed = json.loads(run_corpus("settings", "rights", "--json").stdout)
    assert listed[0]["settings"][0]["key"] == "drop_noai" and listed[0]["settings"][0]["help"]
    assert "no section 'rihgts'" in run_corpus("settings", "rihgts", check=False).stderr


def test_policies_of_personal_data_are_those_of_the_filters() -> None:
    (personal,) = (f for f in dataclasses.fields(settings.CleanSettings) if f.name == "personal")
    assert personal.metadata["choices"] == POLICIES


def test_every_setting_says_what_it_means_and_its_default_is_allowed() -> None:
    for section in dataclasses.fields(Settings):
        part = getattr(Settings(), section.name)
        settings.check(part)
        for field in dataclasses.fields(part):
            assert field.metadata["help"] and "\n" not in field.metadata["help"], field.name


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("dedup", "ngram", 0, "dedup.ngram = 0: must be at least 1"),
        ("dedup", "threshold", 0.0, "dedup.threshold = 0.0: must be above 0"),
        ("dedup", "threshold", 1.5, "must be at most 1"),
        ("dedup", "keep_order", ["luck"], "dedup.keep_order = 'luck': choose one of source"),
        ("harvest", "ruby", "loud", "choose one of drop, inline, keep"),
        ("dedup", "substring", 5, "dedup.substring = 5: substring must be at least 20 letters"),
        ("harvest", "drop_noai", False, "harvest.drop_noai is now rights.drop_noai"),
        ("harvest", "drop_tdm_reservation", 1, "is now rights.drop_tdm_reservation"),
    ],
)
def test_values_out_of_bounds_and_keys_that_moved_are_one_line(
    section: str, key: str, value: object, words: str
) -> None:
    with pytest.raises(UsageError) as error:
        config.set_key(Settings(), section, key, value, "a.toml")
    assert words in str(error.value) and "\n" not in str(error.value)

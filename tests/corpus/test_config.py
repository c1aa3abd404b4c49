"""Settings: defaults, file, flags, and the round trip through corpus.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus import config
from corpus.errors import UsageError
from corpus.folder.layout import Layout


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[harvest]\nruby = "keep"\nmin_chars = 50\n[select]\nprofile = "none"\n')
    settings = config.load(str(file), ["harvest.min_chars=7", "dedup.keep_order=length,id"])
    assert settings.harvest.ruby == "keep" and settings.harvest.min_chars == 7
    assert settings.dedup.keep_order == ("length", "id") and settings.select.profile == "none"


def test_corpus_toml_reads_back_to_the_same_settings(tmp_path: Path) -> None:
    settings = config.load(None, ['publish.name=日本語 "corpus" \\ x', "harvest.gate=false"])
    inputs = ['odd "name".warc.gz', "s3://bucket/a b"]
    (tmp_path / "corpus.toml").write_text(config.to_toml(settings, inputs), "utf-8")
    assert config.of_folder(Layout(tmp_path)) == (settings, tuple(inputs))
    assert config.load(str(tmp_path / "corpus.toml")) == settings  # as the README says


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("harvest", "section.key=value"),
        ("harvests.ruby=drop", "did you mean harvest?"),
        ("harvest.gate=perhaps", "no bool"),
        ("harvest.min_chars=1.5", "no int"),
        ("dedup.threshold=nan", "no float"),
        ("publish.shard_mib=0", "at least 1"),
        ("normalize.steps=nfkc", "normalize.steps = 'nfkc'"),
        ("dedup.keep_order=luck", "keep_order"),
    ],
)
def test_mistakes_are_named(override: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        config.load(None, [override])

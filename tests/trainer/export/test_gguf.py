"""The GGUF file holds the exported weights to the bit, and llama.cpp reads it as we do.

Three independent readers: the `gguf` package, transformers, and (slow) llama.cpp itself with its
own converter, which the source package of llama-cpp-python carries.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trainer_helpers import TRICKY, small, texts
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainer.config.settings import Config, ConfigError
from trainer.export.generate import Sampling, reply
from trainer.export.generate import tokens as new_tokens
from trainer.export.gguf import vocabulary
from trainer.export.huggingface import export
from trainer.folder.load import load_model
from trainer.run.train import train
from trainer.tokens import tokenizer_train as tok
from trainer.tokens.prepare import prepare
from trainer.tuning.conversations import prompt as chat_ids

gguf = pytest.importorskip("gguf", reason="GGUF NOT TESTED: no package gguf")
KINDS = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
LLAMA_CPP_PYTHON = "llama-cpp-python==0.3.36"
# What our file says and the converter does not find in the folder, or says otherwise.
OURS = {
    "general.name",  # the run, not the folder
    "general.tags",  # of the card
    "tokenizer.ggml.add_eos_token",  # false: "t5" would add one
    "tokenizer.ggml.add_sep_token",
    "tokenizer.ggml.eot_token_id",  # <|end|>
    "tokenizer.ggml.remove_extra_whitespaces",  # false: "t5" would merge spaces
    "tokenizer.ggml.token_type",  # newline and runs of spaces are user-defined there,
    "tokenizer.ggml.tokens",  # and so written with plain spaces
    "GGUF.kv_count",
}


def trained(config: Config, **model: Any) -> Path:
    """A run of four steps, far enough from its start that no two tensors are equal."""
    shape = replace(config.model, **model)
    train(replace(config, model=shape, train=replace(config.train, steps=4, lr=1e-2)))
    return Path(config.out)


def exported(run: Path, folder: Path, dtype: str = "float32") -> Path:
    """The GGUF file of a run."""
    export(run, folder, dtype=dtype, with_gguf=True)
    return folder / f"run-{KINDS[dtype]}.gguf"


@pytest.fixture
def bpe(corpus: Path, config: Config, tmp_path: Path) -> Config:
    """The small run with a BPE tokenizer, which llama.cpp knows whole."""
    tok.save(tok.train(texts(), 1600, "bpe"), tmp_path / "bpe", {})
    prepare(corpus, tmp_path / "bpe", tmp_path / "tokens", held_out=0.15)
    return replace(config, data=replace(config.data, tokens=str(tmp_path / "tokens")))


def fields(path: Path) -> dict[str, Any]:
    return {k: f.contents() for k, f in gguf.GGUFReader(path).fields.items()}


def numbers(tensor: Any) -> np.ndarray:
    """The values of a GGUF tensor as float32; exact for its three types."""
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's order of q and k back to transformers': even rows of a head, then odd ones."""
    per_head = rows.reshape(heads, -1, rows.shape[1])
    return np.concatenate([per_head[:, 0::2], per_head[:, 1::2]], axis=1).reshape(rows.shape)


@pytest.mark.parametrize(
    ("dtype", "model"),
    [
        ("float32", {"num_attention_heads": 4, "num_key_value_heads": 2}),
        ("bfloat16", {"tie_word_embeddings": True, "head_dim": 8}),
        ("float16", {"vocab_size": 1664, "num_attention_heads": 4, "num_key_value_heads": 1}),
    ],
)
def test_every_tensor_equals_the_safetensors_to_the_bit(
    config: Config, tmp_path: Path, dtype: str, model: dict[str, Any]
) -> None:
    path = exported(trained(config, **model), tmp_path / "out", dtype)
    weights = load_file(path.parent / "model.safetensors")
    described = json.loads((path.parent / "config.json").read_text())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, described["num_hidden_layers"])
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    assert len(tensors) == len(weights)
    assert ("output.weight" in tensors) is not bool(model.get("tie_word_embeddings"))
    for name, weight in weights.items():
        stored = tensors[names.get_name(name, (".weight",))]
        assert stored.tensor_type.name == ("F32" if weight.dim() == 1 else KINDS[dtype])
        values = numbers(stored)
        if "q_proj" in name or "k_proj" in name:
            key = "num_attention_heads" if "q_proj" in name else "num_key_value_heads"
            values = halves(values, described[key])
        assert np.array_equal(values, weight.float().numpy()), name


def test_metadata_says_what_the_configuration_says(config: Config, tmp_path: Path) -> None:
    shape = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "norm_eps": 1e-6}
    path = exported(trained(config, **shape, rope_theta=5e5), tmp_path / "out", "bfloat16")
    found = fields(path)
    hf = json.loads((path.parent / "config.json").read_text())
    pairs = {
        "block_count": "num_hidden_layers",
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.key_length": "head_dim",
        "attention.value_length": "head_dim",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "rope.dimension_count": "head_dim",
        "rope.freq_base": "rope_theta",
        "vocab_size": "vocab_size",
    }
    for ours, theirs in pairs.items():
        assert found[f"llama.{ours}"] == np.float32(hf[theirs]), ours
    assert found["general.architecture"] == "llama" and found["general.name"] == "run"
    assert found["general.file_type"] == gguf.LlamaFileType.MOSTLY_BF16
    chat = json.loads((path.parent / "tokenizer_config.json").read_text())["chat_template"]
    assert found["tokenizer.chat_template"] == chat
    ids = {k: found[f"tokenizer.ggml.{k}_token_id"] for k in ("bos", "eos", "eot", "padding")}
    assert ids == {"bos": 1, "eos": 2, "eot": 7, "padding": 3}
    assert found["tokenizer.ggml.add_bos_token"] is True
    for key in ("add_space_prefix", "add_eos_token", "remove_extra_whitespaces"):
        assert found[f"tokenizer.ggml.{key}"] is False
    assert found["tokenizer.ggml.model"] == "t5"  # unigram: a best path, not greedy merges


def test_the_vocabulary_is_that_of_sentencepiece(any_tokenizer: tok.Tokenizer) -> None:
    import sentencepiece

    spm = sentencepiece.SentencePieceProcessor(model_proto=any_tokenizer.model)
    tokens, scores, kinds = vocabulary(any_tokenizer, any_tokenizer.vocab_size + 3)
    types = gguf.TokenType
    for i in range(any_tokenizer.vocab_size):
        piece = spm.id_to_piece(i)
        own = piece in tok.SYMBOLS
        assert tokens[i].decode() == (piece.replace(tok.SPACE, " ") if own else piece)
        assert scores[i] == spm.get_score(i)
        assert (kinds[i] == types.BYTE) == spm.is_byte(i)
        assert (kinds[i] == types.CONTROL) == spm.is_control(i)
        assert (kinds[i] == types.UNKNOWN) == spm.is_unknown(i)
        assert (kinds[i] == types.USER_DEFINED) == own
    assert len(set(tokens)) == len(tokens) and kinds[-3:] == [types.UNUSED] * 3


def test_transformers_reads_the_file_alone(bpe: Config, tmp_path: Path) -> None:
    run = trained(bpe, num_attention_heads=4, num_key_value_heads=2)
    path = exported(run, tmp_path / "out")
    assert fields(path)["tokenizer.ggml.model"] == "llama"  # merges, as SentencePiece's BPE
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.move(path, alone)
    model, _, tokenizer, _ = load_model(run)
    theirs = AutoModelForCausalLM.from_pretrained(alone, gguf_file=path.name).eval()
    ids = torch.tensor([[1, *tokenizer.encode(texts()[0])][:60]])
    with torch.inference_mode():
        assert (model(ids) - theirs(ids).logits).abs().max() < 1e-4
    fast = AutoTokenizer.from_pretrained(alone, gguf_file=path.name)
    assert fast.convert_ids_to_tokens(7) == "<|end|>" and len(fast) == 1600


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(config, family="gpt3")
    with pytest.raises(ConfigError, match="knows the llama family, and this run is gpt3"):
        export(run, tmp_path / "out", with_gguf=True)
    monkeypatch.setitem(sys.modules, "gguf", None)
    llama = trained(replace(config, out=str(tmp_path / "llama")))
    with pytest.raises(ConfigError, match="pip install gguf"):
        export(llama, tmp_path / "out", with_gguf=True)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="session")
def llama_cpp_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """llama.cpp's source: the folder INAHO_LLAMA_CPP, or out of llama-cpp-python's, with pip."""
    if given := os.environ.get("INAHO_LLAMA_CPP"):
        return Path(given)
    folder = tmp_path_factory.mktemp("llama.cpp")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary"]
    result = subprocess.run(
        [*command, "llama-cpp-python", "-d", str(folder), LLAMA_CPP_PYTHON],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        pytest.skip(f"CONVERTER NOT TESTED: pip has no source of {LLAMA_CPP_PYTHON}")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("*/vendor/llama.cpp"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "tied"), [("float32", False), ("bfloat16", True), ("float16", False)]
)
def test_the_converter_of_llama_cpp_writes_the_same(
    bpe: Config, tmp_path: Path, llama_cpp_source: Path, dtype: str, tied: bool
) -> None:
    shape = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1664}
    run = trained(bpe, **shape, tie_word_embeddings=tied)
    path = exported(run, tmp_path / "out", dtype)
    reference = tmp_path / "reference.gguf"
    command = [sys.executable, llama_cpp_source / "convert_hf_to_gguf.py", path.parent]
    command += ["--outtype", KINDS[dtype].lower(), "--outfile", reference]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    ours, theirs = gguf.GGUFReader(path), gguf.GGUFReader(reference)
    a, b = ({t.name: t for t in r.tensors} for r in (ours, theirs))
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tensor_type == b[name].tensor_type
        assert a[name].data.tobytes() == b[name].data.tobytes(), name
    a, b = fields(path), fields(reference)
    different = {k for k in a.keys() | b.keys() if a.get(k) != b.get(k)}
    assert different <= OURS
    assert [t.replace(tok.SPACE, " ") for t in a["tokenizer.ggml.tokens"]] == [
        t.replace(tok.SPACE, " ") for t in b["tokenizer.ggml.tokens"]
    ]


@pytest.mark.slow
def test_llama_cpp_computes_the_same_and_answers_a_chat(bpe: Config, tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="LLAMA.CPP NOT TESTED: not installed")
    run = trained(bpe, num_attention_heads=4, num_key_value_heads=2)
    path = exported(run, tmp_path / "out")
    model, _, tokenizer, _ = load_model(run)
    options = {"n_ctx": 128, "logits_all": True, "verbose": False, "n_threads": 1}
    theirs = llama_cpp.Llama(str(path), type_k=0, type_v=0, **options)  # 0: a float32 cache
    ids = [1, *tokenizer.encode(texts()[0])][:100]
    theirs.eval(ids)
    with torch.inference_mode():
        ours = model(torch.tensor([ids]))[0].numpy()
    assert np.abs(np.array(theirs.scores[: len(ids)]) - ours).max() < 1e-4
    greedy = Sampling(20, temperature=0)
    for text in texts()[:5]:
        prompt = [1, *tokenizer.encode(text)][:20]
        theirs.reset()
        stream = theirs.generate(prompt, temp=0, top_k=1, repeat_penalty=1.0)
        expected = list(new_tokens(model, prompt, greedy, frozenset()))
        assert [next(stream) for _ in expected] == expected
    messages = [{"role": "user", "content": "稲の花は  いつ\nですか？"}]
    answer = theirs.create_chat_completion(
        messages, temperature=0, top_k=1, repeat_penalty=1.0, max_tokens=20
    )
    assert answer["usage"]["prompt_tokens"] == len(chat_ids(messages, tokenizer))
    said = "".join(reply(model, tokenizer, messages, greedy))
    assert answer["choices"][0]["message"]["content"] == said


@pytest.mark.slow
def test_llama_cpp_cuts_text_as_we_do(any_tokenizer: tok.Tokenizer, tmp_path: Path) -> None:
    """Every text with BPE; with unigram but for characters without a piece, which are <unk>.

    A literal U+2581 is a space to llama.cpp, as it is to SentencePiece.
    """
    llama_cpp = pytest.importorskip("llama_cpp", reason="LLAMA.CPP NOT TESTED: not installed")
    from trainer.export.gguf import _describe, _write_tokenizer, loses_rare_characters

    size = any_tokenizer.vocab_size
    writer = gguf.GGUFWriter(tmp_path / "vocabulary.gguf", "llama")
    _describe(writer, small(vocab_size=size), "run", "F32", "1K")
    _write_tokenizer(writer, any_tokenizer, size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    theirs = llama_cpp.Llama(str(tmp_path / "vocabulary.gguf"), vocab_only=True, verbose=False)
    lossy = loses_rare_characters(any_tokenizer)
    for text in [t for t in [*TRICKY, *texts()] if tok.SPACE not in t]:
        ids = any_tokenizer.encode(text)
        found = theirs.tokenize(text.encode(), add_bos=False, special=False)
        assert found == (unknown(ids, any_tokenizer) if lossy else ids)
        assert 0 in found or theirs.detokenize(found).decode() == text


def unknown(ids: list[int], tokenizer: tok.Tokenizer) -> list[int]:
    """A run of byte pieces as one <unk>."""
    result: list[int] = []
    for token in ids:
        new = 0 if tokenizer.piece(token).startswith("<0x") else token
        if new or result[-1:] != [0]:
            result.append(new)
    return result

"""An exported folder behind `transformers serve` answers the real OpenAI client, on loopback.

The folder is a run of `trainer sft`, so the chat template and both ends of an answer matter. The
hub is switched off: nothing but the folder is read.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from trainer_helpers import CHATS, write_chats

from trainer.config.settings import Config
from trainer.export.generate import Sampling, reply
from trainer.export.generate import tokens as new_tokens
from trainer.export.huggingface import export
from trainer.folder.load import load_model
from trainer.run.train import train
from trainer.tuning.conversations import prompt as chat_ids
from trainer.tuning.sft import sft

pytest.importorskip("transformers", minversion="5")  # before, the command had other options
for package in ("openai", "fastapi", "uvicorn", "accelerate"):
    pytest.importorskip(package, reason=f"`transformers serve` NOT TESTED: no {package}")


@contextmanager
def served(folder: Path, cache: Path) -> Iterator[str]:
    """`transformers serve FOLDER` until the block ends; gives the base URL of its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (cache / "hub").mkdir(parents=True)
    log = cache / "serve.log"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", folder.name]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    env |= {"HF_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=folder.parent, stdout=out, stderr=out, env=env) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except OSError:
                    late = time.monotonic() > deadline
                    assert process.poll() is None and not late, log.read_text()[-3000:]
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def test_the_openai_client_gets_the_greedy_answers_of_trainer_generate(
    config: Config, tmp_path: Path
) -> None:
    from openai import OpenAI

    train(replace(config, train=replace(config.train, steps=4)))
    overrides = ["--train.lr=1e-2", "--train.steps=40", "--eval.every=0", "--log.every=20"]
    data = write_chats(tmp_path / "chat.jsonl", CHATS)
    sft(config.out, data, tmp_path / "tuned", held_out=0.1, overrides=overrides)
    export(tmp_path / "tuned", tmp_path / "model", checked=True)
    model, _, tokenizer, _ = load_model(tmp_path / "tuned")
    conversations = [CHATS[6][:1], CHATS[-1][:4], [{"role": "user", "content": "a  b\n\n\t𩸽"}]]
    greedy = Sampling(16, temperature=0)
    with served(tmp_path / "model", tmp_path / "cache") as url:
        client = OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60)
        chat = client.chat.completions
        for messages in conversations:
            ours = "".join(reply(model, tokenizer, messages, greedy))
            asked = {"model": "model", "messages": messages, "temperature": 0, "max_tokens": 16}
            whole = chat.create(**asked)
            assert whole.choices[0].message.content == ours
            assert whole.usage.prompt_tokens == len(chat_ids(messages, tokenizer))
            parts = [c.choices[0].delta.content or "" for c in chat.create(**asked, stream=True)]
            assert "".join(parts) == ours
        first = chat.create(model="model", messages=CHATS[6][:1], temperature=0, max_tokens=16)
        assert first.choices[0].finish_reason == "stop"  # <|end|> ends it, and is not shown
        assert first.choices[0].message.content.endswith("。")
        prompt = CHATS[6][0]["content"][:2]
        raw = client.completions.create(model="model", prompt=prompt, temperature=0, max_tokens=16)
        stops = frozenset({tokenizer.eos, tokenizer.id("<|end|>")})
        ids = [tokenizer.bos, *tokenizer.encode(prompt)]
        ours = tokenizer.decode(new_tokens(model, ids, greedy, stops))
        assert raw.choices[0].text == ours != ""

"""Readers who come while all places are taken stand in a line, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from corpus.explorer import guard


async def asked(app: guard.Guard, path: str) -> int:
    """The status of a GET."""
    told: list[dict] = []

    async def send(message) -> None:
        told.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
             "query_string": b"", "headers": [(b"host", b"localhost")]}  # fmt: skip
    await app(scope, None, send)
    return told[0]["status"]


class Slow:
    """An application that answers when it may, and remembers whom."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.came: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        self.came.append(scope["path"])
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


def test_the_line_is_served_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "AT_ONCE", 2)

    async def run() -> tuple[list[str], list[str], list[int]]:
        slow = Slow()
        app = guard.Guard(slow)
        tasks = [asyncio.create_task(asked(app, f"/{n}")) for n in range(6)]
        while len(slow.came) < 2:
            await asyncio.sleep(0)
        first = list(slow.came)
        slow.may.set()
        return first, slow.came, list(await asyncio.gather(*tasks))

    first, came, statuses = asyncio.run(run())
    assert first == ["/0", "/1"] and came == [f"/{n}" for n in range(6)]
    assert statuses == [200] * 6


def test_who_waits_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "AT_ONCE", 1)
    monkeypatch.setattr(guard, "PATIENCE", 0.01)

    async def run() -> tuple[int, int, int]:
        slow = Slow()
        app = guard.Guard(slow)
        held = asyncio.create_task(asked(app, "/held"))
        await asyncio.sleep(0)
        refused = await asked(app, "/late")
        slow.may.set()
        return await held, refused, await asked(app, "/again")

    assert asyncio.run(run()) == (200, 503, 200)

"""The pages of the explorer: each is a function from parameters to facts.

    home         what there is                 thresholds   another bound of a rule
    search       pages by filter               takedown     what a removal would do
    document     one page's way                sql          a SELECT
    raw, frame   its record, line by line      export       a selection as a file
    clusters, cluster, difference              duplicates

Everything is read; nothing is written. `corpus.explorer.app` shows the facts as HTML or JSON.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from corpus import config, takedown
from corpus.answers.explain import explain
from corpus.answers.explore import EXAMPLES, VIEWS
from corpus.errors import RunError, UsageError
from corpus.explorer import sandbox, shown, source
from corpus.explorer.filter import SHOWN, Filter
from corpus.explorer.guard import FRAME_POLICY
from corpus.explorer.search import FORMATS, Search
from corpus.explorer.store import PLACE, Store
from corpus.explorer.thresholds import Thresholds, choices
from corpus.folder import times
from corpus.folder.folder import open_folder
from corpus.folder.layout import Layout
from corpus.folder.schema import REMOVED_FORMAT
from corpus.stages.books import funnel
from filters.profile import load

Facts = dict[str, Any]


class NotFound(Exception):
    """Nothing of this build has that name."""


class Explorer:
    """The pages over one build folder."""

    def __init__(self, layout: Layout, in_advance: bool = False) -> None:
        """in_advance: find what first readers would wait for, beside the work of starting."""
        self.layout, self.bounds = layout, Thresholds(layout)
        self.settings = config.of_folder(layout)[0]
        self.profile = self.settings.select.by_source()[0]
        if in_advance:
            _beside(functools.partial(self.bounds.warm, self.profile))
        self.store = Store(layout)
        self.searches = Search(self.store)
        # As the tables: of the time when it starts.
        self.books = funnel(layout)
        self.took = {name: asdict(each) for name, each in times.read(layout).items()}
        if in_advance:
            _beside(self._warm)

    def _warm(self) -> None:
        self.store.index()
        for outcome in ("", *self.store.counts):  # the lists that the first page leads to
            self.searches.search(Filter(outcome=outcome))
        self.store.read_footers()
        self.store.clusters  # noqa: B018

    # pages: parameters → facts --------------------------------------------------------------------

    def home(self, request: Request) -> Facts:
        return {"funnel": self.books, "counts": self.store.counts, "times": self.took}

    def search(self, request: Request) -> Facts:
        wanted = Filter.of(dict(request.query_params))
        found = self.searches.search(wanted)
        page = wanted.offset // SHOWN
        return found | {
            "asked": wanted.asked(),
            "page": page,
            "more": found["total"] > wanted.offset + SHOWN,
        }

    def document(self, request: Request) -> Facts:
        page = self._page(request.path_params["name"])
        row = self.store.document(page)
        told = explain(self.layout, page["id"], self.store.lookup)
        told = [answer for answer in told if answer["id"] == page["id"]]
        facts: Facts = {
            "page": _public(page),
            "sentences": told[0]["sentences"] if told else [],
            "stages": self._way(page),
            "altered": self.store.altered(page["id"]),
            "text": "", "blocks": [], "signals": {}, "about": {}, "rules": [],
        }  # fmt: skip
        if row is None:
            return facts
        about = {k: v for k, v in row.items() if k not in ("text", "blocks", "quality")}
        return facts | {
            "text": row["text"][: shown.LISTED],
            "blocks": shown.blocks_of(row),
            "signals": row["quality"] or {},
            "about": about,
            "rules": self._rules(row),
            "removed": row["format"] == REMOVED_FORMAT,
        }

    def raw(self, request: Request) -> Facts:
        page, row, item = self._record(request)
        lines = source.lines(item, row, self.layout) if item is not None and row else []
        return {
            "page": _public(page),
            "there": item is not None,
            "html": item is not None and item.html is not None,
            "lines": lines[:5_000],
            "counts": {f: sum(fate == f for fate, _ in lines) for f in source.FATES},
            "altered": self.store.altered(page["id"]),
        }

    def frame(self, request: Request) -> Response:
        """The raw page itself, harmless, for the sandboxed frame."""
        _, _, item = self._record(request)
        if item is None or item.html is None:
            raise NotFound
        return HTMLResponse(
            source.harmless(source.decoded(item)), headers={"content-security-policy": FRAME_POLICY}
        )

    def clusters(self, request: Request) -> Facts:
        return {"clusters": self.store.clusters}

    def cluster(self, request: Request) -> Facts:
        members = self.store.cluster(request.path_params["name"])
        if not members:
            raise NotFound
        return {"name": request.path_params["name"], "members": members}

    def difference(self, request: Request) -> Facts:
        rows = [self._page(request.query_params.get(key, "")) for key in ("one", "other")]
        texts = [(self.store.document(row) or {"text": ""})["text"] for row in rows]
        return {
            "pages": [_public(row) for row in rows],
            "lines": shown.difference(*texts),
        }

    def thresholds(self, request: Request) -> Facts:
        asked = request.query_params
        given = asked.get("value", "")
        try:
            value = float(given) if given else None
        except ValueError:
            raise UsageError(f"{given} is no number") from None
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{given} is no number")
        profile = asked.get("profile", self.profile)
        facts = self.bounds.moved(
            self.store, profile, asked.get("rule", ""), asked.get("side", ""), value
        )
        return facts | {"profiles": choices()}

    def takedown(self, request: Request) -> Facts:
        asked = {key: request.query_params.get(key, "").strip() for key in ("url", "host", "id")}
        facts: Facts = {"asked": asked, "removed": [], "promoted": [], "copies": []}
        if not any(asked.values()):
            return facts
        given = {key: [value] if value else [] for key, value in asked.items()}
        wanted = [request.removal for request in takedown.requests(given, None, "")]
        found = takedown.from_build(open_folder(str(self.layout.root)), wanted, None, True)
        return facts | {key: found[key] for key in ("removed", "promoted", "copies")}

    def sql(self, request: Request) -> Facts:
        text = request.query_params.get("q", "").strip()
        facts: Facts = {"q": text, "columns": [], "rows": [], "more": False, "views": VIEWS,
                        "examples": EXAMPLES, "failed": ""}  # fmt: skip
        if not text:
            return facts
        try:
            columns, rows, more = sandbox.query(self.layout, text)
        except UsageError as error:
            return facts | {"failed": str(error)}
        return facts | {"columns": columns, "rows": rows, "more": more}

    def export(self, request: Request) -> Response:
        asked = request.query_params
        kind = asked.get("as", "csv")
        if kind not in FORMATS:
            raise UsageError(f"--as {kind}: choose {', '.join(FORMATS)}")
        data = self.searches.export(Filter.of(dict(asked)), kind, asked.get("text") == "1")
        headers = {"content-disposition": f'attachment; filename="selection.{kind}"'}
        return Response(data, media_type=FORMATS[kind], headers=headers)

    # what they share ------------------------------------------------------------------------------

    def _page(self, name: str) -> Facts:
        page = self.store.page(name)
        if page is None:
            raise NotFound
        return page

    def _record(self, request: Request) -> tuple[Facts, Facts | None, Any]:
        page = self._page(request.path_params["name"])
        row = self.store.document(page)
        if row is None or row["format"] == REMOVED_FORMAT:  # its record is not served either
            return page, None, None
        return page, row, source.record(self.layout, row)

    def _way(self, page: Facts) -> list[tuple[str, str]]:
        """(stage, passed, stopped or not reached) of the stages that ran."""
        ran = list(self.books)
        if page["outcome"] == "kept" or page["stage"] not in ran:
            return [(name, "passed") for name in ran]
        at = ran.index(page["stage"])
        fates = ["passed"] * at + ["stopped"] + ["unreached"] * (len(ran) - at - 1)
        return list(zip(ran, fates, strict=True))

    def _rules(self, row: Facts) -> list[Facts]:
        """The rules of the document's profile with what was measured."""
        profile = _profile(self.settings.select.profile_of(row["source"]))
        stored = (row["quality"] or {}) | {k: row[k] for k in ("language_score", "listing")}
        return [
            {"name": rule.name, "bounds": rule.bounds(), "value": stored.get(rule.signal)}
            for rule in profile.rules
        ]


def _beside(work: Callable[[], None]) -> None:
    """Do it in a thread; what goes wrong there, goes wrong again where a reader is told."""

    def quietly() -> None:
        with contextlib.suppress(UsageError, RunError, OSError):
            work()

    threading.Thread(target=quietly, daemon=True).start()


_profile = functools.lru_cache(64)(load)  # read from its file, it costs more than the page


def _public(page: Facts) -> Facts:
    """A row of pages without where it lies on this machine."""
    return {key: value for key, value in page.items() if key not in PLACE}

"""The pages of the explorer: each is a function from parameters to facts, shown as HTML or JSON.

    GET /                 what there is               GET /thresholds       another bound of a rule
    GET /search           pages by filter             GET /takedown         what a removal would do
    GET /document/ID      one page's way              GET /sql              a SELECT
    GET /document/ID/raw  its record, line by line    GET /export           a selection as a file
    GET /clusters, /cluster/ID, /difference           every one with .json behind its path

Everything is read; nothing is written. HTML is made by templates that escape, with one small script
that sends a form when its slider moves.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from corpus import config, takedown
from corpus.answers.explain import explain
from corpus.answers.explore import EXAMPLES, VIEWS
from corpus.errors import RunError, UsageError
from corpus.explorer import sandbox, shown, source, thresholds
from corpus.explorer.guard import FRAME_POLICY, Guard
from corpus.explorer.store import EXPORTED, FORMATS, PLACE, SHOWN, Filter, Store
from corpus.folder.folder import open_folder
from corpus.folder.layout import Layout
from corpus.folder.schema import REMOVED_FORMAT
from corpus.stages.books import funnel
from corpus.stages.table import STAGES
from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE, LANGUAGES
from corpus.words.messages import said
from filters.profile import load
from filters.profile import names as profiles
from filters.signals import SIGNALS

COOKIE = "inaho_lang"
Facts = dict[str, Any]


class NotFound(Exception):
    """Nothing of this build has that name."""


class Explorer:
    """The pages over one build folder."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.store = layout, Store(layout)
        self.settings = config.of_folder(layout)[0]

    # pages: parameters → facts --------------------------------------------------------------------

    def home(self, request: Request) -> Facts:
        return {"funnel": funnel(self.layout), "counts": self.store.counts()}

    def search(self, request: Request) -> Facts:
        wanted = Filter.of(dict(request.query_params))
        found = self.store.search(wanted)
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
        return {"clusters": self.store.clusters()}

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
        default = self.settings.select.by_source()[0]
        try:
            value = float(given) if given else None
        except ValueError:
            raise UsageError(f"{given} is no number") from None
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{given} is no number")
        profile = asked.get("profile", default)
        facts = thresholds.moved(
            self.layout, profile, asked.get("rule", ""), asked.get("side", ""), value
        )
        return facts | {"profiles": [p for p in profiles() if load(p).rules]}

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
        data = self.store.export(Filter.of(dict(asked)), kind, asked.get("text") == "1")
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
        ran = [stage.name for stage in STAGES if self.layout.receipts(stage.name)]
        if page["outcome"] == "kept" or page["stage"] not in ran:
            return [(name, "passed") for name in ran]
        at = ran.index(page["stage"])
        fates = ["passed"] * at + ["stopped"] + ["unreached"] * (len(ran) - at - 1)
        return list(zip(ran, fates, strict=True))

    def _rules(self, row: Facts) -> list[Facts]:
        """The rules of the document's profile with what was measured."""
        profile = load(self.settings.select.profile_of(row["source"]))
        stored = (row["quality"] or {}) | {k: row[k] for k in ("language_score", "listing")}
        return [
            {"name": rule.name, "bounds": rule.bounds(), "value": stored.get(rule.signal)}
            for rule in profile.rules
        ]


def _public(page: Facts) -> Facts:
    """A row of pages without where it lies on this machine."""
    return {key: value for key, value in page.items() if key not in PLACE}


# HTML and JSON ------------------------------------------------------------------------------------


def application(layout: Layout, token: str = "") -> Guard:
    """The ASGI application over a build folder."""
    explorer, pages = Explorer(layout), _templates()
    routes = []
    for path, name in (
        ("/", "home"), ("/search", "search"), ("/document/{name}", "document"),
        ("/document/{name}/raw", "raw"), ("/clusters", "clusters"), ("/cluster/{name}", "cluster"),
        ("/difference", "difference"), ("/thresholds", "thresholds"), ("/takedown", "takedown"),
        ("/sql", "sql"),
    ):  # fmt: skip
        view = getattr(explorer, name)
        data = "/home.json" if path == "/" else f"{path}.json"
        routes.append(Route(data, _as_json(view)))
        routes.append(Route(path, _as_html(view, pages, name, data)))
    routes.append(Route("/document/{name}/frame", _as_file(explorer.frame)))
    routes.append(Route("/export", _as_file(explorer.export)))
    routes.append(Route("/language/{name}", _language))
    return Guard(Starlette(routes=routes), token)


def _as_json(view: Callable[[Request], Facts]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return _Json(view(request))
        except NotFound:
            return _Json({"error": "nothing of this build has that name"}, 404)
        except (UsageError, RunError) as error:
            return _Json({"error": sandbox.PATHS.sub("…", str(error))}, 400)

    return answer


def _as_file(view: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return view(request)
        except NotFound:
            return _Json({"error": "nothing of this build has that name"}, 404)
        except UsageError as error:
            return _Json({"error": str(error)}, 400)

    return answer


def _as_html(
    view: Callable[[Request], Facts], pages: jinja2.Environment, name: str, data: str
) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        language = _spoken(request)
        status, template, facts = 200, name, dict[str, Any]()
        try:
            facts = view(request)
        except NotFound:
            status, template = 404, "failed"
            facts = {"why": "この名前のものはありません。" if language == JAPANESE
                     else "Nothing of this build has that name."}  # fmt: skip
        except (UsageError, RunError) as error:
            status, template = 400, "failed"
            facts = {"why": said(sandbox.PATHS.sub("…", str(error)), language)}
        query = str(request.url.query)
        json_path = data.format(**request.path_params) + (f"?{query}" if query else "")
        words = _Words(language)
        html = pages.get_template(f"{template}.html").render(
            **facts, t=words.t, called=words.called, meaning=words.meaning, stage=words.stage,
            outcome=words.outcome, told=words.told, language=language, json_path=json_path,
            here=request.url.path + (f"?{query}" if query else ""), view=name,
            nonce=request.state.nonce, params=dict(request.query_params),
        )  # fmt: skip
        return HTMLResponse(html, status)

    return answer


class _Json(JSONResponse):
    """JSON of facts: no NaN, dates as text."""

    def render(self, content: Any) -> bytes:
        return super().render(_plain(content))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | datetime.date | datetime.time | datetime.timedelta):
        return str(value)
    return value if isinstance(value, str | int | bool) or value is None else str(value)


class _Words:
    """What templates say, in a language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def t(self, english: str, japanese: str) -> str:
        return japanese if self.language == JAPANESE else english

    def called(self, rule: str) -> str:
        return names.called(rule, self.language)

    def meaning(self, rule: str) -> str:
        return names.meaning(rule, self.language)

    def stage(self, name: str) -> str:
        return names.stage(name, self.language)

    def outcome(self, name: str) -> str:
        return names.of("outcomes", name, self.language)

    def told(self, sentence: str) -> str:
        return said(sentence, self.language)


def _spoken(request: Request) -> str:
    """The language of a page: of its address, of the cookie, of the browser."""
    asked = request.query_params.get("lang") or request.cookies.get(COOKIE, "")
    if asked in LANGUAGES:
        return asked
    return JAPANESE if request.headers.get("accept-language", "").startswith("ja") else ENGLISH


def _language(request: Request) -> Response:
    """Remember a language and go back to a page of ours."""
    back = request.query_params.get("back", "/")
    safe = back.startswith("/") and not back.startswith(("//", "/\\")) and "\n" not in back
    answer = RedirectResponse(back if safe else "/", 303)
    if (name := request.path_params["name"]) in LANGUAGES:
        answer.set_cookie(COOKIE, name, httponly=True, samesite="strict")
    return answer


def _templates() -> jinja2.Environment:
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("corpus.explorer", "templates"),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        finalize=lambda value: shown.shown(value) if type(value) is str else value,
    )  # fmt: skip
    pages.filters["rendered"] = shown.rendered
    pages.filters["number"] = _number
    pages.globals |= {"link": _link, "SIGNALS": SIGNALS, "EXPORTED": EXPORTED, "FORMATS": FORMATS}
    return pages


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)


def _link(path: str, asked: dict[str, Any] | None = None, **more: Any) -> str:
    """An address with parameters; those that are empty are left out."""
    values = {k: v for k, v in ((asked or {}) | more).items() if v not in ("", None)}
    return f"{path}?{urlencode(values)}" if values else path

"""The explorer as a web application: its pages as HTML or as JSON, in two languages.

    GET /                 what there is               GET /thresholds       another bound of a rule
    GET /search           pages by filter             GET /takedown         what a removal would do
    GET /document/ID      one page's way              GET /sql              a SELECT
    GET /document/ID/raw  its record, line by line    GET /export           a selection as a file
    GET /clusters, /cluster/ID, /difference           every one with .json behind its path

HTML is made by templates that escape, with one small script that sends a form when its slider
moves.
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

from corpus.errors import RunError, UsageError
from corpus.explorer import sandbox, shown
from corpus.explorer.guard import Guard
from corpus.explorer.search import EXPORTED, FORMATS
from corpus.explorer.views import Explorer, Facts, NotFound
from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE, LANGUAGES
from corpus.words.messages import said
from filters.signals import SIGNALS

COOKIE = "inaho_lang"


def application(explorer: Explorer, token: str = "") -> Guard:
    """The ASGI application over a build folder that was opened."""
    pages = _templates()
    pages.globals["stored"] = explorer.store.signals
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

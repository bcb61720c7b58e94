"""What costs much is computed by one thread, by whatever spelling and method it is asked for (lts.httpd.dispatch)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.web.conftest import TOKEN, Served

ADMIN = "/api/v1/admin"


@pytest.fixture
def threads(served: Served, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that answered, in order."""
    found: list[str] = []
    app = served.web.app

    class Watched:
        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def __getattr__(self, name: str) -> Any:
            return getattr(self.answer, name)

        def __call__(self, *given: Any) -> Any:
            found.append(threading.current_thread().name)
            return self.answer(*given)

    monkeypatch.setattr(app.flask, "wsgi_app", Watched(app.flask.wsgi_app))
    monkeypatch.setattr(app, "_clients", Watched(app._clients))
    monkeypatch.setattr(app, "begin", Watched(app.begin))
    return found


@pytest.mark.parametrize("prefix", ["/lts", "", "//lts", "/lts/"])
@pytest.mark.parametrize(
    ("method", "path", "body", "thread"),
    [
        ("GET", f"{ADMIN}/statistics?days=3660", None, "lts-pages"),
        ("HEAD", f"{ADMIN}/statistics?days=3660", None, "lts-pages"),
        ("GET", "/api//v1/admin/status", None, "lts-pages"),
        ("GET", "/calendar/x.ics", None, "lts-pages"),
        ("HEAD", "/calendar/x.ics", None, "lts-pages"),
        ("GET", "/metrics", None, "lts-pages"),
        ("GET", "/page/", None, "lts-request"),
        ("GET", "/api/v1/health", None, "lts-request"),
        ("POST", f"{ADMIN}/explain", b"{}", "lts-pages"),
        ("POST", f"{ADMIN}/licenses/preview", b"x", "lts-pages"),
        ("POST", "/api/v1//admin/licenses/preview", b"x", "lts-pages"),
        ("POST", f"{ADMIN}/session", b"{}", "lts-request"),
        ("POST", "/api/v1/authorize", b"{}", "lts-calls"),
        ("POST", "/api//v1/authorize", b"{}", "lts-calls"),
    ],
)
def test_one_thread_computes_what_costs_much(
    served: Served, threads: list[str], prefix: str, method: str, path: str, body: bytes | None, thread: str
) -> None:
    answer = served.ask(method, prefix + path, body, Authorization=f"Bearer {TOKEN}")
    assert answer.status in (200, 400, 403, 404)
    assert threads == [thread]


def test_whatever_is_read_is_computed_by_one_thread_unless_it_is_known_to_be_cheap(served: Served) -> None:
    app = served.web.app
    cheap = {"/", "/page", "/page/", "/page/index.html", "/static/<path:name>"}
    rules = [rule for rule in app.flask.url_map.iter_rules() if "GET" in (rule.methods or ())]
    assert len(rules) > len(cheap)
    assert {rule.rule for rule in rules if not app.is_page("GET", rule.rule)} == cheap

"""A person at the portal: a page of a real Chromium that notes every fault that a browser reports."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Playwright

from lts.web.admin.signin import BEFORE_SIGN_IN, CSRF_HEADER
from tests.support.needed import need
from tests.support.wait import PATIENCE

PASSWORD = "a few good words"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
PAGES = ("index", "license-items", "handshake-codes", "statistics", "devices", "usage-alerts", "standby", "why",
         "audit-log", "security")  # fmt: skip
_NOTE_VIOLATIONS = (
    "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
)
_QUIET = """() => document.querySelector('#app h1') && !document.querySelector('.loading, .busy')"""


def chromium(playwright: Playwright) -> Browser:
    """The system's Chromium, started."""
    return playwright.chromium.launch(executable_path=need("chromium"), args=ARGUMENTS)


def profile(browser: Browser, *, language: str = "en-GB", **options: Any) -> BrowserContext:
    """A person's own cookies and settings; nothing is kept of another's."""
    made = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": language, **options})
    made.add_init_script(_NOTE_VIOLATIONS)
    made.set_default_timeout(1000 * PATIENCE)
    return made


class Visitor:
    """`base` ends in /; `faults` must be empty at the end but for what a test has allowed.

    With an `idle` page of the same place, a visitor is in that page's profile, and leaves nothing there but the
    portal's files; the browser need not start anew for them.
    """

    def __init__(self, browser: Browser, base: str, *, idle: Page | None = None, **options: Any) -> None:
        self.context = idle.context if idle else profile(browser, **options)
        self._idle = idle
        self.base = base
        self.faults: list[str] = []
        self.allowed: list[str] = []
        self.page = self.watch(self.context.new_page())

    def watch(self, page: Page) -> Page:
        """Note the page's faults."""
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        return page

    def _dismiss(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            text = f"{message.text} ({message.location.get('url', '')})"
            if not any(part in text for part in self.allowed):
                self.faults.append(text)

    def open(self, name: str = "index", query: str = "") -> Page:
        """A page of the portal, once it has settled."""
        self.page.goto(f"{self.base}page/#/{name}.html{query}")
        return self.settled()

    def settled(self) -> Page:
        """The page, once it has loaded what it shows."""
        self.page.wait_for_function(_QUIET)
        return self.page

    def leave(self) -> None:
        """Close what is shown: before its server goes, which is a fault for a page that asks it again."""
        self.page.goto("about:blank")

    def begin(self, code: str) -> None:
        """Be signed in by what the form of the first visit sends; no page is open yet."""
        answer = self.context.request.post(
            f"{self.base}api/v1/admin/setup",
            data={"code": code, "password": PASSWORD},
            headers={CSRF_HEADER: BEFORE_SIGN_IN},
        )
        assert answer.ok, answer.text()

    def set_up(self, code: str) -> Page:
        """The first visit: set the password with the code in the address."""
        page = self.page
        page.goto(f"{self.base}page/#/index.html?setup={code}")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("Repeat the password").fill(PASSWORD)
        page.get_by_role("button", name="Set the password").click()
        page.get_by_role("heading", name="Home").wait_for()
        return self.settled()

    def sign_in(self, user: str = "admin", password: str = PASSWORD) -> Page:
        """The sign-in form."""
        page = self.page
        page.goto(f"{self.base}page/#/index.html")
        page.get_by_label("User").fill(user)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Home").wait_for()
        return self.settled()

    def check_accessibility(self) -> None:
        """No serious or critical finding of axe on what is shown now, light; in the dark only the colors differ."""
        self._check_rules({})
        self.page.emulate_media(color_scheme="dark")
        self._check_rules({"runOnly": ["color-contrast"]})
        self.page.emulate_media(color_scheme="light")

    def _check_rules(self, options: dict[str, Any]) -> None:
        found = Axe().run(self.page, options={"resultTypes": ["violations"], **options}).response["violations"]
        grave = [
            f"{one['id']}: {one['help']} {[node['html'][:200] for node in one['nodes'][:4]]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert not grave, "\n".join(grave)

    def close(self) -> None:
        """Leave; fails when a browser had something to complain of."""
        if self._idle:
            self._clean(self._idle)
        else:
            self.context.close()
        assert not self.faults, "\n".join(self.faults)

    def _clean(self, idle: Page) -> None:
        for page in self.context.pages:
            if page is not idle:
                page.close()
        idle.evaluate("localStorage.clear()")
        self.context.clear_cookies()
        self.context.clear_permissions()

"""The types of what a WSGI application is called with (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]

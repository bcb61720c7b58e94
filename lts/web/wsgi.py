"""What an application of WSGI is called with (PEP 3333), as types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]

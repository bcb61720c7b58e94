"""What services return to be shown: frozen types, in snake_case. The administrators' API answers them
(lts/web/admin/calls.py), and openapi.json describes them (docs/decisions/0033-typed-read-models.md)."""

from __future__ import annotations

from msgspec import Struct


class ReadModel(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One thing as it is shown. In JSON its fields are in camelCase, and a field that has its default is absent."""

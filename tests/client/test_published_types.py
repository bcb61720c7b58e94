"""lts-client.d.ts says of the browser library what its code says, and of a lease what the server puts into one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lts.protocol import Asked, Lease, LeaseItem, Receipt
from lts.web.static_files import FOLDER
from tests.support.node import type_faults

PUBLISHED = FOLDER / "client" / "lts-client.d.ts"
COMPARED = """\
import * as code from "./code.js";
import * as published from "./lts-client.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Names<A, B> = Exclude<keyof A, keyof B> | Exclude<keyof B, keyof A>;
type Both<A, B> = keyof A & keyof B;
type Apart<A, B> = Names<A, B> | { [K in Both<A, B>]: Same<A[K], B[K]> extends true ? never : K }[Both<A, B>];
type Held<X> = [X] extends [never] ? true : X;

export const exports: Held<Names<typeof code, typeof published>> = true;
export const client: Held<Apart<code.LtsClient, published.LtsClient>> = true;
export const refused: Held<Apart<code.Refused, published.Refused>> = true;
export const error: Held<Apart<code.LtsError, published.LtsError>> = true;
type Given<C extends abstract new (...given: never) => unknown> = ConstructorParameters<C>;
export const made: Same<Given<typeof code.Refused>, Given<typeof published.Refused>> = true;
export const opening: Same<Parameters<typeof code.LtsClient.open>, Parameters<typeof published.LtsClient.open>> = true;
export const statics: Held<Names<typeof code.LtsClient, typeof published.LtsClient>> = true;
export const key: Same<typeof code.LtsClient.readKey, typeof published.LtsClient.readKey> = true;
export const verify: Same<typeof code.verifyLease, typeof published.verifyLease> = true;
"""
DAMAGE = {
    "a method is gone": ("  close(): Promise<void>;\n", ""),
    "a method is made up": ("  now(): number;", "  now(): number;\n  pause(): void;"),
    "another parameter": ("use(type: string, count?: number)", "use(type: string, count?: string)"),
    "another result": ("  allowed(module: string): boolean;", "  allowed(module: string): string;"),
    "another field": ("  number: number;\n", ""),
    "another option": (
        "open(licenseKey: string, options: LtsOptions)",
        "open(licenseKey: string, options?: LtsOptions)",
    ),
    "an export is gone": ("export class NotTrusted extends LtsError {}", ""),
}


def write(folder: Path, text: str) -> None:
    """The code under another name, beside what is published: else the checker would not look at it."""
    folder.mkdir()
    shutil.copy(FOLDER / "client" / "lts-client.js", folder / "code.js")
    (folder / "lts-client.d.ts").write_text(text, encoding="utf-8")
    (folder / "compared.ts").write_text(COMPARED, encoding="utf-8")


def test_what_is_published_is_what_the_code_has(tmp_path: Path) -> None:
    text = PUBLISHED.read_text(encoding="utf-8")
    write(tmp_path / "whole", text)
    for name, (old, new) in DAMAGE.items():
        assert old in text, name
        write(tmp_path / name, text.replace(old, new))
    faults = type_faults(tmp_path)
    assert [fault for fault in faults if "whole/" in fault] == []
    assert [name for name in DAMAGE if not any(f"{name}/compared.ts" in fault for fault in faults)] == []


def test_a_lease_has_the_claims_that_are_published(tmp_path: Path) -> None:
    item = LeaseItem("one", "100", "reader", ("QR",), "scan", 1, False, 1)
    old = Lease("ISSUER", "device", "jti", 1, 1, 2, "216998-100", (item,), 7)
    full = old._replace(
        origin="o",
        head="00c0ffee",
        receipt=Receipt("b", "3c", "both"),
        code=4,
        asked=Asked("p", "server"),
        authorized_at=1,
    )
    shutil.copy(PUBLISHED, tmp_path)
    lines = ['import type { LeaseClaims } from "./lts-client.js";']
    for name, lease in (("old", old), ("full", full)):
        claims = {key: value for key, value in lease.claims().items() if value is not None}
        lines.append(f"export const {name}: LeaseClaims = {json.dumps(claims)};")
    (tmp_path / "leases.ts").write_text("\n".join(lines), encoding="utf-8")
    assert type_faults(tmp_path) == []

// The portal's pure modules, by node's own runner (tests/javascript/test_units.py).
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { address } from "../../static/portal/api.js";
import { changes, isOutrun } from "../../static/portal/changes.js";
import { ago, day, duration, ends, endsWhen, loadLanguage, number, percent, t, time, wordFor } from "../../static/portal/i18n.js";
import { read as readOfDevices } from "../../static/portal/pages/devices.js";
import { asked, read } from "../../static/portal/pages/statistics/statistics.js";
import { parts, series, sum, unitsOf } from "../../static/portal/pages/statistics/types.js";
import { LOCAL } from "../../static/portal/pages/server-urls.js";
import { namer } from "../../static/portal/parts/names.js";
import { isDay, link, readRoute, takeCode } from "../../static/portal/route.js";
import { recall, remember } from "../../static/portal/store.js";

const place = { hash: "" };
before(async () => {
  globalThis.document = { documentElement: {} };
  globalThis.location = place;
  globalThis.history = { replaceState: (_state, _title, hash) => Object.assign(place, { hash }) };
  await loadLanguage("en");
});

test("a form sends what was changed, and what stood there", () => {
  const read = { role: "reader", note: "old", items: [1] };
  assert.equal(changes(read, { note: "old" }, { note: "old" }), null);
  assert.deepEqual(changes(read, { note: "old", items: [1] }, { note: "new", items: [1] }), { new: { note: "new" }, was: { note: "old" } });
  assert.deepEqual(changes(read, { items: [1] }, { items: [1, 2] }), { new: { items: [1, 2] }, was: { items: [1] } });
  assert.deepEqual([isOutrun({ code: "changed-meanwhile" }), isOutrun({})], [true, false]);
});

test("the address of a call holds what is given, each of several, and nothing that is empty", () => {
  assert.equal(address("/devices"), "../api/v1/admin/devices");
  assert.equal(
    address("/a", { q: "ä b", page: 1, live: true, none: null, off: undefined, empty: "", state: ["x", "y"] }),
    "../api/v1/admin/a?q=%C3%A4+b&page=1&live=true&state=x&state=y",
  );
});

test("an address of a page is read as it was made", () => {
  place.hash = link("statistics", { code: "#7", day: null, type: "", by: undefined, page: 2 });
  assert.equal(place.hash, "#/statistics.html?code=%237&page=2");
  assert.deepEqual(readRoute(), { name: "statistics", query: { code: "#7", page: "2" } });
  place.hash = "";
  assert.equal(readRoute().name, "index");
});

test("a one-time code leaves the address as it is taken", () => {
  place.hash = "#/index.html?setup=ABC&x=1";
  assert.deepEqual([takeCode("sign-in"), takeCode("setup"), takeCode("setup")], ["", "ABC", ""]);
  assert.equal(place.hash, "#/index.html?x=1");
});

test("words have their number, and an unknown code stands for itself", () => {
  assert.equal(t("codes.count", { n: 1 }), "1 code");
  assert.equal(t("codes.count", { n: 1234 }), "1,234 codes");
  assert.throws(() => t("no.such-words"), /no words/);
  assert.deepEqual([wordFor("way.no-such", "no-such"), wordFor("way.null", null)], ["no-such", null]);
});

test("a kept language that is none is not asked for, whatever it is called", async () => {
  for (const name of ["toString", "__proto__", "xx"]) {
    remember("language", name);
    assert.equal(await loadLanguage(), "en");
  }
});

test("figures, days and times are written in UTC", () => {
  assert.deepEqual([number(1234567), percent(1, 8), percent(1, 0)], ["1,234,567", "12.5%", "–"]);
  assert.equal(day(86_400), "2 Jan 1970");
  assert.equal(time("2026-11-28T04:05:06Z"), "28 Nov 2026, 04:05 UTC");
  assert.deepEqual([duration(59), duration(3600), duration(90_000)], ["59 seconds", "1 hour", "1 day"]);
  assert.equal(ago("2026-11-28T04:00:00Z", "2026-11-28T04:02:00Z"), "2 minutes ago");
});

test("the end of a day is its 24:00, not the next day", () => {
  const midnight = Date.parse("2026-12-01T00:00:00Z") / 1000;
  assert.equal(ends(midnight), "30 Nov 2026");
  assert.equal(ends(midnight + 3600), "1 Dec 2026, 01:00 UTC");
  assert.match(ends(midnight, 0), /24:00 UTC/);
  assert.match(endsWhen(midnight, 3), /3 days/);
  assert.equal(endsWhen(midnight, null), "30 Nov 2026");
});

test("names that several bear have their number beside them", () => {
  const [one, two, three] = [
    { id: 1, name: "a" },
    { id: 2, name: "b" },
    { id: 3, name: "a" },
  ];
  assert.deepEqual([one, two, three].map(namer([one, two, three], ({ name }) => name)), ["a (#1)", "b", "a (#3)"]);
});

test("types beyond the colors are one, and a type may be called like what every object has", () => {
  const order = ["a", "b", "c", "d", "e", "f", "g", "h", "constructor"];
  const units = Object.fromEntries(order.map((name, index) => [name, index + 1]));
  assert.equal(sum(units), 45);
  assert.equal(unitsOf({}, "constructor"), 0);
  assert.deepEqual(parts(units, order).slice(6), [
    ["g", 7],
    ["2 others", 17],
  ]);
  assert.deepEqual(
    series([{ units: { a: 1 } }, { units: { b: 2, a: 3 } }], ["a", "b"]).map((one) => one.values),
    [
      [1, 3],
      [0, 2],
    ],
  );
});

test("statistics ask for what the address says, and for thirty days else", () => {
  assert.deepEqual(asked({ code: "c" }), { code: "c", item: undefined, days: "30" });
  assert.deepEqual(asked({ days: "constructor" }).days, "30");
  assert.deepEqual(asked({ days: "all" }), { code: undefined, item: undefined });
  assert.deepEqual(asked({ from: "2026-01-01", days: "7" }), { code: undefined, item: undefined, from: "2026-01-01", to: undefined });
});

test("a day, an item or a device in an address that is none is passed over", () => {
  for (const text of ["1970-01-01", "2024-02-29", "9999-12-31"]) assert.equal(isDay(text), true);
  for (const text of ["9999-99-99", "2025-02-29", "2026-02-30", "1969-12-31", "0000-01-01", "+010000-01", "2026-1-1", "x", ""])
    assert.equal(isDay(text), false);
  assert.deepEqual(read({ day: "9999-99-99", from: "2026-01-01", to: "x", code: "9999-99-99" }), { from: "2026-01-01", code: "9999-99-99" });
  assert.equal(asked(read({ from: "2026-02-30", days: "7" })).days, "7");
  const alike = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11";
  assert.deepEqual(readOfDevices({ q: "x", item: "one", alike: "two" }), { q: "x" });
  assert.deepEqual(readOfDevices({ item: "12", alike }), { item: "12", alike });
});

test("types of whole numbers keep their place among the others", () => {
  const cut = parts({ 128: 1, QR: 5, 39: 2 }, ["QR", "39", "128"]);
  assert.deepEqual(
    cut.map(([name]) => name),
    ["QR", "39", "128"],
  );
});

test("an address that only this machine reaches is known", () => {
  for (const url of ["http://localhost/", "https://x.localhost:1/", "http://127.0.0.1:48080/lts/", "http://[::1]/", "HTTP://0.0.0.0"]) assert.match(url, LOCAL);
  for (const url of ["https://localhost.example.com/", "http://12.7.0.1/", "https://example.com/localhost"]) assert.doesNotMatch(url, LOCAL);
});

test("a value is kept for this visit where the browser keeps nothing", () => {
  assert.equal(recall("missing"), null);
  remember("theme", "dark");
  assert.equal(recall("theme"), "dark");
});

// Standby: the two servers of a pair, how far apart they are, what happened; or how to set one up.
import { post } from "../api.js";
import { duration, number, t, time, wordFor } from "../i18n.js";
import { html, useState } from "../lib.js";
import { useLoad } from "../load.js";
import { Button, Card, Empty, loaded, Notice, Page, Pill, Sent, Text } from "../parts/basics.js";
import { FormDialog } from "../parts/dialog.js";
import { link } from "../route.js";
import { LOCAL } from "./server-urls.js";

/** @param {{ url: string }} props */
function HowTo({ url }) {
  const main = LOCAL.test(url) ? "https://www.example.com/lts/" : url;
  const standby = "https://standby.example.com/lts/";
  /**
   * @param {string} first
   * @param {string} second
   */
  const config = (first, second) => `"servers": [${[first, second].map((text) => JSON.stringify(text)).join(", ")}]`;
  return html`<${Card} title=${t("standby.none")}>
    <p>${t("standby.none-text")}</p>
    <ol class="howto">
      <li>${t("standby.step-install")}</li>
      <li>${t("standby.step-main")}<pre class="mono">${config("self", standby)}</pre></li>
      <li>${t("standby.step-standby")}<pre class="mono">${config(main, "self")}</pre></li>
      <li>${t("standby.step-restart")}</li>
      <li>${t("standby.step-fingerprint")}</li>
    </ol><//>`;
}

// promoted, and no contact with a new standby since
/** @param {Api.Pair} pair */
const alone = (pair) => pair.promoted && pair.peer.serverUuid === null;
/** @param {number | null} value */
const seconds = (value) => (value === null ? "–" : duration(value));
/** @param {string | null} status */
const statusPill = (status) =>
  html`<${Pill} kind=${status === "serving" ? "good" : "plain"}>${status ? wordFor(`status.${status}`, status) : t("standby.not-seen")}<//>`;

/** @param {{ title: string, here?: boolean, facts: [string, Ui.Drawn][] }} props */
function Side({ title, here, facts }) {
  return html`<section class=${`card side-card${here ? " here" : ""}`}><div class="card-head"><h2>${title}</h2>${here && html`<${Pill}>${t("standby.this-server")}<//>`}</div>
    <dl class="facts">${facts.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

/** @param {{ pair: Api.Pair }} props */
function Sides({ pair }) {
  const mine = [
    ["home.role", t(`role.${pair.role}`)],
    ["standby.status", statusPill(pair.status)],
    ["standby.epoch", number(pair.epoch)],
    ["standby.fingerprint", html`<span class="mono break">${pair.fingerprint}</span>`],
  ];
  const { peer } = pair;
  const theirs = [
    ["standby.url", html`<${Sent} mono>${peer.url}<//>`],
    ["home.role", peer.role ? wordFor(`role.${peer.role}`, peer.role) : "–"],
    ["standby.status", statusPill(peer.status)],
    [
      "standby.contact",
      peer.lastContactSeconds === null
        ? t(alone(pair) ? "standby.replaced" : "standby.never")
        : t("standby.before", { time: seconds(peer.lastContactSeconds) }),
    ],
    ["standby.clock", peer.clockOffsetSeconds === null ? "–" : t("standby.clock-off", { n: peer.clockOffsetSeconds })],
    ["home.version", peer.version ?? "–"],
    ["standby.fingerprint", peer.fingerprint ? html`<span class="mono break">${peer.fingerprint}</span>` : t("standby.not-approved")],
  ];
  return html`<div class="grid pair-grid">
    <${Side} title=${t(`role.${pair.role}`)} here facts=${mine} />
    <div class=${`pair-link${pair.inStep ? " in-step" : ""}`} role="status"><span class="pair-line" aria-hidden="true"></span>
      <strong>${t(pair.inStep ? "standby.in-step" : "standby.out-of-step")}</strong>
      <span class="soft small">${pair.lagChanges === null ? t(alone(pair) ? "standby.alone" : "standby.lag-unknown") : t("standby.lag", { n: pair.lagChanges, time: seconds(pair.lagSeconds) })}</span></div>
    <${Side} title=${t(pair.role === "main" ? "role.standby" : "role.main")} facts=${theirs} /></div>`;
}

/** @param {{ pair: Api.Pair, mayChange: boolean, onDone: () => Promise<void> }} props */
function Approve({ pair, mayChange, onDone }) {
  const offered = pair.peer.offeredFingerprint;
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  if (!offered || offered === pair.peer.fingerprint) return null;
  return html`<${Notice} level="warning"><strong>${t("standby.approve-title")}</strong><p>${t("standby.approve-text")}</p>
    <dl class="facts"><div><dt>${t("standby.offered")}</dt><dd class="mono break">${offered}</dd></div><div><dt>${t("standby.own")}</dt><dd class="mono break">${pair.fingerprint}</dd></div></dl>
    ${mayChange && html`<${Button} kind="primary" onClick=${() => setOpen(true)}>${t("standby.approve")}<//>`}
    ${
      open &&
      html`<${FormDialog} title=${t("standby.approve-title")} saveWord=${t("standby.approve")} save=${() => post("/pair/approve", { fingerprint: typed.trim() })} onClose=${() => setOpen(false)} onSaved=${async () => {
        await onDone();
        setOpen(false);
      }}>
      <p>${t("standby.approve-how")}</p><${Text} label=${t("standby.fingerprint")} class="mono" maxlength="200" value=${typed} onInput=${setTyped} /><//>`
    }<//>`;
}

/** @param {{ onDone: () => Promise<void> }} props */
function Promote({ onDone }) {
  const [open, setOpen] = useState(false);
  return html`<${Button} onClick=${() => setOpen(true)}>${t("standby.promote")}<//>
    ${
      open &&
      html`<${FormDialog} title=${t("standby.promote-title")} saveWord=${t("standby.promote")} danger save=${() => post("/pair/promote", {})} onClose=${() => setOpen(false)} onSaved=${async () => {
        await onDone();
        setOpen(false);
      }}>
      <p>${t("standby.promote-text")}</p><p>${t("standby.promote-after")} <a href=${link("index")}>${t("home.request")}</a></p><//>`
    }`;
}

/** @param {{ pair: Api.Pair }} props */
function History({ pair }) {
  if (!pair.history.length) return html`<${Empty} icon="standby" title=${t("standby.no-history")} />`;
  return html`<div class="table-wrap" role="region" tabindex="0" aria-label=${t("standby.history")}><table role="table" class="cards"><thead role="rowgroup"><tr role="row">${["standby.when", "standby.what", "standby.by"].map((key) => html`<th role="columnheader" scope="col" key=${key}>${t(key)}</th>`)}</tr></thead>
    <tbody role="rowgroup">${pair.history.map(
      (
        line,
        i,
      ) => html`<tr role="row" key=${i}><td role="cell" class="date" data-label=${t("standby.when")}>${time(line.time)}</td><td role="cell" data-label=${t("standby.what")}>${wordFor(`pair-event.${line.event}`, line.event)}</td>
      <td role="cell" data-label=${t("standby.by")}><span class="mono small">${line.serverUuid}</span></td></tr>`,
    )}</tbody></table></div>`;
}

/** @param {{ pair: Api.Pair }} props */
function Overshoot({ pair }) {
  return html`${pair.overshoot.map((one) => html`<${Notice} key=${one.id} level="warning">${t("standby.overshoot", { item: one.itemId, n: one.seats })}<//>`)}
    ${pair.merged.map((line, i) => html`<${Notice} key=${i} level="hint">${t("standby.merged", { time: time(line.time) })}<//>`)}
    ${pair.overruled > 0 && html`<${Notice} level="hint">${t("standby.overruled", { n: pair.overruled })} <a href=${link("audit-log")}>${t("nav.audit-log")}</a><//>`}`;
}

/** @param {{ pair: Api.Pair, mayChange: boolean, reload: () => Promise<void> }} props */
function Pair({ pair, mayChange, reload }) {
  return html`${pair.faults.map((fault) => html`<${Notice} key=${fault.code} level="error">${wordFor(`notice.${fault.code}`, fault.detail)}<//>`)}
    <${Approve} pair=${pair} mayChange=${mayChange} onDone=${reload} />
    <${Sides} pair=${pair} />
    ${pair.delegation && html`<${Notice} level="hint">${t(pair.role === "main" ? "standby.delegation-promoted" : "standby.delegation", { time: time(pair.delegation.until) })}<//>`}
    <${Overshoot} pair=${pair} />
    <${Card} title=${t("standby.history")}><${History} pair=${pair} /><//>
    ${pair.role === "standby" && !pair.promoted && mayChange && html`<${Card} title=${t("standby.promote-title")}><p>${t("standby.promote-lead")}</p><${Promote} onDone=${reload} /><//>`}
    ${pair.promoted && html`<${Notice} level="hint">${t("standby.promoted")}<//>`}
    <p class="hint">${t("standby.take-over-after", { time: duration(pair.takeOverAfterSeconds) })}</p>`;
}

/** @param {Ui.Page} props */
export function Standby({ mayChange }) {
  const status = useLoad("/status", {}, { every: 5 });
  return html`<${Page} title=${t("nav.standby")} lead=${t("standby.lead")}>${loaded(status, (found) =>
    found.pair ? html`<${Pair} pair=${found.pair} mayChange=${mayChange} reload=${status.reload} />` : html`<${HowTo} url=${found.url} />`,
  )}<//>`;
}

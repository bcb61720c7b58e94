// Home: who this server is, what needs attention, what happens today.
import { address } from "../api.js";
import { ends, endsWhen, hasWords, number, shortDay, t, time, wordFor } from "../i18n.js";
import { html } from "../lib.js";
import { useLoad } from "../load.js";
import { Card, Copyable, Empty, loaded, Page, Pill } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { link } from "../route.js";

const DAY_MS = 86_400_000;
// Where an administrator goes to fix a problem.
const MENDED_AT = {
  "item-": "license-items",
  "quota-": "license-items",
  "overdraft-": "license-items",
  "url-": "handshake-codes",
  "code-": "handshake-codes",
  "pair-": "standby",
  "alert-": "usage-alerts",
};

/** @param {Api.Notice} notice */
export const sentenceOf = (notice) => {
  const key = `notice.${notice.code}`;
  const params = Object.fromEntries(
    Object.entries(notice.params).map(([name, value]) => [name, value && (name === "until" || name === "time") ? time(value) : value]),
  );
  params.whose = params.organization ? t("notice.whose", params) : "";
  const { until, days } = notice.params;
  if (notice.code === "item-ends" && until) params.when = endsWhen(until, days ?? null);
  if (notice.code === "item-in-grace" && until) params.until = ends(until);
  return hasWords(key) ? t(key, params) : notice.detail;
};

/** @param {{ notices: Api.Notice[] }} props */
export function Attention({ notices }) {
  if (!notices.length) return html`<${Empty} icon="check" title=${t("home.all-well")}><p>${t("home.all-well-hint")}</p><//>`;
  return html`<ul class="attention">${notices.map((notice, index) => {
    const place = Object.entries(MENDED_AT).find(([prefix]) => notice.code.startsWith(prefix))?.[1];
    return html`<li key=${index} class=${`attention-${notice.level}`}><${Icon} name=${notice.level} />
      <span><span class="sr">${t(`level.${notice.level}`)}: </span>${sentenceOf(notice)}</span>
      ${place && html`<a href=${link(place)}>${t(`nav.${place}`)}</a>`}</li>`;
  })}</ul>`;
}

/** @param {{ home: Api.Home, mayChange: boolean }} props */
function FirstSteps({ home, mayChange }) {
  /** @type {[boolean, string, string][]} */
  const steps = [
    [home.items > 0, "home.step-import", "license-items"],
    [home.handshakeCodes > 0 && home.usage.firstDay !== null, "home.step-key", "handshake-codes"],
  ];
  if (steps.every(([done]) => done) || !mayChange) return null;
  return html`<${Card} title=${t("home.first-steps")}><ol class="steps">
    <li class=${home.items ? "done" : ""}><span>${t("home.step-request")}</span></li>
    ${steps.map(([done, key, page]) => html`<li key=${key} class=${done ? "done" : ""}><a href=${link(page)}>${t(key)}</a></li>`)}
  </ol><//>`;
}

/** @param {{ usage: Api.Overview }} props */
function Glance({ usage }) {
  const byDay = new Map(usage.days.map((line) => [line.day, line]));
  const end = Date.parse(usage.to);
  const days = Array.from({ length: Math.round((end - Date.parse(usage.from)) / DAY_MS) + 1 }, (_, i) =>
    new Date(end - i * DAY_MS).toISOString().slice(0, 10),
  ).reverse();
  const totals = days.map((name) => Object.values(byDay.get(name)?.units ?? {}).reduce((sum, n) => sum + n, 0));
  const most = Math.max(1, ...totals);
  const now = byDay.get(usage.today) ?? { units: {}, authorizations: 0, reports: 0, refused: {} };
  const refused = Object.values(now.refused ?? {}).reduce((sum, n) => sum + n, 0);
  const today = Object.values(now.units).reduce((sum, n) => sum + n, 0);
  return html`<div class="glance">
    <dl class="figures">
      <div><dt>${t("home.units-today")}</dt><dd>${number(today)}</dd></div>
      <div><dt>${t("home.authorizations-today")}</dt><dd>${number(now.authorizations ?? 0)}</dd></div>
      <div><dt>${t("home.refused-today")}</dt><dd class=${refused ? "bad" : ""}>${refused ? html`<a href=${link("why")}>${number(refused)}</a>` : 0}</dd></div>
    </dl>
    <div class="spark" role="img" aria-label=${t("home.spark", { list: days.map((name, i) => `${shortDay(name)}: ${number(totals[i])}`).join(", ") })}>
      ${days.map((name, i) => html`<div key=${name} title=${`${shortDay(name)}: ${number(totals[i])}`}><div style=${{ height: `${(totals[i] / most) * 100}%` }}></div></div>`)}
    </div>
    <div class="spark-ends small"><span>${shortDay(usage.from)}</span><span>${t("home.spark-title")}</span><span>${shortDay(usage.to)}</span></div>
  </div>`;
}

/** @param {Ui.Page} props */
export function Home({ mayChange }) {
  const home = useLoad("/home", {}, { every: 30 });
  return html`<${Page} title=${t("nav.index")}>${loaded(
    home,
    (found) => html`
    <div class="grid home-grid">
      <${Card} title=${t("home.server")} kind="span-2">
        <label class="label">${t("home.uuid")}</label>
        <${Copyable} value=${found.serverUuid} label=${t("home.uuid")} />
        <p class="hint">${t("home.uuid-hint")}</p>
        <p><a class="button" href=${address("/activation-request", { format: "file" })} download><${Icon} name="download" /><span>${t("home.request")}</span></a></p>
        <dl class="facts">
          <div><dt>${t("home.role")}</dt><dd><${Pill} kind=${found.status === "serving" ? "good" : "plain"}>${t(`role.${found.role}`)} · ${wordFor(`status.${found.status}`, found.status)}<//></dd></div>
          <div><dt>${t("home.version")}</dt><dd>${found.version}</dd></div>
          <div><dt>${t("home.binding")}</dt><dd>${wordFor(`binding.${found.binding}`, found.binding)}</dd></div>
          <div><dt>${t("home.time")}</dt><dd>${time(found.time)}</dd></div>
          <div><dt>${t("nav.license-items")}</dt><dd><a href=${link("license-items")}>${number(found.items)}</a></dd></div>
          <div><dt>${t("nav.handshake-codes")}</dt><dd><a href=${link("handshake-codes")}>${number(found.handshakeCodes)}</a></dd></div>
        </dl>
      <//>
      <${Card} title=${t("home.attention")}><${Attention} notices=${found.attention} /><//>
      <${Card} title=${t("home.today")} actions=${html`<a href=${link("statistics")}>${t("nav.statistics")}</a>`}>
        <${Glance} usage=${found.usage} /><//>
      <${FirstSteps} home=${found} mayChange=${mayChange} />
    </div>`,
  )}<//>`;
}

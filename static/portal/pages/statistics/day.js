// One day by hour.
import { day as dayText, number, t, wordFor } from "../../i18n.js";
import { html } from "../../lib.js";
import { useLoad } from "../../load.js";
import { Button, Card, loaded } from "../../parts/basics.js";
import { Trend } from "../../parts/chart.js";
import { series, sum } from "./types.js";

const DAY_MS = 86_400_000;
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
/** @param {number} hour */
const clock = (hour) => `${String(hour).padStart(2, "0")}:00`;
/**
 * @param {string} day
 * @param {number} step in days
 */
const neighbor = (day, step) => new Date(Date.parse(day) + step * DAY_MS).toISOString().slice(0, 10);

/** @param {Api.Units} refused */
const refusedText = (refused) =>
  Object.entries(refused)
    .map(([code, n]) => `${wordFor(`code.${code}`, code)}: ${number(n)}`)
    .join(", ");

/** @param {{ data: Api.Hours }} props */
function Table({ data }) {
  /** @param {"concurrent" | "authorizations"} name */
  const per = (name) => data.hours.some((line) => line[name] !== null);
  /** @type {[string, (line: Api.HourLine) => Ui.Drawn][]} */
  const columns = [["stats.units", (line) => number(sum(line.units))]];
  if (per("concurrent")) columns.push(["stats.metric-concurrent", (line) => number(line.concurrent ?? 0)]);
  if (per("authorizations")) {
    columns.push(
      ["stats.authorizations", (line) => number(line.authorizations ?? 0)],
      ["stats.reports", (line) => number(line.reports ?? 0)],
      ["stats.refused", (line) => refusedText(line.refused ?? {}) || 0],
    );
  }
  return html`<div class="table-wrap" role="region" tabindex="0" aria-label=${t("stats.hours-table")}><table class="dense"><thead><tr><th scope="col">${t("stats.hour")}</th>${columns.map(([key]) => html`<th scope="col" class="num" key=${key}>${t(key)}</th>`)}</tr></thead>
    <tbody>${data.hours.map((line) => html`<tr key=${line.hour}><th scope="row">${clock(line.hour)}</th>${columns.map(([key, render]) => html`<td class="num" key=${key}>${render(line)}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** @param {{ day: string, subject: Ui.Subject, order: string[], onDay: (day: string) => void }} props */
export function Day({ day, subject, order, onDay }) {
  const hours = useLoad("/statistics/hours", { ...subject, day });
  const actions = html`<${Button} kind="quiet back" icon="chevron" label=${t("stats.day-before")} onClick=${() => onDay(neighbor(day, -1))} />
    <input type="date" aria-label=${t("stats.choose-day")} value=${day} onChange=${(e) => e.target.value && onDay(e.target.value)} />
    <${Button} kind="quiet" icon="chevron" label=${t("stats.day-after")} onClick=${() => onDay(neighbor(day, 1))} />`;
  return html`<${Card} title=${t("stats.day-title", { day: dayText(day) })} actions=${actions}>
    ${loaded(hours, (data) => {
      if (!data.hours.length) return html`<p class="soft">${t("stats.nothing-that-day")}</p>`;
      const known = new Map(data.hours.map((line) => [line.hour, line]));
      const lines = HOURS.map((hour) => known.get(hour) ?? { hour, units: {} });
      return html`<${Trend} label=${t("stats.hours-label", { day: dayText(data.day), n: sum(data.units) })} labels=${HOURS.map(clock)} series=${series(lines, order)} height=${180} />
        <details><summary>${t("stats.hours-table")}</summary><${Table} data=${data} /></details>`;
    })}<//>`;
}

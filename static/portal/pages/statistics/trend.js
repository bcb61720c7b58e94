// The period day by day: units by type, of all types or as a running total; devices; most at the same time.
/**
 * @typedef {"units" | "devices" | "concurrent"} Metric
 * @typedef {{ day: string, units: Api.Units, devices: number | null, concurrent: number | null }} Day
 */
import { number, shortDay, t } from "../../i18n.js";
import { html } from "../../lib.js";
import { Card, Choice, Sent } from "../../parts/basics.js";
import { colorClass, Trend } from "../../parts/chart.js";
import { series, sum } from "./types.js";

const DAY_MS = 86_400_000;
/** @type {Metric[]} */
const METRICS = ["units", "devices", "concurrent"];
const SPLITS = ["types", "together", "running"];
const MOST_DAYS = 4000;

// Every day of the period, including empty ones.
/**
 * @param {Api.Overview} data
 * @returns {Day[]}
 */
function everyDay(data) {
  const first = Date.parse(data.from);
  const count = Math.min(MOST_DAYS, Math.round((Date.parse(data.to) - first) / DAY_MS) + 1);
  const known = new Map(data.days.map((line) => [line.day, line]));
  return Array.from({ length: count }, (_, i) => new Date(first + i * DAY_MS).toISOString().slice(0, 10)).map(
    (name) => known.get(name) ?? { day: name, units: {}, devices: 0, concurrent: 0 },
  );
}

/**
 * @param {Day[]} lines
 * @param {Metric} metric
 * @param {string} split
 * @param {string[]} order
 * @returns {{ line: boolean, series: Ui.Part[] }}
 */
function drawn(lines, metric, split, order) {
  if (metric !== "units") return { line: true, series: [{ name: t(`stats.metric-${metric}`), index: 0, values: lines.map((line) => line[metric] ?? 0) }] };
  if (split === "types") return { line: false, series: series(lines, order) };
  const totals = lines.map((line) => sum(line.units));
  if (split === "together") return { line: false, series: [{ name: t("stats.split-together"), index: 0, values: totals }] };
  let running = 0;
  return { line: true, series: [{ name: t("stats.split-running"), index: 0, values: totals.map((n) => (running += n)) }] };
}

/** @param {{ data: Api.Overview, subject: Ui.Subject, query: Ui.Query, change: (changes: Ui.Asked) => void, order: string[], onDay: (day: string) => void }} props */
export function Trends({ data, subject, query, change, order, onDay }) {
  const single = Boolean(subject.code) !== Boolean(subject.item);
  const metric = (single && METRICS.find((name) => name === query.metric)) || "units";
  const split = SPLITS.find((name) => name === query.split) ?? "types";
  const lines = everyDay(data);
  const picture = drawn(lines, metric, split, order);
  const total = metric === "units" ? t("stats.total", { n: sum(data.period) }) : t(`stats.most-${metric}`, { n: Math.max(0, ...picture.series[0].values) });
  return html`<${Card} title=${t("stats.trend")} actions=${html`<span class="soft">${total}</span>`}>
    <div class="tools">
      ${single && html`<${Choice} label=${t("stats.metric")} value=${metric} onChange=${(name) => change({ metric: name })} options=${METRICS.map((name) => [name, t(`stats.metric-${name}`)])} />`}
      ${metric === "units" && html`<${Choice} label=${t("stats.split")} value=${split} onChange=${(name) => change({ split: name })} options=${SPLITS.map((name) => [name, t(`stats.split-${name}`)])} />`}
    </div>
    <${Trend} label=${t("stats.trend-label", { metric: t(`stats.metric-${metric}`), total })} labels=${lines.map((line) => shortDay(line.day))} series=${picture.series} line=${picture.line} onPick=${(i) => onDay(lines[i].day)} />
    ${picture.series.length > 1 && html`<ul class="keys">${picture.series.map(({ name, index, values }) => html`<li key=${name}><span class=${`swatch ${colorClass(index)}`}></span><${Sent}>${name}<//> <span class="soft">${number(values.reduce((a, b) => a + b, 0))}</span></li>`)}</ul>`}
    <p class="hint">${single ? t("stats.pick-hint") : t("stats.pick-hint-all")}</p><//>`;
}

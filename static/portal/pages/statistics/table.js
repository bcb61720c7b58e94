// The figures as a table: by time, device, authorizations or reports, the same as `lts usage` and the CSV file.
/** @typedef {{ group: string, units: Api.Units, total: number }} Pivoted a row of the table */
import { address } from "../../api.js";
import { day as dayText, number, t, wordFor } from "../../i18n.js";
import { html } from "../../lib.js";
import { useList } from "../../load.js";
import { Card, Choice, Empty, loaded } from "../../parts/basics.js";
import { Icon } from "../../parts/icon.js";
import { Pager, Table } from "../../parts/table.js";
import { link } from "../../route.js";
import { unitsOf } from "./types.js";

const GROUPINGS = ["day", "device", "authorizations", "reports"];

/** @param {Api.UsageRow[]} rows */
function pivot(rows) {
  /** @type {Map<string, Pivoted>} */
  const lines = new Map();
  for (const { group, type, units } of rows) {
    const line = lines.get(group) ?? { group, units: Object.create(null), total: 0 };
    lines.set(group, line);
    line.units[type] = units;
    line.total += units;
  }
  return [...lines.values()];
}

/**
 * @param {string} by
 * @param {string} name
 */
const typeName = (by, name) =>
  by === "authorizations" || by === "reports" ? (/^\d+$/.test(name) ? `${name} ${wordFor(`code.${name}`, "")}` : wordFor(`stats.tally-${name}`, name)) : name;

/** @param {{ by: string, group: string, onDay: (day: string) => void }} props */
function Group({ by, group, onDay }) {
  if (by === "device") return html`<a class="mono" href=${link("devices", { q: group })}>${group}</a>`;
  return html`<button type="button" class="link" onClick=${() => onDay(group)}>${dayText(group)}</button>`;
}

/** @param {{ by: string, wanted: Ui.Asked, onDay: (day: string) => void }} props */
function Figures({ by, wanted, onDay }) {
  const list = useList("/usage", { fixed: { ...wanted, by }, sort: "group", order: by === "device" ? "asc" : "desc" });
  return loaded(list, (data) => {
    if (!data.groups) return html`<${Empty} icon="statistics" title=${t("stats.none-in-period")} />`;
    /** @type {(name: string) => Ui.Column<Pivoted>} */
    const ofType = (name) => ({ label: typeName(by, name), sort: `type:${name}`, kind: "num", render: (line) => number(unitsOf(line.units, name)) });
    /** @type {Ui.Column<Pivoted>[]} */
    const columns = [
      {
        label: by === "device" ? t("stats.group-device") : t("stats.day"),
        sort: "group",
        render: (line) => html`<${Group} by=${by} group=${line.group} onDay=${onDay} />`,
      },
      ...data.types.map(ofType),
      { label: t("stats.sum"), sort: "total", kind: "num", render: (line) => html`<strong>${number(line.total)}</strong>` },
    ];
    const foot = html`<tr role="row"><th scope="row" role="rowheader">${t("stats.sum-all", { n: data.groups })}</th>
      ${data.types.map((name) => html`<td role="cell" class="num" key=${name} data-label=${typeName(by, name)}>${number(data.sums[name])}</td>`)}
      <td role="cell" class="num" data-label=${t("stats.sum")}><strong>${number(data.total)}</strong></td></tr>`;
    return html`<${Table} label=${t("stats.table")} columns=${columns} rows=${pivot(data.rows)} list=${list} keyOf=${(line) => line.group} foot=${foot} busy=${list.loading} />
      <${Pager} list=${list} found=${data.groups} />`;
  });
}

/** @param {{ wanted: Ui.Asked, query: Ui.Query, change: (changes: Ui.Asked) => void, onDay: (day: string) => void }} props */
export function Groups({ wanted, query, change, onDay }) {
  const by = GROUPINGS.find((name) => name === query.by) ?? "day";
  const perCode = Boolean(wanted.item) && (by === "authorizations" || by === "reports");
  /** @param {string} form */
  const csv = (form) => address("/usage", { ...wanted, by: form, format: "csv" });
  return html`<${Card} title=${t("stats.table")} actions=${
    !perCode &&
    html`<a class="button" href=${csv(by)} download><${Icon} name="download" /><span>CSV</span></a>
      ${by === "day" && html`<a class="button" href=${csv("hour")} download><${Icon} name="download" /><span>${t("stats.csv-hours")}</span></a>`}`
  }>
    <div class="tools"><${Choice} label=${t("stats.group-by")} value=${by} onChange=${(name) => change({ by: name })} options=${GROUPINGS.map((name) => [name, t(`stats.by-${name}`)])} /></div>
    ${perCode ? html`<p class="soft">${t("stats.per-code-only")}</p>` : html`<${Figures} key=${`${by} ${JSON.stringify(wanted)}`} by=${by} wanted=${wanted} onDay=${onDay} />`}<//>`;
}

// The figures as a table: by time, device, authorizations or reports, the same as `lts usage` and the CSV file.
import { address } from "../api.js";
import { day as dayText, number, t, wordFor } from "../i18n.js";
import { html } from "../lib.js";
import { useList } from "../load.js";
import { Card, Choice, Empty, Loaded, Sent } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { Pager, Table } from "../parts/table.js";
import { link } from "../route.js";
import { unitsOf } from "./stats-types.js";

const GROUPINGS = ["day", "device", "authorizations", "reports"];

function pivot(rows) {
  const lines = new Map();
  for (const { group, type, units } of rows) {
    if (!lines.has(group)) lines.set(group, { group, units: Object.create(null), total: 0 });
    const line = lines.get(group);
    line.units[type] = units;
    line.total += units;
  }
  return [...lines.values()];
}

const typeName = (by, name) =>
  by === "authorizations" || by === "reports" ? (/^\d+$/.test(name) ? `${name} ${wordFor(`code.${name}`, "")}` : wordFor(`stats.tally-${name}`, name)) : name;

function Group({ by, group, onDay }) {
  if (by === "device") return html`<a class="mono" href=${link("devices", { q: group })}>${group}</a>`;
  return html`<button type="button" class="link" onClick=${() => onDay(group)}>${dayText(group)}</button>`;
}

function Figures({ by, wanted, onDay }) {
  const list = useList("/usage", { fixed: { ...wanted, by }, sort: "group", order: by === "device" ? "asc" : "desc" });
  return html`<${Loaded} of=${list}>${(data) => {
    if (!data.groups) return html`<${Empty} icon="statistics" title=${t("stats.none-in-period")} />`;
    const columns = [
      {
        label: by === "device" ? t("stats.group-device") : t("stats.day"),
        sort: "group",
        render: (line) => html`<${Group} by=${by} group=${line.group} onDay=${onDay} />`,
      },
      ...data.types.map((name) => ({ label: typeName(by, name), sort: `type:${name}`, kind: "num", render: (line) => number(unitsOf(line.units, name)) })),
      { label: t("stats.sum"), sort: "total", kind: "num", render: (line) => html`<strong>${number(line.total)}</strong>` },
    ];
    const foot = html`<tr role="row"><th scope="row" role="rowheader">${t("stats.sum-all", { n: data.groups })}</th>
      ${data.types.map((name) => html`<td role="cell" class="num" key=${name} data-label=${typeName(by, name)}>${number(data.sums[name])}</td>`)}
      <td role="cell" class="num" data-label=${t("stats.sum")}><strong>${number(data.total)}</strong></td></tr>`;
    return html`<${Table} label=${t("stats.table")} columns=${columns} rows=${pivot(data.rows)} list=${list} keyOf=${(line) => line.group} foot=${foot} busy=${list.loading} />
      <${Pager} list=${list} found=${data.groups} />`;
  }}<//>`;
}

export function Groups({ wanted, query, change, onDay }) {
  const by = GROUPINGS.includes(query.by) ? query.by : "day";
  const perCode = Boolean(wanted.item) && (by === "authorizations" || by === "reports");
  const csv = (form) => address("/usage", { ...wanted, by: form, format: "csv" });
  return html`<${Card} title=${t("stats.table")} actions=${
    !perCode &&
    html`<a class="button" href=${csv(by)} download><${Icon} name="download" /><span>CSV</span></a>
      ${by === "day" && html`<a class="button" href=${csv("hour")} download><${Icon} name="download" /><span>${t("stats.csv-hours")}</span></a>`}`
  }>
    <div class="tools"><${Choice} label=${t("stats.group-by")} value=${by} onChange=${(name) => change({ by: name })} options=${GROUPINGS.map((name) => [name, t(`stats.by-${name}`)])} /></div>
    ${perCode ? html`<p class="soft">${t("stats.per-code-only")}</p>` : html`<${Figures} key=${`${by} ${JSON.stringify(wanted)}`} by=${by} wanted=${wanted} onDay=${onDay} />`}<//>`;
}

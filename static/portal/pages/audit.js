// Audit log: who did what when.
import { address } from "../api.js";
import { t, time, wordFor } from "../i18n.js";
import { html } from "../lib.js";
import { useList } from "../load.js";
import { Card, Empty, loaded, Page, Pill, Select, Sent } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { Pager, Search, Table } from "../parts/table.js";

/** @param {string} action */
const wordOf = (action) => wordFor(`audit.${action}`, action);
/** @param {unknown} value */
const shown = (value) => (value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));

/** @param {{ line: Api.AuditLine }} props */
function Detail({ line }) {
  const facts = Object.entries(line.detail);
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt class="mono">${name}</dt><dd class="break"><${Sent}>${shown(value)}<//></dd></div>`)}
    <div><dt>${t("audit.server")}</dt><dd class="mono break">${line.server}</dd></div></dl>
    ${line.overruled && html`<p class="hint">${t("audit.overruled-hint")}</p>`}`;
}

/** @returns {Ui.Column<Api.AuditLine>[]} */
const columns = () => [
  { label: t("audit.time"), kind: "date", render: (line) => time(line.time) },
  { label: t("audit.who"), render: (line) => html`<${Sent}>${line.actor === "system" ? t("audit.system") : line.actor}<//>` },
  { label: t("audit.what"), render: (line) => html`${wordOf(line.action)}${line.overruled && html` <${Pill} kind="warn">${t("audit.overruled")}<//>`}` },
  { label: t("audit.subject"), kind: "wide", render: (line) => html`<${Sent}>${line.subject || "–"}<//>` },
];

export function AuditLog() {
  const audit = useList("/audit", { size: 50 });
  /** @param {"from" | "to"} name */
  const day = (name) =>
    html`<div class="inline"><label for=${`audit-${name}`}>${t(`stats.${name}`)}</label><input id=${`audit-${name}`} type="date" value=${audit.filters[name] ?? ""} onChange=${(e) => audit.filter({ [name]: e.target.value })} /></div>`;
  const csv = address("/audit", { ...audit.filters, q: audit.asked.q, format: "csv" });
  const filtered = audit.asked.q || Object.values(audit.filters).some(Boolean);
  return html`<${Page} title=${t("nav.audit-log")} lead=${t("audit.lead")} actions=${html`<a class="button" href=${csv} download><${Icon} name="download" /><span>CSV</span></a>`}><${Card}>
    <div class="tools"><${Search} list=${audit} label=${t("audit.search")} />
      <${Select} hidden label=${t("audit.filter")} value=${audit.filters.action ?? ""} options=${[["", t("audit.all")], ...(audit.data?.actions ?? []).map((action) => [action, wordOf(action)])]} onChange=${(action) => audit.filter({ action })} />
      <div class="range">${day("from")}${day("to")}</div></div>
    ${loaded(
      audit,
      ({ lines, found }) => html`${
        lines.length
          ? html`<${Table} label=${t("nav.audit-log")} columns=${columns()} rows=${lines.map((line, i) => ({ ...line, key: `${line.time} ${i}` }))} list=${audit} keyOf=${(line) => line.key} nameOf=${(line) => `${wordOf(line.action)} ${line.subject}`} expand=${(line) => html`<${Detail} line=${line} />`} busy=${audit.loading} />`
          : filtered
            ? html`<${Empty} icon="search" title=${t("common.nothing-found")}><p>${t("common.nothing-found-hint")}</p><//>`
            : html`<${Empty} icon="audit" title=${t("audit.none")} />`
      }
      <${Pager} list=${audit} found=${found} />`,
    )}<//><//>`;
}

// License Items: import a license file, see what each item holds and how much of it is used.
import { post } from "../api.js";
import { day, ends, number, percent, t, wordFor } from "../i18n.js";
import { html, useState } from "../lib.js";
import { useList, useLoad } from "../load.js";
import { Button, Card, ChargeWay, Choice, Empty, loaded, Page, Pill, Sent, UsedBar } from "../parts/basics.js";
import { FormDialog } from "../parts/dialog.js";
import { Pager, Search, Table } from "../parts/table.js";
import { link } from "../route.js";
import { Import } from "./import.js";

/** @type {Record<string, Api.ItemState[]>} */
const FILTERS = { all: [], active: ["active", "grace", "pending"], expired: ["expired"], revoked: ["revoked", "invalid"], archived: ["archived"] };
/** @type {Record<Api.ItemState, string>} */
const KINDS = { active: "good", grace: "warn", pending: "plain", expired: "bad", revoked: "bad", invalid: "bad", archived: "plain" };
const CONCURRENT = ["concurrentDevice", "concurrentInstance"];

/** @param {{ item: Api.Item }} props */
function Used({ item }) {
  if (item.chargeWay === "domain") return html`<span class="soft">${t("items.not-limited")}</span>`;
  if (CONCURRENT.includes(item.chargeWay)) {
    return html`<${UsedBar} used=${item.overdraftSpent} quota=${item.overdraft}
      text=${html`${t("items.active-of", { used: item.used, quota: item.quota })}<br />${t("items.overdraft", { used: item.overdraftSpent, quota: item.overdraft })}`} />`;
  }
  return html`<${UsedBar} used=${item.used} quota=${item.quota} text=${html`${t("items.used-of", { used: item.used, quota: item.quota })} (${percent(item.used, item.quota)})${item.usedUpOn ? html`<br /><span class="soft small">${t("items.used-up-on", { day: day(item.usedUpOn) })}</span>` : null}`} />`;
}

/** @param {string[]} values */
const list = (values) => (values.length ? html`<${Sent}>${values.join(", ")}<//>` : t("items.any"));

/** @param {{ item: Api.Item, onArchive: ((item: Api.Item) => void) | null }} props */
function Detail({ item, onArchive }) {
  /** @type {[string, Ui.Drawn][]} */
  const lines = [
    ["items.description", item.description ? html`<${Sent}>${item.description}<//>` : "–"],
    ["items.license", html`<${Sent}>${item.licenseId}<//>`],
    ["items.organization", html`<${Sent}>${item.organizationId}<//>`],
    ["items.versions", item.productVersions.includes("*") ? t("items.any") : list(item.productVersions)],
    ["items.editions", list(item.editions)],
    ["items.deployments", item.deploymentTypes.length ? item.deploymentTypes.map((name) => wordFor(`deployment.${name}`, name)).join(", ") : t("items.any")],
    ["items.modules", list(item.modules)],
    ["items.domains", item.domains.length ? list(item.domains) : "–"],
    ["items.grace", t("items.grace-text", { units: item.grace, days: item.graceDays })],
    ["items.period", ["device", "server"].includes(item.chargeWay) ? t(`period.${item.activePeriod}`) : "–"],
    ["items.offline", item.maxOfflineDays === null ? t("items.offline-default") : t("items.days", { n: item.maxOfflineDays })],
    [
      "nav.handshake-codes",
      item.handshakeCodes.length
        ? item.handshakeCodes.map((name, i) => html`${i ? ", " : ""}<a href=${link("handshake-codes", { code: name })}><${Sent}>${name}<//></a>`)
        : t("items.in-no-code"),
    ],
  ];
  return html`${item.reason && html`<p class="bad">${item.reason}</p>`}<dl class="facts">${lines.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}</dl>
    <p><a href=${link("statistics", { item: `#${item.id}` })}>${t("items.see-statistics")}</a>
    ${["device", "server"].includes(item.chargeWay) && html` · <a href=${link("devices", { item: item.id })}>${t("items.see-devices")}</a>`}</p>
    ${
      item.state === "archived"
        ? html`<p class="hint">${t("archive.take-back")}</p>`
        : onArchive && html`<p><${Button} icon="archive" onClick=${() => onArchive(item)}>${t("archive.open", { license: item.licenseId })}<//></p>`
    }`;
}

// Asks before a license is archived, showing what that ends.
/** @param {{ item: Api.Item, onClose: () => void, onDone: () => void }} props */
function Archive({ item, onClose, onDone }) {
  const named = { licenseId: item.licenseId, organizationId: item.organizationId };
  const use = useLoad("/licenses/use", named);
  return html`<${FormDialog} title=${t("archive.title", { license: item.licenseId })} saveWord=${t("archive.do")} danger save=${() => post("/licenses/archive", named)} onClose=${onClose} onSaved=${onDone}>
    <p>${t("archive.text")}</p>
    ${
      use.data &&
      html`<ul><li>${t("archive.items", { n: use.data.items })}</li><li>${t("archive.seats", { n: use.data.seats })}</li>
      <li>${use.data.handshakeCodes.length ? html`${t("archive.codes", { n: use.data.handshakeCodes.length })} <${Sent}>${use.data.handshakeCodes.join(", ")}<//>` : t("items.in-no-code")}</li></ul>`
    }
    <p>${t("archive.take-back")}</p><//>`;
}

/** @returns {Ui.Column<Api.Item>[]} */
const COLUMNS = () => [
  {
    label: t("items.item"),
    sort: "itemId",
    render: (item) =>
      html`<strong><${Sent}>${item.itemId}<//></strong>${item.trial && html` <${Pill}>${t("items.trial")}<//>`}<br /><span class="soft small"><${Sent}>${item.description || item.product}<//></span>`,
  },
  { label: t("items.product"), sort: "product", render: (item) => html`<${Sent}>${item.product}<//>` },
  { label: t("items.charge-way"), sort: "chargeWay", render: (item) => html`<${ChargeWay} way=${item.chargeWay} />` },
  { label: t("items.used"), sort: "used", render: (item) => html`<${Used} item=${item} />` },
  { label: t("items.starts"), sort: "startsAt", kind: "date", render: (item) => day(item.startsAt) },
  {
    label: t("items.ends"),
    sort: "expiresAt",
    kind: "date",
    render: (item) => (item.expiresAt === null ? t("items.never") : ends(item.expiresAt, item.daysLeft)),
  },
  { label: t("items.state"), sort: "state", render: (item) => html`<${Pill} kind=${KINDS[item.state]}>${t(`state.${item.state}`)}<//>` },
];

/** @param {Ui.Page} props */
export function Items({ mayChange }) {
  const [filter, setFilter] = useState("all");
  const [archiving, setArchiving] = useState(/** @type {Api.Item | null} */ (null));
  const items = useList("/licenses/items", { sort: "itemId" });
  /** @param {string} name */
  const choose = (name) => {
    setFilter(name);
    items.filter({ state: FILTERS[name] });
  };
  /**
   * @param {Record<string, number>} states
   * @param {string} name
   */
  const count = (states, name) => FILTERS[name].reduce((sum, state) => sum + (states[state] ?? 0), 0);
  return html`<${Page} title=${t("nav.license-items")} lead=${t("items.lead")}>
    ${mayChange && html`<${Import} onImported=${items.reload} />`}
    <${Card} title=${t("items.activated")}>
      ${loaded(items, ({ items: rows, found, states }) => {
        const every = Object.values(states).reduce((sum, n) => sum + n, 0) - (states.archived ?? 0);
        if (!every && !states.archived)
          return html`<${Empty} icon="items" title=${t("items.none")}><p>${t("items.none-hint")}</p><p><a href=${link("index")}>${t("items.none-link")}</a></p><//>`;
        return html`<div class="tools">
            <${Choice} label=${t("items.filter")} value=${filter} onChange=${choose} options=${Object.keys(FILTERS).map((name) => [
              name,
              html`${t(`items.filter-${name}`)} <span class="count">${number(name === "all" ? every : count(states, name))}</span>`,
            ])} />
            <${Search} list=${items} label=${t("items.search")} />
          </div>
          ${
            !every && filter === "all" && !items.asked.q
              ? html`<${Empty} icon="archive" title=${t("items.all-archived")}><p><${Button} onClick=${() => choose("archived")}>${t("items.show-archived")}<//></p><//>`
              : rows.length
                ? html`<${Table} label=${t("items.activated")} columns=${COLUMNS()} rows=${rows} list=${items} keyOf=${(item) => item.id} nameOf=${(item) => item.itemId}
              expand=${(item) => html`<${Detail} item=${item} onArchive=${mayChange ? setArchiving : null} />`} busy=${items.loading} />`
                : html`<${Empty} icon="search" title=${t("common.nothing-found")}><p>${t("common.nothing-found-hint")}</p><//>`
          }
          <${Pager} list=${items} found=${found} />`;
      })}<//>
    ${
      archiving &&
      html`<${Archive} item=${archiving} onClose=${() => setArchiving(null)} onDone=${async () => {
        await items.reload();
        setArchiving(null);
      }} />`
    }<//>`;
}

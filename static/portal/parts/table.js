// Tables whose rows the server searches, sorts and pages.
import { Fragment, html, useEffect, useId, useState } from "../lib.js";
import { t } from "../i18n.js";
import { Button } from "./basics.js";
import { Icon } from "./icon.js";

/**
 * @template Row
 * @param {{ column: Ui.Column<Row>, list: Ui.List<unknown> }} props
 */
function Head({ column, list }) {
  const { sort } = column;
  if (!sort) return html`<th scope="col" role="columnheader" class=${column.kind ?? ""}>${column.label}</th>`;
  const active = list.asked.sort === sort;
  const direction = active ? (list.asked.order === "asc" ? "ascending" : "descending") : "none";
  return html`<th scope="col" role="columnheader" class=${column.kind ?? ""} aria-sort=${direction}>
    <button type="button" class=${`sort sort-${direction}`} onClick=${() => list.sortBy(sort)}>${column.label}<${Icon} name=${
      direction === "ascending" ? "up" : direction === "descending" ? "down" : "sort"
    } /></button></th>`;
}

// `nameOf(row)` names the row for a screen reader. `columns`: {label, render(row), sort?, kind? = "num", "wide", "name" or "date"}; `expand(row)` gives what an opened row shows.
/**
 * @template Row
 * @param {{
 *   label: string, columns: Ui.Column<Row>[], rows: Row[], list: Ui.List<unknown>, keyOf: (row: Row) => string | number,
 *   nameOf?: (row: Row) => string | number, expand?: (row: Row) => Ui.Drawn, foot?: Ui.Drawn, busy?: boolean
 * }} props
 */
export function Table({ label, columns, rows, list, keyOf, nameOf = keyOf, expand, foot, busy = false }) {
  const [open, setOpen] = useState(/** @type {string | number | null} */ (null));
  const id = useId();
  return html`<div class=${`table-wrap${busy ? " busy" : ""}`} role="region" aria-label=${label} tabindex="0">
    <table role="table" class="cards" aria-label=${label}>
      <thead role="rowgroup"><tr role="row">${expand && html`<th role="columnheader" class="opener"><span class="sr">${t("common.details")}</span></th>`}
        ${columns.map((column) => html`<${Head} key=${column.label} column=${column} list=${list} />`)}</tr></thead>
      <tbody role="rowgroup">${rows.map((row, index) => {
        const key = keyOf(row);
        const shown = open === key;
        return html`<${Fragment} key=${key}>
          <tr role="row" class=${shown ? "open" : ""}>${
            expand &&
            html`<td role="cell" class="opener"><button type="button" class="expander"
              aria-expanded=${shown ? "true" : "false"} aria-controls=${shown ? `${id}-${index}` : undefined} aria-label=${t("action.details-of", { what: String(nameOf(row)) })}
              onClick=${() => setOpen(shown ? null : key)}><${Icon} name="chevron" /></button></td>`
          }
            ${columns.map((column) => html`<td role="cell" key=${column.label} class=${column.kind ?? ""} data-label=${column.label}><div class="cell">${column.render(row)}</div></td>`)}</tr>
          ${shown && html`<tr role="row" class="detail" id=${`${id}-${index}`}><td role="cell" colspan=${columns.length + 1}>${expand?.(row)}</td></tr>`}
        <//>`;
      })}</tbody>
      ${foot && html`<tfoot role="rowgroup">${foot}</tfoot>`}
    </table></div>`;
}

/** @param {{ list: Ui.List<unknown>, label: string, placeholder?: string }} props */
export function Search({ list, label, placeholder }) {
  const [text, setText] = useState(list.asked.q);
  const id = useId();
  useEffect(() => {
    if (text === list.asked.q) return undefined;
    const timer = setTimeout(() => list.search(text), 300);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="search"><label class="sr" for=${id}>${label}</label><${Icon} name="search" />
    <input id=${id} type="search" value=${text} maxlength="200" placeholder=${placeholder ?? label} onInput=${(e) => setText(e.target.value)} /></div>`;
}

/** @param {{ list: Ui.List<unknown>, found: number }} props */
export function Pager({ list, found }) {
  const pages = Math.max(1, Math.ceil(found / list.size));
  const { page } = list.asked;
  if (!found) return null;
  const first = found ? (page - 1) * list.size + 1 : 0;
  return html`<nav class="pager" aria-label=${t("common.pages")}>
    <span role="status">${t("common.range", { first, last: Math.min(found, page * list.size), found })}</span>
    ${
      pages > 1 &&
      html`<span class="actions">
      <${Button} disabled=${page <= 1} onClick=${() => list.turn(page - 1)}>${t("action.previous")}<//>
      <${Button} disabled=${page >= pages} onClick=${() => list.turn(page + 1)}>${t("action.next")}<//></span>`
    }
  </nav>`;
}

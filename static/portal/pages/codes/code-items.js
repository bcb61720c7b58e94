// The license items of a handshake code: which, in what order they are used, and the most of each.
import { number, t, wordFor } from "../../i18n.js";
import { html, useRef, useState } from "../../lib.js";
import { Button, Check, Pill, Select, Sent } from "../../parts/basics.js";
import { Icon } from "../../parts/icon.js";

/**
 * @template T
 * @param {T[]} list
 * @param {number} from
 * @param {number} to
 */
function moved(list, from, to) {
  const next = [...list];
  const [one] = next.splice(from, 1);
  next.splice(to, 0, one);
  return next;
}

/** @param {{ state: import("./code-form.js").CodeState, change: import("./code-form.js").Change, items: Api.Item[] }} props */
export function CodeItems({ state, change, items }) {
  const known = new Map(items.map((item) => [item.id, item]));
  const linked = new Set(state.items.map(({ id }) => id));
  const unlinked = items.filter((item) => !linked.has(item.id));
  const [adding, setAdding] = useState("");
  const [said, setSaid] = useState("");
  const dragged = useRef(/** @type {number | null} */ (null));
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  /** @param {number} id */
  const nameOf = (id) => known.get(id)?.itemId ?? state.items.find((one) => one.id === id)?.name ?? `#${id}`;
  /** @param {import("./code-form.js").CodeState["items"]} next */
  const set = (next) => change({ items: next });
  /**
   * @param {number} from
   * @param {number} to
   */
  const move = (from, to) => {
    if (to < 0 || to >= state.items.length || from === to) return;
    change({ items: moved(state.items, from, to), manualOrder: true });
    setSaid(t("codes.moved", { item: nameOf(state.items[from].id), place: to + 1, of: state.items.length }));
  };
  /**
   * @param {KeyboardEvent} event
   * @param {number} index
   */
  const keys = (event, index) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(index, index + step);
    requestAnimationFrame(() => {
      /** @type {NodeListOf<HTMLButtonElement> | undefined} */
      const grips = list.current?.querySelectorAll(".grip");
      grips?.[Math.min(Math.max(index + step, 0), state.items.length - 1)]?.focus();
    });
  };
  /** @param {string} id */
  const add = (id) => {
    set([...state.items, { id: Number(id), cap: "" }]);
    setAdding("");
  };
  return html`<fieldset><legend>${t("codes.items")}</legend>
    ${
      state.items.length > 1 &&
      html`<div class="radios">
      <${Check} kind="radio" name="order" checked=${!state.manualOrder} onChange=${() => change({ manualOrder: false })} label=${t("codes.order-automatic-hint")} />
      <${Check} kind="radio" name="order" checked=${state.manualOrder} onChange=${() => change({ manualOrder: true })} label=${t("codes.order-manual-hint")} /></div>`
    }
    ${state.items.length === 0 && html`<p class="hint">${t("codes.items-none")}</p>`}
    <ol class="sortable" ref=${list}>${state.items.map(({ id, cap, archived }, index) => {
      const item = known.get(id);
      return html`<li key=${id} draggable=${true}
          onDragStart=${(e) => {
            dragged.current = index;
            e.dataTransfer.effectAllowed = "move";
            e.dataTransfer.setData("text/plain", String(id));
          }}
          onDragOver=${(e) => {
            e.preventDefault();
            e.dataTransfer.dropEffect = "move";
          }}
          onDrop=${(e) => {
            e.preventDefault();
            if (dragged.current !== null) move(dragged.current, index);
            dragged.current = null;
          }}>
        <button type="button" class="grip" aria-label=${t("codes.move", { item: nameOf(id), place: index + 1, of: state.items.length })} title=${t("codes.move-hint")} onKeyDown=${(e) => keys(e, index)}><${Icon} name="grip" /></button>
        <span class="sortable-name"><strong><${Sent}>${nameOf(id)}<//></strong>${archived && html` <${Pill}>${t("state.archived")}<//>`}${item && html`<br /><span class="soft small"><${Sent}>${item.product}<//> · ${wordFor(`way.${item.chargeWay}`, item.chargeWay)} · ${t("codes.quota", { quota: item.quota })}</span>`}</span>
        <label class="cap"><span>${t("codes.cap")}</span><input type="text" inputmode="numeric" maxlength="12" value=${cap} placeholder=${item ? number(item.quota) : ""} aria-label=${t("codes.cap-of", { item: nameOf(id) })}
          onInput=${(e) => set(state.items.map((one) => (one.id === id ? { ...one, cap: e.target.value } : one)))} /></label>
        <span class="actions">
          <${Button} kind="quiet" icon="up" disabled=${index === 0} label=${t("codes.up", { item: nameOf(id) })} onClick=${() => move(index, index - 1)} />
          <${Button} kind="quiet" icon="down" disabled=${index === state.items.length - 1} label=${t("codes.down", { item: nameOf(id) })} onClick=${() => move(index, index + 1)} />
          <${Button} kind="quiet" icon="close" label=${t("codes.take-out", { item: nameOf(id) })} onClick=${() => set(state.items.filter((one) => one.id !== id))} /></span></li>`;
    })}</ol>
    ${
      unlinked.length > 0 &&
      html`<div class="inline-form"><${Select} label=${t("codes.add-item")} value=${adding} onChange=${(id) => id && add(id)}
      options=${[["", t("codes.choose-item")], ...unlinked.map((item) => [String(item.id), `${item.itemId} · ${item.product} · ${item.licenseId}`])]} /></div>`
    }
    <p class="hint">${t("codes.cap-hint")}</p><span class="sr" role="status">${said}</span></fieldset>`;
}

// Devices: find one, see its seats and last contact, release a seat, see whether it looks copied.
import { post } from "../api.js";
import { ago, t, time, wordFor } from "../i18n.js";
import { html, useState } from "../lib.js";
import { useList, useLoad } from "../load.js";
import { Button, Card, Check, Empty, loaded, Notice, Page, Pill, Select, Sent } from "../parts/basics.js";
import { FormDialog } from "../parts/dialog.js";
import { itemName, namer } from "../parts/names.js";
import { Pager, Search, Table } from "../parts/table.js";
import { link } from "../route.js";

/** @param {{ clone: Api.Clone }} props */
function Clone({ clone }) {
  if (!clone.flagged) return html`<span class="soft">–</span>`;
  return html`<${Pill} kind=${clone.refused ? "bad" : "warn"}>${t(clone.refused ? "devices.clone-refused" : "devices.clone-flagged")}<//>
    <div class="soft small">${t("devices.copies", { n: clone.copies })}</div>`;
}

/** @param {{ device: Api.Device }} props */
function Seats({ device }) {
  const live = device.seats.filter((seat) => seat.live);
  if (!live.length) return html`<span class="soft">${t("devices.no-seat")}</span>`;
  return html`<ul class="plain-list">${live.map(
    (seat) => html`<li key=${seat.item}><${Sent}>${seat.itemId}<//> <span class="soft small">${t("devices.until", { time: time(seat.until) })}</span>
    ${seat.grace && html` <${Pill} kind="warn">${t("state.grace")}<//>`}</li>`,
  )}</ul>`;
}

/** @param {Api.Seat} seat */
function seatState(seat) {
  if (seat.live) return html`<${Pill} kind="good">${t("devices.live")}<//>`;
  return html`<${Pill}>${t(seat.released ? "devices.released" : "devices.ended")}<//>`;
}

/** @param {{ device: Api.Device, mayChange: boolean, onRelease: (seat: Api.Seat) => void, onClear: () => void }} props */
function Detail({ device, mayChange, onRelease, onClear }) {
  return html`${
    device.clone.flagged &&
    html`<${Notice} level="warning">${t("devices.clone-text")}
      ${mayChange && html` <${Button} onClick=${onClear}>${t("devices.clear")}<//>`}<//>`
  }
    ${device.seats.length ? html`<${SeatTable} device=${device} mayChange=${mayChange} onRelease=${onRelease} />` : html`<p class="soft">${t("devices.never-seat")}</p>`}`;
}

/** @param {{ device: Api.Device, mayChange: boolean, onRelease: (seat: Api.Seat) => void }} props */
function SeatTable({ device, mayChange, onRelease }) {
  return html`<div class="table-wrap"><table class="dense"><thead><tr>${["devices.item", "items.charge-way", "nav.handshake-codes", "devices.seat", "devices.ends"].map((key) => html`<th scope="col" key=${key}>${t(key)}</th>`)}
      ${mayChange && html`<th scope="col"><span class="sr">${t("common.actions")}</span></th>`}</tr></thead>
    <tbody>${device.seats.map(
      (seat) => html`<tr key=${seat.item}><th scope="row"><${Sent}>${seat.itemId}<//></th><td>${wordFor(`way.${seat.chargeWay}`, seat.chargeWay)}</td>
      <td><${Sent}>${seat.handshakeCodes.join(", ")}<//></td><td>${seatState(seat)}${seat.instances > 1 && html` ${t("devices.instances", { n: seat.instances })}`}</td><td>${time(seat.until)}</td>
      ${mayChange && html`<td>${seat.live && html`<${Button} onClick=${() => onRelease(seat)}>${t("devices.release")}<//>`}</td>`}</tr>`,
    )}</tbody></table></div>`;
}

/** @param {{ device: Api.Device, seat: Api.Seat, onClose: () => void, onDone: (answer: Api.Posted["/seats/release"]) => void }} props */
function Release({ device, seat, onClose, onDone }) {
  const save = () => post("/seats/release", { deviceId: device.deviceId, item: seat.item });
  return html`<${FormDialog} title=${t("devices.release-title")} saveWord=${t("devices.release")} danger save=${save} onClose=${onClose} onSaved=${onDone}>
    <p>${t("devices.release-text")}</p>
    <dl class="facts"><div><dt>${t("devices.device")}</dt><dd class="mono">${device.deviceId}</dd></div><div><dt>${t("devices.item")}</dt><dd><${Sent}>${seat.itemId}<//></dd></div></dl><//>`;
}

/** @param {{ device: Api.Device, onClose: () => void, onDone: () => void }} props */
function Clear({ device, onClose, onDone }) {
  const save = () => post("/devices/clear", { deviceId: device.deviceId });
  return html`<${FormDialog} title=${t("devices.clear-title")} saveWord=${t("devices.clear")} save=${save} onClose=${onClose} onSaved=${onDone}>
    <p>${t("devices.clear-text")}</p>
    <dl class="facts"><div><dt>${t("devices.device")}</dt><dd class="mono">${device.deviceId}</dd></div></dl><//>`;
}

/** @param {{ device: Api.Device }} props */
function Name({ device }) {
  return html`<span class="mono">${device.deviceId}</span>
    ${device.alike > 0 && html`<div class="small"><a href=${link("devices", { alike: device.deviceId })} title=${t("devices.alike-hint")}>${t("devices.alike", { n: device.alike })}</a></div>`}`;
}

/**
 * @param {string} now
 * @returns {Ui.Column<Api.Device>[]}
 */
const columns = (now) => [
  { label: t("devices.device"), sort: "uuid", kind: "wide", render: (device) => html`<${Name} device=${device} />` },
  {
    label: t("devices.contact"),
    sort: "contact",
    render: (device) => html`<span title=${time(device.lastContact)}>${now ? ago(device.lastContact, now) : time(device.lastContact)}</span>`,
  },
  { label: t("devices.seats"), kind: "wide", render: (device) => html`<${Seats} device=${device} />` },
  { label: t("devices.clone"), render: (device) => html`<${Clone} clone=${device.clone} />` },
];

// Which devices look alike is part of the address, so that "back" leads to the previous list.
/** @param {Ui.Page} props */
export function Devices(props) {
  const query = read(props.query);
  return html`<${List} key=${query.alike ?? ""} ...${props} query=${query} />`;
}

// What the address says, without an invalid item or device.
/**
 * @param {Ui.Query} query
 * @returns {Ui.Query}
 */
export const read = ({ item = "", alike = "", ...rest }) => ({
  ...rest,
  ...(/^\d{1,15}$/.test(item) && { item }),
  ...(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(alike) && { alike }),
});

/** @param {Ui.Page} props */
function List({ query, mayChange }) {
  const fixed = query.alike ? { alike: query.alike } : {};
  const devices = useList("/devices", { sort: "contact", order: "desc", q: query.q ?? "", fixed, filters: query.item ? { item: query.item } : {} });
  const subjects = useLoad("/statistics/subjects");
  const [releasing, setReleasing] = useState(/** @type {{ device: Api.Device, seat: Api.Seat } | null} */ (null));
  const [clearing, setClearing] = useState(/** @type {Api.Device | null} */ (null));
  const [said, setSaid] = useState(/** @type {string | null} */ (null));
  const itemNames = namer(subjects.data?.items ?? [], itemName);
  const items = (subjects.data?.items ?? []).map((item) => [String(item.id), itemNames(item)]);
  const filtered = query.alike || devices.asked.q || Object.values(devices.filters).some(Boolean);
  /** @param {string} words */
  const done = async (words) => {
    await devices.reload();
    setReleasing(null);
    setClearing(null);
    setSaid(words);
  };
  return html`<${Page} title=${t("nav.devices")} lead=${t("devices.lead")}>
    ${said && html`<div role="status"><${Notice} level="done">${said}<//></div>`}
    <${Card}>
      ${query.alike && html`<div role="status"><${Notice}>${t("devices.alike-of", { device: query.alike })} ${t("devices.alike-hint")} <a href=${link("devices")}>${t("devices.alike-all")}</a><//></div>`}
      <div class="tools"><${Search} list=${devices} label=${t("devices.search")} placeholder=${t("devices.search-hint")} />
        <${Select} hidden label=${t("devices.item")} value=${devices.filters.item ?? ""} options=${[["", t("devices.all-items")], ...items]} onChange=${(item) => devices.filter({ item })} />
        <${Check} checked=${devices.filters.live ?? false} onChange=${(live) => devices.filter({ live: live || null })} label=${t("devices.only-live")} />
        <${Check} checked=${devices.filters.flagged ?? false} onChange=${(flagged) => devices.filter({ flagged: flagged || null })} label=${t("devices.only-flagged")} /></div>
      ${loaded(
        devices,
        ({ devices: rows, found, time: now }) => html`${
          rows.length
            ? html`<${Table} label=${t("nav.devices")} columns=${columns(now)} rows=${rows} list=${devices} keyOf=${(device) => device.deviceId} busy=${devices.loading}
              expand=${(device) => html`<${Detail} device=${device} mayChange=${mayChange} onRelease=${(seat) => setReleasing({ device, seat })} onClear=${() => setClearing(device)} />`} />`
            : filtered
              ? html`<${Empty} icon="search" title=${t("common.nothing-found")}><p>${t("common.nothing-found-hint")}</p><//>`
              : html`<${Empty} icon="devices" title=${t("devices.none")}><p>${t("devices.none-hint")}</p><p><a class="button" href=${link("handshake-codes")}>${t("nav.handshake-codes")}</a></p><//>`
        }
        <${Pager} list=${devices} found=${found} />`,
      )}
      <p class="hint">${t("devices.identity-hint")}</p>
    <//>
    ${releasing && html`<${Release} ...${releasing} onClose=${() => setReleasing(null)} onDone=${(answer) => done(t("devices.released-text", { time: time(answer.leaseMayRunUntil) }))} />`}
    ${clearing && html`<${Clear} device=${clearing} onClose=${() => setClearing(null)} onDone=${() => done(t("devices.cleared-text"))} />`}<//>`;
}

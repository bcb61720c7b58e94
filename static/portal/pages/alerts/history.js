// Which alerts were sent, how, which are waiting and why.
import { currentLanguage, day, ends, t, time, wordFor } from "../../i18n.js";
import { html } from "../../lib.js";
import { useList } from "../../load.js";
import { Card, Empty, loaded, Pill, Sent } from "../../parts/basics.js";
import { Pager, Table } from "../../parts/table.js";

/** @type {Record<string, string>} */
const KINDS = { sent: "good", waiting: "warn", "given up": "bad" };
/** @param {number} seconds */
const iso = (seconds) => new Date(seconds * 1000).toISOString();
// The server writes days as 2026-12-31, in mails too; here they look as on the other pages. They come after all names.
/** @param {number} end */
const endOf = (end) => (end % 86_400 ? `${iso(end).slice(0, 10)}, ${iso(end).slice(11, 16)} UTC` : iso(end - 1).slice(0, 10));
/** @param {Api.AlertEvent} event */
function textOf(event) {
  const { expiresAt, graceEnds, day: used } = event.params;
  // what, as the server writes it, as this page does
  /** @type {[number | undefined, (seconds: number) => string, (seconds: number) => string][]} */
  const written = [
    [expiresAt, endOf, ends],
    [graceEnds, endOf, ends],
    [used === undefined ? undefined : used * 86_400, (n) => iso(n).slice(0, 10), day],
  ];
  return written.reduce(
    (text, [value, theirs, ours]) => {
      if (value === undefined || !Number.isInteger(value)) return text;
      const at = text.lastIndexOf(theirs(value));
      return at < 0 ? text : text.slice(0, at) + ours(value) + text.slice(at + theirs(value).length);
    },
    currentLanguage() === "zh" ? event.textZh : event.text,
  );
}

/** @param {{ channel: Api.Channel }} props */
function Channel({ channel }) {
  const name = channel.channel === "mail" ? t("alerts.mail") : (channel.name ?? t("alerts.webhook-gone"));
  return html`<li><${Sent}>${name}<//> <${Pill} kind=${KINDS[channel.outcome] ?? "plain"}>${wordFor(`alerts.outcome-${channel.outcome.replace(" ", "-")}`, channel.outcome)}<//>
    ${channel.detail && html`<div class="soft small break"><${Sent}>${channel.detail}<//></div>`}
    ${channel.next && html`<div class="soft small">${t("alerts.next-try", { n: channel.tries, time: time(channel.next) })}</div>`}</li>`;
}

/** @returns {Ui.Column<Api.Message>[]} */
const columns = () => [
  { label: t("alerts.when"), kind: "date", render: (message) => time(message.time) },
  {
    label: t("alerts.what"),
    kind: "wide",
    render: (message) => html`<ul class="plain-list">${message.events.map((event, i) => html`<li key=${i}><${Sent}>${textOf(event)}<//></li>`)}</ul>`,
  },
  {
    label: t("alerts.how"),
    kind: "wide",
    render: (message) =>
      message.channels.length
        ? html`<ul class="plain-list">${message.channels.map((channel) => html`<${Channel} key=${channel.channel} channel=${channel} />`)}</ul>`
        : html`<span class="soft">${t("alerts.nobody")}</span>`,
  },
];

export function History() {
  const list = useList("/alerts/history", { size: 10, every: 60 });
  return html`<${Card} title=${t("alerts.history")}>${loaded(list, ({ messages, found }) =>
    messages.length
      ? html`<${Table} label=${t("alerts.history")} columns=${columns()} rows=${messages} list=${list} keyOf=${(message) => message.id} busy=${list.loading} /><${Pager} list=${list} found=${found} />`
      : html`<${Empty} icon="check" title=${t("alerts.none")}><p>${t("alerts.none-hint")}</p><//>`,
  )}<//>`;
}

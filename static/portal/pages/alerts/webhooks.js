// Webhooks: the same events for programs.
import { post, remove } from "../../api.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useAction } from "../../load.js";
import { Button, Card, Copyable, Fault, Notice, Sent, Text } from "../../parts/basics.js";
import { Dialog, FormDialog } from "../../parts/dialog.js";

/** @param {{ onClose: () => void, onSaved: (saved: unknown) => unknown, onOutrun?: () => unknown }} props */
function Add({ onClose, onSaved }) {
  const [state, setState] = useState({ name: "", url: "" });
  /**
   * @param {"name" | "url"} name
   * @param {string} key
   * @param {object} [more]
   */
  const field = (name, key, more = {}) =>
    html`<${Text} label=${t(key)} value=${state[name]} maxlength="1000" onInput=${(value) => setState((s) => ({ ...s, [name]: value }))} ...${more} />`;
  return html`<${FormDialog} title=${t("alerts.add-webhook")} saveWord=${t("action.save")} save=${() => post("/alerts/webhooks", state)} onClose=${onClose} onSaved=${onSaved}>
    ${field("name", "alerts.webhook-name")}${field("url", "alerts.webhook-url", { type: "url", placeholder: "https://hooks.example.com/lts" })}<//>`;
}

/** @param {{ webhooks: Api.Webhook[], mayChange: boolean, onChanged: () => Promise<void> }} props */
export function Webhooks({ webhooks, mayChange, onChanged }) {
  const [asked, setAsked] = useState(
    /** @type {{ what: "add" } | { what: "made", made: Api.MadeWebhook } | { what: "remove", hook: Api.Webhook } | null} */ (null),
  );
  const [accepted, setAccepted] = useState(/** @type {string | null} */ (null));
  const action = useAction();
  const close = () => setAsked(null);
  const done = async () => {
    await onChanged();
    close();
  };
  /** @param {Api.MadeWebhook} made */
  const show = async (made) => {
    await onChanged();
    setAsked({ what: "made", made });
  };
  /** @param {Api.Webhook} hook */
  const test = async (hook) => {
    setAccepted(null);
    const { ok } = await action.run(() => post(`/alerts/webhooks/${hook.id}/test`, {}));
    if (ok) setAccepted(hook.name);
  };
  return html`<${Card} title=${t("alerts.webhooks")} actions=${mayChange && html`<${Button} icon="plus" onClick=${() => setAsked({ what: "add" })}>${t("alerts.add-webhook")}<//>`}>
    <p class="hint">${t("alerts.webhooks-hint")}</p>
    <${Fault} error=${action.error} />
    ${accepted && html`<div role="status"><${Notice} level="done">${t("alerts.webhook-accepted", { name: accepted })}<//></div>`}
    ${
      webhooks.length > 0 &&
      html`<ul class="rows">${webhooks.map(
        (
          hook,
        ) => html`<li key=${hook.id}><span><strong><${Sent}>${hook.name}<//></strong><br /><span class="soft break"><${Sent} mono>${hook.url}<//></span></span>
      ${
        mayChange &&
        html`<span class="actions"><${Button} busy=${action.busy} onClick=${() => test(hook)}>${t("alerts.test-webhook")}<//>
        <${Button} kind="quiet" icon="remove" label=${t("alerts.remove-webhook", { name: hook.name })} onClick=${() => setAsked({ what: "remove", hook })} /></span>`
      }</li>`,
      )}</ul>`
    }
    ${asked?.what === "add" && html`<${Add} onClose=${close} onSaved=${show} />`}
    ${
      asked?.what === "made" &&
      html`<${Dialog} title=${t("alerts.webhook-made")} onClose=${close}><div class="dialog-body"><${Notice} level="warning">${t("alerts.webhook-secret-hint")}<//>
      <${Copyable} value=${asked.made.secret} label=${t("alerts.webhook-secret")} /></div><div class="dialog-foot"><${Button} kind="primary" onClick=${close}>${t("action.done")}<//></div><//>`
    }
    ${
      asked?.what === "remove" &&
      html`<${FormDialog} title=${t("alerts.remove-webhook-title")} saveWord=${t("action.remove")} danger save=${() => remove(`/alerts/webhooks/${asked.hook.id}`)} onClose=${close} onSaved=${done}>
      <p>${t("alerts.remove-webhook-text")}</p><p><strong><${Sent}>${asked.hook.name}<//></strong></p><//>`
    }<//>`;
}

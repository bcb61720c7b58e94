// The mail server and the receivers, with a test that shows the mail server's own message.
/** @typedef {"host" | "port" | "user" | "password" | "caFile" | "from" | "to" | "cc" | "bcc"} TextField */
import { post, put, remove } from "../../api.js";
import { isOutrun } from "../../changes.js";
import { currentLanguage, LANGUAGES, t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useAction } from "../../load.js";
import { Button, Card, Check, Empty, Fault, Notice, Select, Sent, Text } from "../../parts/basics.js";

/** @type {Record<string, string>} */
const PORTS = { tls: "465", starttls: "587", none: "25" };
/** @param {Api.Mail | null} mail */
const start = (mail) => ({
  host: "",
  security: "starttls",
  caFile: "",
  user: "",
  from: "",
  to: "",
  cc: "",
  bcc: "",
  language: currentLanguage(),
  ...mail,
  port: String(mail?.port ?? PORTS.starttls),
  password: "",
  keep: Boolean(mail?.hasPassword),
});

/** @param {ReturnType<typeof start>} state */
function bodyOf(state) {
  if (!/^\d{1,5}$/.test(state.port.trim())) throw { code: "bad-port", field: "port", sentence: t("alerts.bad-port") };
  const { keep, password, port, hasPassword, ...rest } = state;
  return { ...rest, port: Number(port), ...(keep ? {} : { password }) };
}

/** @param {{ mail: Api.Mail | null, onChanged: () => Promise<void>, onClose: () => void }} props */
function Form({ mail, onChanged, onClose }) {
  const [was] = useState(mail);
  const [state, setState] = useState(() => start(mail));
  const [tested, setTested] = useState(/** @type {Api.Tested | null} */ (null));
  const saving = useAction();
  const testing = useAction();
  /** @param {Partial<typeof state>} changes */
  const change = (changes) => {
    setTested(null);
    setState((before) => ({ ...before, ...changes }));
  };
  const error = saving.error ?? testing.error;
  /** @param {string} field */
  const of = (field) => (error?.field === field ? error : null);
  /**
   * @param {TextField} name
   * @param {string} key
   * @param {object} [more]
   */
  const text = (name, key, more = {}) =>
    html`<${Text} label=${t(`alerts.${key}`)} value=${state[name]} maxlength="2000" onInput=${(value) => change({ [name]: value })} error=${of(name)} ...${more} />`;
  const test = async () => {
    saving.clear();
    const { ok, result } = await testing.run(async () => post("/alerts/test", bodyOf(state)));
    setTested(ok ? result : null);
  };
  /** @param {Event} event */
  const save = async (event) => {
    event.preventDefault();
    testing.clear();
    const { ok, error: fault } = await saving.run(async () => {
      await put("/alerts/mail", { ...bodyOf(state), was });
      await onChanged();
    });
    if (ok) onClose();
    else if (isOutrun(fault)) await onChanged();
  };
  return html`<form onSubmit=${save} novalidate>
    <div class="grid form-grid"><fieldset><legend>${t("alerts.sender")}</legend>
      ${text("host", "host", { placeholder: "mail.example.com" })}
      <${Select} label=${t("alerts.security")} value=${state.security} onChange=${(security) => change({ security, port: Object.values(PORTS).includes(state.port) ? PORTS[security] : state.port })}
        options=${Object.keys(PORTS).map((name) => [name, t(`alerts.security-${name}`)])} />
      ${text("port", "port", { inputmode: "numeric", maxlength: 5 })}
      ${text("user", "user", { hint: t("alerts.user-hint"), autocomplete: "off" })}
      ${mail?.hasPassword && html`<${Check} checked=${state.keep} onChange=${(keep) => change({ keep })} label=${t("alerts.keep-password")} />`}
      ${!state.keep && text("password", "password", { type: "password", autocomplete: "new-password", maxlength: 256 })}
      ${state.security !== "none" && text("caFile", "ca-file", { hint: t("alerts.ca-file-hint") })}
    </fieldset><fieldset><legend>${t("alerts.receivers")}</legend>
      ${text("from", "from", { placeholder: "LTS <lts@example.com>" })}
      ${text("to", "to", { hint: t("alerts.to-hint") })}${text("cc", "cc")}${text("bcc", "bcc")}
      <${Select} label=${t("alerts.language")} value=${state.language} onChange=${(language) => change({ language })} options=${Object.entries(LANGUAGES)} />
    </fieldset></div>
    ${
      tested &&
      html`<div role="status"><${Notice} level="done">${t("alerts.tested", { list: tested.sentTo.join(", ") })}
      ${Object.entries(tested.refused).map(([address, words]) => html`<div key=${address} class="bad"><${Sent}>${address}: ${words}<//></div>`)}<//></div>`
    }
    ${error && (!error.field || error.field === "mail" || error.code === "mail-failed") && html`<${Fault} error=${error} />`}
    <div class="actions">
      <${Button} type="submit" kind="primary" busy=${saving.busy}>${t("action.save")}<//>
      <${Button} onClick=${test} busy=${testing.busy}>${t("alerts.test")}<//>
      <${Button} kind="quiet" onClick=${onClose}>${t("action.cancel")}<//>
      ${testing.busy && html`<span class="soft" role="status">${t("alerts.testing")}</span>`}</div></form>`;
}

/** @param {{ mail: Api.Mail }} props */
function Shown({ mail }) {
  const facts = [
    ["alerts.host", `${mail.host}:${mail.port}`],
    ["alerts.security", t(`alerts.security-${mail.security}`)],
    ["alerts.user", mail.user || t("alerts.no-user")],
    ["alerts.from", mail.from],
    ["alerts.to", mail.to],
    ["alerts.cc", mail.cc],
    ["alerts.bcc", mail.bcc],
    ["alerts.language", LANGUAGES[mail.language]],
  ];
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd><${Sent}>${value}<//></dd></div>`)}</dl>`;
}

/** @param {{ mail: Api.Mail | null, mayChange: boolean, onChanged: () => Promise<void> }} props */
export function Mail({ mail, mayChange, onChanged }) {
  const [open, setOpen] = useState(false);
  const [tested, setTested] = useState(/** @type {Api.Tested | null} */ (null));
  const action = useAction();
  /**
   * @template T
   * @param {() => Promise<T>} work
   * @param {(result: T) => unknown} done
   */
  const run = async (work, done) => {
    setTested(null);
    const { ok, result } = await action.run(work);
    if (ok) done(result);
  };
  const actions =
    mayChange &&
    mail &&
    !open &&
    html`<${Button} busy=${action.busy} onClick=${() => run(() => post("/alerts/test", {}), setTested)}>${t("alerts.test")}<//>
    <${Button} icon="edit" onClick=${() => setOpen(true)}>${t("alerts.change")}<//>
    <${Button} kind="quiet" icon="remove" label=${t("alerts.switch-off")} onClick=${() => run(() => remove("/alerts/mail"), onChanged)} />`;
  return html`<${Card} title=${t("alerts.mail")} actions=${actions}>
    ${!open && html`<${Fault} error=${action.error} />`}
    ${!open && tested && html`<div role="status"><${Notice} level="done">${t("alerts.tested", { list: tested.sentTo.join(", ") })}<//></div>`}
    ${
      open
        ? html`<${Form} mail=${mail} onChanged=${onChanged} onClose=${() => setOpen(false)} />`
        : mail
          ? html`<${Shown} mail=${mail} />`
          : html`<${Empty} icon="alerts" title=${t("alerts.no-mail")}><p>${t("alerts.no-mail-hint")}</p>
          ${mayChange && html`<${Button} kind="primary" onClick=${() => setOpen(true)}>${t("alerts.set-up")}<//>`}<//>`
    }<//>`;
}

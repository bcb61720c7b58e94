// First visit, signing in, and signing in again over a page whose session has ended.
import * as api from "../api.js";
import { t } from "../i18n.js";
import { html, useEffect, useRef, useState } from "../lib.js";
import { useAction } from "../load.js";
import { Button, Fault, Notice, Text } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Brand } from "../parts/icon.js";

const MIN_PASSWORD = 10;

/** @param {{ title: string, lead?: string, preferences: Ui.Drawn, children?: Ui.Drawn }} props */
function Front({ title, lead, preferences, children }) {
  useEffect(() => {
    document.title = `${title} – LTS`;
  }, [title]);
  return html`<main class="front">
    <div class="card front-card">
      <div class="front-brand"><${Brand} />License Tracking Server</div>
      <h1>${title}</h1>${lead && html`<p class="lead">${lead}</p>`}
      ${children}
    </div>
    ${preferences}
  </main>`;
}

// Checks a new password and its repetition as far as a page can; the server checks again.
/**
 * @param {string} password
 * @param {string} repeated
 * @returns {Ui.PasswordFault | null}
 */
export function newPasswordFault(password, repeated) {
  if (password.length < MIN_PASSWORD) return { field: "password", text: t("error.short-password") };
  if (password !== repeated) return { field: "repeated", text: t("password.differ") };
  return null;
}

/** @param {{ state: { password: string, repeated: string }, change: (changes: { password?: string, repeated?: string }) => void, fault: Ui.PasswordFault | null, error: Ui.Fault | null }} props */
export function NewPassword({ state, change, fault, error }) {
  const server = error?.field === "password" ? error : null;
  return html`<${Text} label=${t("password.new")} hint=${t("password.hint")} type="password" autocomplete="new-password" maxlength="256"
      value=${state.password} onInput=${(password) => change({ password })} error=${fault?.field === "password" ? fault.text : server} />
    <${Text} label=${t("password.repeat")} type="password" autocomplete="new-password" maxlength="256"
      value=${state.repeated} onInput=${(repeated) => change({ repeated })} error=${fault?.field === "repeated" ? fault.text : null} />`;
}

/** @param {{ code: string, onDone: (account: Api.Account) => void, onSetUpBefore: () => void, preferences: Ui.Drawn }} props */
export function SetUp({ code, onDone, onSetUpBefore, preferences }) {
  const [state, setState] = useState({ code, password: "", repeated: "" });
  const [fault, setFault] = useState(/** @type {Ui.PasswordFault | null} */ (null));
  const action = useAction();
  /** @param {Partial<typeof state>} changes */
  const change = (changes) => setState((before) => ({ ...before, ...changes }));
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const found = newPasswordFault(state.password, state.repeated);
    setFault(found);
    if (found) return;
    const { ok, result, error } = await action.run(() => api.setUp(state.code, state.password));
    if (ok) onDone(result);
    else if (error.code === "set-up-before") onSetUpBefore();
  };
  return html`<${Front} title=${t("setup.title")} lead=${t("setup.lead")} preferences=${preferences}>
    <form onSubmit=${submit} novalidate>
      <input type="text" name="username" value="admin" autocomplete="username" hidden readonly />
      <${Text} label=${t("setup.code")} hint=${t("setup.code-hint")} value=${state.code} maxlength="64" class="mono"
        onInput=${(text) => change({ code: text })} error=${action.error?.field === "code" ? action.error : null} />
      <${NewPassword} state=${state} change=${change} fault=${fault} error=${action.error} />
      ${action.error && !action.error.field && html`<${Fault} error=${action.error} />`}
      <${Button} type="submit" kind="primary wide" busy=${action.busy}>${t("setup.save")}<//>
    </form><//>`;
}

/** @param {{ user?: string, onDone: (account: Api.Account) => void }} props */
function SignInForm({ user = "admin", onDone }) {
  const [state, setState] = useState({ user, password: "" });
  const action = useAction();
  const password = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => {
    /** @type {HTMLInputElement | null | undefined} */ (password.current?.querySelector("input[type=password]"))?.focus();
  }, []);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const { ok, result } = await action.run(() => api.signIn(state.user, state.password));
    if (ok) onDone(result);
  };
  return html`<form onSubmit=${submit} ref=${password} novalidate>
    <${Text} label=${t("signin.user")} value=${state.user} name="username" autocomplete="username" maxlength="64"
      onInput=${(text) => setState((s) => ({ ...s, user: text }))} />
    <${Text} label=${t("signin.password")} type="password" value=${state.password} name="password" autocomplete="current-password" maxlength="256"
      onInput=${(text) => setState((s) => ({ ...s, password: text }))} />
    <${Fault} error=${action.error} />
    <${Button} type="submit" kind="primary wide" busy=${action.busy}>${t("signin.do")}<//>
    <p class="hint">${t("signin.lost")} <code>lts password reset</code></p>
  </form>`;
}

// `fault` is the server's answer to a sign-in link in the address.
/** @param {{ fault?: Ui.Fault | null, onDone: (account: Api.Account) => void, preferences: Ui.Drawn }} props */
export function SignIn({ fault = null, onDone, preferences }) {
  return html`<${Front} title=${t("signin.title")} preferences=${preferences}><${Fault} error=${fault} /><${SignInForm} onDone=${onDone} /><//>`;
}

// Shown over the open page: what was typed there stays.
/** @param {{ user: string, code: string, onDone: (account: Api.Account) => void }} props */
export function SignInAgain({ user, code, onDone }) {
  if (code === "set-up-needed") {
    return html`<${Dialog} title=${t("signin.again")} closable=${false}><div class="dialog-body"><${Notice} level="warning">${t("signin.reset-meanwhile")}<//>
      <${Button} kind="primary" onClick=${() => location.reload()}>${t("action.reload")}<//></div><//>`;
  }
  return html`<${Dialog} title=${t("signin.again")} closable=${false}>
    <div class="dialog-body"><${Notice} level="hint">${t("signin.kept")}<//><${SignInForm} user=${user} onDone=${onDone} /></div><//>`;
}

// Security: the user's own password, sessions, other users, API tokens.
import { patch, post, remove } from "../api.js";
import { changes } from "../changes.js";
import { t, time } from "../i18n.js";
import { html, useState } from "../lib.js";
import { useAction, useLoad } from "../load.js";
import { Button, Card, Copyable, Empty, Fault, loaded, Notice, Page, Pill, Select, Sent, Text } from "../parts/basics.js";
import { Dialog, FormDialog } from "../parts/dialog.js";
import { NewPassword, newPasswordFault } from "./signin.js";

const EMPTY = { current: "", password: "", repeated: "" };
/** @returns {[Api.Role, string][]} */
const ROLES = () => [
  ["reader", t("role.reader-long")],
  ["administrator", t("role.administrator-long")],
];
/** @param {Ui.PasswordFault} found */
const faultOf = (found) => Object.assign(new Error(found.text), { code: "page", field: found.field, sentence: found.text });

/** @param {{ account: Api.Account, onChanged: () => void }} props */
function Password({ account, onChanged }) {
  const [state, setState] = useState(EMPTY);
  const [fault, setFault] = useState(/** @type {Ui.PasswordFault | null} */ (null));
  const [done, setDone] = useState(false);
  const action = useAction();
  /** @param {Partial<typeof state>} changes */
  const change = (changes) => {
    setDone(false);
    setState((before) => ({ ...before, ...changes }));
  };
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const found = newPasswordFault(state.password, state.repeated);
    setFault(found);
    if (found) return;
    const { ok } = await action.run(() => post("/password", { current: state.current, password: state.password }));
    if (!ok) return;
    setState(EMPTY);
    setDone(true);
    onChanged();
  };
  return html`<${Card} title=${t("security.password")}><form onSubmit=${submit} novalidate class="narrow">
    <input type="text" name="username" value=${account.user} autocomplete="username" hidden readonly />
    <${Text} label=${t("security.current")} type="password" autocomplete="current-password" maxlength="256" value=${state.current} onInput=${(current) => change({ current })} />
    <${NewPassword} state=${state} change=${change} fault=${fault} error=${action.error} />
    ${action.error?.field !== "password" && html`<${Fault} error=${action.error} />`}
    ${done && html`<div role="status"><${Notice} level="done">${t("security.changed")}<//></div>`}
    <${Button} type="submit" kind="primary" busy=${action.busy}>${t("security.change")}<//></form><//>`;
}

/** @param {{ label: string, head: string[], rows: { key: string, cells: Ui.Drawn[] }[] }} props */
function Rows({ label, head, rows }) {
  return html`<div class="table-wrap" role="region" tabindex="0" aria-label=${label}><table role="table" class="cards" aria-label=${label}>
    <thead role="rowgroup"><tr role="row">${head.map((text) => html`<th scope="col" role="columnheader" key=${text}>${text}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map(({ key, cells }) => html`<tr role="row" key=${key}>${cells.map((cell, i) => html`<td role="cell" key=${i} class=${[t("security.since"), t("security.last-used")].includes(head[i]) ? "date" : ""} data-label=${head[i]}><div class="cell">${cell}</div></td>`)}</tr>`)}</tbody></table></div>`;
}

/** @param {{ sessions: Ui.Load<Api.Got["/sessions"]> }} props */
function Sessions({ sessions }) {
  const action = useAction();
  /** @param {string} id */
  const end = async (id) => {
    await action.run(() => remove(`/sessions/${id}`));
    await sessions.reload();
  };
  return html`<${Card} title=${t("security.sessions")}><p class="hint">${t("security.sessions-hint")}</p><${Fault} error=${action.error} />
    ${loaded(
      sessions,
      ({ sessions: every }) => html`<${Rows} label=${t("security.sessions")}
      head=${[t("signin.user"), t("security.browser"), t("security.address"), t("security.since"), t("security.last-used"), t("common.actions")]}
      rows=${every.map((one) => ({
        key: one.id,
        cells: [
          html`<${Sent}>${one.user}<//>`,
          html`<span class="small"><${Sent}>${one.agent || "–"}<//></span>`,
          html`<span class="mono">${one.address}</span>`,
          time(one.since),
          time(one.lastUsed),
          one.current
            ? html`<${Pill} kind="good">${t("security.this-session")}<//>`
            : html`<${Button} busy=${action.busy} onClick=${() => end(one.id)}>${t("security.end")}<//>`,
        ],
      }))} />`,
    )}<//>`;
}

/** @param {{ user: Api.User | null, onClose: () => void, onSaved: (saved: unknown) => unknown, onOutrun?: () => unknown }} props */
function UserForm({ user, onClose, onSaved, onOutrun }) {
  const [state, setState] = useState({ name: user?.name ?? "", role: user?.role ?? "reader", password: "", repeated: "" });
  /** @param {Partial<typeof state>} changes */
  const change = (changes) => setState((before) => ({ ...before, ...changes }));
  const save = async () => {
    const found = !user || state.password || state.repeated ? newPasswordFault(state.password, state.repeated) : null;
    if (found) throw faultOf(found);
    const password = state.password ? { password: state.password } : {};
    const edited = user && changes(user, { role: user.role }, { role: state.role });
    if (user && !edited && !state.password) return null;
    return user
      ? patch(`/users/${encodeURIComponent(user.name)}`, { ...edited?.new, ...password, was: edited?.was ?? {} })
      : post("/users", { name: state.name, role: state.role, ...password });
  };
  return html`<${FormDialog} title=${user ? t("security.edit-user", { name: user.name }) : t("security.add-user")} saveWord=${t("action.save")} save=${save} onClose=${onClose} onSaved=${onSaved} onOutrun=${onOutrun}>
    ${!user && html`<${Text} label=${t("security.user-name")} value=${state.name} maxlength="64" onInput=${(name) => change({ name })} />`}
    <${Select} label=${t("security.role")} value=${state.role} options=${ROLES()} onChange=${(role) => change({ role })} />
    ${user && html`<p class="hint">${t("security.password-kept")}</p>`}
    <${NewPassword} state=${state} change=${change} fault=${null} error=${null} /><//>`;
}

/** @param {{ title: string, text: string, name: string, word: string, work: () => Promise<unknown>, onClose: () => void, onDone: () => void }} props */
function Confirm({ title, text, name, word, work, onClose, onDone }) {
  return html`<${FormDialog} title=${title} saveWord=${word} danger save=${work} onClose=${onClose} onSaved=${onDone}><p>${text}</p><p><strong><${Sent}>${name}<//></strong></p><//>`;
}

function Users() {
  const users = useLoad("/users");
  const [asked, setAsked] = useState(/** @type {{ what: "form", user: Api.User | null } | { what: "remove", user: Api.User } | null} */ (null));
  const close = () => setAsked(null);
  const done = async () => {
    await users.reload();
    close();
  };
  return html`<${Card} title=${t("security.users")} actions=${html`<${Button} icon="plus" onClick=${() => setAsked({ what: "form", user: null })}>${t("security.add-user")}<//>`}>
    <p class="hint">${t("security.users-hint")}</p>
    ${loaded(
      users,
      ({ users: every }) => html`<${Rows} label=${t("security.users")} head=${[t("signin.user"), t("security.role"), t("security.since"), t("common.actions")]}
      rows=${every.map((user) => ({
        key: user.name,
        cells: [
          html`<strong><${Sent}>${user.name}<//></strong>`,
          t(`role.${user.role}`),
          time(user.since),
          user.name === "admin"
            ? html`<span class="soft">${t("security.owner")}</span>`
            : html`<span class="actions"><${Button} kind="quiet" icon="edit" label=${t("security.edit-user", { name: user.name })} onClick=${() => setAsked({ what: "form", user })} />
          <${Button} kind="quiet" icon="remove" label=${t("security.remove-user", { name: user.name })} onClick=${() => setAsked({ what: "remove", user })} /></span>`,
        ],
      }))} />`,
    )}
    ${asked?.what === "form" && html`<${UserForm} user=${asked.user} onClose=${close} onSaved=${done} onOutrun=${users.reload} />`}
    ${
      asked?.what === "remove" &&
      html`<${Confirm} title=${t("security.remove-user-title")} text=${t("security.remove-user-text")} name=${asked.user.name} word=${t("action.remove")}
      work=${() => remove(`/users/${encodeURIComponent(asked.user.name)}`)} onClose=${close} onDone=${done} />`
    }<//>`;
}

/** @param {{ onClose: () => void, onSaved: (made: Api.MadeToken) => unknown }} props */
function TokenForm({ onClose, onSaved }) {
  const [state, setState] = useState({ name: "", role: "reader" });
  return html`<${FormDialog} title=${t("security.add-token")} saveWord=${t("security.make-token")} save=${() => post("/tokens", state)} onClose=${onClose} onSaved=${onSaved}>
    <${Text} label=${t("security.token-name")} hint=${t("security.token-name-hint")} value=${state.name} maxlength="64" onInput=${(name) => setState((s) => ({ ...s, name }))} />
    <${Select} label=${t("security.role")} value=${state.role} options=${ROLES()} onChange=${(role) => setState((s) => ({ ...s, role }))} /><//>`;
}

function Tokens() {
  const tokens = useLoad("/tokens");
  const [asked, setAsked] = useState(
    /** @type {{ what: "form" } | { what: "made", made: Api.MadeToken } | { what: "remove", token: Api.Token } | null} */ (null),
  );
  const close = () => setAsked(null);
  const done = async () => {
    await tokens.reload();
    close();
  };
  /** @param {Api.MadeToken} made */
  const show = async (made) => {
    await tokens.reload();
    setAsked({ what: "made", made });
  };
  return html`<${Card} title=${t("security.tokens")} actions=${html`<${Button} icon="plus" onClick=${() => setAsked({ what: "form" })}>${t("security.add-token")}<//>`}>
    <p class="hint">${t("security.tokens-hint")}</p>
    ${loaded(tokens, ({ tokens: every }) =>
      every.length
        ? html`<${Rows} label=${t("security.tokens")} head=${[t("security.token-name"), t("security.role"), t("security.since"), t("common.actions")]}
      rows=${every.map((token) => ({
        key: token.id,
        cells: [
          html`<strong><${Sent}>${token.name}<//></strong> <span class="mono soft small">lts_${token.id}_…</span>`,
          t(`role.${token.role}`),
          time(token.since),
          html`<${Button} kind="quiet" icon="remove" label=${t("security.remove-token", { name: token.name })} onClick=${() => setAsked({ what: "remove", token })} />`,
        ],
      }))} />`
        : html`<${Empty} icon="key" title=${t("security.no-tokens")}><p>${t("security.no-tokens-hint")}</p><//>`,
    )}
    ${asked?.what === "form" && html`<${TokenForm} onClose=${close} onSaved=${show} />`}
    ${
      asked?.what === "made" &&
      html`<${Dialog} title=${t("security.token-made")} onClose=${close}><div class="dialog-body"><${Notice} level="warning">${t("security.token-once")}<//>
      <${Copyable} value=${asked.made.token} label=${t("security.token")} /></div><div class="dialog-foot"><${Button} kind="primary" onClick=${close}>${t("action.done")}<//></div><//>`
    }
    ${
      asked?.what === "remove" &&
      html`<${Confirm} title=${t("security.remove-token-title")} text=${t("security.remove-token-text")} name=${asked.token.name} word=${t("action.remove")}
      work=${() => remove(`/tokens/${asked.token.id}`)} onClose=${close} onDone=${done} />`
    }<//>`;
}

/** @param {Ui.Page} props */
export function Security({ account, mayChange }) {
  const sessions = useLoad("/sessions");
  return html`<${Page} title=${t("nav.security")} lead=${t("security.lead")}>
    <${Password} account=${account} onChanged=${sessions.reload} />
    <${Sessions} sessions=${sessions} />
    ${mayChange && html`<${Users} /><${Tokens} />`}<//>`;
}

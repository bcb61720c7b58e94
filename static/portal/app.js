// The portal: who is signed in, the frame around every page, and which page is shown.
/** @typedef {(props: Ui.Page) => Ui.Drawn} View a page */
import * as api from "./api.js";
import { chooseLanguage, currentLanguage, hasWords, LANGUAGES, loadLanguage, t } from "./i18n.js";
import { html, render, useEffect, useRef, useState } from "./lib.js";
import { useAction } from "./load.js";
import { Button, Fault, Loading, Page } from "./parts/basics.js";
import { Brand, Icon } from "./parts/icon.js";
import { link, takeCode, useRoute } from "./route.js";
import { recall, remember } from "./store.js";
import { SetUp, SignIn, SignInAgain } from "./pages/signin.js";
import { Home } from "./pages/home.js";

/**
 * @template {string} N
 * @param {() => Promise<Record<N, View>>} load
 * @param {N} name
 */
const later = (load, name) => () => load().then((module) => module[name]);
// Pages by the name in the address; all but the first one are loaded when they are opened.
/** @type {Record<string, { icon: string, page: () => Promise<View> }>} */
const PAGES = {
  index: { icon: "home", page: async () => Home },
  "license-items": { icon: "items", page: later(() => import("./pages/items.js"), "Items") },
  "handshake-codes": { icon: "codes", page: later(() => import("./pages/codes/codes.js"), "Codes") },
  statistics: { icon: "statistics", page: later(() => import("./pages/statistics/statistics.js"), "Statistics") },
  devices: { icon: "devices", page: later(() => import("./pages/devices.js"), "Devices") },
  "usage-alerts": { icon: "alerts", page: later(() => import("./pages/alerts/alerts.js"), "Alerts") },
  standby: { icon: "standby", page: later(() => import("./pages/standby.js"), "Standby") },
  why: { icon: "why", page: later(() => import("./pages/why.js"), "Why") },
  "audit-log": { icon: "audit", page: later(() => import("./pages/audit.js"), "AuditLog") },
  security: { icon: "security", page: later(() => import("./pages/security.js"), "Security") },
};
const languages = /** @type {Api.Language[]} */ (Object.keys(LANGUAGES));
const THEMES = ["auto", "light", "dark"];
/** @type {Record<string, string>} */
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

/** @param {string} theme */
function setTheme(theme) {
  remember("theme", theme);
  window.dispatchEvent(new CustomEvent("lts-theme-choice", { detail: theme }));
}

/** @param {{ onLanguage: () => void }} props */
function Preferences({ onLanguage }) {
  const [theme, choose] = useState(() => THEMES.find((name) => name === recall("theme")) ?? "auto");
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const others = languages.filter((name) => name !== currentLanguage());
  const language = useAction();
  /** @param {Api.Language} name */
  const speak = async (name) => (await language.run(() => chooseLanguage(name))).ok && onLanguage();
  return html`<div class="preferences">
    ${others.map(
      (name) => html`<button type="button" class="button quiet" lang=${name} key=${name}
      onClick=${() => speak(name)}><${Icon} name="globe" /><span>${LANGUAGES[name]}</span></button>`,
    )}
    ${language.error && html`<${NotLoadedFault} />`}
    <${Button} kind="quiet" icon=${THEME_ICONS[theme]} label=${t("frame.theme", { theme: t(`frame.theme-${theme}`) })}
      onClick=${() => {
        setTheme(next);
        choose(next);
      }} />
  </div>`;
}

/** @param {{ current: string, onChosen: () => void }} props */
function Navigation({ current, onChosen }) {
  return html`<ul>${Object.entries(PAGES).map(
    ([name, { icon }]) => html`<li key=${name}>
    <a href=${link(name)} aria-current=${name === current ? "page" : undefined} onClick=${onChosen}><${Icon} name=${icon} /><span>${t(`nav.${name}`)}</span></a></li>`,
  )}</ul>`;
}

// Browsers may remember a module's failure as long as the document lives: only a reload helps, and that also
// finds the files of a server that was upgraded meanwhile.
function NotLoadedFault() {
  return html`<${Fault} error=${{ sentence: t("error.not-loaded") }} retry=${() => location.reload()} />`;
}

function NotLoaded() {
  return html`<${Page} title="LTS"><${NotLoadedFault} /><//>`;
}

/** @param {{ account: Api.Account, onSignedOut: () => void, onLanguage: () => void }} props */
function Shell({ account, onSignedOut, onLanguage }) {
  const route = useRoute();
  const name = Object.hasOwn(PAGES, route.name) ? route.name : "index";
  const [shown, setShown] = useState(/** @type {{ name: string, View: View }} */ ({ name: "index", View: Home }));
  const [menu, setMenu] = useState(false);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const first = useRef(true);
  useEffect(() => {
    let gone = false;
    PAGES[name].page().then(
      (View) => gone || setShown({ name, View }),
      () => gone || setShown({ name, View: NotLoaded }),
    );
    return () => {
      gone = true;
    };
  }, [name]);
  useEffect(() => {
    setMenu(false);
    if (first.current) first.current = false;
    else main.current?.querySelector("h1")?.focus();
    window.scrollTo(0, 0);
  }, [shown.name]);
  const signOut = async () => {
    await api.signOut().catch(() => null); // whether it succeeded or not, this page forgets the session
    onSignedOut();
  };
  const { View } = shown;
  return html`<div class="shell">
    <a class="skip" href="#main" onClick=${(e) => {
      e.preventDefault();
      main.current?.querySelector("h1")?.focus();
    }}>${t("frame.skip")}</a>
    <header class="bar">
      <${Button} kind="quiet menu-button" icon="menu" label=${t("frame.menu")} aria-expanded=${menu ? "true" : "false"} onClick=${() => setMenu(!menu)} />
      <a class="brand" href=${link("index")}><${Brand} /><span>LTS</span></a>
      <span class="bar-space"></span>
      <${Preferences} onLanguage=${onLanguage} />
      <span class="who"><${Icon} name="user" /><bdi>${account.user}</bdi>${account.role === "reader" && html`<span class="pill pill-plain">${t("role.reader")}</span>`}</span>
      <${Button} kind="quiet" icon="out" label=${t("action.sign-out")} onClick=${signOut} />
    </header>
    <nav class=${`side${menu ? " side-open" : ""}`} aria-label=${t("frame.pages")}><${Navigation} current=${name} onChosen=${() => setMenu(false)} /></nav>
    <main id="main" ref=${main}>${
      shown.name === name
        ? html`<${View} key=${name} query=${route.query} account=${account} mayChange=${account.role === "administrator"} />`
        : html`<${Loading} />`
    }</main>
  </div>`;
}

/** @param {{ firstCode: string, firstLink: string }} props */
function Portal({ firstCode, firstLink }) {
  const [setupCode, setSetupCode] = useState(firstCode);
  const [account, setAccount] = useState(/** @type {Api.Account | null} */ (null));
  const [view, setView] = useState("loading");
  const [fault, setFault] = useState(/** @type {string | null} */ (null));
  const [again, setAgain] = useState(/** @type {{ code: string, done: (found: Api.Account) => void } | null} */ (null));
  const [, redraw] = useState(0);
  const onLanguage = () => redraw((n) => n + 1);
  const [refusedLink, setRefusedLink] = useState(/** @type {Ui.Fault | null} */ (null));
  const look = async (signInCode = "") => {
    const byLink =
      signInCode &&
      (await api.useLink(signInCode).catch((error) => {
        setRefusedLink(error);
        return null;
      }));
    try {
      const found = byLink || (await api.session());
      setAccount(found.user === null ? null : found);
      setView(found.user !== null ? "shell" : found.setUpNeeded ? "set-up" : "sign-in");
    } catch (error) {
      setFault(error instanceof api.ApiError ? error.sentence : t("error.page"));
      setView("unreachable");
    }
  };
  useEffect(() => {
    // the printed address was opened over a page of the portal: the browser changes only the part after the #
    const changed = () => {
      const signInCode = takeCode("sign-in");
      if (signInCode) look(signInCode);
      setSetupCode((before) => takeCode("setup") || before);
    };
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  useEffect(() => {
    look(firstLink);
    /** @type {Promise<void> | null} */
    let waiting = null;
    api.onSignedOut((code) => {
      waiting ??= new Promise((resolve) => {
        setAgain({
          code,
          done: (/** @type {Api.Account} */ found) => {
            waiting = null;
            setAgain(null);
            setAccount(found);
            resolve();
          },
        });
      });
      return waiting;
    });
  }, []);
  /** @param {Api.Account} found */
  const opened = (found) => {
    setRefusedLink(null);
    setAccount(found);
    setView("shell");
  };
  const preferences = html`<${Preferences} onLanguage=${onLanguage} />`;
  if (view === "loading") return html`<div class="front"><${Loading} /></div>`;
  if (view === "unreachable") {
    return html`<main class="front"><div class="card"><h1>LTS</h1><p role="alert">${fault}</p>
      <${Button} kind="primary" onClick=${() => look()}>${t("action.retry")}<//></div></main>`;
  }
  if (view === "set-up")
    return html`<${SetUp} key=${setupCode} code=${setupCode} onDone=${opened} onSetUpBefore=${() => setView("sign-in")} preferences=${preferences} />`;
  if (view === "sign-in") return html`<${SignIn} fault=${refusedLink} onDone=${opened} preferences=${preferences} />`;
  if (!account) return null;
  return html`<${Shell} key=${currentLanguage()} account=${account} onLanguage=${onLanguage} onSignedOut=${() => {
    setAccount(null);
    setView("sign-in");
  }} />
    ${again && html`<${SignInAgain} user=${account.user} code=${again.code} onDone=${again.done} />`}`;
}

const firstCode = takeCode("setup"),
  firstLink = takeCode("sign-in");
await loadLanguage();
if (!hasWords("nav.index")) throw new Error("the words of the portal are missing");
const root = document.getElementById("app");
if (!root) throw new Error("the page has no place for the portal");
root.replaceChildren();
render(html`<${Portal} firstCode=${firstCode} firstLink=${firstLink} />`, root);

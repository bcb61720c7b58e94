// A web page that uses licenses: each row is an application that authorizes, counts a scan and reports it.
/** @typedef {{ name: string, words: string, licenseKey: string, product: string, modules: string[], vendorKey: string }} Situation */
import { LtsClient, LtsError, Refused } from "../client/lts-client.js";

/**
 * @param {Situation} situation
 * @param {(text: string) => void} show
 */
async function tryIt(situation, show) {
  show("asking the server…");
  const client = await LtsClient.open(situation.licenseKey, {
    product: situation.product,
    modules: situation.modules,
    vendorKey: situation.vendorKey,
    storage: `sandbox-${situation.name}`,
    reportEvery: 0,
    deploymentType: situation.name === "instances" ? "server" : "browser",
  });
  try {
    const lease = await client.authorize();
    const grace = lease.items.some((item) => item.grace) ? ", in grace" : "";
    client.use("QR Code");
    const [result] = await client.flush();
    show(`authorized until ${new Date(lease.exp * 1000).toLocaleString()}${grace}; a scan is ${result.status}`);
  } catch (error) {
    if (!(error instanceof LtsError)) throw error;
    show(error instanceof Refused ? `${error.name} ${error.code} (${error.number}): ${error.message} ${error.advice}` : `${error.name}: ${error.message}`);
  } finally {
    await client.close();
  }
}

/** @param {Situation} situation */
function row(situation) {
  const line = document.createElement("tr");
  /** @param {(string | Node)[]} parts */
  const cell = (...parts) => {
    const td = document.createElement("td");
    td.append(...parts);
    line.append(td);
    return td;
  };
  const button = Object.assign(document.createElement("button"), { textContent: "Try" });
  const key = Object.assign(document.createElement("input"), { value: situation.licenseKey, readOnly: true, ariaLabel: `License key of ${situation.name}` });
  key.addEventListener("focus", () => key.select());
  button.setAttribute("aria-label", `Try ${situation.name}`);
  const head = Object.assign(document.createElement("th"), { textContent: situation.name, scope: "row" });
  line.append(head);
  cell(situation.words);
  const outcome = cell(button);
  outcome.className = "outcome";
  outcome.setAttribute("role", "status");
  cell(key);
  button.addEventListener("click", () => tryIt(situation, (text) => outcome.replaceChildren(button, ` ${text}`)));
  return line;
}

const answer = await fetch("../../sandbox/situations.json").catch(() => null);
/** @param {string} words */
const say = (words) => document.getElementById("state")?.replaceChildren(words);
if (answer?.ok) {
  const situations = await answer.json();
  document.getElementById("rows")?.append(...situations.map(row));
  say(`The product is ${situations[0].product}; the vendor's public key is ${situations[0].vendorKey}.`);
} else {
  say("This is no sandbox: run lts sandbox.");
}

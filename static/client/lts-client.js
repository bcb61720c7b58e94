// The client library for web pages: authorize, count, report, release (docs/protocol.md). One ES module, no dependency.
//
//   import { LtsClient } from "./lts-client.js";
//   const client = await LtsClient.open(LICENSE_KEY, { product: "barcode-reader", vendorKey: VENDOR_KEY });
//   await client.authorize();
//   if (client.allowed("QR Code")) client.use("QR Code", 3);
//
// Identity, lease and unsent usage are in IndexedDB, shared by all tabs of an origin. If the browser stores nothing
// (a private window, a frame with blocked storage) they are in memory, each visit is a separate device, and
// `storageFault` says so. Leases are verified with WebCrypto, which browsers allow only on https and localhost.

/**
 * @import { LeaseClaims, LtsOptions, ReportResult } from "./lts-client.js"
 * @typedef {{ s: string[], o?: string | null, h?: string | null, p?: string | null, k?: string | null, f?: string | null }} Key
 * @typedef {{ header: { kid: string }, claims: Record<string, any>, signed: BufferSource, signature: BufferSource }} Jws
 * @typedef {{ x: string, kid: string, verify: (jws: Jws) => Promise<boolean> }} Verifier
 * @typedef {{ claims: LeaseClaims, kid: string, pin: { uuid: string, x: string } }} Verified
 * @typedef {Record<string, any>} Answer of a server; each value is checked where it is read
 * @typedef {{ jti: string, count: number, sent: number }} Entry usage of a slot and type: what there is, what the server has
 * @typedef {{ slot: number, usage: Record<string, number>, keys: [string, number][] }} Line of a report, with its entries' keys and counts
 * @typedef {{
 *   facts: { device: string, lease: string, offset: number, seen: number, certificates: string[], chain: string | null,
 *     chains: Record<string, string[]>, [pin: `pin ${string}`]: string },
 *   leases: Record<string, { text: string, server: string, kept: number }>,
 *   outbox: Record<string, Entry>
 * }} Kept
 * @typedef {<N extends keyof Kept>(name: N) => {
 *   get: <K extends keyof Kept[N] & string>(key: K) => Promise<Kept[N][K] | undefined>,
 *   put: <K extends keyof Kept[N] & string>(key: K, value: Kept[N][K]) => Promise<unknown>,
 *   drop: (key: string) => Promise<unknown>,
 *   all: () => Promise<[string, Kept[N][keyof Kept[N]]][]>
 * }} Stores
 */
const NAME = "lts-client-js/1.0";
const LEASE = "lts-lease+jws",
  CERTIFICATE = "lts-certificate+jws";
const SLOT = 180;
const KEPT_SLOTS = 30 * 480;
const LEASES_KEPT = 2 * 86400;
const MOST_SLOTS = 15000;
const MAX_COUNT = 1000000;
const MAX_TYPES = 200; // of an entry of a report; more types of a slot go into several
const MAX_NAME = 200;
const MOST_KEPT = 1000000; // counts that wait, and counts that a server has confirmed; beyond that the oldest go
const TRY_OTHER = new Set([100, 130, 150]);
/** @type {Record<number, string>} */
const ADVICE = {
  100: "Try again shortly; the other server of the pair takes over by itself.",
  101: "Copy the license key again from the portal.",
  102: "Check the session password of the handshake code.",
  103: "Add this domain to the handshake code, or use another code.",
  104: "Ask the administrator to link license items to the handshake code.",
  106: "Check the product's name, or ask for a license of this product.",
  107: "Ask for a license of this version.",
  108: "Ask for a license of this type of deployment.",
  109: "Ask for a license of this edition.",
  111: "Ask the administrator to import a renewed license file.",
  112: "Wait for the license to start.",
  113: "Ask the administrator: the license was revoked or is not valid on the server.",
  114: "Send the domain that the handshake code is bound to.",
  115: "Ask for any charge way.",
  120: "Ask the administrator to make room in the license, or to enlarge it.",
  121: "Name a handshake code.",
  122: "Use a handshake code of this organization.",
  123: "Name a handshake code or an organization.",
  124: "Ask for a license that covers this module.",
  130: "Send fewer requests; the server says when to continue.",
  140: "This is a bug in the page; the wrong field is named.",
  141: "Authorize again.",
  144: "Report in smaller parts.",
  150: "Try again shortly; nothing was lost.",
  151: "Two devices use one identity; clear this site's data on one of them.",
};

export class LtsError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}
// The server refused: `code` of the table in docs/protocol.md, `number` = -20000 - code.
export class Refused extends LtsError {
  /**
   * @param {number} code
   * @param {string} message
   * @param {string | null} [field]
   */
  constructor(code, message, requestId = "-", field = null) {
    super(message);
    this.code = code;
    this.number = -20000 - code;
    this.requestId = requestId;
    this.field = field;
    this.advice = ADVICE[code] ?? "";
  }
}
// No license server answered; the stored lease works until its end.
export class Unreachable extends LtsError {}
// An answer that does not verify against the vendor's key.
export class NotTrusted extends LtsError {}

/** @param {string} text */
const bytesOf = (text) => {
  if (!/^[\w-]*$/.test(text)) throw new NotTrusted("Not base64url text.");
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
};
/** @param {BufferSource} bytes */
const textOf = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
/** @param {ArrayBuffer} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
/**
 * @param {unknown} value
 * @returns {value is string}
 */
const isText = (value) => typeof value === "string";
/** @param {unknown} error */
const wordsOf = (error) => (error instanceof Error ? error.message : String(error));
// crypto.randomUUID exists only on https
const newUuid = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte, i) => (i === 6 ? (byte & 15) | 64 : i === 8 ? (byte & 63) | 128 : byte).toString(16).padStart(2, "0"))
    .join("")
    .replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
// servers of 0.1 know the clone token as `chain`
/** @param {string | null} token */
const tokenNames = (token) => ({ cloneToken: token, chain: token });
/** @param {number} slot */
const iso = (slot) => new Date(slot * SLOT * 1000).toISOString().replace(".000", "");

// The name of a type in NFC. Throws RangeError for one that no server counts (docs/protocol.md, Report).
/** @param {unknown} text */
function typeName(text) {
  const name = isText(text) && text.length <= 8 * MAX_NAME ? text.normalize("NFC") : "";
  if (!name || [...name].length > MAX_NAME || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(name) || /\p{M}{31}/u.test(name.normalize("NFD")))
    throw new RangeError(`A type name has 1 to ${MAX_NAME} characters, no control characters, up to 30 marks in a row.`);
  return name;
}
/** @param {string} name */
const showsNothing = (name) => /^(?:[\p{Cf}\p{Co}\p{Zs}\u115f\u1160\u2800\u3164\uffa0]|\u034f|\u17b4|\u17b5)*$/u.test(name);
/**
 * @param {unknown} code
 * @param {number} slot
 * @param {unknown} detail
 */
const tellDropped = (code, slot, detail) => console.error(`Usage of ${iso(slot)} was dropped (${code}): ${detail}`);

/**
 * @param {unknown} x
 * @returns {x is string}
 */
const isKey = (x) => isText(x) && /^[\w-]{43}$/.test(x);

/**
 * @param {string} text
 * @returns {Key}
 */
function readKey(text) {
  const wrong = () => new Refused(101, "The license key is damaged or none at all. Copy it whole from the portal.");
  if (!isText(text) || !text.trim().startsWith("LTS2")) throw wrong();
  let fields;
  try {
    fields = JSON.parse(textOf(bytesOf(text.trim().slice(4))));
  } catch {
    throw wrong();
  }
  const good =
    fields &&
    Array.isArray(fields.s) &&
    fields.s.length &&
    fields.s.every(isText) &&
    ["o", "h", "p", "k", "f"].every((name) => fields[name] == null || isText(fields[name]));
  if (!good) throw wrong();
  return fields;
}

// --- leases and certificates (RFC 7515, RFC 8037) ---

// A key signs several kinds of tokens: none may pass for another.
/**
 * @param {string} text
 * @param {string} typ
 * @returns {Jws}
 */
function readJws(text, typ) {
  try {
    const [head, payload, signature] = text.split(".");
    const header = JSON.parse(textOf(bytesOf(head)));
    const claims = JSON.parse(textOf(bytesOf(payload)));
    if (header.alg !== "EdDSA" || header.typ !== typ || !claims || typeof claims !== "object" || text.split(".").length !== 3) throw new Error();
    return { header, claims, signed: new TextEncoder().encode(`${head}.${payload}`), signature: bytesOf(signature) };
  } catch {
    throw new NotTrusted("The server's answer holds no signed token.");
  }
}

/**
 * @param {unknown} x
 * @returns {Promise<Verifier>}
 */
async function keyOf(x) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) throw new NotTrusted("This page is not served by https, hence the browser verifies no signatures.");
  if (!isKey(x)) throw new NotTrusted("Not an Ed25519 key (JWK x).");
  const kid = base64url(await subtle.digest("SHA-256", new TextEncoder().encode(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)));
  const key = await subtle.importKey("jwk", { kty: "OKP", crv: "Ed25519", x }, { name: "Ed25519" }, false, ["verify"]);
  return { x, kid, verify: (jws) => subtle.verify({ name: "Ed25519" }, key, jws.signature, jws.signed) };
}

/**
 * @param {Jws} jws
 * @param {Verifier} key
 * @param {string} words
 */
async function check(jws, key, words) {
  if (jws.header.kid !== key.kid || !(await key.verify(jws))) throw new NotTrusted(words);
}

// The lease's verified claims. Without a vendor's key the first certificate is self-signed, and its key is pinned.
/**
 * @param {string} text
 * @param {string[]} certificates
 * @param {string | null} [vendorKey]
 * @returns {Promise<Verified>}
 */
export async function verifyLease(text, certificates, vendorKey = null) {
  const lease = readJws(text, LEASE);
  const { claims } = lease;
  const items = Array.isArray(claims.items) ? claims.items : [];
  if (![claims.iss, claims.sub, claims.jti, claims.hs].every(isText) || ![claims.iat, claims.exp].every(Number.isInteger) || !items.length)
    throw new NotTrusted("The lease lacks a claim.");
  if (!Array.isArray(certificates) || !certificates.length) throw new NotTrusted("The answer carries no certificate.");
  /** @type {Verifier | null} */
  let key = vendorKey ? await keyOf(vendorKey) : null;
  let subject = "";
  for (const one of certificates) {
    const jws = readJws(one, CERTIFICATE);
    const { iss, sub, iat, exp, cnf } = jws.claims;
    const next = await keyOf(cnf?.jwk?.x);
    if (key || iss === sub) {
      await check(jws, key ?? next, "A certificate is not signed by the key before it in the chain.");
      if (!isText(sub) || !Number.isInteger(iat)) throw new NotTrusted("A certificate has no subject or time.");
      if (exp !== undefined && exp !== null && !(claims.iat < exp)) throw new NotTrusted("A certificate had ended when the lease was issued.");
    }
    key = next;
    subject = sub;
  }
  if (!key || claims.iss !== subject) throw new NotTrusted("The lease is not of the server that the chain certifies.");
  await check(lease, key, "The lease is not signed by the server that the chain certifies.");
  return { claims: /** @type {LeaseClaims} */ (claims), kid: lease.header.kid, pin: { uuid: subject, x: key.x } };
}

// --- storage: IndexedDB, or memory where that is blocked ---

/** @type {(keyof Kept)[]} */
const STORES = ["facts", "leases", "outbox"];
/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

class Memory {
  constructor() {
    this.stores = { facts: new Map(), leases: new Map(), outbox: new Map() };
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
  }

  // One after another, as transactions are.
  /**
   * @template T
   * @param {(of: Stores) => Promise<T>} work
   * @returns {Promise<T>}
   */
  run(work) {
    /** @type {Stores} */
    const of = (name) => {
      const store = this.stores[name];
      return {
        get: async (key) => store.get(key),
        put: async (key, value) => void store.set(key, value),
        drop: async (key) => void store.delete(key),
        all: async () => [...store],
      };
    };
    const result = this.queue.then(() => work(of));
    this.queue = result.catch(() => null);
    return result;
  }
}

class Database {
  /** @param {IDBDatabase} db */
  constructor(db) {
    this.db = db;
  }

  /** @param {string} name */
  static async open(name) {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    const db = await new Promise((resolve, reject) => {
      request.onblocked = () => reject(new Error("another version is open"));
      done(request).then(resolve, reject);
    });
    db.onversionchange = () => db.close();
    return new Database(db);
  }

  /**
   * @template T
   * @param {(of: Stores) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async run(work) {
    const transaction = this.db.transaction(STORES, "readwrite", { durability: "strict" });
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error("undone"));
    });
    ended.catch(() => null);
    /** @type {Stores} */
    const of = (name) => {
      const store = transaction.objectStore(name);
      return {
        get: (key) => done(store.get(key)),
        put: (key, value) => done(store.put(value, key)),
        drop: (key) => done(store.delete(key)),
        all: async () => {
          const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
          return keys.map((key, i) => [String(key), values[i]]);
        },
      };
    };
    try {
      const result = await work(of);
      await ended;
      return result;
    } catch (error) {
      try {
        transaction.abort();
      } catch {
        /* it has ended already */
      }
      throw error;
    }
  }
}

export class LtsClient {
  // Use `LtsClient.open`. `options` as in lts-client.d.ts.
  /**
   * @param {string} key
   * @param {LtsOptions} options
   */
  constructor(key, options) {
    /** @private */
    this.key = readKey(key);
    /** @private */
    this.options = {
      deploymentType: "browser",
      storage: "lts-client",
      timeout: 5000,
      startTimeout: 10000,
      reportEvery: 180000,
      clock: () => Date.now(),
      fetch: (/** @type {RequestInfo | URL} */ url, /** @type {RequestInit | undefined} */ init) => globalThis.fetch(url, init),
      ...options,
    };
    if (!this.options.product) throw new LtsError("Name the product.");
    if (!this.options.vendorKey && !this.options.allowPinned)
      throw new NotTrusted("Give the vendor's public key, or allowPinned: true to trust the first server contacted.");
    if (this.options.vendorKey && !isKey(this.options.vendorKey))
      throw new NotTrusted(
        `vendorKey is ${JSON.stringify(this.options.vendorKey)}, which is no vendor's public key: 43 letters, digits, - and _. Copy it whole from the vendor, or from what the demo or the sandbox prints.`,
      );
    /** @type {string | null} */
    this.storageFault = null;
    this.deviceId = "";
    /**
     * @private
     * @type {Memory | Database}
     */
    this.store = new Memory();
    /**
     * @private
     * @type {string | null}
     */
    this.leaseServer = null;
    /** @private */
    this.stopped = false;
    /**
     * @private
     * @type {ReturnType<typeof setTimeout> | undefined}
     */
    this.timer = undefined;
    /**
     * @private
     * @type {LeaseClaims | null}
     */
    this.claims = null;
    /** @private */
    this.offset = 0;
    /** @private */
    this.seen = 0;
    /**
     * What a server told in the present flush (UTC seconds), 0 if none did.
     * @private
     */
    this.told = 0;
    /** @private */
    this.last = 0;
    /** @private */
    this.moved = false;
    /**
     * @private
     * @type {Map<string, { jti: string, count: number, named: string }>}
     */
    this.pending = new Map();
    /**
     * What this page used in the present slot.
     * @private
     * @type {{ slot: number, counts: Map<string, number> }}
     */
    this.sums = { slot: 0, counts: new Map() };
    /**
     * @private
     * @type {Promise<unknown>}
     */
    this.busy = Promise.resolve();
    /**
     * @private
     * @type {Promise<void> | null}
     */
    this.saving = null;
  }

  // What a license key holds: {s: URLs, o: organization, h: handshake code, p: session password, k: vendor key id,
  // f: fingerprint}.
  /** @param {string} text */
  static readKey(text) {
    const { s, o = null, h = null, p = null, k = null, f = null } = readKey(text);
    return { s, o, h, p, k, f };
  }

  /**
   * @param {string} key
   * @param {LtsOptions} options
   */
  static async open(key, options) {
    const client = new LtsClient(key, options);
    try {
      client.store = await Database.open(client.options.storage);
    } catch (error) {
      client.storageFault = `This browser keeps nothing for this page (${wordsOf(error)}): each visit is a device of its own.`;
    }
    await client.#restore();
    if (client.options.reportEvery) client.#reportOn();
    return client;
  }

  async #restore() {
    const kept = await this.store.run(async (of) => {
      const facts = of("facts");
      let device = await facts.get("device");
      if (!device) {
        device = this.options.deviceId ?? newUuid();
        await facts.put("device", device);
      }
      const jti = await facts.get("lease");
      return {
        device,
        offset: await facts.get("offset"),
        seen: await facts.get("seen"),
        certificates: await facts.get("certificates"),
        lease: jti && (await of("leases").get(jti)),
      };
    });
    this.deviceId = this.options.deviceId ?? kept.device;
    this.offset = kept.offset ?? 0;
    this.seen = kept.seen ?? 0;
    if (!kept.lease || !kept.certificates) return;
    try {
      this.claims = await this.#verify(kept.lease.text, kept.certificates);
      this.leaseServer = kept.lease.server;
    } catch (error) {
      if (!(error instanceof NotTrusted)) throw error;
    }
  }

  // UTC seconds by the server's clock as last received; setting the local clock back gains nothing.
  now() {
    this.seen = Math.max(Math.floor(this.options.clock() / 1000) + this.offset, this.claims?.iat ?? 0, this.seen);
    return this.seen;
  }

  // The claims of the current lease, null before the first authorization or once it has ended.
  /** @returns {LeaseClaims | null} */
  get lease() {
    return this.claims && this.now() < this.claims.exp ? this.claims : null;
  }

  // Whether the current lease covers a module now; contacts no server.
  /** @param {string} module */
  allowed(module) {
    return Boolean(this.lease?.items.some((item) => item.modules.includes(module)));
  }

  // Count usage in the current slot; does not wait. It is being written to disk when this returns, and is stored once
  // `saved()` is done. What no server would count is refused.
  /** @param {string} type */
  use(type, count = 1) {
    if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) throw new RangeError(`count is a whole number from 1 to ${MAX_COUNT}.`);
    const lease = this.lease;
    if (!lease) throw new Refused(111, "There is no lease at hand; authorize first.");
    const name = typeName(type);
    const covers = lease.items.find((one) => one.modules.includes(name));
    if (!covers && showsNothing(name)) throw new RangeError("A type name has a visible character.");
    const item = covers ?? lease.items[0];
    const slot = Math.floor(this.now() / SLOT);
    const rest = [slot, name];
    const named = JSON.stringify([lease.hs, item.itemId, ...rest]);
    const key = Number.isInteger(lease.code) ? JSON.stringify([lease.code, `${item.licenseId}\n${item.itemId}`, ...rest]) : named;
    if (slot !== this.sums.slot) this.sums = { slot, counts: new Map() };
    const sum = (this.sums.counts.get(key) ?? 0) + count;
    if (sum > MAX_COUNT) throw new RangeError(`${name} was used ${sum - count} times in this slot; it holds ${MAX_COUNT}.`);
    this.sums.counts.set(key, sum);
    const entry = this.pending.get(key) ?? { jti: lease.jti, count: 0, named };
    entry.count += count;
    this.pending.set(key, entry);
    this.#saveSoon();
  }

  #saveSoon() {
    this.saving ??= Promise.resolve().then(() => this.#save());
  }

  // Resolves once everything counted so far is on disk.
  async saved() {
    if (this.pending.size) this.#saveSoon();
    while (this.saving) await this.saving;
  }

  async #save() {
    const taken = this.pending;
    this.pending = new Map();
    let good = false;
    try {
      await this.store.run(async (of) => {
        const outbox = of("outbox");
        for (const [key, { jti, count, named }] of taken) {
          const old = key === named ? null : await outbox.get(named); // counted by names, before the server sent numbers
          const before = (await outbox.get(key)) ?? { jti: old?.jti ?? jti, count: 0, sent: 0 };
          const sum = before.count + count + (old?.count ?? 0);
          if (sum > MAX_COUNT) console.error(`Usage over ${MAX_COUNT} of a type in a slot was dropped: ${sum - MAX_COUNT} units`);
          await outbox.put(key, { ...before, count: Math.min(sum, MAX_COUNT), sent: Math.max(before.sent, old?.sent ?? 0) });
          if (old) await outbox.drop(named);
        }
        await of("facts").put("seen", this.seen);
      });
      if (this.store instanceof Database) this.storageFault = null;
      good = true;
    } catch (error) {
      this.storageFault = `Usage is kept in memory alone (${wordsOf(error)}).`;
      for (const [key, { count, ...rest }] of taken) {
        const later = this.pending.get(key) ?? { ...rest, count: 0 };
        this.pending.set(key, { ...later, count: later.count + count });
      }
    } finally {
      this.saving = null;
      if (good && this.pending.size) this.#saveSoon(); // counted meanwhile
    }
  }

  // Get a lease, or keep the current one if no server answers. Rejects with Refused, Unreachable, NotTrusted.
  /** @returns {Promise<LeaseClaims>} */
  authorize() {
    return this.#inTurn(() => this.#authorize());
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #inTurn(work) {
    const result = this.busy.then(work);
    this.busy = result.catch(() => null);
    return result;
  }

  /** @returns {Promise<LeaseClaims>} */
  async #authorize() {
    const { product, version, edition, deploymentType, chargeWay, modules, validation } = this.options;
    const token = (await this.#fact("chain")) ?? null;
    const asked = {
      product,
      version,
      edition,
      deploymentType,
      chargeWay,
      modules,
      validation: validation ?? { domain: globalThis.location?.hostname || null },
    };
    const body = {
      ...asked,
      handshakeCode: this.key.h ?? null,
      organizationId: this.key.o ?? null,
      sessionPassword: this.key.p ?? null,
      deviceId: this.deviceId,
      ...tokenNames(token),
      clientTime: new Date(this.options.clock()).toISOString(),
      clientName: NAME,
    };
    let found;
    try {
      found = await this.#call("authorize", body);
    } catch (error) {
      if (error instanceof Unreachable && this.lease) return this.lease;
      throw error;
    }
    const [server, answer] = found;
    const claims = isText(answer.lease) && (await this.#take(server, answer, token, answer.lease, answer.certificates));
    if (!claims) throw new Unreachable("The server's answer holds no lease; check the server's URL.");
    return claims;
  }

  // Report all unsent usage, or a sign of life; resolves to the server's results.
  /** @returns {Promise<ReportResult[]>} */
  flush() {
    return this.#inTurn(() => this.#flush());
  }

  /** @returns {Promise<ReportResult[]>} */
  async #flush() {
    await this.saved();
    this.told = 0;
    /** @type {[string, number][]} */
    const confirmed = [];
    const [waiting, lease] = await this.store.run(async (of) => {
      const leases = of("leases");
      const current = await leases.get((await of("facts").get("lease")) ?? "");
      /** @type {Map<string, Line[]>} */
      const groups = new Map();
      const all = (await of("outbox").all()).map(([key, entry]) => ({ key, entry, slot: JSON.parse(key)[2], type: JSON.parse(key)[3] }));
      all.sort((a, b) => a.slot - b.slot);
      let left = all.filter(({ entry }) => entry.count > entry.sent).length;
      let spare = all.length - left - MOST_KEPT;
      for (const { key, entry, slot, type } of all) {
        if (entry.count <= entry.sent) {
          if (spare-- > 0) await of("outbox").drop(key);
          else confirmed.push([key, slot]);
          continue;
        }
        if (left-- > MOST_KEPT) {
          tellDropped("-", slot, "No server took it for long.");
          await of("outbox").drop(key);
          continue;
        }
        const text = ((await leases.get(entry.jti)) ?? current)?.text;
        if (!text) continue;
        const lines = groups.get(text) ?? [];
        groups.set(text, lines);
        let line = lines.at(-1);
        if (!line || line.slot !== slot || line.keys.length === MAX_TYPES) {
          line = { slot, usage: Object.create(null), keys: [] };
          lines.push(line);
        }
        line.usage[type] = Math.min(entry.count, MAX_COUNT);
        line.keys.push([key, entry.count]);
      }
      return [groups, current];
    });
    /** @type {ReportResult[]} */
    let results = [];
    /** @type {Refused[]} */
    const refusals = [];
    for (const [text, lines] of waiting)
      for (let at = 0; at < lines.length; at += MOST_SLOTS) results = results.concat(await this.#sendOrKeep(text, lines.slice(at, at + MOST_SLOTS), refusals));
    if (!waiting.size && lease) results.push(...(await this.#send(lease.text, [{ slot: Math.floor(this.now() / SLOT), usage: {}, keys: [] }])).results);
    await this.#forget(confirmed);
    if (this.moved)
      await this.#authorize().then(
        () => {
          this.moved = false;
        },
        () => null,
      ); // the lease at hand is good until it ends
    if (refusals.length) throw refusals[0];
    return results;
  }

  // No server takes more for so old a slot. Only a server's time says so: by a clock that is ahead, the present slot
  // would begin again from 0.
  /** @param {[string, number][]} confirmed */
  async #forget(confirmed) {
    const old = confirmed.filter(([, slot]) => slot < Math.floor(this.told / SLOT) - KEPT_SLOTS);
    if (old.length)
      await this.store.run(async (of) => {
        for (const [key] of old) await of("outbox").drop(key);
      });
  }

  // A report that the server does not accept must not block the others: its refusal joins `refusals`, unless the lease
  // is unknown (141). What the server can never read is dropped; so that a refused name takes no other with it, an
  // entry of several is sent once more, one for each.
  /**
   * @param {string} text
   * @param {Line[]} lines
   * @param {Refused[]} refusals
   * @returns {Promise<ReportResult[]>}
   */
  async #sendOrKeep(text, lines, refusals) {
    /** @type {ReportResult[]} */
    let results = [];
    let together = lines;
    try {
      ({ results, together } = await this.#send(text, lines));
    } catch (error) {
      if (!(error instanceof Refused) || TRY_OTHER.has(error.code)) throw error;
      const { code, message, field } = error;
      const unreadable = code === 140 && String(field).startsWith("reports[");
      if (!unreadable || lines.every(({ keys }) => keys.length === 1)) {
        if (code !== 141) refusals.push(error);
        if (unreadable)
          await this.store.run(async (of) => {
            for (const { slot, keys } of lines) {
              for (const [key] of keys) await of("outbox").drop(key);
              tellDropped(code, slot, message);
            }
          });
        return lines.map(({ slot }) => ({ slot: iso(slot), status: "rejected", code, detail: message }));
      }
    }
    const apart = together.flatMap(({ slot, usage, keys }) =>
      keys.map(([key, count]) => {
        const type = JSON.parse(key)[3];
        return { slot, usage: { [type]: usage[type] }, keys: /** @type {[string, number][]} */ ([[key, count]]) };
      }),
    );
    for (let at = 0; at < apart.length; at += MOST_SLOTS) results = results.concat(await this.#sendOrKeep(text, apart.slice(at, at + MOST_SLOTS), refusals));
    return results;
  }

  /**
   * @param {string} text
   * @param {Line[]} lines
   * @returns {Promise<{ results: ReportResult[], together: Line[] }>} the server's results, and the lines to send apart, which have none
   */
  async #send(text, lines) {
    const token = (await this.#fact("chain")) ?? null;
    const reports = lines.map(({ slot, usage }) => ({ slot: iso(slot), usage }));
    const [server, answer] = await this.#call("report", { lease: text, ...tokenNames(token), reports });
    const given = Array.isArray(answer.results) ? answer.results : [];
    const ofName = (/** @type {any} */ { status, code }, /** @type {number} */ i) =>
      status === "rejected" && (code === 140 || code === 144) && lines[i]?.keys.length > 1;
    const results = given.filter((result, i) => !ofName(result, i));
    const together = lines.filter((_, i) => given[i] && ofName(given[i], i));
    const apart = new Set(together);
    await this.store.run(async (of) => {
      const outbox = of("outbox");
      for (const [i, { status, code, detail }] of given.entries()) {
        if (apart.has(lines[i])) continue;
        const dropped = status !== "counted" && status !== "unchanged" && code !== 142;
        if (dropped && lines[i]?.keys.length) tellDropped(code, lines[i].slot, detail);
        for (const [key, sent] of lines[i]?.keys ?? []) {
          const entry = await outbox.get(key);
          if (!entry) continue;
          if (dropped) await outbox.drop(key);
          else if (code !== 142 && answer.durable !== "local") await outbox.put(key, { ...entry, sent: Math.max(entry.sent, sent) });
        }
      }
    });
    const known = isText(answer.lease) ? (await this.#fact("chains"))?.[readJws(answer.lease, LEASE).header.kid] : undefined;
    await this.#take(server, answer, token, known ? answer.lease : null, known);
    this.moved = !known && (isText(answer.lease) || server !== this.leaseServer);
    return { results, together };
  }

  // Report unsent usage, then return the seat.
  /** @returns {Promise<void>} */
  release() {
    return this.#inTurn(async () => {
      const lease = await this.store.run(async (of) => of("leases").get((await of("facts").get("lease")) ?? ""));
      if (!lease) return;
      await this.#flush();
      await this.#call("release", { lease: lease.text });
      await this.store.run((of) => of("facts").put("lease", ""));
      this.claims = null;
    });
  }

  // Stop reporting; unsent usage is on disk and is sent at the next visit.
  async close() {
    clearTimeout(this.timer);
    this.stopped = true;
    await this.saved();
    if (this.store instanceof Database) this.store.db.close();
  }

  #reportOn() {
    const next = () => {
      if (this.stopped) return;
      this.timer = setTimeout(
        async () => {
          try {
            await this.flush();
            if (!this.lease) await this.authorize();
          } catch (error) {
            if (!(error instanceof LtsError)) console.error(error); // ours are said by the next call that needs a lease
          }
          next();
        },
        this.options.reportEvery * (0.9 + Math.random() * 0.2),
      );
    };
    next();
  }

  /**
   * @template {keyof Kept["facts"] & string} K
   * @param {K} name
   */
  #fact(name) {
    return this.store.run((of) => of("facts").get(name));
  }

  // Store what an answer contains: the server's time, the next clone token, maybe a lease.
  /**
   * @param {string} server
   * @param {Answer} answer
   * @param {string | null} sentToken
   * @param {string | null} text of a lease
   * @param {string[]} [certificates]
   * @returns {Promise<LeaseClaims | null>}
   */
  async #take(server, answer, sentToken, text, certificates = []) {
    const seconds = Date.parse(answer.serverTime) / 1000;
    if (!Number.isInteger(seconds)) throw new Unreachable("The server's answer does not give its time; check the server's URL.");
    this.offset = seconds - Math.floor(this.options.clock() / 1000);
    this.seen = this.told = seconds;
    const found = text ? await this.#verifyWhole(text, certificates) : null;
    if (found) {
      this.claims = found.claims;
      this.leaseServer = server;
    }
    await this.store.run(async (of) => {
      const facts = of("facts");
      await facts.put("offset", this.offset);
      await facts.put("seen", this.seen);
      if (((await facts.get("chain")) ?? null) === sentToken) await facts.put("chain", answer.cloneToken ?? answer.chain); // of parallel answers one wins
      if (!found) return;
      await facts.put("lease", found.claims.jti);
      await facts.put("certificates", certificates);
      await facts.put("chains", { ...(await facts.get("chains")), [found.kid]: certificates });
      if (!this.options.vendorKey) await facts.put(`pin ${found.pin.uuid}`, found.pin.x);
      const leases = of("leases");
      const waits = new Set((await of("outbox").all()).map(([, entry]) => entry.jti));
      for (const [jti, { kept }] of await leases.all()) if (kept < this.seen - LEASES_KEPT && !waits.has(jti)) await leases.drop(jti);
      if (text) await leases.put(found.claims.jti, { text, server, kept: this.seen });
    });
    return found ? found.claims : null;
  }

  /**
   * @param {string} text
   * @param {string[]} certificates
   */
  async #verify(text, certificates) {
    return (await this.#verifyWhole(text, certificates)).claims;
  }

  /**
   * @param {string} text
   * @param {string[]} certificates
   */
  async #verifyWhole(text, certificates) {
    let found;
    try {
      found = await verifyLease(text, certificates, this.options.vendorKey ?? null);
    } catch (error) {
      if (!(error instanceof NotTrusted) || !this.options.vendorKey || !this.options.allowPinned) throw error;
      found = await verifyLease(text, certificates, null);
    }
    if (found.claims.sub.toLowerCase() !== this.deviceId.toLowerCase()) throw new NotTrusted("The server's lease is for another device.");
    const pinned = this.options.vendorKey ? null : await this.#fact(`pin ${found.pin.uuid}`);
    if (pinned && pinned !== found.pin.x) throw new NotTrusted(`The server ${found.pin.uuid} shows another key than the one pinned at first.`);
    return found;
  }

  // [server, answer] of POST /api/v1/`name`: main, then standby, with short timeouts.
  /**
   * @param {string} name
   * @param {object} body
   * @returns {Promise<[string, Answer]>}
   */
  async #call(name, body) {
    const urls = this.key.s.map((url) => url.replace(/\/+$/, ""));
    const order = [this.last, ...urls.keys()].filter((index, at, all) => all.indexOf(index) === at);
    const end = Date.now() + this.options.startTimeout;
    let fault = null;
    for (const index of order) {
      const left = end - Date.now();
      if (fault && left <= 0) break;
      try {
        const answer = await this.#ask(`${urls[index]}/api/v1/${name}`, body, Math.max(1, Math.min(this.options.timeout, left)));
        this.last = index;
        return [urls[index], answer];
      } catch (error) {
        if (!(error instanceof Unreachable) && !(error instanceof Refused && TRY_OTHER.has(error.code))) throw error;
        fault = error instanceof Refused || !fault ? error : fault;
      }
    }
    throw fault;
  }

  /**
   * @param {string} url
   * @param {object} body
   * @param {number} timeout
   * @returns {Promise<Answer>}
   */
  async #ask(url, body, timeout) {
    const text = JSON.stringify(body);
    const keepalive = globalThis.document?.visibilityState === "hidden" && text.length < 60000;
    let answer;
    let said;
    try {
      answer = await this.options.fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: text,
        redirect: "error",
        credentials: "omit",
        cache: "no-store",
        keepalive,
        signal: AbortSignal.timeout(timeout),
      });
      said = await answer.text();
    } catch (error) {
      throw new Unreachable(`${url} cannot be reached (${wordsOf(error)}).`);
    }
    if (answer.status === 204) return {};
    let found = null;
    try {
      found = JSON.parse(said);
    } catch {
      // reported below: it is not an answer of LTS
    }
    const isObject = found && typeof found === "object" && !Array.isArray(found);
    if (isObject && answer.status === 200) return found;
    if (!isObject || !Number.isInteger(found.code))
      throw new Unreachable(`${url} answered ${answer.status} with something that is not from LTS; check the server's URL.`);
    throw new Refused(found.code, String(found.detail ?? ""), String(found.requestId ?? "-"), found.field ?? null);
  }
}

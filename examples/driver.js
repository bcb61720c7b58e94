// The driver of the browser library for `lts conformance`: `drive(call)` answers a JSON object with a JSON object.
/**
 * @typedef {{ licenseKey: string, product: string, vendorKey: string, deviceId: string, now: number }} Opening
 * @typedef {{ do: string } & Opening & Record<string, any>} Call what `lts conformance` wants done, with its fields
 */
import { LtsClient, LtsError, Refused, verifyLease } from "./lts-client.js";

/** @type {LtsClient} */
let client;
/** @type {Opening} */
let opened;
let now = 0;
let number = 0;

const make = () =>
  LtsClient.open(opened.licenseKey, {
    product: opened.product,
    vendorKey: opened.vendorKey,
    deviceId: opened.deviceId,
    storage: `driver-${number}`,
    deploymentType: "desktop",
    reportEvery: 0,
    timeout: 3000,
    clock: () => now * 1000,
  });

/** @type {Record<string, (call: Call) => unknown>} */
const calls = {
  key: ({ text }) => LtsClient.readKey(text),
  verify: ({ lease, certificates, vendorKey }) =>
    verifyLease(lease, certificates, vendorKey).then(
      () => true,
      () => false,
    ),
  open: async (call) => {
    await client?.close();
    number += 1;
    opened = call;
    now = call.now;
    client = await make();
    return true;
  },
  reopen: async () => {
    await client.saved();
    client = await make();
    return true;
  },
  clock: (call) => {
    now = call.now;
    return true;
  },
  authorize: async () => {
    await client.authorize();
    return true;
  },
  allowed: ({ module }) => client.allowed(module),
  use: ({ type, count }) => {
    client.use(type, count);
    return true;
  },
  flush: () => client.flush(),
  release: async () => {
    await client.release();
    return true;
  },
};

/** @param {Call} call */
export async function drive(call) {
  try {
    return { ok: await calls[call.do](call) };
  } catch (error) {
    if (call.do === "key") return { ok: null };
    if (call.do === "use" && error instanceof RangeError) return { error: "Invalid" };
    if (!(error instanceof LtsError)) throw error;
    return { error: error.name, ...(error instanceof Refused ? { code: error.code } : {}) };
  }
}

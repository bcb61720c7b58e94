/** What an application requests, and how the client works. Times are in milliseconds unless stated otherwise. */
export interface LtsOptions {
  /** The product's name, as in the license. */
  product: string;
  version?: string;
  edition?: string;
  /** Default "browser". */
  deploymentType?: "browser" | "mobile" | "server" | "desktop" | "embedded";
  /** Requested modules; none = all of the first license item that fits. */
  modules?: string[];
  chargeWay?: string;
  /** Default: the page's domain. */
  validation?: { domain?: string | null; applicationId?: string | null; processName?: string | null };
  /** The vendor's public key (JWK x). Leases are verified against it. */
  vendorKey?: string;
  /** Trust the first server contacted, and store its key. Needed without vendorKey. */
  allowPinned?: boolean;
  /** Identity of the device; default: a random one, stored. */
  deviceId?: string;
  /** Name of the IndexedDB database. Default "lts-client". */
  storage?: string;
  /** Longest time of one request. Default 5000. */
  timeout?: number;
  /** Longest time of a call that tries several servers. Default 10000. */
  startTimeout?: number;
  /** How often usage is reported; 0 = only by flush(). Default 180000. */
  reportEvery?: number;
  clock?: () => number;
  fetch?: typeof fetch;
}

export interface LeaseItem {
  itemId: string;
  licenseId: string;
  product: string;
  modules: string[];
  chargeWay: string;
  instances: number;
  grace: boolean;
  /** Seats or units that the item grants. */
  grant: number;
}

/** Claims of a lease; times in UTC seconds. */
export interface LeaseClaims {
  iss: string;
  sub: string;
  jti: string;
  iat: number;
  nbf: number;
  exp: number;
  hs: string;
  items: LeaseItem[];
  serial: number;
  /** Names the server's change feed, together with `iss`; servers of 0.1 omit it. */
  origin?: string;
  /** Eight hex digits of the feed's hash at `serial`. */
  head?: string;
  /** The handshake code's number. */
  code?: number;
  /** Time of the original authorization. */
  auth_time?: number;
  /** For the server. */
  asked?: Record<string, unknown>;
  /** If a report renewed the lease: the receipt of that report. */
  receipt?: { body: string; results: string; durable: "both" | "local" | "single" };
}

export interface ReportResult {
  slot: string;
  status: "counted" | "unchanged" | "rejected";
  code?: number | null;
  detail?: string | null;
}

export class LtsError extends Error {
  constructor(message: string);
}
/** The server refused; `number` = -20000 - code. */
export class Refused extends LtsError {
  constructor(code: number, message: string, requestId?: string, field?: string | null);
  code: number;
  number: number;
  requestId: string;
  field: string | null;
  advice: string;
}
/** No license server answered; the stored lease works until its end. */
export class Unreachable extends LtsError {}
/** An answer that does not verify. */
export class NotTrusted extends LtsError {}

export class LtsClient {
  private constructor();
  /** Rejects with Refused 101 for a damaged license key, NotTrusted without vendorKey or allowPinned, or for an invalid vendorKey. */
  static open(licenseKey: string, options: LtsOptions): Promise<LtsClient>;
  /** The fields of a license key. Throws Refused 101 if it is damaged. */
  static readKey(text: string): { s: string[]; o: string | null; h: string | null; p: string | null; k: string | null; f: string | null };
  readonly deviceId: string;
  /** Why identity and usage are kept only in memory; null if they are stored. */
  readonly storageFault: string | null;
  readonly lease: LeaseClaims | null;
  /** UTC seconds by the server's clock. */
  now(): number;
  allowed(module: string): boolean;
  /** Throws Refused 111 without a lease, RangeError for what no server counts: a wrong name or count, or over 1,000,000
   * in the slot. */
  use(type: string, count?: number): void;
  saved(): Promise<void>;
  authorize(): Promise<LeaseClaims>;
  /** Rejects with Refused or Unreachable; a refusal of what waits under one lease comes once all were sent. What the
   * server can never count is dropped and said on the console. */
  flush(): Promise<ReportResult[]>;
  release(): Promise<void>;
  close(): Promise<void>;
}

/** A lease's verified claims: signed by the last key of the chain that begins with the vendor's. */
export function verifyLease(
  lease: string,
  certificates: string[],
  vendorKey?: string | null,
): Promise<{ claims: LeaseClaims; kid: string; pin: { uuid: string; x: string } }>;

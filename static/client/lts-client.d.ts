/** What an application asks for, and how the client works. Times in milliseconds unless said otherwise. */
export interface LtsOptions {
  /** The product's name as the license has it. */
  product: string;
  version?: string;
  edition?: string;
  /** Default "browser". */
  deploymentType?: "browser" | "mobile" | "server" | "desktop" | "embedded";
  /** Modules wanted; none = all of the first license item that fits. */
  modules?: string[];
  chargeWay?: string;
  /** Default: the page's domain. */
  validation?: { domain?: string | null; applicationId?: string | null; processName?: string | null };
  /** The vendor's public key (JWK x). Leases are verified against it. */
  vendorKey?: string;
  /** Trust the first server met, and keep its key. Needed without vendorKey. */
  allowPinned?: boolean;
  /** Identity of the device; default: a random one, kept. */
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
  /** Names the server's change feed, together with `iss`; servers of 0.1 leave it out. */
  origin?: string;
  /** Eight hex digits of the feed's hash at `serial`. */
  head?: string;
  /** The handshake code's number. */
  code?: number;
  /** When the authorization was that the lease stems from. */
  auth_time?: number;
  /** For the server. */
  asked?: Record<string, unknown>;
  /** Where a report renewed the lease: what the server says of that report. */
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
/** The server said no; `number` = -20000 - code. */
export class Refused extends LtsError {
  constructor(code: number, message: string, requestId?: string, field?: string | null);
  code: number;
  number: number;
  requestId: string;
  field: string | null;
  advice: string;
}
/** No server answered as one; the lease at hand goes on until its end. */
export class Unreachable extends LtsError {}
/** An answer that does not verify. */
export class NotTrusted extends LtsError {}

export class LtsClient {
  private constructor();
  /** Rejects with Refused 101 for a damaged license key, NotTrusted without vendorKey or allowPinned, or for a vendorKey that is none. */
  static open(licenseKey: string, options: LtsOptions): Promise<LtsClient>;
  /** What a license key holds. Throws Refused 101 when it is damaged. */
  static readKey(text: string): { s: string[]; o: string | null; h: string | null; p: string | null; k: string | null; f: string | null };
  readonly deviceId: string;
  /** Why identity and usage are kept in memory alone; null when all is well. */
  readonly storageFault: string | null;
  readonly lease: LeaseClaims | null;
  /** UTC seconds by the server's clock. */
  now(): number;
  allowed(module: string): boolean;
  /** Throws Refused 111 without a lease, RangeError for a wrong count. */
  use(type: string, count?: number): void;
  saved(): Promise<void>;
  authorize(): Promise<LeaseClaims>;
  flush(): Promise<ReportResult[]>;
  release(): Promise<void>;
  close(): Promise<void>;
}

/** A lease's claims, believed: signed by the last key of the chain that begins at the vendor's. */
export function verifyLease(
  lease: string,
  certificates: string[],
  vendorKey?: string | null,
): Promise<{ claims: LeaseClaims; kid: string; pin: { uuid: string; x: string } }>;

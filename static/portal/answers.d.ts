/** What the administrators' API answers. Times are RFC 3339 texts, or UTC seconds where they are numbers. */
declare namespace Api {
  type Role = "administrator" | "reader";
  interface Account {
    user: string;
    role: Role;
    csrf: string;
    setUpNeeded: boolean;
  }
  type Session = Account | { user: null; role: null; csrf: null; setUpNeeded: boolean };
  interface Notice {
    code: string;
    detail: string;
    level: "error" | "warning" | "hint";
    params: Record<string, string | number | null | undefined> & { until?: string; days?: number | null };
  }
  interface Status {
    status: string;
    version: string;
    role: "main" | "standby" | "single";
    pair: Pair | null;
    serverUuid: string;
    previousUuids: string[];
    binding: string;
    url: string;
    time: string;
    clock: { highest: string; unconfirmed: boolean };
    serial: number;
    items: number;
    handshakeCodes: number;
    organizations: string[];
  }
  interface Home extends Status {
    attention: Notice[];
    usage: Overview;
  }
  type Units = Record<string, number>;
  /** A day or an hour; null is what nobody counts of this subject. */
  interface Line {
    units: Units;
    devices: number | null;
    concurrent: number | null;
    authorizations: number | null;
    reports: number | null;
    refused: Units | null;
  }
  interface DayLine extends Line {
    day: string;
  }
  interface HourLine extends Line {
    hour: number;
  }
  interface Overview {
    zone: "UTC";
    today: string;
    firstDay: string | null;
    from: string;
    to: string;
    /** Those of `all` in its order, which an object of JavaScript does not keep: "128" would come first. */
    types: string[];
    all: Units;
    period: Units;
    days: DayLine[];
  }
  interface Hours {
    zone: "UTC";
    day: string;
    units: Units;
    hours: HourLine[];
  }
  interface SubjectItem {
    id: number;
    itemId: string;
    licenseId: string;
    description: string;
    archived: boolean;
  }
  interface SubjectCode {
    id: number;
    name: string;
    organizationId: string;
    removed: boolean;
  }
  interface Subjects {
    handshakeCodes: SubjectCode[];
    items: SubjectItem[];
  }
  interface UsageRow {
    group: string;
    type: string;
    units: number;
  }
  interface SummedItem {
    id: number;
    itemId: string;
    licenseId: string;
    organizationId: string;
  }
  interface Usage {
    by: string;
    types: string[];
    rows: UsageRow[];
    groups: number;
    sums: Units;
    total: number;
    items: SummedItem[] | null;
    zone: "UTC";
  }
  type ItemState = "active" | "grace" | "pending" | "expired" | "revoked" | "invalid" | "archived";
  interface Item {
    id: number;
    itemId: string;
    licenseId: string;
    organizationId: string;
    description: string;
    product: string;
    productVersions: string[];
    editions: string[];
    deploymentTypes: string[];
    modules: string[];
    domains: string[];
    chargeWay: string;
    quota: number;
    grace: number;
    graceDays: number;
    activePeriod: string;
    maxOfflineDays: number | null;
    trial: boolean;
    used: number;
    /** Of ways that count what is active at the same time. */
    overdraft?: number;
    overdraftSpent?: number;
    startsAt: number;
    expiresAt: number | null;
    daysLeft: number | null;
    state: ItemState;
    reason: string | null;
    handshakeCodes: string[];
    codes: number[];
    usedUpOn: string | null;
  }
  interface LinkedItem {
    id: number;
    itemId: string;
    licenseId: string;
    archived: boolean;
    cap: number | null;
  }
  interface Validation {
    domains: string[];
    applicationIds: string[];
    processNames: string[];
  }
  interface Code {
    id: number;
    name: string;
    custom: string;
    organizationId: string;
    note: string;
    isDefault: boolean;
    hasPassword: boolean;
    manualOrder: boolean;
    validation: Validation;
    items: LinkedItem[];
    /** Of administrators that ask for keys. */
    licenseKey?: string;
  }
  interface CodeUse {
    name: string;
    seats: number;
    reported: number;
    devices: number;
    authorizations: number;
    days: number;
  }
  interface SavedCode {
    name: string;
    id: number;
    organizationId: string;
    notices: Notice[];
  }
  interface ServerUrls {
    urls: string[];
    set: boolean;
    notices: string[];
  }
  interface Seat {
    item: number;
    itemId: string;
    /** null of an item that is not known here. */
    chargeWay: string | null;
    handshakeCodes: string[];
    instances: number;
    until: string;
    live: boolean;
    grace: boolean;
    released: boolean;
  }
  interface Clone {
    flagged: boolean;
    refused: boolean;
    copies: number;
  }
  interface Device {
    deviceId: string;
    lastContact: string;
    clone: Clone;
    alike: number;
    seats: Seat[];
  }
  interface Verdict {
    itemId: string;
    code: number;
    chargeWay: string | null;
    cap: { cap: number; used: number } | null;
  }
  interface AskedRequest {
    call?: string;
    device?: string | null;
    product?: string;
    version?: string | null;
    edition?: string | null;
    deploymentType?: string;
    chargeWay?: string | null;
    modules?: string[];
    instances?: number;
    client?: string | null;
  }
  interface RefusedRequest {
    time: string;
    requestId: string;
    code: number;
    detail: string;
    handshakeCode: string | null;
    asked: AskedRequest;
    items: Verdict[];
    moreItems: number;
  }
  interface AuditLine {
    time: string;
    server: string;
    actor: string;
    action: string;
    subject: string;
    detail: Record<string, unknown>;
    overruled: boolean;
  }
  interface Mail {
    host: string;
    port: number;
    security: "tls" | "starttls" | "none";
    caFile: string;
    user: string;
    hasPassword: boolean;
    from: string;
    to: string;
    cc: string;
    bcc: string;
    language: Language;
  }
  type Language = "en" | "zh";
  interface Tested {
    sentTo: string[];
    refused: Record<string, string>;
  }
  interface Webhook {
    id: string;
    name: string;
    url: string;
  }
  type Levels = Record<string, number[]>;
  interface Alerts {
    mail: Mail | null;
    levels: Levels;
    webhooks: Webhook[];
  }
  interface AlertEvent {
    kind: string;
    level: number;
    params: Record<string, unknown> & { expiresAt?: number; graceEnds?: number; day?: number };
    text: string;
    textZh: string;
  }
  interface Channel {
    channel: string;
    name?: string | null;
    outcome: string;
    time: string | null;
    detail: string;
    tries: number;
    next: string | null;
  }
  interface Message {
    id: string;
    time: string;
    events: AlertEvent[];
    channels: Channel[];
  }
  interface Peer {
    url: string;
    serverUuid: string | null;
    fingerprint: string | null;
    offeredFingerprint: string | null;
    role: string | null;
    version: string | null;
    status: string | null;
    lastContactSeconds: number | null;
    clockOffsetSeconds: number | null;
  }
  /** With what the audit log has of it. */
  type PairEvent = { time: string; event: string; serverUuid: string } & Record<string, unknown>;
  interface Pair {
    role: "main" | "standby";
    promoted: boolean;
    status: string;
    epoch: number;
    fingerprint: string;
    inStep: boolean;
    lagChanges: number | null;
    lagSeconds: number | null;
    takeOverAfterSeconds: number;
    peer: Peer;
    delegation: { mainUuid: string; until: string; secondsLeft: number } | null;
    faults: { code: string; detail: string }[];
    notices: { code: string; detail: string }[];
    overshoot: { id: number; itemId: string; seats: number }[];
    history: PairEvent[];
    merged: PairEvent[];
    overruled: number;
  }
  interface SessionLine {
    id: string;
    user: string;
    since: string;
    lastUsed: string;
    address: string;
    agent: string;
    current: boolean;
  }
  interface User {
    name: string;
    role: Role;
    since: string;
    owner: boolean;
  }
  interface Token {
    id: string;
    name: string;
    role: Role;
    since: string;
  }
  interface MadeToken {
    id: string;
    name: string;
    role: Role;
    token: string;
  }
  interface MadeWebhook extends Webhook {
    secret: string;
  }
  interface LicenseUse {
    licenseId: string;
    organizationId: string;
    archived: boolean;
    items: number;
    seats: number;
    handshakeCodes: string[];
  }
  interface Preview {
    licenseId: string;
    alias: string | null;
    organizationId: string;
    revision: number;
    vendor: string;
    servers: string[];
    trusted: boolean;
    fingerprint: string;
    status: string;
    takesBack: boolean;
    added: string[];
    renewed: string[];
    revoked: string[];
    unchanged: string[];
    overQuota: Record<string, number>;
    stops: { itemId: string; why: string; seats: number }[];
    handshakeCode: string | null;
    codeExists: boolean;
    notices: Notice[];
  }
}

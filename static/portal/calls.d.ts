/** Which call of the administrators' API answers what. */
declare namespace Api {
  /** By path of GET. */
  interface Got {
    "/home": Home;
    "/status": Status & { warnings: string[] };
    "/sessions": { sessions: SessionLine[] };
    "/users": { users: User[] };
    "/tokens": { tokens: Token[] };
    "/licenses/items": { items: Item[]; found: number; states: Record<string, number> };
    "/licenses/use": LicenseUse;
    "/handshakes": { handshakeCodes: Code[]; found: number };
    "/server-urls": ServerUrls;
    "/usage": Usage;
    "/statistics": Overview;
    "/statistics/hours": Hours;
    "/statistics/subjects": Subjects;
    "/devices": { devices: Device[]; found: number; time: string };
    "/why": { refused: RefusedRequest[]; found: number };
    "/audit": { lines: AuditLine[]; found: number; actions: string[] };
    "/alerts": Alerts;
    "/alerts/history": { messages: Message[]; found: number };
    [use: `/handshake-use/%23${number}`]: CodeUse;
  }
  /** By path of POST. */
  interface Posted {
    "/alerts/calendar": { path: string };
    "/alerts/test": Tested;
    "/alerts/webhooks": MadeWebhook;
    "/handshakes": SavedCode;
    "/seats/release": { leaseMayRunUntil: string };
    "/tokens": MadeToken;
    "/devices/clear": Device;
    "/licenses/archive": LicenseUse;
    "/pair/approve": object;
    "/pair/promote": object;
    "/password": object;
    "/users": object;
    [test: `/alerts/webhooks/${string}/test`]: object;
  }
}

/** Shapes that the portal's files share; nothing here runs. */
declare namespace Ui {
  /** What a template returns; only the library looks inside. */
  interface View {
    readonly type: unknown;
    readonly props: object;
  }
  type Drawn = View | string | number | boolean | null | undefined | readonly Drawn[];
  /** An error for people: an ApiError, or one that a page found by itself. */
  interface Fault {
    sentence?: string;
    message?: string;
    status?: number;
    code?: string;
    field?: string | null;
    requestId?: string | null;
  }
  type Asked = Record<string, string | number | boolean | null | undefined | readonly string[]>;
  /** The part after ? in the address of a page. */
  type Query = Record<string, string | undefined>;
  interface Load<T> {
    data: T | null;
    error: Fault | null;
    loading: boolean;
    reload: () => Promise<void>;
  }
  interface Sorting {
    q: string;
    sort: string;
    order: "asc" | "desc";
    page: number;
  }
  interface List<T> extends Load<T> {
    asked: Sorting;
    filters: Asked;
    size: number;
    query: Asked;
    search: (q: string) => void;
    filter: (changes: Asked) => void;
    sortBy: (column: string) => void;
    turn: (page: number) => void;
  }
  interface Column<Row> {
    label: string;
    render: (row: Row) => Drawn;
    sort?: string;
    kind?: "num" | "wide" | "name" | "date";
  }
  type Done<T> = { ok: true; result: T; error?: undefined } | { ok: false; error: Fault; result?: undefined };
  interface Action {
    busy: boolean;
    error: Fault | null;
    run: <T>(work: () => T | Promise<T>) => Promise<Done<T>>;
    clear: () => void;
  }
  interface Page {
    query: Query;
    account: Api.Account;
    mayChange: boolean;
  }
  /** Of what figures are: a handshake code or a license item, nothing for all. */
  type Subject = { code?: string; item?: string };
  interface Part {
    name: string;
    values: number[];
    /** Its color. */
    index: number;
  }
  /** Words for a new password that does not do. */
  interface PasswordFault {
    field: "password" | "repeated";
    text: string;
  }
}

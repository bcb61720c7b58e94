/** The view library as the portal uses it; lib.js has the code (tests/javascript). */
type Updater<T> = (next: T | ((before: T) => T)) => void;
type Effect = (() => void) | (() => () => void);
/** A component, a handler or a function of a row: a template says nothing of what it hands over, so that is unchecked. */
// biome-ignore lint/suspicious/noExplicitAny: what a template hands over is known to no checker
type Callback = (...given: any[]) => unknown;

export function html(parts: TemplateStringsArray, ...values: (Callback | object | string | number | boolean | null | undefined)[]): Ui.View;
export function render(view: Ui.View, place: Element): void;
export const Fragment: Callback;
export function useState<T>(first: T | (() => T)): [T, Updater<T>];
export function useRef<T>(first: T): { current: T };
export function useEffect(run: Effect, on?: readonly unknown[]): void;
export function useLayoutEffect(run: Effect, on?: readonly unknown[]): void;
export function useCallback<F extends Callback>(made: F, on: readonly unknown[]): F;
export function useMemo<T>(make: () => T, on: readonly unknown[]): T;
/** An id that ties a label to its field. */
export function useId(): string;

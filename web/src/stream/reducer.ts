import type { AnyItem, Delta, Policy, Snapshot } from "./protocol";

/** One channel as the desk holds it: `items` in the order they were first heard of. */
export interface ChannelState<T = AnyItem> {
  status: "waiting" | "ready" | "error";
  epoch: string | null;
  seq: number;
  items: ReadonlyMap<string, T>;
  fault: string | null;
}

export type Verdict = "ok" | "gap";

export const emptyChannel = <T>(): ChannelState<T> => ({
  status: "waiting",
  epoch: null,
  seq: 0,
  items: new Map(),
  fault: null,
});

const byTime = (item: AnyItem): string =>
  "created_at" in item ? item.created_at : "executed_at" in item ? item.executed_at : "at" in item ? (item.at ?? "") : "";

/** Snapshots of lists come newest first or oldest first; the desk keeps them oldest first. */
function fromSnapshot(message: Snapshot): ChannelState {
  const timed = message.items.length > 1 && message.items.every((item) => byTime(item) !== "");
  const items = timed && newestFirst(message.items) ? [...message.items].reverse() : message.items;
  return {
    status: "ready",
    epoch: message.epoch,
    seq: message.seq,
    items: new Map(items.map((item) => [item.id, item])),
    fault: null,
  };
}

const newestFirst = (items: AnyItem[]): boolean => {
  const first = items[0];
  const last = items[items.length - 1];
  return first !== undefined && last !== undefined && byTime(first) > byTime(last);
};

function trim(items: Map<string, AnyItem>, policy: Policy): void {
  if (items.size <= policy.keep * 1.25) return;
  let excess = items.size - policy.keep;
  for (const [id, item] of items) {
    if (excess <= 0) return;
    if (policy.pinned?.(item)) continue;
    items.delete(id);
    excess -= 1;
  }
}

/**
 * Applies messages of one channel in order. A number already seen is a repeat and is dropped; a number too
 * far ahead is a gap: nothing after it is applied, and the caller asks the server again from `seq`.
 */
export function reduce(
  before: ChannelState,
  messages: readonly (Snapshot | Delta)[],
  policy: Policy,
): { state: ChannelState; verdict: Verdict } {
  let state = before;
  let draft: Map<string, AnyItem> | null = null;
  let verdict: Verdict = "ok";
  for (const message of messages) {
    if (message.type === "snapshot") {
      state = fromSnapshot(message);
      draft = null;
      verdict = "ok";
      continue;
    }
    if (state.epoch === null || message.seq <= state.seq) continue;
    if (policy.contiguous && message.seq !== state.seq + 1) {
      verdict = "gap";
      continue;
    }
    draft ??= new Map(state.items);
    if (policy.gone?.(message.item)) draft.delete(message.item.id);
    else draft.set(message.item.id, message.item);
    state = { ...state, status: "ready", seq: message.seq, items: draft, fault: null };
    verdict = "ok";
  }
  if (draft) trim(draft, policy);
  return { state, verdict };
}

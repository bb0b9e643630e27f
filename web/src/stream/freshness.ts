export const STALE_AFTER_MS = 12_000;
/** A socket silent for this long is dropped and opened anew. */
export const DEAD_AFTER_MS = 20_000;

export type LinkPhase = "connecting" | "open" | "waiting" | "stopped";
export type Freshness = "connecting" | "live" | "reconnecting" | "stale";

export interface Connection {
  kind: Freshness;
  /** Seconds since anything was heard; null before the first message. */
  age: number | null;
}

export function judge(phase: LinkPhase, lastHeard: number | null, now: number): Connection {
  const silent = lastHeard === null ? null : Math.max(0, now - lastHeard);
  const age = silent === null ? null : Math.floor(silent / 1000);
  if (silent === null) return { kind: phase === "waiting" ? "reconnecting" : "connecting", age };
  if (silent >= STALE_AFTER_MS) return { kind: "stale", age };
  return { kind: phase === "open" ? "live" : "reconnecting", age };
}

export function describe({ kind, age }: Connection): string {
  if (kind === "live") return "Live";
  if (kind === "connecting") return "Connecting";
  if (kind === "stale") return `Stale ${age} s`;
  return "Reconnecting";
}

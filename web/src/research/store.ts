import { useSyncExternalStore } from "react";
import { create } from "zustand";
import type { Backtest, BacktestDetail } from "@/api/types";

interface ResearchState {
  kind: Backtest["kind"] | "all";
  text: string;
  /** Ids that are ticked, to be compared. */
  ticked: readonly string[];
  /** The form, and the run that it starts from. */
  form: { open: boolean; from: BacktestDetail | null };
}

export const MOST_COMPARED = 20;

export const useResearch = create<ResearchState>(() => ({ kind: "all", text: "", ticked: [], form: { open: false, from: null } }));

export const setKind = (kind: ResearchState["kind"]): void => useResearch.setState({ kind });
export const setText = (text: string): void => useResearch.setState({ text });
export const openForm = (from: BacktestDetail | null = null): void => useResearch.setState({ form: { open: true, from } });
export const closeForm = (): void => useResearch.setState(({ form }) => ({ form: { ...form, open: false } }));
export const untick = (): void => useResearch.setState({ ticked: [] });
export const tick = (id: string): void =>
  useResearch.setState(({ ticked }) => ({
    ticked: ticked.includes(id) ? ticked.filter((one) => one !== id) : [...ticked, id].slice(-MOST_COMPARED),
  }));

const COMPARE = "compare=";

/** What the right side shows, as the address says it after its `#`: so that it can be kept, shared and gone back to. */
export interface Place {
  runId: string | null;
  compared: readonly string[];
}

export function placeOf(hash: string): Place {
  const text = decodeURIComponent(hash.replace(/^#/, ""));
  if (text.startsWith(COMPARE)) return { runId: null, compared: text.slice(COMPARE.length).split(",").filter(Boolean) };
  return { runId: text || null, compared: [] };
}

const subscribe = (changed: () => void) => {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
};

export const usePlace = (): Place => placeOf(useSyncExternalStore(subscribe, () => location.hash, () => ""));

export const showRun = (id: string | null): void => {
  location.hash = id ?? "";
};

export const compare = (ids: readonly string[]): void => {
  location.hash = `${COMPARE}${ids.join(",")}`;
};

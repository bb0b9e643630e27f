import { useSyncExternalStore } from "react";
import { tokenOf } from "./arrival";

function follow(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}

/** The token of the link that was opened, "" where it carries none; null until the page runs in a browser. */
export const useToken = (): string | null => useSyncExternalStore(follow, () => tokenOf(location), () => null);

import { useEffect } from "react";
import type { KeyWords } from "@/desk/Help";
import { mayTrade } from "@/desk/rights";
import { setHelp, toggleZone } from "@/desk/store";
import { openForm, setText, showRun } from "./store";

export const FILTER_ID = "runs-filter";

export const KEYS: readonly KeyWords[] = [
  { keys: "n", what: "New backtest, sweep or walk-forward" },
  { keys: "/", what: "Filter the backtests" },
  { keys: "u", what: "Times in UTC or local" },
  { keys: "?", what: "This list" },
  { keys: "Esc", what: "Close what is open, or clear the filter" },
];

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Shortcuts of one key; none acts while the user types, holds a modifier, or has a dialog open. */
export function useResearchKeys(): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const { target, key } = event;
      if (key === "Escape" && target instanceof HTMLElement && target.id === FILTER_ID) {
        setText("");
        target.blur();
        return;
      }
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(target)) return;
      if (document.querySelector("[role=dialog]")) return;
      if (key === "n" && mayTrade()) openForm();
      else if (key === "/") document.getElementById(FILTER_ID)?.focus();
      else if (key === "u") toggleZone();
      else if (key === "?") setHelp(true);
      else if (key === "Escape") showRun(null);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

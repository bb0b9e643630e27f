import { useEffect } from "react";
import type { KeyWords } from "./Help";
import { mayTrade } from "./rights";
import { closeTicket, openTicket, setHelp, setText, toggleZone, useDesk } from "./store";

export const FILTER_ID = "desk-filter";

export const KEYS: readonly KeyWords[] = [
  { keys: "n", what: "New order" },
  { keys: "/", what: "Filter positions, orders, strategies and events" },
  { keys: "u", what: "Times in UTC or local" },
  { keys: "1 to 6", what: "Go to accounts, equity, positions, orders, strategies, events" },
  { keys: "?", what: "This list" },
  { keys: "Esc", what: "Close what is open, or clear the filter" },
];

const PANELS = ["accounts", "equity", "positions", "orders", "strategies", "events"];

/** Switches and radios take no letters, so keys still act while one of them has the focus. */
const PRESSED = new Set(["checkbox", "radio", "button", "submit"]);

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !PRESSED.has(target.type);
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}

function goTo(id: string): void {
  const panel = document.getElementById(id);
  panel?.scrollIntoView({ block: "nearest" });
  panel?.focus({ preventScroll: true });
}

function act(key: string): boolean {
  const panel = PANELS[Number(key) - 1];
  if (key === "n" && mayTrade()) openTicket();
  else if (key === "/") document.getElementById(FILTER_ID)?.focus();
  else if (key === "u") toggleZone();
  else if (key === "?") setHelp(true);
  else if (panel) goTo(panel);
  else return false;
  return true;
}

/** Shortcuts of one key; none acts while the user types, holds a modifier, or has a dialog open. */
export function useKeys(): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const filtering = event.target instanceof HTMLElement && event.target.id === FILTER_ID;
      if (event.key === "Escape" && filtering) {
        setText("");
        (event.target as HTMLElement).blur();
      }
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const { ticket, orderId, help } = useDesk.getState();
      if (event.key === "Escape" && ticket.open) closeTicket();
      if (ticket.open || orderId !== null || help || document.querySelector("[role=dialog]")) return;
      if (act(event.key)) event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

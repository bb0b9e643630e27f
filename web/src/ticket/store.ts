import { create } from "zustand";
import { getOrder, placeOrder } from "@/api/endpoints";
import { explain, Problem } from "@/api/problem";
import type { FieldFault, Order, OrderBody } from "@/api/types";
import { useSession } from "@/session/store";
import {
  discard, type Intent, isDefinite, markSent, openIntent, readIntent, settle, slotOf,
} from "./intent";
import { EMPTY_TICKET, type TicketValues } from "./schema";

export type TicketStage =
  | { at: "form"; fault: string | null; faults: FieldFault[] }
  | { at: "review"; intent: Intent }
  | { at: "sending"; intent: Intent }
  | { at: "unanswered"; intent: Intent; why: string }
  | { at: "answered"; intent: Intent; order: Order | null; note: string | null };

const FORM: TicketStage = { at: "form", fault: null, faults: [] };

interface TicketState {
  stage: TicketStage;
  /** What stands in the form, kept while the user is at another step. */
  draft: TicketValues;
}

export const useTicket = create<TicketState>(() => ({ stage: FORM, draft: EMPTY_TICKET }));

const go = (stage: TicketStage): void => useTicket.setState({ stage });
const slot = (): string => slotOf(useSession.getState().user?.id ?? "");

export const keepDraft = (draft: TicketValues): void => useTicket.setState({ draft });

export const editAgain = (): void => go(FORM);

/** What the server said of an attempt holds until the next attempt, or until a field is changed. */
export function forgetFault(): void {
  const { stage } = useTicket.getState();
  if (stage.at === "form" && stage !== FORM) go(FORM);
}

export function review(body: OrderBody): void {
  const opened = openIntent(localStorage, slot(), body, new Date().toISOString());
  if ("intent" in opened && opened.intent.stage === "review") return go({ at: "review", intent: opened.intent });
  const intent = "intent" in opened ? opened.intent : opened.unanswered;
  go({ at: "unanswered", intent, why: "An earlier order has no definite answer yet. Finish it before placing another." });
}

/** Sends the order under review, or the unanswered one again; the id makes a second sending harmless. */
export async function place(): Promise<void> {
  const { stage } = useTicket.getState();
  if (stage.at !== "review" && stage.at !== "unanswered") return;
  const { intent } = stage;
  const marked = markSent(localStorage, slot(), intent.client_order_id);
  if ("replaced" in marked) {
    return go({ at: "form", fault: "This order was replaced or dropped in another tab. Review it again.", faults: [] });
  }
  if ("answered" in marked) return void (await showAnswered(marked.answered));
  go({ at: "sending", intent: marked.intent });
  try {
    answered(marked.intent, await placeOrder(marked.intent.body, marked.intent.client_order_id), null);
  } catch (error) {
    failed(marked.intent, error);
  }
}

function answered(intent: Intent, order: Order, note: string | null): void {
  settle(localStorage, slot(), intent.client_order_id, order.id);
  useTicket.setState(({ draft }) => ({ draft: { ...draft, quantity: "", limit_price: "", stop_price: "" } }));
  go({ at: "answered", intent, order, note });
}

function failed(intent: Intent, error: unknown): void {
  if (error instanceof Problem && isDefinite(error.status)) {
    settle(localStorage, slot(), intent.client_order_id, null);
    return go({ at: "form", fault: explain(error), faults: error.faults });
  }
  go({ at: "unanswered", intent, why: explain(error) });
}

async function showAnswered(intent: Intent): Promise<void> {
  const note = "This order was finished in another tab; it was not placed twice.";
  if (intent.order_id === null) return go({ at: "answered", intent, order: null, note: "Another tab sent this order and the server did not take it." });
  const order = await getOrder(intent.order_id).catch(() => null);
  go({ at: "answered", intent, order, note });
}

/** After a reload: an order that was sent and never answered comes up again. True when there is one. */
export function recover(): boolean {
  const held = readIntent(localStorage, slot());
  if (held?.stage !== "sent") {
    go(FORM);
    return false;
  }
  go({ at: "unanswered", intent: held, why: "The page was closed, or signed out, before the server's answer arrived." });
  return true;
}

/** The stream shows an order with our id: that is a definite answer too. */
export function recognise(orders: Iterable<Order>): void {
  const { stage } = useTicket.getState();
  if (stage.at !== "unanswered") return;
  for (const order of orders) {
    if (order.client_order_id !== stage.intent.client_order_id) continue;
    return answered(stage.intent, order, "The server had received it: found by its id.");
  }
}

/** Another tab moved the order on. */
export function followStorage(event: StorageEvent): void {
  const { stage } = useTicket.getState();
  if (event.key !== slot() || (stage.at !== "review" && stage.at !== "unanswered")) return;
  const held = readIntent(localStorage, slot());
  if (held?.client_order_id === stage.intent.client_order_id && held.stage === "answered") void showAnswered(held);
}

export function drop(): void {
  const { stage } = useTicket.getState();
  if (stage.at === "unanswered") discard(localStorage, slot(), stage.intent.client_order_id);
  go(FORM);
}

/** The drawer has closed: what is finished, or was not sent, is not there when it opens again. */
export function tidy(): void {
  const { at } = useTicket.getState().stage;
  if (at === "answered" || at === "review") editAgain();
}

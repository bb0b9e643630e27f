"use client";

import { Drawer } from "@mantine/core";
import { queryOptions, usePrefetchQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { listSymbols } from "@/api/endpoints";
import { useAccounts } from "@/desk/data";
import { useMay } from "@/desk/rights";
import { closeTicket, openTicket, useDesk } from "@/desk/store";
import { useStream } from "@/stream/store";
import { asked } from "@/ui/asked";
import { PanelState } from "@/ui/PanelState";
import type { TicketValues } from "./schema";
import { followStorage, forgetFault, keepDraft, recognise, recover, tidy, useTicket } from "./store";
import { TicketForm } from "./TicketForm";
import { TicketResult } from "./TicketResult";
import { TicketReview, TicketUnanswered } from "./TicketReview";

const SYMBOLS = queryOptions({ queryKey: ["symbols"], queryFn: () => listSymbols().then((page) => page.items) });

const TITLES = { form: "New order", review: "Confirm the order", sending: "Placing the order", unanswered: "Unanswered order", answered: "Order" } as const;

/** Keeps an unanswered order in sight over reloads and tabs, and settles it when the stream shows it. */
function useVigil(): void {
  useEffect(() => {
    if (recover()) openTicket();
    window.addEventListener("storage", followStorage);
    const stop = useStream.subscribe((now, before) => {
      if (now.channels.orders !== before.channels.orders) recognise(now.channels.orders.items.values());
    });
    const unwatch = useDesk.subscribe((now, before) => {
      if (before.ticket.open && !now.ticket.open) forgetFault();
    });
    return () => {
      window.removeEventListener("storage", followStorage);
      stop();
      unwatch();
    };
  }, []);
}

export function TicketDrawer() {
  useVigil();
  const { open, prefill } = useDesk((desk) => desk.ticket);
  const chosen = useDesk((desk) => desk.accountId);
  const { stage } = useTicket();
  const { list: all, byId } = useAccounts();
  const may = useMay();
  const list = all.filter((account) => may("trade", account.id));
  usePrefetchQuery(SYMBOLS);
  const symbols = useQuery({ ...SYMBOLS, enabled: open });
  const entries = useMemo(() => symbols.data ?? [], [symbols.data]);
  const start = useMemo<TicketValues>(() => {
    const { draft } = useTicket.getState();
    const offered = list.some(({ id }) => id === chosen) ? chosen : null;
    const only = list.length === 1 ? list[0]?.id : undefined;
    return { ...draft, ...prefill, account_id: prefill.account_id ?? (draft.account_id || offered || only || "") };
    // The form takes its start when it is shown; later changes come from the form itself.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [open, prefill, stage.at]);
  const account = "intent" in stage ? byId.get(stage.intent.body.account_id) : undefined;
  const instrument = "intent" in stage ? entries.find((entry) => entry.symbol === stage.intent.body.symbol) : undefined;
  return (
    <Drawer opened={open} onClose={closeTicket} onExitTransitionEnd={tidy} title={TITLES[stage.at]} position="right" size={400} closeButtonProps={{ "aria-label": "Close the ticket" }}>
      {stage.at === "form" && (
        <PanelState
          {...asked(symbols)}
          isEmpty={entries.length === 0 || list.length === 0}
          empty={list.length === 0 ? "There is no account that you may trade in yet." : "No symbols yet. Import prices with “evenkeel data import”, then open the ticket again."}
        >
          <TicketForm accounts={list} symbols={entries} start={start} fault={stage.fault} faults={stage.faults} onChange={keepDraft} />
        </PanelState>
      )}
      {(stage.at === "review" || stage.at === "sending") && (
        <TicketReview intent={stage.intent} account={account} instrument={instrument} sending={stage.at === "sending"} />
      )}
      {stage.at === "unanswered" && <TicketUnanswered intent={stage.intent} account={account} why={stage.why} />}
      {stage.at === "answered" && <TicketResult intent={stage.intent} order={stage.order} note={stage.note} account={account} />}
    </Drawer>
  );
}

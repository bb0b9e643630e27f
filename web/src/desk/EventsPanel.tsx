"use client";

import { memo, useMemo } from "react";
import type { DeskEvent } from "@/api/types";
import { splitInstant, type Zone } from "@/format/time";
import { useChannel } from "@/stream/store";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import { Tag } from "@/ui/Tag";
import classes from "./EventsPanel.module.css";
import { useAccounts, useChannelState } from "./data";
import { unbroken } from "./OrderRow";
import { matches } from "./states";
import { showOrder, useDesk } from "./store";

const LEVELS = {
  info: { label: "Info", tone: "neutral" },
  warning: { label: "Warning", tone: "warn" },
  critical: { label: "Critical", tone: "bad" },
} as const;

const EventRow = memo(function EventRow({ event, account, zone }: { event: DeskEvent; account?: string; zone: Zone }) {
  const when = splitInstant(event.at, zone);
  const level = LEVELS[event.level] ?? LEVELS.info;
  const order = event.order_id;
  return (
    <li className={classes.row} data-testid="event-row" data-level={event.level}>
      <time className={`number ${classes.time}`} dateTime={event.at} title={when ? `${when.date} ${when.time} ${when.zone}` : ""}>
        <span>{when?.date}</span> {when?.time}
      </time>
      <Tag tone={level.tone}>{level.label}</Tag>
      <span className={classes.message}>
        {unbroken(event.message)}
        {account && !event.message.includes(account) && <span className="muted"> · {account}</span>}
        {order && (
          <button type="button" className={classes.link} onClick={() => showOrder(order)}>
            Order
          </button>
        )}
      </span>
    </li>
  );
});

export function EventsPanel() {
  const state = useChannelState("events");
  const { items } = useChannel("events");
  const { byId } = useAccounts();
  const { accountId, text, zone } = useDesk();
  const shown = useMemo(
    () =>
      [...items.values()]
        .filter((event) => !accountId || event.account_id === null || event.account_id === accountId)
        .filter((event) => matches(text, event.message, event.kind, event.level))
        .reverse()
        .slice(0, 100),
    [items, accountId, text],
  );
  return (
    <Panel id="events" area="events" title="Events" aside={zone === "utc" ? "UTC" : "local time"}>
      <PanelState
        {...state}
        isEmpty={shown.length === 0}
        empty={items.size > 0 ? "No event matches the filter." : "Nothing has happened yet. Refusals, disconnects, splits and restarts are told here."}
      >
        <ol className={classes.list} aria-label="Events, newest first">
          {shown.map((event) => (
            <EventRow key={event.id} event={event} zone={zone} account={event.account_id ? byId.get(event.account_id)?.name : undefined} />
          ))}
        </ol>
      </PanelState>
    </Panel>
  );
}

"use client";

import { Drawer } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Fragment, type ReactNode } from "react";
import { getOrder } from "@/api/endpoints";
import { explain } from "@/api/problem";
import type { Order } from "@/api/types";
import { show, showAverage, showPrice } from "@/format/number";
import { showInstant } from "@/format/time";
import { Num } from "@/ui/Num";
import { PanelState } from "@/ui/PanelState";
import { ModeTag, Tag } from "@/ui/Tag";
import { CancelButton } from "./CancelButton";
import { useAccounts } from "./data";
import { FillsTable } from "./FillsTable";
import classes from "./OrderDrawer.module.css";
import { kindOf, plainly, Reason, trailOf } from "./OrderRow";
import { useHeldOrder } from "./orders";
import { useMay } from "./rights";
import { canCancel, lookOf, waitsFor } from "./states";
import { showOrder, useDesk } from "./store";
import { Timeline } from "./Timeline";

function Facts({ entries }: { entries: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {entries.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value || <span className="muted">–</span>}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

function Record({ order }: { order: Order }) {
  const { byId } = useAccounts();
  const zone = useDesk((desk) => desk.zone);
  const may = useMay();
  const account = byId.get(order.account_id);
  const name = account?.name ?? order.account_id;
  const look = lookOf(order.state);
  return (
    <div className={classes.record}>
      <div>
        <p className={classes.headline}>
          <strong className={order.side === "BUY" ? "positive" : "negative"}>{order.side}</strong>{" "}
          <Num value={show(order.quantity)} /> {order.symbol} <Tag tone={look.tone}>{look.label}</Tag>
        </p>
        <p className="muted">{look.meaning}</p>
        <Reason order={order} />
      </div>
      {may("reduce", order.account_id) && canCancel(order) && <div><CancelButton order={order} account={name} /></div>}
      <Facts
        entries={[
          ["Account", <Fragment key="account">{name} <ModeTag mode={account?.mode ?? "paper"} /></Fragment>],
          ["Book", order.book],
          ["Strategy", order.strategy],
          ["Portfolio", order.portfolio],
          ["Source", order.source],
          ["Kind", kindOf(order)],
          ["Limit price", order.limit_price && showPrice(order.limit_price).text],
          ["Stop price", order.stop_price && showPrice(order.stop_price).text],
          ["Trail", trailOf(order)],
          ["Trigger price", order.trigger_price && showPrice(order.trigger_price).text],
          ["Time in force", waitsFor(order)],
          ["Reduce only", order.reduce_only && "yes: cut and cancelled with the position"],
          ["Not before", order.not_before && showInstant(order.not_before, zone)],
          ["Ends", order.expires_at && showInstant(order.expires_at, zone)],
          ["Rests at", order.rests_at],
          ["Product", order.product],
          ["Filled", `${show(order.filled_quantity).text} of ${show(order.quantity).text}`],
          ["Average price", order.average_price && showAverage(order.average_price).text],
          ["Venue", order.venue],
          ["Session", order.session_date],
          ["Created", showInstant(order.created_at, zone)],
          ["Updated", showInstant(order.updated_at, zone)],
          ["Rule", order.rule],
          ["Limit", order.limit && plainly(order.limit)],
          ["Value", order.value && plainly(order.value)],
          ["Layer", order.layer],
          ["Order id", <code key="id">{order.id}</code>],
          ["Client order id", <code key="client">{order.client_order_id}</code>],
          ["Venue order id", order.venue_order_id && <code key="venue">{order.venue_order_id}</code>],
          ["Instrument", <code key="instrument">{order.instrument_id}</code>],
        ]}
      />
      <FillsTable order={order} />
      <Timeline order={order} zone={zone} />
    </div>
  );
}

/** One order's whole record with its fills, live while it is open. */
export function OrderDrawer() {
  const id = useDesk((desk) => desk.orderId);
  const held = useHeldOrder(id);
  const asked = useQuery({ queryKey: ["order", id], queryFn: () => getOrder(id ?? ""), enabled: id !== null && held === undefined });
  const order = held ?? asked.data;
  return (
    <Drawer opened={id !== null} onClose={() => showOrder(null)} title="Order" position="right" size={480} closeButtonProps={{ "aria-label": "Close the order" }}>
      <PanelState
        status={order ? "ready" : asked.isError ? "error" : "waiting"}
        fault={asked.error && explain(asked.error)}
        onRetry={() => void asked.refetch()}
        isEmpty={false}
        empty=""
      >
        {order && <Record order={order} />}
      </PanelState>
    </Drawer>
  );
}

"use client";

import { Button, SegmentedControl } from "@mantine/core";
import { useMemo } from "react";
import { explain } from "@/api/problem";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { useAccounts, useChannelState } from "./data";
import { OrderRow } from "./OrderRow";
import { useOrders } from "./orders";
import classes from "./OrdersPanel.module.css";
import { useMay } from "./rights";
import { countOf, inGroup, lookOf, matches, type StateGroup } from "./states";
import { setGroup, useDesk } from "./store";

const GROUPS: { value: StateGroup; label: string }[] = [
  { value: "all", label: "All" },
  { value: "open", label: "Open" },
  { value: "closed", label: "Closed" },
  { value: "refused", label: "Refused" },
];

function Older({ older }: { older: ReturnType<typeof useOrders>["older"] }) {
  if (older.data && !older.hasNextPage && !older.isOutrun) return <p className={classes.older}>That is every order.</p>;
  return (
    <p className={classes.older}>
      {older.error && <span className="negative">{explain(older.error)} </span>}
      <Button
        size="compact-xs"
        variant="subtle"
        loading={older.isFetching}
        onClick={() => void (older.hasNextPage ? older.fetchNextPage() : older.refetch())}
      >
        Load older orders
      </Button>
    </p>
  );
}

export function OrdersPanel() {
  const state = useChannelState("orders");
  const { byId } = useAccounts();
  const { accountId, text, group, zone } = useDesk();
  const { orders, older } = useOrders(accountId);
  const may = useMay();
  const shown = useMemo(
    () =>
      orders.filter(
        (order) =>
          (!accountId || order.account_id === accountId) &&
          inGroup(order, group) &&
          matches(text, order.symbol, order.side, order.strategy, order.portfolio, order.book, lookOf(order.state).label, order.rule, byId.get(order.account_id)?.name),
      ),
    [orders, accountId, group, text, byId],
  );
  return (
    <Panel
      id="orders"
      area="orders"
      title="Orders"
      aside={older.isPending ? undefined : countOf(shown.length, group, older.hasNextPage || older.isOutrun || older.isError)}
      actions={
        <SegmentedControl size="xs" data={GROUPS} value={group} onChange={(value) => setGroup(value as StateGroup)} aria-label="Orders shown" />
      }
    >
      <PanelState
        {...state}
        isEmpty={shown.length === 0 && !older.isFetching}
        empty={orders.length > 0 ? "No order matches the filter." : may("trade") ? "No orders yet. Press n for the order ticket, or switch a strategy on." : "No orders yet."}
      >
        <table className={`${table.table} ${table.cards} ${classes.table}`} aria-label="Orders, newest first">
          <thead>
            <tr>
              <th scope="col">{zone === "utc" ? "Time (UTC)" : "Time (local)"}</th>
              <th scope="col">Order</th>
              <th scope="col" className={table.right}>Quantity</th>
              <th scope="col">Kind · from</th>
              <th scope="col" className={table.right}>Average</th>
              <th scope="col">State · reason</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((order) => (
              <OrderRow
                key={order.id}
                order={order}
                account={byId.get(order.account_id)?.name ?? order.account_id}
                zone={zone}
                mayCancel={may("reduce", order.account_id)}
              />
            ))}
          </tbody>
        </table>
        <Older older={older} />
      </PanelState>
    </Panel>
  );
}

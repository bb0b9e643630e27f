"use client";

import { Switch } from "@mantine/core";
import { useMemo, useState } from "react";
import { useChannel } from "@/stream/store";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { useAccounts, useChannelState } from "./data";
import { PositionRow } from "./PositionRow";
import { useMay } from "./rights";
import { matches } from "./states";
import { useDesk } from "./store";
import { isFlat, toHoldings } from "./totals";

export function PositionsPanel() {
  const state = useChannelState("positions");
  const { items } = useChannel("positions");
  const { byId } = useAccounts();
  const { accountId, text } = useDesk();
  const may = useMay();
  const [withFlat, setWithFlat] = useState(false);
  const holdings = useMemo(() => {
    const nameOf = (id: string) => byId.get(id)?.name ?? id;
    return toHoldings(items.values()).sort(
      (left, right) => left.symbol.localeCompare(right.symbol) || nameOf(left.account_id).localeCompare(nameOf(right.account_id)),
    );
  }, [items, byId]);
  const shown = holdings.filter(
    (held) =>
      (withFlat || !isFlat(held)) &&
      (!accountId || held.account_id === accountId) &&
      matches(text, held.symbol, byId.get(held.account_id)?.name, ...held.books.map((book) => book.book)),
  );
  return (
    <Panel
      id="positions"
      area="positions"
      title="Positions"
      aside={shown.length || undefined}
      actions={
        <Switch size="xs" label="With closed" checked={withFlat} onChange={(event) => setWithFlat(event.currentTarget.checked)} />
      }
    >
      <PanelState
        {...state}
        isEmpty={shown.length === 0}
        empty={
          holdings.length > 0
            ? "No open position matches. Clear the filter, or show closed positions too."
            : `No positions yet. They appear with the first fill of a strategy or of an order${may("trade") ? " of yours (key n)" : ""}.`
        }
      >
        <table className={`${table.table} ${table.smallCards}`} aria-label="Positions">
          <thead>
            <tr>
              <th scope="col">Symbol</th>
              <th scope="col" className={table.right}>Quantity · average</th>
              <th scope="col" className={table.right}>Value · last</th>
              <th scope="col" className={table.right}>Unrealised · realised</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((held) => (
              <PositionRow key={held.key} held={held} account={byId.get(held.account_id)} mayTrade={may("trade", held.account_id)} />
            ))}
          </tbody>
        </table>
      </PanelState>
    </Panel>
  );
}

"use client";

import { SegmentedControl } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { collect, listEquity } from "@/api/endpoints";
import type { Account, EquityPoint } from "@/api/types";
import { showMoney, showPercent } from "@/format/number";
import { useChannel } from "@/stream/store";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import { colourOf, useAccounts, useChannelState } from "./data";
import { type ChartLine, EquityChart } from "./EquityChart";
import classes from "./EquityPanel.module.css";
import { type EquityScale, joinPoints, onScale, toLine } from "./equity";
import { selectAccount, useDesk } from "./store";

const HISTORY = 3000;
const NONE: readonly EquityPoint[] = [];

/** Points older than the stream's snapshot, read once per account and epoch. */
function useHistory(accounts: readonly Account[], epoch: string | null): ReadonlyMap<string, readonly EquityPoint[]> {
  return useQueries({
    queries: accounts.map(({ id }) => ({
      queryKey: ["equity", id, epoch],
      queryFn: async () => ({ id, points: await collect((cursor) => listEquity(id, cursor), (points) => points.length >= HISTORY) }),
      enabled: epoch !== null,
      staleTime: Infinity,
    })),
    combine: (results) => new Map(results.flatMap(({ data }) => (data ? [[data.id, data.points] as const] : []))),
  });
}

function useLines(shown: readonly Account[], all: readonly Account[], scale: EquityScale): ChartLine[] {
  const { items, epoch } = useChannel("equity");
  const history = useHistory(all, epoch);
  return useMemo(() => {
    const live = Map.groupBy([...items.values()], (point) => point.account_id ?? "");
    return shown.map((account) => ({
      id: account.id,
      colour: colourOf(all, account.id),
      now: onScale(account, scale),
      points: toLine(joinPoints(history.get(account.id) ?? NONE, live.get(account.id) ?? NONE), scale),
    }));
  }, [items, history, shown, all, scale]);
}

function Legend({ accounts, all }: { accounts: readonly Account[]; all: readonly Account[] }) {
  const chosen = useDesk((desk) => desk.accountId);
  return (
    <ul className={classes.legend} aria-label="Accounts on the chart">
      {accounts.map((account) => (
        <li key={account.id}>
          <button
            type="button"
            aria-pressed={account.id === chosen}
            onClick={() => selectAccount(account.id === chosen ? null : account.id)}
          >
            <span className={classes.swatch} style={{ background: colourOf(all, account.id) }} />
            <span>{account.name}</span>
            <Num value={showMoney(account.equity, account.currency)} />
            <Num value={showPercent(account.total_return, { least: 2, most: 2, plus: true })} signed />
          </button>
        </li>
      ))}
    </ul>
  );
}

export function EquityPanel() {
  const state = useChannelState("equity");
  const { list } = useAccounts();
  const chosen = useDesk((desk) => desk.accountId);
  const [scale, setScale] = useState<EquityScale>("return");
  const shown = useMemo(() => (chosen ? list.filter((account) => account.id === chosen) : list), [list, chosen]);
  const lines = useLines(shown, list, scale);
  const empty = lines.every((line) => line.points.length === 0);
  const label = `Equity over time of ${shown.map((account) => account.name).join(", ")}; the latest figures stand in the legend`;
  return (
    <Panel
      id="equity"
      area="equity"
      title="Equity"
      actions={
        <SegmentedControl
          size="xs"
          value={scale}
          onChange={(value) => setScale(value as EquityScale)}
          data={[{ value: "return", label: "Return" }, { value: "amount", label: "Amount" }]}
          aria-label="Chart scale"
        />
      }
    >
      <PanelState
        {...state}
        isEmpty={empty}
        empty="No equity has been recorded yet. The first point is drawn when the first bar has been seen."
      >
        <div className={classes.chart}>
          <Legend accounts={shown} all={list} />
          <EquityChart lines={lines} scale={scale} label={label} />
        </div>
      </PanelState>
    </Panel>
  );
}

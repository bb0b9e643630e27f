"use client";

import { useChannel } from "@/stream/store";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { useAccounts, useChannelState } from "./data";
import { useMay } from "./rights";
import { matches } from "./states";
import { StrategyRow } from "./StrategyRow";
import { useDesk } from "./store";

export function StrategiesPanel() {
  const state = useChannelState("strategies");
  const { items } = useChannel("strategies");
  const { byId } = useAccounts();
  const { accountId, text, zone } = useDesk();
  const may = useMay();
  const all = [...items.values()]
    .filter((deployment) => deployment.status !== "removed")
    .sort((left, right) => left.name.localeCompare(right.name));
  const shown = all.filter(
    (deployment) =>
      (!accountId || deployment.accounts.some((entry) => entry.account_id === accountId)) &&
      matches(text, deployment.name, deployment.template, ...deployment.symbols),
  );
  const running = all.filter((deployment) => deployment.status === "running").length;
  return (
    <Panel id="strategies" area="strategies" title="Strategies" aside={all.length ? `${running} of ${all.length} running` : undefined}>
      <PanelState
        {...state}
        isEmpty={shown.length === 0}
        empty={
          all.length > 0
            ? "No strategy matches the filter."
            : `No strategy is deployed yet.${may("trade") ? " “evenkeel strategy templates” shows what can be." : ""}`
        }
      >
        <table className={`${table.table} ${table.cards}`} aria-label="Strategies">
          <thead>
            <tr>
              <th scope="col">On</th>
              <th scope="col">Strategy</th>
              <th scope="col" className={table.right}>Allocation</th>
              <th scope="col">Last signal</th>
              <th scope="col" className={table.right}>Fills · refused</th>
              <th scope="col" className={table.right}>Unrealised · realised</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((deployment) => {
              const ids = deployment.accounts.map((entry) => entry.account_id);
              return (
                <StrategyRow
                  key={deployment.id}
                  deployment={deployment}
                  accounts={byId}
                  zone={zone}
                  mayTrade={may("trade", ...ids)}
                  mayReduce={may("reduce", ...ids)}
                />
              );
            })}
          </tbody>
        </table>
      </PanelState>
    </Panel>
  );
}

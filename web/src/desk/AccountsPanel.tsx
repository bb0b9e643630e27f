"use client";

import { memo } from "react";
import type { Account } from "@/api/types";
import { showMoney, showPercent } from "@/format/number";
import { ModeTag, Tag } from "@/ui/Tag";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { colourOf, useAccounts, useChannelState } from "./data";
import { useMay } from "./rights";
import { selectAccount, useDesk } from "./store";
import { type CurrencyTotal, totalsByCurrency } from "./totals";

const READINESS = {
  READY: { label: "Ready", tone: "good", meaning: "Reconciled; takes orders." },
  NOT_READY: { label: "Not ready", tone: "warn", meaning: "Reconciling with its broker; no risk-raising orders until it has finished." },
  BLOCKED: { label: "Blocked", tone: "bad", meaning: "A limit or a doubt has blocked new risk; see the events." },
} as const;

interface RowProps {
  account: Account;
  colour: string;
  selected: boolean;
}

const AccountRow = memo(function AccountRow({ account, colour, selected }: RowProps) {
  const readiness = READINESS[account.readiness] ?? READINESS.NOT_READY;
  const pick = () => selectAccount(selected ? null : account.id);
  return (
    <tr
      className={`${table.clickable} ${selected ? table.selected : ""}`}
      data-testid="account-row"
      data-account-id={account.id}
      onClick={pick}
    >
      <td>
        <button
          type="button"
          className={table.plain}
          aria-pressed={selected}
          aria-label={`${selected ? "Show all accounts instead of" : "Show only"} ${account.name}`}
          onClick={(event) => {
            event.stopPropagation();
            pick();
          }}
        >
          <span className={table.dot} style={{ background: colour }} />
          {account.name}
        </button>
        <span className={table.tags}>
          <ModeTag mode={account.mode} /> <Tag tone={readiness.tone} title={account.readiness_reason ?? readiness.meaning}>{readiness.label}</Tag>
        </span>
        {account.readiness_reason && <span className={table.second}>{account.readiness_reason}</span>}
      </td>
      <td className={table.right}>
        <Num value={showMoney(account.equity, account.currency)} className={table.strong} />
        <span className={table.second}>
          <Num value={showMoney(account.cash, account.currency)} quiet />
        </span>
      </td>
      <td className={table.right}>
        <Num value={showMoney(account.day_pnl, account.currency, true)} signed />
        <span className={table.second}>
          <Num value={showPercent(account.day_return, { least: 2, most: 2, plus: true })} signed />
        </span>
      </td>
      <td className={table.right}>
        <Num value={showPercent(account.drawdown)} />
        <span className={table.second}>{account.currency}</span>
      </td>
    </tr>
  );
});

function TotalRow({ total }: { total: CurrencyTotal }) {
  return (
    <tr className={table.total} data-testid="account-total">
      <td>
        <span className={table.strong}>Total {total.currency}</span>
        <span className={table.second}>{total.accounts === 1 ? "1 account" : `${total.accounts} accounts`}</span>
      </td>
      <td className={table.right}>
        <Num value={showMoney(total.equity, total.currency)} className={table.strong} />
        <span className={table.second}>
          <Num value={showMoney(total.cash, total.currency)} quiet />
        </span>
      </td>
      <td className={table.right}>
        <Num value={showMoney(total.dayPnl, total.currency, true)} signed />
        <span className={table.second}>
          <Num value={showPercent(total.dayReturn, { least: 2, most: 2, plus: true })} signed />
        </span>
      </td>
      <td />
    </tr>
  );
}

export function AccountsPanel() {
  const state = useChannelState("accounts");
  const { list } = useAccounts();
  const chosen = useDesk((desk) => desk.accountId);
  const may = useMay();
  return (
    <Panel id="accounts" area="accounts" title="Accounts" aside={list.length || undefined}>
      <PanelState
        {...state}
        isEmpty={list.length === 0}
        empty={
          may("manage")
            ? "No accounts yet. Open a paper account with “evenkeel account open Main --cash 100000”, and it appears here."
            : "No accounts yet. One that somebody lends you with “evenkeel share add” appears here."
        }
      >
        <table className={table.table} aria-label="Accounts">
          <thead>
            <tr>
              <th scope="col">Account</th>
              <th scope="col" className={table.right}>Equity · cash</th>
              <th scope="col" className={table.right}>Day P&amp;L</th>
              <th scope="col" className={table.right}>Drawdown</th>
            </tr>
          </thead>
          <tbody>
            {list.map((account) => (
              <AccountRow
                key={account.id}
                account={account}
                colour={colourOf(list, account.id)}
                selected={account.id === chosen}
              />
            ))}
          </tbody>
          <tfoot>
            {totalsByCurrency(list).map((total) => (
              <TotalRow key={total.currency} total={total} />
            ))}
          </tfoot>
        </table>
      </PanelState>
    </Panel>
  );
}

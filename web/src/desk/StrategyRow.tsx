import { Switch } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { memo, useState } from "react";
import { switchStrategy } from "@/api/endpoints";
import type { Account, Deployment, LastSignal } from "@/api/types";
import { show, showMoney } from "@/format/number";
import { showInstant, splitInstant, type Zone } from "@/format/time";
import { Confirm } from "@/ui/Confirm";
import { Num } from "@/ui/Num";
import { notifyFailure } from "@/ui/notices";
import table from "@/ui/table.module.css";
import { Tag } from "@/ui/Tag";
import { AllocationEditor, summaryOf } from "./AllocationEditor";
import classes from "./StrategyRow.module.css";

const STATUS = {
  running: { label: "Running", tone: "good" },
  disabled: { label: "Off", tone: "neutral" },
  paused: { label: "Paused", tone: "warn" },
  "switched-off": { label: "Off by rule", tone: "warn" },
  removed: { label: "Removed", tone: "neutral" },
} as const;

interface ToggleProps {
  deployment: Deployment;
  isLive: boolean;
  may: (on: boolean) => boolean;
}

function Toggle({ deployment, isLive, may }: ToggleProps) {
  const [asking, setAsking] = useState(false);
  const turn = useMutation({
    mutationFn: (on: boolean) => switchStrategy(deployment.id, on),
    onError: notifyFailure(`“${deployment.name}” was not switched`),
  });
  const on = turn.isPending ? turn.variables : deployment.enabled && deployment.status !== "switched-off";
  return (
    <>
      <Switch
        size="sm"
        checked={on}
        disabled={turn.isPending || !may(!on)}
        aria-label={`${deployment.name}: ${on ? "on" : "off"}`}
        data-testid="strategy-toggle"
        onChange={() => (isLive && !on ? setAsking(true) : turn.mutate(!on))}
      />
      <Confirm
        opened={asking}
        title={`Switch on “${deployment.name}”?`}
        action="Switch on"
        danger
        onClose={() => setAsking(false)}
        onConfirm={() => turn.mutate(true)}
      >
        It trades in at least one LIVE account, with real money.
      </Confirm>
    </>
  );
}

function Signal({ signal, zone }: { signal: LastSignal | null; zone: Zone }) {
  if (!signal) return <span className="muted">None yet</span>;
  const tone = signal.action === "BUY" ? "positive" : signal.action === "SELL" ? "negative" : "muted";
  return (
    <span title={showInstant(signal.at, zone)}>
      <span className={tone}>{signal.action}</span> {signal.symbol}
      <span className={table.second}>
        target <Num value={show(signal.target === null ? null : String(signal.target), { most: 2, plus: true })} quiet /> · {splitInstant(signal.at, zone)?.date}
      </span>
    </span>
  );
}

interface RowProps {
  deployment: Deployment;
  accounts: ReadonlyMap<string, Account>;
  zone: Zone;
  /** Whether it may be changed and switched on, and whether it may be switched off. */
  mayTrade: boolean;
  mayReduce: boolean;
}

export const StrategyRow = memo(function StrategyRow({ deployment, accounts, zone, mayTrade, mayReduce }: RowProps) {
  const status = STATUS[deployment.status] ?? STATUS.paused;
  const own = deployment.accounts.flatMap(({ account_id }) => accounts.get(account_id) ?? []);
  const currencies = new Set(own.map((account) => account.currency));
  const currency = currencies.size === 1 ? ([...currencies][0] ?? "") : "";
  return (
    <tr className={classes.row} data-testid="strategy-row" data-strategy-id={deployment.id} data-status={deployment.status}>
      <td className={classes.toggle}>
        <Toggle deployment={deployment} isLive={own.some((account) => account.mode === "live")} may={(on) => (on ? mayTrade : mayReduce)} />
      </td>
      <td className={classes.name}>
        <span className={table.strong}>{deployment.name}</span>{" "}
        <Tag tone={status.tone}>{status.label}</Tag>
        <span className={table.second}>
          {deployment.template} · {deployment.symbols.join(" ")}
        </span>
        {deployment.status_reason && <span className={classes.why}>{deployment.status_reason}</span>}
      </td>
      <td className={`${table.right} ${classes.allocation}`}>
        {mayTrade ? <AllocationEditor deployment={deployment} accounts={accounts} /> : <span className="number">{summaryOf(deployment.accounts)}</span>}
      </td>
      <td className={classes.signal}>
        <Signal signal={deployment.last_signal} zone={zone} />
      </td>
      <td className={`${table.right} ${classes.counts}`}>
        <Num value={show(String(deployment.fills))} />
        <span className={table.second}>
          <Num value={show(String(deployment.refusals))} quiet /> refused
        </span>
      </td>
      <td className={`${table.right} ${classes.pnl}`}>
        <Num value={showMoney(deployment.unrealised_pnl, currency, true)} signed />
        <span className={table.second}>
          <Num value={showMoney(deployment.realised_pnl, currency, true)} signed />
        </span>
      </td>
    </tr>
  );
});

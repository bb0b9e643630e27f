"use client";

import { Button, Checkbox, Progress, SegmentedControl } from "@mantine/core";
import { useMemo } from "react";
import { explain } from "@/api/problem";
import type { Backtest } from "@/api/types";
import { useChannelState } from "@/desk/data";
import { useMay } from "@/desk/rights";
import { useDesk } from "@/desk/store";
import { show, showPercent } from "@/format/number";
import { splitInstant, type Zone } from "@/format/time";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { Tag } from "@/ui/Tag";
import { useRuns } from "./data";
import { isDone, isUnderWay, KINDS, lookOf, marketOf, matches, progressOf, saidAll } from "./look";
import classes from "./RunsPanel.module.css";
import { compare, setKind, showRun, tick, untick, usePlace, useResearch } from "./store";

const FILTERS: { value: Backtest["kind"] | "all"; label: string }[] = [
  { value: "all", label: "All" },
  { value: "backtest", label: "Single" },
  { value: "sweep", label: "Sweeps" },
  { value: "walk-forward", label: "Walk-forwards" },
];

function RunState({ run }: { run: Backtest }) {
  const look = lookOf(run.state);
  if (!isUnderWay(run)) {
    return (
      <>
        <span className={table.tags}><Tag tone={look.tone}>{look.label}</Tag></span>
        {run.error && <span className={`${table.second} ${classes.error}`} title={run.error}>{run.error}</span>}
      </>
    );
  }
  return (
    <div className={classes.progress}>
      <Progress size="sm" value={(run.progress ?? 0) * 100} animated={run.state === "running"} aria-label={`${KINDS[run.kind]} of ${run.strategy}`} />
      <span className={table.second}>{progressOf(run)}</span>
    </div>
  );
}

interface RowProps {
  run: Backtest;
  zone: Zone;
  chosen: boolean;
  ticked: boolean;
}

function RunRow({ run, zone, chosen, ticked }: RowProps) {
  const at = splitInstant(run.created_at, zone);
  return (
    <tr
      className={`${table.clickable} ${chosen ? table.selected : ""}`}
      aria-current={chosen || undefined}
      data-testid="run-row"
      data-run={run.id}
      data-state={run.state}
      onClick={() => showRun(run.id)}
    >
      <td className={classes.tick} onClick={(event) => event.stopPropagation()}>
        <Checkbox size="xs" checked={ticked} disabled={!isDone(run)} onChange={() => tick(run.id)} aria-label={`Compare ${run.strategy} of ${at?.time ?? ""}`} />
      </td>
      <td>
        <button type="button" className={table.plain} onClick={() => showRun(run.id)}>{run.configuration ?? run.strategy}</button>
        {run.kind !== "backtest" && <> <Tag tone="accent">{KINDS[run.kind]}</Tag></>}
        <span className={table.second}>{marketOf(run)}</span>
        {Object.keys(run.parameters).length > 0 && <span className={table.second}>{saidAll(run.parameters)}</span>}
      </td>
      <td className={table.right}>
        <Num value={showPercent(run.total_return, { least: 2, most: 2, plus: true })} signed />
        <span className={table.second}><Num value={showPercent(run.max_drawdown)} quiet /></span>
      </td>
      <td className={table.right}><Num value={show(run.sharpe, { least: 2, most: 2 })} /></td>
      <td>
        <RunState run={run} />
        <span className={`${table.second} number`}>{at ? `${at.date} ${at.time.slice(0, 5)}` : ""}</span>
      </td>
    </tr>
  );
}

function Chosen() {
  const ticked = useResearch((state) => state.ticked);
  if (ticked.length === 0) return null;
  return (
    <>
      <Button size="compact-xs" disabled={ticked.length < 2} title={ticked.length < 2 ? "Tick at least two" : undefined} onClick={() => compare(ticked)} data-testid="compare">
        Compare {ticked.length}
      </Button>
      <Button size="compact-xs" variant="subtle" color="gray" onClick={untick}>Clear</Button>
    </>
  );
}

export function RunsPanel() {
  const state = useChannelState("backtests");
  const { runs, older } = useRuns();
  const { kind, text, ticked } = useResearch();
  const zone = useDesk((desk) => desk.zone);
  const { runId } = usePlace();
  const may = useMay();
  const shown = useMemo(() => runs.filter((run) => matches(run, kind, text)), [runs, kind, text]);
  const offered = may("trade") ? "No backtests yet. Press n to run the first one." : "No backtests yet.";
  return (
    <Panel
      id="runs"
      area="runs"
      title="Backtests"
      aside={shown.length > 0 ? `${shown.length}${older.hasNextPage ? "+" : ""}` : undefined}
      actions={
        <>
          <Chosen />
          <SegmentedControl size="xs" data={FILTERS} value={kind} onChange={(value) => setKind(value as typeof kind)} aria-label="Backtests shown" />
        </>
      }
    >
      <PanelState {...state} isEmpty={shown.length === 0 && !older.isFetching} empty={runs.length > 0 ? "No backtest matches the filter." : offered}>
        <table className={`${table.table} ${classes.table}`} aria-label="Backtests, newest first">
          <thead>
            <tr>
              <th scope="col"><span className="visually-hidden">Compare</span></th>
              <th scope="col">Strategy</th>
              <th scope="col" className={table.right}>Return · drawdown</th>
              <th scope="col" className={table.right}>Sharpe</th>
              <th scope="col">State · {zone === "utc" ? "time (UTC)" : "local time"}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((run) => (
              <RunRow key={run.id} run={run} zone={zone} chosen={run.id === runId} ticked={ticked.includes(run.id)} />
            ))}
          </tbody>
        </table>
        {older.isError && <p className={classes.older} role="alert">{explain(older.error)} <Button size="compact-xs" variant="subtle" onClick={() => void older.refetch()}>Try again</Button></p>}
        {older.hasNextPage && (
          <p className={classes.older}>
            <Button size="compact-xs" variant="subtle" loading={older.isFetching} onClick={() => void older.fetchNextPage()}>Load older backtests</Button>
          </p>
        )}
      </PanelState>
    </Panel>
  );
}

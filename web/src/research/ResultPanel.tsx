"use client";

import { Button, Progress, SegmentedControl } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { dropBacktest, getTearSheet, resumeBacktest } from "@/api/endpoints";
import { explain, Problem } from "@/api/problem";
import type { Backtest, BacktestDetail } from "@/api/types";
import { useMay } from "@/desk/rights";
import { useDesk } from "@/desk/store";
import { Confirm } from "@/ui/Confirm";
import { Note } from "@/ui/Note";
import { notify, notifyFailure } from "@/ui/notices";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import { Tag } from "@/ui/Tag";
import { useRun } from "./data";
import { canResume, isDone, isUnderWay, KINDS, lookOf, marketOf, progressOf, said, saidAll } from "./look";
import classes from "./Result.module.css";
import { Combinations, Windows } from "./Searches";
import { openForm, showRun } from "./store";
import { Metrics, Summary } from "./Summary";
import { Terms } from "./Terms";
import { Trades } from "./Trades";

/** Hands a page to the browser as a file. */
function save(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/html" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function Actions({ run }: { run: BacktestDetail }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const may = useMay();
  const act = (work: () => Promise<unknown>, failed: string) => {
    setBusy(true);
    void work().catch(notifyFailure(failed)).finally(() => setBusy(false));
  };
  const anew = () => queries.invalidateQueries({ queryKey: ["backtest", run.id] });
  const cancel = () => act(() => dropBacktest(run.id).then(anew), "It could not be cancelled");
  const resume = () => act(() => resumeBacktest(run.id).then(anew), "It could not be resumed");
  const sheet = () => act(() => getTearSheet(run.id).then((text) => save(text, `${run.strategy}-${run.id.slice(0, 13)}.html`)), "There is no tear sheet");
  const remove = () =>
    act(async () => {
      await dropBacktest(run.id);
      await queries.invalidateQueries({ queryKey: ["backtests"] });
      showRun(null);
      notify("info", "Removed", `The ${KINDS[run.kind].toLowerCase()} of ${run.strategy} is gone, with all it had.`);
    }, "It could not be removed");
  return (
    <>
      {isDone(run) && <Button size="compact-xs" variant="default" loading={busy} onClick={sheet} data-testid="tear-sheet">Tear sheet</Button>}
      {may("trade") && <Button size="compact-xs" variant="default" onClick={() => openForm(run)} data-testid="run-again">Run again…</Button>}
      {may("trade") && canResume(run) && <Button size="compact-xs" variant="default" loading={busy} onClick={resume}>Resume</Button>}
      {may("trade") && isUnderWay(run) && <Button size="compact-xs" variant="default" loading={busy} onClick={cancel} data-testid="run-cancel">Cancel</Button>}
      {may("trade") && !isUnderWay(run) && <Button size="compact-xs" variant="subtle" color="red" disabled={busy} onClick={() => setAsking(true)} data-testid="run-remove">Remove</Button>}
      <Confirm opened={asking} title="Remove this result?" action="Remove" danger onClose={() => setAsking(false)} onConfirm={remove}>
        The {KINDS[run.kind].toLowerCase()} of {run.strategy} on {marketOf(run)} goes with its trades, its curve and its tear sheet. Run again, it would give the same.
      </Confirm>
    </>
  );
}

function Waiting({ run }: { run: Backtest }) {
  return (
    <div className={classes.waiting} role="status">
      <Progress value={(run.progress ?? 0) * 100} animated={run.state === "running"} aria-label="How far it is" />
      <p>{progressOf(run)}</p>
      {run.best && <p>Best so far: {saidAll(run.best)}</p>}
    </div>
  );
}

type Tab = "summary" | "metrics" | "trades" | "combinations" | "windows" | "terms";

const tabsOf = (run: BacktestDetail): { value: Tab; label: string }[] => [
  { value: "summary", label: "Summary" },
  ...(run.kind === "sweep" ? [{ value: "combinations" as const, label: "Combinations" }] : []),
  ...(run.kind === "walk-forward" ? [{ value: "windows" as const, label: "Windows" }] : []),
  { value: "trades", label: "Trades" },
  { value: "metrics", label: "Metrics" },
  { value: "terms", label: "Terms" },
];

function Result({ run, told }: { run: BacktestDetail; told: Backtest }) {
  const [tab, setTab] = useState<Tab>("summary");
  const zone = useDesk((desk) => desk.zone);
  const { summary } = run;
  const look = lookOf(told.state);
  return (
    <>
      <div className={classes.head}>
        <strong>{run.configuration ?? run.strategy}</strong>
        <Tag tone="neutral">{KINDS[run.kind]}</Tag>
        <Tag tone={look.tone} testId="run-state">{look.label}</Tag>
        <span className="muted">{marketOf(run)}</span>
        <p>{saidAll(run.parameters) || "No parameters."}</p>
      </div>
      {run.error && <Note tone="bad" urgent className={classes.fault} title={run.state === "failed" ? "It failed" : undefined}>{run.error}</Note>}
      {isUnderWay(told) && <Waiting run={told} />}
      {!summary && !isUnderWay(told) && <Terms run={run} zone={zone} />}
      {summary && (
        <>
          <div className={classes.tabs}>
            <SegmentedControl size="xs" data={tabsOf(run)} value={tab} onChange={(value) => setTab(value as Tab)} aria-label="Parts of the result" />
          </div>
          {tab === "summary" && <Summary run={run} summary={summary} />}
          {tab === "metrics" && <Metrics run={run} summary={summary} />}
          {tab === "trades" && <Trades id={run.id} currency={summary.currency} zone={zone} fills={summary.fills} />}
          {tab === "combinations" && <Combinations run={run} currency={summary.currency} />}
          {tab === "windows" && <Windows run={run} currency={summary.currency} zone={zone} />}
          {tab === "terms" && <Terms run={run} zone={zone} />}
        </>
      )}
    </>
  );
}

function Loaded({ id }: { id: string }) {
  const { query, run, told, isGone } = useRun(id);
  const isMissing = isGone || (query.error instanceof Problem && query.error.status === 404);
  return (
    <Panel id="result" area="result" title="Result" aside={run ? said(run.id.slice(0, 13)) : undefined} actions={run && !isMissing ? <Actions run={run} /> : undefined}>
      <PanelState
        status={isMissing ? "ready" : query.isPending ? "waiting" : query.isError ? "error" : "ready"}
        fault={query.error && explain(query.error)}
        onRetry={() => void query.refetch()}
        isEmpty={isMissing}
        empty="There is no such backtest of yours; it may have been removed."
      >
        {run && told && <Result run={run} told={told} />}
      </PanelState>
    </Panel>
  );
}

/** One run: how far it is, then what came of it. */
export function ResultPanel({ id }: { id: string | null }) {
  if (id !== null) return <Loaded id={id} />;
  return (
    <Panel id="result" area="result" title="Result">
      <PanelState status="ready" fault={null} onRetry={() => undefined} isEmpty empty="Choose a backtest to see its curve, its trades and its figures; tick several to compare them.">
        {null}
      </PanelState>
    </Panel>
  );
}

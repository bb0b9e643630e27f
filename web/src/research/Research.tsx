"use client";

import { Button } from "@mantine/core";
import { useEffect } from "react";
import { Banners } from "@/desk/Banners";
import { Header } from "@/desk/Header";
import { Help } from "@/desk/Help";
import { useMay, useShares } from "@/desk/rights";
import { useAlarms, useConnection } from "@/desk/watch";
import { describe } from "@/stream/freshness";
import { useStreaming } from "@/stream/useStreaming";
import { FilterInput } from "@/ui/FilterInput";
import page from "@/ui/page.module.css";
import { ComparisonPanel } from "./ComparisonPanel";
import { useRuns } from "./data";
import { FormDrawer } from "./FormDrawer";
import { FILTER_ID, KEYS, useResearchKeys } from "./keys";
import { isUnderWay } from "./look";
import classes from "./Research.module.css";
import { ResultPanel } from "./ResultPanel";
import { RunsPanel } from "./RunsPanel";
import { openForm, setText, usePlace, useResearch } from "./store";

/** The page's title tells how many are under way, also when the tab is in the background. */
function useTitle(): void {
  const connection = useConnection();
  const { runs } = useRuns();
  const busy = runs.filter(isUnderWay).length;
  const text = `${describe(connection)} · ${busy > 0 ? `${busy} under way · ` : ""}Backtests · Evenkeel`;
  useEffect(() => {
    document.title = text;
  }, [text]);
}

function Toolbar() {
  const text = useResearch((state) => state.text);
  const may = useMay();
  return (
    <div className={classes.toolbar} role="search" aria-label="Filter the backtests">
      <FilterInput
        id={FILTER_ID}
        className={classes.filter}
        placeholder="Filter by strategy, symbol, state"
        label="Filter the backtests"
        value={text}
        onChange={setText}
      />
      {may("trade") && (
        <Button size="xs" onClick={() => openForm()} data-testid="run-new" rightSection={<span className={classes.key}>n</span>}>
          New backtest
        </Button>
      )}
    </div>
  );
}

export function Research() {
  useStreaming();
  useShares();
  useAlarms();
  useTitle();
  useResearchKeys();
  const { runId, compared } = usePlace();
  return (
    <div className={`${page.page} ${classes.page}`}>
      <a className="skip-link" href="#runs-title">Skip to the backtests</a>
      <div className={page.top}>
        <Header>
          <Toolbar />
        </Header>
        <Banners />
      </div>
      <main className={classes.grid}>
        <h1 className="visually-hidden">Backtests</h1>
        <RunsPanel />
        {compared.length > 0 ? <ComparisonPanel ids={compared} /> : <ResultPanel key={runId} id={runId} />}
      </main>
      <FormDrawer />
      <Help keys={KEYS} rest="Click a backtest for all that came of it; tick several to compare them." />
    </div>
  );
}

import { Button, NativeSelect } from "@mantine/core";
import { useState } from "react";
import type { BacktestDetail, Combination, HeatMap, WalkWindow } from "@/api/types";
import { NOTHING } from "@/format/number";
import { splitInstant, type Zone } from "@/format/time";
import { asked } from "@/ui/asked";
import { Num } from "@/ui/Num";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { Tag } from "@/ui/Tag";
import { useCombinations, useHeatMap, useWindows } from "./data";
import { said, saidAll, showMetric } from "./look";
import classes from "./Result.module.css";

const UNITS: Record<string, string> = {
  total_return: "fraction", cagr: "fraction", max_drawdown: "fraction", volatility: "fraction", win_rate: "fraction",
  trades: "count", fills: "count", final_equity: "currency", fees: "currency", net_profit: "currency",
};

const unitOf = (name: string): string => UNITS[name] ?? "ratio";
const wordsOf = (name: string): string => name.replaceAll("_", " ");

/** From the worst to the best, on the accent's tint; nothing where nothing was run. */
export function shades(map: HeatMap): (value: number | null) => number {
  const all = map.cells.flat().filter((value): value is number => value !== null && Number.isFinite(value));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return (value) => {
    if (value === null || !Number.isFinite(value)) return 0;
    const share = high > low ? (value - low) / (high - low) : 1;
    return map.higher_is_better === false ? 1 - share : share;
  };
}

function Heat({ map, currency }: { map: HeatMap; currency: string }) {
  const shade = shades(map);
  return (
    <div className={classes.heat}>
      <table aria-label={`${wordsOf(map.value)} by ${map.x.name}${map.y ? ` and ${map.y.name}` : ""}`} data-testid="heat-map">
        <thead>
          <tr>
            <th scope="col">{map.y ? `${map.y.name} ↓  ${map.x.name} →` : `${map.x.name} →`}</th>
            {map.x.values.map((value) => <th key={String(value)} scope="col">{said(value)}</th>)}
          </tr>
        </thead>
        <tbody>
          {map.cells.map((row, place) => (
            <tr key={place}>
              <th scope="row">{map.y ? said(map.y.values[place]) : ""}</th>
              {row.map((value, column) => (
                <td key={column} style={value === null ? undefined : { background: `color-mix(in srgb, var(--accent) ${Math.round(8 + shade(value) * 62)}%, transparent)` }}>
                  {value === null ? NOTHING : showMetric(value, unitOf(map.value), currency).text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function HeatPart({ id, value, currency }: { id: string; value: string | null; currency: string }) {
  const found = useHeatMap(id, value);
  return (
    <PanelState
      {...asked(found)}
      isEmpty={found.data?.cells.length === 0}
      empty="Nothing varies, so that there is nothing to draw."
    >
      {found.data && <Heat map={found.data} currency={currency} />}
    </PanelState>
  );
}

function CombinationRow({ one, parameters, figures, currency }: { one: Combination; parameters: string[]; figures: string[]; currency: string }) {
  return (
    <tr>
      {parameters.map((name) => <td key={name} className={`${table.right} number`}>{said(one.parameters[name])}</td>)}
      {figures.map((name) => <td key={name} className={table.right}><Num value={showMetric(one.figures[name], unitOf(name), currency)} /></td>)}
      <td>{!one.feasible ? <Tag tone="warn">Breaks a rule</Tag> : one.front ? <Tag tone="accent">On the front</Tag> : null}</td>
    </tr>
  );
}

/** What a sweep tried: as a map of two parameters, and one by one, the best first or by any column. */
export function Combinations({ run, currency }: { run: BacktestDetail; currency: string }) {
  const [sort, setSort] = useState<string>("");
  const [value, setValue] = useState<string>("");
  const found = useCombinations(run.id, sort || null);
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const [parameters, figures] = [Object.keys(rows[0]?.parameters ?? {}), Object.keys(rows[0]?.figures ?? {})];
  const columns = [...parameters, ...figures];
  return (
    <>
      <div className={classes.controls}>
        <NativeSelect size="xs" label="Map of" value={value} onChange={(event) => setValue(event.currentTarget.value)} data={[{ value: "", label: "What was looked for" }, ...figures.map((name) => ({ value: name, label: wordsOf(name) }))]} />
        <NativeSelect
          size="xs"
          label="Rows by"
          value={sort}
          onChange={(event) => setSort(event.currentTarget.value)}
          data={[{ value: "", label: "The best first" }, ...columns.flatMap((name) => [{ value: `-${name}`, label: `${wordsOf(name)}, highest first` }, { value: name, label: `${wordsOf(name)}, lowest first` }])]}
        />
      </div>
      <HeatPart id={run.id} value={value || null} currency={currency} />
      <PanelState
        {...asked(found)}
        isEmpty={rows.length === 0}
        empty="No combination could be run."
      >
        <table className={table.table} aria-label="Combinations">
          <thead>
            <tr>
              {columns.map((name) => <th key={name} scope="col" className={table.right}>{wordsOf(name)}</th>)}
              <th scope="col"><span className="visually-hidden">Remarks</span></th>
            </tr>
          </thead>
          <tbody>{rows.map((one) => <CombinationRow key={one.id} one={one} parameters={parameters} figures={figures} currency={currency} />)}</tbody>
        </table>
        {found.hasNextPage && (
          <p className={classes.more}>
            <Button size="compact-xs" variant="subtle" loading={found.isFetching} onClick={() => void found.fetchNextPage()}>Load more combinations</Button>
          </p>
        )}
      </PanelState>
    </>
  );
}

const day = (at: string, zone: Zone): string => splitInstant(at, zone)?.date ?? "";

function WindowRow({ one, zone, objective, currency }: { one: WalkWindow; zone: Zone; objective: string; currency: string }) {
  return (
    <tr>
      <td className="number">{day(one.test_start, zone)} – {day(one.test_end, zone)}<span className={table.second}>trained from {day(one.train_start, zone)}</span></td>
      <td>{one.parameters ? saidAll(one.parameters) : "none qualified"}<span className={table.second}>best of {one.tried}</span></td>
      <td className={table.right}><Num value={showMetric(one.in_sample[objective], unitOf(objective), currency)} /></td>
      <td className={table.right}><Num value={showMetric(one.out_of_sample[objective], unitOf(objective), currency)} /></td>
      <td className={table.right}><Num value={showMetric(one.out_of_sample.total_return, "fraction", currency)} signed /></td>
    </tr>
  );
}

/** The windows of a walk-forward: what training chose, and what it did afterwards. */
export function Windows({ run, currency, zone }: { run: BacktestDetail; currency: string; zone: Zone }) {
  const found = useWindows(run.id);
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const objective = run.search?.objectives[0] ?? "sharpe";
  return (
    <PanelState
      {...asked(found)}
      isEmpty={rows.length === 0}
      empty="There is no window."
    >
      <table className={table.table} aria-label="Windows">
        <thead>
          <tr>
            <th scope="col">Test</th>
            <th scope="col">Chosen</th>
            <th scope="col" className={table.right}>{wordsOf(objective)}, training</th>
            <th scope="col" className={table.right}>{wordsOf(objective)}, test</th>
            <th scope="col" className={table.right}>Return, test</th>
          </tr>
        </thead>
        <tbody>{rows.map((one) => <WindowRow key={one.id} one={one} zone={zone} objective={objective} currency={currency} />)}</tbody>
      </table>
      {found.hasNextPage && (
        <p className={classes.more}>
          <Button size="compact-xs" variant="subtle" loading={found.isFetching} onClick={() => void found.fetchNextPage()}>Load more windows</Button>
        </p>
      )}
    </PanelState>
  );
}

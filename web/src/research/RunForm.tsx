import { Button, Checkbox, MultiSelect, NativeSelect, SegmentedControl, Textarea, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { startBacktest } from "@/api/endpoints";
import { explain, Problem } from "@/api/problem";
import type { BacktestDetail, Series, Template } from "@/api/types";
import { Note } from "@/ui/Note";
import { type Faults, faultsOf, FILLS, METHODS, OBJECTIVES, type RunValues, SIZES } from "./form";
import classes from "./Form.module.css";
import { countOf, startOf, toBody } from "./request";
import { closeForm, showRun } from "./store";
import { sizeInWords } from "./Terms";
import { hintOf } from "./typed";

const KINDS = [
  { value: "backtest", label: "Single" },
  { value: "sweep", label: "Sweep" },
  { value: "walk-forward", label: "Walk-forward" },
];

const SOURCES: Record<string, string> = { "built-in": "Built in", file: "From files", package: "From packages", saved: "Saved" };

const ORDER = ["label", "input", "description", "error"] as ("label" | "input" | "description" | "error")[];

interface PartProps {
  values: RunValues;
  faults: Faults;
  set: (change: Partial<RunValues>) => void;
}

type Texts = { [K in keyof RunValues]: RunValues[K] extends string ? K : never }[keyof RunValues];

function Field({ name, label, hint, values, faults, set }: PartProps & { name: Texts; label: string; hint?: string }) {
  return (
    <TextInput
      label={label}
      description={hint}
      inputWrapperOrder={ORDER}
      autoComplete="off"
      value={values[name]}
      error={faults[name]}
      data-testid={`run-${name}`}
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  );
}

function StrategyPart({ templates, ...part }: PartProps & { templates: readonly Template[] }) {
  const { values, faults, set } = part;
  const template = templates.find(({ name }) => name === values.strategy);
  const groups = [...Map.groupBy(templates, ({ source }) => source)].map(([source, found]) => ({
    group: SOURCES[source ?? ""] ?? String(source),
    items: found.map(({ name, title }) => ({ value: name, label: title })),
  }));
  const isSearch = values.kind !== "backtest";
  return (
    <>
      <NativeSelect
        label="Strategy"
        description={template?.description}
        inputWrapperOrder={ORDER}
        data={groups}
        value={values.strategy}
        error={faults.strategy}
        data-testid="run-strategy"
        data-autofocus
        onChange={(event) => set({ strategy: event.currentTarget.value, parameters: {} })}
      />
      {template && template.parameters.length > 0 && (
        <fieldset className={classes.group}>
          <legend>{isSearch ? "Parameters: 5..25 by 5, or 10, 20, 50 tries several" : "Parameters"}</legend>
          {faults.parameters && <Note tone="bad" urgent>{faults.parameters}</Note>}
          <div className={classes.pair}>
            {template.parameters.map((parameter) => (
              <TextInput
                key={parameter.name}
                label={parameter.name.replaceAll("_", " ")}
                title={parameter.description}
                placeholder={String(parameter.default)}
                description={hintOf(parameter)}
                inputWrapperOrder={ORDER}
                autoComplete="off"
                value={values.parameters[parameter.name] ?? ""}
                error={faults[`parameters.${parameter.name}`]}
                data-testid={`run-parameter-${parameter.name}`}
                onChange={(event) => set({ parameters: { ...values.parameters, [parameter.name]: event.currentTarget.value } })}
              />
            ))}
          </div>
        </fieldset>
      )}
    </>
  );
}

function BarsPart({ series, ...part }: PartProps & { series: readonly Series[] }) {
  const { values, faults, set } = part;
  const frames = [...new Set(series.map(({ timeframe }) => timeframe))];
  const there = series.filter(({ timeframe }) => timeframe === values.timeframe);
  const chosen = there.filter(({ symbol }) => values.symbols.includes(symbol));
  const first = chosen.map(({ start }) => start).sort()[0]?.slice(0, 10);
  const last = chosen.map(({ end }) => end).sort().at(-1)?.slice(0, 10);
  return (
    <>
      <div className={classes.pair}>
        <MultiSelect
          label="Symbols"
          data={there.map(({ symbol }) => symbol)}
          value={values.symbols}
          onChange={(symbols) => set({ symbols })}
          error={faults.symbols}
          searchable
          maxValues={50}
          nothingFoundMessage="No bars of such a symbol"
          data-testid="run-symbols"
        />
        <NativeSelect label="Timeframe" data={frames} value={values.timeframe} error={faults.timeframe} onChange={(event) => set({ timeframe: event.currentTarget.value })} data-testid="run-timeframe" />
      </div>
      <div className={classes.pair}>
        <Field {...part} name="start" label="From" hint={first ? `bars from ${first} on` : "a day, in UTC"} />
        <Field {...part} name="end" label="Until, not included" hint={last ? `bars until ${last}` : "a day, in UTC"} />
      </div>
    </>
  );
}

function MoneyPart({ from, ...part }: PartProps & { from: BacktestDetail | null }) {
  const { values, set } = part;
  const kept = from && startOf(from, [], []).size_type === "kept";
  const sizes = [...SIZES, ...(kept ? [{ value: "kept", label: sizeInWords(from.asked.size) }] : [])];
  return (
    <>
      <div className={classes.three}>
        <Field {...part} name="cash" label="Cash" />
        {values.size_type !== "kept" ? <Field {...part} name="size" label="Size" /> : <span />}
        <NativeSelect label="Size in" data={sizes} value={values.size_type} onChange={(event) => set({ size_type: event.currentTarget.value })} />
      </div>
      <div className={classes.three}>
        <Field {...part} name="fees_bps" label="Costs, bps" hint="of value" />
        <Field {...part} name="slippage_bps" label="Slippage, bps" hint="of price" />
        <NativeSelect label="Filled at" data={[...FILLS]} value={values.fill} onChange={(event) => set({ fill: event.currentTarget.value })} />
      </div>
      <details className={classes.more}>
        <summary>Exits and cost schedule</summary>
        <div className={classes.three}>
          <Field {...part} name="stop_loss" label="Stop-loss, %" />
          <Field {...part} name="take_profit" label="Take-profit, %" />
          <Field {...part} name="trailing_stop" label="Trailing stop, %" />
        </div>
        <Field {...part} name="fees" label="Cost schedule" hint="by name, such as india-equity-intraday; instead of basis points" />
      </details>
    </>
  );
}

function SearchPart({ count, ...part }: PartProps & { count: number | null }) {
  const { values, set } = part;
  const isWalk = values.kind === "walk-forward";
  return (
    <fieldset className={classes.group}>
      <legend>Search</legend>
      <div className={classes.pair}>
        <NativeSelect label="Try" data={[...METHODS]} value={values.method} onChange={(event) => set({ method: event.currentTarget.value })} />
        <NativeSelect label="Look for" data={OBJECTIVES.map((name) => ({ value: name, label: name.replaceAll("_", " ") }))} value={values.objective} onChange={(event) => set({ objective: event.currentTarget.value })} />
      </div>
      {values.method !== "grid" && <Field {...part} name="trials" label="Trials" />}
      {isWalk && (
        <>
          <div className={classes.three}>
            <Field {...part} name="train" label="Training, bars" />
            <Field {...part} name="test" label="Test, bars" />
            <Field {...part} name="embargo" label="Gap, bars" />
          </div>
          <Checkbox label="Anchored: training begins with the history each time" checked={values.anchored} onChange={(event) => set({ anchored: event.currentTarget.checked })} />
        </>
      )}
      <Textarea
        label="Rules"
        description="one a line: of parameters, such as fast < slow, or of figures, such as trades >= 30"
        inputWrapperOrder={ORDER}
        autosize
        minRows={1}
        value={values.constraints}
        error={part.faults.constraints}
        onChange={(event) => set({ constraints: event.currentTarget.value })}
      />
      {count !== null && <p className="muted" data-testid="run-count">{count.toLocaleString("en-US")} combinations{isWalk ? " in each window" : ""}</p>}
    </fieldset>
  );
}

/** The server's names of fields, as this form has them. */
const fieldOf = (field: string): string => (field.startsWith("symbols.") ? "symbols" : field.startsWith("space.") ? field.replace("space", "parameters") : field.startsWith("objective") ? "objective" : field);

export function RunForm({ templates, series, from }: { templates: readonly Template[]; series: readonly Series[]; from: BacktestDetail | null }) {
  const [values, setValues] = useState<RunValues>(() => startOf(from, templates, series));
  const [faults, setFaults] = useState<Faults>({});
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const template = templates.find(({ name }) => name === values.strategy);
  const count = useMemo(() => (Object.keys(faultsOf(values, template)).length === 0 ? countOf(values, template) : null), [values, template]);
  const set = (change: Partial<RunValues>) => {
    setValues((held) => ({ ...held, ...change }));
    setFault(null);
    setFaults({});
  };
  const refused = (error: unknown) => {
    setFault(explain(error));
    if (error instanceof Problem) setFaults(Object.fromEntries(error.faults.map(({ field, message }) => [fieldOf(field), message])));
  };
  const submit = async () => {
    const found = faultsOf(values, template);
    setFaults(found);
    if (Object.keys(found).length > 0 || !template) return setFault("Something is missing, or not as it must be.");
    setBusy(true);
    try {
      const made = await startBacktest(values.kind, toBody(values, template, from));
      await queries.invalidateQueries({ queryKey: ["backtests"] });
      closeForm();
      showRun(made.id);
    } catch (error) {
      refused(error);
    } finally {
      setBusy(false);
    }
  };
  const part = { values, faults, set };
  return (
    <form
      className={classes.form}
      noValidate
      aria-label="Backtest"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {fault && <Note tone="bad" urgent testId="run-fault">{fault}</Note>}
      <SegmentedControl fullWidth data={KINDS} value={values.kind} onChange={(kind) => set({ kind: kind as RunValues["kind"] })} aria-label="What to run" />
      <StrategyPart {...part} templates={templates} />
      <BarsPart {...part} series={series} />
      <MoneyPart {...part} from={from} />
      {values.kind !== "backtest" && <SearchPart {...part} count={count} />}
      <Button type="submit" fullWidth loading={busy} data-testid="run-submit">
        Run
      </Button>
    </form>
  );
}

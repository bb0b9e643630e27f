import { Button, NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { zodResolver } from "@hookform/resolvers/zod";
import { useEffect, useMemo } from "react";
import { Controller, useForm, useWatch } from "react-hook-form";
import type { Account, FieldFault, SymbolInfo } from "@/api/types";
import { parse, toShortText } from "@/format/decimal";
import { Note } from "@/ui/Note";
import { Estimate } from "./Estimate";
import { KINDS, needsLimit, needsStop, ticketSchema, type TicketValues, TIMES_IN_FORCE, toBody } from "./schema";
import { forgetFault, review } from "./store";
import classes from "./Ticket.module.css";

interface FormProps {
  accounts: Account[];
  symbols: SymbolInfo[];
  start: TicketValues;
  fault: string | null;
  faults: FieldFault[];
  onChange: (values: TicketValues) => void;
}

const step = (text: string | undefined, name: string): string => {
  const value = parse(text);
  return value ? `${name} ${toShortText(value)}` : "";
};

export function TicketForm({ accounts, symbols, start, fault, faults, onChange }: FormProps) {
  const resolver = useMemo(() => zodResolver(ticketSchema(symbols)), [symbols]);
  const { register, control, handleSubmit, setError, clearErrors, setFocus, getValues, formState: { errors } } = useForm<TicketValues>({
    resolver,
    defaultValues: start,
  });
  const values = useWatch({ control }) as TicketValues;
  const instrument = symbols.find((entry) => entry.symbol === values.symbol);
  useEffect(() => () => onChange(getValues()), [getValues, onChange]);
  useEffect(() => {
    for (const { field, message } of faults) if (field in start) setError(field as keyof TicketValues, { message });
  }, [faults, setError, start]);
  const overtaken = () => {
    if (fault === null && faults.length === 0) return;
    clearErrors(faults.flatMap(({ field }) => (field in start ? [field as keyof TicketValues] : [])));
    forgetFault();
  };
  const submit = handleSubmit((ticket) => review(toBody(ticket)));
  const first = (["account_id", "symbol"] as const).find((field) => start[field] === "") ?? "quantity";
  useEffect(() => setFocus(first), [first, setFocus]);
  const numeric = { inputMode: "decimal", autoComplete: "off", className: classes.numeric } as const;
  return (
    <form
      className={classes.form}
      onChange={overtaken}
      onSubmit={(event) => {
        overtaken();
        void submit(event);
      }}
      noValidate
      aria-label="Order ticket"
    >
      {fault && <Note tone="bad" urgent testId="ticket-fault">{fault}</Note>}
      <NativeSelect
        label="Account"
        data={[{ value: "", label: "Choose an account", disabled: true }, ...accounts.map((account) => ({ value: account.id, label: `${account.name} · ${account.mode.toUpperCase()}` }))]}
        error={errors.account_id?.message}
        data-testid="ticket-account"
        data-autofocus={first === "account_id" || undefined}
        {...register("account_id")}
      />
      <Controller
        control={control}
        name="side"
        render={({ field }) => (
          <SegmentedControl
            fullWidth
            aria-label="Side"
            data={[{ value: "BUY", label: "Buy" }, { value: "SELL", label: "Sell" }]}
            value={field.value}
            onChange={field.onChange}
          />
        )}
      />
      <div className={classes.pair}>
        <NativeSelect
          label="Symbol"
          data={[{ value: "", label: "Choose", disabled: true }, ...symbols.map((entry) => ({ value: entry.symbol, label: entry.symbol }))]}
          error={errors.symbol?.message}
          data-testid="ticket-symbol"
          data-autofocus={first === "symbol" || undefined}
          {...register("symbol")}
        />
        <TextInput label="Quantity" description={step(instrument?.lot_size, "lot")} inputWrapperOrder={["label", "input", "description", "error"]} error={errors.quantity?.message} data-testid="ticket-quantity" data-autofocus={first === "quantity" || undefined} {...numeric} {...register("quantity")} />
      </div>
      <div className={classes.pair}>
        <NativeSelect label="Kind" data={[...KINDS]} data-testid="ticket-kind" {...register("kind")} />
        <NativeSelect label="Time in force" data={[...TIMES_IN_FORCE]} data-testid="ticket-tif" {...register("time_in_force")} />
      </div>
      {(needsStop(values.kind) || needsLimit(values.kind)) && (
        <div className={classes.pair}>
          {needsStop(values.kind) && (
            <TextInput label="Stop price" description={step(instrument?.tick_size, "tick")} inputWrapperOrder={["label", "input", "description", "error"]} error={errors.stop_price?.message} data-testid="ticket-stop-price" {...numeric} {...register("stop_price")} />
          )}
          {needsLimit(values.kind) && (
            <TextInput label="Limit price" description={step(instrument?.tick_size, "tick")} inputWrapperOrder={["label", "input", "description", "error"]} error={errors.limit_price?.message} data-testid="ticket-limit-price" {...numeric} {...register("limit_price")} />
          )}
        </div>
      )}
      <Estimate values={values} instrument={instrument} account={accounts.find((account) => account.id === values.account_id)} />
      <Button type="submit" fullWidth data-testid="ticket-review">
        Review order
      </Button>
    </form>
  );
}

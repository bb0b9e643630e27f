import { Button, Group, Popover, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { allocate } from "@/api/endpoints";
import { explain } from "@/api/problem";
import type { Account, Allocation, Deployment } from "@/api/types";
import { compare, parse, toText } from "@/format/decimal";
import { showPercent } from "@/format/number";
import { fromPercentText, toPercentText } from "./allocation";
import classes from "./AllocationEditor.module.css";

/** "20 %" where all accounts share it, else the range, "12.5–20 %". */
export function summaryOf(accounts: readonly Allocation[]): string {
  const shares = accounts.flatMap(({ allocation }) => parse(allocation) ?? []).sort(compare);
  const [least, most] = [shares[0], shares[shares.length - 1]];
  if (!least || !most) return "Set";
  const top = showPercent(most, { most: 2 }).text;
  return compare(least, most) === 0 ? top : `${toPercentText(toText(least))}\u2013${top}`;
}

interface EditorProps {
  deployment: Deployment;
  accounts: ReadonlyMap<string, Account>;
}

function Fields({ deployment, accounts, onDone }: EditorProps & { onDone: () => void }) {
  const [texts, setTexts] = useState(() => deployment.accounts.map(({ allocation }) => toPercentText(allocation)));
  const [checked, setChecked] = useState(false);
  const inputs = texts.map(fromPercentText);
  const save = useMutation({ mutationFn: (changed: Allocation[]) => allocate(deployment.id, changed), onSuccess: onDone });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    const changed = deployment.accounts.flatMap(({ account_id }, index) => {
      const input = inputs[index];
      return input && "fraction" in input ? [{ account_id, allocation: input.fraction }] : [];
    });
    if (changed.length === deployment.accounts.length) save.mutate(changed);
  };
  return (
    <form className={classes.form} onSubmit={submit} noValidate aria-label={`Allocation of ${deployment.name}`}>
      <p className="muted">Share of each account’s equity that this strategy may use.</p>
      {deployment.accounts.map(({ account_id }, index) => {
        const input = inputs[index];
        return (
          <TextInput
            key={account_id}
            size="xs"
            label={accounts.get(account_id)?.name ?? account_id}
            value={texts[index] ?? ""}
            rightSection="%"
            inputMode="decimal"
            autoComplete="off"
            data-testid="allocation-input"
            error={checked && input && "fault" in input ? input.fault : undefined}
            onChange={(event) => setTexts(texts.with(index, event.currentTarget.value))}
          />
        );
      })}
      {save.error && <p className="negative" role="alert">{explain(save.error)}</p>}
      <Group gap="xs" justify="flex-end">
        <Button size="compact-sm" variant="default" onClick={onDone}>
          Keep as is
        </Button>
        <Button size="compact-sm" type="submit" loading={save.isPending} data-testid="allocation-save">
          Save
        </Button>
      </Group>
    </form>
  );
}

export function AllocationEditor({ deployment, accounts }: EditorProps) {
  const [open, setOpen] = useState(false);
  return (
    <Popover opened={open} onChange={setOpen} trapFocus returnFocus withArrow position="bottom-end" shadow="md" width={240}>
      <Popover.Target>
        <button
          type="button"
          className={`number ${classes.value}`}
          aria-label={`Allocation of ${deployment.name}: ${summaryOf(deployment.accounts)}. Change`}
          data-testid="strategy-allocation"
          onClick={() => setOpen(!open)}
        >
          {summaryOf(deployment.accounts)}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <Fields deployment={deployment} accounts={accounts} onDone={() => setOpen(false)} />
      </Popover.Dropdown>
    </Popover>
  );
}

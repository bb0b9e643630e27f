"use client";

import { Button, NativeSelect } from "@mantine/core";
import { FilterInput } from "@/ui/FilterInput";
import { Tag } from "@/ui/Tag";
import { useAccounts } from "./data";
import { FILTER_ID } from "./keys";
import { useMay } from "./rights";
import { openTicket, selectAccount, setText, useDesk } from "./store";
import classes from "./Toolbar.module.css";

/** The desk has one filter: an account and a few words, for every panel. */
export function Toolbar() {
  const { accountId, text } = useDesk();
  const { list } = useAccounts();
  const may = useMay();
  return (
    <div className={classes.toolbar} role="search" aria-label="Filter the desk">
      <NativeSelect
        className={classes.account}
        size="xs"
        aria-label="Account shown"
        data-testid="account-filter"
        value={accountId ?? ""}
        data={[{ value: "", label: "All accounts" }, ...list.map(({ id, name }) => ({ value: id, label: name }))]}
        onChange={(event) => selectAccount(event.currentTarget.value || null)}
      />
      <FilterInput
        id={FILTER_ID}
        className={classes.filter}
        placeholder="Filter by symbol, strategy, state"
        label="Filter positions, orders, strategies and events"
        value={text}
        onChange={setText}
      />
      {may("trade") ? (
        <Button size="xs" onClick={() => openTicket()} data-testid="ticket-open" rightSection={<span className={classes.key}>n</span>}>
          New order
        </Button>
      ) : (
        <Tag tone="neutral" title="You may look at what is here, and change nothing. An administrator may give you another role." testId="view-only">
          VIEW ONLY
        </Tag>
      )}
    </div>
  );
}

"use client";

import { Button, CloseButton, Kbd, NativeSelect, TextInput } from "@mantine/core";
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
      <TextInput
        id={FILTER_ID}
        className={classes.filter}
        size="xs"
        type="text"
        placeholder="Filter by symbol, strategy, state"
        aria-label="Filter positions, orders, strategies and events"
        autoComplete="off"
        spellCheck={false}
        data-testid="desk-filter"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        rightSection={text ? <CloseButton size="xs" aria-label="Clear the filter" onClick={() => setText("")} /> : <Kbd size="xs">/</Kbd>}
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

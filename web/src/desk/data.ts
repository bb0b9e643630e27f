import { useMemo } from "react";
import type { Account } from "@/api/types";
import type { Channel } from "@/stream/protocol";
import { refreshChannel } from "@/stream/live";
import { useChannel } from "@/stream/store";

/** Active accounts by name, and a look-up by id. */
export function useAccounts(): { list: Account[]; byId: ReadonlyMap<string, Account> } {
  const { items } = useChannel("accounts");
  return useMemo(() => {
    const list = [...items.values()]
      .filter((account) => account.is_active !== false)
      .sort((left, right) => left.name.localeCompare(right.name));
    return { list, byId: items };
  }, [items]);
}

export function useChannelState(channel: Channel) {
  const { status, fault } = useChannel(channel);
  return { status, fault, onRetry: () => refreshChannel(channel) };
}

/** The colour of an account, the same everywhere on the desk. */
export const colourOf = (accounts: readonly Account[], id: string): string =>
  `var(--line-${(Math.max(0, accounts.findIndex((account) => account.id === id)) % 6) + 1})`;

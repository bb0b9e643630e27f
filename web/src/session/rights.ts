import type { Permission, Share, User } from "@/api/types";

/** Each holds those before it, as on the server; `self` is on no rung. */
const LADDER: readonly Permission[] = ["read", "reduce", "trade", "manage", "admin"];

/** What may be done in accounts that were lent to the person, by account; null where their role leaves nothing. */
export type Lent = ReadonlyMap<string, Share["in_force"]>;

export const NOTHING_LENT: Lent = new Map();

export const lentTo = (shares: readonly Share[]): Lent =>
  new Map(shares.filter(({ mine }) => !mine).map(({ account_id, in_force }) => [account_id, in_force]));

/**
 * Whether the person may do what needs this permission, in all of these accounts. The server judges every request anew: this
 * only keeps the desk from offering what would be refused.
 */
export function mayDo(user: User | null, lent: Lent, needs: Permission, accountIds: readonly string[] = []): boolean {
  if (!user?.permissions.includes(needs)) return false;
  return accountIds.every((id) => {
    const most = lent.get(id);
    return most === undefined || (most !== null && LADDER.indexOf(needs) <= LADDER.indexOf(most));
  });
}

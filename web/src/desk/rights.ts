import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import { listShares } from "@/api/endpoints";
import type { Permission } from "@/api/types";
import { lentTo, mayDo, NOTHING_LENT } from "@/session/rights";
import { useSession } from "@/session/store";
import { useStream } from "@/stream/store";

const SHARES = ["shares"];

/** Reads anew what was lent whenever the stream has come back: the server ends it when that changes. */
export function useShares(): void {
  const queries = useQueryClient();
  useEffect(
    () =>
      useStream.subscribe((now, before) => {
        if (now.phase === "open" && before.phase !== "open") void queries.invalidateQueries({ queryKey: SHARES });
      }),
    [queries],
  );
}

/** Whether who is signed in may do something, in general or in these accounts. */
export function useMay(): (needs: Permission, ...accountIds: string[]) => boolean {
  const user = useSession((state) => state.user);
  const { data } = useQuery({ queryKey: SHARES, queryFn: () => listShares().then((page) => page.items) });
  const lent = useMemo(() => (data ? lentTo(data) : NOTHING_LENT), [data]);
  return useCallback((needs, ...accountIds) => mayDo(user, lent, needs, accountIds), [user, lent]);
}

/** The same of orders in general, for where no hook can be. */
export const mayTrade = (): boolean => mayDo(useSession.getState().user, NOTHING_LENT, "trade");

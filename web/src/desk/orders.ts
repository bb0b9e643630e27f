import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { collect, listOrders } from "@/api/endpoints";
import type { Order } from "@/api/types";
import { useChannel, useStream } from "@/stream/store";
import { lookOf, mergeOrders, ORDERS_AT_ONCE, outrun } from "./states";

const isOpen = (order: Order): boolean => lookOf(order.state).group === "open";

/** Open orders older than the stream's snapshot; one leaves as soon as the stream tells that it has ended. */
function useOldOpenOrders(items: ReadonlyMap<string, Order>, epoch: string | null): readonly Order[] {
  const queries = useQueryClient();
  const { data } = useQuery({
    queryKey: ["orders", "open", epoch],
    queryFn: () => collect((cursor) => listOrders({ status: "open", cursor })),
    enabled: epoch !== null,
  });
  useEffect(() => {
    const lives = (order: Order) => isOpen(items.get(order.id) ?? order);
    if (data && !data.every(lives)) queries.setQueryData(["orders", "open", epoch], data.filter(lives));
  }, [data, items, epoch, queries]);
  return useMemo(() => data ?? [], [data]);
}

/**
 * The blotter's orders: what the stream holds, every open order however old, the account's newest page, which
 * tells whether there are older ones, and the older pages the user asked for. The stream's epoch is part of each
 * key, so that a replay started over begins empty.
 */
export function useOrders(accountId: string | null) {
  const { items, epoch, seq } = useChannel("orders");
  const open = useOldOpenOrders(items, epoch);
  const older = useInfiniteQuery({
    queryKey: ["orders", "older", epoch, accountId],
    queryFn: async ({ pageParam }) => {
      const { seq: at } = useStream.getState().channels.orders;
      return { ...(await listOrders({ account_id: accountId, limit: ORDERS_AT_ONCE, cursor: pageParam })), at };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    enabled: epoch !== null,
    staleTime: Infinity,
  });
  const orders = useMemo(() => {
    const ended = older.data?.pages.flatMap((page) => page.items.filter((order) => !isOpen(order))) ?? [];
    return mergeOrders(open, ended, items.values());
  }, [open, older.data, items]);
  const first = older.data?.pages[0];
  return { orders, older: { ...older, isOutrun: first !== undefined && outrun(items.size, seq - first.at) } };
}

/** One order as the stream holds it. */
export function useHeldOrder(id: string | null): Order | undefined {
  const { items } = useChannel("orders");
  return id === null ? undefined : items.get(id);
}

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { collect, listOrders } from "@/api/endpoints";
import type { Order } from "@/api/types";
import { useChannel } from "@/stream/store";
import { mergeOrders } from "./states";

const OLDER = 100;

/**
 * The blotter's orders: what the stream holds, every open order however old, and the older pages the user
 * asked for. The stream's epoch is part of each key, so that a replay started over begins empty.
 */
export function useOrders(accountId: string | null) {
  const { items, epoch } = useChannel("orders");
  const open = useQuery({
    queryKey: ["orders", "open", epoch],
    queryFn: () => collect((cursor) => listOrders({ status: "open", cursor })),
    enabled: epoch !== null,
  });
  const older = useInfiniteQuery({
    queryKey: ["orders", "older", epoch, accountId],
    queryFn: ({ pageParam }) => listOrders({ account_id: accountId, limit: OLDER, cursor: pageParam }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    enabled: false,
  });
  const orders = useMemo(
    () => mergeOrders(open.data ?? [], older.data?.pages.flatMap((page) => page.items) ?? [], items.values()),
    [open.data, older.data, items],
  );
  return { orders, older };
}

/** One order wherever the desk knows it from. */
export function useHeldOrder(id: string | null): Order | undefined {
  const { items } = useChannel("orders");
  return id === null ? undefined : items.get(id);
}

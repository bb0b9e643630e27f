import { queryOptions, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import {
  compareBacktests, getBacktest, getHeatMap, listBacktestEquity, listBacktests, listCombinations, listSeries, listTemplates, listTrades, listWindows,
} from "@/api/endpoints";
import type { Backtest, Page } from "@/api/types";
import { useChannel } from "@/stream/store";
import { isDone, mergeRuns } from "./look";

const POINTS = 2_000;

export const TEMPLATES = queryOptions({ queryKey: ["templates"], queryFn: () => listTemplates().then((page) => page.items) });
export const SERIES = queryOptions({ queryKey: ["series"], queryFn: () => listSeries().then((page) => page.items) });

const after = <T>(page: Page<T>): string | null => page.next_cursor ?? null;
const paged = { initialPageParam: null as string | null, getNextPageParam: after };

/** All runs that are known, newest first: pages of the list, overlaid by what the stream tells. */
export function useRuns() {
  const { items, epoch } = useChannel("backtests");
  const older = useInfiniteQuery({
    queryKey: ["backtests", epoch],
    queryFn: ({ pageParam }) => listBacktests(pageParam),
    ...paged,
    enabled: epoch !== null,
    staleTime: Infinity,
  });
  const runs = useMemo(() => mergeRuns(older.data?.pages.flatMap((page) => page.items) ?? [], items.values()), [older.data, items]);
  return { runs, older };
}

/** One run with all it has; asked for anew whenever the stream tells that its state has changed. */
export function useRun(id: string) {
  const queries = useQueryClient();
  const told = useChannel("backtests").items.get(id);
  const query = useQuery({ queryKey: ["backtest", id], queryFn: () => getBacktest(id), staleTime: Infinity });
  const state = told?.state;
  useEffect(() => {
    const held = queries.getQueryData<Backtest>(["backtest", id]);
    if (state && state !== "deleted" && held && held.state !== state) void queries.invalidateQueries({ queryKey: ["backtest", id] });
  }, [queries, id, state, query.dataUpdatedAt]);
  const isGone = state === "deleted";
  return { query, run: query.data, told: told ?? query.data, isGone };
}

export const useComparison = (ids: readonly string[], version = "") =>
  useQuery({ queryKey: ["comparison", ...ids, version], queryFn: () => compareBacktests(ids), staleTime: Infinity, enabled: ids.length > 0 });

export const equityOf = (id: string) =>
  queryOptions({ queryKey: ["backtest-equity", id], queryFn: () => listBacktestEquity(id, POINTS).then((page) => page.items), staleTime: Infinity });

export const useEquity = (run: Pick<Backtest, "id" | "state">) => useQuery({ ...equityOf(run.id), enabled: isDone(run) });

export const useTrades = (id: string) =>
  useInfiniteQuery({ queryKey: ["trades", id], queryFn: ({ pageParam }) => listTrades(id, pageParam), ...paged, staleTime: Infinity });

export const useCombinations = (id: string, sort: string | null) =>
  useInfiniteQuery({ queryKey: ["combinations", id, sort], queryFn: ({ pageParam }) => listCombinations(id, sort, pageParam), ...paged, staleTime: Infinity });

export const useHeatMap = (id: string, value: string | null) =>
  useQuery({ queryKey: ["heat-map", id, value], queryFn: () => getHeatMap(id, value), staleTime: Infinity });

export const useWindows = (id: string) =>
  useInfiniteQuery({ queryKey: ["windows", id], queryFn: ({ pageParam }) => listWindows(id, pageParam), ...paged, staleTime: Infinity });

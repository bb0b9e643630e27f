import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { collect, listFills } from "@/api/endpoints";
import { explain } from "@/api/problem";
import type { Fill, Order } from "@/api/types";
import { compare, parse, sum, ZERO } from "@/format/decimal";
import { show, showMoney, showPrice } from "@/format/number";
import { showInstant } from "@/format/time";
import { useChannel } from "@/stream/store";
import { Num } from "@/ui/Num";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { useDesk } from "./store";

const filled = (fills: Fill[]) => sum(fills.map((fill) => parse(fill.quantity) ?? ZERO));
const complete = (fills: Fill[], order: Order): boolean =>
  compare(filled(fills), parse(order.filled_quantity) ?? ZERO) >= 0;

/** Fills the stream holds; all of the order are asked for where those do not add up to what it filled. */
function useFills(order: Order) {
  const { items } = useChannel("fills");
  const live = useMemo(() => [...items.values()].filter((fill) => fill.order_id === order.id), [items, order.id]);
  const older = useQuery({
    queryKey: ["fills", order.id, order.filled_quantity],
    queryFn: () => collect((cursor) => listFills({ order_id: order.id, cursor })),
    enabled: !complete(live, order),
  });
  const fills = useMemo(() => {
    const known = new Map([...(older.data ?? []), ...live].map((fill) => [fill.id, fill]));
    return [...known.values()].sort((left, right) => (left.executed_at < right.executed_at ? -1 : 1));
  }, [older.data, live]);
  return { fills, older };
}

export function FillsTable({ order }: { order: Order }) {
  const { fills, older } = useFills(order);
  const zone = useDesk((desk) => desk.zone);
  const waiting = fills.length === 0 && older.isLoading;
  return (
    <section aria-label="Fills">
      <h3 style={{ margin: "0 0 4px", fontSize: 13 }}>Fills</h3>
      <PanelState
        status={waiting ? "waiting" : older.isError && fills.length === 0 ? "error" : "ready"}
        fault={older.error && explain(older.error)}
        onRetry={() => void older.refetch()}
        isEmpty={fills.length === 0}
        empty="Nothing of this order has filled."
      >
        <table className={table.table}>
          <thead>
            <tr>
              <th scope="col">Executed</th>
              <th scope="col" className={table.right}>Quantity</th>
              <th scope="col" className={table.right}>Price</th>
              <th scope="col" className={table.right}>Fees</th>
            </tr>
          </thead>
          <tbody>
            {fills.map((fill) => (
              <tr key={fill.id} data-testid="fill-row">
                <td className="number">{showInstant(fill.executed_at, zone)}</td>
                <td className={table.right}><Num value={show(fill.quantity)} /></td>
                <td className={table.right}><Num value={showPrice(fill.price)} /></td>
                <td className={table.right}><Num value={showMoney(fill.fees, fill.currency)} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </PanelState>
    </section>
  );
}

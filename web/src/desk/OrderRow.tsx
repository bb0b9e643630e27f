import { memo } from "react";
import type { Order } from "@/api/types";
import { parse } from "@/format/decimal";
import { show, showAverage, showPrice } from "@/format/number";
import { splitInstant, type Zone } from "@/format/time";
import { Num } from "@/ui/Num";
import table from "@/ui/table.module.css";
import { Tag } from "@/ui/Tag";
import { CancelButton } from "./CancelButton";
import classes from "./OrdersPanel.module.css";
import { canCancel, lookOf } from "./states";
import { showOrder } from "./store";

const KIND: Record<string, string> = {
  MARKET: "Market", LIMIT: "Limit", STOP: "Stop", STOP_LIMIT: "Stop limit", TRAILING_STOP: "Trailing stop",
  TRAILING_STOP_LIMIT: "Trailing stop limit",
};

/** How far a trailing stop stays behind, as it was asked. */
export const trailOf = (order: Order): string | null =>
  order.trail_percent ? `${order.trail_percent}\u00a0% behind` : order.trail_amount ? `${showPrice(order.trail_amount).text} behind` : null;

export const priceOf = (order: Order): string =>
  [
    trailOf(order),
    order.stop_price && `stop ${showPrice(order.stop_price).text}`,
    order.limit_price && `at ${showPrice(order.limit_price).text}`,
    order.trigger_price && `once at ${showPrice(order.trigger_price).text}`,
  ]
    .filter(Boolean)
    .join(" ");

export const kindOf = (order: Order): string => KIND[order.kind] ?? order.kind;

/** A rule's limit or value: grouped where it is a number, as it is where it is words. */
export const plainly = (text: string): string => (parse(text) ? show(text).text : text);

/** A number stays beside its per cent sign when the line breaks. */
export const unbroken = (text: string): string => text.replaceAll(" %", "\u00a0%");

/** Why an order ended as it did: the words, and for a risk refusal its rule, limit and value. */
export function Reason({ order }: { order: Order }) {
  if (!order.reason && !order.rule) return null;
  const figures = [order.limit !== null && `limit ${plainly(order.limit)}`, order.value !== null && `value ${plainly(order.value)}`];
  return (
    <span className={classes.reason} data-testid="order-reason">
      {unbroken(order.reason ?? order.rule ?? "")}
      {order.rule && (
        <span className={classes.rule}>
          {[order.reason ? order.rule : null, ...figures].filter(Boolean).join(" · ")}
        </span>
      )}
    </span>
  );
}

interface RowProps {
  order: Order;
  account: string;
  zone: Zone;
  mayCancel: boolean;
}

export const OrderRow = memo(function OrderRow({ order, account, zone, mayCancel }: RowProps) {
  const when = splitInstant(order.created_at, zone);
  const look = lookOf(order.state);
  return (
    <tr
      className={`${classes.row} ${table.clickable}`}
      data-testid="order-row"
      data-order-id={order.id}
      data-state={order.state}
      onClick={() => showOrder(order.id)}
    >
      <td className={classes.when}>
        <time className="number" dateTime={order.created_at}>
          {when?.date}{" "}
          <span className={table.second}>{when?.time}</span>
        </time>
      </td>
      <td className={classes.what}>
        <button
          type="button"
          className={table.plain}
          aria-label={`Details: ${order.side} ${order.quantity} ${order.symbol} in ${account}, ${look.label}`}
          onClick={(event) => {
            event.stopPropagation();
            showOrder(order.id);
          }}
        >
          <span className={order.side === "BUY" ? classes.buy : classes.sell}>{order.side}</span> {order.symbol}
        </button>
        <span className={table.second}>{account}</span>
      </td>
      <td className={`${table.right} ${classes.quantity}`}>
        <Num value={show(order.quantity)} />
        <span className={table.second}>
          <Num value={show(order.filled_quantity)} quiet /> filled
        </span>
      </td>
      <td className={classes.kind}>
        {kindOf(order)} <span className="number">{priceOf(order)}</span>
        <span className={table.second}>{order.strategy ?? order.portfolio ?? order.book}</span>
      </td>
      <td className={`${table.right} ${classes.average}`}>
        <Num value={showAverage(order.average_price)} />
      </td>
      <td className={classes.state}>
        <Tag tone={look.tone} title={look.meaning} testId="order-state">{look.label}</Tag>
        {mayCancel && canCancel(order) && (
          <span className={classes.action}>
            <CancelButton order={order} account={account} />
          </span>
        )}
        <Reason order={order} />
      </td>
    </tr>
  );
});

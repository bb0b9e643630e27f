import { useQuery } from "@tanstack/react-query";
import { collect, listOrderHistory } from "@/api/endpoints";
import { explain } from "@/api/problem";
import type { Order, OrderEvent } from "@/api/types";
import { show, showPrice } from "@/format/number";
import { showInstant, type Zone } from "@/format/time";
import { Tag } from "@/ui/Tag";
import classes from "./OrderDrawer.module.css";
import { plainly } from "./OrderRow";
import { lookOf } from "./states";

const wordsOf = (event: string): string => {
  const words = event.toLowerCase().replaceAll(/[-_]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** Who asked for it, by which door; nothing of what the broker or time has done. */
function byWhom({ actor_name, actor, source }: OrderEvent): string | null {
  const who = actor_name ?? actor;
  return who || source ? [who, source && `by ${wordsOf(source).toLowerCase()}`].filter(Boolean).join(" ") : null;
}

function Checks({ checks }: { checks: OrderEvent["checks"] }) {
  if (checks.length === 0) return null;
  const failed = checks.filter(({ passed }) => !passed).length;
  return (
    <details>
      <summary>{failed > 0 ? `${failed} of ${checks.length} checks failed` : `${checks.length} checks passed`}</summary>
      <ul className={classes.checks}>
        {checks.map(({ rule, layer, limit, value, passed }) => (
          <li key={`${layer} ${rule}`} className={passed ? undefined : "negative"}>
            {rule} ({layer}): {plainly(value)}, limit {plainly(limit)}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Step({ event, zone }: { event: OrderEvent; zone: Zone }) {
  const look = lookOf(event.state);
  const what = [event.quantity && show(event.quantity).text, event.price && `at ${showPrice(event.price).text}`].filter(Boolean).join(" ");
  return (
    <li>
      <span className="number muted">{showInstant(event.at, zone)}</span>
      <span>
        {wordsOf(event.event)} {what} <Tag tone={look.tone}>{look.label}</Tag>
      </span>
      {byWhom(event) && <span className="muted">{byWhom(event)}</span>}
      {event.reason && <span className="muted">{event.reason}</span>}
      <Checks checks={event.checks} />
    </li>
  );
}

/** All that became of an order, oldest first; read anew whenever the order changes. */
export function Timeline({ order, zone }: { order: Order; zone: Zone }) {
  const found = useQuery({ queryKey: ["order-history", order.id, order.updated_at, order.state], queryFn: () => collect((cursor) => listOrderHistory(order.id, cursor)), placeholderData: (held) => held });
  return (
    <section aria-label="History of the order">
      <h3 className={classes.subtitle}>History</h3>
      {found.isError && <p role="alert">{explain(found.error)}</p>}
      <ol className={classes.timeline} data-testid="order-history">
        {(found.data ?? []).map((event) => <Step key={event.id} event={event} zone={zone} />)}
      </ol>
    </section>
  );
}

import { Button, Group } from "@mantine/core";
import type { Account, Order } from "@/api/types";
import { Reason } from "@/desk/OrderRow";
import { useHeldOrder } from "@/desk/orders";
import { lookOf } from "@/desk/states";
import { closeTicket, showOrder } from "@/desk/store";
import { ignoreHeld, takeFocus } from "@/ui/focus";
import { Tag } from "@/ui/Tag";
import type { Intent } from "./intent";
import { editAgain } from "./store";
import classes from "./Ticket.module.css";
import { Summary } from "./TicketReview";

function headline(order: Order | null): string {
  if (!order) return "Not placed";
  if (order.state === "REFUSED") return "Refused by risk";
  if (order.state === "REJECTED") return "Rejected by the broker";
  return "Order taken";
}

interface ResultProps {
  intent: Intent;
  order: Order | null;
  note: string | null;
  account: Account | undefined;
}

/** The server's answer, followed live while the drawer is open. */
export function TicketResult({ intent, order, note, account }: ResultProps) {
  const live = useHeldOrder(order?.id ?? null);
  const current = live ?? order;
  const look = current && lookOf(current.state);
  return (
    <div className={classes.form}>
      <div role="status" className={classes.result} data-testid="ticket-result" data-state={current?.state ?? "NONE"} data-tone={look?.tone}>
        <strong>{headline(current)}</strong> {look && <Tag tone={look.tone}>{look.label}</Tag>}
        {look && <p className="muted">{look.meaning}</p>}
        {current && <Reason order={current} />}
        {note && <p className="muted">{note}</p>}
      </div>
      <Summary intent={intent} account={account} />
      <Group gap="xs" justify="flex-end">
        {current && (
          <Button
            variant="default"
            onClick={() => {
              closeTicket();
              showOrder(current.id);
            }}
          >
            Details
          </Button>
        )}
        <Button variant="default" onClick={editAgain} data-testid="ticket-again">
          Another order
        </Button>
        <Button ref={takeFocus} onClick={closeTicket} onKeyDown={ignoreHeld} data-autofocus>
          Done
        </Button>
      </Group>
    </div>
  );
}

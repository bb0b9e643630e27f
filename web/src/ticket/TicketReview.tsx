import { Button, Group } from "@mantine/core";
import type { Account, SymbolInfo } from "@/api/types";
import { show, showPrice } from "@/format/number";
import { ignoreHeld, takeFocus } from "@/ui/focus";
import { Note } from "@/ui/Note";
import { Num } from "@/ui/Num";
import { ModeTag } from "@/ui/Tag";
import { Estimate } from "./Estimate";
import type { Intent } from "./intent";
import { KINDS, TIMES_IN_FORCE } from "./schema";
import { drop, editAgain, place } from "./store";
import classes from "./Ticket.module.css";

const labelOf = (list: readonly { value: string; label: string }[], value: string): string =>
  list.find((entry) => entry.value === value)?.label ?? value;

export function Summary({ intent, account }: { intent: Intent; account: Account | undefined }) {
  const { body } = intent;
  return (
    <dl className={classes.facts} aria-label="The order">
      <dt>Account</dt>
      <dd>
        {account?.name ?? body.account_id} <ModeTag mode={account?.mode ?? "paper"} />
      </dd>
      <dt>Order</dt>
      <dd>
        <strong className={body.side === "BUY" ? "positive" : "negative"}>{body.side}</strong>{" "}
        <Num value={show(body.quantity)} /> {body.symbol}
      </dd>
      <dt>Kind</dt>
      <dd>{labelOf(KINDS, body.kind)}</dd>
      {body.stop_price && (
        <>
          <dt>Stop price</dt>
          <dd><Num value={showPrice(body.stop_price)} /></dd>
        </>
      )}
      {body.limit_price && (
        <>
          <dt>Limit price</dt>
          <dd><Num value={showPrice(body.limit_price)} /></dd>
        </>
      )}
      <dt>Time in force</dt>
      <dd>{labelOf(TIMES_IN_FORCE, body.time_in_force)}</dd>
    </dl>
  );
}

interface ReviewProps {
  intent: Intent;
  account: Account | undefined;
  instrument: SymbolInfo | undefined;
  sending: boolean;
}

/** The step before anything is sent: names the account and its mode, and says what the order is worth. */
export function TicketReview({ intent, account, instrument, sending }: ReviewProps) {
  const live = account?.mode === "live";
  const mode = live ? "LIVE" : "PAPER";
  return (
    <div className={classes.form}>
      {live && (
        <Note tone="bad" urgent>
          This account is LIVE: the order goes to {account.broker} with real money.
        </Note>
      )}
      <Summary intent={intent} account={account} />
      <Estimate values={intent.body} instrument={instrument} account={account} />
      <Group grow>
        <Button variant="default" onClick={editAgain} disabled={sending}>
          Change
        </Button>
        <Button
          ref={takeFocus}
          color={live ? "red" : undefined}
          onClick={() => void place()}
          onKeyDown={ignoreHeld}
          loading={sending}
          data-autofocus
          data-testid="ticket-submit"
        >
          {`Place ${mode} order`}
        </Button>
      </Group>
    </div>
  );
}

/** Sent, and no definite answer: the same id is sent again, never a new one. */
export function TicketUnanswered({ intent, account, why }: { intent: Intent; account: Account | undefined; why: string }) {
  return (
    <div className={classes.form} data-testid="ticket-unanswered">
      <Note tone="warn" urgent title="This order has no definite answer">
        {why} Sending it again is safe: it carries the same id, and the server takes an id once.
      </Note>
      <Summary intent={intent} account={account} />
      <Group grow>
        <Button variant="default" onClick={drop} title="Look in the blotter first: it may have been received.">
          Forget it
        </Button>
        <Button ref={takeFocus} onClick={() => void place()} onKeyDown={ignoreHeld} data-autofocus data-testid="ticket-submit">
          Send again
        </Button>
      </Group>
    </div>
  );
}

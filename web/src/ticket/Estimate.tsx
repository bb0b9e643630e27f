import type { Account, SymbolInfo } from "@/api/types";
import { showMoney, showPercent, showPrice } from "@/format/number";
import { useChannel } from "@/stream/store";
import { Num } from "@/ui/Num";
import { estimate, type Sized } from "./estimate";
import classes from "./Ticket.module.css";

const BASIS = { limit: "your limit", stop: "your stop", last: "the last price" } as const;

export function useLastPrice(instrument: SymbolInfo | undefined): string | null {
  const { items } = useChannel("quotes");
  if (!instrument) return null;
  const quote = [...items.values()].find((entry) => entry.symbol === instrument.symbol);
  return quote?.last ?? instrument.last_price;
}

interface EstimateProps {
  values: Sized;
  instrument: SymbolInfo | undefined;
  account: Account | undefined;
}

export function Estimate({ values, instrument, account }: EstimateProps) {
  const last = useLastPrice(instrument);
  const estimated = estimate(values, { instrument, last, account });
  const currency = instrument?.currency ?? account?.currency ?? "";
  return (
    <dl className={classes.facts} aria-label="Estimate" aria-live="polite">
      <dt>Last price</dt>
      <dd>
        <Num value={showPrice(last)} />
      </dd>
      <dt>Cash in the account</dt>
      <dd>
        {account ? <Num value={showMoney(account.cash, account.currency)} /> : <span className="muted">–</span>} {account?.currency}
      </dd>
      <dt>Estimated value{estimated && <span className="muted"> at {BASIS[estimated.basis]}</span>}</dt>
      <dd data-testid="ticket-notional">
        {estimated ? <Num value={showMoney(estimated.notional, currency)} /> : <span className="muted">–</span>} {estimated && currency}
      </dd>
      <dt>Share of equity</dt>
      <dd>{estimated ? <Num value={showPercent(estimated.share, { least: 1, most: 1 })} /> : <span className="muted">–</span>}</dd>
      {estimated?.beyondCash && <p className={classes.hint}>More than the cash in this account: risk will probably refuse it.</p>}
    </dl>
  );
}

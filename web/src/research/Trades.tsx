import { Button } from "@mantine/core";
import type { Trade } from "@/api/types";
import { show, showMoney, showPercent, showPrice } from "@/format/number";
import { splitInstant, type Zone } from "@/format/time";
import { asked } from "@/ui/asked";
import { Num } from "@/ui/Num";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { useTrades } from "./data";
import classes from "./Result.module.css";

const minute = (at: string, zone: Zone): string => {
  const parts = splitInstant(at, zone);
  return parts ? `${parts.date} ${parts.time.slice(0, 5)}` : "";
};

function Row({ trade, zone, currency }: { trade: Trade; zone: Zone; currency: string }) {
  return (
    <tr>
      <td>
        <span className={table.strong}>{trade.symbol}</span>
        <span className={table.second}>{trade.side === "LONG" ? "Long" : "Short"} <Num value={show(trade.quantity)} /></span>
      </td>
      <td>
        <span className="number">{minute(trade.entry_at, zone)}</span>
        <span className={table.second}><Num value={showPrice(trade.entry_price)} /></span>
      </td>
      <td>
        <span className="number">{minute(trade.exit_at, zone)}</span>
        <span className={table.second}><Num value={showPrice(trade.exit_price)} />{trade.bars_held !== null && ` · ${trade.bars_held} bars`}</span>
      </td>
      <td className={table.right}>
        <Num value={showMoney(trade.net, currency, true)} signed />
        <span className={table.second}>costs <Num value={showMoney(trade.fees, currency)} quiet /></span>
      </td>
      <td className={table.right}>
        <Num value={showPercent(trade.net_return, { least: 2, most: 2, plus: true })} signed />
        <span className={table.second}><Num value={showPercent(trade.mae)} quiet /> to <Num value={showPercent(trade.mfe)} quiet /></span>
      </td>
    </tr>
  );
}

/** Closed trades in order of exit, a page at a time. */
export function Trades({ id, currency, zone, fills }: { id: string; currency: string; zone: Zone; fills: number }) {
  const found = useTrades(id);
  const trades = found.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <PanelState
      {...asked(found)}
      isEmpty={trades.length === 0}
      empty={fills === 0 ? "Not one order was filled. The warnings above say why, where it can be known." : "No position was closed: what was bought is still held at the end."}
    >
      <table className={table.table} aria-label="Closed trades">
        <thead>
          <tr>
            <th scope="col">Position</th>
            <th scope="col">In ({zone === "utc" ? "UTC" : "local"})</th>
            <th scope="col">Out</th>
            <th scope="col" className={table.right}>Net</th>
            <th scope="col" className={table.right}>Return · worst to best</th>
          </tr>
        </thead>
        <tbody>{trades.map((trade) => <Row key={trade.id} trade={trade} zone={zone} currency={currency} />)}</tbody>
      </table>
      {found.hasNextPage && (
        <p className={classes.more}>
          <Button size="compact-xs" variant="subtle" loading={found.isFetching} onClick={() => void found.fetchNextPage()}>Load more trades</Button>
        </p>
      )}
    </PanelState>
  );
}

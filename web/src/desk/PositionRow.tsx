import { useState } from "react";
import type { Account, Position } from "@/api/types";
import { show, showAverage, showMoney, showPrice } from "@/format/number";
import { ChevronIcon } from "@/ui/icons";
import { Num } from "@/ui/Num";
import table from "@/ui/table.module.css";
import classes from "./PositionRow.module.css";
import { openTicket } from "./store";
import type { Holding } from "./totals";

function BookRow({ book }: { book: Position }) {
  return (
    <tr className={`${classes.row} ${classes.book}`} data-testid="position-book-row">
      <td>
        {book.strategy ?? book.portfolio ?? book.book}
        {book.product !== "NONE" && <span className="muted"> {book.product}</span>}
      </td>
      <td className={table.right}>
        <Num value={show(book.quantity)} />
        <span className={table.second}>
          <Num value={showAverage(book.average_price)} quiet />
        </span>
      </td>
      <td className={table.right}>
        <Num value={showMoney(book.market_value, book.currency)} />
      </td>
      <td className={table.right}>
        <Num value={showMoney(book.unrealised_pnl, book.currency, true)} signed />
        <span className={table.second}>
          <Num value={showMoney(book.realised_pnl, book.currency, true)} signed />
        </span>
      </td>
    </tr>
  );
}

/** A holding of one account; opens into the books (strategies, manual) that it belongs to. */
export function PositionRow({ held, account, mayTrade }: { held: Holding; account: Account | undefined; mayTrade: boolean }) {
  const [open, setOpen] = useState(false);
  const name = account?.name ?? held.account_id;
  return (
    <>
      <tr className={classes.row} data-testid="position-row" data-symbol={held.symbol}>
        <td>
          <button
            type="button"
            className={table.plain}
            aria-expanded={open}
            aria-label={`${held.symbol} in ${name}: ${open ? "hide" : "show"} books`}
            onClick={() => setOpen(!open)}
          >
            <span className={classes.arrow} data-open={open}>
              <ChevronIcon />
            </span>
            {held.symbol}
          </button>
          <span className={`${table.second} ${classes.indent}`}>
            {name}
            {mayTrade && (
              <button
                type="button"
                className={classes.trade}
                aria-label={`New order for ${held.symbol} in ${name}`}
                onClick={() => openTicket({ account_id: held.account_id, symbol: held.symbol })}
              >
                Trade
              </button>
            )}
          </span>
        </td>
        <td className={table.right}>
          <Num value={show(held.quantity)} />
          <span className={`${table.second} ${classes.minor}`}>
            <Num value={showAverage(held.averagePrice)} quiet />
          </span>
        </td>
        <td className={table.right}>
          <Num value={showMoney(held.marketValue, held.currency)} />
          <span className={`${table.second} ${classes.minor}`}>
            <Num value={showPrice(held.lastPrice)} quiet />
          </span>
        </td>
        <td className={table.right}>
          <Num value={showMoney(held.unrealised, held.currency, true)} signed />
          <span className={table.second}>
            <Num value={showMoney(held.realised, held.currency, true)} signed />
          </span>
        </td>
      </tr>
      {open && held.books.map((book) => <BookRow key={book.id} book={book} />)}
    </>
  );
}

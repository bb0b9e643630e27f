import { type Exact, parse, round, shift, sign, toText } from "./decimal";

export const MINUS = "\u2212";
export const NOTHING = "\u2013";

export interface Look {
  /** Fewest and most digits after the point; beyond `most` the value is rounded half to even. */
  least?: number;
  most?: number;
  /** Show a plus before what is above zero. */
  plus?: boolean;
}

export interface Shown {
  text: string;
  sign: -1 | 0 | 1;
}

const group = (digits: string): string => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

function fractionOf(digits: string, least: number): string {
  let kept = digits;
  while (kept.length > least && kept.endsWith("0")) kept = kept.slice(0, -1);
  return kept.padEnd(least, "0");
}

export function showExact(value: Exact, { least = 0, most = Math.max(8, least), plus = false }: Look = {}): Shown {
  const rounded = round(value, most);
  const [whole = "0", digits = ""] = toText(rounded.units < 0n ? { ...rounded, units: -rounded.units } : rounded).split(".");
  const fraction = fractionOf(digits, least);
  const direction = sign(rounded);
  const mark = direction < 0 ? MINUS : plus && direction > 0 ? "+" : "";
  return { text: `${mark}${group(whole)}${fraction ? `.${fraction}` : ""}`, sign: direction };
}

/** Any decimal text; what is not a decimal is shown as a dash. */
export function show(value: string | Exact | null | undefined, look?: Look): Shown {
  const exact = typeof value === "object" ? value : parse(value);
  return exact ? showExact(exact, look) : { text: NOTHING, sign: 0 };
}

/** Decimal places where they are not two: those of the server's `domain/money.py`. */
const MINOR_DIGITS = new Map(
  Object.entries({
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    6: "ADA TRX USDC USDT XRP",
    7: "XLM",
    8: "BCH BNB BTC DOT ETC ETH LTC SOL XMR",
  }).flatMap(([places, codes]) => codes.split(" ").map((code) => [code, Number(places)] as const)),
);

export const showMoney = (value: string | Exact | null | undefined, currency: string, plus = false): Shown => {
  const digits = MINOR_DIGITS.get(currency) ?? 2;
  return show(value, { least: digits, most: digits, plus });
};

/** A price that came from a division; its digits beyond the fourth say nothing. */
export const showAverage = (value: string | Exact | null | undefined): Shown => show(value, { least: 2, most: 4 });

export const showPrice = (value: string | Exact | null | undefined): Shown => show(value, { least: 2, most: 6 });

/** A fraction as per cent: "0.0123" is "1.23 %". */
export function showPercent(fraction: string | Exact | null | undefined, look: Look = { least: 2, most: 2 }): Shown {
  const exact = typeof fraction === "object" ? fraction : parse(fraction);
  if (!exact) return { text: NOTHING, sign: 0 };
  const shown = showExact(shift(exact, 2), look);
  return { ...shown, text: `${shown.text}\u00a0%` };
}

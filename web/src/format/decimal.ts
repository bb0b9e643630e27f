/**
 * Exact decimal text. A value is an integer and a scale; nothing here goes through a float, so that
 * what the desk shows is what the ledger holds.
 */

export interface Exact {
  readonly units: bigint;
  readonly scale: number;
}

const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
export const ZERO: Exact = { units: 0n, scale: 0 };

const power = (exponent: number): bigint => 10n ** BigInt(exponent);

/** Null when the text is not a finite decimal. */
export function parse(text: string | null | undefined): Exact | null {
  if (text === null || text === undefined) return null;
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return null;
  const magnitude = BigInt(whole + fraction || "0");
  const units = sign === "-" ? -magnitude : magnitude;
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { units, scale } : { units: units * power(-scale), scale: 0 };
}

const at = (value: Exact, scale: number): bigint => value.units * power(scale - value.scale);

export function add(left: Exact, right: Exact): Exact {
  const scale = Math.max(left.scale, right.scale);
  return { units: at(left, scale) + at(right, scale), scale };
}

export const negate = (value: Exact): Exact => ({ units: -value.units, scale: value.scale });
export const subtract = (left: Exact, right: Exact): Exact => add(left, negate(right));
export const multiply = (left: Exact, right: Exact): Exact => ({
  units: left.units * right.units,
  scale: left.scale + right.scale,
});
export const shift = (value: Exact, places: number): Exact =>
  value.scale >= places
    ? { units: value.units, scale: value.scale - places }
    : { units: value.units * power(places - value.scale), scale: 0 };

export function compare(left: Exact, right: Exact): -1 | 0 | 1 {
  const scale = Math.max(left.scale, right.scale);
  const difference = at(left, scale) - at(right, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export const sign = (value: Exact): -1 | 0 | 1 => (value.units < 0n ? -1 : value.units > 0n ? 1 : 0);
export const sum = (values: Iterable<Exact>): Exact => [...values].reduce(add, ZERO);

/** Half to even, as the ledger rounds. */
export function round(value: Exact, scale: number): Exact {
  if (value.scale <= scale) return value;
  return { units: quotient(value.units, power(value.scale - scale)), scale };
}

function quotient(dividend: bigint, divisor: bigint): bigint {
  const negative = dividend < 0n !== divisor < 0n;
  const top = dividend < 0n ? -dividend : dividend;
  const bottom = divisor < 0n ? -divisor : divisor;
  const whole = top / bottom;
  const twice = (top % bottom) * 2n;
  const up = twice > bottom || (twice === bottom && whole % 2n === 1n);
  const result = up ? whole + 1n : whole;
  return negative ? -result : result;
}

/** Null when dividing by zero. */
export function divide(left: Exact, right: Exact, scale: number): Exact | null {
  if (right.units === 0n) return null;
  const grow = scale + right.scale - left.scale;
  const top = grow >= 0 ? left.units * power(grow) : left.units;
  const bottom = grow >= 0 ? right.units : right.units * power(-grow);
  return { units: quotient(top, bottom), scale };
}

export const isMultiple = (value: Exact, step: Exact): boolean => {
  if (step.units === 0n) return true;
  const scale = Math.max(value.scale, step.scale);
  return at(value, scale) % at(step, scale) === 0n;
};

/** Plain text without grouping, as the API takes it. */
export function toText(value: Exact): string {
  const negative = value.units < 0n;
  const digits = (negative ? -value.units : value.units).toString().padStart(value.scale + 1, "0");
  const whole = digits.slice(0, digits.length - value.scale);
  const fraction = value.scale > 0 ? `.${digits.slice(digits.length - value.scale)}` : "";
  return `${negative ? "-" : ""}${whole}${fraction}`;
}

/** The shortest text of the same value: "0.2500" becomes "0.25". */
export function toShortText(value: Exact): string {
  const text = toText(value);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

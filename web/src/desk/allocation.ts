import type { Decimal } from "@/api/types";
import { compare, parse, shift, toShortText, ZERO } from "@/format/decimal";

const HUNDRED = { units: 100n, scale: 0 };

/** "0.125" as the text of its per cent, "12.5". */
export function toPercentText(fraction: Decimal): string {
  const value = parse(fraction);
  return value ? toShortText(shift(value, 2)) : "";
}

export type PercentInput = { fraction: Decimal } | { fault: string };

/** Per cent as typed, exactly, as a fraction between 0 and 1. */
export function fromPercentText(text: string): PercentInput {
  const value = parse(text.replace(/[%\s]/g, ""));
  if (!value) return { fault: "Enter a number of per cent, such as 20 or 12.5." };
  if (compare(value, ZERO) < 0 || compare(value, HUNDRED) > 0) return { fault: "An allocation lies between 0 and 100 %." };
  return { fraction: toShortText({ units: value.units, scale: value.scale + 2 }) };
}

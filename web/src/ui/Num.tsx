import type { Shown } from "@/format/number";

interface NumProps {
  value: Shown;
  /** Profit and loss: green above zero, red below, muted at zero. Other numbers are red below zero only. */
  signed?: boolean;
  quiet?: boolean;
  className?: string;
}

export function Num({ value, signed = false, quiet = false, className = "" }: NumProps) {
  const tone =
    value.sign < 0 ? "negative" : value.sign === 0 ? "muted" : signed ? "positive" : quiet ? "muted" : "";
  return <span className={`number ${tone} ${className}`.trim()}>{value.text}</span>;
}

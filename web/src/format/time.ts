export type Zone = "utc" | "local";

const two = (value: number): string => String(value).padStart(2, "0");

interface Parts {
  date: string;
  time: string;
  zone: string;
}

function zoneName(instant: Date): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(instant);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "local";
}

/** Null when the text is not a time. */
export function splitInstant(text: string | null | undefined, zone: Zone): Parts | null {
  if (!text) return null;
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) return null;
  if (zone === "utc") {
    return {
      date: `${instant.getUTCFullYear()}-${two(instant.getUTCMonth() + 1)}-${two(instant.getUTCDate())}`,
      time: `${two(instant.getUTCHours())}:${two(instant.getUTCMinutes())}:${two(instant.getUTCSeconds())}`,
      zone: "UTC",
    };
  }
  return {
    date: `${instant.getFullYear()}-${two(instant.getMonth() + 1)}-${two(instant.getDate())}`,
    time: `${two(instant.getHours())}:${two(instant.getMinutes())}:${two(instant.getSeconds())}`,
    zone: zoneName(instant),
  };
}

export function showInstant(text: string | null | undefined, zone: Zone): string {
  const parts = splitInstant(text, zone);
  return parts ? `${parts.date} ${parts.time} ${parts.zone}` : "\u2013";
}

/** Seconds since the epoch, for a chart's axis. */
export function toSeconds(text: string): number {
  return Math.floor(new Date(text).getTime() / 1000);
}

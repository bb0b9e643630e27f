import { ActionIcon, NativeSelect, Tooltip } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { steerFeed } from "@/api/endpoints";
import { compare, parse, toShortText, ZERO } from "@/format/decimal";
import { PauseIcon, PlayIcon } from "@/ui/icons";
import { notifyFailure } from "@/ui/notices";
import classes from "./FeedControls.module.css";
import { useMay } from "./rights";
import { useSystem } from "./system";

/** 0 is as fast as the machine can. */
const SPEEDS = ["0.25", "0.5", "1", "2", "4", "10", "20", "50", "0"];

/** The offered speeds, and the one in force where it is another. */
function speedsWith(current: string): string[] {
  const speeds = SPEEDS.includes(current) ? SPEEDS : [...SPEEDS, current];
  return speeds.filter((speed) => speed !== "0").sort((left, right) => compare(parse(left) ?? ZERO, parse(right) ?? ZERO)).concat("0");
}

/** Pause, resume and speed of a replay; nothing for a feed that cannot be steered, or not by who is signed in. */
export function FeedControls() {
  const { status } = useSystem();
  const steer = useMutation({
    mutationFn: steerFeed,
    onError: notifyFailure("The feed was not changed"),
  });
  const may = useMay();
  const feed = status?.feed;
  if (!may("admin") || !feed || feed.kind === "none" || (feed.state !== "running" && feed.state !== "paused")) return null;
  const paused = feed.state === "paused";
  const current = parse(feed.speed);
  const label = paused ? "Resume the feed" : "Pause the feed";
  return (
    <span className={classes.feed} data-feed={feed.state}>
      <Tooltip label={label}>
        <ActionIcon
          variant={paused ? "filled" : "default"}
          size={24}
          aria-label={label}
          disabled={steer.isPending}
          data-testid="feed-toggle"
          onClick={() => steer.mutate({ action: paused ? "resume" : "pause" })}
        >
          {paused ? <PlayIcon /> : <PauseIcon />}
        </ActionIcon>
      </Tooltip>
      {current && (
        <NativeSelect
          size="xs"
          aria-label="Speed of the replay, trading days per second"
          data-testid="feed-speed"
          value={toShortText(current)}
          disabled={steer.isPending}
          data={speedsWith(toShortText(current)).map((speed) => ({ value: speed, label: speed === "0" ? "Flat out" : `${speed} days/s` }))}
          onChange={(event) => steer.mutate({ speed: event.currentTarget.value })}
        />
      )}
    </span>
  );
}

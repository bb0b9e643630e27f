import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { steerFeed } from "@/api/endpoints";
import { useChannel } from "@/stream/store";
import { Confirm } from "@/ui/Confirm";
import { Note } from "@/ui/Note";
import { notify, notifyFailure } from "@/ui/notices";
import { progressOf } from "./halts";
import { useMay } from "./rights";
import { openTicket, useDesk } from "./store";
import classes from "./Banners.module.css";
import { useSystem } from "./system";
import { useTicket } from "@/ticket/store";

function ReplayEnded() {
  const { status } = useSystem();
  const may = useMay();
  const [asking, setAsking] = useState(false);
  const restart = useMutation({
    mutationFn: () => steerFeed({ action: "restart" }),
    onSuccess: () => notify("info", "Starting over", "The replay begins again at its first day."),
    onError: notifyFailure("The replay was not restarted"),
  });
  if (status?.feed.state !== "ended") return null;
  return (
    <Note className={classes.banner} tone="accent" testId="feed-ended">
      <span>The replay has ended{status.feed.end ? ` on ${status.feed.end.slice(0, 10)}` : ""}. Nothing moves until it is started again{may("admin") ? "" : ", which is for an administrator"}.</span>
      {status.mode === "demo" && may("admin") && (
        <Button size="compact-sm" loading={restart.isPending} onClick={() => setAsking(true)} data-testid="feed-restart">
          Restart
        </Button>
      )}
      <Confirm opened={asking} title="Start the demo over?" action="Start over" danger onClose={() => setAsking(false)} onConfirm={() => restart.mutate()}>
        All accounts, orders and fills of this demo begin again at the first day. What is on the desk now leaves it; its journal stays in the demo’s folder.
      </Confirm>
    </Note>
  );
}

/** Nothing can be written any more: what is shown stands still, and orders are declined. */
function TradingHalted() {
  const { status } = useSystem();
  if (!status || (status.healthy && status.feed.state !== "halted")) return null;
  return (
    <Note className={classes.banner} tone="bad" urgent testId="trading-halted">
      <span>
        Trading has halted: nothing can be recorded, so no order is taken and figures stand still. The server’s log says why; a
        restart goes on from the journal, and nothing is lost.
      </span>
    </Note>
  );
}

/** What a panic has halted, and how far it is; trading begins again by a deliberate resume only. */
function Panics() {
  const { items } = useChannel("halts");
  return [...items.values()].map((halt) => (
    <Note key={halt.id} className={classes.banner} tone="bad" urgent testId="panic">
      <span>
        Panic: {halt.name} is halted{halt.reason ? ` (${halt.reason})` : ""}. {progressOf(halt)}
      </span>
    </Note>
  ));
}

function UnansweredOrder() {
  const waiting = useTicket(({ stage }) => stage.at === "unanswered");
  const open = useDesk((desk) => desk.ticket.open);
  if (!waiting || open) return null;
  return (
    <Note className={classes.banner} tone="warn">
      <span>An order you sent has no definite answer yet.</span>
      <Button size="compact-sm" variant="default" onClick={() => openTicket()}>
        Look at it
      </Button>
    </Note>
  );
}

export function Banners() {
  return (
    <div className={classes.stack}>
      <TradingHalted />
      <Panics />
      <ReplayEnded />
      <UnansweredOrder />
    </div>
  );
}

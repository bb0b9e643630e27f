"use client";

import { Notification } from "@mantine/core";
import classes from "./Notices.module.css";
import { dismiss, useNotices } from "./notices";

const COLOURS = { info: "keel", warning: "yellow", critical: "red" } as const;

/** Short messages in the corner; a fault stays until it is dismissed. */
export function Notices() {
  const notices = useNotices((state) => state.notices);
  return (
    <div className={classes.stack} role="status" aria-live="polite" data-testid="notices">
      {notices.map((notice) => (
        <Notification
          key={notice.id}
          color={COLOURS[notice.tone]}
          title={notice.title}
          withBorder
          closeButtonProps={{ "aria-label": "Dismiss" }}
          onClose={() => dismiss(notice.id)}
        >
          {notice.message}
        </Notification>
      ))}
    </div>
  );
}

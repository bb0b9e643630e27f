"use client";

import { Kbd, Modal } from "@mantine/core";
import { Fragment } from "react";
import classes from "./Help.module.css";
import { KEYS } from "./keys";
import { useMay } from "./rights";
import { setHelp, useDesk } from "./store";

export function Help() {
  const open = useDesk((desk) => desk.help);
  const may = useMay();
  return (
    <Modal opened={open} onClose={() => setHelp(false)} title="Keys" size="md" closeButtonProps={{ "aria-label": "Close" }}>
      <dl className={classes.keys}>
        {KEYS.filter(({ keys }) => keys !== "n" || may("trade")).map(({ keys, what }) => (
          <Fragment key={keys}>
            <dt>
              <Kbd>{keys}</Kbd>
            </dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
      <p className="muted">Keys rest while you type. Click an account to see only its part of the desk; click an order for its whole record.</p>
    </Modal>
  );
}

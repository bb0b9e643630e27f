"use client";

import { Kbd, Modal } from "@mantine/core";
import { Fragment } from "react";
import classes from "./Help.module.css";
import { useMay } from "./rights";
import { setHelp, useDesk } from "./store";

export interface KeyWords {
  keys: string;
  what: string;
}

/** The keys of a page, and what else can be done there by hand. */
export function Help({ keys: all, rest }: { keys: readonly KeyWords[]; rest: string }) {
  const open = useDesk((desk) => desk.help);
  const may = useMay();
  return (
    <Modal opened={open} onClose={() => setHelp(false)} title="Keys" size="md" closeButtonProps={{ "aria-label": "Close" }}>
      <dl className={classes.keys}>
        {all.filter(({ keys }) => keys !== "n" || may("trade")).map(({ keys, what }) => (
          <Fragment key={keys}>
            <dt>
              <Kbd>{keys}</Kbd>
            </dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
      <p className="muted">Keys rest while you type. {rest}</p>
    </Modal>
  );
}

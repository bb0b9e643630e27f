"use client";

import { Drawer } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { explain } from "@/api/problem";
import { PanelState } from "@/ui/PanelState";
import { SERIES, TEMPLATES } from "./data";
import { RunForm } from "./RunForm";
import { closeForm, useResearch } from "./store";

/** Asks for a new run, or for an earlier one again with other terms. */
export function FormDrawer() {
  const { open, from } = useResearch((state) => state.form);
  const templates = useQuery({ ...TEMPLATES, enabled: open });
  const series = useQuery({ ...SERIES, enabled: open });
  const failed = templates.error ?? series.error;
  const again = () => {
    void templates.refetch();
    void series.refetch();
  };
  return (
    <Drawer opened={open} onClose={closeForm} title={from ? "Run again" : "New backtest"} position="right" size={460} closeButtonProps={{ "aria-label": "Close the form" }}>
      <PanelState
        status={failed ? "error" : templates.data && series.data ? "ready" : "waiting"}
        fault={failed && explain(failed)}
        onRetry={again}
        isEmpty={series.data?.length === 0 || templates.data?.length === 0}
        empty="There are no bars to test on yet. Bring some in with “evenkeel data import”, then open this again."
      >
        {templates.data && series.data && <RunForm key={from?.id ?? "new"} templates={templates.data} series={series.data} from={from} />}
      </PanelState>
    </Drawer>
  );
}

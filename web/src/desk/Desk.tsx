"use client";

import { useEffect } from "react";
import { describe } from "@/stream/freshness";
import { useStreaming } from "@/stream/useStreaming";
import { TicketDrawer } from "@/ticket/TicketDrawer";
import page from "@/ui/page.module.css";
import { AccountsPanel } from "./AccountsPanel";
import { Banners } from "./Banners";
import classes from "./Desk.module.css";
import { EquityPanel } from "./EquityPanel";
import { EventsPanel } from "./EventsPanel";
import { FeedControls } from "./FeedControls";
import { Header } from "./Header";
import { Help } from "./Help";
import { KEYS, useKeys } from "./keys";
import { OrderDrawer } from "./OrderDrawer";
import { OrdersPanel } from "./OrdersPanel";
import { PositionsPanel } from "./PositionsPanel";
import { useShares } from "./rights";
import { resetDesk } from "./store";
import { StrategiesPanel } from "./StrategiesPanel";
import { Toolbar } from "./Toolbar";
import { useAlarms, useConnection, useTitle } from "./watch";

const ANCHORS = [
  { id: "accounts", label: "Accounts" },
  { id: "positions", label: "Positions" },
  { id: "orders", label: "Orders" },
  { id: "strategies", label: "Strategies" },
  { id: "events", label: "Events" },
] as const;

/** The way about the desk on a phone, where the header scrolls away: it tells too when figures may be old. */
function Anchors() {
  const connection = useConnection();
  const isOld = connection.kind === "stale" || connection.kind === "reconnecting";
  return (
    <nav className={classes.anchors} aria-label="Parts of the desk">
      {isOld && <span className={classes.old} data-kind={connection.kind}>{describe(connection)} · figures may be old</span>}
      {ANCHORS.map(({ id, label }) => (
        <a key={id} href={`#${id}`}>{label}</a>
      ))}
    </nav>
  );
}

export function Desk() {
  useStreaming();
  useShares();
  useKeys();
  useTitle();
  useAlarms();
  useEffect(() => resetDesk, []);
  return (
    <div className={`${page.page} ${classes.desk}`}>
      <a className="skip-link" href="#accounts">Skip to the desk</a>
      <div className={page.top}>
        <Header>
          <FeedControls />
          <Toolbar />
        </Header>
        <Banners />
      </div>
      <main className={classes.grid}>
        <h1 className="visually-hidden">Desk</h1>
        <AccountsPanel />
        <EquityPanel />
        <PositionsPanel />
        <OrdersPanel />
        <StrategiesPanel />
        <EventsPanel />
      </main>
      <Anchors />
      <TicketDrawer />
      <OrderDrawer />
      <Help keys={KEYS} rest="Click an account to see only its part of the desk; click an order for its whole record." />
    </div>
  );
}

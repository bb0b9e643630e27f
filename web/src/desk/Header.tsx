"use client";

import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { splitInstant } from "@/format/time";
import { signOut } from "@/session/session";
import { useSession } from "@/session/store";
import { reconnect } from "@/stream/live";
import { describe, STALE_AFTER_MS } from "@/stream/freshness";
import { useChannel, useStream } from "@/stream/store";
import { HelpIcon, LeaveIcon, MoonIcon, SunIcon } from "@/ui/icons";
import { Logo } from "@/ui/Logo";
import { notifyFailure } from "@/ui/notices";
import { Tag } from "@/ui/Tag";
import { useAccounts } from "./data";
import classes from "./Header.module.css";
import { setHelp, toggleZone, useDesk } from "./store";
import { useClock } from "./system";
import { useConnection } from "./watch";

/** What the accounts are, never a switch: each account carries its own mode. */
function Modes() {
  const { list } = useAccounts();
  const live = list.filter((account) => account.mode === "live").length;
  if (live === 0) return <Tag tone="accent" title="Every account here is simulated." testId="mode-badge">PAPER</Tag>;
  const rest = list.length - live;
  return (
    <span className={classes.modes} data-testid="mode-badge">
      <Tag tone="live" title="Accounts that trade real money.">{`${live} LIVE`}</Tag>
      {rest > 0 && <Tag tone="accent">{`${rest} PAPER`}</Tag>}
    </span>
  );
}

function Clock() {
  const clock = useClock();
  const zone = useDesk((desk) => desk.zone);
  const now = splitInstant(clock, zone);
  if (!now) return null;
  return (
    <Tooltip label={zone === "utc" ? "Trading clock in UTC. Show local time (u)" : "Trading clock in local time. Show UTC (u)"}>
      <button type="button" className={`number ${classes.clock}`} onClick={toggleZone} data-testid="trading-clock">
        <span>{now.date}</span> {now.time} <span className="muted">{now.zone}</span>
      </button>
    </Tooltip>
  );
}

function ConnectionState() {
  const connection = useConnection();
  const detail = useStream((state) => state.detail);
  const words =
    connection.kind === "live"
      ? "Messages are arriving."
      : `${detail ?? `Nothing was heard for ${STALE_AFTER_MS / 1000} s or more.`} Figures may be old. Click to connect now.`;
  return (
    <Tooltip label={words} multiline maw={280}>
      <button
        type="button"
        className={classes.connection}
        data-kind={connection.kind}
        data-testid="connection-state"
        onClick={reconnect}
      >
        <span className={classes.lamp} aria-hidden="true" />
        <span className="number">{describe(connection)}</span>
      </button>
    </Tooltip>
  );
}

function IconButton({ label, onClick, children }: { label: string; onClick: () => void; children: ReactNode }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size={32} aria-label={label} onClick={onClick}>
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

function ThemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("dark", { getInitialValueInEffect: true }) === "dark";
  return (
    <IconButton label={dark ? "Light theme" : "Dark theme"} onClick={() => setColorScheme(dark ? "light" : "dark")}>
      {dark ? <SunIcon /> : <MoonIcon />}
    </IconButton>
  );
}

/** The parts of Evenkeel; how many backtests are under way stands beside theirs. */
function Parts() {
  const here = usePathname();
  const { items } = useChannel("backtests");
  const busy = [...items.values()].filter(({ state }) => state === "queued" || state === "running").length;
  const at = (path: string) => (here.replace(/\/$/, "") === path.replace(/\/$/, "") ? "page" : undefined);
  return (
    <nav className={classes.parts} aria-label="Evenkeel">
      <Link href="/" aria-current={at("/")} prefetch={false}>Desk</Link>
      <Link href="/backtests/" aria-current={at("/backtests/")} prefetch={false} data-testid="to-backtests">
        Backtests
        {busy > 0 && <span className={classes.busy} title={`${busy} under way`}>{busy}</span>}
      </Link>
    </nav>
  );
}

/** What every page has, around what belongs to one alone. */
export function Header({ children }: { children: ReactNode }) {
  const user = useSession((state) => state.user);
  return (
    <header className={classes.header}>
      <span className={classes.brand}>
        <Logo /> Evenkeel
      </span>
      <Parts />
      <Modes />
      <Clock />
      {children}
      <ConnectionState />
      <span className={classes.buttons}>
        <IconButton label="Keys (?)" onClick={() => setHelp(true)}><HelpIcon /></IconButton>
        <ThemeButton />
        <IconButton label={`Sign out ${user?.username ?? ""}`.trim()} onClick={() => void signOut().catch(notifyFailure("Signed out here only"))}>
          <LeaveIcon />
        </IconButton>
      </span>
    </header>
  );
}

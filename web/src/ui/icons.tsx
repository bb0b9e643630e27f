import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const SunIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="3" />
    <path d="M8 1v1.500M8 13.500V15M1 8h1.500M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M13.5 9.500A6 6 0 0 1 6.5 2.500a6 6 0 1 0 7 7Z" />
  </Icon>
);

export const HelpIcon = () => (
  <Icon>
    <rect x="1" y="4" width="14" height="8.5" rx="1.5" />
    <path d="M4 7h.01M7 7h.01M10 7h.01M12.5 7h.01M5 10h6" />
  </Icon>
);

export const LeaveIcon = () => (
  <Icon>
    <path d="M6 2H3v12h3M10 5l3 3-3 3M13 8H6.5" />
  </Icon>
);

export const PlayIcon = () => (
  <Icon>
    <path d="M5 3v10l8-5Z" fill="currentColor" />
  </Icon>
);

export const PauseIcon = () => (
  <Icon>
    <path d="M5.5 3v10M10.5 3v10" strokeWidth="2.5" />
  </Icon>
);

export const ChevronIcon = () => (
  <svg width="8" height="8" viewBox="0 0 8 8" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true" focusable="false">
    <path d="M2.5 1l3 3-3 3" />
  </svg>
);

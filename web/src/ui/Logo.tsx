/** A hull on a level line. */
export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" aria-hidden="true" focusable="false">
      <path d="M1 8h18" stroke="var(--accent)" strokeWidth="2" strokeLinecap="round" />
      <path d="M4 11.5c.8 3.2 3 5 6 5s5.2-1.8 6-5" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      <path d="M10 8V3" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}

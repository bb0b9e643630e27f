import { createTheme, type MantineColorsTuple } from "@mantine/core";

const keel: MantineColorsTuple = [
  "#e8f6f9", "#d3ebf1", "#a9d8e3", "#7cc4d4", "#56b3c9", "#3d9fb7", "#268aa3", "#136f86", "#0c5a6e", "#064353",
];
const red: MantineColorsTuple = [
  "#fdecee", "#fbd5d9", "#f6aab2", "#f2777f", "#e5525d", "#d93a47", "#d02c3c", "#c32433", "#a61a29", "#84111e",
];
const dark: MantineColorsTuple = [
  "#dde3ea", "#b9c3cf", "#93a0af", "#7e8b9b", "#343d4a", "#2a323d", "#191e26", "#13171d", "#0d1014", "#080a0d",
];

const SYSTEM = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export const theme = createTheme({
  primaryColor: "keel",
  primaryShade: 7,
  colors: { keel, red, dark },
  fontFamily: SYSTEM,
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  lineHeights: { xs: "16px", sm: "20px", md: "20px", lg: "24px", xl: "28px" },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  defaultRadius: 4,
  headings: { fontFamily: SYSTEM, fontWeight: "600" },
  respectReducedMotion: true,
  cursorType: "pointer",
  components: {
    Tooltip: { defaultProps: { openDelay: 400, withArrow: true, events: { hover: true, focus: true, touch: false } } },
    Drawer: { defaultProps: { overlayProps: { backgroundOpacity: 0.45 } }, styles: { title: { fontWeight: 600 }, content: { background: "var(--panel)" }, header: { background: "var(--panel)" } } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.55 } } },
  },
});

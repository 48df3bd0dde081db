/** The page's icons, in the colour of the text beside them. Screen readers ignore them. */

const paths = {
  image: "M4 5h16v14H4z M4 16l5-5 4 4 2.5-2.5L20 17 M15.5 9.5h.01",
  film: "M4 5h16v14H4z M8 5v14 M16 5v14 M4 9.7h4 M4 14.3h4 M16 9.7h4 M16 14.3h4",
  upload: "M12 16V5 M7.5 9.5 12 5l4.5 4.5 M5 19h14",
  dice: "M7 4h10a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z M8.5 8.5a.2.2 0 1 0 .1.1z M15.5 8.5a.2.2 0 1 0 .1.1z M12 12a.2.2 0 1 0 .1.1z M8.5 15.5a.2.2 0 1 0 .1.1z M15.5 15.5a.2.2 0 1 0 .1.1z",
  lock: "M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  close: "M6 6l12 12 M18 6 6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  download: "M12 5v11 M7.5 11.5 12 16l4.5-4.5 M5 19h14",
  repeat: "M4 12a8 8 0 0 1 13.7-5.6L20 8.5 M20 4v4.5h-4.5 M20 12a8 8 0 0 1-13.7 5.6L4 15.5 M4 20v-4.5h4.5",
  reference: "M4 5h10 M4 5v14h16v-9 M4 16l5-5 4 4 2.5-2.5L20 17 M18 3v6 M15 6h6",
  sliders: "M4 7h9 M17 7h3 M15 5v4 M4 12h3 M11 12h9 M9 10v4 M4 17h11 M19 17h1 M17 15v4",
  trash: "M5 7h14 M10 7V4.5h4V7 M7 7l.8 12.5h8.4L17 7 M10.5 11v5 M13.5 11v5",
  refresh: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9 M19.5 4.5V9H15",
  left: "M14.5 6 8.5 12l6 6",
  right: "M9.5 6l6 6-6 6",
  down: "M6 9.5l6 6 6-6",
  swap: "M4 8.5h14 M14.5 5 18 8.5 14.5 12 M20 15.5H6 M9.5 12 6 15.5 9.5 19",
  copy: "M9 9h10v10H9z M5 15V5h10",
  play: "M8 5.5v13l10.5-6.5z",
  alert: "M12 4 21 19.5H3z M12 10v4.5 M12 17h.01",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z M12 8v4.5l3 2",
  shield: "M12 3.5 19 6v5.5c0 4.5-3 7.5-7 9-4-1.5-7-4.5-7-9V6z",
  spark: "M12 4v5 M12 15v5 M4 12h5 M15 12h5 M6.5 6.500l3 3 M14.5 14.500l3 3 M17.5 6.500l-3 3 M9.5 14.500l-3 3",
  key: "M14.5 4.500a5 5 0 1 1-4 8L4.5 18.500V20H8v-2h2v-2h1.500l1.3-1.3 M16 8.500h.01",
  list: "M8.5 6.500H20 M8.5 12H20 M8.5 17.500H20 M4.5 6.500h.01 M4.5 12h.01 M4.5 17.500h.01",
  pulse: "M3 12.500h4l2.5-6 4.5 12 2.5-6H21",
  users:
    "M9 11.500a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.600z M3 19.500c.5-3.5 3-5 6-5s5.5 1.5 6 5 M15.5 5.200a3.3 3.3 0 0 1 0 6 M17.5 14.800c2 .6 3.2 2.2 3.5 4.7",
  plus: "M12 5v14 M5 12h14",
  edit: "M5 19l.8-3.600L16.5 4.700l2.8 2.800L8.6 18.200z M14 7.2 16.8 10",
  power: "M12 4v8 M7.5 6.500a7.5 7.5 0 1 0 9 0",
  rocket: "M12 16c5-3 7-7 6.5-11.500C14 4 10 6 7 11l-3 .5 2 3 3.5 3.5 3 2z M14.5 9.500h.01",
  exit: "M10 5H5v14h5 M9.5 12H20 M16 8l4 4-4 4",
  eye: "M3 12c2.5-4.5 5.5-6.5 9-6.500s6.5 2 9 6.500c-2.5 4.5-5.5 6.5-9 6.500S5.5 16.5 3 12z M12 9.500a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  database:
    "M5 6.500c0-1.5 3-2.5 7-2.500s7 1 7 2.5-3 2.5-7 2.5-7-1-7-2.500z M5 6.500v11C5 19 8 20 12 20s7-1 7-2.500v-11 M5 12c0 1.5 3 2.5 7 2.500s7-1 7-2.5",
  grid: "M4.5 4.500h6v6h-6z M13.5 4.500h6v6h-6z M4.5 13.500h6v6h-6z M13.5 13.500h6v6h-6z",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

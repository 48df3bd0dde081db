/** The browser's storage, which it may forbid to a page; what would be kept lasts as long as the page then. */

export function storage(kind: "localStorage" | "sessionStorage"): Storage | null {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

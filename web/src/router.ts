/** Chooses pages by the fragment of the address, so that a host serves one document at any path: `#/gallery?page=2`. */

import { useSyncExternalStore } from "react";

export interface Route {
  path: string;
  query: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?");
  return { path: `/${path.replace(/^\/+|\/+$/g, "")}`, query: new URLSearchParams(query) };
}

export function address(path: string, query: Record<string, string | number | undefined> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

export function navigate(to: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(history.state, "", to);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = to;
  }
}

const subscribe = (listener: () => void): (() => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => location.hash));
}

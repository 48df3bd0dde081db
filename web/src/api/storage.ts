/**
 * The browser's storage, which it may forbid to a page; what would be kept lasts as long as the page then. A browser keeps one storage
 * for all paths of a host, so a platform that is served under a path of its own keeps its things under names that begin with it.
 */

export type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The name under which a page keeps something: the plain one at the root of its host. */
export function keptName(name: string, path: string = location.pathname): string {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return folder === "/" || folder === "" ? name : `${folder}${name}`;
}

export function storage(kind: "localStorage" | "sessionStorage"): Kept | null {
  try {
    const kept = window[kind];
    return {
      getItem: (name) => kept.getItem(keptName(name)),
      setItem: (name, value) => kept.setItem(keptName(name), value),
      removeItem: (name) => kept.removeItem(keptName(name)),
    };
  } catch {
    return null;
  }
}

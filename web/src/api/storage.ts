/**
 * The browser's storage. If the browser forbids it, values last only as long as the page. A browser has one storage for all paths of a
 * host, so a platform that is served at a path uses names that begin with this path.
 */

export type PageStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Returns the name under which a value is stored: the plain name at the root of a host, otherwise the path and the name. */
export function storageName(name: string, path: string = location.pathname): string {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return folder === "/" || folder === "" ? name : `${folder}${name}`;
}

export function storage(kind: "localStorage" | "sessionStorage"): PageStorage | null {
  try {
    const area = window[kind];
    return {
      getItem: (name) => area.getItem(storageName(name)),
      setItem: (name, value) => area.setItem(storageName(name), value),
      removeItem: (name) => area.removeItem(storageName(name)),
    };
  } catch {
    return null;
  }
}

/** Loads a page of the gallery. Loads it again when a result was made or deleted, and when the user returns to the page. */

import { useCallback, useEffect, useRef, useState } from "react";
import { isAbort } from "../api/errors";
import type { GalleryPage, MediaType } from "../api/types";
import { useServices } from "../services";

export interface GalleryQuery {
  page: number;
  type: MediaType | "";
  model: string;
  sort: "newest" | "oldest";
}

export const PER_PAGE = 24;

export function readQuery(query: URLSearchParams): GalleryQuery {
  const type = query.get("type");
  return {
    page: Math.max(1, Math.trunc(Number(query.get("page"))) || 1),
    type: type === "image" || type === "video" ? type : "",
    model: query.get("model") ?? "",
    sort: query.get("sort") === "oldest" ? "oldest" : "newest",
  };
}

export function useGallery({ page, type, model, sort }: GalleryQuery) {
  const { client, tasks } = useServices();
  const [answer, setAnswer] = useState<GalleryPage | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [loading, setLoading] = useState(true);
  const running = useRef<AbortController | null>(null);

  const load = useCallback(async () => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setLoading(true);
    const query = new URLSearchParams({ page: String(page), per_page: String(PER_PAGE), sort });
    if (type) query.set("type", type);
    if (model) query.set("model", model);
    try {
      setAnswer(await client.json<GalleryPage>(`/gallery?${query}`, { signal: abort.signal }));
      setError(null);
    } catch (failure) {
      if (isAbort(failure)) return;
      setError(failure);
    }
    if (running.current === abort) setLoading(false);
  }, [client, page, type, model, sort]);

  useEffect(() => {
    void load();
    return () => running.current?.abort();
  }, [load]);

  useEffect(() => {
    const stop = tasks.onEnd((entry) => {
      if (entry.state?.status === "done") void load();
    });
    const seen = () => {
      if (document.visibilityState === "visible") void load();
    };
    document.addEventListener("visibilitychange", seen);
    return () => {
      stop();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [tasks, load]);

  const remove = useCallback(
    async (id: string) => {
      await client.call(`/gallery/${encodeURIComponent(id)}`, { method: "DELETE" });
      tasks.deleted(id);
      await load();
    },
    [client, tasks, load],
  );

  return { answer, error, loading, load, remove };
}

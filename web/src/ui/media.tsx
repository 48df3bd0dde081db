/**
 * Pictures and clips of the platform. The browser loads them with the session's cookie. If the session has ended, it is renewed. If the
 * platform is unavailable, as during a restart, the page waits for it. Then the element is created again.
 */

import { useEffect, useRef, useState } from "react";
import type { Ref } from "react";
import type { Client } from "../api/client";
import { ApiError, NetworkError, isAbort } from "../api/errors";
import { useServices } from "../services";

/** How many times an element is created again. */
const TRIES = 2;
/** How many times an unavailable platform is called. The pauses double and take about one minute in all. */
const ASKS = 7;
/** Milliseconds. */
const FIRST_PAUSE = 1_000;

interface Props {
  /** The path in the API, as answers of the platform contain it, for example `/results/ID`. */
  path: string;
  alt: string;
  className?: string;
  lazy?: boolean;
  onFailed?: () => void;
}

function useSource(path: string, onFailed?: () => void) {
  const { client } = useServices();
  const [tries, setTries] = useState(0);
  const asking = useRef<AbortController | null>(null);
  useEffect(() => () => asking.current?.abort(), []);
  const retry = () => {
    if (tries >= TRIES) return onFailed?.();
    asking.current?.abort();
    asking.current = new AbortController();
    untilThere(client, path, asking.current.signal).then(
      () => setTries(tries + 1),
      (error: unknown) => {
        if (!isAbort(error)) onFailed?.();
      },
    );
  };
  // The fragment changes the address for the element but not for the platform.
  return { source: client.url(path) + (tries > 0 ? `#${tries}` : ""), tries, retry };
}

/** Waits until the media is available. Its call also renews an ended session. */
async function untilThere(client: Client, path: string, signal: AbortSignal): Promise<void> {
  for (let asks = 1; ; asks += 1) {
    try {
      await client.call(path, { method: "HEAD", signal });
      return;
    } catch (error) {
      if (!isAway(error) || asks >= ASKS) throw error;
      await client.sleep(FIRST_PAUSE * 2 ** (asks - 1), signal);
    }
  }
}

/** Whether nothing answers, or a proxy answers instead of the platform. */
const isAway = (error: unknown): boolean =>
  error instanceof NetworkError || (error instanceof ApiError && [502, 503, 504].includes(error.status));

export function Picture({ path, alt, className = "", lazy = false, onFailed }: Props) {
  const { source, tries, retry } = useSource(path, onFailed);
  const [size, setSize] = useState<{ width: number; small: boolean } | null>(null);
  return (
    <img
      key={tries}
      className={`${className} ${size?.small ? "small" : ""} ${size ? "loaded" : "loading"}`}
      src={source}
      alt={alt}
      loading={lazy ? "lazy" : "eager"}
      decoding="async"
      onLoad={({ currentTarget: { naturalWidth } }) => setSize({ width: naturalWidth, small: naturalWidth <= SMALL })}
      onError={retry}
    />
  );
}

/** The largest width at which pixels are shown as squares instead of being smoothed. */
const SMALL = 256;

export function Clip({ path, alt, className = "", onFailed, ref }: Props & { ref?: Ref<HTMLVideoElement> }) {
  const { source, tries, retry } = useSource(path, onFailed);
  const [small, setSmall] = useState(false);
  return (
    <video
      key={tries}
      ref={ref}
      className={`${className} ${small ? "small" : ""}`}
      src={source}
      aria-label={alt}
      controls
      loop
      muted
      autoPlay={!matchMedia("(prefers-reduced-motion: reduce)").matches}
      playsInline
      onLoadedMetadata={({ currentTarget: { videoWidth } }) => setSmall(videoWidth <= SMALL)}
      onError={retry}
    />
  );
}

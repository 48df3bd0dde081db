/**
 * Pictures and clips of the platform. The browser fetches them with the session's cookie; when the session has ended in between
 * it is renewed once and the element is made anew.
 */

import { useState } from "react";
import type { Ref } from "react";
import { useServices } from "../services";

interface Props {
  /** Path of the API, as answers give it. */
  path: string;
  alt: string;
  className?: string;
  lazy?: boolean;
  onFailed?: () => void;
}

function useSource(path: string, onFailed?: () => void) {
  const { client } = useServices();
  const [tries, setTries] = useState(0);
  const retry = () => {
    if (tries > 0) return onFailed?.();
    // Asking with a call renews the session where that is what was wrong.
    void client
      .call(path, { method: "HEAD" })
      .then(() => setTries(1))
      .catch(() => onFailed?.());
  };
  // The fragment makes it another address for the element, and the same one for the platform.
  return { source: client.url(path) + (tries > 0 ? `#${tries}` : ""), tries, retry };
}

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

/** Widths up to which pixels are shown as squares, rather than smeared. */
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

/** Reuses a result: its settings, or its picture as the reference of the next task. */

import { useCallback } from "react";
import { withReference } from "../catalog/form";
import type { Picture } from "../catalog/schema";
import { useText } from "../i18n/language";
import { navigate } from "../router";
import { useServices } from "../services";
import { useNotices } from "../ui/notices";
import { captureFrame, uriOf } from "./read_picture";
import { useStudio } from "./state";

interface Made {
  model: string;
  mode: string;
  parameters: Record<string, unknown>;
  seed?: number | null;
}

interface Source {
  path: string;
  /** The clip whose current frame is used. If it is null, the bytes at the path are used. */
  video: HTMLVideoElement | null;
  name: string;
}

export function useReuse() {
  const t = useText();
  const { client } = useServices();
  const { form, model, setForm, reuseSettings } = useStudio();
  const { notify } = useNotices();

  const settings = useCallback(
    (made: Made) => {
      if (!reuseSettings(made)) return notify(t.errors.model_unavailable.title, "bad");
      notify(t.output.reused, "good");
      navigate("#/");
    },
    [reuseSettings, notify, t],
  );

  const reference = useCallback(
    async ({ path, video, name }: Source) => {
      if (!form || !model) return;
      try {
        const picture: Picture | null = video
          ? captureFrame(video, name)
          : { name, uri: await uriOf(await (await client.call(path)).blob()) };
        if (!picture) throw new Error("there is no frame yet");
        const next = withReference(form, model, picture);
        if (!next) return notify(t.output.noReference, "bad");
        setForm(() => next);
        notify(t.output.referenceSet, "good");
        navigate("#/");
      } catch {
        notify(t.output.referenceFailed, "bad");
      }
    },
    [client, form, model, setForm, notify, t],
  );

  return { settings, reference };
}

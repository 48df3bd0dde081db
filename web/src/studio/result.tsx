/** A finished task: its picture or clip, and the actions on it. */

import { useRef, useState } from "react";
import { duration, number } from "../i18n/format";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { promptOf, tookOf } from "../tasks/entry";
import type { Entry } from "../tasks/entry";
import { CopyButton, Empty } from "../ui/common";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { Clip, Picture } from "../ui/media";
import { useReuse } from "./reuse";

export function Result({ entry }: { entry: Entry }) {
  const t = useText();
  const { client } = useServices();
  const video = useRef<HTMLVideoElement>(null);
  const [failed, setFailed] = useState(false);
  const { settings, reference } = useReuse();
  const state = entry.state;
  if (!state?.result_url) return null;
  const prompt = promptOf(entry);
  const { width, height } = entry.request;
  return (
    <>
      <div className="stage">
        {failed ? (
          <Empty icon="alert" title={t.output.notShown} />
        ) : entry.type === "video" ? (
          <Clip ref={video} path={state.result_url} alt={t.output.videoLabel(prompt)} className="media" onFailed={() => setFailed(true)} />
        ) : (
          <Picture path={state.result_url} alt={t.output.imageAlt(prompt)} className="media" onFailed={() => setFailed(true)} />
        )}
      </div>
      <div className="shown-foot">
        <dl className="facts">
          <div>
            <dt>{t.output.seed}</dt>
            <dd>
              <span className="figures">{state.seed}</span>
              <CopyButton text={String(state.seed)} />
            </dd>
          </div>
          {typeof width === "number" && typeof height === "number" && (
            <div>
              <dt>{t.output.size}</dt>
              <dd className="figures">
                {number(t, width)} × {number(t, height)}
              </dd>
            </div>
          )}
          <div>
            <dt>{t.output.took}</dt>
            <dd className="figures">{duration(t, tookOf(state))}</dd>
          </div>
        </dl>
        <div className="actions">
          <Button icon="sliders" onClick={() => settings({ ...entry, parameters: entry.request, seed: state.seed })}>
            {t.output.reuse}
          </Button>
          <Button
            icon="reference"
            title={entry.type === "video" ? t.output.captureHint : undefined}
            onClick={() =>
              void reference({ path: state.result_url ?? "", video: entry.type === "video" ? video.current : null, name: entry.id })
            }
          >
            {t.output.asReference}
          </Button>
          <a className="button primary" href={client.url(state.result_url)} download="">
            <Icon name="download" size={16} />
            <span>{t.output.download}</span>
          </a>
        </div>
      </div>
    </>
  );
}

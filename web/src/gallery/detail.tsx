/** One result in full: the picture or clip, the settings that made it, and the actions on it. */

import { useEffect, useRef, useState } from "react";
import type { GalleryItem } from "../api/types";
import { choiceName, labelOf, modeName, moment, number } from "../i18n/format";
import type { Dictionary } from "../i18n/en";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { useReuse } from "../studio/reuse";
import { Button, IconButton } from "../ui/button";
import { CopyButton, Empty } from "../ui/common";
import { Confirm, Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { Clip, Picture } from "../ui/media";
import { useNotices } from "../ui/notices";

interface Props {
  item: GalleryItem;
  previous: string | undefined;
  next: string | undefined;
  onMove: (id: string) => void;
  onDelete: (id: string) => Promise<void>;
  onClose: () => void;
}

export function Detail({ item, previous, next, onMove, onDelete, onClose }: Props) {
  const t = useText();
  const { client, models } = useServices();
  const { notify } = useNotices();
  const { settings, reference } = useReuse();
  const [asking, setAsking] = useState(false);
  const [failed, setFailed] = useState(false);
  const video = useRef<HTMLVideoElement>(null);
  const model = models?.find(({ id }) => id === item.model);

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      // A focused clip uses the same keys to move within itself.
      if (asking || event.target instanceof HTMLMediaElement) return;
      if (event.key === "ArrowLeft" && previous) onMove(previous);
      if (event.key === "ArrowRight" && next) onMove(next);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [asking, previous, next, onMove]);

  const rows: [string, string][] = [
    [t.studio.model, model?.name ?? item.model],
    [t.gallery.mode, modeName(t, item.mode)],
    [t.output.size, `${number(t, item.width)} × ${number(t, item.height)}`],
    ...Object.entries(item.parameters).map(([name, value]): [string, string] => [
      labelOf(t, name, model?.parameters_schema[name]),
      valueText(t, value),
    ]),
    [t.gallery.made, moment(t, item.finished_at ?? item.created_at)],
    ...(item.workspace ? [[t.gallery.place, item.workspace] as [string, string]] : []),
  ];
  return (
    <>
      <Dialog
        title={t.gallery.detail}
        className="detail"
        onClose={onClose}
        footer={
          <>
            <Button tone="danger" icon="trash" onClick={() => setAsking(true)}>
              {t.gallery.delete}
            </Button>
            <span className="grow" />
            <Button
              icon="sliders"
              onClick={() => {
                onClose();
                const parameters = {
                  ...item.parameters,
                  prompt: item.prompt,
                  negative_prompt: item.negative_prompt,
                  width: item.width,
                  height: item.height,
                };
                settings({ ...item, parameters });
              }}
            >
              {t.output.reuse}
            </Button>
            <Button
              icon="reference"
              title={item.type === "video" ? t.output.captureHint : undefined}
              onClick={() => {
                const source = { path: item.result_url, video: item.type === "video" ? video.current : null, name: item.id };
                void reference(source).then(onClose);
              }}
            >
              {t.output.asReference}
            </Button>
            <a className="button primary" href={client.url(item.result_url)} download="">
              <Icon name="download" size={16} />
              <span>{t.output.download}</span>
            </a>
          </>
        }
      >
        <div className="detail-media">
          {failed ? (
            <Empty icon="alert" title={t.output.notShown} />
          ) : item.type === "video" ? (
            <Clip
              ref={video}
              path={item.result_url}
              alt={t.output.videoLabel(item.prompt)}
              className="media"
              onFailed={() => setFailed(true)}
            />
          ) : (
            <Picture path={item.result_url} alt={t.output.imageAlt(item.prompt)} className="media" onFailed={() => setFailed(true)} />
          )}
          <IconButton
            icon="left"
            tone="plain"
            className="move previous"
            label={t.gallery.previousItem}
            disabled={!previous}
            onClick={() => previous && onMove(previous)}
          />
          <IconButton
            icon="right"
            tone="plain"
            className="move next"
            label={t.gallery.nextItem}
            disabled={!next}
            onClick={() => next && onMove(next)}
          />
        </div>
        <div className="detail-words">
          <h3>
            {t.gallery.prompt} <CopyButton text={item.prompt} />
          </h3>
          <p className="prompt">{item.prompt}</p>
          {item.negative_prompt && (
            <>
              <h3>{t.gallery.negative}</h3>
              <p className="prompt">{item.negative_prompt}</p>
            </>
          )}
          <h3>{t.gallery.parameters}</h3>
          <dl className="rows">
            <div>
              <dt>{t.output.seed}</dt>
              <dd>
                <span className="figures">{item.seed}</span> <CopyButton text={String(item.seed)} />
              </dd>
            </div>
            {rows.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
            <div>
              <dt>{t.gallery.identifier}</dt>
              <dd>
                <code>{item.id}</code>
              </dd>
            </div>
          </dl>
        </div>
      </Dialog>
      {asking && (
        <Confirm
          title={t.gallery.deleteTitle}
          text={t.gallery.deleteText}
          action={t.gallery.delete}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await onDelete(item.id);
            onClose();
            notify(t.gallery.deleted, "good");
          }}
        />
      )}
    </>
  );
}

/** A stored value as text. Of a picture, the platform stores only the size. */
export function valueText(t: Dictionary, value: unknown): string {
  if (typeof value === "number" || typeof value === "string") return choiceName(t, value) || "–";
  if (Array.isArray(value)) return t.studio.frames.count(value.length);
  if (typeof value === "object" && value !== null && "width" in value && "height" in value) {
    return `${number(t, Number(value.width))} × ${number(t, Number(value.height))}`;
  }
  return value === null || value === undefined ? "–" : JSON.stringify(value);
}

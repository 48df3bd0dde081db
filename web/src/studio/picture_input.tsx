/** A picture that the user drops, pastes or chooses. It is then shown and can be removed. */

import { useRef, useState } from "react";
import type { ClipboardEvent, DragEvent } from "react";
import type { Picture } from "../catalog/schema";
import { useText } from "../i18n/language";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import type { ControlProps } from "./field";
import { PICTURE_TYPES, fileOf, isPictureFile, readPicture } from "./read_picture";

interface Props extends Omit<ControlProps, "value" | "name" | "parameter"> {
  value: Picture | null;
  compact?: boolean;
}

export function PictureInput({ id, value, onChange, label, invalid, describedBy, compact = false }: Props) {
  const t = useText();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  const take = async (file: File | null | undefined) => {
    if (!file) return;
    if (!isPictureFile(file)) return setTrouble(t.studio.picture.notAPicture);
    try {
      onChange(await readPicture(file));
      setTrouble(null);
    } catch {
      setTrouble(t.studio.picture.cannotRead);
    }
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(fileOf(event.dataTransfer));
  };
  const pasted = (event: ClipboardEvent) => {
    const file = fileOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    void take(file);
  };
  return (
    <div
      className={`picture-input ${over ? "over" : ""} ${value ? "full" : ""} ${compact ? "compact" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={dropped}
      onPaste={pasted}
    >
      <input
        ref={input}
        id={id}
        type="file"
        className="visually-hidden"
        accept={PICTURE_TYPES.join(",")}
        aria-label={value ? `${label}: ${value.name}` : label}
        aria-invalid={invalid || undefined}
        aria-describedby={describedBy}
        onChange={(event) => {
          void take(event.target.files?.[0]);
          // The same file can be chosen again after it was removed.
          event.target.value = "";
        }}
      />
      {value ? (
        <>
          <label htmlFor={id} className="picture-shown" title={t.studio.picture.replace}>
            <img src={value.uri} alt={value.name} onError={() => setTrouble(t.studio.picture.cannotRead)} />
          </label>
          <span className="picture-name">{value.name}</span>
          <IconButton
            icon="trash"
            label={t.studio.picture.remove(label)}
            onClick={() => {
              onChange(null);
              setTrouble(null);
              input.current?.focus();
            }}
          />
        </>
      ) : (
        <label htmlFor={id} className="picture-drop">
          <Icon name="upload" size={compact ? 18 : 22} />
          <span>{over ? t.studio.picture.dropHere : t.studio.picture.drop}</span>
        </label>
      )}
      {trouble && (
        <p className="issue" role="alert">
          {trouble}
        </p>
      )}
    </div>
  );
}

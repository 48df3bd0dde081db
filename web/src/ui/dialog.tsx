/** Modal dialogs with the browser's own element, which keeps the focus inside and returns it afterwards. */

import { useEffect, useId, useRef, useState } from "react";
import type { ReactNode } from "react";
import { useText } from "../i18n/language";
import { Button, IconButton } from "./button";
import { Problems } from "./problem";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
  footer?: ReactNode;
}

export function Dialog({ title, onClose, children, className = "", footer }: Props) {
  const t = useText();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    // The focus goes to the element marked `data-first`, if there is one, instead of the close button.
    element?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      element?.close();
      // The element that opened the dialog may have been removed by the action.
      const back = before instanceof HTMLElement && before.isConnected ? before : document.getElementById("main");
      back?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={heading}>{title}</h2>
          <IconButton icon="close" label={t.app.close} onClick={onClose} />
        </header>
        <div className="dialog-content">{children}</div>
        {footer && <footer className="dialog-foot">{footer}</footer>}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  tone?: "danger" | "primary";
  /** Text that the user must type first, for actions that affect a lot, and the label of its field. */
  typed?: { value: string; label: string };
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Asks for confirmation of something that cannot be undone. Stays open and shows the reason when it fails. */
export function Confirm({ title, text, action, tone = "danger", typed, onConfirm, onClose }: ConfirmProps) {
  const t = useText();
  const id = useId();
  const [written, setWritten] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      className="narrow"
      footer={
        <>
          <Button onClick={onClose} data-first="">
            {t.app.cancel}
          </Button>
          <Button tone={tone} busy={busy} disabled={typed !== undefined && written.trim() !== typed.value} onClick={() => void confirm()}>
            {action}
          </Button>
        </>
      }
    >
      <p>{text}</p>
      {typed && (
        <div className="field">
          <label className="label" htmlFor={id}>
            {typed.label}
          </label>
          <input id={id} value={written} autoComplete="off" spellCheck={false} onChange={(event) => setWritten(event.target.value)} />
        </div>
      )}
      {error !== null && <Problems error={error} />}
    </Dialog>
  );
}

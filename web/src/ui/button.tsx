/** Buttons with text, and buttons with only an icon. */

import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { Icon } from "./icon";
import type { IconName } from "./icon";

type Tone = "primary" | "plain" | "quiet" | "danger";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: Tone;
  icon?: IconName;
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
  "data-first"?: string;
  children?: ReactNode;
}

export function Button({ tone = "plain", icon, busy = false, className = "", children, disabled, ...rest }: Props) {
  return (
    <button type="button" {...rest} className={`button ${tone} ${className}`} disabled={disabled || busy} aria-busy={busy || undefined}>
      {busy ? <span className="spinner" aria-hidden="true" /> : icon && <Icon name={icon} size={16} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

interface IconProps extends Omit<Props, "children" | "icon"> {
  icon: IconName;
  label: string;
  size?: number;
}

export function IconButton({ icon, label, size = 16, tone = "quiet", busy = false, className = "", disabled, ...rest }: IconProps) {
  return (
    <button
      type="button"
      {...rest}
      className={`button icon-only ${tone} ${className}`}
      aria-label={label}
      title={label}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : <Icon name={icon} size={size} />}
    </button>
  );
}

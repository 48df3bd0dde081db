/** A failure for people: its meaning, the platform's text, and what they can do. */

import { problemOf } from "../api/errors";
import type { Problem } from "../api/errors";
import { errorAction, errorTitle } from "../i18n/format";
import { useText } from "../i18n/language";
import { Button } from "./button";
import { Icon } from "./icon";

export function ProblemCard({ problem, onRetry }: { problem: Problem; onRetry?: (() => void) | undefined }) {
  const t = useText();
  return (
    <div className="problem" role="alert">
      <Icon name="alert" />
      <div>
        <strong>{errorTitle(t, problem.code)}</strong>
        {problem.detail && <p className="problem-detail">{problem.detail}</p>}
        {errorAction(t, problem) && <p>{errorAction(t, problem)}</p>}
        <p className="problem-code">
          <code>{problem.code}</code>
        </p>
        {onRetry && (
          <Button icon="refresh" onClick={onRetry}>
            {t.app.retry}
          </Button>
        )}
      </div>
    </div>
  );
}

export function Problems({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return <ProblemCard problem={problemOf(error)} onRetry={onRetry} />;
}

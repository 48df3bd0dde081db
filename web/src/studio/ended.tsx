/** A task that ended without a result: the reason, and what the user can do. */

import { errorAction, errorTitle } from "../i18n/format";
import { useText } from "../i18n/language";
import { phaseOf, problemOfTask } from "../tasks/entry";
import type { Entry } from "../tasks/entry";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { useReuse } from "./reuse";

export function Ended({ entry }: { entry: Entry }) {
  const t = useText();
  const { settings } = useReuse();
  const phase = phaseOf(entry);
  const problem = phase === "failed" && entry.state ? problemOfTask(entry.state) : null;
  return (
    <>
      <div className="stage">
        <div className={`ended ${phase}`} role="status">
          <span className="empty-mark">
            <Icon name={phase === "failed" ? "alert" : phase === "gone" ? "trash" : "close"} size={28} />
          </span>
          {problem ? (
            <>
              <h2>{errorTitle(t, problem.code)}</h2>
              {problem.detail && <p className="problem-detail">{problem.detail}</p>}
              <p>{errorAction(t, problem)}</p>
              <code>{problem.code}</code>
            </>
          ) : (
            <>
              <h2>{phase === "cancelled" ? t.output.cancelled : t.output.gone}</h2>
              <p>{phase === "cancelled" ? t.output.cancelledText : t.output.goneText}</p>
            </>
          )}
        </div>
      </div>
      <div className="shown-foot">
        <span />
        <div className="actions">
          <Button icon="sliders" onClick={() => settings({ ...entry, parameters: entry.request })}>
            {t.output.reuse}
          </Button>
        </div>
      </div>
    </>
  );
}

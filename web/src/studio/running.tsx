/** A task that has not ended: its progress, its stage, and its cancel button. */

import { useEffect, useRef, useState } from "react";
import { problemOf } from "../api/errors";
import { duration, errorTitle, stageDetail, stageName } from "../i18n/format";
import { useText } from "../i18n/language";
import { useServices } from "../services";
import { promptOf } from "../tasks/entry";
import type { Entry } from "../tasks/entry";
import { Button } from "../ui/button";
import { Progress, useNow } from "../ui/common";
import { Icon } from "../ui/icon";
import { useNotices } from "../ui/notices";

/** The stages that are always listed, in order. Other stages, such as `saving`, are shown only while they last. */
const STAGES = ["queued", "loading", "encoding", "denoising", "decoding"];

export function Running({ entry }: { entry: Entry }) {
  const t = useText();
  const { tasks } = useServices();
  const { notify, announce } = useNotices();
  const [cancelling, setCancelling] = useState(false);
  const now = useNow(1000);
  const progress = entry.state?.progress ?? 0;
  const stage = entry.state?.stage || "queued";
  const { width, height } = entry.request;

  // Screen readers are told each new stage, not each percent.
  const percent = useRef(progress);
  percent.current = progress;
  useEffect(() => announce(t.output.announceStage(stageName(t, stage), percent.current)), [stage, t, announce]);

  const cancel = async () => {
    setCancelling(true);
    try {
      await tasks.cancel(entry.id);
    } catch (error) {
      notify(errorTitle(t, problemOf(error).code), "bad");
      setCancelling(false);
    }
  };
  const at = STAGES.indexOf(stage);
  const ratio = typeof width === "number" && typeof height === "number" && height > 0 ? width / height : 1;
  return (
    <>
      <div className="stage">
        <div
          className="developing"
          style={{ aspectRatio: String(ratio), "--done": progress / 100 } as React.CSSProperties}
          role="img"
          aria-label={promptOf(entry)}
        >
          <div className="developing-noise" />
          <div className="developing-words">
            <strong className="developing-percent">{t.output.percent(progress)}</strong>
            <span>{stageName(t, stage)}</span>
          </div>
        </div>
      </div>
      <div className="shown-foot">
        <div className="running">
          <Progress value={progress} label={t.output.progress} />
          {entry.trouble && (
            <p className="trouble" role="status">
              <Icon name="alert" size={14} />
              {t.output.trouble}
            </p>
          )}
          <div className="running-line">
            <ol className="stages">
              {STAGES.map((name, index) => (
                <li
                  key={name}
                  className={index < at ? "past" : index === at ? "present" : ""}
                  aria-current={index === at ? "step" : undefined}
                >
                  {stageName(t, name)}
                </li>
              ))}
            </ol>
            <span className="running-detail">
              {at < 0 && `${stageName(t, stage)} `}
              {entry.state?.stage_detail && stageDetail(t, entry.state.stage_detail)}
            </span>
            <span className="running-time">{duration(t, Math.max(0, Math.floor((now - entry.submittedAt) / 1000) * 1000))}</span>
          </div>
        </div>
        <Button icon="close" busy={cancelling} onClick={() => void cancel()}>
          {cancelling ? t.output.cancelling : t.output.cancel}
        </Button>
      </div>
    </>
  );
}

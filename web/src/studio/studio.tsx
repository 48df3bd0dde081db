/** The studio: the request on the left, the result on the right. */

import { useText } from "../i18n/language";
import { useServices } from "../services";
import { Empty, PageTitle } from "../ui/common";
import { Problems } from "../ui/problem";
import { Output } from "./output";
import { Panel } from "./panel";
import { useStudio } from "./state";

export function StudioPage() {
  const t = useText();
  const { models, modelsError, loadModels } = useServices();
  const { form, model } = useStudio();
  return (
    <div className="studio">
      <PageTitle hidden>{t.studio.title}</PageTitle>
      <section className="panel" aria-label={t.studio.settings}>
        {modelsError !== null ? (
          <div className="panel-scroll">
            <Problems error={modelsError} onRetry={loadModels} />
          </div>
        ) : form && model && models ? (
          <Panel form={form} model={model} models={models} />
        ) : models ? (
          <Empty icon="alert" title={t.errors.model_unavailable.title} text={t.errors.model_unavailable.action} />
        ) : (
          <PanelSkeleton label={t.app.loading} />
        )}
      </section>
      <Output />
    </div>
  );
}

function PanelSkeleton({ label }: { label: string }) {
  return (
    <div className="panel-scroll" role="status" aria-label={label}>
      {["tall", "short", "tallest", "short", "short"].map((size, index) => (
        <div key={index} className={`skeleton ${size}`} />
      ))}
    </div>
  );
}

/** The current model, and a dialog to choose another one by result type and category. */

import { useState } from "react";
import type { Model } from "../api/types";
import { categoryName, descriptionOf } from "../i18n/format";
import { useText } from "../i18n/language";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { useStudio } from "./state";

const kindIcon = (model: Model) => (model.type === "video" ? "film" : "image");

export function ModelPicker({ model, models }: { model: Model; models: Model[] }) {
  const t = useText();
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="model-button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <span className={`model-mark ${model.type}`}>
          <Icon name={kindIcon(model)} size={22} />
        </span>
        <span className="model-words">
          <span className="visually-hidden">{t.studio.model}: </span>
          <strong>{model.name}</strong>
          <small>{descriptionOf(t, model)}</small>
        </span>
        <Icon name="down" />
      </button>
      {open && <ModelDialog model={model} models={models} onClose={() => setOpen(false)} />}
    </>
  );
}

function ModelDialog({ model: current, models, onClose }: { model: Model; models: Model[]; onClose: () => void }) {
  const t = useText();
  const { chooseModel } = useStudio();
  const types = [...new Set(models.map(({ type }) => type))];
  return (
    <Dialog title={t.studio.chooseModel} onClose={onClose} className="models">
      {types.map((type) => (
        <section key={type} className="model-group" aria-label={type === "video" ? t.studio.clips : t.studio.pictures}>
          <h3>{type === "video" ? t.studio.clips : t.studio.pictures}</h3>
          {byCategory(models.filter((model) => model.type === type)).map(([category, group]) => (
            <div key={category} className="model-category">
              <h4>{categoryName(t, category)}</h4>
              <ul>
                {group.map((model) => (
                  <li key={model.id}>
                    <button
                      type="button"
                      className="model-choice"
                      aria-pressed={model.id === current.id}
                      data-first={model.id === current.id ? "" : undefined}
                      onClick={() => {
                        chooseModel(model);
                        onClose();
                      }}
                    >
                      <span className={`model-mark ${model.type}`}>
                        <Icon name={kindIcon(model)} size={20} />
                      </span>
                      <span className="model-words">
                        <strong>{model.name}</strong>
                        <small>{descriptionOf(t, model)}</small>
                        {!model.available && (
                          <span className="model-missing">
                            <Icon name="lock" size={14} />
                            <span>
                              {t.studio.notHere}
                              {model.user_action && `: ${model.user_action}`}
                            </span>
                          </span>
                        )}
                      </span>
                      {model.id === current.id && <Icon name="check" />}
                    </button>
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </section>
      ))}
    </Dialog>
  );
}

function byCategory(models: Model[]): [string, Model[]][] {
  const groups = new Map<string, Model[]>();
  for (const model of models) groups.set(model.category, [...(groups.get(model.category) ?? []), model]);
  return [...groups];
}

/** Why a model cannot be used, and which files to put where. */
export function Unavailable({ model }: { model: Model }) {
  const t = useText();
  return (
    <div className="unavailable" role="note">
      <Icon name="lock" />
      <div>
        <strong>{t.studio.notHereTitle(model.name)}</strong>
        {model.unavailable_reason && <p>{model.unavailable_reason}</p>}
        {model.user_action && <p>{model.user_action}</p>}
        <p>{t.studio.cannotSubmit}</p>
      </div>
    </div>
  );
}

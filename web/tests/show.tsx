/** Renders a page with all of its services, on a platform with predefined answers. */

import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { LanguageProvider } from "../src/i18n/language";
import type { Language } from "../src/i18n/language";
import { ServiceProvider } from "../src/services";
import { StudioProvider } from "../src/studio/state";
import { NoticeProvider } from "../src/ui/notices";
import { models } from "./models";
import { begun, json, platform } from "./platform";

export function show(page: ReactNode, answers: Parameters<typeof platform>[0] = {}, language: Language = "en") {
  const made = platform({ "GET /studio": json(begun(models)), ...answers });
  const view = render(
    <LanguageProvider initial={language}>
      <ServiceProvider client={made.client}>
        <NoticeProvider>
          <StudioProvider>{page}</StudioProvider>
        </NoticeProvider>
      </ServiceProvider>
    </LanguageProvider>,
  );
  return { ...made, ...view };
}

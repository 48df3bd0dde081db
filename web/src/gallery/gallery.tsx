/** The gallery: finished results, by page, type and model. */

import { useEffect, useState } from "react";
import type { GalleryItem } from "../api/types";
import { relative } from "../i18n/format";
import { useText } from "../i18n/language";
import { address, navigate, useRoute } from "../router";
import { useServices } from "../services";
import { Button, IconButton } from "../ui/button";
import { Empty, PageTitle, Segments } from "../ui/common";
import { Icon } from "../ui/icon";
import { Picture } from "../ui/media";
import { Problems } from "../ui/problem";
import { Detail } from "./detail";
import { PER_PAGE, readQuery, useGallery } from "./use_gallery";
import type { GalleryQuery } from "./use_gallery";

export function GalleryPage() {
  const t = useText();
  const { models, sessionState } = useServices();
  // The owner of these results, if each person sees their own.
  const whose = sessionState.signInRequired && sessionState.session ? t.person.results(sessionState.session.name) : "";
  const query = readQuery(useRoute().query);
  const { answer, error, loading, load, remove } = useGallery(query);
  const [open, setOpen] = useState<string | null>(null);

  const go = (change: Partial<GalleryQuery>) => {
    const next = { ...query, page: 1, ...change };
    navigate(
      address("/gallery", { ...next, page: next.page > 1 ? next.page : undefined, sort: next.sort === "oldest" ? "oldest" : undefined }),
    );
  };

  const turn = (page: number) => {
    go({ page });
    scrollTo(0, 0);
  };

  // The last page can disappear when its results are deleted.
  const pages = Math.max(1, Math.ceil((answer?.total ?? 0) / PER_PAGE));
  const beyond = answer !== null && !loading && answer.items.length === 0 && query.page > 1;
  useEffect(() => {
    if (beyond) navigate(address("/gallery", { ...query, page: pages > 1 ? pages : undefined }), { replace: true });
  });

  const items = answer?.items ?? [];
  const at = items.findIndex(({ id }) => id === open);
  const filtered = query.type !== "" || query.model !== "";
  return (
    <div className="page gallery">
      <header className="page-head">
        <div>
          <PageTitle>{t.gallery.title}</PageTitle>
          <p className="page-note" role="status">
            {answer ? [t.gallery.count(answer.total), whose].filter(Boolean).join(" · ") : " "}
          </p>
        </div>
        <div className="toolbar">
          <Segments
            name="type"
            label={t.gallery.type}
            value={query.type}
            options={[
              { value: "", label: t.gallery.all },
              { value: "image", label: t.gallery.images },
              { value: "video", label: t.gallery.videos },
            ]}
            onChange={(type) => go({ type })}
          />
          <select aria-label={t.gallery.model} value={query.model} onChange={(event) => go({ model: event.target.value })}>
            <option value="">{t.gallery.allModels}</option>
            {models?.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name}
              </option>
            ))}
          </select>
          <select
            aria-label={t.gallery.sort}
            value={query.sort}
            onChange={(event) => go({ sort: event.target.value as GalleryQuery["sort"] })}
          >
            <option value="newest">{t.gallery.newest}</option>
            <option value="oldest">{t.gallery.oldest}</option>
          </select>
          <IconButton icon="refresh" tone="plain" label={t.app.refresh} busy={loading && answer !== null} onClick={() => void load()} />
        </div>
      </header>
      {error !== null && <Problems error={error} onRetry={() => void load()} />}
      {answer === null && error === null ? (
        <div className="cards" aria-hidden="true">
          {Array.from({ length: 12 }, (_, index) => (
            <div key={index} className="card-picture skeleton" />
          ))}
        </div>
      ) : items.length > 0 ? (
        <ul className="cards" aria-label={t.gallery.title}>
          {items.map((item) => (
            <Card key={item.id} item={item} onOpen={() => setOpen(item.id)} />
          ))}
        </ul>
      ) : error !== null || beyond ? null : filtered ? (
        <Empty icon="grid" title={t.gallery.emptyFilterTitle} text={t.gallery.emptyFilterText}>
          <Button onClick={() => go({ type: "", model: "" })}>{t.gallery.clearFilters}</Button>
        </Empty>
      ) : (
        <Empty icon="grid" title={t.gallery.emptyTitle} text={t.gallery.emptyText}>
          <a className="button primary" href="#/">
            {t.app.toStudio}
          </a>
        </Empty>
      )}
      {answer && pages > 1 && <Pages page={query.page} pages={pages} total={answer.total} onGo={turn} />}
      {at >= 0 && items[at] && (
        <Detail
          key={items[at].id}
          item={items[at]}
          previous={items[at - 1]?.id}
          next={items[at + 1]?.id}
          onMove={setOpen}
          onDelete={remove}
          onClose={() => setOpen(null)}
        />
      )}
    </div>
  );
}

function Card({ item, onOpen }: { item: GalleryItem; onOpen: () => void }) {
  const t = useText();
  const { models } = useServices();
  return (
    <li className="card" data-id={item.id}>
      <button type="button" aria-label={t.gallery.open(item.prompt)} onClick={onOpen}>
        <span className="card-picture">
          <Picture path={item.preview_url} alt="" lazy />
          {item.type === "video" && (
            <span className="card-kind">
              <Icon name="play" size={12} />
              {t.gallery.clip}
            </span>
          )}
        </span>
        <span className="card-words">
          <span className="card-prompt">{item.prompt}</span>
          <span className="card-note">
            {models?.find(({ id }) => id === item.model)?.name ?? item.model} · {relative(t, item.created_at)}
          </span>
        </span>
      </button>
    </li>
  );
}

/** The first page, the last page, and those around the current page. */
export function pageNumbers(page: number, pages: number): (number | null)[] {
  const wanted = [1, page - 1, page, page + 1, pages].filter((n) => n >= 1 && n <= pages);
  const sorted = [...new Set(wanted)].sort((a, b) => a - b);
  return sorted.flatMap((n, index) => {
    const before = sorted[index - 1];
    if (before === undefined || n - before === 1) return [n];
    return n - before === 2 ? [n - 1, n] : [null, n];
  });
}

function Pages({ page, pages, total, onGo }: { page: number; pages: number; total: number; onGo: (page: number) => void }) {
  const t = useText();
  return (
    <nav className="pages" aria-label={t.gallery.pages}>
      <span className="page-note">{t.gallery.range((page - 1) * PER_PAGE + 1, Math.min(page * PER_PAGE, total), total)}</span>
      <IconButton icon="left" tone="plain" label={t.gallery.previous} disabled={page <= 1} onClick={() => onGo(page - 1)} />
      {pageNumbers(page, pages).map((n, index) =>
        n === null ? (
          <span key={`gap-${index}`} aria-hidden="true">
            …
          </span>
        ) : (
          <Button
            key={n}
            tone={n === page ? "primary" : "plain"}
            className="page-number"
            aria-label={t.gallery.page(n)}
            aria-current={n === page ? "page" : undefined}
            onClick={() => onGo(n)}
          >
            {n}
          </Button>
        ),
      )}
      <IconButton icon="right" tone="plain" label={t.gallery.next} disabled={page >= pages} onClick={() => onGo(page + 1)} />
    </nav>
  );
}

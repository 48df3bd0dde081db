import { fireEvent, screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { Picture } from "../src/ui/media";
import { failure } from "./platform";
import { show } from "./show";

const away = new Response("<html>502 Bad Gateway</html>", { status: 502 });
const there = () => new Response(null, { status: 200 });
const picture = () => screen.getByRole<HTMLImageElement>("img");
const HEAD = "HEAD /results/t1";

test("a picture that failed during a restart is shown once the platform is back", async () => {
  const failed = vi.fn();
  const { asked, pauses } = show(<Picture path="/results/t1" alt="a boat" onFailed={failed} />, {
    [HEAD]: [away, new Error("refused"), there],
  });
  const before = picture();
  fireEvent.error(before);
  await waitFor(() => expect(picture()).not.toBe(before));
  expect(picture().src).toBe(`${before.src}#1`);
  expect(asked.filter(({ method }) => method === "HEAD")).toHaveLength(3);
  expect(pauses).toEqual([1000, 2000]);
  fireEvent.error(picture());
  await waitFor(() => expect(picture().src).toBe(`${before.src}#2`));
  fireEvent.error(picture());
  expect(failed).toHaveBeenCalledOnce();
});

test("a deleted picture is not waited for", async () => {
  const failed = vi.fn();
  const { pauses } = show(<Picture path="/results/t1" alt="a boat" onFailed={failed} />, { [HEAD]: failure(410, "result_gone") });
  fireEvent.error(picture());
  await waitFor(() => expect(failed).toHaveBeenCalledOnce());
  expect(pauses).toEqual([]);
});

test("waiting ends after a minute, or at once when the picture is no longer shown", async () => {
  const failed = vi.fn();
  const { pauses } = show(<Picture path="/results/t1" alt="a boat" onFailed={failed} />, { [HEAD]: away });
  fireEvent.error(picture());
  await waitFor(() => expect(failed).toHaveBeenCalledOnce());
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16000, 32000]);
  const other = show(<Picture path="/results/t1" alt="another" />, { [HEAD]: away });
  fireEvent.error(screen.getByAltText("another"));
  other.unmount();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(other.asked.filter(({ method }) => method === "HEAD")).toHaveLength(1);
});

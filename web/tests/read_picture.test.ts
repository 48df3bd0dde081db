import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { captureFrame } from "../src/studio/read_picture";

let drawn: boolean;

/** A clip whose size is known. It is drawn only if `drawn` is true, as in a browser that does not have the first frame yet. */
function clip(): HTMLVideoElement {
  return Object.defineProperties(document.createElement("video"), { videoWidth: { value: 64 }, videoHeight: { value: 48 } });
}

beforeEach(() => {
  let alpha = 0;
  const context = {
    drawImage: () => {
      alpha = drawn ? 255 : 0;
    },
    getImageData: () => ({ data: [0, 0, 0, alpha] }),
  };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(context as unknown as null);
  vi.spyOn(HTMLCanvasElement.prototype, "toDataURL").mockReturnValue("data:image/png;base64,AA==");
});
afterEach(() => vi.restoreAllMocks());

test("the frame that a clip shows becomes a picture, also if it is black", () => {
  drawn = true;
  expect(captureFrame(clip(), "a clip")).toEqual({ name: "a clip", uri: "data:image/png;base64,AA==" });
});

test("a clip without a frame yet gives no transparent picture", () => {
  drawn = false;
  expect(captureFrame(clip(), "a clip")).toBeNull();
  expect(captureFrame(document.createElement("video"), "a clip")).toBeNull();
});

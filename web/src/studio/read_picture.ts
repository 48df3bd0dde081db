/** Reads pictures from files, from the clipboard and from the page. */

import type { Picture } from "../catalog/schema";

/** The types that the platform reads. It checks animation and size itself. */
export const PICTURE_TYPES = ["image/png", "image/jpeg", "image/webp"];

export const isPictureFile = (file: File): boolean => PICTURE_TYPES.includes(file.type);

/** The first picture of a drop or a paste, or a file of another kind if there is no picture. */
export function fileOf(data: DataTransfer | null): File | null {
  const files = [...(data?.files ?? [])];
  return files.find(isPictureFile) ?? files[0] ?? null;
}

export function uriOf(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("unreadable"));
    reader.readAsDataURL(blob);
  });
}

export async function readPicture(file: File): Promise<Picture> {
  return { name: file.name, uri: await uriOf(file) };
}

/** The frame that a clip currently shows, as a PNG. `null` if the clip has no frame to draw yet. */
export function captureFrame(video: HTMLVideoElement, name: string): Picture | null {
  if (video.videoWidth === 0) return null;
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context?.drawImage(video, 0, 0);
  // A clip has its size before its first frame. Drawing it then leaves the canvas transparent.
  if (!context?.getImageData(0, 0, 1, 1).data[3]) return null;
  return { name, uri: canvas.toDataURL("image/png") };
}

// The packages with compiled code, by system. `dist/native.js` loads the one that npm has installed.

export const addonPackages = [
  { name: "must-linux-x64-gnu", os: "linux", cpu: "x64", libc: "glibc" },
  { name: "must-linux-arm64-gnu", os: "linux", cpu: "arm64", libc: "glibc" },
  { name: "must-darwin-arm64", os: "darwin", cpu: "arm64" },
  { name: "must-win32-x64", os: "win32", cpu: "x64" },
];

"""Makes a clip in a data folder, follows it, saves it, and deletes a cancelled task.

python main.py DATA_DIR CLIP.mp4
"""

import json
import sys
from pathlib import Path

import must


def main(data_dir: str, clip: Path) -> None:
    """Open a platform, use it, and close it."""
    with must.Platform(data_dir) as platform:
        for model in platform.models():
            print(f"{model['id']}: {'available' if model['available'] else 'not available'}", file=sys.stderr)

        task = platform.submit("tiny-video", "a red circle moving left", seed=7)
        for state in task:
            print(f"{state.status} {state.progress:3}% {state.stage} {state.stage_detail}", file=sys.stderr)
        task.wait()  # Raises the task's error if it failed.
        task.save(clip)
        clip.with_suffix(".preview.jpg").write_bytes(task.preview())

        second = platform.submit("tiny-video", "a blue square moving up")
        second.cancel()
        try:
            second.wait()
        except must.CancelledError as error:
            print(f"second: {error.code}", file=sys.stderr)

        for state in platform.gallery():
            print(f"in the gallery: {state.id} {state.prompt}", file=sys.stderr)
        platform.delete(second.id)

        try:
            platform.submit("tiny-video", " ")
        except must.MustError as error:
            print(f"refused: {error.code}: {error.detail}. {error.user_action}", file=sys.stderr)

        done = task.status()
        print(json.dumps({"status": done.status, "model": done.model, "seed": done.seed, "bytes": clip.stat().st_size}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))

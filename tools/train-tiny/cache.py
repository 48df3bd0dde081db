"""The training set of the transformer: scenes with their latents and condition latents, encoded once.

The set is a folder of shards. Shard ``n`` depends only on the seed and on ``n``, so several processes may each
make a part of them. A shard has, for CLIPS_PER_SHARD clips in float16:

- ``clips``: latents of the whole clip, [N, 16, 5, 8, 8]. The autoencoder is causal, so that the first k latent
  frames are those of the clip cut off after 4k - 3 frames; the first alone is a picture.
- for the first WITH_CONDITION clips, ``first``: latents of the condition clip with the first frame given (causal too);
- ``last``: the last latent frame of the condition clip with both ends given and k latent frames, where k is in
  ``lengths`` (2 to 5). The frames before it equal those of ``first``.

    python cache.py OUT --vae MODEL_FOLDER --shards 0:32 [--seed 1000]
"""

import argparse
import os
import random
import time

import torch

import models
import vae as autoencoder
import world

CLIPS_PER_SHARD = 64
WITH_CONDITION = 64
SHORT_SHARE = 0.25  # of the clips, how many get a condition shorter than five latent frames


def draw_length(rng):
    """Latent frames of a clip: mostly five."""
    return rng.choice([2, 3, 4]) if rng.random() < SHORT_SHARE else autoencoder.LATENT_FRAMES


def encode_shard(vae, seed, number):
    """Scenes and latents of one shard."""
    rng = random.Random(f"{seed}/{number}")
    scenes, clips = world.render_batch(CLIPS_PER_SHARD, rng)
    lengths = [draw_length(rng) for _ in range(WITH_CONDITION)]
    latents = torch.cat([autoencoder.clip_latents(vae, part) for part in clips.split(8)])
    shown = clips[:WITH_CONDITION]
    first = torch.cat(
        [autoencoder.clip_latents(vae, autoencoder.condition_clip(part, last=False)) for part in shown.split(8)]
    )
    last = torch.zeros_like(first[:, :, :1])
    for length in sorted(set(lengths)):
        rows = [row for row, value in enumerate(lengths) if value == length]
        part = autoencoder.condition_clip(shown[rows][:, :, : 4 * length - 3], last=True)
        last[rows] = autoencoder.clip_latents(vae, part)[:, :, -1:]
    return {
        "scenes": scenes,
        "clips": latents.half(),
        "first": first.half(),
        "last": last.half(),
        "lengths": torch.tensor(lengths),
    }


def shard_path(folder, number):
    return os.path.join(folder, f"shard-{number:05d}.pt")


def build(folder, vae, seed, numbers):
    """Make the missing shards."""
    os.makedirs(folder, exist_ok=True)
    for number in numbers:
        path = shard_path(folder, number)
        if os.path.exists(path):
            continue
        began = time.time()
        torch.save(encode_shard(vae, seed, number), path + ".part")
        os.replace(path + ".part", path)
        print(f"shard {number}: {time.time() - began:.1f} s", flush=True)


class Cache:
    """All shards of a folder in memory; ``refresh`` adds new ones."""

    def __init__(self, folder):
        self.folder, self.read = folder, set()
        self.scenes, self.conditioned = [], []
        self.clips = self.first = self.last = self.lengths = None
        self.refresh()

    def refresh(self):
        names = sorted(name for name in os.listdir(self.folder) if name.endswith(".pt"))
        for name in names:
            if name not in self.read:
                self._add(torch.load(os.path.join(self.folder, name)))
                self.read.add(name)
        return len(self.scenes)

    def _add(self, shard):
        self.conditioned += range(len(self.scenes), len(self.scenes) + len(shard["first"]))
        self.scenes += shard["scenes"]
        for key in ("clips", "first", "last", "lengths"):
            held = getattr(self, key)
            setattr(self, key, shard[key] if held is None else torch.cat([held, shard[key]]))

    def condition(self, row, length, last):
        """Mask and condition latents [20, length, 8, 8] of the ``row``-th clip that has them."""
        mask = autoencoder.condition_mask(1, length, last)[0]
        latents = self.first[row, :, :length].float()
        if last:
            assert self.lengths[row] == length
            latents = torch.cat([latents[:, :-1], self.last[row].float()], 1)
        return torch.cat([mask, latents])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--vae", required=True, help="diffusers folder whose autoencoder encodes")
    parser.add_argument("--shards", default="0:32", help="first:end[:step] of the shard numbers")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    autoencoder.speed_up()
    numbers = range(*(int(value) for value in options.shards.split(":")))
    build(options.folder, models.load_vae(options.vae), options.seed, numbers)


if __name__ == "__main__":
    main()

"""Evaluate a diffusers folder of the tiny model on random prompts for the training scenes.

    python evaluate.py run MODEL OUT --task t2v --items 0:500
    python evaluate.py report OUT [--markdown FILE] [--json FILE]
    python evaluate.py sheet MODEL FILE.png

Tasks: ``t2v``, ``txt2img``, ``i2v``, ``first_last_frame``; and to check the evaluation, ``rendered`` (rendered clips)
and ``reconstructed`` (rendered clips through the autoencoder). Item ``n`` of a task is always the same prompt and noise,
drawn from a seed that training does not use, so that a task may be split over several processes. Results are
appended to OUT/TASK.jsonl, one line for each item.
"""

import argparse
import json
import os
import random
import sys
import time

import torch

import judge
import models
import vae as autoencoder
import world

SEED = "evaluation-1"
TASKS = ["rendered", "reconstructed", "t2v", "txt2img", "i2v", "first_last_frame"]
PROPERTIES = ["shape", "colour", "background", "motion", "size"]
FULL_PROMPTS = 2 / 3  # share of prompts that leave nothing out
OMITTED = {"size": 0.35, "colour": 0.1, "shape": 0.1, "motion": 0.35, "background": 0.35}
GIVEN_FRAME_GOAL = 25.0  # dB


# --- Items ---------------------------------------------------------------------------------------------------


def make_item(task, number):
    """Scene, prompt, true clip and noise seed of one item."""
    rng = random.Random(f"{SEED}/{task}/{number}")
    scene = world.random_scene(rng)
    left_out = set() if rng.random() < FULL_PROMPTS else world.random_omissions(rng, OMITTED)
    if task == "txt2img":
        left_out |= {"motion"} if rng.random() < 0.5 else set()
    clip = world.render(scene, rng)
    return {
        "number": number,
        "scene": scene,
        "left_out": sorted(left_out),
        "prompt": world.caption(scene, left_out),
        "clip": clip,
        "noise_seed": rng.randrange(2**31),
    }


# --- Sampling ------------------------------------------------------------------------------------------------


class Sampler:
    """The pipeline, for a batch with a noise seed for each item."""

    def __init__(self, folder, steps=20, guidance=3.0):
        self.tokenizer, self.text_encoder, self.transformer, self.vae = models.load(folder)
        self.text_encoder.eval(), self.transformer.eval()
        self.steps, self.guidance = steps, guidance

    def _text(self, prompts):
        tokens = self.tokenizer(
            prompts, padding="max_length", max_length=models.PROMPT_TOKENS, truncation=True, return_tensors="pt"
        )
        states = self.text_encoder(tokens.input_ids, tokens.attention_mask).last_hidden_state
        return states * tokens.attention_mask.unsqueeze(-1)

    @torch.no_grad()
    def __call__(self, prompts, seeds, latent_frames=5, condition=None, side=64):
        """Clips [B, 3, T, H, W] in [-1, 1]."""
        shape = (16, latent_frames, side // 8, side // 8)
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        latents = torch.stack(noise)
        if condition is None:
            condition = torch.zeros(len(prompts), 20, *shape[1:])
        text = torch.cat([self._text(prompts), self._text([""] * len(prompts))])
        scheduler = models.new_scheduler()
        scheduler.set_timesteps(self.steps)
        for timestep in scheduler.timesteps:
            given = torch.cat([torch.cat([latents, condition], 1)] * 2)
            velocity = self.transformer(
                hidden_states=given, timestep=timestep.expand(len(given)), encoder_hidden_states=text, return_dict=False
            )[0]
            asked, empty = velocity.chunk(2)
            velocity = empty + self.guidance * (asked - empty)
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
        return autoencoder.decode_latents(self.vae, latents)


def make_clips(task, items, sampler):
    """The clips that a task makes of its items."""
    true = torch.stack([item["clip"] for item in items])
    if task == "rendered":
        return true
    if task == "reconstructed":
        return autoencoder.decode_latents(sampler.vae, autoencoder.clip_latents(sampler.vae, true))
    prompts = [item["prompt"] for item in items]
    seeds = [item["noise_seed"] for item in items]
    if task == "txt2img":
        return sampler(prompts, seeds, latent_frames=1)
    condition = None
    if task != "t2v":
        condition = autoencoder.condition(sampler.vae, true, last=task == "first_last_frame")
    return sampler(prompts, seeds, condition=condition)


# --- Scores --------------------------------------------------------------------------------------------------


def score(task, item, clip):
    """The requested properties, the recognised ones, and the PSNR of given frames."""
    clip, true = (clip.float() + 1) / 2, (item["clip"] + 1) / 2
    asked = {key: value for key, value in item["scene"].items() if key not in item["left_out"]}
    if task == "txt2img":
        asked.pop("motion", None)
    seen = judge.read_clip(clip)
    record = {"number": item["number"], "prompt": item["prompt"], "asked": asked, "seen": seen}
    record["right"] = {key: seen.get(key) == value for key, value in asked.items()}
    if task in ("i2v", "first_last_frame", "reconstructed"):
        record["psnr_first"] = judge.psnr(clip[:, 0], true[:, 0])
    if task in ("first_last_frame", "reconstructed"):
        record["psnr_last"] = judge.psnr(clip[:, -1], true[:, -1])
    return record


def run(options):
    """Make and evaluate the items that are not in the results yet."""
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, options.task + ".jsonl")
    done = {record["number"] for record in read_records(path)}
    begin, end = (int(value) for value in options.items.split(":"))
    numbers = [number for number in range(begin, end) if number not in done]
    sampler = Sampler(options.model, options.steps, options.guidance)
    began = time.time()
    for start in range(0, len(numbers), options.batch):
        items = [make_item(options.task, number) for number in numbers[start : start + options.batch]]
        records = [score(options.task, item, clip) for item, clip in zip(items, make_clips(options.task, items, sampler))]
        with open(path, "a") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        print(f"{options.task} {start + len(items)}/{len(numbers)}, {time.time() - began:.0f} s", file=sys.stderr, flush=True)


def read_records(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def share(records, key):
    """(right, asked) of one property."""
    values = [record["right"][key] for record in records if key in record["right"]]
    return sum(values), len(values)


def given_frames(records):
    """Mean, 5th percentile, minimum and share at the goal of the given frames' PSNR."""
    values = [record[key] for record in records for key in ("psnr_first", "psnr_last") if key in record]
    if not values:
        return None
    ordered = torch.tensor(values).sort().values
    return {
        "frames": len(values),
        "mean": float(ordered.mean()),
        "percentile_5": float(ordered.quantile(0.05)),
        "minimum": float(ordered[0]),
        "share_at_goal": float((ordered >= GIVEN_FRAME_GOAL).float().mean()),
    }


def summarise(folder):
    """All results of a folder."""
    summary = {}
    for task in TASKS:
        records = read_records(os.path.join(folder, task + ".jsonl"))
        if not records:
            continue
        entry = {"items": len(records)}
        for key in PROPERTIES:
            right, asked = share(records, key)
            if asked:
                entry[key] = {"right": right, "asked": asked, "share": right / asked}
        full = [record for record in records if len(record["asked"]) >= (4 if task == "txt2img" else 5)]
        entry["whole_sentence"] = {"items": len(full)}
        for key in PROPERTIES:
            right, asked = share(full, key)
            if asked:
                entry["whole_sentence"][key] = right / asked
        entry["mean_fit"] = sum(record["seen"]["fit"] for record in records) / len(records)
        psnr = given_frames(records)
        if psnr:
            entry["given_frames"] = psnr
        summary[task] = entry
    return summary


def markdown(summary):
    """The summary as two tables."""
    lines = ["| task | items | " + " | ".join(PROPERTIES) + " | mean fit |", "|---" * (len(PROPERTIES) + 3) + "|"]
    for task, entry in summary.items():
        cells = [task, str(entry["items"])]
        for key in PROPERTIES:
            cells.append("{share:.1%} ({right}/{asked})".format(**entry[key]) if key in entry else "-")
        lines.append("| " + " | ".join(cells + [f"{entry['mean_fit']:.3f}"]) + " |")
    lines += ["", "| task | given frames | mean | 5th percentile | minimum | at least 25 dB |", "|---|---|---|---|---|---|"]
    for task, entry in summary.items():
        if "given_frames" in entry:
            row = entry["given_frames"]
            lines.append(
                f"| {task} | {row['frames']} | {row['mean']:.1f} dB | {row['percentile_5']:.1f} dB "
                f"| {row['minimum']:.1f} dB | {row['share_at_goal']:.1%} |"
            )
    return "\n".join(lines) + "\n"


def report(options):
    summary = summarise(options.out)
    table = markdown(summary)
    print(table)
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(table)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(summary, file, indent=2)
            file.write("\n")


# --- Contact sheet -------------------------------------------------------------------------------------------


def sheet(options):
    """A labelled picture: pictures, clips from text, from a first frame, and from both ends."""
    from PIL import Image, ImageDraw

    sampler = Sampler(options.model, options.steps, options.guidance)
    rows = []
    for task, count in (("t2v", 6), ("i2v", 3), ("first_last_frame", 3)):
        items = [make_item("sheet " + task, number) for number in range(count)]
        for item, clip in zip(items, make_clips(task, items, sampler)):
            frames = [clip[:, index] for index in (0, 4, 8, 12, 16)]
            given = []
            if task != "t2v":
                given.append(item["clip"][:, 0])
            if task == "first_last_frame":
                given.append(item["clip"][:, -1])
            rows.append((f"{task}: {item['prompt']}", given, frames))
    items = [make_item("sheet txt2img", number) for number in range(14)]
    pictures = list(zip((item["prompt"] for item in items), make_clips("txt2img", items, sampler)[:, :, 0]))

    def image(frame):
        pixels = ((frame.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy()
        return Image.fromarray(pixels).resize((96, 96), Image.NEAREST)

    cell, line = 100, 118
    canvas = Image.new("RGB", (cell * 7 + 8, 30 + line * (len(rows) + 1) + 30 + (len(pictures) + 6) // 7 * 150), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((6, 8), "given first and last frame", fill="black")
    draw.text((6 + 2 * cell, 8), "made: frames 1, 5, 9, 13, 17", fill="black")
    y = 30
    for label, given, frames in rows:
        draw.text((6, y), label, fill="black")
        for column, frame in [*enumerate(given), *((index + 2, frame) for index, frame in enumerate(frames))]:
            canvas.paste(image(frame), (6 + column * cell, y + 14))
        y += line
    y += 6
    draw.text((6, y), "txt2img", fill="black")
    y += 18
    for index, (prompt, frame) in enumerate(pictures):
        left, top = 6 + index % 7 * cell, y + index // 7 * 150
        canvas.paste(image(frame), (left, top))
        for number, text in enumerate(wrap(prompt, 16)):
            draw.text((left, top + 97 + 11 * number), text, fill="black")
    canvas = canvas.crop((0, 0, canvas.width, y + (len(pictures) + 6) // 7 * 150))
    canvas.save(options.out, optimize=True)


def wrap(text, width):
    """Break a sentence into lines."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "sheet"):
        command = commands.add_parser(name)
        command.add_argument("model")
        command.add_argument("out")
        command.add_argument("--steps", type=int, default=20)
        command.add_argument("--guidance", type=float, default=3.0)
        command.add_argument("--threads", type=int, default=1)
        if name == "run":
            command.add_argument("--task", choices=TASKS, required=True)
            command.add_argument("--items", default="0:500", help="first:end")
            command.add_argument("--batch", type=int, default=16)
    command = commands.add_parser("report")
    command.add_argument("out")
    command.add_argument("--markdown")
    command.add_argument("--json")
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    if options.command == "report":
        report(options)
        return
    torch.set_num_threads(options.threads)
    autoencoder.speed_up()
    run(options) if options.command == "run" else sheet(options)


if __name__ == "__main__":
    main()

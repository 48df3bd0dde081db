"""Train the transformer and the text encoder together, by flow matching on cached latents.

    python train.py run   --cache LATENTS --vae MODEL_FOLDER --out RUN [--init MODEL_FOLDER] --minutes 100
    python train.py export RUN OUT --vae MODEL_FOLDER
    python train.py move OUT --start MODEL_FOLDER --ends MODEL_FOLDER [MODEL_FOLDER ...] --factor 1.3

``run`` continues from RUN/state.pt if that exists. ``export`` writes the averaged weights as a diffusers folder; it
may be called at any time, also during a run. ``move`` writes weights on the line from a start through the mean of
some ends, at ``factor`` times the distance: less than 1 interpolates, more extrapolates.
"""

import argparse
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import torch

import models
import vae as autoencoder
import world
from cache import Cache
from muon import Muon

# Shares of the clips in a batch that are made from text only, from the first frame, from both ends.
KINDS = {"text": 35, "first": 20, "both": 25}
EMPTY_CAPTIONS = 0.10
# The share of empty captions for clips with given frames. The frames determine the clip, so the prediction without a
# caption must be as good as the one with it, and guidance has little effect.
GIVEN_EMPTY_CAPTIONS = 0.30
PICTURE_MOTION_OMITTED = 0.5  # most prompts for pictures have no motion
FULL_LENGTH = 0.8  # share of steps with full length; the others train on 2, 3 or 4 latent frames
EMA = 0.998
NOISE_SPREAD = 1.2  # standard deviation of the logit of the noise level, before the shift
GIVEN_WEIGHT = 3.0  # weight of the error in latent frames that the mask marks as given
LAST_WEIGHT = 8.0  # weight of the error in the last latent frame when its last frame, one of four, is given
END_OF_TEXT = 1  # the only token of an empty caption
GUIDANCE = 3.0  # guidance of a pair
GUIDED_WEIGHT = 1.0  # weight of the error of a pair's guided prediction


# --- Batches -------------------------------------------------------------------------------------------------


class Batches:
    """Random training examples from a cache: (latents, conditions, token ids, token mask)."""

    def __init__(self, cache, tokenizer, seed, kinds=KINDS):
        self.cache, self.tokenizer, self.kinds = cache, tokenizer, kinds
        self.rng = random.Random(seed)

    def caption(self, scene, picture=False, given=False, empty=True):
        if empty and self.rng.random() < (GIVEN_EMPTY_CAPTIONS if given else EMPTY_CAPTIONS):
            return ""
        rates = dict(world.LEAVE_OUT, motion=PICTURE_MOTION_OMITTED) if picture else world.LEAVE_OUT
        return world.caption(scene, world.random_omissions(self.rng, rates))

    def _finish(self, latents, conditions, captions):
        tokens = self.tokenizer(
            captions, padding="max_length", max_length=models.PROMPT_TOKENS, truncation=True, return_tensors="pt"
        )
        return torch.stack(latents), torch.stack(conditions), tokens.input_ids, tokens.attention_mask

    def pictures(self, count):
        """Single frames: the first latent of a clip, no condition."""
        rows = [self.rng.randrange(len(self.cache.scenes)) for _ in range(count)]
        latents = [self.cache.clips[row, :, :1].float() for row in rows]
        conditions = [torch.zeros(20, 1, 8, 8) for _ in rows]
        return self._finish(latents, conditions, [self.caption(self.cache.scenes[row], picture=True) for row in rows])

    def clips(self, count, length=None, kind=None, empty=True):
        """Clips of one length, each with a condition of a random kind; ``empty`` allows empty captions."""
        if length is None:
            length = 5 if self.rng.random() < FULL_LENGTH else self.rng.choice([2, 3, 4])
        fitting = (self.cache.lengths == length).nonzero().flatten().tolist()
        latents, conditions, captions = [], [], []
        for _ in range(count):
            chosen = kind or self.rng.choices(list(self.kinds), list(self.kinds.values()))[0]
            if chosen == "text":
                clip = self.rng.randrange(len(self.cache.scenes))
                condition = torch.zeros(20, length, 8, 8)
            else:
                last = chosen == "both"
                row = self.rng.choice(fitting) if last else self.rng.randrange(len(self.cache.conditioned))
                clip = self.cache.conditioned[row]
                condition = self.cache.condition(row, length, last)
            latents.append(self.cache.clips[clip, :, :length].float())
            conditions.append(condition)
            captions.append(self.caption(self.cache.scenes[clip], given=chosen != "text", empty=empty))
        return self._finish(latents, conditions, captions)


# --- Loss ----------------------------------------------------------------------------------------------------


def text_states(text_encoder, ids, mask):
    """Prompt states as the Wan pipelines make them: zero beyond the last token."""
    return text_encoder(ids, mask).last_hidden_state * mask.unsqueeze(-1)


def draw_noise_levels(count, generator=None):
    """Noise levels in (0, 1): logit-normal, shifted as in sampling."""
    base = torch.sigmoid(torch.randn(count, generator=generator) * NOISE_SPREAD)
    return models.FLOW_SHIFT * base / (1 + (models.FLOW_SHIFT - 1) * base)


def error_weight(mask):
    """The weight of the error in each latent frame, by its four mask channels."""
    whole, last = mask.amin(1, keepdim=True), mask[:, 3:]
    return 1 + (GIVEN_WEIGHT - 1) * whole + (LAST_WEIGHT - 1) * (last - whole)


def flow_loss(transformer, text_encoder, batch, levels, noise):
    """Squared error of the predicted velocity, for each example; given frames count more."""
    latents, conditions, ids, mask = batch
    weight = levels.view(-1, 1, 1, 1, 1)
    noisy = (1 - weight) * latents + weight * noise
    velocity = transformer(
        hidden_states=torch.cat([noisy, conditions], 1),
        timestep=levels * 1000,
        encoder_hidden_states=text_states(text_encoder, ids, mask),
        return_dict=False,
    )[0]
    error = (velocity.float() - (noise - latents)) ** 2
    return (error * error_weight(conditions[:, :4])).mean((1, 2, 3, 4))


def pair_loss(transformer, text_encoder, batch, levels, noise):
    """The loss with and without the caption, and the error that guidance between the two leaves in given frames."""
    latents, conditions, ids, mask = batch
    weight = levels.view(-1, 1, 1, 1, 1)
    told = text_states(text_encoder, ids, mask)
    nothing_ids, nothing_mask = torch.zeros_like(ids), torch.zeros_like(mask)
    nothing_ids[:, 0], nothing_mask[:, 0] = END_OF_TEXT, 1
    untold = text_states(text_encoder, nothing_ids, nothing_mask)
    velocity = transformer(
        hidden_states=torch.cat([(1 - weight) * latents + weight * noise, conditions], 1).repeat(2, 1, 1, 1, 1),
        timestep=levels.repeat(2) * 1000,
        encoder_hidden_states=torch.cat([told, untold]),
        return_dict=False,
    )[0]
    told, untold = (velocity.float() - (noise - latents).repeat(2, 1, 1, 1, 1)).chunk(2)
    guided = untold + GUIDANCE * (told - untold)
    given = conditions[:, :4].amax(1, keepdim=True)
    error = error_weight(conditions[:, :4]) * (told**2 + untold**2) + GUIDED_WEIGHT * given * guided**2
    return error.mean((1, 2, 3, 4))


def split_examples(batch, levels, noise, parts):
    """Cut a batch into parts of about the same size."""
    pieces = [tensor.tensor_split(parts) for tensor in (*batch, levels, noise)]
    return [(piece[:4], piece[4], piece[5]) for piece in zip(*pieces)]


def to_device(batch, device):
    return tuple(tensor.to(device) for tensor in batch)


@torch.no_grad()
def validation(transformer, text_encoder, batches, device):
    """Loss on fixed examples of each kind with fixed noise."""
    result = {}
    for kind, batch in batches.items():
        generator = torch.Generator().manual_seed(11)
        count = len(batch[0])
        base = (torch.arange(count) + 0.5) / count
        levels = models.FLOW_SHIFT * base / (1 + (models.FLOW_SHIFT - 1) * base)
        noise = torch.randn(batch[0].shape, generator=generator)
        loss = flow_loss(transformer, text_encoder, to_device(batch, device), levels.to(device), noise.to(device))
        result[kind] = loss.mean().item()
    return result


def validation_batches(folder, tokenizer, count):
    """Fixed examples from a cache that is not trained on."""
    batches = Batches(Cache(folder), tokenizer, seed=77)
    fixed = {kind: batches.clips(count, 5, kind) for kind in KINDS}
    fixed["picture"] = batches.pictures(count)
    return fixed


# --- The run -------------------------------------------------------------------------------------------------


class Run:
    """The state of a run."""

    def __init__(self, options):
        self.options = options
        torch.manual_seed(options.seed)
        if options.init:
            self.tokenizer, self.text_encoder, self.transformer, _ = models.load(options.init)
        else:
            self.tokenizer, self.text_encoder = models.new_tokenizer(), models.new_text_encoder()
            self.transformer = models.new_transformer()
        self.text_encoder.to(options.device).train()
        self.transformer.to(options.device).train()
        self.parameters = list(self.transformer.parameters()) + list(self.text_encoder.parameters())
        self.ema = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizers = self._optimizers()
        self.pool = ThreadPoolExecutor(options.workers)
        self.step, self.elapsed = 0, 0.0

    def _optimizers(self):
        options = self.options
        hidden = []
        if options.optimizer == "muon":
            hidden = [p for p in self.transformer.blocks.parameters() if p.ndim == 2]
        chosen = {id(parameter) for parameter in hidden}
        rest = [parameter for parameter in self.parameters if id(parameter) not in chosen]
        groups = [
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        ]
        result = [torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98))]
        if hidden:
            result.append(Muon(hidden, lr=options.lr))
        return result

    def fraction(self):
        """The completed share of the run: by steps if a number of steps is given, else by time."""
        if self.options.steps:
            return self.step / self.options.steps
        return self.elapsed / (self.options.minutes * 60)

    def learning_rate(self):
        """Warm up, hold, then fall in a straight line to 2%."""
        hold = self.options.hold
        done = min(self.fraction(), 1.0)
        fall = 1.0 if done < hold else max(0.02, (1 - done) / (1 - hold))
        return self.options.lr * min(1.0, (self.step + 1) / self.options.warmup) * fall

    def train_step(self, batches):
        """One step on clips, pictures and pairs; returns their losses."""
        options = self.options
        rate = self.learning_rate()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate
        drawn = [batches.clips(options.batch), batches.pictures(options.pictures)]
        if options.pairs:
            drawn.append(batches.clips(options.pairs, kind="both", empty=False))
        drawn = [(batch, draw_noise_levels(len(batch[0])), torch.randn(batch[0].shape)) for batch in drawn]
        parts = zip(*(split_examples(*examples, options.workers) for examples in drawn))
        total = options.batch + options.pictures + 2 * options.pairs
        results = list(self.pool.map(lambda part: self._accumulate(part, total), parts))
        losses = [torch.cat(values).mean().item() for values in zip(*results)]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._average()
        return losses

    def _accumulate(self, part, total):
        """Add the gradients of some clips, pictures and pairs; returns the loss of each example."""
        device, losses = self.options.device, []
        for (batch, levels, noise), loss_of in zip(part, (flow_loss, flow_loss, pair_loss)):
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=self.options.bf16):
                loss = loss_of(
                    self.transformer, self.text_encoder, to_device(batch, device), levels.to(device), noise.to(device)
                )
            (loss.sum() / total).backward()
            losses.append(loss.detach())
        return losses

    @torch.no_grad()
    def _average(self):
        decay = min(EMA, (1 + self.step) / (10 + self.step))
        torch._foreach_mul_(self.ema, decay)
        torch._foreach_add_(self.ema, [p.detach() for p in self.parameters], alpha=1 - decay)

    def swap(self):
        """Exchange the weights with their averages (call twice to undo)."""
        for parameter, average in zip(self.parameters, self.ema):
            held = parameter.data.clone()
            parameter.data.copy_(average)
            average.copy_(held)

    def save(self, folder):
        state = {
            "transformer": self.transformer.state_dict(),
            "text_encoder": self.text_encoder.state_dict(),
            "ema": self.ema,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "elapsed": self.elapsed,
            "torch_rng": torch.get_rng_state(),
        }
        path = os.path.join(folder, "state.pt")
        torch.save(state, path + ".part")
        os.replace(path + ".part", path)

    def restore(self, folder):
        state = torch.load(os.path.join(folder, "state.pt"), map_location=self.options.device)
        self.transformer.load_state_dict(state["transformer"])
        self.text_encoder.load_state_dict(state["text_encoder"])
        for average, value in zip(self.ema, state["ema"]):
            average.copy_(value)
        for optimizer, value in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(value)
        self.step, self.elapsed = state["step"], state["elapsed"]
        torch.set_rng_state(state["torch_rng"].cpu())


def train(options):
    """Train until the time or the number of steps is over."""
    os.makedirs(options.out, exist_ok=True)
    run = Run(options)
    if os.path.exists(os.path.join(options.out, "state.pt")):
        run.restore(options.out)
    cache = Cache(options.cache)
    kinds = dict(zip(KINDS, (float(share) for share in options.kinds.split(":"))))
    batches = Batches(cache, run.tokenizer, (options.seed + 1) * 1_000_003 + run.step, kinds)
    checks = validation_batches(options.validation, run.tokenizer, 32) if options.validation else None
    print(f"step {run.step}, {len(cache.scenes)} clips, {sum(p.numel() for p in run.parameters) / 1e6:.2f} M", flush=True)
    smooth = None
    clock = time.process_time if options.processor_time else time.time
    before, saved = clock(), clock()
    while run.fraction() < 1:
        losses = run.train_step(batches)
        now = clock()
        run.elapsed += now - before
        before = now
        smooth = losses if smooth is None else [0.98 * a + 0.02 * b for a, b in zip(smooth, losses)]
        if run.step % 50 == 0:
            clips = cache.refresh()
            named = ", ".join(f"{name} {value:.4f}" for name, value in zip(("clips", "pictures", "pairs"), smooth))
            print(
                f"{run.elapsed:.0f} s, step {run.step}, {named}, lr {run.learning_rate():.1e}, of {clips} clips",
                flush=True,
            )
        if now - saved > options.save_every * 60 or run.fraction() >= 1:
            run.save(options.out)
            saved = clock()
            if checks:
                report(run, checks)
            before = clock()
    if options.export:
        export(options.out, options.export, options.vae)


def report(run, checks):
    """Print the validation loss of the weights and of their averages."""
    now = validation(run.transformer, run.text_encoder, checks, run.options.device)
    run.swap()
    averaged = validation(run.transformer, run.text_encoder, checks, run.options.device)
    run.swap()
    line = ", ".join(f"{kind} {now[kind]:.4f}/{averaged[kind]:.4f}" for kind in now)
    print(f"  step {run.step} validation (weights/averaged): {line}", flush=True)


def export(folder, out, vae_folder):
    """Write the averaged weights of a run as a diffusers folder."""
    state = torch.load(os.path.join(folder, "state.pt"), map_location="cpu")
    transformer, text_encoder = models.new_transformer(), models.new_text_encoder()
    parameters = list(transformer.parameters()) + list(text_encoder.parameters())
    with torch.no_grad():
        for parameter, average in zip(parameters, state["ema"]):
            parameter.copy_(average)
    models.save(out, models.new_tokenizer(), text_encoder, transformer, models.load_vae(vae_folder))
    print(f"wrote {out}, step {state['step']}, {state['elapsed']:.0f} s")


@torch.no_grad()
def move(out, start, ends, factor):
    """Write start + factor * (mean of ends - start), for transformer and text encoder; the rest is the start's."""
    tokenizer, text_encoder, transformer, vae = models.load(start)
    others = [models.load(folder) for folder in ends]
    for part, index in ((text_encoder, 1), (transformer, 2)):
        weights = [other[index].state_dict() for other in others]
        for name, value in part.state_dict().items():
            mean = sum(other[name] for other in weights) / len(weights)
            value.copy_(value + factor * (mean - value))
    models.save(out, tokenizer, text_encoder, transformer, vae)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--cache", required=True, help="folder made by cache.py")
    run.add_argument("--validation", help="another such folder, with another seed")
    run.add_argument("--init", help="diffusers folder to go on from (default: fresh weights)")
    run.add_argument("--vae", help="diffusers folder whose autoencoder made the cache (for --export)")
    run.add_argument("--out", required=True, help="folder of the run")
    run.add_argument("--export", help="write a diffusers folder here at the end")
    run.add_argument("--minutes", type=float, default=100)
    run.add_argument("--steps", type=int, help="instead of --minutes")
    run.add_argument("--processor-time", action="store_true", help="count processor time instead of wall time")
    run.add_argument(
        "--kinds", default=":".join(str(share) for share in KINDS.values()),
        help="of the clips, the shares made from text alone, from the first frame, from both ends",
    )
    run.add_argument("--batch", type=int, default=24, help="clips in a step")
    run.add_argument("--pictures", type=int, default=12, help="pictures in a step")
    run.add_argument("--pairs", type=int, default=0, help="clips in a step with both ends given, each with and without caption")
    run.add_argument("--lr", type=float, default=1e-3)
    run.add_argument("--hold", type=float, default=0.5, help="share of the run before the learning rate falls")
    run.add_argument("--warmup", type=int, default=50)
    run.add_argument("--optimizer", choices=["adamw", "muon"], default="muon")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--threads", type=int, default=1, help="of each operation")
    run.add_argument(
        "--workers", type=int, default=1,
        help="threads that each take a part of every batch: on a busy machine better than threads of each operation",
    )
    run.add_argument("--device", default="cpu")
    run.add_argument("--bf16", action="store_true", help="bfloat16 arithmetic where it is safe (AVX-512 BF16, AMX, GPUs)")
    run.add_argument("--save-every", type=float, default=5, help="minutes")
    out = commands.add_parser("export")
    out.add_argument("run")
    out.add_argument("out")
    out.add_argument("--vae", required=True)
    between = commands.add_parser("move")
    between.add_argument("out")
    between.add_argument("--start", required=True)
    between.add_argument("--ends", required=True, nargs="+")
    between.add_argument("--factor", type=float, default=1.0)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    if options.command == "move":
        move(options.out, options.start, options.ends, options.factor)
    elif options.command == "run":
        torch.set_num_threads(options.threads)
        train(options)
    else:
        export(options.run, options.out, options.vae)


if __name__ == "__main__":
    main()

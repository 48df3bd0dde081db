"""Train the autoencoder from scratch, in three stages, each a share of the time (or of the steps):

1. single pictures, 32x32 crops around the shape (the causal model is started as a per-picture one);
2. clips of nine frames, the same crops;
3. clips of nine frames at full size.

    python train_vae.py --out RUN --minutes 25 [--device cuda]

Colours are random RGB in most examples, so that the model learns all colours. RUN/vae is the autoencoder of a
diffusers folder, with the statistics of its latents; with RUN/state.pt an interrupted run can continue.

With ``--refine MODEL_FOLDER`` only the decoder of that folder's autoencoder is trained further, on whole clips. The
latents do not change, so caches and transformers made for them stay valid.
"""

import argparse
import math
import os
import random
import time

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d

import models
import vae as autoencoder
import world

PICTURES_UNTIL = 0.24  # of the run
CROPS_UNTIL = 0.88
SQUARED_ERROR_ONLY_UNTIL = 0.35
ANY_COLOUR = 0.6
CROP = 32
REFINE_ANY_COLOUR = 0.25
REFINE_SMALL = 0.5  # share of shapes that are made small, because small shapes are harder
REFINE_NOISE = 0.1  # maximum noise, relative to the latents' deviation, because a transformer's latents are never exact
EDGE_WEIGHT = 0.2
OUTLINE_WEIGHT = 8.0  # weight of the error near a shape's outline while only the decoder is trained, because it shows the shape
OUTLINE_REACH = 2  # pixels on either side


def new_vae():
    """A Wan autoencoder, narrow: 2.6 M parameters."""
    return AutoencoderKLWan(
        base_dim=16, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[],
        temperal_downsample=[False, True, True],
    )


@torch.no_grad()
def start_as_picture_model(vae):
    """Make a fresh model treat each frame alone, with a posterior of small variance, so that training on pictures carries over."""
    for name, module in vae.named_modules():
        if not isinstance(module, WanCausalConv3d):
            continue
        if name.endswith("time_conv"):
            module.weight.zero_()
            module.bias.zero_()
            for out in range(module.out_channels):
                module.weight[out, out % module.in_channels, -1, 0, 0] = 1.0
        elif module.kernel_size[0] == 3:
            module.weight[:, :, :-1].zero_()
    half = vae.config.z_dim
    vae.quant_conv.weight[half:] *= 0.1
    vae.quant_conv.bias[half:] = -8.0


def crop(rng, frames):
    """Of three random crops of a random clip, the one with the most change."""
    clip = world.render(world.random_scene(rng), rng, 1 if frames == 1 else world.NATIVE_FRAMES, any_colour=ANY_COLOUR)
    start = rng.randint(0, clip.shape[1] - frames)
    candidates = []
    for _ in range(3):
        top, left = (rng.randint(0, world.NATIVE_SIDE - CROP) for _ in range(2))
        candidates.append(clip[:, start : start + frames, top : top + CROP, left : left + CROP])
    return max(candidates, key=lambda part: part.var(dim=(1, 2, 3)).sum().item())


def examples(rng, fraction):
    """A batch for the present stage."""
    if fraction < PICTURES_UNTIL:
        return torch.stack([crop(rng, 1) for _ in range(24)])
    if fraction < CROPS_UNTIL:
        return torch.stack([crop(rng, 9) for _ in range(8)])
    _, clips = world.render_batch(4, rng, any_colour=ANY_COLOUR)
    start = rng.randint(0, 8)
    return clips[:, :, start : start + 9]


def picture_loss(error, edge_weight, weight=1.0):
    """Squared error, optionally absolute error and error of the edges; and the squared error alone.

    ``weight`` counts pixels more or less: a number, or a tensor that fits the error's (batch, channel, frame, height, width).
    """
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    squared = error * error
    loss = 2.0 * (weight * squared).mean() + edge_weight * ((weight * error.abs()).mean() + 0.25 * edges)
    return loss, squared.mean().item()


def outline_weight(clips):
    """A weight of 1, and more near edges of the true picture: (batch, 1, frame, height, width)."""
    across = torch.nn.functional.pad((clips[..., 1:] - clips[..., :-1]).abs(), (0, 1))
    down = torch.nn.functional.pad((clips[..., 1:, :] - clips[..., :-1, :]).abs(), (0, 0, 0, 1))
    changes = ((across + down).sum(1, keepdim=True) > 0.2).float()
    reach = 2 * OUTLINE_REACH + 1
    near = torch.nn.functional.max_pool3d(changes, (1, reach, reach), stride=1, padding=(0, OUTLINE_REACH, OUTLINE_REACH))
    return 1.0 + OUTLINE_WEIGHT * near


def reconstruction_loss(vae, clips, edge_weight):
    """Loss of the pictures, and a small loss that keeps the latents near the prior."""
    mean, log_variance = autoencoder.encode(vae, clips).chunk(2, 1)
    log_variance = log_variance.clamp(-20, 10)
    made = autoencoder.decode(vae, mean + torch.randn_like(mean) * (0.5 * log_variance).exp()).float()
    mean, log_variance = mean.float(), log_variance.float()
    prior = 0.5 * (mean * mean + log_variance.exp() - 1 - log_variance).mean()
    loss, squared = picture_loss(made - clips, edge_weight)
    return loss + 1e-6 * prior, squared


def refinement_loss(vae, rng, device):
    """Loss of the decoder alone, on whole clips and pictures from slightly disturbed latents."""
    frames = rng.choice([1, 5, 9, 9, 17])
    count = {1: 16, 5: 8, 9: 6, 17: 4}[frames]
    scenes = [world.random_scene(rng) for _ in range(count)]
    scenes = [dict(scene, size="small") if rng.random() < REFINE_SMALL else scene for scene in scenes]
    clips = torch.stack([world.render(scene, rng, frames, any_colour=REFINE_ANY_COLOUR) for scene in scenes]).to(device)
    with torch.no_grad():
        _, deviation = autoencoder.latent_scale(vae)
        latents = autoencoder.encode(vae, clips)[:, : vae.config.z_dim]
        latents = latents + torch.randn_like(latents) * deviation * (rng.random() * REFINE_NOISE)
    error = autoencoder.decode(vae, latents).float() - clips
    return picture_loss(error, EDGE_WEIGHT, outline_weight(clips))


def learning_rate(peak, step, fraction):
    rate = peak * min(1.0, (step + 1) / 50) * (0.5 * (1 + math.cos(math.pi * fraction)) * 0.97 + 0.03)
    just_changed = PICTURES_UNTIL <= fraction < PICTURES_UNTIL + 0.01
    return rate * 0.3 if just_changed else rate


@torch.no_grad()
def measure(vae, device):
    """Latent statistics (mean, deviation) and PSNR of clips and pictures, on fixed unseen clips."""
    rng = random.Random("autoencoder validation")
    _, clips = world.render_batch(64, rng)
    moments = torch.cat([autoencoder.encode(vae, part.to(device)) for part in clips.split(8)])
    latents = moments[:, : vae.config.z_dim]
    made = torch.cat([autoencoder.decode(vae, part).clamp(-1, 1).cpu() for part in latents[:24].split(8)])
    error = (made - clips[:24]) ** 2
    clip_psnr = 10 * torch.log10(4 / error.flatten(1).mean(1))
    picture_psnr = 10 * torch.log10(4 / error[:, :, 0].flatten(1).mean(1))
    print(f"PSNR clips {clip_psnr.mean():.2f} (least {clip_psnr.min():.2f}) dB, pictures {picture_psnr.mean():.2f} dB")
    return latents.mean((0, 2, 3, 4)).tolist(), latents.std((0, 2, 3, 4)).tolist()


def train(options):
    os.makedirs(options.out, exist_ok=True)
    torch.manual_seed(options.seed)
    if options.refine:
        vae = models.load_vae(options.refine)
        parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    else:
        vae = new_vae()
        start_as_picture_model(vae)
        parameters = list(vae.parameters())
    vae.to(options.device)
    optimizer = torch.optim.AdamW(parameters, lr=options.lr, betas=(0.9, 0.99), weight_decay=0.0)
    step, elapsed, smooth = 0, 0.0, None
    path = os.path.join(options.out, "state.pt")
    if os.path.exists(path):
        state = torch.load(path, map_location=options.device)
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
        step, elapsed = state["step"], state["elapsed"]
    rng = random.Random(f"autoencoder/{options.seed}/{step}")
    before = saved = time.time()
    while (fraction := step / options.steps if options.steps else elapsed / (options.minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(options.lr, step, fraction)
        edge_weight = 0.0 if fraction < SQUARED_ERROR_ONLY_UNTIL else EDGE_WEIGHT
        with torch.autocast(options.device, torch.bfloat16, enabled=options.bf16 and fraction < 0.9):
            if options.refine:
                loss, squared = refinement_loss(vae, rng, options.device)
            else:
                loss, squared = reconstruction_loss(vae, examples(rng, fraction).to(options.device), edge_weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        now = time.time()
        elapsed, before = elapsed + now - before, now
        smooth = squared if smooth is None else 0.95 * smooth + 0.05 * squared
        if step % 25 == 0:
            print(f"{elapsed:.0f} s, step {step}, PSNR {10 * math.log10(4 / smooth):.2f} dB", flush=True)
        if now - saved > 300:
            state = {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "elapsed": elapsed}
            torch.save(state, path + ".part")
            os.replace(path + ".part", path)
            saved = before = time.time()
    mean, std = measure(vae.eval(), options.device)
    if not options.refine:  # refined latents are the same, and so are their statistics
        vae.register_to_config(latents_mean=mean, latents_std=std)
    vae.save_pretrained(os.path.join(options.out, "vae"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--refine", help="diffusers folder whose decoder to train further (default: all layers, from scratch)")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--steps", type=int, help="instead of --minutes")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 where it is safe (fast on AMX and on GPUs)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    autoencoder.speed_up()
    train(options)


if __name__ == "__main__":
    main()

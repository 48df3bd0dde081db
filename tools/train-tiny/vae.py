"""The autoencoder: differentiable encode and decode, faster layers, normalised latents and conditions."""

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders import autoencoder_kl_wan as wan

LATENT_FRAMES = 5  # latent frames of a clip of 17 frames: one for the first frame, then one for every four


# --- Faster layers, the same mathematics ---------------------------------------------------------------------

_plain_conv = wan.WanCausalConv3d.forward


def _fast_conv(self, x, cache_x=None):
    """A causal convolution over a single frame, or with a 1x1x1 kernel, is a plain 2D convolution."""
    if cache_x is None and x.shape[2] == 1 and self._padding[4] > 0 and self.stride[0] == 1:
        padding = (self._padding[2], self._padding[0])
        return F.conv2d(x[:, :, 0], self.weight[:, :, -1], self.bias, self.stride[1:], padding).unsqueeze(2)
    if self.kernel_size == (1, 1, 1) and self.stride == (1, 1, 1):
        batch, channels, frames, height, width = x.shape
        flat = x.transpose(1, 2).reshape(batch * frames, channels, height, width)
        flat = F.conv2d(flat, self.weight[:, :, 0], self.bias)
        return flat.reshape(batch, frames, -1, height, width).transpose(1, 2)
    return _plain_conv(self, x, cache_x)


def _fast_norm(self, x):
    dim = 1 if self.channel_first else -1
    scale = torch.rsqrt((x * x).sum(dim, keepdim=True) + 1e-12) * self.scale
    return x * scale * self.gamma + self.bias


def speed_up():
    """Replace two slow layers of the reference library by equal, faster ones (for this process)."""
    wan.WanCausalConv3d.forward = _fast_conv
    wan.WanRMS_norm.forward = _fast_norm


# --- Encode and decode with gradients ------------------------------------------------------------------------


def encode(vae, clips):
    """Clips [B, 3, T, H, W] to posterior moments (mean and log variance), as the model itself does it."""
    vae.clear_cache()
    chunks = []
    for index in range(1 + (clips.shape[2] - 1) // 4):
        vae._enc_conv_idx = [0]
        chunk = clips[:, :, :1] if index == 0 else clips[:, :, 4 * index - 3 : 4 * index + 1]
        chunks.append(vae.encoder(chunk, feat_cache=vae._enc_feat_map, feat_idx=vae._enc_conv_idx))
    moments = vae.quant_conv(torch.cat(chunks, 2))
    vae.clear_cache()
    return moments


def decode(vae, latents):
    """Latents to clips, as the model itself does it but without the clamp."""
    vae.clear_cache()
    hidden = vae.post_quant_conv(latents)
    chunks = []
    for index in range(latents.shape[2]):
        vae._conv_idx = [0]
        first = {"first_chunk": True} if index == 0 else {}
        chunks.append(
            vae.decoder(hidden[:, :, index : index + 1], feat_cache=vae._feat_map, feat_idx=vae._conv_idx, **first)
        )
    vae.clear_cache()
    return torch.cat(chunks, 2)


# --- Latents as the transformer sees them --------------------------------------------------------------------


def latent_scale(vae):
    """(mean, standard deviation) of the latents, shaped to broadcast over [B, C, T, H, W]."""
    shape = (1, -1, 1, 1, 1)
    parameter = next(vae.parameters())
    mean = torch.tensor(vae.config.latents_mean).view(shape).to(parameter)
    std = torch.tensor(vae.config.latents_std).view(shape).to(parameter)
    return mean, std


@torch.no_grad()
def clip_latents(vae, clips):
    """Normalised latents of clips: the mode of the posterior."""
    mean, std = latent_scale(vae)
    return (encode(vae, clips)[:, : vae.config.z_dim] - mean) / std


@torch.no_grad()
def decode_latents(vae, latents):
    """Normalised latents to clips in [-1, 1]."""
    mean, std = latent_scale(vae)
    return decode(vae, latents * std + mean).clamp(-1, 1)


def condition_clip(clips, last):
    """The condition clip for the autoencoder: the first frame, mid-gray, and the last frame if ``last``."""
    shown = torch.zeros_like(clips)
    shown[:, :, 0] = clips[:, :, 0]
    if last:
        shown[:, :, -1] = clips[:, :, -1]
    return shown


def condition_mask(batch, latent_frames, last, height=8, width=8):
    """The four mask channels: 1 on given frames, with the first frame counted four times."""
    mask = torch.zeros(batch, 4, latent_frames, height, width)
    mask[:, :, 0] = 1
    if last:
        mask[:, 3, -1] = 1
    return mask


def condition(vae, clips, last):
    """Mask and condition latents [B, 20, T, H, W] for clips whose first (and last) frame is given."""
    latents = clip_latents(vae, condition_clip(clips, last))
    mask = condition_mask(len(clips), latents.shape[2], last, *latents.shape[-2:]).to(latents)
    return torch.cat([mask, latents], 1)

"""Makes tests/golden/text: small random text encoders like those of FLUX and SDXL, and results of transformers for some ids.

    PYTHON tools/golden/text.py

`clip_l`, `clip_g` and `t5` are folders as transformers saves them, all numbers in float16; the reference computes in float32.
golden.safetensors holds tensors without a batch axis. For each case of a CLIP encoder: the ids and the pooled state; for `short` also
the states after every layer (`.0` are the embeddings), for `empty` and `full` the penultimate states. For cases of several chunks: the
ids and weights of all chunks, one after another, the pooled state of the first chunk, and the penultimate states as AUTOMATIC1111's
rule (webui.py, in float64) weighs them. For T5: the ids and the last states. A second run writes the same files.
"""

import os
import pathlib
import shutil
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import wan_weights  # noqa: E402
import webui  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "text"

# Ids of the small vocabulary: tokens, then one as textual inversion adds them behind the end.
START, END, ADDED, COUNT = 297, 298, 299, 300
LENGTH = 77


def made(model, folder, scales=None):
    """The model with values, saved in float16."""
    model = wan_weights.fill(model, lambda name: f"{folder}/{name}", torch.float16, scales)
    model.half().save_pretrained(OUT / folder)
    return model.float()


def clip_config(**settings):
    return CLIPTextConfig(vocab_size=COUNT, max_position_embeddings=LENGTH, **settings)


def framed(tokens, pad):
    return [START, *tokens, END, *[pad] * (LENGTH - 2 - len(tokens))]


def tokens(number, count):
    """Random ids that are the same in every run."""
    generator = torch.Generator("cpu").manual_seed(number)
    return torch.randint(1, START, (count,), generator=generator).tolist()


def states(model, ids):
    """States behind every layer and the pooled state."""
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True)
    pooled = out.text_embeds if hasattr(out, "text_embeds") else out.pooler_output
    return [state[0] for state in out.hidden_states], pooled[0]


def clip(golden, name, model, pad):
    cases = {
        "short": framed(tokens(1, 6), pad),
        "empty": framed([], pad),
        "full": framed(tokens(2, LENGTH - 2), pad),
        # The first of two end tokens counts. If the configuration names the end id, larger ids do not count.
        "ends": framed([*tokens(3, 4), END, *tokens(4, 5)], pad),
    }
    if name == "clip_g":
        cases["added"] = framed([5, ADDED, 7], pad)
    for case, ids in cases.items():
        every, pooled = states(model, ids)
        golden[f"{name}.{case}.ids"] = torch.tensor(ids)
        golden[f"{name}.{case}.pooled"] = pooled
        if case == "short":
            golden.update({f"{name}.{case}.{number}": state for number, state in enumerate(every)})
        elif case in ("empty", "full"):
            golden[f"{name}.{case}.penultimate"] = every[-2]

    Prompts = webui.prompt_class()
    rule = Prompts(None, pad, lambda ids: states(model, ids[0].tolist())[0][-2].double()[None])
    rule.id_start, rule.id_end = START, END
    for case, weights in {
        "long": [[], []],
        "weighted": [[1.0] * 3 + [1.3] * 4 + [0.5] * 2, [1.1 * 1.1] * 20, [0.0, -0.7, 2.0]],
    }.items():
        ids, multipliers, encoded = [], [], []
        for number, of_tokens in enumerate(weights):
            inside = tokens(10 + number, len(of_tokens) or 75 - 70 * number)
            of_tokens = of_tokens or [1.0] * len(inside)
            chunk = framed(inside, END)
            of_chunk = [1.0, *of_tokens, *[1.0] * (LENGTH - 1 - len(inside))]
            ids += framed(inside, pad)
            multipliers += of_chunk
            encoded.append(rule.process_tokens([chunk], [torch.tensor(of_chunk, dtype=torch.float64).tolist()])[0])
        golden[f"{name}.{case}.ids"] = torch.tensor(ids)
        golden[f"{name}.{case}.weights"] = torch.tensor(multipliers, dtype=torch.float32)
        golden[f"{name}.{case}.penultimate"] = torch.cat(encoded).float()
        golden[f"{name}.{case}.pooled"] = states(model, ids[:LENGTH])[1]


def t5(golden):
    config = T5Config(vocab_size=300, d_model=32, d_kv=8, d_ff=64, num_layers=3, num_heads=4, feed_forward_proj="gated-gelu",
                      relative_attention_num_buckets=32, relative_attention_max_distance=128)
    # T5 does not scale its scores. With queries as large as keys, every token would attend to only one other token.
    model = made(T5EncoderModel(config), "t5", {"SelfAttention.q": 0.25, "SelfAttention.o": 0.7, "DenseReluDense.wo": 0.7})
    for case, count, length in [("short", 11, 512), ("empty", 0, 256), ("full", 127, 128)]:
        generator = torch.Generator("cpu").manual_seed(count)
        inside = torch.randint(3, 300, (count,), generator=generator).tolist()
        ids = [*inside, 1, *[0] * (length - 1 - count)]
        # No mask, as in FLUX's pipeline, so padding is read.
        with torch.no_grad():
            golden[f"t5.{case}.states"] = model(torch.tensor([ids])).last_hidden_state[0]
        golden[f"t5.{case}.ids"] = torch.tensor(ids)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    torch.set_num_threads(1)
    golden = {}
    model = made(CLIPTextModel(clip_config(hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=1,
                                           hidden_act="quick_gelu", bos_token_id=0, eos_token_id=2)), "clip_l")
    clip(golden, "clip_l", model, END)
    model = made(CLIPTextModelWithProjection(clip_config(
        hidden_size=128, intermediate_size=160, num_hidden_layers=3, num_attention_heads=2, hidden_act="gelu",
        projection_dim=128, bos_token_id=START, eos_token_id=END)), "clip_g")
    clip(golden, "clip_g", model, 0)
    t5(golden)
    golden = {name: value.to(torch.float32 if value.is_floating_point() else torch.uint32) for name, value in golden.items()}
    wan_weights.save(golden, OUT / "golden.safetensors")


if __name__ == "__main__":
    main()

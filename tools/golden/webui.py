"""AUTOMATIC1111's rule for prompts, from a package on PyPI: its modules `prompt_parser` and `sd_hijack_clip`.

The wheel of auto1111sdk 0.0.95 (AGPL-3.0) is fetched, checked and unpacked for the time of a run; nothing of it is installed or
kept. The modules that these two import are replaced by stand-ins that have only what is used.
"""

import hashlib
import importlib
import pathlib
import subprocess
import sys
import tempfile
import types
import zipfile

WHEEL = "auto1111sdk-0.0.95-py3-none-any.whl"
SHA256 = "5e5e16a3eb2f8600506eb51d65d930891a9540358cd8771c83873909a0c29908"
MODULES = ["prompt_parser", "sd_hijack_clip"]


def modules():
    """The two modules."""
    with tempfile.TemporaryDirectory() as folder:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "auto1111sdk==0.0.95"]
        subprocess.run(fetch, check=True)
        wheel = pathlib.Path(folder, WHEEL)
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
        with zipfile.ZipFile(wheel) as archive:
            for name in MODULES:
                pathlib.Path(folder, f"{name}.py").write_bytes(archive.read(f"auto1111sdk/modules/{name}.py"))
        package = types.ModuleType("webui")
        package.__path__ = [folder]
        options = types.SimpleNamespace(enable_emphasis=True, comma_padding_backtrack=20)
        given = {
            "webui": package,
            "webui.devices": types.SimpleNamespace(device="cpu"),
            "webui.sd_hijack": types.SimpleNamespace(StableDiffusionModelHijack=object),
            "webui.shared": types.SimpleNamespace(opts=options),
            # Schedules of prompts are not used, so their parser does nothing.
            "lark": types.SimpleNamespace(Lark=lambda *arguments, **settings: None),
        }
        for name, stand_in in given.items():
            module = types.ModuleType(name)
            module.__dict__.update(stand_in.__dict__)
            sys.modules[name] = module
            if "." in name:
                setattr(sys.modules["webui"], name.rpartition(".")[2], module)
        sys.modules["webui"].__path__ = [folder]
        return [importlib.import_module(f"webui.{name}") for name in MODULES]


class NoEmbeddings:
    """A model without textual inversion."""

    class embedding_db:
        @staticmethod
        def find_embedding_at_position(tokens, position):
            return None, None

    fixes = None


def prompt_class():
    """The class that cuts prompts into chunks and weighs states, with a tokenizer and an encoder of ours.

    Its constructor takes `pad`, the id after the end token, and `encode`, which returns the states for ids `[1, 77]`.
    """
    _, clip = modules()

    class Prompts(clip.FrozenCLIPEmbedderWithCustomWordsBase):
        def __init__(self, tokenizer, pad, encode=None):
            super().__init__(None, NoEmbeddings())
            self.tokenizer, self.encode, self.id_pad = tokenizer, encode, pad
            self.id_start, self.id_end, self.comma_token = 49406, 49407, 267

        def tokenize(self, texts):
            return self.tokenizer(texts, truncation=False, add_special_tokens=False)["input_ids"]

        def encode_with_transformers(self, tokens):
            return self.encode(tokens)

        def padded(self, chunk):
            """The ids of a chunk as the encoder gets them."""
            end = chunk.tokens.index(self.id_end)
            return chunk.tokens[: end + 1] + [self.id_pad] * (len(chunk.tokens) - end - 1)

    return Prompts

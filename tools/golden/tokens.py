"""Makes tests/golden/tokens: 10,000 prompts and the results of the reference for them.

Prompts are drawn by a small generator that exists here and in diffusion/src/text/tests.rs, from fragments that are
written to fragments.json. For each prompt, hashes.bin holds five hashes (FNV-1a, 32 bits, little-endian): one of the cleaned
prompt in UTF-8, and four of ids (32 bits each, not cut): the prompt for CLIP, T5 and UMT5, and the cleaned prompt for UMT5.
samples.json holds 200 short prompts with their ids for CLIP, T5 and UMT5. sentencepiece.json holds two small SentencePiece
models, and the ids that transformers makes with the converted models: of the prompts of samples.json for `mapped`, and of
the cleaned prompts for `plain`.

References: ftfy 6.3.1, transformers 5, tokenizers; vocabularies as tools/vocabularies/pack.py gets them. For T5 that is
the `tokenizer.json` that FLUX is published with, rebuilt and compared by its SHA-256.

    python tokens.py ../../tests/golden/tokens
"""

import base64
import hashlib
import html
import json
import os
import re
import struct
import sys
import tempfile

import ftfy
import sentencepiece
import tokenizers
import transformers
from transformers.convert_slow_tokenizer import T5Converter

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "vocabularies"))
import pack

PROMPTS = 10_000
SAMPLES = 200
FLUX_SHA256 = "6cd1badb7467cdab971403bbeb1945070ca385652385a2b6549f672b08089dfc"

WORDS = """a photo of the cat dog woman man castle at sunset, cinematic lighting, masterpiece best quality 1girl 4k 8K
HDR f/1.8 35mm don't It's we've I'm they'd you'll rock'n'roll well-known e.g. i.e. 3.14 1,000 $5 50% #hashtag @user
https://example.com/a?b=c&d=e C:\\path file_name.png score_9 score_8_up Straße naïve café señor Ærøskøbing İstanbul
IŞIK ΣΑΣ ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ Привет мир Москва українська Łódź žluťoučký kůň Việt Nam Ελλάδα déjà vu""".split()

SCRIPTS = """你好世界 静止的画面，低质量 一只猫坐在窗边 色调艳丽，过曝，静态，细节模糊不清 繁體中文 日本語のテキスト ひらがな カタカナ ｶﾀｶﾅ ﾊﾟﾋﾟ 가나다라 한국어
مرحبا بالعالم العربية لَا إِلٰهَ שלום עולם עִבְרִית สวัสดีชาวโลก ภาษาไทย नमस्ते दुनिया हिन्दी বাংলা தமிழ் ქართული Հայերեն አማርኛ ខ្មែរ မြန်မာ ᠮᠣᠩᠭᠣᠯ བོད་ 𐎠𐎡 𝔘𝔫𝔦𝔠𝔬𝔡𝔢
𝒜𝓁𝓅𝒽𝒶 ①②③ Ⅷ ½ ㎏ ㍿ ﷽ ﬁne ﬂow ﬃ ﬆ ĳ ŉ ǆ ＡＢＣ１２３ ！？ 〜 ・ 「」 『』 【】 ． ﹏ ￥ ￦ │ ─ █ ░ ∀x∈ℝ: ∑ √2 ≈ ± × ÷ ∞ → ⇒ ★ ☆ ♥ ✔ ™ © ®""".split()

EMOJI = """😀 😂 🥺 🦊 🐱 🌅 🏰 ❤️ ☀️ 👍🏽 👩‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪 🇺🇸 1️⃣ #️⃣ ☎︎ 🫠 🪿 👁️‍🗨️ 🧑🏿‍🤝‍🧑🏻 ⛹🏼‍♀️""".split()

MARKS = ["e\u0301", "A\u030a", "o\u0302\u0323", "n\u0303", "\u0915\u093c", "\u1100\u1161\u11a8", "Z\u0351\u036b\u0343\u036a\u0302A\u0334\u0335L",
         "\u05d1\u05b0", "\u0627\u0653", "ﾊ\uff9f", "\u212b", "\u2126", "\u0958", "\u1e9b\u0323", "x\u20dd", "\ud55c", "\uf900"]

CONTROLS = [chr(code) for code in [*range(0, 0x20), 0x7F, *range(0x80, 0xA0)]] + [
    "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066",
    "\u206a", "\ufeff", "\ufff9", "\ufffb", "\ufffc", "\ufffd", "\u061c", "\u180e", "\u034f", "\ufe0e", "\ufe0f", "\U000e0041",
    "\U000e007f", "\U0001d173", "\x1b[31m", "\x1b[0m", "\x1b[1;32", "\r\n", "\n\n", "\t\t",
]  # fmt: skip

ENTITIES = ["&amp;", "&lt;b&gt;", "&quot;", "&#39;", "&#x27;", "&nbsp;", "&amp;amp;", "&amp;lt;", "&amp;#x41;", "&eacute;", "&EACUTE;",
            "&ntilde;", "&NTILDE;", "&copy", "&copy;2024", "&not", "&notit;", "&notin;", "&hellip;", "&rsquo;", "&#8217;", "&#146;",
            "&#x80;", "&#0;", "&#xD800;", "&#1114112;", "&#13;", "&#11;", "&;", "&#;", "&#x;", "&unknown;", "&amp", "&ampx", "AT&T",
            "R&D", "a&b", "&bne;", "&fjlig;", "&frac12;", "&FRAC12;", "&szlig;", "&SZLIG;", "&zwj;", "&ZeroWidthSpace;", "&NewLine;",
            "&Tab;", "&#59;", "&Aacute", "&sup2", "&CounterClockwiseContourIntegral;", "&lt", "&LT;", "&gt&lt"]  # fmt: skip

TAGS = ["</s>", "<s>", "<unk>", "<pad>", "<extra_id_0>", "<extra_id_99>", "<extra_id_299>", "<extra_id_7>", "<0x41>", "<0xE6>", "[web]",
        "[eod]", "[c4]", "<|startoftext|>", "<|endoftext|>", "<|STARTOFTEXT|>", "<|EndOfText|>", "<b>", "</b>", "<br/>", "<img src='x'>",
        "<lora:name:0.8>", "<lora:a_b-c:1>", "＜unk＞", "＜/s＞", "</s", "<extra_id_>", "▁", "▁▁", "▁the", "</w>", "Ġ", "##ing",
        "<!-- x -->", "{{x}}", "${y}", "%s", "\\n", "\\u0041", "{red|green|blue}", "__wildcard__", "embedding:bad_hands"]  # fmt: skip

CODE = ["def f(x): return x**2", "for (int i=0;i<n;++i){a[i]+=1;}", "SELECT * FROM t WHERE a='b';", "let x = &mut *y;", "if a && b || !c:",
        '{"key": [1, 2.5, null]}', "print(\"hi\")", "<?php echo 1; ?>", "x = y if z else w  # no", "0xDEADBEEF", "1e-5", "a->b::c<d>()"]

QUOTES = ["“quoted”", "‘single’", "it’s", "„tief“", "«fr»", "‹x›", "ʼn", "rock ’n’ roll", "—", "–", "…", "‐", "‚", "‛", "‟", "\"", "'", "`"]

SPACES = ["", "", " ", " ", " ", "  ", "   ", ", ", ". ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2003", "\u200b", "\u2028", " , ", " | ", "-", "_"]

# Ranges of code points for random text.
RANGES = [(0x00, 0x7F), (0x20, 0x7E), (0x20, 0x7E), (0x80, 0xFF), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x3FF), (0x400, 0x52F),
          (0x531, 0x556), (0x561, 0x587), (0x591, 0x5C7), (0x5D0, 0x5EA), (0x600, 0x6FF), (0x900, 0x97F), (0xE01, 0xE5B), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
          (0x2070, 0x218B), (0x2190, 0x23FF), (0x2460, 0x27BF), (0x3000, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97C),
          (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFAD9), (0xFB00, 0xFDFF), (0xFE00, 0xFEFF), (0xFF00, 0xFFEF),
          (0x10000, 0x100FA), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FC),
          (0x1F900, 0x1F9FF), (0x20000, 0x2A6DD), (0xE0020, 0xE007F), (0x10FF00, 0x10FFFF)]  # fmt: skip


def mojibake():
    """Fragments that were decoded with the wrong character set, once or twice."""
    texts = ["naïve café", "“quoted” it’s", "Größe", "привет мир", "Ελλάδα", "日本語", "中文", "😀 ok", "à la mode", "às vezes", "– dash …",
             "žluťoučký", "مرحبا", "€5 £3", "½ ×²", "👩‍🚀"]  # fmt: skip
    found = []
    for place, text in enumerate(texts):
        for encoding in ftfy.chardata.CHARMAP_ENCODINGS:
            once = text.encode().decode(encoding)
            found.append(once)
            if place % 4 == 0:
                found.append(once.encode().decode(encoding))
                found.append(once.replace("\u00a0", " "))
    found += [text.encode().decode("windows-1252", "replace") for text in texts]
    return found


FRAGMENTS = [WORDS, SCRIPTS, EMOJI, MARKS, CONTROLS, ENTITIES, TAGS, CODE, QUOTES]


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        mixed = self.state
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return ((mixed ^ mixed >> 31) >> 33) % limit

    def of(self, items):
        return items[self.below(len(items))]


def prompt(number, groups, spaces, ranges):
    """The prompt of a number. The last of the groups is mojibake."""
    random = Random(number)
    kind = number % 10
    if kind == 0:
        count = 1 + random.below(40)
        return "".join(random.of(groups[0]) + random.of(spaces) for _ in range(count))
    if kind == 1:
        group = random.of(groups)
        count = 1 + random.below(20)
        return "".join(random.of(group) + random.of(spaces) for _ in range(count))
    if kind == 2:
        count = 2000 if number % 100 == 2 else 1 + random.below(200)
        return "".join(scalar(random, ranges) for _ in range(count))
    if kind == 3:
        first, last = random.of(ranges)
        count = 1 + random.below(60)
        return "".join(character(first + random.below(last - first + 1)) for _ in range(count))
    if kind == 4:
        text = random.of(random.of(groups)) + random.of(spaces)
        return text * (1 + random.below(60))
    if kind == 5:
        count = 1 + random.below(60)
        return "".join(random.of(random.of(groups)) for _ in range(count))
    if kind == 6:
        count = 1 + random.below(12)
        return "".join(weighted(random, groups) + random.of(spaces) for _ in range(count))
    if kind == 7:
        count = 1 + random.below(8)
        return "".join(random.of(groups[-1]) + random.of(spaces) for _ in range(count))
    if kind == 8:
        text = "".join(random.of(random.of(groups)) + random.of(spaces) for _ in range(1 + random.below(6)))
        return text.encode().decode("latin-1")
    count = 1 + random.below(30)
    return "".join(random.of(random.of(groups)) + random.of(spaces) for _ in range(count))


def character(code):
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


def scalar(random, ranges):
    first, last = random.of(ranges)
    return character(first + random.below(last - first + 1))


def weighted(random, groups):
    form = random.of(["({}:1.2)", "(({}))", "[{}]", "[{}:0.5]", "({}:-0.3)", "{} BREAK", "\\({}\\)", "[{}|x]"])
    return form.replace("{}", random.of(random.of(groups)))


def clean(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return re.sub(r"\s+", " ", text).strip()


def hashed(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def clip_tokenizer(sources, folder):
    """transformers' tokenizer from a folder like those of SDXL and FLUX."""
    merges = pack.content(sources, "clip_merges").decode()
    pairs = [line.split() for line in merges.split("\n")[1:] if line]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(rest))]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in pairs]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    token = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    special = {
        "bos_token": {"content": "<|startoftext|>", **token},
        "eos_token": {"content": "<|endoftext|>", **token},
        "pad_token": "<|endoftext|>",
        "unk_token": {"content": "<|endoftext|>", **token},
    }
    files = {
        "vocab.json": {text: id for id, text in enumerate(tokens)},
        "special_tokens_map.json": special,
        "tokenizer_config.json": {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", **special},
    }
    for name, document in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as file:
        file.write(merges)
    return transformers.CLIPTokenizer.from_pretrained(folder)


def flux_document(sources):
    """FLUX's tokenizer_2/tokenizer.json: the same vocabulary with the steps of a newer conversion."""
    document = json.loads(pack.content(sources, "t5"))
    document["normalizer"]["normalizers"][1:] = [
        {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
    ]
    for name, scheme in (("pre_tokenizer", "first"), ("decoder", "always")):
        document[name] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "prepend_scheme": scheme}
    document["model"]["byte_fallback"] = False
    text = json.dumps(document, indent=2, ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == FLUX_SHA256
    return text


class Slow:
    """The members that transformers' converter needs of a tokenizer that it converts."""

    _extra_ids = 100
    legacy = False

    def __init__(self, path):
        self.vocab_file = path

    def convert_tokens_to_ids(self, token):
        return 1


def small_models(folder):
    """Yields (name, bytes, converted tokenizer) for two SentencePiece models. `mapped` has T5's character map. `plain` has none,
    keeps spaces, and has bytes for unknown characters and two symbols of its own."""
    # A model contains the names of the files from which it was made.
    os.chdir(folder)
    with open("corpus.txt", "w", encoding="utf-8") as file:
        for number in range(300):
            random = Random(number)
            file.write(" ".join(random.of(random.of(FRAGMENTS[:2])) for _ in range(8)) + "\n")
    common = {"input": "corpus.txt", "model_type": "unigram", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    for name, settings in {
        "mapped": {"vocab_size": 500, "normalization_rule_name": "nmt_nfkc"},
        "plain": {
            "vocab_size": 800,
            "normalization_rule_name": "identity",
            "byte_fallback": True,
            "remove_extra_whitespaces": False,
            "user_defined_symbols": ["[web]", "[eod]"],
        },
    }.items():
        sentencepiece.SentencePieceTrainer.train(
            model_prefix=name, minloglevel=2, hard_vocab_limit=False, num_threads=1, **common, **settings
        )
        with open(name + ".model", "rb") as file:
            model = file.read()
        converted = T5Converter(Slow(name + ".model")).converted()
        # As transformers' own class does after conversion.
        converted.add_special_tokens(["<pad>", "</s>", "<unk>", *(f"<extra_id_{number}>" for number in range(100))])
        yield name, model, converted


def main():
    out = os.path.abspath(sys.argv[1])
    os.makedirs(out, exist_ok=True)
    sources = pack.fetched()
    groups = [*FRAGMENTS, mojibake()]
    document = {"groups": groups, "spaces": SPACES, "ranges": RANGES}
    with open(os.path.join(out, "fragments.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=0, ensure_ascii=True) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        clip = clip_tokenizer(sources, folder).backend_tokenizer
        t5_file, umt5_file = os.path.join(folder, "t5.json"), os.path.join(folder, "umt5.json")
        with open(t5_file, "w", encoding="utf-8") as file:
            file.write(flux_document(sources))
        with open(umt5_file, "wb") as file:
            file.write(pack.content(sources, "umt5"))
        t5 = tokenizers.Tokenizer.from_file(t5_file)
        umt5 = tokenizers.Tokenizer.from_file(umt5_file)
        newer = transformers.T5Tokenizer(**transformers.T5Tokenizer.convert_to_native_format(tokenizer_file=t5_file))
        before = os.getcwd()
        small = list(small_models(folder))
        os.chdir(before)

    hashes, samples, unlike = bytearray(), [], 0
    for number in range(PROMPTS):
        text = prompt(number, groups, SPACES, RANGES)
        cleaned = clean(text)
        ids = [clip.encode(text).ids, t5.encode(text).ids, umt5.encode(text).ids, umt5.encode(cleaned).ids]
        unlike += newer.backend_tokenizer.encode(text).ids != ids[1]
        hashes += struct.pack("<I", hashed(cleaned.encode()))
        for each in ids:
            hashes += struct.pack("<I", hashed(struct.pack(f"<{len(each)}I", *each)))
        if len(samples) < SAMPLES and len(text) <= 80 and number % 3 == 0:
            samples.append({"number": number, "prompt": text, "clean": cleaned, "clip": ids[0], "t5": ids[1], "umt5": ids[2]})
    with open(os.path.join(out, "hashes.bin"), "wb") as file:
        file.write(hashes)
    with open(os.path.join(out, "samples.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(sample) for sample in samples) + "\n]\n")
    models = []
    for name, model, converted in small:
        # The converter ignores the setting that keeps spaces, so the text must have none to keep.
        texts = [sample["prompt" if name == "mapped" else "clean"] for sample in samples]
        ids = [converted.encode(text).ids for text in texts]
        models.append({"name": name, "model": base64.b64encode(model).decode(), "ids": ids})
    with open(os.path.join(out, "sentencepiece.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(models) + "\n")
    print(f"{PROMPTS} prompts, {len(samples)} samples; transformers' own T5Tokenizer differs for {unlike}")


if __name__ == "__main__":
    main()

"""Makes tests/golden/prompts: 2,000 prompts like those that people write for SDXL, and their ids and weights by
AUTOMATIC1111's rule.

prompts.txt holds the prompts, one a line, as JSON. For each prompt, hashes.bin holds two hashes (FNV-1a, 32 bits, little-endian): one
for the encoder L and one for bigG, which pads with another id. The hashed bytes are, for each chunk, all ids (32 bits each) and then
all weights (float32). samples.json holds the first 80 prompts with their chunks for L: the ids up to the first end token, and the
weights that are not 1, by their position.

The rule is run from the code of a package (webui.py), with transformers' CLIPTokenizer.

    python prompts.py ../../tests/golden/prompts
"""

import json
import pathlib
import random
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.append(str(pathlib.Path(__file__).parents[1] / "vocabularies"))
import pack
import tokens
import webui

COUNT = 2000
SAMPLES = 80

SCORES = ["score_9", "score_8_up", "score_7_up", "score_6_up", "score_5_up", "score_4_up"]
QUALITY = ["masterpiece", "best quality", "amazing quality", "very aesthetic", "absurdres", "highres", "8k", "4K UHD", "HDR",
           "source_anime", "source_cartoon", "source_pony", "rating_safe", "rating_questionable", "newest", "year 2023"]
SUBJECTS = ["1girl", "1boy", "2girls", "solo", "multiple girls", "no humans", "a photo of a cat", "hatsune miku", "saber (fate)",
            "artoria pendragon (fate)", "rem (re:zero)", "2b (nier:automata)", "princess zelda", "twilight sparkle", "fox girl", "cyborg"]
DETAILS = ["long hair", "blue eyes", "heterochromia", "ahoge", "school uniform", "serafuku", "pleated skirt", "thighhighs", "smile",
           "open mouth", ":d", ":3", ";)", "^_^", ">_<", "o_o", "looking at viewer", "from above", "dutch angle", "cowboy shot",
           "hands on own hips", "arm up", "holding sword", "wide-angle lens", "f/1.8", "35mm", "bokeh", "depth of field", "rim lighting",
           "sunset", "cherry blossoms", "rain", "city lights", "snow-capped mountains", "library", "detailed background",
           "don't look back", "rock 'n' roll", "café", "naïve art", "über-detailed", "10,000 stars", "3:4", "16:9", "#tag", "@user"]
ARTISTS = ["by greg rutkowski", "by artgerm", "wlop", "by Alphonse Mucha", "ask (askzy)", "mika pikazo", "by Hayao Miyazaki",
           "sakimichan", "artist:kantoku", "style of Yoshitaka Amano", "ilya kuvshinov", "zankuro", "by Łukasz Ślęzak", "山田一"]
EMOJI = ["😀", "🦊", "❤️", "✨", "👩‍🚀", "🇩🇪", "🌸🌸", "⭐", "👍🏽", "🏳️‍🌈"]
FOREIGN = ["初音ミク", "美しい風景", "一只猫", "красивый закат", "한복을 입은 소녀", "Straße im Regen", "ＡＢＣ", "señorita"]
SENTENCES = ["a young woman stands at the edge of a cliff, her long silver hair flowing in the wind while the sun sets behind her",
             "an oil painting of a quiet harbour at dawn; fishing boats, gulls, and a lone figure on the pier",
             "The knight's armour is dented & scratched - yet it still shines.", "close-up shot, 50% opacity, $5 bill on the table"]
NEGATIVE = ["worst quality", "low quality", "lowres", "bad anatomy", "bad hands", "missing fingers", "extra digits", "jpeg artifacts",
            "signature", "watermark", "username", "blurry", "score_1", "score_2", "score_3", "censored", "text", "error"]
BROKEN = ["(", ")", "[", "]", "((", "))", "[[", ":", "::", "\\", "\\\\", "(:1.2)", "()", "[]", "(:", ":1.2)", "( :", "(a:)", "(a: 1.3 )",
          "(a:+1.5)", "(a:-0.5)", "(a:.5)", "(a:1.)", "(a : b)", "(a:b:1.2)", "[a:b:0.5]", "[a|b]", "{a}", "<lora:name:0.8>", "a\\b",
          "\\(", "\\)", "\\[", "\\]", "\n", "\t", "  ", ",,", ", ,", "_", "|", "AND", "BREAKFAST", "break", "x:1.2"]
WEIGHTS = ["1.1", "1.2", "1.3", "1.25", "1.5", "0.8", "0.9", "0.5", "1.05", "2", "0", "1.331", "1.0"]


def tag(draw):
    group = draw.choices([DETAILS, SUBJECTS, QUALITY, ARTISTS, SCORES, EMOJI, FOREIGN, NEGATIVE], [9, 3, 2, 2, 1, 1, 1, 2])[0]
    return draw.choice(group)


def escaped(text):
    return text.replace("(", "\\(").replace(")", "\\)")


def dressed(draw, text, depth=0):
    """A tag, with or without brackets around it."""
    kind = draw.random()
    if kind < 0.55 or depth > 3:
        return text if draw.random() < 0.3 else escaped(text)
    if kind < 0.72:
        return f"({dressed(draw, text, depth + 1)}:{draw.choice(WEIGHTS)})"
    if kind < 0.82:
        return f"({dressed(draw, text, depth + 1)})"
    if kind < 0.90:
        return f"[{dressed(draw, text, depth + 1)}]"
    inside = [dressed(draw, tag(draw), depth + 1) for _ in range(draw.randint(2, 4))]
    return f"({', '.join(inside)}:{draw.choice(WEIGHTS)})"


def prompt(draw, number):
    kind = number % 8
    if kind == 0:
        return ", ".join(SCORES[: draw.randint(1, 6)] + [tag(draw) for _ in range(draw.randint(1, 12))])
    if kind == 1:
        return draw.choice([", ", ",", " , "]).join(dressed(draw, tag(draw)) for _ in range(draw.randint(1, 25)))
    if kind == 2:
        return ", ".join(dressed(draw, tag(draw)) for _ in range(draw.randint(12, 45)))
    if kind == 3:
        parts = [", ".join(dressed(draw, tag(draw)) for _ in range(draw.randint(0, 12))) for _ in range(draw.randint(1, 4))]
        return draw.choice([" BREAK ", "\nBREAK\n", ", BREAK, ", " BREAK BREAK ", "BREAK"]).join(parts)
    if kind == 4:
        pieces = [draw.choice([dressed(draw, tag(draw)), draw.choice(BROKEN), tag(draw)]) for _ in range(draw.randint(1, 30))]
        return draw.choice(["", " ", ", "]).join(pieces)
    if kind == 5:
        return " ".join(dressed(draw, draw.choice(SENTENCES)) for _ in range(draw.randint(1, 5)))
    if kind == 6:
        # No comma is near the place where the chunk is full.
        words = [draw.choice(DETAILS).replace(",", "") for _ in range(draw.randint(15, 45))]
        words = [dressed(draw, word) if draw.random() < 0.2 else word for word in words]
        return " ".join(word + ("," if draw.random() < 0.06 else "") for word in words)
    return "".join(draw.choice([*EMOJI, *FOREIGN, " ", ", ", "(", ")", ":1.1)", "[", "]"]) for _ in range(draw.randint(0, 40)))


def prompts(parse):
    """Prompts for which the web UI follows its own rule. Other prompts are drawn again: those with `BREAK` inside brackets, which the
    web UI reads as a word with a negative weight, and those with numbers for which it raises an error."""
    draw = random.Random(20240614)
    found = []
    while len(found) < COUNT:
        text = prompt(draw, len(found))
        try:
            pieces = parse(text)
        except ValueError:
            continue
        if all(weight == -1 for piece, weight in pieces if piece == "BREAK"):
            found.append(text)
    return found


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    Prompts = webui.prompt_class()
    parse = sys.modules["webui.prompt_parser"].parse_prompt_attention
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = tokens.clip_tokenizer(pack.fetched(), folder)
    both = [Prompts(tokenizer, 49407), Prompts(tokenizer, 0)]
    texts, hashes, samples, longest = prompts(parse), bytearray(), [], 0
    for text in texts:
        for encoder in both:
            chunks, _ = encoder.tokenize_line(text)
            data = b"".join(
                struct.pack("<77I", *encoder.padded(chunk)) + struct.pack("<77f", *chunk.multipliers) for chunk in chunks
            )
            hashes += struct.pack("<I", tokens.hashed(data))
            longest = max(longest, len(chunks))
            if encoder is both[0] and len(samples) < SAMPLES:
                shown = []
                for chunk in chunks:
                    end = chunk.tokens.index(49407)
                    weights = {place: weight for place, weight in enumerate(chunk.multipliers) if weight != 1.0}
                    shown.append({"ids": chunk.tokens[: end + 1], "weights": weights})
                samples.append({"prompt": text, "chunks": shown})
    (out / "prompts.txt").write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts), "utf-8")
    (out / "hashes.bin").write_bytes(hashes)
    (out / "samples.json").write_text("[\n" + ",\n".join(json.dumps(sample, separators=(",", ":"), ensure_ascii=False) for sample in samples) + "\n]\n", "utf-8")
    print(f"{COUNT} prompts, {longest} chunks at most")


if __name__ == "__main__":
    main()

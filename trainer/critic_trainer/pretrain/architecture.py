"""Architecture and tokenizer of the tiny base: the real Qwen2.5-VL classes, small numbers."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoProcessor,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2TokenizerFast,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

VOCABULARY = 768
SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
# Qwen2's pre-tokenizer expression: single digits, words with their leading blank.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' or 'image' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_processor(texts: Iterable[str], folder: Path) -> Qwen2_5_VLProcessor:
    """Trains the byte-level BPE tokenizer on `texts` and saves the whole processor into `folder`."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    size = VOCABULARY - len(SPECIAL) - len(TAGS) - 16
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    state = json.loads(bpe.to_str())["model"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(state["vocab"], ensure_ascii=False))
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in state["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    tokenizer = Qwen2TokenizerFast(
        vocab_file=str(folder / "vocab.json"),
        merges_file=str(folder / "merges.txt"),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
    )
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL[1:]})
    tokenizer.add_tokens(TAGS)
    images = Qwen2VLImageProcessor(min_pixels=784, max_pixels=50176, patch_size=14, merge_size=2, temporal_patch_size=2)
    videos = Qwen2VLVideoProcessor(min_pixels=784, max_pixels=50176, patch_size=14, merge_size=2, temporal_patch_size=2)
    processor = Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)
    processor.save_pretrained(folder)
    return AutoProcessor.from_pretrained(folder)


def build_model(processor: Qwen2_5_VLProcessor) -> Qwen2_5_VLForConditionalGeneration:
    """A randomly initialised Qwen2.5-VL of about a million parameters."""
    ids = processor.tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 96,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "intermediate_size": 256,
            "max_position_embeddings": 2048,
            "rope_theta": 3.0,  # 10,000 leaves neighbouring cells of a picture some 0.003 rad apart: left is right
            "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
            "initializer_range": 0.1,
            "bos_token_id": ids("<|im_start|>"),
            "eos_token_id": ids("<|im_end|>"),
            "pad_token_id": ids("<|endoftext|>"),
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 96,
            "num_heads": 4,
            "intermediate_size": 192,
            "out_hidden_size": 96,
            "patch_size": 14,
            "window_size": 112,
            "fullatt_block_indexes": [0, 1],
            "in_channels": 3,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "initializer_range": 0.1,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    keep = {ids("<|im_end|>"), ids("<|endoftext|>")}
    special = {ids(token) for token in SPECIAL} - keep
    padding = range(len(processor.tokenizer), VOCABULARY)
    generation = model.generation_config
    generation.eos_token_id = sorted(keep)
    generation.bos_token_id = ids("<|im_start|>")
    generation.pad_token_id = ids("<|endoftext|>")
    generation.suppress_tokens = sorted(special | set(padding))
    return model


def save_model(model: Qwen2_5_VLForConditionalGeneration, folder: Path) -> None:
    """Writes weights and config. transformers 4 leaves out two fields at the top level, where transformers 5 looks.

    Without `tie_word_embeddings` transformers 5 makes a random lm_head, with no more than a warning.
    """
    model.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"architectures": [type(model).__name__], "tie_word_embeddings": True}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")

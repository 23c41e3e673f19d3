"""`python -m critic_trainer.pretrain --out models/tiny-critic`: one clean run from a seed to a Hugging Face folder."""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from transformers import Qwen2_5_VLForConditionalGeneration

from .architecture import build_model, build_processor, save_model
from .batches import Conversations
from .conversations import corpus
from .vision import train_vision

VISION = (1500, 2.0e-3)  # steps, peak learning rate
# Phase, steps, peak learning rate. The second pass of "reading" sees the first one's conversations again, and more.
SCHEDULE = (
    ("naming", 4000, 2.5e-3),
    ("reporting", 1800, 2.0e-3),
    ("reading", 1000, 2.0e-3),
    ("reading", 1300, 2.0e-3),
)
_VISION_RATE = 0.3  # the tower's share of the rate once it can see


def main() -> None:
    """The tower, then the phases of conversation; saves and measures after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20251118)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    processor = build_processor(corpus(args.seed, 3000), args.out)
    model = build_model(processor)
    card = {
        "seed": args.seed,
        "batch_size": args.batch_size,
        "threads": args.threads,
        "parameters": sum(p.numel() for p in model.parameters()),
        "vision": {"steps": VISION[0], "learning_rate": VISION[1], "right": train_vision(model, args.seed, *VISION)},
        "phases": [],
    }
    for phase, steps, peak in SCHEDULE:
        train(model, Conversations(processor.tokenizer, args.seed, args.batch_size, phase), steps, peak)
        held_out = measure(model, Conversations(processor.tokenizer, args.seed + 1, 64, phase))
        done = {"phase": phase, "steps": steps, "learning_rate": peak, "held_out_cross_entropy": held_out}
        card["phases"].append(done)
        save_model(model, args.out)
        (args.out / "pretraining.json").write_text(json.dumps(card, indent=2) + "\n")
        print(json.dumps(card), flush=True)


def train(model: Qwen2_5_VLForConditionalGeneration, data: Conversations, steps: int, peak: float) -> None:
    """AdamW from scratch in each phase: 100 steps of warm-up, cosine to a twentieth."""
    tower = list(model.model.visual.parameters())
    seen = {id(parameter) for parameter in tower}
    words = [parameter for parameter in model.parameters() if id(parameter) not in seen]
    groups = [{"params": tower, "share": _VISION_RATE}, {"params": words, "share": 1.0}]
    optimiser = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.99), weight_decay=0.01)
    model.train()
    started, total = time.time(), 0.0
    for step, batch in zip(range(1, steps + 1), DataLoader(data, batch_size=None, num_workers=1), strict=False):
        rate = peak * min(1, step / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        total += loss.item()
        if step % 100 == 0:
            minutes = (time.time() - started) / 60
            print(f"{data.phase} step {step} loss {total / 100:.4f} minutes {minutes:.1f}", flush=True)
            total = 0.0


@torch.no_grad()
def measure(model: Qwen2_5_VLForConditionalGeneration, data: Conversations) -> dict[str, float]:
    """Cross-entropy per token on unseen scenes, with their own pictures and with another conversation's."""
    model.eval()
    batch = data.batch(0)
    own = model(**batch).loss.item()
    patch_rows = batch["pixel_values"].reshape(-1, 32, batch["pixel_values"].shape[-1])
    batch["pixel_values"] = patch_rows.roll(1, dims=0).reshape(batch["pixel_values"].shape)
    return {"own_pictures": round(own, 4), "other_pictures": round(model(**batch).loss.item(), 4)}


if __name__ == "__main__":
    main()

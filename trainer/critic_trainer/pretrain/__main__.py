"""`python -m critic_trainer.pretrain --out models/tiny-critic`: one clean run from a seed to a Hugging Face folder."""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from transformers import Qwen2_5_VLForConditionalGeneration

from .architecture import build_model, build_processor
from .batches import Conversations
from .conversations import corpus


def main() -> None:
    """Trains, measures on held-out scenes with real and with shuffled pictures, saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20251118)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=2.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--snapshot-every", type=int, default=1000)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    processor = build_processor(corpus(args.seed, 3000), args.out)
    model = build_model(processor)
    data = Conversations(processor.tokenizer, args.seed, args.batch_size)
    started = time.time()
    train(model, data, args, started)
    held_out = Conversations(processor.tokenizer, args.seed + 1, 64)
    card = {
        "seed": args.seed,
        "steps": args.steps,
        "batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
        "parameters": sum(p.numel() for p in model.parameters()),
        "minutes": round((time.time() - started) / 60, 1),
        "held_out_cross_entropy": measure(model, held_out),
    }
    model.save_pretrained(args.out)
    (args.out / "pretraining.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card), flush=True)


def train(
    model: Qwen2_5_VLForConditionalGeneration, data: Conversations, args: argparse.Namespace, start: float
) -> None:
    """AdamW, 100 steps of warm-up, cosine to a twentieth. Snapshots let one look at an unfinished model."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    model.train()
    total = 0.0
    for step, batch in zip(range(1, args.steps + 1), DataLoader(data, batch_size=None, num_workers=1), strict=False):
        share = step / args.steps
        rate = args.learning_rate * min(1, step / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        total += loss.item()
        if step % 50 == 0:
            print(f"step {step} loss {total / 50:.4f} minutes {(time.time() - start) / 60:.1f}", flush=True)
            total = 0.0
        if step % args.snapshot_every == 0:
            model.save_pretrained(args.out)


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

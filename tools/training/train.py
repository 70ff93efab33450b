"""Train the successor of models/nano on one GPU: python3 train.py prepare | train | smoke

Reads DATA (passages.jsonl.xz, from gather.py and ask.py, and books.txt.xz, public-domain prose), BASE (the folder of the model to grow) and
works in WORK; weights, log and configuration go to OUT. A call trains for SECONDS and leaves WORK/checkpoint.pt, where
the next call goes on; the learning rate falls over TOTAL seconds of all calls together.
"""
import json
import lzma
import math
import multiprocessing
import os
import random
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import planted
import rows

DATA, BASE, WORK = (os.environ.get(k, d) for k, d in (("DATA", "data"), ("BASE", "models/nano"), ("WORK", "work")))
OUT = os.environ.get("OUT", WORK)
VOCAB, D, HEADS, KV, HD, FFN, THETA, EPS = 8192, 384, 6, 2, 64, 1024, 10000.0, 1e-5
GROW = [0, 1, -1, 2, 3, -3, 4, 5, -5, 6, 7, -7]  # layers of the base; -n: layer n again, its outputs zero
DROP = 0.1  # 0.07 in the first half
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOTAL, SECONDS = float(os.environ.get("TOTAL", 1100)), float(os.environ.get("SECONDS", 500))
MICRO = int(os.environ.get("MICRO", 65536))  # tokens a micro-batch; ACCUMULATE of them a step
ACCUMULATE = 3
# kind of row: (length) or (document, kept, tail), and its share of the micro-batches at the start and at the end
KINDS = {
    (512,): (0.50, 0.26), (1024,): (0.20, 0.20), (4096,): (0.10, 0.20),
    (1024, 256, 512): (0.15, 0.17), (3072, 512, 1024): (0.05, 0.17),
}


# ---- data -----------------------------------------------------------------------------------------------------------
def held(record):
    """Articles that are never trained on, to measure with."""
    return record["title"] in ("Montana", "Symbiosis", "Portugal", "Istanbul", "Saxophone", "Neuroscience")


def load():
    from tokenizers import Tokenizer

    with lzma.open(f"{DATA}/passages.jsonl.xz", "rt", encoding="utf8") as f:
        records = [json.loads(line) for line in f]
    with lzma.open(f"{DATA}/books.txt.xz", "rt", encoding="utf8") as f:
        books = f.read()
    return records, books, Tokenizer.from_file(f"{BASE}/tokenizer.json")


def prepare():
    """The prose as one array of tokens."""
    os.makedirs(WORK, exist_ok=True)
    records, books, tokenizer = load()
    texts = [books[i: i + 4000] for i in range(0, len(books), 4000)] + [r["text"] for r in records if not held(r)]
    random.Random(0).shuffle(texts)
    ids = [np.array(e.ids, np.uint16) for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    np.save(f"{WORK}/prose.npy", np.concatenate(ids))
    print("prose", sum(map(len, ids)) / 1e6, "M tokens", flush=True)


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, pool, library, tokenizer, prose, seed, share, only=None, planted_share=0.28):
        self.parts, self.seed, self.share, self.only, self.planted_share = (pool, library, tokenizer, prose), seed, share, only, planted_share

    def __iter__(self):
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        torch.set_num_threads(1)
        worker = torch.utils.data.get_worker_info()
        rng = random.Random(self.seed * 1000 + (worker.id if worker else 0))
        pool, library, tokenizer, prose = self.parts
        planted.R = pool.rng = rng
        make = rows.Rows(tokenizer, pool, library, prose, rng, self.planted_share)
        kinds = list(KINDS)
        while True:
            f = self.share.value if self.share else 0
            kind = self.only or rng.choices(kinds, [a + (b - a) * f for a, b in KINDS.values()])[0]
            count = max(1, MICRO // (kind[0] if len(kind) == 1 else kind[0] + kind[2]))
            batch = []
            while len(batch) < count:
                try:
                    batch.append(make.plain(*kind) if len(kind) == 1 else make.compressed(*kind))
                except Exception as e:
                    print("row left out:", repr(e), flush=True)
            yield kind, *(torch.from_numpy(np.stack(column)) for column in zip(*batch))


# ---- model: Llama ---------------------------------------------------------------------------------------------------
def turn(t, angles):
    cos, sin = angles
    a, b = t.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(t.dtype)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = linear(D, HEADS * HD), linear(D, KV * HD), linear(D, KV * HD), linear(HEADS * HD, D)
        self.gate_proj, self.up_proj, self.down_proj = linear(D, FFN), linear(D, FFN), linear(FFN, D)
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(D, EPS), nn.RMSNorm(D, EPS)

    def heads(self, x):
        b, t, _ = x.shape
        h = self.input_layernorm(x)
        return (f(h).view(b, t, n, HD).transpose(1, 2) for f, n in ((self.q_proj, HEADS), (self.k_proj, KV), (self.v_proj, KV)))

    def rest(self, x, o):
        b, t, _ = x.shape
        x = x + F.dropout(self.o_proj(o.transpose(1, 2).reshape(b, t, HEADS * HD)), DROP, self.training)
        h = self.post_attention_layernorm(x)
        return x + F.dropout(self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h)), DROP, self.training)

    def forward(self, x, angles):
        q, k, v = self.heads(x)
        return self.rest(x, F.scaled_dot_product_attention(turn(q, angles), turn(k, angles), v, is_causal=True, enable_gqa=True))

    def compressed(self, x, angles, tail_angles, keep, mask):
        """What follows the document sees the kept entries only, turned to positions 0, 1, 2 ... as the cache does."""
        q, k, v = self.heads(x)
        n = x.shape[1] - (mask.shape[0])
        head = F.scaled_dot_product_attention(turn(q[:, :, :n], angles), turn(k[:, :, :n], angles), v[:, :, :n], is_causal=True, enable_gqa=True)
        at = keep[:, None, :, None].expand(-1, KV, -1, HD)
        kk = torch.cat((k[:, :, :n].gather(2, at), k[:, :, n:]), 2)
        vv = torch.cat((v[:, :, :n].gather(2, at), v[:, :, n:]), 2)
        kept = keep.shape[1]
        tail = F.scaled_dot_product_attention(
            turn(q[:, :, n:], (tail_angles[0][kept:], tail_angles[1][kept:])),
            turn(kk, tail_angles).repeat_interleave(HEADS // KV, 1), vv.repeat_interleave(HEADS // KV, 1), attn_mask=mask.to(q.dtype))
        return self.rest(x, torch.cat((head, tail), 2))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, D)
        self.layers = nn.ModuleList(Layer() for _ in GROW)
        self.norm = nn.RMSNorm(D, EPS)
        self.compiled = False

    def angles(self, n):
        f = torch.outer(torch.arange(n, device=DEVICE).float(), THETA ** (-torch.arange(0, HD, 2, device=DEVICE).float() / HD))
        return f.cos(), f.sin()

    def hidden(self, ids, kind, keep=None):
        x = self.embed(ids)
        plain, short = (PLAIN, COMPRESSED) if self.compiled else (Layer.forward, Layer.compressed)
        if len(kind) == 1:
            a = self.angles(ids.shape[1])
            for layer in self.layers:
                x = plain(layer, x, a)
        else:
            n, kept, tail = kind
            a, ta = self.angles(n), self.angles(kept + tail)
            mask = torch.full((tail, kept + tail), float("-inf"), device=DEVICE).triu(kept + 1)
            for layer in self.layers:
                x = short(layer, x, a, ta, keep, mask)
        return self.norm(x)


def losses(h, embed, targets, weights):
    ce = F.cross_entropy((h @ embed.t().to(h.dtype)).float().view(-1, VOCAB), targets.reshape(-1), reduction="none")
    w = weights.reshape(-1)
    answers, text = (w > 5).float(), (w == rows.TEXT).float()
    return (ce * w).sum() / w.sum(), (ce * answers).sum() / answers.sum().clamp(min=1), (ce * text).sum() / text.sum().clamp(min=1)


PLAIN, COMPRESSED, LOSSES = Layer.forward, Layer.compressed, losses


def names(i, rest):
    part = rest.split(".")[0]
    room = "self_attn." if part in ("q_proj", "k_proj", "v_proj", "o_proj") else "" if "layernorm" in part else "mlp."
    return f"model.layers.{i}.{room}{rest}"


def grow(m):
    """The base model's weights; an added layer is a copy of the one before it that adds nothing yet."""
    from safetensors.torch import load_file

    base = load_file(f"{BASE}/model.safetensors")
    m.embed.weight.data.copy_(base["model.embed_tokens.weight"])
    m.norm.weight.data.copy_(base["model.norm.weight"])
    for layer, source in zip(m.layers, GROW):
        for name, p in layer.named_parameters():
            p.data.copy_(base[names(abs(source), name)])
            if source < 0 and name in ("o_proj.weight", "down_proj.weight"):
                p.data.zero_()


def export(m):
    from safetensors.torch import save_file

    out = {"model.embed_tokens.weight": m.embed.weight, "model.norm.weight": m.norm.weight}
    out.update({names(i, n): p for i, layer in enumerate(m.layers) for n, p in layer.named_parameters()})
    save_file({k: v.detach().to(torch.bfloat16).contiguous().cpu() for k, v in out.items()}, f"{WORK}/model.safetensors", metadata={"format": "pt"})
    config = json.load(open(f"{BASE}/config.json"))
    config["num_hidden_layers"] = len(GROW)
    json.dump(config, open(f"{OUT}/config.json", "w"), indent=1)
    blob, part = open(f"{WORK}/model.safetensors", "rb").read(), 15 << 20
    for i in range(0, len(blob), part):
        open(f"{OUT}/model.safetensors.{i // part}", "wb").write(blob[i: i + part])


@torch.no_grad()
def measure(m, pool, library, tokenizer, prose, questions=500):
    """Share of answers whose every token is the model's first choice: articles it never saw, and planted facts."""
    m.eval()
    result = {}
    for kind, share, name in (((512,), 0, "paragraph"), ((4096,), 0, "4096"), ((1024, 256, 512), 0, "256 of 1024"), ((4096,), 1, "planted"), ((3072, 512, 1024), 1, "planted 512")):
        random.seed(1)
        stream = iter(Stream(pool, library, tokenizer, prose, 99, None, kind, share))
        right = n = 0
        while n < questions:
            kind, ids, weights, *keep = next(stream)
            ids = ids.long().to(DEVICE)
            with torch.autocast(DEVICE, torch.bfloat16):
                h = m.hidden(ids[:, :-1], kind, keep[0].to(DEVICE) if keep else None)
                hit = ((h @ m.embed.weight.t().to(h.dtype)).argmax(-1) == ids[:, 1:]).cpu().numpy()
            answers = (weights[:, 1:] > 5).numpy()
            for r in range(len(answers)):
                edges = np.flatnonzero(np.diff(np.concatenate(([0], answers[r].astype(int), [0]))))
                for s, e in zip(edges[::2], edges[1::2]):
                    n += 1
                    right += hit[r, s:e].all()
        result[name] = round(right / n, 3)
    m.train()
    return result


def train(smoke=False):
    global PLAIN, COMPRESSED, LOSSES
    started = time.time()
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(0)
    os.makedirs(WORK, exist_ok=True)
    os.makedirs(OUT, exist_ok=True)
    records, books, tokenizer = load()
    prose = np.load(f"{WORK}/prose.npy")
    pool = rows.Pool([r for r in records if not held(r)], random)
    unseen = rows.Pool([r for r in records if held(r)], random)
    library = planted.Library(books)
    m = Model().to(DEVICE)
    grow(m)
    matrices = [p for n, p in m.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in m.named_parameters() if not (p.dim() == 2 and "embed" not in n)]
    peak = float(os.environ.get("RATE", 2e-3))
    optimizers = [torch.optim.Muon(matrices, lr=peak, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
                  torch.optim.AdamW(others, lr=peak, betas=(0.9, 0.95), weight_decay=0.0, fused=DEVICE == "cuda")]
    spent, step = 0.0, 0
    checkpoint = f"{WORK}/checkpoint.pt"
    if os.path.exists(checkpoint):
        c = torch.load(checkpoint, map_location=DEVICE)
        m.load_state_dict(c["model"])
        for o, s in zip(optimizers, c["optimizers"]):
            o.load_state_dict(s)
        spent, step = c["spent"], c["step"]
    if DEVICE == "cuda":
        torch._dynamo.config.cache_size_limit = 64
        PLAIN, COMPRESSED, LOSSES = (torch.compile(f, dynamic=False) for f in (Layer.forward, Layer.compressed, losses))
        m.compiled = True
    share = multiprocessing.Value("d", spent / TOTAL)
    workers = min(15, os.cpu_count() - 1)
    stream = iter(torch.utils.data.DataLoader(Stream(pool, library, tokenizer, prose, step + 1, share), batch_size=None, num_workers=workers, prefetch_factor=6, pin_memory=DEVICE == "cuda"))
    print("parameters", sum(p.numel() for p in m.parameters()) / 1e6, "M; passages", len(pool.passages), "asked", len(pool.asked), "ready after", round(time.time() - started), "s", flush=True)
    log = open(f"{OUT}/log.jsonl", "a")
    begun = last = time.time()
    waited, tokens, sums = 0.0, 0, {}
    while True:
        now = time.time()
        share.value = f = (spent + now - begun) / TOTAL
        if now - started > SECONDS or f >= 1:
            break
        rate = peak * min(1, (step + 1) / 100) * min(1, max(0.01, (1 - f) / 0.5))
        for o in optimizers:
            for g in o.param_groups:
                g["lr"] = rate
        for _ in range(ACCUMULATE):
            t = time.time()
            kind, ids, weights, *keep = next(stream)
            kind = tuple(kind)
            waited += time.time() - t
            ids, weights = ids.to(DEVICE, non_blocking=True).long(), weights.to(DEVICE, non_blocking=True)
            t = time.time()
            with torch.autocast(DEVICE, torch.bfloat16):
                h = m.hidden(ids[:, :-1], kind, keep[0].to(DEVICE, non_blocking=True) if keep else None)
                loss, answers, text = LOSSES(h, m.embed.weight, ids[:, 1:], weights[:, 1:])
            (loss / ACCUMULATE).backward()
            sums.setdefault(kind, []).append(torch.stack((loss.detach(), answers.detach(), text.detach())))
            tokens += ids.numel()
            if smoke:
                if DEVICE == "cuda":
                    torch.cuda.synchronize()
                print(kind, round(time.time() - t, 3), "s", ids.shape, flush=True)
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad(set_to_none=True)
        step += 1
        if step % 200 == 0 or step in (1, 5, 20, 60):
            means = {"/".join(map(str, k)): [round(v, 3) for v in torch.stack(s).mean(0).tolist()] for k, s in sums.items()}
            line = dict(step=step, share=round(f, 3), rate=f"{rate:.1e}", losses=means, mtok_s=round(tokens / (time.time() - last) / 1e6, 3), waited=round(waited / (time.time() - last), 2))
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            last, tokens, waited, sums = time.time(), 0, 0.0, {}
    spent += time.time() - begun
    del stream
    torch.save({"model": m.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "spent": spent, "step": step}, checkpoint)
    export(m)
    m.compiled = False
    line = dict(spent=round(spent), step=step, measured=measure(m, unseen, library, tokenizer, prose), seconds=round(time.time() - started))
    print(json.dumps(line), flush=True)
    log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    {"prepare": prepare, "train": train, "smoke": lambda: train(True)}[sys.argv[1]]()
